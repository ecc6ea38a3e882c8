"""The periods of a simulation: the quarters by which figures are counted, and all periods of a cadence.

Belongs here: periods of the simulated years. Does not belong here: the calendar of deliveries (`sources.periods`).
"""

from __future__ import annotations

from datetime import date

from sources.periods import Cadence, periods_between


def find_quarter_of_day(day: date) -> str:
    """Return the quarter that contains a day, such as `2013-Q2`."""
    return f"{day.year}-Q{(day.month + 2) // 3}"


def list_simulated_periods(start: int, years: int, cadence: Cadence) -> list[str]:
    """Return all periods of a cadence in the `years` years that begin with the year `start`, in order."""
    return periods_between(date(start, 1, 1), date(start + years - 1, 12, 31), cadence)


def list_quarters(start: int, years: int) -> list[str]:
    """Return all quarters of the `years` years that begin with the year `start`, in order."""
    return list_simulated_periods(start, years, "quarterly")
