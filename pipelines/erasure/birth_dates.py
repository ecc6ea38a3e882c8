"""A substitute date of birth: same year, same age on every relevant day.

Does not belong here: which days are relevant, how figures use ages (`warehouse/models`).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

import pandas as pd

_PREFERRED = [(7, 1), *((month, 1) for month in range(2, 13))]  # not 1 January, which means that only the year is known


def substitute_birth_date(born: date, counted: Collection[date]) -> date:
    """1 July, or the first of a month, or else the last day that keeps the ages on all `counted` days.

    An age depends on whether the birthday of that year has passed: all birthdays between two counted days of the year are equivalent.
    """
    own = (born.month, born.day)
    days = sorted({(day.month, day.day) for day in counted})
    before = max((day for day in days if day < own), default=(1, 1))
    until = min((day for day in days if day >= own), default=(12, 31))
    month, day = next((one for one in _PREFERRED if before < one <= until), until)
    return date(born.year, month, _last(born.year, month, day))


def _last(year: int, month: int, day: int) -> int:
    """29 February becomes 28 February in a common year."""
    return min(day, pd.Timestamp(year, month, 1).days_in_month)
