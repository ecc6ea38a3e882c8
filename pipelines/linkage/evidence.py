"""Evidence of dates, seats, offences and sentences that two case files are one case.

Belongs here: the levels of each kind of evidence; their shares among files that are certainly of one case, and among random files,
estimated from the data with the model as prior. Does not belong here: references and persons (`references`, `cases`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.linkage.model import EvidenceKind, LinkageModel
from pipelines.linkage.standardise import LinkageRecords
from pipelines.resources.integer_arrays import RowIndexByOwner

RANDOM_PAIRS = 4000
MAX_BITS = 6.0
Columns = pd.DataFrame | dict[str, np.ndarray]


def assign_institution_pair_numbers(
    records: LinkageRecords, first_files: np.ndarray, second_files: np.ndarray
) -> tuple[np.ndarray, list[str]]:
    """Return a number for each pair of files that stands for its two institutions, and the kinds `institution-institution` by this
    number.
    """
    code, names = assign_institution_numbers(records)
    return code[first_files] * len(names) + code[second_files], [f"{one}-{other}" for one in names for other in names]


def assign_institution_numbers(records: LinkageRecords) -> tuple[np.ndarray, list[str]]:
    """Return the number of the institution of each file, and the names of the institutions."""
    code, names = records.compute_once("institutions", lambda: pd.factorize(records.files["institution"]))
    return code, [str(name) for name in names]


def find_evidence_levels(records: LinkageRecords, pairs: Columns, evidence: EvidenceKind, edges: np.ndarray) -> np.ndarray:
    """Return the level of `evidence` for each row of `pairs`; -1 if a value is missing.

    pairs: files `a, b`, and their best matching persons `left, right`, or -1.
    """
    first, second = (
        _read_evidence_values(records, pairs, evidence.first, "a", "left"),
        _read_evidence_values(records, pairs, evidence.second, "b", "right"),
    )
    if evidence.kind == "gap":
        days = np.abs(second - first) if evidence.either_way else second - first
        return np.where(np.isnan(days), -1, np.searchsorted(edges, days, side="right"))
    return np.where((first >= 0) & (second >= 0), (first != second).astype("int64"), -1)


def _read_evidence_values(records: LinkageRecords, pairs: Columns, column: str, file_side: str, person_side: str) -> np.ndarray:
    rows = np.asarray(pairs[file_side if column.startswith("file.") else person_side])
    values: np.ndarray = records.compute_once(("column", column), lambda: _read_column_as_numbers(records, column))
    return values[rows]  # row -1 is the missing value appended


def _read_column_as_numbers(records: LinkageRecords, column: str) -> np.ndarray:
    """Return the column `file.<column>` or `person.<column>` as numbers, with a missing value appended.

    Missing days are NaN, missing texts -1. Equal texts have the same number in all columns.
    """
    table, name = column.split(".")
    values = (records.files if table == "file" else records.persons)[name]
    if pd.api.types.is_datetime64_any_dtype(values):
        days = values.to_numpy(dtype="datetime64[D]")
        return np.append(np.where(np.isnat(days), np.nan, days.astype("int64").astype("float64")), np.nan)
    words: dict[str, int] = records.compute_once("words", dict)
    code, texts = pd.factorize(values.astype("str"))
    known = np.array([words.setdefault(text, len(words)) if text else -1 for text in texts] + [-1], dtype="int64")
    return np.append(known[code], -1)


@dataclass(frozen=True)
class CertainCaseFilePairs:
    """Pairs of files (`a, b, left, right` as for `find_evidence_levels`) that are certainly of one case (`same`), or of different cases of
    one person (`again`).
    """

    same: pd.DataFrame
    again: pd.DataFrame


def count_evidence_levels(
    records: LinkageRecords, certain_pairs: CertainCaseFilePairs, evidence: EvidenceKind, edges: np.ndarray
) -> dict[str, np.ndarray]:
    """Count each level of `evidence` among the pairs `same` (`m`), the pairs `again` (`again`), and random pairs (`u`)."""
    out = {}
    for share, pairs in (("m", certain_pairs.same), ("again", certain_pairs.again)):
        kinds, names = assign_institution_pair_numbers(records, pairs["a"].to_numpy("int64"), pairs["b"].to_numpy("int64"))
        is_of_kind = kinds == names.index(evidence.between) if evidence.between in names else np.zeros(len(pairs), dtype=bool)
        out[share] = _count_evidence_levels_of_pairs(records, pairs[is_of_kind], evidence, edges)
    chance = ("chance", evidence, edges.tobytes())  # the same in every round
    out["u"] = records.compute_once(
        chance, lambda: _count_evidence_levels_of_pairs(records, _draw_random_case_file_pairs(records, evidence.between), evidence, edges)
    )
    return out


def _count_evidence_levels_of_pairs(records: LinkageRecords, pairs: pd.DataFrame, evidence: EvidenceKind, edges: np.ndarray) -> np.ndarray:
    level = find_evidence_levels(records, pairs, evidence, edges)
    return np.bincount(level[level >= 0], minlength=len(evidence.m)).astype("float64")


def _draw_random_case_file_pairs(records: LinkageRecords, institution_pair: str) -> pd.DataFrame:
    """Draw random pairs of files of two institutions, each with a random person. The result is reproducible for the same files."""
    institution = records.files["institution"].to_numpy(dtype=object)
    draw = np.random.default_rng(0)
    sides = [np.flatnonzero(institution == name) for name in institution_pair.split("-")]
    if not len(sides[0]) or not len(sides[1]):
        return pd.DataFrame({"a": [], "b": [], "left": [], "right": []}, dtype="int64")
    a, b = (draw.choice(side, RANDOM_PAIRS) for side in sides)
    person_of_file = _draw_person_of_each_file(records)
    left, right = (person_of_file.reindex(side).fillna(-1).astype("int64").to_numpy() for side in (a, b))
    return pd.DataFrame({"a": a, "b": b, "left": left, "right": right})[a != b]


def _draw_person_of_each_file(records: LinkageRecords) -> pd.Series:
    """Draw one person record of each file. Return the row of the record, by file."""

    def draw_person_rows() -> pd.Series:
        shuffled = records.persons.sample(frac=1.0, random_state=0).reset_index(names="row")
        return shuffled.drop_duplicates("file").set_index("file")["row"]

    person_of_file: pd.Series = records.compute_once("some_person", draw_person_rows)
    return person_of_file


@dataclass(frozen=True)
class EvidenceShares:
    """The shares of the levels of each kind of evidence (`m`, `again`, `u`).

    observed: the number of certain pairs from which `m` was estimated.
    """

    levels: dict[str, dict[str, np.ndarray]]
    observed: dict[str, int]


def estimate_evidence_shares(records: LinkageRecords, certain_pairs: CertainCaseFilePairs, model: LinkageModel) -> EvidenceShares:
    """Estimate the shares of evidence: the shares of the model, weighted as `evidence_worth` pairs, plus the observed counts."""
    edges = np.array(model.edges, dtype="float64")
    shares: dict[str, dict[str, np.ndarray]] = {}
    observed: dict[str, int] = {}
    worth = model.cases["evidence_worth"]
    for evidence in model.evidence:
        counts = count_evidence_levels(records, certain_pairs, evidence, edges)
        priors = {"m": evidence.m, "again": evidence.again, "u": evidence.u}
        shares[evidence.name] = {s: (n + worth * np.array(priors[s])) / (n.sum() + worth) for s, n in counts.items()}
        observed[evidence.name] = int(counts["m"].sum())
    return EvidenceShares(shares, observed)


class EvidenceWeigher:
    """Weighs the evidence for pairs of files in bits: one weight for each kind of evidence."""

    def __init__(self, records: LinkageRecords, shares: EvidenceShares, model: LinkageModel) -> None:
        self._records, self._model = records, model
        self._edges = np.array(model.edges, dtype="float64")
        self.shares = shares.levels

    def weigh_evidence(self, pairs: pd.DataFrame, share_person: np.ndarray) -> pd.DataFrame:
        """Return the evidence on `pairs` (`a, b, left, right`). Columns: pair (row of `pairs`), name, bits.

        In each family only the first kind that is known counts. share_person: whether each pair shares a person. If it does,
        the alternative to one case is another case of that person, not a random case.
        """
        parts = []
        ratio_by_family: dict[str, np.ndarray] = {}  # by family: likelihood ratio of its later kinds
        kind_by_family: dict[str, np.ndarray] = {}
        columns = {name: pairs[name].to_numpy() for name in ("a", "b", "left", "right")}
        kinds, kind_names = assign_institution_pair_numbers(self._records, columns["a"], columns["b"])
        of_kind = RowIndexByOwner(kinds, len(kind_names))
        number_of = {name: n for n, name in enumerate(kind_names)}
        for number, evidence in reversed(list(enumerate(self._model.evidence))):
            if evidence.between not in number_of:
                continue
            _, rows = of_kind.find_rows_of_owners(np.array([number_of[evidence.between]]))
            if not len(rows):
                continue
            level = find_evidence_levels(self._records, {name: values[rows] for name, values in columns.items()}, evidence, self._edges)
            share = self.shares[evidence.name]
            slip = self._model.cases["slip"] if evidence.slip is None else evidence.slip
            use = np.flatnonzero(level >= 0)
            # Another case of the same person reaches any level at least as often as a random case: few such pairs are observed.
            repeated = np.maximum(share["again"], share["u"])
            other = np.where(share_person[rows[use]], repeated[level[use]], share["u"][level[use]])
            # A clerical error makes any level possible within a case, as often as by chance; then the next kind of evidence counts.
            likelier = ratio_by_family.setdefault(evidence.family, np.ones(len(pairs)))
            likelier[rows[use]] = (1 - slip) * share["m"][level[use]] / other + slip * likelier[rows[use]]
            kind_by_family.setdefault(evidence.family, np.full(len(pairs), -1))[rows[use]] = number
        names = np.array([evidence.name for evidence in self._model.evidence], dtype=object)
        for family, likelier in ratio_by_family.items():
            rows = np.flatnonzero(kind_by_family[family] >= 0)
            bits = np.clip(np.log2(likelier[rows]), -MAX_BITS, MAX_BITS)
            parts.append(pd.DataFrame({"pair": rows, "name": names[kind_by_family[family][rows]], "bits": bits}))
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame({"pair": [], "name": [], "bits": []})
