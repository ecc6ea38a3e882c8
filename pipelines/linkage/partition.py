"""Divide a history into the connected components of its pair graph. Weights of pairs that are in the linkage memory are not computed again.

Belongs here: looking up or computing weights of pairs, the components, their keys. Does not belong here: which pairs connect their records
(`pair_graph`), the decisions in a component (`incremental`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pipelines.linkage import pair_graph
from pipelines.linkage.blocking import BlockedPairs, BlockingGroups, concatenate_pairs, group_records_by_blocking_keys
from pipelines.linkage.cases import (
    CaseFileConnections,
    compute_min_weight_of_shared_person,
    find_connections_between_case_files,
    put_upstream_case_file_first,
)
from pipelines.linkage.constraints import ClusterConstraints, find_cluster_constraints
from pipelines.linkage.decisions import MIN_RECORDED_WEIGHT
from pipelines.linkage.hashing import mix_hashes
from pipelines.linkage.linkage_memory import LinkageMemory
from pipelines.linkage.linkage_tasks import Frames, SharedTaskInput, count_processes, run_tasks
from pipelines.linkage.pair_graph import OWN_EVIDENCE_COLUMNS, ROUND_NAMES, RecordHashes
from pipelines.linkage.row_groups import RowGroups
from pipelines.linkage.score import find_pairs_above_weight
from pipelines.linkage.standardise import LinkageRecords
from pipelines.resources.integer_arrays import compute_group_starts, find_positions

# Pairs of case files are weighed in batches of about this size, so that memory use does not grow with the history.
BATCH_PAIRS = 50_000


@dataclass(frozen=True)
class HistoryComponents:
    """The components of a history.

    - `of_files`, `of_persons`: the number of the component of each case file and of each person record
    - `keys`: the key of each component
    - `open`: for each component, whether it must be decided, because it is not in the linkage memory
    - `connections`: the connections between case files, of which only those within a component count
    - `blocked`: the candidate pairs of persons from blocking, within open components
    - `files_across`: pairs of case files in different components, for which a decision record may be written. Columns: a, b, weight,
      citation (bits), pair (hash of the pair)
    - `persons_across`: the same for pairs of persons. Columns: left, right, weight, pair (hash of the pair)
    - `known`: the frames `persons`, `refused`, `pairs` and `files` of the linkage memory for the next run
    """

    records: LinkageRecords
    blocked: BlockedPairs
    connections: CaseFileConnections
    of_files: np.ndarray
    of_persons: np.ndarray
    keys: np.ndarray
    open: np.ndarray
    files_across: pd.DataFrame
    persons_across: pd.DataFrame
    known: dict[str, pd.DataFrame]


@dataclass(frozen=True)
class WeighedHistory:
    """The weighed pairs of a history. They do not depend on judgements, so the effects of several judgements can be computed from them.

    - `fingerprints`: the hash of each record
    - `blocks`: the groups of person records that share a value of a blocking key
    - `connections`, `connection_hashes`: the connections between case files, and their hashes
    - `fresh`: for each person record, whether the linkage memory lacks its pairs
    - `close`: the pairs of persons that weigh enough to matter even if the persons are in different cases
    - `pairs`: the pairs of case files that may be one case
    - `files`: the hash and the weights of each of `pairs`
    """

    records: LinkageRecords
    fingerprints: RecordHashes
    blocks: BlockingGroups
    connections: CaseFileConnections
    connection_hashes: pd.DataFrame
    fresh: np.ndarray
    close: pd.DataFrame
    pairs: pd.DataFrame
    files: pd.DataFrame


def weigh_pairs_of_history(records: LinkageRecords, shared_input: SharedTaskInput, linkage_memory: LinkageMemory | None) -> WeighedHistory:
    """Weigh the pairs of persons and of case files in `records`. Pairs in `linkage_memory` are not weighed again; the result is the same
    without a memory.
    """
    model, common = shared_input.model, shared_input.common
    records = replace(records, counts=common.counts, memo={})
    fingerprints = pair_graph.hash_records(records)
    blocks, connections = (
        group_records_by_blocking_keys(
            records.persons, refused=None if linkage_memory is None else linkage_memory.refused["value"].to_numpy()
        ),
        find_connections_between_case_files(records),
    )
    connection_hashes = pair_graph.hash_connections(connections, fingerprints)
    fresh = np.ones(len(records.persons), dtype=bool)
    if linkage_memory is not None:
        fresh = ~find_positions(fingerprints.persons, linkage_memory.persons["fingerprint"].to_numpy())[1] | blocks.moved
    close = _find_similar_person_pairs(records, blocks, shared_input, fingerprints, fresh, linkage_memory)
    left, right, weight = (close[name].to_numpy() for name in ("left", "right", "weight"))
    alike = weight >= compute_min_weight_of_shared_person(records, model)
    pairs = _find_connected_case_file_pairs(records, left[alike], right[alike], connections)
    files = pd.DataFrame({"pair": _hash_case_file_pairs(pairs, connection_hashes, fingerprints)})
    files[list(OWN_EVIDENCE_COLUMNS)] = _weigh_case_file_pairs(
        records, shared_input, pairs, files["pair"].to_numpy(), connections, linkage_memory
    )
    return WeighedHistory(records, fingerprints, blocks, connections, connection_hashes, fresh, close, pairs, files)


def divide_history_into_components(
    weighed_history: WeighedHistory, shared_input: SharedTaskInput, judgements: pd.DataFrame | None, linkage_memory: LinkageMemory | None
) -> HistoryComponents:
    """Divide the records of a history into components. Records that a judgement is about are in one component.

    shared_input, linkage_memory: the same as for `weigh_pairs_of_history`.
    """
    model, common = shared_input.model, shared_input.common
    records, fingerprints, blocks, connections = (
        weighed_history.records,
        weighed_history.fingerprints,
        weighed_history.blocks,
        weighed_history.connections,
    )
    connection_hashes, fresh, close, pairs, files = (
        weighed_history.connection_hashes,
        weighed_history.fresh,
        weighed_history.close,
        weighed_history.pairs,
        weighed_history.files,
    )
    constrained = [
        find_cluster_constraints(judgements, entity, frame) for entity, frame in (("case", records.files), ("person", records.persons))
    ]
    left, right, weight = (close[name].to_numpy() for name in ("left", "right", "weight"))
    near = weight >= pair_graph.compute_min_weight_between_cases(records, model, common, pair_graph.MIN_CONNECTION_BITS)
    tied = (files[list(ROUND_NAMES)] >= pair_graph.MIN_CONNECTION_BITS).any(axis=1).to_numpy()
    tied_frames = (pairs[tied], connections.exact_citations, connections.exact_mergers, connections.stays_begun_together)
    of_files, of_persons = pair_graph.find_components_of_records(
        records,
        [*(f[["a", "b"]].to_numpy("int64") for f in tied_frames), pair_graph.list_judged_pairs(constrained[0])],
        [np.column_stack([left[near], right[near]]), pair_graph.list_judged_pairs(constrained[1])],
    )
    connection_hashes = connection_hashes[of_files[connection_hashes["a"].to_numpy()] == of_files[connection_hashes["b"].to_numpy()]]
    content = [
        (of_files[connection_hashes["a"].to_numpy()], connection_hashes["fingerprint"].to_numpy()),
        *_hash_constraints(constrained, (of_files, of_persons), fingerprints),
    ]
    keys = pair_graph.compute_component_keys((of_files, of_persons), fingerprints, content)
    # Components with a fresh record are decided too; the pairs of all other records are in the memory and need not be generated again.
    undecided = np.ones(len(keys), dtype=bool)
    if linkage_memory is not None:
        undecided = ~find_positions(keys, np.sort(linkage_memory.counts["component"].to_numpy()))[1]
        undecided[of_persons[fresh]] = True
    within = BlockedPairs(
        *concatenate_pairs(blocks.groups.split_groups_by_component(np.where(undecided[of_persons], of_persons, -1)).generate_pairs()),
        blocks.report,
    )
    known = {
        "persons": pd.DataFrame({"fingerprint": np.sort(fingerprints.persons)}),
        "refused": pd.DataFrame({"value": blocks.refused}),
        "pairs": pd.DataFrame({"left": fingerprints.persons[left], "right": fingerprints.persons[right], "weight": weight}),
        "files": files.sort_values("pair", ignore_index=True),
    }
    pairs = pairs.assign(pair=files["pair"], weight=files[ROUND_NAMES[-1]], citation=files["citation"])
    pairs = pairs[of_files[pairs["a"].to_numpy()] != of_files[pairs["b"].to_numpy()]]
    close = close[of_persons[left] != of_persons[right]]
    close = close.assign(pair=mix_hashes(fingerprints.persons[close["left"].to_numpy()], fingerprints.persons[close["right"].to_numpy()]))
    return HistoryComponents(
        records, within, replace(connections, component=of_files), of_files, of_persons, keys, undecided, pairs, close, known
    )


def _find_similar_person_pairs(
    records: LinkageRecords,
    blocking_groups: BlockingGroups,
    shared_input: SharedTaskInput,
    record_hashes: RecordHashes,
    is_new: np.ndarray,
    linkage_memory: LinkageMemory | None,
) -> pd.DataFrame:
    """Return the pairs of persons that weigh enough to matter even if the persons are in different cases. Columns: left, right, weight.

    is_new: for each person record, whether the linkage memory lacks its pairs.
    """
    least = pair_graph.compute_min_weight_between_cases(records, shared_input.model, shared_input.common, MIN_RECORDED_WEIGHT)
    least = min(compute_min_weight_of_shared_person(records, shared_input.model), least)
    parts, groups = [], blocking_groups.groups
    if linkage_memory is not None:
        parts.append(_select_unchanged_pairs(linkage_memory.pairs, record_hashes, is_new))
        groups = groups.select_groups_with_rows(is_new)
    if shared_input.spark is not None:
        fresh_or_all = None if is_new.all() else is_new
        parts.append(
            shared_input.spark.find_pairs_above_weight(
                records.persons, groups, shared_input.model, shared_input.scorer, least, fresh_or_all
            )
        )
        return _concatenate_and_sort_pairs(parts)
    shared_frames = {
        "fresh": pd.DataFrame({"fresh": is_new}),
        "rows": pd.DataFrame({"row": groups.row}),
        "sizes": pd.DataFrame({"size": groups.sizes}),
    }
    rows_in_groups = int(np.count_nonzero(np.bincount(groups.row)))
    processes = count_processes(shared_input, rows_in_groups)
    tasks = ({**shared_frames, "stride": pd.DataFrame({"first": [n], "of": [processes], "least": [least]})} for n in range(processes))
    parts.extend(result["pairs"] for result in run_tasks(_weigh_person_pairs_of_chunks, tasks, shared_input, rows_in_groups))
    return _concatenate_and_sort_pairs(parts)


def _concatenate_and_sort_pairs(frames_of_pairs: list[pd.DataFrame]) -> pd.DataFrame:
    """Return all pairs in one frame, sorted by `left` and `right`."""
    close = pd.concat(frames_of_pairs, ignore_index=True).astype({"left": "int64", "right": "int64", "weight": "float64"})
    return close.iloc[np.lexsort((close["right"], close["left"]))].reset_index(drop=True)


def _weigh_person_pairs_of_chunks(task: Frames, shared_input: SharedTaskInput) -> Frames:
    """Return the frame `pairs` of a task, with the pairs of persons that weigh enough. Columns: left, right, weight.

    A task weighs every n-th chunk of pairs, if there are n tasks.
    """
    fresh = task["fresh"]["fresh"].to_numpy()
    groups = RowGroups(task["rows"]["row"].to_numpy(), compute_group_starts(task["sizes"]["size"].to_numpy()), len(fresh))
    first, step, least = task["stride"].iloc[0]
    pairs = groups.generate_pairs(None if fresh.all() else fresh, stride=(int(first), int(step)))
    return {
        "pairs": pd.DataFrame(
            dict(zip(("left", "right", "weight"), find_pairs_above_weight(shared_input.scorer, pairs, least), strict=True))
        )
    }


def _select_unchanged_pairs(pairs: pd.DataFrame, record_hashes: RecordHashes, is_new: np.ndarray) -> pd.DataFrame:
    """Select the pairs of a linkage memory of which both records still exist unchanged, and are not marked in `is_new`."""
    order = np.argsort(record_hashes.persons)
    sides, exists = [], np.ones(len(pairs), dtype=bool)
    for name in ("left", "right"):
        position, found = find_positions(pairs[name].to_numpy(), record_hashes.persons[order])
        exists &= found
        sides.append(order[position])
        exists &= ~is_new[sides[-1]]
    a, b = (side[exists] for side in sides)
    return pd.DataFrame({"left": np.minimum(a, b), "right": np.maximum(a, b), "weight": pairs["weight"].to_numpy()[exists]})


def _find_connected_case_file_pairs(
    records: LinkageRecords, left: np.ndarray, right: np.ndarray, connections: CaseFileConnections
) -> pd.DataFrame:
    """Find the pairs of case files that are connected by one of the pairs of persons `left`, `right`, or by a reference."""
    file = records.persons["file"].to_numpy()
    tied_frames = (connections.citations, connections.exact_mergers, connections.shared_citations)
    a = np.concatenate([file[left], *(frame["a"].to_numpy("int64") for frame in tied_frames)])
    b = np.concatenate([file[right], *(frame["b"].to_numpy("int64") for frame in tied_frames)])
    placed = (a >= 0) & (b >= 0)
    return put_upstream_case_file_first(records, a[placed], b[placed])


def _hash_case_file_pairs(pairs: pd.DataFrame, connection_hashes: pd.DataFrame, record_hashes: RecordHashes) -> np.ndarray:
    """Return, for each pair of case files, a hash of the two files and of all connections between them."""
    a, b = pairs["a"].to_numpy(), pairs["b"].to_numpy()
    size = len(record_hashes.files)
    codes, code_number = np.unique(np.minimum(a, b) * size + np.maximum(a, b), return_inverse=True)
    position, is_candidate = find_positions(connection_hashes["a"].to_numpy() * size + connection_hashes["b"].to_numpy(), codes)
    connections = np.zeros(len(codes), dtype="uint64")
    np.add.at(connections, position[is_candidate], connection_hashes["fingerprint"].to_numpy()[is_candidate])
    return mix_hashes(record_hashes.files[a], record_hashes.files[b], connections[code_number])


def _weigh_case_file_pairs(
    records: LinkageRecords,
    shared_input: SharedTaskInput,
    pairs: pd.DataFrame,
    pair_hashes: np.ndarray,
    connections: CaseFileConnections,
    linkage_memory: LinkageMemory | None,
) -> np.ndarray:
    """Weigh each pair of case files by the evidence of the two files alone. Weights of pairs in `linkage_memory` are taken from there.

    Return one row for each pair, with the columns `OWN_EVIDENCE_COLUMNS`.
    """
    weights, new = np.zeros((len(pairs), len(OWN_EVIDENCE_COLUMNS))), np.ones(len(pairs), dtype=bool)
    if linkage_memory is not None and len(linkage_memory.files):
        position, is_known = find_positions(pair_hashes, linkage_memory.files["pair"].to_numpy())
        weights[is_known], new = linkage_memory.files[list(OWN_EVIDENCE_COLUMNS)].to_numpy()[position[is_known]], ~is_known
    rows = np.flatnonzero(new)
    batches = np.array_split(rows, max(len(rows) // BATCH_PAIRS, 1))
    lean = pair_graph.drop_text_columns_not_read_by_tasks(records, shared_input.model)
    tasks = (pair_graph.select_records_of_case_file_pairs(lean, connections, pairs.iloc[chosen]) for chosen in batches)
    for chosen, weighed in zip(batches, run_tasks(pair_graph.weigh_case_file_pairs_of_task, tasks, shared_input, len(rows)), strict=True):
        weights[chosen] = weighed["weights"][list(OWN_EVIDENCE_COLUMNS)].to_numpy()
    return weights


def _hash_constraints(
    constraints_by_entity: list[ClusterConstraints], components_by_entity: tuple[np.ndarray, np.ndarray], record_hashes: RecordHashes
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return a hash of every constraint together with the number of its component, as `compute_component_keys` expects them."""
    out = []
    for constraints, label, hashed in zip(
        constraints_by_entity, components_by_entity, (record_hashes.files, record_hashes.persons), strict=True
    ):
        for n, pairs in enumerate((constraints.same, constraints.apart)):
            a, b = pairs[:, 0], pairs[:, 1]
            out.append((label[a], mix_hashes(hashed[a], hashed[b], np.full(len(a), n + 1))))
    return out
