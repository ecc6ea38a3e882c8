"""Differences of two releases as lines for the terminal.

Belongs here: reading both releases and formatting the differences. Does not belong here: finding them (`diff`, `reasons`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from pipelines.errors import HarmoniaError, storage
from warehouse.disclosure import policy
from warehouse.releases import folder
from warehouse.releases.diff import NAME, exact_differences, public_diff, snapshot
from warehouse.releases.labels import language, words
from warehouse.releases.reasons import changed_units, record_keys

_PRIVATE = 0o600


def _there(releases: Path, old: str, new: str) -> None:
    for name in (old, new):
        if name not in folder.names(releases):
            raise HarmoniaError(f"there is no release {name} in {releases}; available: {', '.join(folder.names(releases)) or 'none'}")
    if old >= new:
        raise HarmoniaError(f"{old} is not before {new}: name the earlier release first")


def _why(reasons: object, lang: str) -> str:
    known = words()["reason"]
    return ", ".join(known[r][lang] for r in str(reasons).split("+") if r in known)


def _number(value: Any) -> str:
    return "–" if pd.isna(value) else str(int(value))


def public(releases: Path, old: str, new: str, lang: str) -> Iterator[str]:
    """Figures published differently, one line each; reads only the public parts."""
    language(lang)
    _there(releases, old, new)
    found = public_diff(releases, old, new)
    for row in found.to_dict("records"):
        name = " ".join(str(row[part]) for part in NAME)
        yield f"{name} {row['cell']}: {_number(row['before'])} → {_number(row['after'])} ({_why(row['reasons'], lang)})"
    if found.empty:
        yield f"{old} and {new} publish the same figures in every table that both contain"


def confidential(home: Path, old: str, new: str, lang: str, records: Path | None) -> Iterator[str]:
    """Every exact figure that differs, with its reasons; `records`: a CSV of the records behind it, by unit."""
    language(lang)
    releases = home / "releases"
    _there(releases, old, new)
    files = {name: folder.stored(releases / name) for name in (old, new)}
    before, after = (snapshot(files[name]) for name in (old, new))
    exact = [folder.from_parquet(files[name][f"{folder.CONFIDENTIAL}/exact.parquet"]) for name in (old, new)]
    found = exact_differences(policy.load(home).programme, before, after, *exact)
    for row in found.to_dict("records"):
        change = "" if pd.isna(row["change"]) else f" {int(row['change']):+d}"
        name = " ".join(str(row[part]) for part in NAME)
        yield f"{name} {row['cell']}: {_number(row['before'])} → {_number(row['after'])}{change} ({_why(row['reason'], lang)})"
    if records:
        with storage(records):
            records.touch(_PRIVATE)
            records.write_bytes(folder.as_csv(record_keys(changed_units(before, after), before, after)))
    yield f"{len(found)} differences between the exact figures of {old} and {new}; confidential"
