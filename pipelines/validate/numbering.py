"""Numbers of rows. Belongs here: where the rows of a delivery are numbered from, and nothing else."""

from __future__ import annotations


def first_row(period: str, version: int) -> int:
    """Where the rows of a delivery are numbered from: the same whichever other deliveries are judged with it, and exact as a float."""
    return ((int(period[:4]) - 1900) * 4 + int(period[6]) - 1) * 1024 + version << 32
