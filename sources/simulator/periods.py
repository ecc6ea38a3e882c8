"""Quarters and months of a simulation: their names, their first and last days, and the period that contains a day."""

from __future__ import annotations

from datetime import date, timedelta


def quarter(day: date) -> str:
    """Return the quarter of a day: `2013-Q2`."""
    return f"{day.year}-Q{(day.month + 2) // 3}"


def quarters(start: int, years: int) -> list[str]:
    """Return all quarters of `years` years from the year `start` on, in order."""
    return [f"{year}-Q{q}" for year in range(start, start + years) for q in range(1, 5)]


def months(start: int, years: int) -> list[str]:
    """Return all months of `years` years from the year `start` on, in order: `2013-04`."""
    return [f"{year}-{month:02d}" for year in range(start, start + years) for month in range(1, 13)]


def period_of(day: date, like: str) -> str:
    """Return the quarter or month of a day; a quarter if the period `like` is one, else a month."""
    return quarter(day) if "Q" in like else f"{day.year}-{day.month:02d}"


def first_day(period: str) -> date:
    """First day of a quarter or month."""
    if "Q" not in period:
        return date(int(period[:4]), int(period[5:7]), 1)
    return date(int(period[:4]), int(period[6]) * 3 - 2, 1)


def last_day(period: str) -> date:
    """Last day of a quarter or month."""
    if "Q" not in period:
        year, month = int(period[:4]), int(period[5:7])
        return date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
    year, q = int(period[:4]), int(period[6])
    return date(year + q // 4, q * 3 % 12 + 1, 1) - timedelta(days=1)
