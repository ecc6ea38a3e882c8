"""Evidence of dates, seats, offences and sentences that two case files are one case.

Belongs here: the levels of each kind of evidence, and how often pairs of files reach each level: pairs that are certainly one case, and
random pairs. These shares are estimated from the data, with the shares of the model as prior. Does not belong here: the evidence of
references and persons (`references`, `cases`).
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
    """Number the combinations of two institutions. Return the number of each pair of case files, and for each number the names of the two
    institutions, joined by `-`.
    """
    code, names = assign_institution_numbers(records)
    return code[first_files] * len(names) + code[second_files], [f"{one}-{other}" for one in names for other in names]


def assign_institution_numbers(records: LinkageRecords) -> tuple[np.ndarray, list[str]]:
    """Number the institutions. Return the number of the institution of each case file, and the names of the institutions by number."""
    code, names = records.compute_once("institutions", lambda: pd.factorize(records.files["institution"]))
    return code, [str(name) for name in names]


def find_evidence_levels(records: LinkageRecords, pairs: Columns, evidence: EvidenceKind, edges: np.ndarray) -> np.ndarray:
    """Return the level of `evidence` that each pair of case files reaches; -1 if one of the two values is missing.

    pairs: the files `a` and `b`, and the persons of these files who match best (`left` of `a`, `right` of `b`; -1 if there are none).
    edges: the numbers of days that separate the levels.
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
    """Return the values of a column of case files or persons for one side of each pair, as numbers (see `_read_column_as_numbers`)."""
    rows = np.asarray(pairs[file_side if column.startswith("file.") else person_side])
    values: np.ndarray = records.compute_once(("column", column), lambda: _read_column_as_numbers(records, column))
    return values[rows]  # row -1 is the missing value appended


def _read_column_as_numbers(records: LinkageRecords, column: str) -> np.ndarray:
    """Return the column `file.<column>` or `person.<column>` as numbers, with a missing value as additional last element.

    A missing day is NaN, and a missing text is -1. Equal texts have the same number, also in different columns.
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
    """Pairs of case files that are certainly of one case (`same`), and pairs that are certainly of different cases of one person (`again`).

    The columns are a, b, left and right, as for `find_evidence_levels`.
    """

    same: pd.DataFrame
    again: pd.DataFrame


def count_evidence_levels(
    records: LinkageRecords, certain_pairs: CertainCaseFilePairs, evidence: EvidenceKind, edges: np.ndarray
) -> dict[str, np.ndarray]:
    """Count how many pairs of case files reach each level of `evidence`.

    In the result, `m` has the counts of the pairs of one case, `again` those of pairs of different cases of one person, and `u` those of
    random pairs.
    """
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
    """Draw random pairs of case files of two institutions, with a random person of each file.

    The same records always give the same pairs.
    """
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
    """Draw one random person record of each case file. Return the row of the person record, indexed by the row of the file."""

    def draw_person_rows() -> pd.Series:
        shuffled = records.persons.sample(frac=1.0, random_state=0).reset_index(names="row")
        return shuffled.drop_duplicates("file").set_index("file")["row"]

    person_of_file: pd.Series = records.compute_once("some_person", draw_person_rows)
    return person_of_file


@dataclass(frozen=True)
class EvidenceShares:
    """How often pairs of case files reach each level of each kind of evidence.

    levels: for each kind of evidence, the shares of its levels among pairs of one case (`m`), pairs of different cases of one person
    (`again`) and random pairs (`u`). observed: for each kind of evidence, the number of pairs from which `m` was estimated.
    """

    levels: dict[str, dict[str, np.ndarray]]
    observed: dict[str, int]


def estimate_evidence_shares(records: LinkageRecords, certain_pairs: CertainCaseFilePairs, model: LinkageModel) -> EvidenceShares:
    """Estimate the shares of the levels of evidence from the counts in the data and the shares of the model.

    The shares of the model count like the observation of `evidence_worth` further pairs.
    """
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
    """Weighs the evidence of dates and codes for pairs of case files: computes the bits of each kind of evidence."""

    def __init__(self, records: LinkageRecords, shares: EvidenceShares, model: LinkageModel) -> None:
        self._records, self._model = records, model
        self._edges = np.array(model.edges, dtype="float64")
        self.shares = shares.levels

    def weigh_evidence(self, pairs: pd.DataFrame, share_person: np.ndarray) -> pd.DataFrame:
        """Return the evidence of dates and codes for each of `pairs`. Columns: pair (row of `pairs`), name (kind of evidence), bits.

        The kinds of evidence are divided into families. In each family the first kind of which a pair has both values counts; later kinds
        count only to the extent that the values of this kind may be clerical errors. share_person: for each pair, whether its files have a
        person in common. If they do, the alternative to one case is another case of that person, and not a random case.
        """
        parts = []
        ratio_by_family: dict[str, np.ndarray] = {}  # for each family, the likelihood ratio of the later kinds in it
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
            # Few pairs of different cases of one person are observed, so it is assumed that they reach a level at least as often as random
            # pairs.
            repeated = np.maximum(share["again"], share["u"])
            other = np.where(share_person[rows[use]], repeated[level[use]], share["u"][level[use]])
            # After a clerical error, files of one case reach each level as often as by chance. Then the next kind of evidence counts.
            likelier = ratio_by_family.setdefault(evidence.family, np.ones(len(pairs)))
            likelier[rows[use]] = (1 - slip) * share["m"][level[use]] / other + slip * likelier[rows[use]]
            kind_by_family.setdefault(evidence.family, np.full(len(pairs), -1))[rows[use]] = number
        names = np.array([evidence.name for evidence in self._model.evidence], dtype=object)
        for family, likelier in ratio_by_family.items():
            rows = np.flatnonzero(kind_by_family[family] >= 0)
            bits = np.clip(np.log2(likelier[rows]), -MAX_BITS, MAX_BITS)
            parts.append(pd.DataFrame({"pair": rows, "name": names[kind_by_family[family][rows]], "bits": bits}))
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame({"pair": [], "name": [], "bits": []})
