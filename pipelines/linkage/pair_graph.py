"""The pair graph: its connected components can be decided one by one, and a component's key changes with all that its decision needs.

Belongs here: which pairs are edges, cutting records into components, keys. Does not belong here: the decision, where it is kept (`memory`).

Two files are tied where one cites the other, where two stays begin together, where a steward judged them, or where their pair, by the
evidence of the two alone, may weigh more than zero in either round; two persons where they are in one file, a steward judged them, or their
pair may weigh so much between cases. No other pair could join anything: with nobody of one file found in the other a pair of files stays
below zero in the second round too, since persons of different components are strangers there; and the evidence of third files only counts
against. Clusters grow along pairs above zero alone. Pairs refused in some doubt across components are recorded by `cross_component`.
`tests/pipeline/test_linkage_memory.py` holds all that to the undivided engine.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pipelines.linkage.cases import PriorRound, Ties, gather, weigh
from pipelines.linkage.cluster import components
from pipelines.linkage.common import Common
from pipelines.linkage.constraints import Constraints
from pipelines.linkage.hashing import hashes, mixed, summed
from pipelines.linkage.model import Model
from pipelines.linkage.pairs import PersonPairs
from pipelines.linkage.person_overlap import PersonOverlap, overlap
from pipelines.linkage.persons import between
from pipelines.linkage.standardise import Records
from pipelines.linkage.tasks import Frames, Setting, packed, unpacked

# A pair that may weigh so much (bits) ties; none below zero joins, and what is added up in another order stays on its side.
TIES = -0.01
ROUNDS = ("first", "second")
# What two files say themselves: the weight of their pair by round, and the bits of a citation.
THEMSELVES = (*ROUNDS, "citation")
# Texts that evidence alone may read in a task: persons are compared by `Setting.coded`, references have frames of their own.
_READ_BEFORE = {
    "files": ("number", "state", "merged_into", "law"),
    "persons": ("case_key", "parent", "sex", "citizenship", "municipality", "birthplace", "quarter"),
}


@dataclass(frozen=True)
class Fingerprints:
    """Hash per person record and per file; that of a file takes in its persons and all that it refers to."""

    persons: np.ndarray
    files: np.ndarray


def fingerprints(records: Records) -> Fingerprints:
    """The hashes of `records`; numbers of rows, which move with every new record, stay out."""
    persons = hashes(records.persons.drop(columns=["file", "quarter"]))
    files = hashes(records.files)
    own = records.persons["file"].to_numpy()
    placed = own >= 0
    files = mixed(files, summed(len(files), own[placed], mixed(persons[placed])))
    for n, frame in enumerate((records.references, records.own, records.merges)):
        found = hashes(frame.drop(columns="file"))
        files = mixed(files, summed(len(files), frame["file"].to_numpy(), mixed(found, np.full(len(found), n))))
    return Fingerprints(persons, files)


def tie_fingerprints(ties: Ties, fingerprints: Fingerprints) -> pd.DataFrame:
    """`a, b` (a < b) and a hash of every tie."""
    found = []
    for n, frame in enumerate((ties.cites, ties.joins, ties.together, ties.detained)):
        a, b = frame["a"].to_numpy("int64"), frame["b"].to_numpy("int64")
        hashed = mixed(fingerprints.files[a], fingerprints.files[b], hashes(frame.drop(columns=["a", "b"])), np.full(len(a), n))
        found.append(pd.DataFrame({"a": np.minimum(a, b), "b": np.maximum(a, b), "fingerprint": hashed}))
    return pd.concat(found, ignore_index=True)


def own_weights(frames: Frames, setting: Setting) -> Frames:
    """What the two files of each of the `pairs` (`a, b` oriented) of a task say themselves: `weights`, the columns of `THEMSELVES`."""
    records, ties = unpacked(frames, setting)
    people = PersonPairs(records, setting.model)
    overlaps = overlap(records, people, frames["pairs"])
    own = [weigh_alone(records, people, frames["pairs"], ties, setting, n, overlaps)[0] for n in range(len(ROUNDS))]
    weighed = {name: one["weight"] for name, one in zip(ROUNDS, own, strict=True)}
    return {"weights": pd.DataFrame({**weighed, "citation": own[-1]["citation"]})}


def weigh_alone(
    records: Records, people: PersonPairs, pairs: pd.DataFrame, ties: Ties, setting: Setting, n: int, overlaps: PersonOverlap | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`pairs` as `cases.weigh` gives them in round `n`, and further evidence; nobody of one file is known to be in the other."""
    model, common = setting.model, setting.common
    before = PriorRound(np.arange(len(records.persons)), common.again[n - 1]) if n else PriorRound(None, model.persons["again"])
    given, _ = gather(records, people, model, before, ties=ties, chosen=pairs, overlaps=overlaps)
    return weigh(records, model, given, common.shares[n])[:2]


def least_between(records: Records, model: Model, common: Common, bits: float) -> float:
    """Match weight from which a pair of persons of different cases may weigh `bits` in either round."""
    return bits - max(between(records, model.persons, again) for again in (model.persons["again"], *common.again))


def label(records: Records, files: list[np.ndarray], persons: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Number of the component per file and per person record. files, persons: tied pairs, arrays of shape n x 2."""
    own, size = records.persons["file"].to_numpy(), len(records.files)
    placed = np.flatnonzero(own >= 0)
    edges = [np.column_stack([placed + size, own[placed]]), *files, *(pairs + size for pairs in persons)]
    every = np.concatenate(edges).astype("int64")
    found = components(size + len(own), every[:, 0], every[:, 1])
    return found[:size], found[size:]


def keys(components: tuple[np.ndarray, np.ndarray], fingerprints: Fingerprints, within: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Key per component: of its records in their order, and of what lies `within` components (number of the component, hash)."""
    size = int(max((p.max(initial=-1) for p in components), default=-1)) + 1
    key = np.zeros(size, dtype="uint64")
    for n, (component, hashed) in enumerate(zip(components, (fingerprints.files, fingerprints.persons), strict=True)):
        key = mixed(key, summed(size, component, mixed(hashed, rank(component), np.full(len(component), n))))
    for component, hashed in within:
        key = mixed(key, summed(size, component, mixed(hashed)))
    return key


def rank(component: np.ndarray) -> np.ndarray:
    """Place of every record within its component."""
    return pd.Series(component).groupby(component).cumcount().to_numpy("int64")


def lean(records: Records, model: Model) -> Records:
    """`records` without texts that are read before they are cut and not after: to cut and hand over texts is most of what tasks cost.
    What the evidence of `model` goes by stays."""
    read = {column for evidence in model.evidence for column in (evidence.first, evidence.second)}
    gone = {name: [text for text in texts if f"{name[:-1]}.{text}" not in read] for name, texts in _READ_BEFORE.items()}
    return replace(records, **{name: getattr(records, name).drop(columns=texts) for name, texts in gone.items()})


def cut(records: Records, files: np.ndarray, persons: np.ndarray) -> Records:
    """The records in some rows of both frames, renumbered in the same order."""
    number = np.full(len(records.files) + 1, -1)
    number[files] = np.arange(len(files))
    kept = records.persons.iloc[persons].reset_index(drop=True)
    kept["file"] = number[kept["file"].to_numpy()]
    references, own, merges = (_renumbered(frame, number, ["file"]) for frame in (records.references, records.own, records.merges))
    return Records(records.files.iloc[files].reset_index(drop=True), kept, references, own, merges, records.counts)


def cut_to(records: Records, ties: Ties, pairs: pd.DataFrame) -> Frames:
    """The records of the files of `pairs`, with their persons and ties, and the `pairs`, renumbered."""
    files = np.unique(pairs[["a", "b"]].to_numpy("int64"))
    number = np.full(len(records.files) + 1, -1)
    number[files] = np.arange(len(files))
    people = np.flatnonzero(number[records.persons["file"].to_numpy()] >= 0)
    local = pd.DataFrame({name: number[pairs[name].to_numpy("int64")] for name in ("a", "b")})
    return {**packed(cut(records, files, people), cut_ties(ties, len(records.files), files), people), "pairs": local}


def cut_ties(ties: Ties, size: int, files: np.ndarray) -> Ties:
    """The ties among `files`, renumbered."""
    number = np.full(size + 1, -1)
    number[files] = np.arange(len(files))
    cites, joins, together, detained = (
        _renumbered(frame, number, ["a", "b"]) for frame in (ties.cites, ties.joins, ties.together, ties.detained)
    )
    return Ties(cites, joins, together, detained)


def _renumbered(frame: pd.DataFrame, number: np.ndarray, columns: list[str]) -> pd.DataFrame:
    new = {name: number[frame[name].to_numpy("int64")] for name in columns}
    there = np.logical_and.reduce([rows >= 0 for rows in new.values()])
    return frame.assign(**new)[there].reset_index(drop=True)


def constrained_pairs(constraints: Constraints) -> np.ndarray:
    """Pairs of rows that stewards judged."""
    return np.concatenate([constraints.same, constraints.apart])
