"""Read the public part of a release. Reports, exports and the explorer read releases only through this module.

Belongs here: the public part of a release, verified on opening. Does not belong here: exact figures, the warehouse, the home.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from harmonia.errors import HarmoniaError
from warehouse.disclosure.programme import MERGE_SEPARATOR, QUARTERS
from warehouse.releases import folder
from warehouse.releases.labels import (
    find_label_of_code,
    make_label_of_cell,
    make_text_of_figure_status,
    make_text_of_missing_deliveries,
    require_language,
)

__all__ = [
    "MERGE_SEPARATOR",
    "QUARTERS",
    "Release",
    "compute_release_hash",
    "find_label_of_code",
    "find_latest_release",
    "make_label_of_cell",
    "make_text_of_figure_status",
    "make_text_of_missing_deliveries",
    "open_release",
    "require_language",
]


@dataclass(frozen=True)
class Release:
    """The public part of one release. `name` is the day of the release; `files` has the content of each file by name."""

    name: str
    files: dict[str, bytes]

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """Metadata of the release: day, versions, linkage, policy, files."""
        manifest: dict[str, Any] = json.loads(self.files[folder.MANIFEST])
        return manifest

    def table(self, name: str) -> pd.DataFrame:
        """Read one of the tables `cube`, `bridge`, `coverage`, `revisions`, `definitions`, `labels`, `causes`. Their columns are described
        in docs/reference/releases.md."""
        return folder.from_parquet(self.files[f"{name}.parquet"])

    @cached_property
    def cube(self) -> pd.DataFrame:
        """The table with every published figure up to this release, one row each."""
        return self.table("cube")

    def years(self) -> list[str]:
        """Return the years for which the release has figures."""
        return sorted(self.cube.loc[self.cube["period_type"] == "year", "period"].unique())

    def figures(self, indicator: str, table: str, of: str, measure: str = "harmonised") -> pd.DataFrame:
        """Return the rows of one table, in published order. The result is empty if the table is not published, or not published yet.

        of: a year, or a window such as `2012/2014`.
        """
        cube = self.cube
        is_table = (cube["indicator"] == indicator) & (cube["measure"] == measure) & (cube["table"] == table) & (cube["of"] == of)
        return cube[is_table].reset_index(drop=True)


def compute_release_hash(release: Release) -> str:
    """Return the SHA-256 hash of the release's manifest. It identifies the release, since the manifest contains the hash of every file."""
    return folder.sha256(release.files[folder.MANIFEST])


def open_release(path: Path, name: str | None = None) -> Release:
    """Open a release. path: the folder of one release, or a folder of releases (`HOME/releases`). name: the release in a folder of
    releases; by default it is the latest.

    Raises `HarmoniaError` if there is none, or if a file was modified.
    """
    if (path / folder.PUBLIC).is_dir():
        return Release(path.name, folder.read_public_files(path))
    existing = folder.release_names(path)
    chosen = name or find_latest_release(path)
    if chosen not in existing:
        raise HarmoniaError(
            f"there is no release {chosen} in {path}; available: {', '.join(existing) or 'none'}. "
            "`harmonia release create --as-of DAY` creates one"
        )
    return Release(chosen, folder.read_public_files(path / chosen))


def find_latest_release(releases: Path) -> str:
    """Return the name of the latest release. Raises `HarmoniaError` if there is none."""
    existing = folder.release_names(releases)
    if not existing:
        raise HarmoniaError(f"{releases} has no release yet: `harmonia release create --as-of DAY` creates one")
    return existing[-1]
