"""Pairs across two parts: never joined, told where they are refused in some doubt, just as within a part.

Belongs here: their final weight and evidence, and what a memory knows of that. Does not belong here: parts (`parting`), what is told
(`decisions`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.linkage import parts
from pipelines.linkage.cases import cites_another
from pipelines.linkage.decisions import IN_DOUBT, LEAST_WEIGHT, case_reasons, person_reasons, told_rows
from pipelines.linkage.hashing import mixed
from pipelines.linkage.memory import Memory
from pipelines.linkage.pairs import PersonPairs
from pipelines.linkage.parting import Parted
from pipelines.linkage.persons import between, nameless
from pipelines.linkage.pieces import Setting, unpacked
from pipelines.resources.flat import looked_up


@dataclass(frozen=True)
class Across:
    """`told` as `decisions` has it; how many pairs of files and of persons are in doubt; `apart` of a memory."""

    told: pd.DataFrame
    cases_in_doubt: int
    persons_in_doubt: int
    apart: pd.DataFrame


def across(parted: Parted, setting: Setting, cited: pd.DataFrame, memory: Memory | None) -> Across:
    """What is told of pairs across parts. cited: `a, b, weight` of files that cite each other, as they were decided on in their parts."""
    known = None if memory is None else memory.apart
    cases, of_cases = _cases(parted, setting, cited, known)
    persons, of_persons = _persons(parted, setting, known)
    told = pd.concat([cases, persons], ignore_index=True)
    apart = pd.DataFrame({"pair": np.concatenate([of_cases, of_persons]), "reasons": told["reasons"]})
    return Across(told, _in_doubt(cases), _in_doubt(persons), apart.sort_values("pair", ignore_index=True))


def _in_doubt(told: pd.DataFrame) -> int:
    return int(told["weight"].abs().lt(IN_DOUBT).sum())


def _cases(parted: Parted, setting: Setting, cited: pd.DataFrame, known: pd.DataFrame | None) -> tuple[pd.DataFrame, np.ndarray]:
    """`told` of pairs of files, and the hash of each with what third files say of it."""
    pairs = parted.files_apart
    weighed = pd.concat([cited, pairs[["a", "b", "weight"]]], ignore_index=True)
    pairs = pairs[pairs["weight"] >= LEAST_WEIGHT]
    another = cites_another(parted.records, setting.model, pairs, parted.ties.cites, weighed)
    pairs = pairs.assign(another=another, weight=pairs["weight"] + another)
    pairs = pairs[pairs["weight"] >= LEAST_WEIGHT].reset_index(drop=True)

    def reasons(rows: np.ndarray) -> pd.Series:
        chosen = pairs.iloc[rows].reset_index(drop=True)
        frames = parts.cut_to(parted.records, parted.ties, chosen)
        records, ties = unpacked(frames, setting)
        people = PersonPairs(records, setting.model)
        own, bits = parts.by_themselves(records, people, frames["pairs"], ties, setting, len(parts.ROUNDS) - 1)
        return case_reasons(own.assign(another=chosen["another"]), bits, np.arange(len(own)))

    hashed = mixed(pairs["pair"].to_numpy(), pairs["another"].to_numpy("float64").view("uint64"), np.zeros(len(pairs)))
    a, b, weight = (pairs[name].to_numpy() for name in ("a", "b", "weight"))
    return told_rows(False, a, b, weight, parted.of_files, _remembered(hashed, known, reasons)), hashed


def _persons(parted: Parted, setting: Setting, known: pd.DataFrame | None) -> tuple[pd.DataFrame, np.ndarray]:
    """`told` of pairs of persons, and the hash of each."""
    pairs = parted.persons_apart
    weight = pairs["weight"].to_numpy() + between(parted.records, setting.model.persons, setting.common.again[0])
    nobody = nameless(parted.records.persons)
    left, right = pairs["left"].to_numpy(), pairs["right"].to_numpy()
    kept = np.flatnonzero((weight >= LEAST_WEIGHT) & ~nobody[left] & ~nobody[right])
    left, right = left[kept], right[kept]

    def reasons(chosen: np.ndarray) -> pd.Series:
        return person_reasons(setting.scorer.likelihoods(left[chosen], right[chosen]).bits.assign(same_case=0.0))

    hashed = mixed(pairs["pair"].to_numpy()[kept], np.ones(len(kept)))
    return told_rows(True, left, right, weight[kept], parted.of_persons, _remembered(hashed, known, reasons)), hashed


def _remembered(hashed: np.ndarray, known: pd.DataFrame | None, reasons: Callable[[np.ndarray], pd.Series]) -> pd.Series:
    """The reasons of each pair: those that are `known` (`apart` of a memory) by its hash, else what `reasons` gives of so many pairs."""
    found, new = pd.Series("", index=np.arange(len(hashed)), dtype="str"), np.ones(len(hashed), dtype=bool)
    if known is not None:
        place, there = looked_up(hashed, known["pair"].to_numpy())
        found[there], new = known["reasons"].array.take(place[there]), ~there
    if new.any():
        found[new] = reasons(np.flatnonzero(new)).array
    return found
