"""The pair graph of a history: a graph in which records are connected if they might be joined. Each connected component can be decided
independently of all others. The key of a component is a hash that changes with everything that its decision depends on.

Belongs here: which pairs of records are connected, division of records into components, keys of components. Does not belong here:
decisions, their storage (`linkage_memory`).

Two case files are connected if one cites the other or was merged into it, if they are about stays in detention that began together, if a
steward judged them, or if their pair can weigh more than zero in one of the two rounds by the evidence of the two files alone. Two person
records are connected if a steward judged them, or if their pair can weigh more than zero although they are in different cases. A person
record is connected with its case file.

No other pair can join anything, since clusters grow only along pairs above zero. A pair of files without a common person stays below zero
in the second round too, in which persons of different components are different persons. Competing files only count against a pair.

`cross_component` writes decision records for doubtful pairs across components. `tests/pipeline/test_linkage_memory.py` compares the result
with the result of deciding all records together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pipelines.linkage.cases import CaseFileConnections, ResultsOfPreviousRound, gather_case_file_pairs, weigh_case_file_pairs
from pipelines.linkage.cluster import find_connected_components
from pipelines.linkage.common_statistics import CommonStatistics
from pipelines.linkage.constraints import ClusterConstraints
from pipelines.linkage.hashing import hash_rows, mix_hashes, sum_hashes_by_number
from pipelines.linkage.linkage_tasks import Frames, SharedTaskInput, convert_frames_to_records, convert_records_to_frames
from pipelines.linkage.model import LinkageModel
from pipelines.linkage.person_overlap import PersonOverlap, compare_persons_of_case_files
from pipelines.linkage.person_pairs import ComparedPersonPairs
from pipelines.linkage.persons import compute_prior_odds_between_cases
from pipelines.linkage.standardise import LinkageRecords

# A pair connects its records if it can weigh at least so many bits. The number is slightly below zero, so that rounding cannot matter.
MIN_CONNECTION_BITS = -0.01
ROUND_NAMES = ("first", "second")
# Columns with the evidence of two case files alone: the weight of the pair in each round, and the bits that come from a citation.
OWN_EVIDENCE_COLUMNS = (*ROUND_NAMES, "citation")
# Text columns that a task reads only if a kind of evidence of the model names them. Persons are compared by `SharedTaskInput.coded`, and
# references are in separate frames.
_UNREAD_COLUMNS = {
    "files": ("number", "state", "merged_into", "law"),
    "persons": ("case_key", "parent", "sex", "citizenship", "municipality", "birthplace", "period"),
}


@dataclass(frozen=True)
class RecordHashes:
    """The hash of each person record and of each case file. The hash of a case file depends on its persons and references too."""

    persons: np.ndarray
    files: np.ndarray


def hash_records(records: LinkageRecords) -> RecordHashes:
    """Hash the records. Row numbers are left out of the hashes, since they change with every new record."""
    persons = hash_rows(records.persons.drop(columns=["file", "period"]))
    files = hash_rows(records.files)
    file_of_person = records.persons["file"].to_numpy()
    has_file = file_of_person >= 0
    files = mix_hashes(files, sum_hashes_by_number(len(files), file_of_person[has_file], mix_hashes(persons[has_file])))
    for n, frame in enumerate((records.references, records.own, records.merges)):
        hashes = hash_rows(frame.drop(columns="file"))
        files = mix_hashes(files, sum_hashes_by_number(len(files), frame["file"].to_numpy(), mix_hashes(hashes, np.full(len(hashes), n))))
    return RecordHashes(persons, files)


def hash_connections(connections: CaseFileConnections, record_hashes: RecordHashes) -> pd.DataFrame:
    """Return a hash of every connection between two case files. Columns: a, b (the rows of the two files, `a` < `b`), fingerprint."""
    parts = []
    for n, frame in enumerate((connections.citations, connections.mergers, connections.shared_citations, connections.stays_begun_together)):
        a, b = frame["a"].to_numpy("int64"), frame["b"].to_numpy("int64")
        hashed = mix_hashes(record_hashes.files[a], record_hashes.files[b], hash_rows(frame.drop(columns=["a", "b"])), np.full(len(a), n))
        parts.append(pd.DataFrame({"a": np.minimum(a, b), "b": np.maximum(a, b), "fingerprint": hashed}))
    return pd.concat(parts, ignore_index=True)


def weigh_case_file_pairs_of_task(task: Frames, shared_input: SharedTaskInput) -> Frames:
    """Weigh the pairs of case files in the frame `pairs` of a task, each by the evidence of its two files alone.

    The columns `a` and `b` of `pairs` are in the order of `put_upstream_case_file_first`. Return the frame `weights`, with the columns
    `OWN_EVIDENCE_COLUMNS`.
    """
    records, connections = convert_frames_to_records(task, shared_input)
    person_pairs = ComparedPersonPairs(records, shared_input.model)
    person_overlap = compare_persons_of_case_files(records, person_pairs, task["pairs"])
    weighed_by_round = [
        weigh_case_file_pairs_without_other_files(records, person_pairs, task["pairs"], connections, shared_input, n, person_overlap)[0]
        for n in range(len(ROUND_NAMES))
    ]
    weighed = {name: weighed_pairs["weight"] for name, weighed_pairs in zip(ROUND_NAMES, weighed_by_round, strict=True)}
    return {"weights": pd.DataFrame({**weighed, "citation": weighed_by_round[-1]["citation"]})}


def weigh_case_file_pairs_without_other_files(
    records: LinkageRecords,
    person_pairs: ComparedPersonPairs,
    pairs: pd.DataFrame,
    connections: CaseFileConnections,
    shared_input: SharedTaskInput,
    round_number: int,
    person_overlap: PersonOverlap | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Weigh pairs of case files as in the round `round_number`, but only by the evidence of the two files. Return the weighed pairs and
    their evidence of dates and codes, as `cases.weigh_case_file_pairs` does.

    In the second round all person records count as different persons, since it is not known yet which of them are one person.
    """
    model, common = shared_input.model, shared_input.common
    previous_round = (
        ResultsOfPreviousRound(np.arange(len(records.persons)), common.again[round_number - 1])
        if round_number
        else ResultsOfPreviousRound(None, model.persons["again"])
    )
    gathered = gather_case_file_pairs(
        records, person_pairs, model, previous_round, connections=connections, only_pairs=pairs, person_overlap=person_overlap
    )
    return weigh_case_file_pairs(records, model, gathered, common.shares[round_number])[:2]


def compute_min_weight_between_cases(
    records: LinkageRecords, model: LinkageModel, common_statistics: CommonStatistics, weight_with_prior_odds: float
) -> float:
    """Return the match weight that two person records of different cases need so that, with prior odds, they can weigh
    `weight_with_prior_odds` in one of the rounds.
    """
    return weight_with_prior_odds - max(
        compute_prior_odds_between_cases(records, model.persons, again) for again in (model.persons["again"], *common_statistics.again)
    )


def find_components_of_records(
    records: LinkageRecords, connected_files: list[np.ndarray], connected_persons: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of the component of each case file, and of each person record.

    connected_files, connected_persons: the pairs of connected case files and of connected person records, as arrays of shape n × 2.
    """
    file_of_person, size = records.persons["file"].to_numpy(), len(records.files)
    placed = np.flatnonzero(file_of_person >= 0)
    edges = [np.column_stack([placed + size, file_of_person[placed]]), *connected_files, *(pairs + size for pairs in connected_persons)]
    all_edges = np.concatenate(edges).astype("int64")
    component = find_connected_components(size + len(file_of_person), all_edges[:, 0], all_edges[:, 1])
    return component[:size], component[size:]


def compute_component_keys(
    components: tuple[np.ndarray, np.ndarray], record_hashes: RecordHashes, further_hashes: list[tuple[np.ndarray, np.ndarray]]
) -> np.ndarray:
    """Return a key for each component: a hash of its records, of their order, and of the `further_hashes` that belong to the component.

    components: the number of the component of each case file, and of each person record. further_hashes: pairs of arrays; the second array
    has hashes, and the first array has the number of the component to which each hash belongs.
    """
    size = int(max((p.max(initial=-1) for p in components), default=-1)) + 1
    key = np.zeros(size, dtype="uint64")
    for n, (component, hashed) in enumerate(zip(components, (record_hashes.files, record_hashes.persons), strict=True)):
        key = mix_hashes(
            key,
            sum_hashes_by_number(size, component, mix_hashes(hashed, rank_records_within_component(component), np.full(len(component), n))),
        )
    for component, hashed in further_hashes:
        key = mix_hashes(key, sum_hashes_by_number(size, component, mix_hashes(hashed)))
    return key


def rank_records_within_component(component_of_record: np.ndarray) -> np.ndarray:
    """Return the rank of every record within its component, from 0, in the order of the records."""
    return pd.Series(component_of_record).groupby(component_of_record).cumcount().to_numpy("int64")


def drop_text_columns_not_read_by_tasks(records: LinkageRecords, model: LinkageModel) -> LinkageRecords:
    """Return `records` without the text columns that tasks do not read, since selecting and passing texts would take most of their time.

    Columns that a kind of evidence of `model` reads are kept.
    """
    columns_read = {column for evidence in model.evidence for column in (evidence.first, evidence.second)}
    unused = {name: [text for text in texts if f"{name[:-1]}.{text}" not in columns_read] for name, texts in _UNREAD_COLUMNS.items()}
    return replace(records, **{name: getattr(records, name).drop(columns=texts) for name, texts in unused.items()})


def select_records(records: LinkageRecords, file_rows: np.ndarray, person_rows: np.ndarray) -> LinkageRecords:
    """Return the case files at `file_rows` and the person records at `person_rows`, numbered from 0 in the same order."""
    number = np.full(len(records.files) + 1, -1)
    number[file_rows] = np.arange(len(file_rows))
    people = records.persons.iloc[person_rows].reset_index(drop=True)
    people["file"] = number[people["file"].to_numpy()]
    references, own, merges = (_renumber_rows(frame, number, ["file"]) for frame in (records.references, records.own, records.merges))
    return LinkageRecords(records.files.iloc[file_rows].reset_index(drop=True), people, references, own, merges, records.counts)


def select_records_of_case_file_pairs(records: LinkageRecords, connections: CaseFileConnections, pairs: pd.DataFrame) -> Frames:
    """Return, as frames of a task, the case files in `pairs` with their persons and connections, and the `pairs` with the new row
    numbers.
    """
    files = np.unique(pairs[["a", "b"]].to_numpy("int64"))
    number = np.full(len(records.files) + 1, -1)
    number[files] = np.arange(len(files))
    people = np.flatnonzero(number[records.persons["file"].to_numpy()] >= 0)
    local = pd.DataFrame({name: number[pairs[name].to_numpy("int64")] for name in ("a", "b")})
    return {
        **convert_records_to_frames(
            select_records(records, files, people), select_connections(connections, len(records.files), files), people
        ),
        "pairs": local,
    }


def select_connections(connections: CaseFileConnections, file_count: int, file_rows: np.ndarray) -> CaseFileConnections:
    """Return the connections between case files that are both in `file_rows`. In the result, a file is numbered by its position in
    `file_rows`.
    """
    number = np.full(file_count + 1, -1)
    number[file_rows] = np.arange(len(file_rows))
    citations, mergers, shared_citations, stays_begun_together = (
        _renumber_rows(frame, number, ["a", "b"])
        for frame in (connections.citations, connections.mergers, connections.shared_citations, connections.stays_begun_together)
    )
    return CaseFileConnections(citations, mergers, shared_citations, stays_begun_together)


def _renumber_rows(frame: pd.DataFrame, new_numbers: np.ndarray, columns: list[str]) -> pd.DataFrame:
    """Replace the row numbers in `columns` by new ones, and leave out rows of `frame` whose new number is below zero in any of them."""
    new = {name: new_numbers[frame[name].to_numpy("int64")] for name in columns}
    is_kept = np.logical_and.reduce([rows >= 0 for rows in new.values()])
    return frame.assign(**new)[is_kept].reset_index(drop=True)


def list_judged_pairs(constraints: ClusterConstraints) -> np.ndarray:
    """Return the pairs of rows that a steward judged to be the same or different."""
    return np.concatenate([constraints.same, constraints.apart])
