"""The stage `harmonise`: it takes validated tables with record status, and returns canonical tables.

Belongs here: calling the institution's mapping, nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

import pandas as pd

from schemas.canonical import TABLES, conform

Canonical = dict[str, pd.DataFrame]


def harmonise(institution: str, tables: Mapping[str, pd.DataFrame]) -> Canonical:
    """Return the canonical tables of one institution. tables: its validated tables, with records of every status (`_status`)."""
    mapped = import_module(f"sources.{institution}.mapping").to_canonical(dict(tables))
    return {name: conform_frames(name, mapped.get(name, [])) for name in TABLES}


def conform_frames(name: str, frames: list[pd.DataFrame]) -> pd.DataFrame:
    """Concatenate the frames of one canonical table, with the columns and types of the table."""
    filled = [conform(name, frame) for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else conform(name, pd.DataFrame())
