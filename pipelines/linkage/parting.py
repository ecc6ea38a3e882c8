"""A history cut into parts, with what a memory already knows of its pairs.

Belongs here: weights of pairs looked up or computed, the parts that they make, the keys of the parts. Does not belong here: what ties two
parts (`parts`), what is decided in them (`anew`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pipelines.linkage import parts
from pipelines.linkage.blocking import Blocked, Shared, every, share
from pipelines.linkage.cases import Ties, orient, shared_bits, ties_of
from pipelines.linkage.decisions import LEAST_WEIGHT
from pipelines.linkage.hashing import mixed
from pipelines.linkage.judged import Held, held
from pipelines.linkage.memory import Memory
from pipelines.linkage.parts import ROUNDS, THEMSELVES, Prints
from pipelines.linkage.pieces import Frames, Setting, processes, shared
from pipelines.linkage.score import close_pairs
from pipelines.linkage.sharing import Groups
from pipelines.linkage.standardise import Records
from pipelines.resources.flat import looked_up, starts

# So many pairs of files are weighed at once, so that memory does not grow with history.
AT_ONCE = 50_000


@dataclass(frozen=True)
class Parted:
    """Number of the part per file and per person record; per part its key, and whether it is `open`: not decided yet, as a memory knows.
    `ties` are those within parts, `blocked` those within open ones. `files_apart` (`a, b, weight, citation`) and `persons_apart` (`left,
    right, weight`), both with the hash of the `pair`: pairs across parts that might be told. `known`: `persons`, `refused`, `pairs`,
    `files` of `Memory`, what is now known of pairs."""

    records: Records
    blocked: Blocked
    ties: Ties
    of_files: np.ndarray
    of_persons: np.ndarray
    keys: np.ndarray
    open: np.ndarray
    files_apart: pd.DataFrame
    persons_apart: pd.DataFrame
    known: dict[str, pd.DataFrame]


def part(records: Records, setting: Setting, judgements: pd.DataFrame | None, memory: Memory | None) -> Parted:
    """Cut `records` into parts. What `memory` knows of pairs is not computed again; without it the result is the same."""
    model, common = setting.model, setting.common
    records = replace(records, counts=common.counts, memo={})
    prints = parts.prints(records)
    blocks, ties = share(records.persons, refused=None if memory is None else memory.refused["value"].to_numpy()), ties_of(records)
    said = parts.tie_prints(ties, prints)
    helds = [held(judgements, entity, frame) for entity, frame in (("case", records.files), ("person", records.persons))]
    fresh = np.ones(len(records.persons), dtype=bool)
    if memory is not None:
        fresh = ~looked_up(prints.persons, memory.persons["print"].to_numpy())[1] | blocks.moved
    close = _close(records, blocks, setting, prints, fresh, memory)
    left, right, weight = (close[name].to_numpy() for name in ("left", "right", "weight"))
    alike = weight >= shared_bits(records, model)
    pairs = _candidates(records, left[alike], right[alike], ties)
    files = pd.DataFrame({"pair": _pair_prints(pairs, said, prints)})
    files[list(THEMSELVES)] = _weights(records, setting, pairs, files["pair"].to_numpy(), ties, memory)
    near = weight >= parts.least_between(records, model, common, parts.TIES)
    tied = (files[list(ROUNDS)] >= parts.TIES).any(axis=1).to_numpy()
    named = (pairs[tied], ties.cites[~ties.cites["near"]], ties.joins, ties.detained)
    of_files, of_persons = parts.label(
        records,
        [*(f[["a", "b"]].to_numpy("int64") for f in named), parts.held_pairs(helds[0])],
        [np.column_stack([left[near], right[near]]), parts.held_pairs(helds[1])],
    )
    said = said[of_files[said["a"].to_numpy()] == of_files[said["b"].to_numpy()]]
    content = [(of_files[said["a"].to_numpy()], said["print"].to_numpy()), *_said_by_stewards(helds, (of_files, of_persons), prints)]
    keys = parts.keys((of_files, of_persons), prints, content)
    # Of rows that are not fresh a memory has seen the pairs: these need not be made to know that they are the same.
    undecided = np.ones(len(keys), dtype=bool)
    if memory is not None:
        undecided = ~looked_up(keys, np.sort(memory.counts["part"].to_numpy()))[1]
        undecided[of_persons[fresh]] = True
    within = Blocked(*every(blocks.groups.within(np.where(undecided[of_persons], of_persons, -1)).pairs()), blocks.report)
    known = {
        "persons": pd.DataFrame({"print": np.sort(prints.persons)}),
        "refused": pd.DataFrame({"value": blocks.refused}),
        "pairs": pd.DataFrame({"left": prints.persons[left], "right": prints.persons[right], "weight": weight}),
        "files": files.sort_values("pair", ignore_index=True),
    }
    pairs = pairs.assign(pair=files["pair"], weight=files[ROUNDS[-1]], citation=files["citation"])
    pairs = pairs[of_files[pairs["a"].to_numpy()] != of_files[pairs["b"].to_numpy()]]
    close = close[of_persons[left] != of_persons[right]]
    close = close.assign(pair=mixed(prints.persons[close["left"].to_numpy()], prints.persons[close["right"].to_numpy()]))
    return Parted(records, within, replace(ties, part=of_files), of_files, of_persons, keys, undecided, pairs, close, known)


def _close(records: Records, shared_: Shared, setting: Setting, prints: Prints, fresh: np.ndarray, memory: Memory | None) -> pd.DataFrame:
    """`left, right, weight` of the pairs of persons that can matter across cases, in order. fresh: rows whose pairs no memory knows."""
    least = parts.least_between(records, setting.model, setting.common, LEAST_WEIGHT)
    least = min(shared_bits(records, setting.model), least)
    found, groups = [], shared_.groups
    if memory is not None:
        found.append(_remembered(memory.pairs, prints, fresh))
        groups = groups.of_rows(fresh)
    if setting.spark is not None:
        some = None if fresh.all() else fresh
        found.append(setting.spark.close(records.persons, groups, setting.model, setting.scorer, least, some))
        return _in_order(found)
    held = {
        "fresh": pd.DataFrame({"fresh": fresh}),
        "rows": pd.DataFrame({"row": groups.row}),
        "sizes": pd.DataFrame({"size": groups.sizes}),
    }
    many = int(np.count_nonzero(np.bincount(groups.row)))
    of = processes(setting, many)
    pieces = ({**held, "turn": pd.DataFrame({"turn": [n], "of": [of], "least": [least]})} for n in range(of))
    found.extend(one["pairs"] for one in shared(_weighed, pieces, setting, many))
    return _in_order(found)


def _in_order(found: list[pd.DataFrame]) -> pd.DataFrame:
    close = pd.concat(found, ignore_index=True).astype({"left": "int64", "right": "int64", "weight": "float64"})
    return close.iloc[np.lexsort((close["right"], close["left"]))].reset_index(drop=True)


def _weighed(frames: Frames, setting: Setting) -> Frames:
    """`pairs` (`left, right, weight`) of the persons of a piece that weigh enough, every so many chunks of them."""
    fresh = frames["fresh"]["fresh"].to_numpy()
    groups = Groups(frames["rows"]["row"].to_numpy(), starts(frames["sizes"]["size"].to_numpy()), len(fresh))
    number, of, least = frames["turn"].iloc[0]
    pairs = groups.pairs(None if fresh.all() else fresh, turn=(int(number), int(of)))
    return {"pairs": pd.DataFrame(dict(zip(("left", "right", "weight"), close_pairs(setting.scorer, pairs, least), strict=True)))}


def _remembered(pairs: pd.DataFrame, prints: Prints, fresh: np.ndarray) -> pd.DataFrame:
    """The pairs of a memory of which both rows are there, and neither is `fresh`."""
    order = np.argsort(prints.persons)
    sides, there = [], np.ones(len(pairs), dtype=bool)
    for name in ("left", "right"):
        place, found = looked_up(pairs[name].to_numpy(), prints.persons[order])
        there &= found
        sides.append(order[place])
        there &= ~fresh[sides[-1]]
    a, b = (side[there] for side in sides)
    return pd.DataFrame({"left": np.minimum(a, b), "right": np.maximum(a, b), "weight": pairs["weight"].to_numpy()[there]})


def _candidates(records: Records, left: np.ndarray, right: np.ndarray, ties: Ties) -> pd.DataFrame:
    """Pairs of files that a pair of persons or a reference names."""
    file = records.persons["file"].to_numpy()
    named = (ties.cites, ties.joins, ties.together)
    a = np.concatenate([file[left], *(frame["a"].to_numpy("int64") for frame in named)])
    b = np.concatenate([file[right], *(frame["b"].to_numpy("int64") for frame in named)])
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


def _weights(records: Records, setting: Setting, pairs: pd.DataFrame, codes: np.ndarray, ties: Ties, memory: Memory | None) -> np.ndarray:
    """What the two files of each pair say themselves: a row a pair, the columns of `THEMSELVES`."""
    found, new = np.zeros((len(pairs), len(THEMSELVES))), np.ones(len(pairs), dtype=bool)
    if memory is not None and len(memory.files):
        place, there = looked_up(codes, memory.files["pair"].to_numpy())
        found[there], new = memory.files[list(THEMSELVES)].to_numpy()[place[there]], ~there
    rows = np.flatnonzero(new)
    some = np.array_split(rows, max(len(rows) // AT_ONCE, 1))
    lean = parts.lean(records, setting.model)
    pieces = (parts.cut_to(lean, ties, pairs.iloc[chosen]) for chosen in some)
    for chosen, weighed in zip(some, shared(parts.own_weights, pieces, setting, len(rows)), strict=True):
        found[chosen] = weighed["weights"][list(THEMSELVES)].to_numpy()
    return found


def _said_by_stewards(helds: list[Held], labels: tuple[np.ndarray, np.ndarray], prints: Prints) -> list[tuple[np.ndarray, np.ndarray]]:
    out = []
    for one, label, hashed in zip(helds, labels, (prints.files, prints.persons), strict=True):
        for n, pairs in enumerate((one.same, one.apart)):
            a, b = pairs[:, 0], pairs[:, 1]
            out.append((label[a], mixed(hashed[a], hashed[b], np.full(len(a), n + 1))))
    return out
