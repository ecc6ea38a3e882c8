"""The number of the first row of a delivery, from which its rows are numbered. Nothing else belongs here."""

from __future__ import annotations

from sources import periods


def compute_first_row_number(period: str, version: int) -> int:
    """Return the number of the first row of a delivery.

    It does not depend on other deliveries. It is small enough to be represented exactly as a float.
    """
    return periods.running_number_of_period(period) * 1024 + version << 32
