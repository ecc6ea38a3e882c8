"""Divide a history into the connected components of its pair graph, and use the pairs in the memory again.

Belongs here: looking up or computing weights of pairs, the components, their keys. Does not belong here: which pairs are edges
(`pair_graph`), the decisions in a component (`incremental`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pipelines.linkage import pair_graph
from pipelines.linkage.blocking import BlockedPairs, SharedValues, concatenate_pairs, group_records_by_blocking_keys
from pipelines.linkage.cases import FileTies, compute_min_bits_of_shared_person, find_ties_between_files, order_files_in_pairs
from pipelines.linkage.constraints import Constraints, find_constraints
from pipelines.linkage.decisions import MIN_RECORDED_WEIGHT
from pipelines.linkage.hashing import mix_hashes
from pipelines.linkage.linkage_memory import LinkageMemory
from pipelines.linkage.linkage_tasks import Frames, Setting, count_processes, run_tasks
from pipelines.linkage.pair_graph import OWN_EVIDENCE_COLUMNS, ROUND_NAMES, RecordHashes
from pipelines.linkage.row_groups import Groups
from pipelines.linkage.score import find_close_pairs
from pipelines.linkage.standardise import Records
from pipelines.resources.integer_arrays import compute_run_starts, find_positions

# Number of pairs of files weighed at a time, so that memory use does not grow with history.
BATCH_PAIRS = 50_000


@dataclass(frozen=True)
class HistoryComponents:
    """The components of a history: the number of the component of each file and each person record, and for each component its key and
    whether it is `open` (not in the memory).

    - `ties`: the ties within components
    - `blocked`: the blocked pairs within open components
    - `files_across` (a, b, weight, citation), `persons_across` (left, right, weight): pairs across components that may be recorded; both
      also have the hash of the `pair`
    - `known`: the updated frames `persons`, `refused`, `pairs` and `files` of `LinkageMemory`
    """

    records: Records
    blocked: BlockedPairs
    ties: FileTies
    of_files: np.ndarray
    of_persons: np.ndarray
    keys: np.ndarray
    open: np.ndarray
    files_across: pd.DataFrame
    persons_across: pd.DataFrame
    known: dict[str, pd.DataFrame]


@dataclass(frozen=True)
class WeighedPairs:
    """The weighed pairs of a history, which do not depend on judgements. Previews of several judgements share them.

    fresh: for each person record, whether its pairs are missing in the memory. close: pairs of persons of two cases that can still weigh
    enough to join. pairs, files: pairs of files, and their hashes and weights.
    """

    records: Records
    fingerprints: RecordHashes
    blocks: SharedValues
    ties: FileTies
    tie_hashes: pd.DataFrame
    fresh: np.ndarray
    close: pd.DataFrame
    pairs: pd.DataFrame
    files: pd.DataFrame


def weigh_pairs(records: Records, setting: Setting, memory: LinkageMemory | None) -> WeighedPairs:
    """Weigh the pairs of `records`. Pairs in `memory` are not weighed again; the result is the same without it."""
    model, common = setting.model, setting.common
    records = replace(records, counts=common.counts, memo={})
    fingerprints = pair_graph.hash_records(records)
    blocks, ties = (
        group_records_by_blocking_keys(records.persons, refused=None if memory is None else memory.refused["value"].to_numpy()),
        find_ties_between_files(records),
    )
    tie_hashes = pair_graph.hash_ties(ties, fingerprints)
    fresh = np.ones(len(records.persons), dtype=bool)
    if memory is not None:
        fresh = ~find_positions(fingerprints.persons, memory.persons["fingerprint"].to_numpy())[1] | blocks.moved
    close = _find_close_persons(records, blocks, setting, fingerprints, fresh, memory)
    left, right, weight = (close[name].to_numpy() for name in ("left", "right", "weight"))
    alike = weight >= compute_min_bits_of_shared_person(records, model)
    pairs = _find_candidate_files(records, left[alike], right[alike], ties)
    files = pd.DataFrame({"pair": _hash_file_pairs(pairs, tie_hashes, fingerprints)})
    files[list(OWN_EVIDENCE_COLUMNS)] = _weigh_file_pairs(records, setting, pairs, files["pair"].to_numpy(), ties, memory)
    return WeighedPairs(records, fingerprints, blocks, ties, tie_hashes, fresh, close, pairs, files)


def divide_history_into_components(
    weighed: WeighedPairs, setting: Setting, judgements: pd.DataFrame | None, memory: LinkageMemory | None
) -> HistoryComponents:
    """Divide records into components, with `judgements` as constraints. setting, memory: as for `weigh_pairs`."""
    model, common = setting.model, setting.common
    records, fingerprints, blocks, ties = weighed.records, weighed.fingerprints, weighed.blocks, weighed.ties
    tie_hashes, fresh, close, pairs, files = weighed.tie_hashes, weighed.fresh, weighed.close, weighed.pairs, weighed.files
    constrained = [find_constraints(judgements, entity, frame) for entity, frame in (("case", records.files), ("person", records.persons))]
    left, right, weight = (close[name].to_numpy() for name in ("left", "right", "weight"))
    near = weight >= pair_graph.compute_min_bits_between_cases(records, model, common, pair_graph.TIE_BITS)
    tied = (files[list(ROUND_NAMES)] >= pair_graph.TIE_BITS).any(axis=1).to_numpy()
    tied_frames = (pairs[tied], ties.exact_citations, ties.exact_mergers, ties.detained)
    of_files, of_persons = pair_graph.find_components(
        records,
        [*(f[["a", "b"]].to_numpy("int64") for f in tied_frames), pair_graph.list_judged_pairs(constrained[0])],
        [np.column_stack([left[near], right[near]]), pair_graph.list_judged_pairs(constrained[1])],
    )
    tie_hashes = tie_hashes[of_files[tie_hashes["a"].to_numpy()] == of_files[tie_hashes["b"].to_numpy()]]
    content = [
        (of_files[tie_hashes["a"].to_numpy()], tie_hashes["fingerprint"].to_numpy()),
        *_hash_constraints(constrained, (of_files, of_persons), fingerprints),
    ]
    keys = pair_graph.compute_component_keys((of_files, of_persons), fingerprints, content)
    # The pairs of rows that are not fresh are in the memory and need not be generated again.
    undecided = np.ones(len(keys), dtype=bool)
    if memory is not None:
        undecided = ~find_positions(keys, np.sort(memory.counts["component"].to_numpy()))[1]
        undecided[of_persons[fresh]] = True
    within = BlockedPairs(
        *concatenate_pairs(blocks.groups.split_by_part(np.where(undecided[of_persons], of_persons, -1)).generate_pairs()), blocks.report
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
    return HistoryComponents(records, within, replace(ties, component=of_files), of_files, of_persons, keys, undecided, pairs, close, known)


def _find_close_persons(
    records: Records, blocks: SharedValues, setting: Setting, fingerprints: RecordHashes, fresh: np.ndarray, memory: LinkageMemory | None
) -> pd.DataFrame:
    """Return the pairs of persons that can matter across cases, sorted. Columns: left, right, weight.

    fresh: whether the pairs of each row are not in the memory.
    """
    least = pair_graph.compute_min_bits_between_cases(records, setting.model, setting.common, MIN_RECORDED_WEIGHT)
    least = min(compute_min_bits_of_shared_person(records, setting.model), least)
    parts, groups = [], blocks.groups
    if memory is not None:
        parts.append(_select_unchanged_pairs(memory.pairs, fingerprints, fresh))
        groups = groups.select_groups_with_rows(fresh)
    if setting.spark is not None:
        fresh_or_all = None if fresh.all() else fresh
        parts.append(setting.spark.find_close_pairs(records.persons, groups, setting.model, setting.scorer, least, fresh_or_all))
        return _concatenate_and_sort_pairs(parts)
    shared_frames = {
        "fresh": pd.DataFrame({"fresh": fresh}),
        "rows": pd.DataFrame({"row": groups.row}),
        "sizes": pd.DataFrame({"size": groups.sizes}),
    }
    rows_in_groups = int(np.count_nonzero(np.bincount(groups.row)))
    processes = count_processes(setting, rows_in_groups)
    tasks = ({**shared_frames, "stride": pd.DataFrame({"first": [n], "of": [processes], "least": [least]})} for n in range(processes))
    parts.extend(result["pairs"] for result in run_tasks(_weigh_pairs_of_chunks, tasks, setting, rows_in_groups))
    return _concatenate_and_sort_pairs(parts)


def _concatenate_and_sort_pairs(parts: list[pd.DataFrame]) -> pd.DataFrame:
    close = pd.concat(parts, ignore_index=True).astype({"left": "int64", "right": "int64", "weight": "float64"})
    return close.iloc[np.lexsort((close["right"], close["left"]))].reset_index(drop=True)


def _weigh_pairs_of_chunks(frames: Frames, setting: Setting) -> Frames:
    """Return `pairs` (left, right, weight) of persons that weigh enough, among the chunks of this task (every `step`-th chunk)."""
    fresh = frames["fresh"]["fresh"].to_numpy()
    groups = Groups(frames["rows"]["row"].to_numpy(), compute_run_starts(frames["sizes"]["size"].to_numpy()), len(fresh))
    first, step, least = frames["stride"].iloc[0]
    pairs = groups.generate_pairs(None if fresh.all() else fresh, stride=(int(first), int(step)))
    return {"pairs": pd.DataFrame(dict(zip(("left", "right", "weight"), find_close_pairs(setting.scorer, pairs, least), strict=True)))}


def _select_unchanged_pairs(pairs: pd.DataFrame, fingerprints: RecordHashes, fresh: np.ndarray) -> pd.DataFrame:
    """Select the pairs of a memory whose records both still exist and are not `fresh`."""
    order = np.argsort(fingerprints.persons)
    sides, exists = [], np.ones(len(pairs), dtype=bool)
    for name in ("left", "right"):
        position, found = find_positions(pairs[name].to_numpy(), fingerprints.persons[order])
        exists &= found
        sides.append(order[position])
        exists &= ~fresh[sides[-1]]
    a, b = (side[exists] for side in sides)
    return pd.DataFrame({"left": np.minimum(a, b), "right": np.maximum(a, b), "weight": pairs["weight"].to_numpy()[exists]})


def _find_candidate_files(records: Records, left: np.ndarray, right: np.ndarray, ties: FileTies) -> pd.DataFrame:
    """Find the pairs of files that are tied by a pair of persons or a reference."""
    file = records.persons["file"].to_numpy()
    tied_frames = (ties.cites, ties.exact_mergers, ties.together)
    a = np.concatenate([file[left], *(frame["a"].to_numpy("int64") for frame in tied_frames)])
    b = np.concatenate([file[right], *(frame["b"].to_numpy("int64") for frame in tied_frames)])
    placed = (a >= 0) & (b >= 0)
    return order_files_in_pairs(records, a[placed], b[placed])


def _hash_file_pairs(pairs: pd.DataFrame, tie_hashes: pd.DataFrame, fingerprints: RecordHashes) -> np.ndarray:
    """Return a hash of each pair of files together with its ties."""
    a, b = pairs["a"].to_numpy(), pairs["b"].to_numpy()
    size = len(fingerprints.files)
    codes, code_number = np.unique(np.minimum(a, b) * size + np.maximum(a, b), return_inverse=True)
    position, is_candidate = find_positions(tie_hashes["a"].to_numpy() * size + tie_hashes["b"].to_numpy(), codes)
    ties = np.zeros(len(codes), dtype="uint64")
    np.add.at(ties, position[is_candidate], tie_hashes["fingerprint"].to_numpy()[is_candidate])
    return mix_hashes(fingerprints.files[a], fingerprints.files[b], ties[code_number])


def _weigh_file_pairs(
    records: Records, setting: Setting, pairs: pd.DataFrame, codes: np.ndarray, ties: FileTies, memory: LinkageMemory | None
) -> np.ndarray:
    """Weigh each pair of files by the evidence of the two files alone.

    Return one row for each pair, with the columns `OWN_EVIDENCE_COLUMNS`.
    """
    weights, new = np.zeros((len(pairs), len(OWN_EVIDENCE_COLUMNS))), np.ones(len(pairs), dtype=bool)
    if memory is not None and len(memory.files):
        position, is_known = find_positions(codes, memory.files["pair"].to_numpy())
        weights[is_known], new = memory.files[list(OWN_EVIDENCE_COLUMNS)].to_numpy()[position[is_known]], ~is_known
    rows = np.flatnonzero(new)
    batches = np.array_split(rows, max(len(rows) // BATCH_PAIRS, 1))
    lean = pair_graph.drop_unread_texts(records, setting.model)
    tasks = (pair_graph.select_records_of_pairs(lean, ties, pairs.iloc[chosen]) for chosen in batches)
    for chosen, weighed in zip(batches, run_tasks(pair_graph.weigh_pairs_of_task, tasks, setting, len(rows)), strict=True):
        weights[chosen] = weighed["weights"][list(OWN_EVIDENCE_COLUMNS)].to_numpy()
    return weights


def _hash_constraints(
    constrained: list[Constraints], labels: tuple[np.ndarray, np.ndarray], fingerprints: RecordHashes
) -> list[tuple[np.ndarray, np.ndarray]]:
    out = []
    for constraints, label, hashed in zip(constrained, labels, (fingerprints.files, fingerprints.persons), strict=True):
        for n, pairs in enumerate((constraints.same, constraints.apart)):
            a, b = pairs[:, 0], pairs[:, 1]
            out.append((label[a], mix_hashes(hashed[a], hashed[b], np.full(len(a), n + 1))))
    return out
