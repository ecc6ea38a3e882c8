"""A history divided into the connected components of its pair graph, reusing pairs from the memory.

Belongs here: looking up or computing weights of pairs, the components, their keys. Does not belong here: which pairs are edges
(`pair_graph`), the decisions in a component (`incremental`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pipelines.linkage import pair_graph
from pipelines.linkage.blocking import Blocked, Shared, every, share
from pipelines.linkage.cases import Ties, orient, shared_bits, ties_of
from pipelines.linkage.constraints import Constraints, constraints
from pipelines.linkage.decisions import LEAST_WEIGHT
from pipelines.linkage.hashing import mixed
from pipelines.linkage.memory import LinkageMemory
from pipelines.linkage.pair_graph import OWN_EVIDENCE, ROUNDS, Fingerprints
from pipelines.linkage.score import close_pairs
from pipelines.linkage.sharing import Groups
from pipelines.linkage.standardise import Records
from pipelines.linkage.tasks import Frames, Setting, processes, run_tasks
from pipelines.resources.flat import looked_up, starts

# Number of pairs of files weighed at a time, so that memory use does not grow with history.
AT_ONCE = 50_000


@dataclass(frozen=True)
class Partition:
    """Number of the component per file and per person record; per component its key, and whether it is `open` (not in the memory).

    `ties` are those within components, `blocked` the pairs within open ones. `files_across` (`a, b, weight, citation`) and
    `persons_across` (`left, right, weight`), both with the hash of the `pair`: pairs across components that may be recorded. `known`: the
    updated frames `persons`, `refused`, `pairs` and `files` of `LinkageMemory`.
    """

    records: Records
    blocked: Blocked
    ties: Ties
    of_files: np.ndarray
    of_persons: np.ndarray
    keys: np.ndarray
    open: np.ndarray
    files_across: pd.DataFrame
    persons_across: pd.DataFrame
    known: dict[str, pd.DataFrame]


def partition_records(records: Records, setting: Setting, judgements: pd.DataFrame | None, memory: LinkageMemory | None) -> Partition:
    """Divide `records` into components. Pairs in `memory` are not computed again; the result is the same without it."""
    model, common = setting.model, setting.common
    records = replace(records, counts=common.counts, memo={})
    fingerprints = pair_graph.fingerprints(records)
    blocks, ties = share(records.persons, refused=None if memory is None else memory.refused["value"].to_numpy()), ties_of(records)
    tie_hashes = pair_graph.tie_fingerprints(ties, fingerprints)
    constrained = [constraints(judgements, entity, frame) for entity, frame in (("case", records.files), ("person", records.persons))]
    fresh = np.ones(len(records.persons), dtype=bool)
    if memory is not None:
        fresh = ~looked_up(fingerprints.persons, memory.persons["fingerprint"].to_numpy())[1] | blocks.moved
    close = _close(records, blocks, setting, fingerprints, fresh, memory)
    left, right, weight = (close[name].to_numpy() for name in ("left", "right", "weight"))
    alike = weight >= shared_bits(records, model)
    pairs = _candidates(records, left[alike], right[alike], ties)
    files = pd.DataFrame({"pair": _pair_fingerprints(pairs, tie_hashes, fingerprints)})
    files[list(OWN_EVIDENCE)] = _weights(records, setting, pairs, files["pair"].to_numpy(), ties, memory)
    near = weight >= pair_graph.least_between(records, model, common, pair_graph.TIES)
    tied = (files[list(ROUNDS)] >= pair_graph.TIES).any(axis=1).to_numpy()
    named = (pairs[tied], ties.cites[~ties.cites["near"]], ties.joins, ties.detained)
    of_files, of_persons = pair_graph.label(
        records,
        [*(f[["a", "b"]].to_numpy("int64") for f in named), pair_graph.constrained_pairs(constrained[0])],
        [np.column_stack([left[near], right[near]]), pair_graph.constrained_pairs(constrained[1])],
    )
    tie_hashes = tie_hashes[of_files[tie_hashes["a"].to_numpy()] == of_files[tie_hashes["b"].to_numpy()]]
    content = [
        (of_files[tie_hashes["a"].to_numpy()], tie_hashes["fingerprint"].to_numpy()),
        *_constraint_fingerprints(constrained, (of_files, of_persons), fingerprints),
    ]
    keys = pair_graph.keys((of_files, of_persons), fingerprints, content)
    # The pairs of rows that are not fresh are in the memory and need not be generated again.
    undecided = np.ones(len(keys), dtype=bool)
    if memory is not None:
        undecided = ~looked_up(keys, np.sort(memory.counts["component"].to_numpy()))[1]
        undecided[of_persons[fresh]] = True
    within = Blocked(*every(blocks.groups.within(np.where(undecided[of_persons], of_persons, -1)).pairs()), blocks.report)
    known = {
        "persons": pd.DataFrame({"fingerprint": np.sort(fingerprints.persons)}),
        "refused": pd.DataFrame({"value": blocks.refused}),
        "pairs": pd.DataFrame({"left": fingerprints.persons[left], "right": fingerprints.persons[right], "weight": weight}),
        "files": files.sort_values("pair", ignore_index=True),
    }
    pairs = pairs.assign(pair=files["pair"], weight=files[ROUNDS[-1]], citation=files["citation"])
    pairs = pairs[of_files[pairs["a"].to_numpy()] != of_files[pairs["b"].to_numpy()]]
    close = close[of_persons[left] != of_persons[right]]
    close = close.assign(pair=mixed(fingerprints.persons[close["left"].to_numpy()], fingerprints.persons[close["right"].to_numpy()]))
    return Partition(records, within, replace(ties, component=of_files), of_files, of_persons, keys, undecided, pairs, close, known)


def _close(
    records: Records, shared_: Shared, setting: Setting, fingerprints: Fingerprints, fresh: np.ndarray, memory: LinkageMemory | None
) -> pd.DataFrame:
    """Sorted `left, right, weight` of the pairs of persons that can matter across cases. fresh: rows whose pairs are not in the memory."""
    least = pair_graph.least_between(records, setting.model, setting.common, LEAST_WEIGHT)
    least = min(shared_bits(records, setting.model), least)
    found, groups = [], shared_.groups
    if memory is not None:
        found.append(_known_pairs(memory.pairs, fingerprints, fresh))
        groups = groups.of_rows(fresh)
    if setting.spark is not None:
        some = None if fresh.all() else fresh
        found.append(setting.spark.close(records.persons, groups, setting.model, setting.scorer, least, some))
        return _in_order(found)
    shared_frames = {
        "fresh": pd.DataFrame({"fresh": fresh}),
        "rows": pd.DataFrame({"row": groups.row}),
        "sizes": pd.DataFrame({"size": groups.sizes}),
    }
    many = int(np.count_nonzero(np.bincount(groups.row)))
    of = processes(setting, many)
    tasks = ({**shared_frames, "stride": pd.DataFrame({"first": [n], "of": [of], "least": [least]})} for n in range(of))
    found.extend(one["pairs"] for one in run_tasks(_weighed, tasks, setting, many))
    return _in_order(found)


def _in_order(found: list[pd.DataFrame]) -> pd.DataFrame:
    close = pd.concat(found, ignore_index=True).astype({"left": "int64", "right": "int64", "weight": "float64"})
    return close.iloc[np.lexsort((close["right"], close["left"]))].reset_index(drop=True)


def _weighed(frames: Frames, setting: Setting) -> Frames:
    """`pairs` (`left, right, weight`) of persons that weigh enough, of the chunks of this task (every `of`-th)."""
    fresh = frames["fresh"]["fresh"].to_numpy()
    groups = Groups(frames["rows"]["row"].to_numpy(), starts(frames["sizes"]["size"].to_numpy()), len(fresh))
    first, of, least = frames["stride"].iloc[0]
    pairs = groups.pairs(None if fresh.all() else fresh, stride=(int(first), int(of)))
    return {"pairs": pd.DataFrame(dict(zip(("left", "right", "weight"), close_pairs(setting.scorer, pairs, least), strict=True)))}


def _known_pairs(pairs: pd.DataFrame, fingerprints: Fingerprints, fresh: np.ndarray) -> pd.DataFrame:
    """The pairs of a memory of which both rows still exist and neither is `fresh`."""
    order = np.argsort(fingerprints.persons)
    sides, there = [], np.ones(len(pairs), dtype=bool)
    for name in ("left", "right"):
        place, found = looked_up(pairs[name].to_numpy(), fingerprints.persons[order])
        there &= found
        sides.append(order[place])
        there &= ~fresh[sides[-1]]
    a, b = (side[there] for side in sides)
    return pd.DataFrame({"left": np.minimum(a, b), "right": np.maximum(a, b), "weight": pairs["weight"].to_numpy()[there]})


def _candidates(records: Records, left: np.ndarray, right: np.ndarray, ties: Ties) -> pd.DataFrame:
    """Pairs of files that are tied by a pair of persons or a reference."""
    file = records.persons["file"].to_numpy()
    named = (ties.cites, ties.joins, ties.together)
    a = np.concatenate([file[left], *(frame["a"].to_numpy("int64") for frame in named)])
    b = np.concatenate([file[right], *(frame["b"].to_numpy("int64") for frame in named)])
    placed = (a >= 0) & (b >= 0)
    return orient(records, a[placed], b[placed])


def _pair_fingerprints(pairs: pd.DataFrame, tie_hashes: pd.DataFrame, fingerprints: Fingerprints) -> np.ndarray:
    """Hash of each pair of files with its ties."""
    a, b = pairs["a"].to_numpy(), pairs["b"].to_numpy()
    size = len(fingerprints.files)
    codes, place = np.unique(np.minimum(a, b) * size + np.maximum(a, b), return_inverse=True)
    at, there = looked_up(tie_hashes["a"].to_numpy() * size + tie_hashes["b"].to_numpy(), codes)
    ties = np.zeros(len(codes), dtype="uint64")
    np.add.at(ties, at[there], tie_hashes["fingerprint"].to_numpy()[there])
    return mixed(fingerprints.files[a], fingerprints.files[b], ties[place])


def _weights(
    records: Records, setting: Setting, pairs: pd.DataFrame, codes: np.ndarray, ties: Ties, memory: LinkageMemory | None
) -> np.ndarray:
    """Evidence of the two files of each pair alone: one row per pair, columns `OWN_EVIDENCE`."""
    found, new = np.zeros((len(pairs), len(OWN_EVIDENCE))), np.ones(len(pairs), dtype=bool)
    if memory is not None and len(memory.files):
        place, there = looked_up(codes, memory.files["pair"].to_numpy())
        found[there], new = memory.files[list(OWN_EVIDENCE)].to_numpy()[place[there]], ~there
    rows = np.flatnonzero(new)
    some = np.array_split(rows, max(len(rows) // AT_ONCE, 1))
    lean = pair_graph.lean(records, setting.model)
    tasks = (pair_graph.cut_to(lean, ties, pairs.iloc[chosen]) for chosen in some)
    for chosen, weighed in zip(some, run_tasks(pair_graph.own_weights, tasks, setting, len(rows)), strict=True):
        found[chosen] = weighed["weights"][list(OWN_EVIDENCE)].to_numpy()
    return found


def _constraint_fingerprints(
    constrained: list[Constraints], labels: tuple[np.ndarray, np.ndarray], fingerprints: Fingerprints
) -> list[tuple[np.ndarray, np.ndarray]]:
    out = []
    for one, label, hashed in zip(constrained, labels, (fingerprints.files, fingerprints.persons), strict=True):
        for n, pairs in enumerate((one.same, one.apart)):
            a, b = pairs[:, 0], pairs[:, 1]
            out.append((label[a], mixed(hashed[a], hashed[b], np.full(len(a), n + 1))))
    return out
