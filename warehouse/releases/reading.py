"""A release for reports, exports and the explorer, which read releases only through this module.

Belongs here: the public part of a release, verified on opening. Does not belong here: exact figures, the warehouse, the home.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from pipelines.errors import HarmoniaError
from warehouse.disclosure.programme import MERGE_SEPARATOR, QUARTERS
from warehouse.releases import folder
from warehouse.releases.labels import category, gap_text, label, language, status_text

__all__ = [
    "MERGE_SEPARATOR",
    "QUARTERS",
    "Release",
    "category",
    "gap_text",
    "label",
    "language",
    "latest",
    "open_release",
    "release_hash",
    "status_text",
]


@dataclass(frozen=True)
class Release:
    """The public part of one release: `name` is its day; `files` its files by name as stored."""

    name: str
    files: dict[str, bytes]

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """Metadata of the release: day, versions, linkage, policy, files."""
        found: dict[str, Any] = json.loads(self.files[folder.MANIFEST])
        return found

    def table(self, name: str) -> pd.DataFrame:
        """`cube`, `bridge`, `coverage`, `revisions`, `definitions`, `labels` or `causes` (columns: docs/reference/releases.md)."""
        return folder.from_parquet(self.files[f"{name}.parquet"])

    @cached_property
    def cube(self) -> pd.DataFrame:
        """Every published figure up to this release, one row each."""
        return self.table("cube")

    def years(self) -> list[str]:
        """The years for which the release has figures."""
        return sorted(self.cube.loc[self.cube["period_type"] == "year", "period"].unique())

    def figures(self, indicator: str, table: str, of: str, measure: str = "harmonised") -> pd.DataFrame:
        """The rows of one table, in published order; empty if it was not (yet) published.

        of: a year, or a window such as `2012/2014`.
        """
        c = self.cube
        return c[(c["indicator"] == indicator) & (c["table"] == table) & (c["of"] == of) & (c["measure"] == measure)].reset_index(drop=True)


def release_hash(release: Release) -> str:
    """SHA-256 of the release's manifest, which contains the hash of every file: it identifies the release."""
    return folder.sha256(release.files[folder.MANIFEST])


def open_release(where: Path, name: str | None = None) -> Release:
    """Open a release. where: a folder of releases (`HOME/releases`; `name`: which, default the latest), or the folder of one release.

    Raises `HarmoniaError` if there is none, or if a file was modified.
    """
    if (where / folder.PUBLIC).is_dir():
        return Release(where.name, folder.public(where))
    chosen = name or latest(where)
    if chosen not in folder.names(where):
        there = ", ".join(folder.names(where)) or "none"
        raise HarmoniaError(
            f"there is no release {chosen} in {where}; available: {there}. `harmonia release create --as-of DAY` creates one"
        )
    return Release(chosen, folder.public(where / chosen))


def latest(releases: Path) -> str:
    """The name of the latest release. Raises `HarmoniaError` if there is none."""
    found = folder.names(releases)
    if not found:
        raise HarmoniaError(f"{releases} has no release yet: `harmonia release create --as-of DAY` creates one")
    return found[-1]
