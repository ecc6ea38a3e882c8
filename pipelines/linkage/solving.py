"""Decide alternately which case files are one case, and which person records are one person.

Belongs here: the rounds, and estimating the common statistics of a history. Does not belong here: the decisions within a round (`cases`,
`persons`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pipelines.linkage import pair_graph
from pipelines.linkage.blocking import BlockedPairs, find_person_pairs_by_blocking, group_records_by_blocking_keys
from pipelines.linkage.cases import (
    CaseFileConnections,
    DecidedCases,
    ResultsOfPreviousRound,
    find_connections_between_case_files,
    link_case_files,
)
from pipelines.linkage.common_statistics import CommonStatistics, Tables, count_case_files_and_persons
from pipelines.linkage.constraints import find_cluster_constraints
from pipelines.linkage.evidence import EvidenceShares
from pipelines.linkage.hashing import hash_rows
from pipelines.linkage.model import LinkageModel
from pipelines.linkage.person_pairs import ComparedPersonPairs
from pipelines.linkage.persons import DecidedPersons, compute_share_of_persons_in_several_cases, link_person_records
from pipelines.linkage.score import PairScorer, compute_token_frequencies, encode_persons
from pipelines.linkage.spark import SplinkOnSpark
from pipelines.linkage.standardise import LinkageRecords, build_linkage_records

ROUNDS = 2
# So many person records are enough to estimate shares; of more records a sample is used.
ENOUGH_RECORDS = 20_000


@dataclass(frozen=True)
class DetailedLinkageResult:
    """The result of linkage with its intermediate results: the records, the pairs that blocking found, the compared pairs, and the
    decisions on cases and persons. Records are identified by their row numbers in `records`.
    """

    records: LinkageRecords
    blocked: BlockedPairs
    person_pairs: ComparedPersonPairs
    cases: DecidedCases
    persons: DecidedPersons


def link_in_alternating_rounds(
    records: LinkageRecords,
    blocked_pairs: BlockedPairs,
    model: LinkageModel,
    judgements: pd.DataFrame | None,
    common_statistics: CommonStatistics | None = None,
    connections: CaseFileConnections | None = None,
) -> tuple[DetailedLinkageResult, CommonStatistics]:
    """Decide on cases and persons in `ROUNDS` rounds, each of which uses the results of the round before it. Return the result, and the
    common statistics that were used.

    common_statistics: the common statistics of the history; by default they are estimated from `records`. connections: the connections
    between case files; by default they are found in `records`.
    """
    if common_statistics and "scorer" not in records.memo:
        records.memo["scorer"] = PairScorer(encode_persons(records.persons, model), model, common_statistics.frequencies)
    person_pairs = ComparedPersonPairs(records, model)
    if blocked_pairs.likelihoods is None:
        person_pairs.add_pairs(blocked_pairs.left, blocked_pairs.right)
    else:
        person_pairs.replace_pairs(blocked_pairs.left, blocked_pairs.right, blocked_pairs.likelihoods)
    of_cases, of_persons = (
        find_cluster_constraints(judgements, "case", records.files),
        find_cluster_constraints(judgements, "person", records.persons),
    )
    expected = {"expected_share": model.persons["again"], "worth_in_persons": model.persons["again_worth"]}
    previous_round = ResultsOfPreviousRound(None, model.persons["again"])
    connections = connections or find_connections_between_case_files(records)
    shares: list[EvidenceShares] = []
    again: list[float] = []
    for n in range(ROUNDS):
        cases = link_case_files(
            records, person_pairs, model, previous_round, of_cases, connections, common_statistics.shares[n] if common_statistics else None
        )
        persons = link_person_records(records, person_pairs, model, cases.cluster, previous_round.again, of_persons)
        shares.append(cases.shares)
        again.append(
            common_statistics.again[n]
            if common_statistics
            else compute_share_of_persons_in_several_cases(records.persons, cases.cluster, persons.cluster, **expected)
        )
        previous_round = ResultsOfPreviousRound(persons.cluster, again[-1])
    statistics = common_statistics or CommonStatistics(
        person_pairs.token_frequencies, count_case_files_and_persons(records), tuple(shares), tuple(again)
    )
    return DetailedLinkageResult(records, blocked_pairs, person_pairs, cases, persons), statistics


def find_candidate_person_pairs(records: LinkageRecords, model: LinkageModel, spark: SplinkOnSpark | None) -> BlockedPairs:
    """Find the candidate pairs of persons of a small history by blocking. If `spark` is not None, Spark generates and scores them."""
    persons = records.persons
    if spark is None:
        return find_person_pairs_by_blocking(persons)
    blocks = group_records_by_blocking_keys(persons)
    records.memo["scorer"] = scorer = PairScorer.make_for_persons(persons, model)
    left, right, likelihoods = spark.score_pairs(persons, blocks.groups, model, scorer)
    return BlockedPairs(left, right, blocks.report, likelihoods)


def estimate_common_statistics(tables: Tables, model: LinkageModel) -> CommonStatistics:
    """Estimate the common statistics of a history. If it has many person records, shares are estimated from a sample of them."""
    records = build_linkage_records(tables)
    known = compute_token_frequencies(encode_persons(records.persons, model), model)
    records = replace(records, counts=count_case_files_and_persons(records))
    files, persons = sample_case_files_and_persons(records)
    sample = pair_graph.select_records(records, files, persons)
    sample.memo["scorer"] = PairScorer(encode_persons(sample.persons, model), model, known)
    connections = pair_graph.select_connections(find_connections_between_case_files(records), len(records.files), files)
    statistics = link_in_alternating_rounds(sample, find_person_pairs_by_blocking(sample.persons), model, None, None, connections)[1]
    return replace(statistics, counts=count_case_files_and_persons(records))


def sample_case_files_and_persons(records: LinkageRecords) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of the case files and of the person records from which shares are estimated.

    These are all records if there are few. Otherwise they are the records of a sample of persons. The sample consists of all records with
    certain birth dates, since the records of a person mostly have the same birth date. A record without birth date is drawn by its personal
    number, and a record without number by its names.
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
