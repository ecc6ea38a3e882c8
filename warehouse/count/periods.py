"""Quarters and years of columns of days. Belongs here: the calendar in pandas. The same in SQL: `models/macros.sql`."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

import numpy as np
import pandas as pd


def _named(numbers: pd.Series, name: Callable[[int], str]) -> pd.Series:
    """The `name` of each number as text; null if there is none. Computed once per distinct number."""
    code, found = pd.factorize(numbers)
    names = pd.array([name(int(number)) for number in found], dtype="str")
    return pd.Series(names.take(code, allow_fill=True), index=numbers.index)


def quarter_of(days: pd.Series) -> pd.Series:
    """Quarter of each day as text, `2013-Q2`; null if the day is null."""
    return _named(days.dt.year * 4 + days.dt.quarter - 1, lambda n: f"{n // 4}-Q{n % 4 + 1}")


def year_of(days: pd.Series) -> pd.Series:
    """Year of each day as text; null if the day is null."""
    return _named(days.dt.year, str)


def quarter_index(periods: pd.Series) -> pd.Series:
    """Running number of each quarter (`2013-Q2` → 2013 * 4 + 1); null if the period is null."""
    parts = periods.astype("str").str.extract(r"^(\d{4})-Q([1-4])$")
    return parts[0].astype("Float64") * 4 + parts[1].astype("Float64") - 1


def quarter_start(periods: pd.Series) -> pd.Series:
    """First day of each quarter."""
    return _each_quarter(periods, lambda months: months)


def quarter_end(periods: pd.Series) -> pd.Series:
    """Last day of each quarter."""
    return _each_quarter(periods, lambda months: (months + 3).astype("datetime64[D]") - 1)


def _each_quarter(periods: pd.Series, day: Callable[[np.ndarray], np.ndarray]) -> pd.Series:
    """A day of each quarter, computed from its first month; null if the period is not a quarter."""
    code, names = pd.factorize(periods.astype("str"))
    months = np.array([_first_month(str(name)) for name in [*names, ""]])  # -1, the code of a null, selects the last
    return pd.Series(day(months).astype("datetime64[s]")[code], index=periods.index)


@cache
def _first_month(quarter: str) -> np.datetime64:
    found = re.fullmatch(r"(\d{4})-Q([1-4])", quarter)
    return np.datetime64(f"{found[1]}-{3 * int(found[2]) - 2:02}" if found else "NaT", "M")


def quarter_middle(periods: pd.Series) -> pd.Series:
    """The day in the middle of each quarter, on which an event with an unknown day counts."""
    start = quarter_start(periods)
    return (start + (quarter_end(periods) - start) // 2).dt.normalize()
