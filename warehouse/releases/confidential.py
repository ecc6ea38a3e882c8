"""Read the confidential part of a release, which full transmissions to a named recipient need.

Belongs here: opening and verifying it. Does not belong here: approval, logging, formats (`warehouse/exports`); anything for the public
(`reading`).
Only modules called `transmission…` or `own_figures…` may import this; `tests/unit/test_publishing_paths.py` rejects others.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from harmonia.errors import HarmoniaError
from warehouse import tables
from warehouse.releases import folder


@dataclass(frozen=True)
class ConfidentialReleasePart:
    """The confidential part of a release, with its source data. name: the day of the release. files: the content of each file, by path."""

    name: str
    files: dict[str, bytes]

    def table(self, name: str) -> pd.DataFrame:
        """Read a table: `exact` (programme tables), `statistics`, `bridge`, `counted`, `bridge_records`, `records`, `deliveries`,
        `judgements`. Newer releases also have `flow_victims` and `flow_victim_durations`."""
        return folder.from_parquet(self.files[f"{folder.CONFIDENTIAL}/{name}.parquet"])

    def has_table(self, name: str) -> bool:
        """Return whether the release has that table."""
        return f"{folder.CONFIDENTIAL}/{name}.parquet" in self.files

    def yardsticks(self) -> pd.DataFrame:
        """Read the table `yardstick`; empty in a release that was made before there were yardsticks."""
        path = f"{folder.CONFIDENTIAL}/yardstick.parquet"
        empty = tables.conform_frame(tables.YARDSTICK, pd.DataFrame())
        return folder.from_parquet(self.files[path]) if path in self.files else empty


def open_confidential_part(releases: Path, name: str) -> ConfidentialReleasePart:
    """Open the confidential part of a release of `HOME/releases`. Raises `HarmoniaError` if it is missing or was modified."""
    if name not in folder.release_names(releases) or not (releases / name / folder.CONFIDENTIAL).is_dir():
        raise HarmoniaError(f"{releases} has no confidential part of a release {name}: it stays where the release was created")
    return ConfidentialReleasePart(name, folder.read_verified_files(releases / name))
