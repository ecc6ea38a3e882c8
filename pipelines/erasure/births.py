"""A day of birth in place of the true one: of the same year, and of the same age on every day that counts.

Belongs here: choosing that day. Does not belong here: which days count, what the figures make of an age (`warehouse/models`).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

import pandas as pd

_PREFERRED = [(7, 1), *((month, 1) for month in range(2, 13))]  # not 1 January: that day says the year alone


def stand_in(born: date, counted: Collection[date]) -> date:
    """The middle of the year, or the first of a month, or else the last day on which the ages on all `counted` days are as they were.

    An age on a day hangs on whether the birthday of that year has come: between two counted days of the year every birthday is as good.
    """
    own = (born.month, born.day)
    days = sorted({(day.month, day.day) for day in counted})
    before = max((day for day in days if day < own), default=(1, 1))
    until = min((day for day in days if day >= own), default=(12, 31))
    month, day = next((one for one in _PREFERRED if before < one <= until), until)
    return date(born.year, month, _last(born.year, month, day))


def _last(year: int, month: int, day: int) -> int:
    """29 February in a year that has none is its last day."""
    return min(day, pd.Timestamp(year, month, 1).days_in_month)
