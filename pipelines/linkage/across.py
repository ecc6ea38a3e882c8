"""Pairs across two parts: never joined, told where they are refused in some doubt, just as within a part.

Belongs here: their final weight and evidence. Does not belong here: parts (`parting`), what is told (`decisions`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.linkage import parts
from pipelines.linkage.cases import Cases, cites_another
from pipelines.linkage.decisions import IN_DOUBT, LEAST_WEIGHT, told_cases, told_persons
from pipelines.linkage.pairs import PersonPairs
from pipelines.linkage.parting import Parted
from pipelines.linkage.persons import between, nameless
from pipelines.linkage.pieces import Setting, unpacked
from pipelines.linkage.score import Scorer


@dataclass(frozen=True)
class Across:
    """`told` as `decisions` has it; how many pairs of files and of persons are in doubt."""

    told: pd.DataFrame
    cases_in_doubt: int
    persons_in_doubt: int


def across(parted: Parted, setting: Setting, cited: pd.DataFrame) -> Across:
    """What is told of pairs across parts. cited: `a, b, weight` of files that cite each other, as they were decided on in their parts."""
    cases, persons = _cases(parted, setting, cited), _persons(parted, setting)
    doubt = [int(told["weight"].abs().lt(IN_DOUBT).sum()) for told in (cases, persons)]
    return Across(pd.concat([cases, persons], ignore_index=True), *doubt)


def _cases(parted: Parted, setting: Setting, cited: pd.DataFrame) -> pd.DataFrame:
    model, common = setting.model, setting.common
    pairs = parted.files_apart
    weighed = pd.concat([cited, pairs], ignore_index=True)
    pairs = pairs.loc[pairs["weight"] >= LEAST_WEIGHT, ["a", "b"]].reset_index(drop=True)
    frames = parts.cut_to(parted.records, parted.ties, pairs)
    records, ties = unpacked(frames, setting)
    people = PersonPairs(records, model)
    own, bits = parts.by_themselves(records, people, frames["pairs"], ties, setting, len(parts.ROUNDS) - 1)
    own = own.assign(a=pairs["a"], b=pairs["b"])
    own["another"] = cites_another(parted.records, model, own, parted.ties.cites, weighed)
    own["weight"] += own["another"]
    return told_cases(Cases(parted.of_files, own, bits, common.shares[-1]))


def _persons(parted: Parted, setting: Setting) -> pd.DataFrame:
    pairs = parted.persons_apart
    left, right = pairs["left"].to_numpy(), pairs["right"].to_numpy()
    weight = pairs["weight"].to_numpy() + between(parted.records, setting.model.persons, setting.common.again[0])
    nobody = nameless(parted.records.persons)
    kept = np.flatnonzero((weight >= LEAST_WEIGHT) & ~nobody[left] & ~nobody[right])
    left, right = left[kept], right[kept]
    rows, own = np.unique(np.concatenate([left, right]), return_inverse=True)
    scorer = Scorer(parted.records.persons.iloc[rows], setting.model, setting.common.frequencies)
    bits = scorer.likelihoods(own[: len(left)], own[len(left) :]).bits.assign(same_case=0.0)
    return told_persons(left, right, weight[kept], bits, parted.of_persons)
