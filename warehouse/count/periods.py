"""Periods of columns of days, days of columns of delivered periods.

Belongs here: the calendar in pandas. The same in SQL: `models/macros.sql`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

import numpy as np
import pandas as pd

from sources.periods import CADENCES, Cadence, containing, first_day, last_day, pattern

_PERIOD = re.compile("|".join(map(pattern, CADENCES)))


def _name_numbers(numbers: pd.Series, name: Callable[[int], str]) -> pd.Series:
    """The `name` of each number as text; null if there is none. Computed once per distinct number."""
    code, found = pd.factorize(numbers)
    names = pd.array([name(int(number)) for number in found], dtype="str")
    return pd.Series(names.take(code, allow_fill=True), index=numbers.index)


def period_of(days: pd.Series, cadence: Cadence) -> pd.Series:
    """Period of a cadence that contains each day, by name; null if the day is null. Computed once per distinct month."""
    return _name_numbers(days.dt.year * 12 + days.dt.month - 1, lambda n: containing(date(n // 12, n % 12 + 1, 1), cadence))


def quarter_of(days: pd.Series) -> pd.Series:
    """Quarter of each day as text, `2013-Q2`; null if the day is null."""
    return period_of(days, "quarterly")


def year_of(days: pd.Series) -> pd.Series:
    """Year of each day as text; null if the day is null."""
    return period_of(days, "yearly")


def quarter_index(periods: pd.Series) -> pd.Series:
    """Running number of each quarter (`2013-Q2` → 2013 * 4 + 1); null if the period is null."""
    parts = periods.astype("str").str.extract(r"^(\d{4})-Q([1-4])$")
    return parts[0].astype("Float64") * 4 + parts[1].astype("Float64") - 1


def period_start(periods: pd.Series) -> pd.Series:
    """First day of each delivered period (month, quarter, half-year, year)."""
    return _day_of_periods(periods, first_day)


def period_end(periods: pd.Series) -> pd.Series:
    """Last day of each delivered period."""
    return _day_of_periods(periods, last_day)


def _day_of_periods(periods: pd.Series, day: Callable[[str], date]) -> pd.Series:
    """A day of each period, computed once per distinct name; null if it is not a period."""
    code, names = pd.factorize(periods.astype("str"))
    days = [np.datetime64(day(name)) if _PERIOD.fullmatch(name) else np.datetime64("NaT") for name in map(str, [*names, ""])]
    return pd.Series(np.array(days, dtype="datetime64[s]")[code], index=periods.index)  # -1, the code of a null, selects the last


def period_middle(periods: pd.Series) -> pd.Series:
    """The day in the middle of each delivered period, on which an event with an unknown day counts."""
    start = period_start(periods)
    return (start + (period_end(periods) - start) // 2).dt.normalize()
