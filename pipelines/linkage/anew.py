"""Deciding on the parts that no memory knows, and putting old and new together.

Belongs here: what is remembered of a part, and how it comes back. Does not belong here: parts (`parting`), deciding (`solving`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.linkage import parts
from pipelines.linkage.blocking import Blocked
from pipelines.linkage.cluster import numbered
from pipelines.linkage.common import Common
from pipelines.linkage.decisions import COLUMNS, IN_DOUBT, against_rules, decisions
from pipelines.linkage.flat import looked_up
from pipelines.linkage.memory import Memory
from pipelines.linkage.model import Model
from pipelines.linkage.parting import Parted
from pipelines.linkage.solving import Solved, rounds

TEXTS = tuple(name for name in COLUMNS if name != "weight")
# So many records are decided on at once, so that memory does not grow with history.
BATCH = 60_000
COUNTS = ("person_pairs_compared", "case_pairs_compared", "case_pairs_in_doubt", "person_pairs_in_doubt")


@dataclass(frozen=True)
class Together:
    """Cluster per file and per person record, decisions and pairs against a rule (as `decisions` has them, in order of their keys), counts
    over all parts, and the memory for the next run. `solved`: parts decided in this one."""

    cases: np.ndarray
    persons: np.ndarray
    decisions: pd.DataFrame
    against: pd.DataFrame
    counts: dict[str, int]
    memory: Memory
    solved: int


def decide(parted: Parted, model: Model, judgements: pd.DataFrame | None, common: Common, memory: Memory | None) -> Together:
    """Decide on the parts whose key `memory` does not hold; take the others from it."""
    known = looked_up(parted.keys, np.sort(memory.counts["part"].to_numpy()))[1] if memory is not None else np.zeros(len(parted.keys), bool)
    made = [
        _remember(parted, _solve(parted, some, people, model, judgements, common), some, people)
        for some, people in _batches(parted, np.flatnonzero(~known))
    ]
    new = {name: pd.concat([frames[name] for frames in made], ignore_index=True) for name in made[0]}
    if memory is not None:
        kept = parted.keys[known]
        new = {name: pd.concat([frame, _of(getattr(memory, name), kept)], ignore_index=True) for name, frame in new.items()}
    cases, people = _clusters(parted, new["records"])
    new |= {name: new[name].astype({c: "str" for c in TEXTS if c in new[name]}) for name in ("decisions", "against")}
    told = new["decisions"].sort_values(list(COLUMNS[:5]), kind="stable", ignore_index=True)
    return Together(
        cases=cases,
        persons=people,
        decisions=told.drop(columns="part"),
        against=new["against"].drop(columns="part").sort_values(list(COLUMNS[1:5]), ignore_index=True),
        counts={name: int(new["counts"][name].sum()) for name in COUNTS},
        memory=Memory(**parted.known, **{**new, "decisions": told}),
        solved=int((~known).sum()),
    )


def _batches(parted: Parted, chosen: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The files and persons of the parts `chosen`, in batches of whole parts; at least one batch, if an empty one."""
    sizes = np.bincount(parted.of_files, minlength=len(parted.keys)) + np.bincount(parted.of_persons, minlength=len(parted.keys))
    batch = np.full(len(parted.keys), -1)
    batch[chosen] = np.cumsum(sizes[chosen]) // BATCH
    for number in np.unique(batch[chosen]) if len(chosen) else [0]:
        yield np.flatnonzero(batch[parted.of_files] == number), np.flatnonzero(batch[parted.of_persons] == number)


def _of(frame: pd.DataFrame, kept: np.ndarray) -> pd.DataFrame:
    return frame[looked_up(frame["part"].to_numpy(), np.sort(kept))[1]]


def _solve(parted: Parted, files: np.ndarray, persons: np.ndarray, model: Model, judgements: pd.DataFrame | None, common: Common) -> Solved:
    """The records in `files` and `persons`, whole parts, decided."""
    number = np.full(len(parted.of_persons), -1)
    number[persons] = np.arange(len(persons))
    left, right = number[parted.blocked.left], number[parted.blocked.right]
    there = left >= 0
    blocked = Blocked(left[there], right[there], parted.blocked.report)
    ties = parts.cut_ties(parted.ties, len(parted.of_files), files, parted.of_files)
    return rounds(parts.cut(parted.records, files, persons), blocked, model, judgements, common, ties)[0]


def _remember(parted: Parted, solved: Solved, files: np.ndarray, persons: np.ndarray) -> dict[str, pd.DataFrame]:
    """`records`, `decisions`, `against` and `counts` of a memory, of what was solved."""
    of_files, of_persons = parted.of_files[files], parted.of_persons[persons]
    records, people, cases = solved.records, solved.people, solved.cases
    told = decisions(records, people, cases, solved.persons)
    against = against_rules(records, people, solved.persons)
    rows = [
        pd.DataFrame({"part": parted.keys[part], "person": n == 1, "rank": parts.rank(part), "cluster": cluster})
        for n, (part, cluster) in enumerate(((of_files, cases.cluster), (of_persons, solved.persons.cluster)))
    ]
    told = told.assign(part=_part_of(told, "case", records.files, of_files, _part_of(told, "person", records.persons, of_persons)))
    against = against.assign(part=_part_of(against.assign(entity="person"), "person", records.persons, of_persons))
    return {
        "records": pd.concat(rows, ignore_index=True),
        "decisions": told.assign(part=parted.keys[told["part"]]),
        "against": against.assign(part=parted.keys[against["part"]]),
        "counts": _counted(parted, solved, of_files, of_persons),
    }


def _part_of(pairs: pd.DataFrame, entity: str, frame: pd.DataFrame, part: np.ndarray, others: np.ndarray | None = None) -> np.ndarray:
    """Number of the part of each pair of `entity`, by its first record; of other pairs what `others` says."""
    out = np.zeros(len(pairs), dtype="int64") if others is None else others.copy()
    mine = (pairs["entity"] == entity).to_numpy()
    of_record = pd.Series(part, index=pd.MultiIndex.from_frame(frame[["institution", "record_key"]]))
    out[mine] = of_record.reindex(pd.MultiIndex.from_frame(pairs.loc[mine, ["institution_a", "key_a"]])).to_numpy("int64")
    return out


def _counted(parted: Parted, solved: Solved, of_files: np.ndarray, of_persons: np.ndarray) -> pd.DataFrame:
    """Counts by part, a row for every part that was solved."""
    size = len(parted.keys)
    of_pairs, of_case_pairs = of_persons[solved.people.left], of_files[solved.cases.pairs["a"].to_numpy("int64")]
    doubt = np.abs(solved.cases.pairs["weight"].to_numpy("float64")) < IN_DOUBT
    unsure = np.abs(solved.persons.weight) < IN_DOUBT
    tallies = (of_pairs, of_case_pairs, of_case_pairs[doubt], of_pairs[unsure])
    numbers = np.union1d(of_files, of_persons)
    counts = {name: np.bincount(tally, minlength=size)[numbers] for name, tally in zip(COUNTS, tallies, strict=True)}
    return pd.DataFrame({"part": parted.keys[numbers], **counts})


def _clusters(parted: Parted, records: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Cluster per file and per person record, numbered in the order of their first record."""
    out = []
    for person, part in ((False, parted.of_files), (True, parted.of_persons)):
        mine = records[records["person"] == person].sort_values(["part", "rank"])
        wanted = pd.DataFrame({"part": parted.keys[part], "rank": parts.rank(part)}).sort_values(["part", "rank"])
        if not np.array_equal(mine[["part", "rank"]].to_numpy(), wanted.to_numpy()):
            raise ValueError(
                "the memory of linkage does not hold the records that it says it holds: remove lake/links.memory and run again"
            )
        local = np.empty(len(part), dtype="int64")
        local[wanted.index.to_numpy()] = mine["cluster"].to_numpy()
        out.append(numbered(part * (local.max(initial=0) + 1) + local))
    return out[0], out[1]
