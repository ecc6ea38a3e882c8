"""Match weights of pairs and decisions of linkage, for explanations.

Belongs here: match weights by field, computed for single pairs with the linkage model from the canonical tables; the stored decisions of
the last run; how similar two groups of records are. Linkage itself is not run. Does not belong here: texts and layout.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from pipelines.linkage.common_statistics import find_early_part_of_history
from pipelines.linkage.compare import MISSING_LEVEL, compare_field_values, read_column_values
from pipelines.linkage.model import ComparedField, LinkageModel, load_linkage_model
from pipelines.linkage.persons import (
    are_persons_in_one_case_file,
    compute_prior_odds_between_cases,
    compute_prior_odds_within_case,
    lack_identifying_values,
)
from pipelines.linkage.score import (
    EXCHANGED_FIELDS,
    Likelihoods,
    TokenFrequencies,
    compute_likelihoods,
    compute_token_frequencies,
    encode_persons,
)
from pipelines.linkage.standardise import LinkageRecords, build_linkage_records, read_linkage_columns
from schemas.canonical import TABLES

Key = tuple[str, str]
"""A record: its institution and its record key."""
THRESHOLD = 0.0
"""Match weight in bits above which two groups are joined. Zero means even odds."""
HARD_RULE_WEIGHT = -100.0
"""In bits: a stored match weight below this shows that a hard rule keeps the pair apart."""
MAX_GROUP_PAIRS = 400
CALIBRATION_PAIRS = 40
"""Number of pairs of the last run from which its prior odds are derived."""
ROUNDING_TOLERANCE = 0.05
"""Allowed difference in bits between stored and computed weights, since stored weights are rounded to hundredths."""
_PERSONAL = {c.name for c in TABLES["person_records"] if c.personal} | {"given", "surname", "parent", "number"}
_REASON_PATTERN = re.compile(r"(\S+) ([+-]\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class FieldWeight:
    """How the two person records of a pair compare in one field.

    level: how similar the values are; None if one record has no value. bits: the match weight of the field. values: the two values as
    text. personal: whether the values identify a person. exchanged: whether the given name of one record is the surname of the other and
    the reverse. shared_by_family: whether the values agree but have no weight, because families share them and the first names differ.
    """

    name: str
    level: str | None
    bits: float
    values: tuple[str, str]
    personal: bool
    exchanged: bool = False
    shared_by_family: bool = False


@dataclass(frozen=True)
class PairWeight:
    """The match weight of a pair of person records: the prior odds in bits, and the weight of each field.

    same_case: whether both records are in files of one case. one_file: whether both are in one case file, so that they are different
    persons.
    """

    a: Key
    b: Key
    prior: float
    same_case: bool
    fields: tuple[FieldWeight, ...]
    one_file: bool
    unidentifiable: bool  # one record has no identifying data: it is never linked

    @property
    def total(self) -> float:
        """The sum of the prior odds and the weights of all fields, in bits. Hard rules are disregarded."""
        return self.prior + sum(f.bits for f in self.fields)


@dataclass(frozen=True)
class PairDecision:
    """The decision of the last run on a pair of records.

    weight: match weight in bits. joined: whether the two were joined. reasons: each kind of evidence with its bits.
    """

    a: Key
    b: Key
    weight: float
    joined: bool
    reasons: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class GroupSimilarity:
    """How similar two groups of person records are.

    rule: a pair of records that cannot be one person because one case file contains both; None if there is no such pair. best: the
    greatest weight of a pair, in bits. average: the sum of the weights of all fields, each averaged over the pairs. combined: the weight
    of the two groups, from `best` and `average`. pairs: number of pairs compared.
    """

    rule: tuple[Key, Key] | None
    best: float
    average: float
    combined: float
    pairs: int


def select_pair_decisions(frame: pd.DataFrame, entity: str, keys: Iterable[Key], *, inside: bool) -> list[PairDecision]:
    """Select the decisions on pairs of records of `entity`, greatest weight first.

    frame: the decisions of the last run. inside: whether to select pairs of which both records are in `keys`, or pairs of which exactly
    one record is.
    """
    requested = pd.MultiIndex.from_tuples(list(keys), names=["institution", "key"])
    rows = frame[frame["entity"] == entity]
    a = pd.MultiIndex.from_arrays([rows["institution_a"], rows["key_a"]]).isin(requested)
    b = pd.MultiIndex.from_arrays([rows["institution_b"], rows["key_b"]]).isin(requested)
    rows = rows[(a & b) if inside else (a ^ b)].sort_values("weight", ascending=False, kind="stable")
    return [_make_pair_decision(row) for row in rows.to_dict("records")]


def _make_pair_decision(row: Mapping[Any, Any]) -> PairDecision:
    reasons = tuple((name, float(bits)) for name, bits in _REASON_PATTERN.findall(str(row["reasons"])))
    a, b = (str(row["institution_a"]), str(row["key_a"])), (str(row["institution_b"]), str(row["key_b"]))
    return PairDecision(a, b, float(row["weight"]), row["decision"] == "joined", reasons)


def describe_evidence_kinds() -> dict[str, str]:
    """Return for each kind of evidence between two case files its description, derived from the linkage model."""
    out: dict[str, str] = {}
    for evidence in load_linkage_model().evidence:
        first, second = (part.split(".")[1].replace("_", " ") for part in (evidence.first, evidence.second))
        comparison = f"{first} equal or not" if first == second else first
        meaning = f"days {first} → {second}" if evidence.kind == "gap" else comparison
        out.setdefault(evidence.name.split(":")[0], meaning)
    return out


class LinkageWeights:
    """Computes match weights of pairs of the person records of a home."""

    def __init__(
        self, canonical: dict[str, pd.DataFrame], cases: pd.DataFrame, decisions: pd.DataFrame, model: LinkageModel | None = None
    ) -> None:
        """Prepare the records for comparison.

        canonical: the canonical tables. cases: the case (`cluster`) of each file, with institution, record_key and cluster. decisions:
        the decisions of the last run. model: the linkage model; None for the one in use.
        """
        self.model = model or load_linkage_model()
        self._decisions = decisions
        tables = read_linkage_columns(canonical)
        self._records: LinkageRecords = build_linkage_records(tables)
        sample = find_early_part_of_history(tables)
        self._frequency_records = (
            build_linkage_records(sample.take_early_rows(tables)).persons if sample else self._records.persons
        )  # the records of the run's frequencies
        self._persons = self._records.persons
        index = pd.MultiIndex.from_frame(self._persons[["institution", "record_key"]])
        self._rows = {key: n for n, key in enumerate(index.to_flat_index())}
        case_of_file = cases.drop_duplicates(["institution", "record_key"]).set_index(["institution", "record_key"])["cluster"]
        linked_files = case_of_file.reindex(pd.MultiIndex.from_frame(self._records.files[["institution", "record_key"]])).to_numpy(
            "float64"
        )
        file = self._persons["file"].to_numpy()
        unlinked_files = -1.0 - np.arange(len(file))
        self._case = np.where(file >= 0, linked_files[file] if len(linked_files) else unlinked_files, unlinked_files)
        self._case = np.where(np.isnan(self._case), unlinked_files, self._case)

    def __contains__(self, key: Key) -> bool:
        return key in self._rows

    @cached_property
    def _token_frequencies(self) -> TokenFrequencies:
        """How often the parts of names occur, which the match weights of names depend on."""
        return compute_token_frequencies(encode_persons(self._frequency_records, self.model), self.model)

    @cached_property
    def _prior_between_cases(self) -> tuple[float, bool]:
        """The prior odds in bits that two records of different cases are one person, and whether the last run used the same model.

        A run estimates these odds from how many persons occur in several cases. Here they are derived from the weights that it stored: a
        stored weight minus the weights of the fields. If the results differ from pair to pair, the run used another model.
        """
        rows = self._decisions[(self._decisions["entity"] == "person") & (self._decisions["weight"] > HARD_RULE_WEIGHT)]
        left, right = (
            np.array([self._rows.get(key, -1) for key in zip(rows[f"institution_{s}"], rows[f"key_{s}"], strict=True)], dtype="int64")
            for s in ("a", "b")
        )
        usable = np.flatnonzero((left >= 0) & (right >= 0))
        usable = usable[self._case[left[usable]] != self._case[right[usable]]][:CALIBRATION_PAIRS]
        if not len(usable):
            return compute_prior_odds_between_cases(self._records, self.model.persons, self.model.persons["again"]), True
        likelihoods = compute_likelihoods(self._persons, left[usable], right[usable], self.model, self._token_frequencies)
        implied_prior = rows["weight"].to_numpy("float64")[usable] - likelihoods.weight
        median_prior = float(np.median(implied_prior))
        return median_prior, bool(np.abs(implied_prior - median_prior).max() < ROUNDING_TOLERANCE)

    @property
    def matches_last_run(self) -> bool:
        """Whether the weights computed here are equal to those of the last run."""
        return self._prior_between_cases[1]

    def list_other_records_in_cases(self, keys: Iterable[Key]) -> list[Key]:
        """Return the person records that are in the same cases as the records `keys`, without these."""
        rows = {self._rows[key] for key in keys if key in self._rows}
        in_same_case = np.isin(self._case, self._case[list(rows)]) & (self._case >= 0)
        in_same_case[list(rows)] = False
        names = self._persons.loc[in_same_case, ["institution", "record_key"]]
        return [(str(institution), str(key)) for institution, key in names.itertuples(index=False)]

    def weigh_pairs(self, pairs: Sequence[tuple[Key, Key]]) -> list[PairWeight]:
        """Compute the match weight of each pair, by field. Pairs with a record that linkage does not know are left out."""
        comparable = [(a, b) for a, b in pairs if a in self._rows and b in self._rows]
        if not comparable:
            return []
        left = np.array([self._rows[a] for a, _ in comparable])
        right = np.array([self._rows[b] for _, b in comparable])
        likelihoods = compute_likelihoods(self._persons, left, right, self.model, self._token_frequencies)
        same_case = self._case[left] == self._case[right]
        prior = np.where(
            same_case, compute_prior_odds_within_case(self._persons, left, right, self.model.persons), self._prior_between_cases[0]
        )
        in_one_file = are_persons_in_one_case_file(self._persons, left, right)
        fields = self._compute_field_weights(likelihoods, left, right)
        unidentified_records = lack_identifying_values(self._persons)
        unidentified_records = unidentified_records[left] | unidentified_records[right]
        return [
            PairWeight(a, b, float(prior[n]), bool(same_case[n]), fields[n], bool(in_one_file[n]), bool(unidentified_records[n]))
            for n, (a, b) in enumerate(comparable)
        ]

    def compute_group_similarity(self, group_a: Sequence[Key], group_b: Sequence[Key]) -> GroupSimilarity:
        """Compute how similar two groups of records are, from at most `MAX_GROUP_PAIRS` pairs.

        The combined weight is a weighted mean of the best pair's weight and the average weight; the model says with which share
        (`best_share`) the best pair counts.
        """
        pairs = [(a, b) for a in group_a for b in group_b][:MAX_GROUP_PAIRS]
        weights = self.weigh_pairs(pairs)
        rule = next(((w.a, w.b) for w in weights if w.one_file), None)
        if not weights:
            return GroupSimilarity(rule, 0.0, 0.0, 0.0, 0)
        parts = np.array([[f.bits if f.level else np.nan for f in w.fields] for w in weights])
        is_known = ~np.isnan(parts)
        average = float((np.where(is_known, parts, 0.0).sum(axis=0) / np.maximum(is_known.sum(axis=0), 1)).sum()) + max(
            w.prior for w in weights
        )
        best = max(w.total for w in weights)
        share = self.model.persons["best_share"]
        return GroupSimilarity(rule, best, average, share * best + (1 - share) * average, len(weights))

    def _compute_field_weights(self, likelihoods: Likelihoods, left: np.ndarray, right: np.ndarray) -> list[tuple[FieldWeight, ...]]:
        columns = [self._compare_records_in_field(field, likelihoods, left, right) for field in self.model.fields]
        return [tuple(column[n] for column in columns) for n in range(len(left))]

    def _compare_records_in_field(
        self, field: ComparedField, likelihoods: Likelihoods, left: np.ndarray, right: np.ndarray
    ) -> list[FieldWeight]:
        level, bits = likelihoods.levels[field.name].to_numpy(), likelihoods.bits[field.name].to_numpy()
        a, b = read_column_values(self._persons, field.columns, left), read_column_values(self._persons, field.columns, right)
        unexchanged = compare_field_values(field, a, b) if field.name in EXCHANGED_FIELDS else level
        names = [spec.name for spec in field.levels]
        personal = bool(_PERSONAL.intersection(field.columns))
        return [
            FieldWeight(
                field.name,
                None if level[n] == MISSING_LEVEL else names[level[n]],
                float(bits[n]),
                (_format_field_value(field.columns, a, n), _format_field_value(field.columns, b, n)),
                personal,
                bool(level[n] != unexchanged[n]),
                bool(field.family and level[n] != MISSING_LEVEL and bits[n] == 0),
            )
            for n in range(len(left))
        ]


def _format_field_value(columns: tuple[str, ...], values: list[np.ndarray], row_number: int) -> str:
    """Return as text the first known value among the columns of a field in row `row_number`. Days are formatted as yyyy-mm-dd."""
    for name, column in zip(columns, values, strict=True):
        value = column[row_number]
        if column.dtype.kind == "b" or value == "" or (column.dtype.kind == "f" and np.isnan(value)):
            continue
        if column.dtype.kind == "f":
            return str(int(value))
        text = str(value)
        return f"{text[:4]}-{text[4:6]}-{text[6:]}" if name.endswith("_date") else text
    return ""
