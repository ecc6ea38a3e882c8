"""Deciding on the parts that no memory knows, and putting old and new together.

Belongs here: what is remembered of a part, and how it comes back. Does not belong here: parts (`parting`), deciding (`solving`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pipelines.linkage import parts
from pipelines.linkage.across import across
from pipelines.linkage.blocking import Blocked
from pipelines.linkage.cases import Ties
from pipelines.linkage.cluster import numbered
from pipelines.linkage.decisions import IN_DOUBT, against_rules, told
from pipelines.linkage.drift import alike
from pipelines.linkage.memory import Memory
from pipelines.linkage.parting import Parted
from pipelines.linkage.pieces import Frames, Setting, packed, shared, unpacked
from pipelines.linkage.solving import Solved, rounds
from pipelines.resources.flat import Rows, looked_up

# So many records are decided on at once, so that memory does not grow with history.
BATCH = 30_000
COUNTS = ("person_pairs_compared", "case_pairs_compared", "case_pairs_in_doubt", "person_pairs_in_doubt")


@dataclass(frozen=True)
class Together:
    """Cluster per file and per person record, what is told and pairs against a rule (see `decisions`), pairs found `alike` (see `drift`),
    counts, and the memory for the next run. `solved`: parts decided in this one."""

    cases: np.ndarray
    persons: np.ndarray
    told: pd.DataFrame
    against: pd.DataFrame
    alike: pd.DataFrame
    counts: dict[str, int]
    memory: Memory
    solved: int


class Places:
    """From part and place within it to rows: of files and, at `True`, of persons."""

    def __init__(self, parted: Parted) -> None:
        self.part = {False: parted.of_files, True: parted.of_persons}
        self.rank = {person: parts.rank(part) for person, part in self.part.items()}
        self._rows = {person: Rows(part, len(parted.keys)) for person, part in self.part.items()}

    def rows(self, person: np.ndarray, part: np.ndarray, rank: np.ndarray) -> np.ndarray:
        """The row of each record, of a person where `person` holds, else of a file."""
        out = np.empty(len(part), dtype="int64")
        for which, rows in self._rows.items():
            mine = person == which
            out[mine] = rows.at(part[mine], rank[mine])
        return out


def decide(parted: Parted, setting: Setting, judgements: pd.DataFrame | None, memory: Memory | None) -> Together:
    """Decide on the parts that are open; take the others from `memory`."""
    places = Places(parted)
    batches = list(_batches(parted, np.flatnonzero(parted.open)))
    lean = replace(parted, records=parts.lean(parted.records, setting.model))
    pieces = (_piece(lean, places, files, persons, judgements) for files, persons in batches)
    made = list(shared(decided, pieces, setting, sum(len(persons) for _, persons in batches)))
    new = {name: pd.concat([frames[name] for frames in made], ignore_index=True) for name in made[0]}
    if memory is not None:
        kept = np.sort(parted.keys[~parted.open])
        new = {name: pd.concat([frame, _of(getattr(memory, name), kept)], ignore_index=True) for name, frame in new.items()}
    return _together(parted, places, new, setting, memory)


def _together(parted: Parted, places: Places, found: Frames, setting: Setting, memory: Memory | None) -> Together:
    """All parts, those of a memory too, and what is told across them."""
    order = np.argsort(parted.keys)
    part = {name: order[looked_up(frame["part"].to_numpy(), parted.keys[order])[0]] for name, frame in found.items()}

    def at(name: str, column: str, person: np.ndarray) -> np.ndarray:
        return places.rows(person, part[name], found[name][column].to_numpy())

    case, people = _clusters(places, part["records"], found["records"])
    neither = np.zeros(len(found["cited"]), dtype=bool)
    cited = found["cited"][["weight"]].assign(**{side: at("cited", side, neither) for side in "ab"})
    apart = across(parted, setting, cited, memory)
    of_persons = found["decisions"]["person"].to_numpy()
    within = found["decisions"].drop(columns="part").assign(**{side: at("decisions", side, of_persons) for side in "ab"})
    every = pd.concat([within, apart.told], ignore_index=True)
    against, alike_ = (
        found[name].drop(columns="part").assign(**{side: at(name, side, np.ones(len(found[name]), dtype=bool)) for side in "ab"})
        for name in ("against", "alike")
    )
    counts = {name: int(found["counts"][name].sum()) for name in COUNTS}
    return Together(
        cases=case,
        persons=people,
        told=every.iloc[np.lexsort((every["b"], every["a"], every["person"]))].reset_index(drop=True),
        against=against.sort_values(["a", "b"], ignore_index=True),
        alike=alike_,
        counts=counts
        | {
            "case_pairs_in_doubt": counts["case_pairs_in_doubt"] + apart.cases_in_doubt,
            "person_pairs_in_doubt": counts["person_pairs_in_doubt"] + apart.persons_in_doubt,
        },
        memory=Memory(**parted.known, apart=apart.apart, **found),
        solved=int(parted.open.sum()),
    )


def _batches(parted: Parted, chosen: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The files and persons of the parts `chosen`, in batches of whole parts; at least one batch, if an empty one."""
    sizes = np.bincount(parted.of_files, minlength=len(parted.keys)) + np.bincount(parted.of_persons, minlength=len(parted.keys))
    batch = np.full(len(parted.keys), -1)
    batch[chosen] = np.cumsum(sizes[chosen]) // BATCH
    for number in np.unique(batch[chosen]) if len(chosen) else [0]:
        yield np.flatnonzero(batch[parted.of_files] == number), np.flatnonzero(batch[parted.of_persons] == number)


def _of(frame: pd.DataFrame, kept: np.ndarray) -> pd.DataFrame:
    return frame[looked_up(frame["part"].to_numpy(), kept)[1]]


def _piece(parted: Parted, places: Places, files: np.ndarray, persons: np.ndarray, judgements: pd.DataFrame | None) -> Frames:
    """The records in `files` and `persons`, whole parts, with all that deciding on them needs: `left, right` of the pairs blocked, and the
    key of the part and the rank in it of files and persons."""
    number = np.full(len(parted.of_persons), -1)
    number[persons] = np.arange(len(persons))
    left, right = number[parted.blocked.left], number[parted.blocked.right]
    there = left >= 0
    of_files, of_persons = (
        pd.DataFrame({"part": parted.keys[places.part[person][rows]], "rank": places.rank[person][rows]})
        for person, rows in ((False, files), (True, persons))
    )
    return {
        **packed(parts.cut(parted.records, files, persons), parts.cut_ties(parted.ties, len(parted.of_files), files), persons),
        "blocked": pd.DataFrame({"left": left[there], "right": right[there]}),
        "of_files": of_files,
        "of_persons": of_persons,
        **({} if judgements is None else {"judgements": judgements}),
    }


def decided(piece: Frames, setting: Setting) -> Frames:
    """`records`, `decisions`, `against`, `alike`, `cited` and `counts` of a memory, of a piece of whole parts."""
    keys, number = np.unique(np.concatenate([piece[name]["part"].to_numpy() for name in ("of_files", "of_persons")]), return_inverse=True)
    part = {False: number[: len(piece["of_files"])], True: number[len(piece["of_files"]) :]}
    rank = {False: piece["of_files"]["rank"].to_numpy(), True: piece["of_persons"]["rank"].to_numpy()}
    records, ties = unpacked(piece, setting, part[False])
    blocked = Blocked(piece["blocked"]["left"].to_numpy(), piece["blocked"]["right"].to_numpy(), pd.DataFrame())
    solved, _ = rounds(records, blocked, setting.model, piece.get("judgements"), setting.common, ties)

    def kept(pairs: pd.DataFrame, person: np.ndarray) -> pd.DataFrame:
        """`pairs` with the key of their part, and ranks in place of rows."""
        of_part = np.zeros(len(pairs), dtype="int64")
        sides = {side: np.zeros(len(pairs), dtype="int64") for side in "ab"}
        for which in part:
            mine = person == which
            of_part[mine] = part[which][pairs["a"].to_numpy()[mine]]
            for side in "ab":
                sides[side][mine] = rank[which][pairs[side].to_numpy()[mine]]
        return pairs.assign(part=keys[of_part], **sides)

    clusters = {False: solved.cases.cluster, True: solved.persons.cluster}
    placed = [
        pd.DataFrame({"part": keys[part[person]], "person": person, "rank": rank[person], "cluster": clusters[person]}) for person in part
    ]
    said = told(records, solved.people, solved.cases, solved.persons)
    against, cited = against_rules(solved.people, solved.persons), _cited(solved, ties)
    found = alike(records, solved.people, solved.persons.cluster)
    return {
        "records": pd.concat(placed, ignore_index=True),
        "decisions": kept(said, said["person"].to_numpy(dtype=bool)),
        "against": kept(against, np.ones(len(against), dtype=bool)),
        "alike": kept(found, np.ones(len(found), dtype=bool)),
        "cited": kept(cited, np.zeros(len(cited), dtype=bool)),
        "counts": _counted(keys, solved, part[False], part[True]),
    }


def _cited(solved: Solved, ties: Ties) -> pd.DataFrame:
    """`a, b, weight` of the pairs of files of which one cites the other, but for what third files say."""
    pairs, exact = solved.cases.pairs, ties.cites[~ties.cites["near"]]
    size = max(len(solved.records.files), 1)
    a, b = pairs["a"].to_numpy("int64"), pairs["b"].to_numpy("int64")
    named = (exact["a"] * size + exact["b"]).to_numpy()
    found = pairs.loc[np.isin(a * size + b, named) | np.isin(b * size + a, named), ["a", "b", "weight", "another"]]
    return found.assign(weight=found["weight"] - found["another"]).drop(columns="another")


def _counted(keys: np.ndarray, solved: Solved, of_files: np.ndarray, of_persons: np.ndarray) -> pd.DataFrame:
    """Counts by part."""
    of_pairs, of_case_pairs = of_persons[solved.people.left], of_files[solved.cases.pairs["a"].to_numpy("int64")]
    doubt = np.abs(solved.cases.pairs["weight"].to_numpy("float64")) < IN_DOUBT
    unsure = np.abs(solved.persons.weight) < IN_DOUBT
    tallies = (of_pairs, of_case_pairs, of_case_pairs[doubt], of_pairs[unsure])
    counts = {name: np.bincount(tally, minlength=len(keys)) for name, tally in zip(COUNTS, tallies, strict=True)}
    return pd.DataFrame({"part": keys, **counts})


def _clusters(places: Places, part: np.ndarray, records: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Cluster per file and per person record, numbered in the order of their first record. part: of each row of `records`."""
    out = []
    for person, of_records in places.part.items():
        mine = (records["person"] == person).to_numpy()
        local = np.full(len(of_records), -1)
        rank = records["rank"].to_numpy()[mine]
        local[places.rows(np.full(len(rank), person), part[mine], rank)] = records["cluster"].to_numpy()[mine]
        if (local < 0).any() or mine.sum() != len(local):
            raise ValueError(
                "the memory of linkage does not hold the records that it says it holds: remove lake/linkage_memory and run again"
            )
        out.append(numbered(of_records * (local.max(initial=0) + 1) + local))
    return out[0], out[1]
