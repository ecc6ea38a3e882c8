"""Choose a substitute for a date of birth: a day in the same year, with which the person has the same age on every relevant day.

Does not belong here: which days are relevant, how figures use ages (`warehouse/models`).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

import pandas as pd

_PREFERRED = [(7, 1), *((month, 1) for month in range(2, 13))]  # not 1 January, which means that only the year is known


def substitute_birth_date(born: date, age_dates: Collection[date]) -> date:
    """Return another day in the year of `born`, such that the person has the same age on all `age_dates`.

    These are the days on which figures use the age. The result is 1 July if possible, otherwise the first day of another month, otherwise
    the last possible day. The age on a day depends only on whether the birthday of that year has passed. So the substitute must not lie
    on the other side of any of these days.
    """
    birthday = (born.month, born.day)
    days = sorted({(day.month, day.day) for day in age_dates})
    earliest = max((day for day in days if day < birthday), default=(1, 1))
    latest = min((day for day in days if day >= birthday), default=(12, 31))
    month, day = next((candidate for candidate in _PREFERRED if earliest < candidate <= latest), latest)
    return date(born.year, month, _make_valid_day(born.year, month, day))


def _make_valid_day(year: int, month: int, day: int) -> int:
    """Return the day of the month; for 29 February in a year that is not a leap year, return 28."""
    return min(day, pd.Timestamp(year, month, 1).days_in_month)
