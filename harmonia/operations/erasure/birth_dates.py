"""A substitute date of birth: same year, same age on every relevant day.

Does not belong here: which days are relevant, how figures use ages (`warehouse/models`).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

import pandas as pd

_PREFERRED = [(7, 1), *((month, 1) for month in range(2, 13))]  # not 1 January, which means that only the year is known


def substitute_birth_date(born: date, age_dates: Collection[date]) -> date:
    """1 July, or the first of a month, or else the last day that keeps the ages on all `age_dates` (days on which figures use the age).

    An age depends on whether the birthday of that year has passed: all birthdays between two counted days of the year are equivalent.
    """
    birthday = (born.month, born.day)
    days = sorted({(day.month, day.day) for day in age_dates})
    earliest = max((day for day in days if day < birthday), default=(1, 1))
    latest = min((day for day in days if day >= birthday), default=(12, 31))
    month, day = next((candidate for candidate in _PREFERRED if earliest < candidate <= latest), latest)
    return date(born.year, month, _valid_day(born.year, month, day))


def _valid_day(year: int, month: int, day: int) -> int:
    """29 February becomes 28 February in a common year."""
    return min(day, pd.Timestamp(year, month, 1).days_in_month)
