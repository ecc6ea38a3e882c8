"""Quarters by name (`2013-Q2`).

Belongs here: the calendar of deliveries. Does not belong here: whole columns of dates (`warehouse.count`).
"""

from __future__ import annotations

from datetime import date, timedelta


def last_day(period: str) -> date:
    """The last day of a quarter."""
    year, quarter = int(period[:4]), int(period[6])
    return date(year + quarter // 4, quarter % 4 * 3 + 1, 1) - timedelta(days=1)


def quarters(first: str, last: str) -> list[str]:
    """All quarters from `first` to `last`, inclusive."""
    start, end = _number(first), _number(last)
    return [f"{n // 4}-Q{n % 4 + 1}" for n in range(start, end + 1)]


def _number(period: str) -> int:
    return int(period[:4]) * 4 + int(period[6]) - 1
