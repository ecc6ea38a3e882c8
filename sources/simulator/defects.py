"""What is wrong in single values (stub of the list's row; filled below)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Defect:
    """One thing that is wrong in a delivery: a row of `defects.csv`; without `record_key`, a whole file."""

    institution: str
    delivery: str
    record_key: str
    kind: str
    field: str = ""
    true_value: str = ""
    delivered_value: str = ""
    note: str = ""
