"""Which person records speak of one person, given which files are one case.

Belongs here: the odds before the comparison (within a case, between cases), vetoes, the groups. Does not belong here: match
weights (`score`), which pairs are compared (`blocking`, `cases`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.linkage import cluster
from pipelines.linkage.constraints import Constraints
from pipelines.linkage.model import Model
from pipelines.linkage.pairs import PersonPairs
from pipelines.linkage.standardise import Records
from pipelines.linkage.states import numbered
from pipelines.resources.flat import Rows

# Persons of one case are all compared with each other up to this number; beyond, blocking must do.
MOST_IN_CASE = 150
NEVER = -1000.0
# A record with none of these is a person of its own: sex, citizenship and year of birth are those of thousands.
IDENTITY = ("given", "surname", "number", "birth_date", "register_id")


@dataclass(frozen=True)
class Persons:
    """`cluster` per person record; `weight` per pair kept (odds before included, log2), `within` whether its files are one case,
    `never` whether a hard rule forbids it."""

    cluster: np.ndarray
    weight: np.ndarray
    within: np.ndarray
    never: np.ndarray


def link_persons(
    records: Records, people: PersonPairs, model: Model, case_cluster: np.ndarray, again: float, constraints: Constraints
) -> Persons:
    """Group the person records of `records`, where `case_cluster` says per file which are one case.

    `again`: share of persons who are in several cases. `constraints`: what stewards decided.
    """
    persons = records.persons
    case = cases_of(persons, case_cluster)
    left, right = _pairs_within(case)
    people.add(np.concatenate([left, constraints.every["a"]]), np.concatenate([right, constraints.every["b"]]))
    left, right = people.left, people.right
    within = case[left] == case[right]
    setting = model.persons
    odds = np.where(within, within_case(persons, left, right, setting), between(records, setting, again))
    weight = people.weight + odds
    nobody = nameless(persons)
    never = one_file(persons, left, right) | nobody[left] | nobody[right]
    weight = np.where(never, NEVER, weight)
    # Only pairs inside what the positive ones connect can matter; the others are by far the most.
    reach = cluster.connected(len(persons), left, right, weight, constraints)
    rows = np.flatnonzero(reach[left] == reach[right])
    parts, every = people.parts(rows), np.ones(len(rows), dtype=bool)
    pairs = cluster.WeightedPairs(left[rows], right[rows], weight[rows], parts, odds[rows], every, never[rows])
    groups = cluster.agglomerate(len(persons), pairs, cluster.Rules(setting["best_share"]), constraints=constraints)
    return Persons(groups, weight, within, never)


def nameless(persons: pd.DataFrame) -> np.ndarray:
    """Records that name nobody."""
    return np.asarray(persons[list(IDENTITY)].isna().all(axis=1))


def cases_of(persons: pd.DataFrame, case_cluster: np.ndarray) -> np.ndarray:
    """Case cluster per person record; a record whose file is unknown has one of its own, below zero."""
    file = persons["file"].to_numpy()
    return np.where(file >= 0, np.append(case_cluster, -1)[file], -1 - np.arange(len(persons)))


def share_again(
    persons: pd.DataFrame, case_cluster: np.ndarray, person_cluster: np.ndarray, expected: float = 0.0, worth: float = 0.0
) -> float:
    """Share of persons who are in several cases, steadied by what is `expected`, worth so many persons."""
    cases = pd.Series(cases_of(persons, case_cluster)).groupby(person_cluster).nunique()
    return float((cases.gt(1).sum() + worth * expected) / max(len(cases) + worth, 1.0))


def between(records: Records, setting: dict[str, float], again: float) -> float:
    """Log2 odds that two records of different cases are one person: a few come again among all."""
    among = len(records.persons) if records.counts is None else records.counts["persons"]
    return float(np.log2(again) - np.log2(max(among, setting["least_records"]) / 2))


def within_case(persons: pd.DataFrame, left: np.ndarray, right: np.ndarray, setting: dict[str, float]) -> np.ndarray:
    """Log2 odds that two records of one case are one person: nearly all are in the other file, one among so many of their side."""
    number, size = numbered(persons[["file", "side"]])
    count = np.bincount(number, minlength=size)[number].astype("float64")
    share = setting["in_other_file"] / np.maximum(count[left], count[right])
    return np.asarray(np.log2(share) - np.log2(1 - share))


def _pairs_within(case: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of person records in one case, but for cases with too many."""
    rows = Rows(case, int(case.max(initial=-1)) + 1)
    cases = np.flatnonzero((rows.sizes > 1) & (rows.sizes <= MOST_IN_CASE))
    _, left, right = rows.across(cases, cases)
    return left[left < right], right[left < right]


def one_file(persons: pd.DataFrame, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Two records in one file are two persons, whatever their roles: a file lists a person once."""
    file = persons["file"].to_numpy()
    return np.asarray((file[left] == file[right]) & (file[left] >= 0), dtype=bool)
