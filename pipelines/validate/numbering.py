"""Row numbers. Belongs here: the number of the first row of a delivery, nothing else."""

from __future__ import annotations


def first_row(period: str, version: int) -> int:
    """The number of the first row of a delivery: independent of the other deliveries, and exact as a float."""
    return ((int(period[:4]) - 1900) * 4 + int(period[6]) - 1) * 1024 + version << 32
