"""The texts of an explanation. Belongs here: loading `labels.yaml`, formatting numbers. Does not belong here: layout."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from schemas.declared import declared

_LARGEST_ODDS_SHOWN = 1_000_000


@cache
def _declared_labels() -> dict[str, dict[str, str]]:
    labels: dict[str, dict[str, str]] = declared(Path(__file__).parent / "labels.yaml")
    return labels


def label_of(kind: str, name: str) -> str:
    """The label of `name` of a `kind` (fields, levels, evidence …); an unknown name with underscores replaced by spaces."""
    return _declared_labels()[kind].get(name, name.replace("_", " "))


def evidence_description(evidence: str) -> str:
    """The description of a kind of evidence; empty where there is none."""
    return _declared_labels()["meanings"].get(evidence, "")


def format_odds(bits: float) -> str:
    """A weight in bits as odds: `7 : 1`, `1 : 30`."""
    larger = 2.0 ** min(abs(bits), 60.0)
    ratio = f"{larger:.1f}" if larger < 10 else f"{larger:,.0f}" if larger < _LARGEST_ODDS_SHOWN else f"more than {_LARGEST_ODDS_SHOWN:,}"
    return f"{ratio} : 1" if bits >= 0 else f"1 : {ratio}"


def format_day(value: Any) -> str:
    """A day as yyyy-mm-dd; empty where there is none."""
    return "" if value is None or pd.isna(value) else pd.Timestamp(str(value)).strftime("%Y-%m-%d")


def letter_label(n: int) -> str:
    """A, B, … Z, AA, AB, …: the label of a record within an explanation."""
    name = ""
    n += 1
    while n:
        n, rest = divmod(n - 1, 26)
        name = chr(ord("A") + rest) + name
    return name


def format_value(value: Any) -> str:
    """A value as text; empty where it is missing."""
    return "" if value is None or (not isinstance(value, str) and pd.isna(value)) else str(value)
