"""Show the differences of two releases as lines on the terminal.

Belongs here: reading both releases and formatting the differences. Does not belong here: finding them (`diff`, `reasons`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from harmonia.errors import HarmoniaError, convert_storage_errors
from warehouse.disclosure import policy
from warehouse.releases import folder
from warehouse.releases.diff import TABLE_NAME, find_exact_differences, list_public_differences_between_releases, read_snapshot_of_release
from warehouse.releases.labels import read_labels, require_language
from warehouse.releases.reasons import find_units_counted_differently, list_records_of_changed_units

_OWNER_ONLY = 0o600


def _check_order_of_releases(releases: Path, old: str, new: str) -> None:
    existing = folder.release_names(releases)
    for name in (old, new):
        if name not in existing:
            raise HarmoniaError(f"there is no release {name} in {releases}; available: {', '.join(existing) or 'none'}")
    if old >= new:
        raise HarmoniaError(f"{old} is not before {new}: name the earlier release first")


def _format_difference_as_line(row: dict[Any, Any], reasons: object, lang: str, change: str = "") -> str:
    """Return a difference as one line of text. reasons: codes joined by `+`."""
    reason_texts = read_labels()["reason"]
    reason_names = ", ".join(reason_texts[reason][lang] for reason in str(reasons).split("+") if reason in reason_texts)
    table = " ".join(str(row[part]) for part in TABLE_NAME)
    return f"{table} {row['cell']}: {_format_number(row['before'])} → {_format_number(row['after'])}{change} ({reason_names})"


def _format_number(value: Any) -> str:
    return "–" if pd.isna(value) else str(int(value))


def iterate_lines_of_public_differences(releases: Path, old: str, new: str, lang: str) -> Iterator[str]:
    """Yield the figures that were published differently, one line each. Reads only the public parts of the releases."""
    require_language(lang)
    _check_order_of_releases(releases, old, new)
    differences = list_public_differences_between_releases(releases, old, new)
    for row in differences.to_dict("records"):
        yield _format_difference_as_line(row, row["reasons"], lang)
    if differences.empty:
        yield f"{old} and {new} publish the same figures in every table that both contain"


def iterate_lines_of_confidential_differences(home: Path, old: str, new: str, lang: str, records: Path | None) -> Iterator[str]:
    """Yield every exact figure that differs, with its reasons, one line each. records: the CSV file to which the records that explain the
    differences are written; None for no file."""
    require_language(lang)
    releases = home / "releases"
    _check_order_of_releases(releases, old, new)
    files = [folder.read_verified_files(releases / name) for name in (old, new)]
    before, after = (read_snapshot_of_release(release_files) for release_files in files)
    exact = [folder.from_parquet(release_files[f"{folder.CONFIDENTIAL}/exact.parquet"]) for release_files in files]
    differences = find_exact_differences(policy.load_policy(home).programme, before, after, *exact)
    for row in differences.to_dict("records"):
        change = "" if pd.isna(row["change"]) else f" {int(row['change']):+d}"
        yield _format_difference_as_line(row, row["reason"], lang, change)
    if records:
        with convert_storage_errors(records):
            records.touch(_OWNER_ONLY)
            records.write_bytes(folder.as_csv(list_records_of_changed_units(find_units_counted_differently(before, after), before, after)))
    yield f"{len(differences)} differences between the exact figures of {old} and {new}; confidential"
