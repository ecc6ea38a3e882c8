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
from dataclasses import dataclass

import pandas as pd

from pipelines.linkage.evidence import Shares
from pipelines.linkage.hashing import hashes
from pipelines.linkage.score import Frequencies
from pipelines.linkage.standardise import Records

FIRST = 5_000
STEP = 1.5
Tables = dict[str, pd.DataFrame]


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


def landmark(canonical: Tables) -> tuple[Tables, str] | None:
    """The rows that a large history is read off, and the last quarter of them; None where the history is small.

    Of each institution's quarter the first version that came. What became of a row later is left out: all are as good as accepted, but
    those that were quarantined.
    """
    persons = canonical.get("person_records", pd.DataFrame(columns=["institution", "delivery"]))
    if len(persons) < FIRST:
        return None
    named = pd.concat([frame[["institution", "delivery"]].drop_duplicates() for frame in canonical.values() if "delivery" in frame])
    named = named.drop_duplicates()
    parts = named["delivery"].str.extract(r"^(?P<quarter>.*?)(?:_v(?P<version>\d+))?$")
    named = named.assign(quarter=parts["quarter"].fillna(""), version=parts["version"].fillna("1").astype("int64"))
    first = named.sort_values("version").drop_duplicates(["institution", "quarter"])
    rows = persons.groupby(["institution", "delivery"]).size().rename("rows").reset_index()
    grown = first.merge(rows, how="left").groupby("quarter")["rows"].sum().sort_index().cumsum()
    if grown.empty or grown.iloc[-1] < FIRST:
        return None
    step = FIRST * STEP ** math.floor(math.log(grown.iloc[-1] / FIRST, STEP) + 1e-9)
    until = str(grown.index[grown >= step][0])
    kept = pd.MultiIndex.from_frame(first.loc[first["quarter"] <= until, ["institution", "delivery"]])
    return {name: _as_first(frame, kept) for name, frame in canonical.items() if "delivery" in frame}, until


def _as_first(frame: pd.DataFrame, kept: pd.MultiIndex) -> pd.DataFrame:
    rows = frame[pd.MultiIndex.from_frame(frame[["institution", "delivery"]]).isin(kept)].reset_index(drop=True)
    return rows.assign(status=rows["status"].where(rows["status"] == "quarantined", "accepted").astype("str"))


def print_of(tables: Tables) -> str:
    """Hash of all rows, whatever their order."""
    digest = hashlib.sha256()
    for name, frame in sorted(tables.items()):
        digest.update(f"{name} {len(frame)} {list(frame.columns)} {int(hashes(frame).sum(dtype='uint64'))}\n".encode())
    return digest.hexdigest()
