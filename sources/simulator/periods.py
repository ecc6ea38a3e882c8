"""Quarters of a simulation: names, last days, which quarter a day is in. Nothing else."""

from __future__ import annotations

from datetime import date, timedelta


def quarter(day: date) -> str:
    """`2013-Q2` for a day in it."""
    return f"{day.year}-Q{(day.month + 2) // 3}"


def quarters(start: int, years: int) -> list[str]:
    """All quarters from the first of `start` on, in order."""
    return [f"{year}-Q{q}" for year in range(start, start + years) for q in range(1, 5)]


def first_day(period: str) -> date:
    """First day of a quarter."""
    return date(int(period[:4]), int(period[6]) * 3 - 2, 1)


def last_day(period: str) -> date:
    """Last day of a quarter."""
    year, q = int(period[:4]), int(period[6])
    return date(year + q // 4, q * 3 % 12 + 1, 1) - timedelta(days=1)
