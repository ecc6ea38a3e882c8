"""What the decision on a few records takes from all of them: frequencies of names, counts, shares of evidence, who comes again.

Belongs here: which records these are read off, so that they hardly ever move; reading them off. Does not belong here: the decision.

A small history is read as a whole. A larger one is read up to a landmark: the quarter in which the rows of persons, each quarter as it was
first delivered, reached the last step of a ladder (`FIRST`, each step half as much again). Until the next step is reached, and unless a
quarter before the landmark comes late, what is read off stays the same to the bit: so the decision on records that nobody touched does too.
It depends on the records alone, not on when they came.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.linkage.evidence import Shares
from pipelines.linkage.hashing import hashes
from pipelines.linkage.score import Frequencies
from pipelines.linkage.standardise import Records
from pipelines.linkage.states import firsts, numbered

FIRST = 5_000
STEP = 1.5
Tables = Mapping[str, pd.DataFrame]


@dataclass(frozen=True)
class Common:
    """Read off a history: `frequencies` of names, `counts` (files by institution, `persons`), and by round the `shares` of evidence and the
    share of persons who come `again`."""

    frequencies: Frequencies
    counts: dict[str, int]
    shares: tuple[Shares, ...]
    again: tuple[float, ...]


def counts_of(records: Records) -> dict[str, int]:
    """Files by institution, and `persons`: what priors go by."""
    files = {str(name): int(n) for name, n in records.files["institution"].value_counts().items()}
    return {**files, "persons": len(records.persons)}


@dataclass(frozen=True)
class Landmark:
    """What a large history is read off: the rows of each table up to the quarter `until`.

    Of each institution's quarter the first version that came. What became of a row later is left out: all are as good as accepted, but
    those that were quarantined.
    """

    rows: dict[str, np.ndarray]
    until: str

    def taken(self, tables: dict[str, pd.DataFrame]) -> Tables:
        """The rows, as they were first delivered, out of `tables`, which are emptied: large ones are not held twice."""
        found = {name: tables.pop(name)[rows] for name, rows in self.rows.items()}
        return {
            name: frame.assign(status=frame["status"].where(frame["status"].eq("quarantined"), "accepted").astype("str"))
            for name, frame in found.items()
        }

    def fingerprint(self, tables: Tables) -> str:
        """Hash of the rows, whatever their order."""
        digest = hashlib.sha256()
        for name, rows in sorted(self.rows.items()):
            frame = tables[name]
            found = hashes(frame.drop(columns="status").assign(quarantined=frame["status"].eq("quarantined")))[rows]
            digest.update(f"{name} {len(found)} {list(frame.columns)} {int(found.sum(dtype='uint64'))}\n".encode())
        return digest.hexdigest()


def landmark(canonical: Tables) -> Landmark | None:
    """The landmark of a large history, as `standardise.read` gives it; None where it is small."""
    if len(canonical["person_records"]) < FIRST:
        return None
    delivered = {name: _deliveries(frame) for name, frame in canonical.items()}
    named = pd.concat([own for _, own in delivered.values()]).drop_duplicates()
    parts = named["delivery"].str.extract(r"^(?P<quarter>.*?)(?:_v(?P<version>\d+))?$")
    named = named.assign(quarter=parts["quarter"].fillna(""), version=parts["version"].fillna("1").astype("int64"))
    first = named.sort_values("version").drop_duplicates(["institution", "quarter"])
    number, own = delivered["person_records"]
    rows = own.assign(rows=np.bincount(number, minlength=len(own)))
    grown = first.merge(rows, how="left").groupby("quarter")["rows"].sum().sort_index().cumsum()
    if grown.empty or grown.iloc[-1] < FIRST:
        return None
    step = FIRST * STEP ** math.floor(math.log(grown.iloc[-1] / FIRST, STEP) + 1e-9)
    until = str(grown.index[grown >= step][0])
    kept = pd.MultiIndex.from_frame(first.loc[first["quarter"] <= until, ["institution", "delivery"]])
    return Landmark({name: pd.MultiIndex.from_frame(own).isin(kept)[number] for name, (number, own) in delivered.items()}, until)


def _deliveries(frame: pd.DataFrame) -> tuple[np.ndarray, pd.DataFrame]:
    """Number of the delivery of each row, and the deliveries (`institution, delivery`)."""
    number, size = numbered(frame[["institution", "delivery"]])
    return number, frame[["institution", "delivery"]].iloc[firsts(number, size, np.arange(len(frame)))].reset_index(drop=True)
