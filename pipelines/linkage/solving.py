"""Decide records in rounds that alternate between cases and persons.

Belongs here: the rounds, and estimating the common statistics of a history. Does not belong here: a single round (`cases`, `persons`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pipelines.linkage import pair_graph
from pipelines.linkage.blocking import BlockedPairs, block_persons, group_records_by_blocking_keys
from pipelines.linkage.cases import DecidedCases, FileTies, PriorRound, find_ties_between_files, link_cases
from pipelines.linkage.common_statistics import CommonStatistics, Tables, count_files_and_persons
from pipelines.linkage.constraints import find_constraints
from pipelines.linkage.evidence import EvidenceShares
from pipelines.linkage.hashing import hash_rows
from pipelines.linkage.model import Model
from pipelines.linkage.person_pairs import PersonPairs
from pipelines.linkage.persons import DecidedPersons, compute_share_of_persons_in_several_cases, link_persons
from pipelines.linkage.score import Scorer, compute_token_frequencies, encode_persons
from pipelines.linkage.spark import SplinkOnSpark
from pipelines.linkage.standardise import Records, build_features

ROUNDS = 2
# Number of person records that is enough to estimate shares.
ENOUGH_RECORDS = 20_000


@dataclass(frozen=True)
class SolvedLinkage:
    """The result of linkage with its intermediate results: feature frames, blocked and compared pairs, and the decided cases and persons by
    row of the frames.
    """

    records: Records
    blocked: BlockedPairs
    people: PersonPairs
    cases: DecidedCases
    persons: DecidedPersons


def decide_in_alternating_rounds(
    records: Records,
    blocked: BlockedPairs,
    model: Model,
    judgements: pd.DataFrame | None,
    common: CommonStatistics | None = None,
    ties: FileTies | None = None,
) -> tuple[SolvedLinkage, CommonStatistics]:
    """Decide cases and persons in alternating rounds. Return the result and the statistics that were used.

    common: the statistics to use; by default they are estimated from these records.
    """
    if common and "scorer" not in records.memo:
        records.memo["scorer"] = Scorer(encode_persons(records.persons, model), model, common.frequencies)
    people = PersonPairs(records, model)
    if blocked.likelihoods is None:
        people.add(blocked.left, blocked.right)
    else:
        people.replace_pairs(blocked.left, blocked.right, blocked.likelihoods)
    of_cases, of_persons = find_constraints(judgements, "case", records.files), find_constraints(judgements, "person", records.persons)
    expected = {"expected": model.persons["again"], "worth": model.persons["again_worth"]}
    before = PriorRound(None, model.persons["again"])
    ties = ties or find_ties_between_files(records)
    shares: list[EvidenceShares] = []
    again: list[float] = []
    for n in range(ROUNDS):
        cases = link_cases(records, people, model, before, of_cases, ties, common.shares[n] if common else None)
        persons = link_persons(records, people, model, cases.cluster, before.again, of_persons)
        shares.append(cases.shares)
        again.append(
            common.again[n]
            if common
            else compute_share_of_persons_in_several_cases(records.persons, cases.cluster, persons.cluster, **expected)
        )
        before = PriorRound(persons.cluster, again[-1])
    statistics = common or CommonStatistics(people.known, count_files_and_persons(records), tuple(shares), tuple(again))
    return SolvedLinkage(records, blocked, people, cases, persons), statistics


def find_candidate_pairs(records: Records, model: Model, spark: SplinkOnSpark | None) -> BlockedPairs:
    """Find the candidate pairs of persons of a small history by blocking. If `spark` is not None, they are found and also scored there."""
    persons = records.persons
    if spark is None:
        return block_persons(persons)
    blocks = group_records_by_blocking_keys(persons)
    records.memo["scorer"] = scorer = Scorer.for_persons(persons, model)
    left, right, likelihoods = spark.score_pairs(persons, blocks.groups, model, scorer)
    return BlockedPairs(left, right, blocks.report, likelihoods)


def estimate_common_statistics(tables: Tables, model: Model) -> CommonStatistics:
    """Estimate the common statistics of a history; for a large history from a sample of its persons."""
    records = build_features(tables)
    known = compute_token_frequencies(encode_persons(records.persons, model), model)
    records = replace(records, counts=count_files_and_persons(records))
    files, persons = sample_files_and_persons(records)
    sample = pair_graph.select_records(records, files, persons)
    sample.memo["scorer"] = Scorer(encode_persons(sample.persons, model), model, known)
    ties = pair_graph.select_ties(find_ties_between_files(records), len(records.files), files)
    statistics = decide_in_alternating_rounds(sample, block_persons(sample.persons), model, None, None, ties)[1]
    return replace(statistics, counts=count_files_and_persons(records))


def sample_files_and_persons(records: Records) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of files and persons from which shares are estimated: all of a small history, else all records of a sample of
    persons.

    The sample is drawn by day of birth, in which the records of a person mostly agree; without a birth date by number, or by names.
    """
    persons = records.persons
    divisor = max(len(persons) // ENOUGH_RECORDS, 1)
    if divisor == 1:
        return np.arange(len(records.files)), np.arange(len(persons))
    sampling_text = persons["birth_date"].dt.strftime("%Y%m%d").fillna(persons["number"])
    sampling_text = sampling_text.fillna(persons["given"].fillna("") + " " + persons["surname"].fillna(""))
    rows = np.flatnonzero(hash_rows(sampling_text.to_frame()) % np.uint64(divisor) == 0)
    files = np.unique(persons["file"].to_numpy()[rows])
    return files[files >= 0], rows
