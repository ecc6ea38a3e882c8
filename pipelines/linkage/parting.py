"""A history cut into parts, with what a memory already knows of its pairs.

Belongs here: weights of pairs looked up or computed, the parts that they make, the keys of the parts. Does not belong here: what ties two
parts (`parts`), what is decided in them (`anew`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pipelines.linkage import parts
from pipelines.linkage.blocking import Blocked, block
from pipelines.linkage.cases import Ties, orient, ties_of
from pipelines.linkage.common import Common
from pipelines.linkage.hashing import mixed
from pipelines.linkage.judged import Held, held
from pipelines.linkage.memory import Memory
from pipelines.linkage.model import Model
from pipelines.linkage.parts import Prints
from pipelines.linkage.score import likelihoods
from pipelines.linkage.standardise import Records


@dataclass(frozen=True)
class Parted:
    """Number of the part per file and per person record, key per part; `blocked` and `ties` are those within parts, `pairs_blocked` counts
    all. `persons`, `refused`, `pairs`, `files` of `Memory`: what is now known of pairs."""

    records: Records
    blocked: Blocked
    pairs_blocked: int
    ties: Ties
    of_files: np.ndarray
    of_persons: np.ndarray
    keys: np.ndarray
    known: dict[str, pd.DataFrame]


def part(records: Records, model: Model, judgements: pd.DataFrame | None, common: Common, memory: Memory | None) -> Parted:
    """Cut `records` into parts. What `memory` knows of pairs is not computed again; without it the result is the same."""
    records = replace(records, counts=common.counts)
    prints = parts.prints(records)
    blocked, ties = block(records.persons), ties_of(records)
    said = parts.tie_prints(ties, prints)
    helds = [held(judgements, entity, frame) for entity, frame in (("case", records.files), ("person", records.persons))]
    rows, weight = _close(records, blocked, model, common, prints, memory)
    pairs = _candidates(records, blocked, rows[weight >= model.cases["share_bits"]], ties)
    files = pd.DataFrame({"pair": _pair_prints(pairs, said, prints), "tied": False})
    files["tied"] = _tied(records, model, pairs, files["pair"].to_numpy(), ties, common, memory)
    near = rows[weight >= parts.least_between(records, model, common)]
    named = (pairs[files["tied"].to_numpy()], ties.cites[~ties.cites["near"]], ties.joins, ties.detained)
    of_files, of_persons = parts.label(
        records,
        [*(f[["a", "b"]].to_numpy("int64") for f in named), parts.held_pairs(helds[0])],
        [np.column_stack([blocked.left[near], blocked.right[near]]), parts.held_pairs(helds[1])],
    )
    inside = of_persons[blocked.left] == of_persons[blocked.right]
    within = replace(blocked, left=blocked.left[inside], right=blocked.right[inside])
    said = said[of_files[said["a"].to_numpy()] == of_files[said["b"].to_numpy()]]
    content = [
        (of_persons[within.left], mixed(prints.persons[within.left], prints.persons[within.right])),
        (of_files[said["a"].to_numpy()], said["print"].to_numpy()),
        *_said_by_stewards(helds, (of_files, of_persons), prints),
    ]
    known = {
        "persons": pd.DataFrame({"print": np.sort(prints.persons)}),
        "refused": pd.DataFrame({"value": blocked.refused}),
        "pairs": _sorted(pd.DataFrame({"pair": _of_pairs(blocked, rows, prints), "weight": weight})),
        "files": _sorted(files),
    }
    keys = parts.keys((of_files, of_persons), prints, content)
    return Parted(records, within, len(blocked.left), replace(ties, part=of_files), of_files, of_persons, keys, known)


def _sorted(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.sort_values("pair", ignore_index=True)


def _of_pairs(blocked: Blocked, rows: np.ndarray, prints: Prints) -> np.ndarray:
    return mixed(prints.persons[blocked.left[rows]], prints.persons[blocked.right[rows]])


def looked_up(wanted: np.ndarray, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each of `wanted` stands in the sorted `keys`, and whether it does."""
    if not len(keys):
        return np.zeros(len(wanted), dtype="int64"), np.zeros(len(wanted), dtype=bool)
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return place, keys[place] == wanted


def _close(
    records: Records, blocked: Blocked, model: Model, common: Common, prints: Prints, memory: Memory | None
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the blocked pairs that can matter across cases, and their match weights."""
    every = np.arange(len(blocked.left))
    weight = np.full(len(every), -np.inf)
    new = np.ones(len(every), dtype=bool)
    if memory is not None and np.isin(memory.refused["value"], blocked.refused).all():
        compared = looked_up(prints.persons, memory.persons["print"].to_numpy())[1]
        place, found = looked_up(_of_pairs(blocked, every, prints), memory.pairs["pair"].to_numpy())
        new = ~(compared[blocked.left] & compared[blocked.right])
        weight = np.where(found, memory.pairs["weight"].to_numpy()[place] if len(memory.pairs) else -np.inf, -np.inf)
    rows = np.flatnonzero(new)
    fresh = likelihoods(records.persons, blocked.left[rows], blocked.right[rows], model, common.frequencies)
    weight[rows] = fresh.weight
    kept = np.flatnonzero(weight >= min(model.cases["share_bits"], parts.least_between(records, model, common)))
    return kept, weight[kept]


def _candidates(records: Records, blocked: Blocked, rows: np.ndarray, ties: Ties) -> pd.DataFrame:
    """Pairs of files that a pair of persons or a reference names."""
    file = records.persons["file"].to_numpy()
    named = (ties.cites, ties.joins, ties.together)
    a = np.concatenate([file[blocked.left[rows]], *(frame["a"].to_numpy("int64") for frame in named)])
    b = np.concatenate([file[blocked.right[rows]], *(frame["b"].to_numpy("int64") for frame in named)])
    placed = (a >= 0) & (b >= 0)
    return orient(records, a[placed], b[placed])


def _pair_prints(pairs: pd.DataFrame, said: pd.DataFrame, prints: Prints) -> np.ndarray:
    """Hash of each pair of files, with what ties it."""
    a, b = pairs["a"].to_numpy(), pairs["b"].to_numpy()
    size = len(prints.files)
    codes, place = np.unique(np.minimum(a, b) * size + np.maximum(a, b), return_inverse=True)
    at, there = looked_up(said["a"].to_numpy() * size + said["b"].to_numpy(), codes)
    ties = np.zeros(len(codes), dtype="uint64")
    np.add.at(ties, at[there], said["print"].to_numpy()[there])
    return mixed(prints.files[a], prints.files[b], ties[place])


def _tied(
    records: Records, model: Model, pairs: pd.DataFrame, codes: np.ndarray, ties: Ties, common: Common, memory: Memory | None
) -> np.ndarray:
    """Which pairs of files tie their two files."""
    tied, new = np.zeros(len(pairs), dtype=bool), np.ones(len(pairs), dtype=bool)
    if memory is not None and len(memory.files):
        place, found = looked_up(codes, memory.files["pair"].to_numpy())
        tied[found], new = memory.files["tied"].to_numpy()[place[found]], ~found
    if new.any():
        fresh = pairs[new]
        files = np.unique(fresh.to_numpy())
        people = np.flatnonzero(np.isin(records.persons["file"].to_numpy(), files))
        number = np.full(len(records.files), -1)
        number[files] = np.arange(len(files))
        of_them = parts.cut_ties(ties, len(records.files), files, number)
        asked = pd.DataFrame({name: number[fresh[name].to_numpy()] for name in ("a", "b")})
        tied[new] = parts.tied_pairs(parts.cut(records, files, people), model, asked, of_them, common)
    return tied


def _said_by_stewards(helds: list[Held], labels: tuple[np.ndarray, np.ndarray], prints: Prints) -> list[tuple[np.ndarray, np.ndarray]]:
    out = []
    for one, label, hashed in zip(helds, labels, (prints.files, prints.persons), strict=True):
        for n, pairs in enumerate((one.same, one.apart)):
            a, b = pairs[:, 0], pairs[:, 1]
            out.append((label[a], mixed(hashed[a], hashed[b], np.full(len(a), n + 1))))
    return out
