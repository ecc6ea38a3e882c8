"""Row numbers. Belongs here: the number of the first row of a delivery, nothing else."""

from __future__ import annotations

from sources import periods


def first_row_number(period: str, version: int) -> int:
    """The number of the first row of a delivery: independent of the other deliveries, and exact as a float."""
    return periods.number(period) * 1024 + version << 32
