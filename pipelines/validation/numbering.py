"""The number of the first row of a delivery. Nothing else belongs here."""

from __future__ import annotations

from sources import periods


def first_row_number(period: str, version: int) -> int:
    """Return the number of the first row of a delivery. It is independent of the other deliveries, and exact as a float."""
    return periods.number(period) * 1024 + version << 32
