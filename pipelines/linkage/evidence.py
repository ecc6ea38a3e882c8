"""What dates, seats, offences and sentences of two case files say about their being one case.

Belongs here: the levels of each kind of evidence, their shares among files surely of one case and among files at random, read
off the data at hand and steadied by the model. Does not belong here: references and persons (`references`, `cases`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipelines.linkage.model import Evidence, Model
from pipelines.linkage.standardise import Records

RANDOM_PAIRS = 4000
MOST_BITS = 6.0


def pair_type(files: pd.DataFrame, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """`institution-institution` per pair of files, as the pair stands."""
    names = files["institution"].to_numpy(dtype=object)
    return np.asarray(names[a] + "-" + names[b], dtype=object)


def levels(records: Records, pairs: pd.DataFrame, evidence: Evidence, edges: np.ndarray) -> np.ndarray:
    """Level of `evidence` per row of `pairs` (`a, b` files, `left, right` their best matching persons or -1); -1 where it says nothing."""
    first, second = _values(records, pairs, evidence.first, "a", "left"), _values(records, pairs, evidence.second, "b", "right")
    if evidence.kind == "gap":
        days = (second - first).astype("timedelta64[D]").astype("float64")
        days[np.isnat(first) | np.isnat(second)] = np.nan
        if evidence.either_way:
            days = np.abs(days)
        level = np.searchsorted(edges, days, side="right")
        return np.where(np.isnan(days), -1, level)
    known = (first != "") & (second != "")
    return np.where(known, (first != second).astype("int64"), -1)


def _values(records: Records, pairs: pd.DataFrame, column: str, file: str, person: str) -> np.ndarray:
    table, name = column.split(".")
    if table == "file":
        values, rows = records.files[name], pairs[file].to_numpy()
    else:
        values, rows = records.persons[name], pairs[person].to_numpy()
    if pd.api.types.is_datetime64_any_dtype(values):
        array = np.append(values.to_numpy(dtype="datetime64[D]"), np.datetime64("NaT"))
    else:
        array = np.append(values.astype("str").fillna("").to_numpy(dtype=object), "")
    return array[rows]  # row -1 is the missing value appended


class Weigher:
    """Bits per kind of evidence for pairs of files, with shares learned from `certain` pairs and random ones.

    `certain`: `a, b, left, right` as for `levels`, pairs surely of one case. Every share is that of the model, worth
    `evidence_worth` pairs, plus what was observed.
    """

    def __init__(self, records: Records, certain: pd.DataFrame, model: Model) -> None:
        self._records, self._model = records, model
        self._edges = np.array(model.edges, dtype="float64")
        self.observed: dict[str, int] = {}
        self.shares: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        kinds = pair_type(records.files, certain["a"].to_numpy(), certain["b"].to_numpy())
        random = {name: self._random(name) for name in {e.between for e in model.evidence}}
        for evidence in model.evidence:
            m, n = self._count(certain[kinds == evidence.between], evidence, evidence.m)
            u, _ = self._count(random[evidence.between], evidence, evidence.u)
            self.shares[evidence.name] = (m, u)
            self.observed[evidence.name] = n

    def _random(self, between: str) -> pd.DataFrame:
        """Random pairs of files of the two institutions, each with a random person; the same for the same files."""
        institution = self._records.files["institution"].to_numpy(dtype=object)
        draw = np.random.default_rng(0)
        sides = [np.flatnonzero(institution == name) for name in between.split("-")]
        if not len(sides[0]) or not len(sides[1]):
            return pd.DataFrame({"a": [], "b": [], "left": [], "right": []}, dtype="int64")
        a, b = (draw.choice(side, RANDOM_PAIRS) for side in sides)
        persons = self._records.persons
        some = persons.sample(frac=1.0, random_state=0).reset_index(names="row").drop_duplicates("file").set_index("file")["row"]
        left, right = (some.reindex(side).fillna(-1).astype("int64").to_numpy() for side in (a, b))
        return pd.DataFrame({"a": a, "b": b, "left": left, "right": right})[a != b]

    def _count(self, pairs: pd.DataFrame, evidence: Evidence, prior: tuple[float, ...]) -> tuple[np.ndarray, int]:
        level = levels(self._records, pairs, evidence, self._edges)
        counts = np.bincount(level[level >= 0], minlength=len(prior)).astype("float64")
        worth = self._model.cases["evidence_worth"]
        return (counts + worth * np.array(prior)) / (counts.sum() + worth), int(counts.sum())

    def bits(self, pairs: pd.DataFrame) -> pd.DataFrame:
        """Bits per kind of evidence (a column each) for `pairs` (`a, b, left, right`); of kinds in one family the first known counts."""
        found = pd.DataFrame(0.0, index=pairs.index, columns=[e.name for e in self._model.evidence])
        kinds = pair_type(self._records.files, pairs["a"].to_numpy(), pairs["b"].to_numpy())
        taken: dict[str, np.ndarray] = {}
        for evidence in self._model.evidence:
            rows = np.flatnonzero(kinds == evidence.between)
            if not len(rows):
                continue
            level = levels(self._records, pairs.iloc[rows], evidence, self._edges)
            m, u = self.shares[evidence.name]
            known = taken.setdefault(evidence.family, np.zeros(len(pairs), dtype=bool))
            use = (level >= 0) & ~known[rows]
            value = np.clip(np.log2(m) - np.log2(u), -MOST_BITS, MOST_BITS)
            found.iloc[rows[use], found.columns.get_loc(evidence.name)] = value[level[use]]  # type: ignore[index]
            known[rows[use]] = True
        return found
