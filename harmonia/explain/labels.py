"""Labels and formats for explanations. Belongs here: reading `labels.yaml`, formatting values. Does not belong here: layout."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from schemas.yaml_declarations import read_yaml

_LARGEST_ODDS_SHOWN = 1_000_000


@cache
def _read_labels() -> dict[str, dict[str, str]]:
    labels: dict[str, dict[str, str]] = read_yaml(Path(__file__).parent / "labels.yaml")
    return labels


def find_label(kind: str, name: str) -> str:
    """Return the label of `name`. kind: the section of `labels.yaml`, such as `fields`, `levels` or `evidence`.

    If `name` has no label, it is returned with spaces in place of underscores.
    """
    return _read_labels()[kind].get(name, name.replace("_", " "))


def find_evidence_description(evidence: str) -> str:
    """Return the description of a kind of evidence; empty if there is none."""
    return _read_labels()["meanings"].get(evidence, "")


def format_odds(bits: float) -> str:
    """Format a match weight in bits as odds, e.g. `7 : 1` or `1 : 30`."""
    larger = 2.0 ** min(abs(bits), 60.0)
    ratio = f"{larger:.1f}" if larger < 10 else f"{larger:,.0f}" if larger < _LARGEST_ODDS_SHOWN else f"more than {_LARGEST_ODDS_SHOWN:,}"
    return f"{ratio} : 1" if bits >= 0 else f"1 : {ratio}"


def format_day(value: Any) -> str:
    """Format a day as yyyy-mm-dd; empty if there is none."""
    return "" if value is None or pd.isna(value) else pd.Timestamp(str(value)).strftime("%Y-%m-%d")


def make_letter_label(n: int) -> str:
    """Return the label of the record with number `n`, counted from 0, in an explanation: A, B, … Z, AA, AB, …"""
    name = ""
    n += 1
    while n:
        n, rest = divmod(n - 1, 26)
        name = chr(ord("A") + rest) + name
    return name


def format_value(value: Any) -> str:
    """Convert a value to text; empty if it is missing."""
    return "" if value is None or (not isinstance(value, str) and pd.isna(value)) else str(value)
