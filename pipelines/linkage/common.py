"""Statistics of the whole history that every decision uses: frequencies of names, counts, shares of evidence, share of persons in
several cases.

Belongs here: choosing the records from which the statistics are estimated, so that they rarely change. Does not belong here: decisions.

A small history is used as a whole. A larger one is used up to a landmark: the period in which the number of person rows, counting each
period in its first version, reached the last step of a ladder (`FIRST`, each step half as much again). The statistics, and the decisions
on unchanged records, stay identical until the next step is reached, unless a period before the landmark arrives late. They depend only
on the records, not on the time of arrival.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.linkage.evidence import EvidenceShares
from pipelines.linkage.hashing import hash_rows
from pipelines.linkage.score import Frequencies
from pipelines.linkage.standardise import Records
from pipelines.linkage.states import first_rows, number_rows, read_deliveries

FIRST = 5_000
STEP = 1.5
Tables = Mapping[str, pd.DataFrame]


@dataclass(frozen=True)
class CommonStatistics:
    """Statistics of a history: `frequencies` of names; `counts` of files by institution, and of `persons`; and by round the `shares` of
    evidence and the share `again` of persons who are in several cases."""

    frequencies: Frequencies
    counts: dict[str, int]
    shares: tuple[EvidenceShares, ...]
    again: tuple[float, ...]


def record_counts(records: Records) -> dict[str, int]:
    """Count the files of each institution and the person records (`persons`), for the prior odds."""
    files = {str(name): int(n) for name, n in records.files["institution"].value_counts().items()}
    return {**files, "persons": len(records.persons)}


@dataclass(frozen=True)
class Landmark:
    """The rows of each table of a large history up to the day `until`, the last day of a delivered period.

    The first version of each period of an institution is used. Later changes of status are ignored: all rows count as accepted, except
    quarantined ones.
    """

    rows: dict[str, np.ndarray]
    until: str

    def take_rows(self, tables: dict[str, pd.DataFrame]) -> Tables:
        """Return the rows as first delivered; the tables are removed from `tables`, so that large tables are not in memory twice."""
        found = {name: tables.pop(name)[rows] for name, rows in self.rows.items()}
        return {
            name: frame.assign(status=frame["status"].where(frame["status"].eq("quarantined"), "accepted").astype("str"))
            for name, frame in found.items()
        }

    def fingerprint(self, tables: Tables) -> str:
        """Return a hash of the rows that is independent of their order."""
        digest = hashlib.sha256()
        for name, rows in sorted(self.rows.items()):
            frame = tables[name]
            found = hash_rows(frame.drop(columns="status").assign(quarantined=frame["status"].eq("quarantined")))[rows]
            digest.update(f"{name} {len(found)} {list(frame.columns)} {int(found.sum(dtype='uint64'))}\n".encode())
        return digest.hexdigest()


def find_landmark(canonical: Tables) -> Landmark | None:
    """Return the landmark of a large history (tables of `standardise.read_columns`); None if the history is small."""
    if len(canonical["person_records"]) < FIRST:
        return None
    delivered = {name: _numbered_deliveries(frame) for name, frame in canonical.items()}
    named = pd.concat([own for _, own in delivered.values()]).drop_duplicates()
    known = read_deliveries([named])
    named = named.assign(**{name: known[name].reindex(named["delivery"]).array for name in ("period", "end", "arrival")})
    first = named.sort_values("arrival").drop_duplicates(["institution", "period"])
    number, own = delivered["person_records"]
    rows = own.assign(rows=np.bincount(number, minlength=len(own)))
    grown = first.merge(rows, how="left").groupby("end")["rows"].sum().sort_index().cumsum()
    if grown.empty or grown.iloc[-1] < FIRST:
        return None
    step = FIRST * STEP ** math.floor(math.log(grown.iloc[-1] / FIRST, STEP) + 1e-9)
    until = grown.index[grown >= step][0]
    chosen = pd.MultiIndex.from_frame(first.loc[first["end"] <= until, ["institution", "delivery"]])
    taken = {name: pd.MultiIndex.from_frame(own).isin(chosen)[number] for name, (number, own) in delivered.items()}
    return Landmark(taken, str(until.date()))


def _numbered_deliveries(frame: pd.DataFrame) -> tuple[np.ndarray, pd.DataFrame]:
    """Number the deliveries of `frame`; return the number for each row, and the deliveries (`institution, delivery`)."""
    number, size = number_rows(frame[["institution", "delivery"]])
    return number, frame[["institution", "delivery"]].iloc[first_rows(number, size, np.arange(len(frame)))].reset_index(drop=True)
