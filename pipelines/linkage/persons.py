"""Linkage of person records to persons, after it was decided which case files are one case.

Belongs here: the prior odds that two records are one person, the hard rules, the clusters. Does not belong here: match weights (`score`),
which pairs are compared (`blocking`, `cases`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.linkage import cluster
from pipelines.linkage.constraints import ClusterConstraints
from pipelines.linkage.model import LinkageModel
from pipelines.linkage.person_pairs import ComparedPersonPairs
from pipelines.linkage.record_states import number_distinct_rows
from pipelines.linkage.standardise import LinkageRecords
from pipelines.resources.integer_arrays import RowIndexByOwner

# All person records of a case are compared with each other, unless it has more records than this. Then pairs with a common blocking key
# are.
MAX_PERSONS_OF_CASE = 150
FORBIDDEN_WEIGHT = -1000.0
# A record without a value in any of these columns is never linked, since sex, citizenship and year of birth fit thousands of persons.
IDENTIFYING_COLUMNS = ("given", "surname", "number", "birth_date", "register_id")


@dataclass(frozen=True)
class DecidedPersons:
    """The decision which person records are one person.

    cluster: the cluster of each person record. The other arrays have an element for each compared pair of records:

    - `weight`: the match weight together with the prior odds, in bits
    - `within`: whether the case files of the two records are one case
    - `never`: whether a hard rule forbids to join the two records
    """

    cluster: np.ndarray
    weight: np.ndarray
    within: np.ndarray
    never: np.ndarray


def link_person_records(
    records: LinkageRecords,
    person_pairs: ComparedPersonPairs,
    model: LinkageModel,
    case_cluster: np.ndarray,
    share_in_several_cases: float,
    constraints: ClusterConstraints,
) -> DecidedPersons:
    """Decide which person records in `records` are one person.

    case_cluster: the cluster of each case file. share_in_several_cases: the share of persons who are in several cases. constraints: the
    decisions of stewards.
    """
    persons = records.persons
    case = find_case_of_each_person(persons, case_cluster)
    left, right = _form_pairs_within_cases(case)
    person_pairs.add_pairs(
        np.concatenate([left, constraints.constrained_pairs["a"]]), np.concatenate([right, constraints.constrained_pairs["b"]])
    )
    left, right = person_pairs.left, person_pairs.right
    within = case[left] == case[right]
    setting = model.persons
    odds = np.where(
        within,
        compute_prior_odds_within_case(persons, left, right, setting),
        compute_prior_odds_between_cases(records, setting, share_in_several_cases),
    )
    weight = person_pairs.weight + odds
    anonymous = lack_identifying_values(persons)
    never = are_persons_in_one_case_file(persons, left, right) | anonymous[left] | anonymous[right]
    weight = np.where(never, FORBIDDEN_WEIGHT, weight)
    # A pair matters only if its two records are connected by positive pairs. Most pairs do not matter.
    reach = cluster.find_components_of_positive_pairs(len(persons), left, right, weight, constraints)
    rows = np.flatnonzero(reach[left] == reach[right])
    parts, every = person_pairs.take_field_evidence(rows), np.ones(len(rows), dtype=bool)
    pairs = cluster.WeightedPairs(left[rows], right[rows], weight[rows], parts, odds[rows], every, never[rows])
    groups = cluster.form_clusters_by_agglomeration(
        len(persons), pairs, cluster.JoiningRules(setting["best_share"]), constraints=constraints
    )
    return DecidedPersons(groups, weight, within, never)


def lack_identifying_values(persons: pd.DataFrame) -> np.ndarray:
    """Return for each record whether it has no value in any of the `IDENTIFYING_COLUMNS`."""
    return np.asarray(persons[list(IDENTIFYING_COLUMNS)].isna().all(axis=1))


def find_case_of_each_person(persons: pd.DataFrame, case_cluster: np.ndarray) -> np.ndarray:
    """Return the cluster of the case of each person record. Each record whose case file is unknown gets a different number below zero."""
    file = persons["file"].to_numpy()
    return np.where(file >= 0, np.append(case_cluster, -1)[file], -1 - np.arange(len(persons)))


def compute_share_of_persons_in_several_cases(
    persons: pd.DataFrame, case_cluster: np.ndarray, person_cluster: np.ndarray, expected_share: float = 0.0, worth_in_persons: float = 0.0
) -> float:
    """Return the share of persons who are in several cases.

    It is a weighted mean of the observed share and `expected_share`, which counts like `worth_in_persons` further persons.
    """
    cases = pd.Series(find_case_of_each_person(persons, case_cluster)).groupby(person_cluster).nunique()
    return float((cases.gt(1).sum() + worth_in_persons * expected_share) / max(len(cases) + worth_in_persons, 1.0))


def compute_prior_odds_between_cases(records: LinkageRecords, person_settings: dict[str, float], share_in_several_cases: float) -> float:
    """Return log2 of the prior odds that two records of different cases are one person."""
    among = len(records.persons) if records.counts is None else records.counts["persons"]
    return float(np.log2(share_in_several_cases) - np.log2(max(among, person_settings["least_records"]) / 2))


def compute_prior_odds_within_case(
    persons: pd.DataFrame, left: np.ndarray, right: np.ndarray, person_settings: dict[str, float]
) -> np.ndarray:
    """Return log2 of the prior odds that two records of one case are one person, for each pair `left`, `right`.

    It is assumed that most persons of a case file are also in the other file of the case, on the same side (accused, victim or witness).
    """
    number, size = number_distinct_rows(persons[["file", "side"]])
    count = np.bincount(number, minlength=size)[number].astype("float64")
    share = person_settings["in_other_file"] / np.maximum(count[left], count[right])
    return np.asarray(np.log2(share) - np.log2(1 - share))


def _form_pairs_within_cases(case_of_person: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return all pairs of person records that are in the same case. Cases with more than `MAX_PERSONS_OF_CASE` records are left out."""
    rows = RowIndexByOwner(case_of_person, int(case_of_person.max(initial=-1)) + 1)
    cases = np.flatnonzero((rows.sizes > 1) & (rows.sizes <= MAX_PERSONS_OF_CASE))
    _, left, right = rows.combine_rows(cases, cases)
    return left[left < right], right[left < right]


def are_persons_in_one_case_file(persons: pd.DataFrame, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return for each pair whether both records are in the same case file. Then they are two persons, since a file lists a person once."""
    file = persons["file"].to_numpy()
    return np.asarray((file[left] == file[right]) & (file[left] >= 0), dtype=bool)
