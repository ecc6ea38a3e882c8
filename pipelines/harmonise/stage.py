"""The stage: delivered tables with their states in, canonical tables out.

Belongs here: dispatch to the institution's mapping, nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module

import pandas as pd

from schemas.canonical import TABLES, conform

Canonical = dict[str, pd.DataFrame]


def harmonise(institution: str, tables: Mapping[str, pd.DataFrame]) -> Canonical:
    """Canonical tables of one institution from the tables of `pipelines.current.Current` (all states, with `_status`)."""
    made = import_module(f"sources.{institution}.mapping").to_canonical(dict(tables))
    return {name: _stack(name, made.get(name, [])) for name in TABLES}


def combine(parts: Iterable[Canonical]) -> Canonical:
    """The canonical tables of all institutions, one below the other."""
    parts = list(parts)
    return {name: _stack(name, [part[name] for part in parts]) for name in TABLES}


def _stack(name: str, frames: list[pd.DataFrame]) -> pd.DataFrame:
    filled = [conform(name, frame) for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else conform(name, pd.DataFrame())
