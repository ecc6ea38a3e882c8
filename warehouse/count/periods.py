"""Calendar functions for pandas columns: find the month, quarter or year of each day, and the first, middle or last day of each period.

The same functions for SQL are in `warehouse/models/macros.sql`. Names of periods: `sources/periods`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

import numpy as np
import pandas as pd

from sources.periods import CADENCES, Cadence, first_day, last_day, period_containing, period_name_pattern

_PERIOD = re.compile("|".join(map(period_name_pattern, CADENCES)))


def _convert_numbers_to_names(numbers: pd.Series, make_name: Callable[[int], str]) -> pd.Series:
    """Convert each number to text by the function `make_name`, which is called once for each distinct number. Null stays null."""
    code, distinct = pd.factorize(numbers)
    names = pd.array([make_name(int(number)) for number in distinct], dtype="str")
    return pd.Series(names.take(code, allow_fill=True), index=numbers.index)


def find_period_of_each_day(days: pd.Series, cadence: Cadence) -> pd.Series:
    """Return the name of the period of a cadence (monthly, quarterly, …) that contains each day; null if the day is null."""
    return _convert_numbers_to_names(
        days.dt.year * 12 + days.dt.month - 1, lambda n: period_containing(date(n // 12, n % 12 + 1, 1), cadence)
    )


def find_quarter_of_each_day(days: pd.Series) -> pd.Series:
    """Return the calendar quarter of each day as text, e.g. `2013-Q2`; null if the day is null."""
    return find_period_of_each_day(days, "quarterly")


def find_year_of_each_day(days: pd.Series) -> pd.Series:
    """Return the year of each day as text; null if the day is null."""
    return find_period_of_each_day(days, "yearly")


def number_quarters_consecutively(periods: pd.Series) -> pd.Series:
    """Number the quarters, so that consecutive quarters have consecutive numbers (`2013-Q2` → 2013 * 4 + 1). The result is null if a period
    is no quarter."""
    distinct = pd.Series(periods.dropna().unique(), dtype="str")
    parts = distinct.str.extract(r"^(\d{4})-Q([1-4])$").astype("Float64")
    number_by_period = dict(zip(distinct, parts[0] * 4 + parts[1] - 1, strict=True))
    return periods.astype("str").map(number_by_period).astype("Float64")


def find_first_day_of_periods(periods: pd.Series) -> pd.Series:
    """Return the first day of each period (month, quarter, half-year, year); null if the name is not that of a period."""
    return _map_periods_to_days(periods, first_day)


def find_last_day_of_periods(periods: pd.Series) -> pd.Series:
    """Return the last day of each period (month, quarter, half-year, year); null if the name is not that of a period."""
    return _map_periods_to_days(periods, last_day)


def _map_periods_to_days(periods: pd.Series, day_of_period: Callable[[str], date]) -> pd.Series:
    """Return the day that the function `day_of_period` gives for each period; null if the name is not that of a period.

    The function is called once for each distinct period.
    """
    code, names = pd.factorize(periods.astype("str"))
    days = [np.datetime64(day_of_period(name)) if _PERIOD.fullmatch(name) else np.datetime64("NaT") for name in map(str, [*names, ""])]
    return pd.Series(np.array(days, dtype="datetime64[s]")[code], index=periods.index)  # -1, the code of a null, selects the last


def find_middle_day_of_periods(periods: pd.Series) -> pd.Series:
    """Return the day in the middle of each period, on which an event with an unknown day counts."""
    start = find_first_day_of_periods(periods)
    return (start + (find_last_day_of_periods(periods) - start) // 2).dt.normalize()
