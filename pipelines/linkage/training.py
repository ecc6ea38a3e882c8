"""Training: estimating the shares in a linkage model from data, with or without labels. A label says of a pair of records whether they are
one person; labels come from stewards or from a simulation.

Belongs here: estimating the shares in the model files from canonical tables. Does not belong here: their use, the files (`model_files`).

Persons: the shares `u` (among pairs of different persons) are counted among random pairs of records that are not evidently one person. The
shares `m` of a field (among pairs of one person) are counted among pairs that all *other* fields together show to be one person. Since
errors in different fields are independent, this does not favour agreement in the field. No share `m` is set below `MIN_M_SHARE`. The usual
method, expectation maximisation, was tried and gave wrong shares, since pairs of different persons that blocking finds agree in the
blocking key. Shares that cannot be estimated keep the values in the model (`FIXED_SHARES`).

Cases: it is counted how many pairs of case files reach each level, among pairs that are certainly one case, pairs that are certainly
different cases of one person, and random pairs (`evidence.count_evidence_levels`). If there are too few pairs, the shares in the model
stay.

Labels change only the shares `m` of persons. The pairs that stewards judged were chosen because they were doubtful, and so are not typical.
Therefore they are only added to the pairs that other fields show to be one person, or removed from them. A simulation knows all pairs of
one person, so then only its labels are used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from pipelines.linkage.blocking import find_person_pairs_by_blocking
from pipelines.linkage.cases import ResultsOfPreviousRound, gather_case_file_pairs
from pipelines.linkage.certain_pairs import find_certain_case_file_pairs
from pipelines.linkage.compare import MISSING_LEVEL
from pipelines.linkage.evidence import count_evidence_levels
from pipelines.linkage.model import MIN_SHARE, ComparedField, ComparisonLevel, EvidenceKind, LinkageModel
from pipelines.linkage.person_pairs import ComparedPersonPairs
from pipelines.linkage.score import compute_likelihoods, compute_token_frequencies, encode_persons
from pipelines.linkage.standardise import LinkageRecords, build_linkage_records

TRAINING_ROUNDS = 2
# A pair counts as one person, when the shares of a field are counted, if all other fields together give at least so many bits.
ANCHOR_BITS = 20.0
RANDOM_PAIRS = 100_000
MIN_M_SHARE = 0.004
FIXED_SHARES = frozenset({("number", "u"), ("register", "u"), ("register", "m")})
# If fewer pairs than this are observed, shares keep the values in the model.
MIN_OBSERVED = 15
SMOOTHING = 6.0
# The new shares `m` contain the shares in the old model with this weight, since other deliveries have other errors than the training data.
DECLARED_WEIGHT = 0.1


@dataclass(frozen=True)
class LabelledPairs:
    """Pairs of person records that are known to be one person (`same`), or two persons (`apart`).

    Both are arrays of shape n × 2 with rows of `LinkageRecords.persons`. complete: whether `same` contains all pairs of one person, so that
    no further pairs are searched.
    """

    same: np.ndarray
    apart: np.ndarray
    complete: bool = False


def train_model(
    table_sets: list[dict[str, pd.DataFrame]], model: LinkageModel, labels: Callable[[int, LinkageRecords], LabelledPairs] | None = None
) -> LinkageModel:
    """Return `model` with shares that are estimated from several sets of canonical tables together. Its settings are unchanged.

    labels: a function that returns the labels of one set, given the number of the set and its records; None if there are no labels.
    """
    records_of_sets = [build_linkage_records(canonical) for canonical in table_sets]
    known = [labels(n, records) if labels else None for n, records in enumerate(records_of_sets)]
    fields = _train_field_shares(records_of_sets, known, model)
    model = replace(model, fields=fields)
    return replace(model, evidence=_train_evidence_shares(records_of_sets, model))


def build_model_files(model: LinkageModel, provenance: dict[str, Any], versions: tuple[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the content of the two files of a model: the model of persons, and the model of cases.

    provenance: training data, method and date. versions: the names of the versions of the two models.
    """
    fields = [
        {**_convert_entries_to_dict(f), "columns": list(f.columns), "levels": [_convert_entries_to_dict(level) for level in f.levels]}
        for f in model.fields
    ]
    evidence = [{k: list(v) if isinstance(v, tuple) else v for k, v in vars(e).items()} for e in model.evidence]
    between = {name: vars(b) for name, b in model.between.items()}
    persons = {"version": versions[0], "provenance": provenance, "settings": model.persons, "expected": model.expected, "fields": fields}
    cases = {"version": versions[1], "provenance": provenance, "settings": model.cases, "between": between}
    return persons, {**cases, "edges": list(model.edges), "evidence": evidence}


def _convert_entries_to_dict(spec: ComparedField | ComparisonLevel) -> dict[str, Any]:
    """Return the attributes of a field or level by name, without those that are empty, zero or false."""
    return {k: v for k, v in vars(spec).items() if v not in ({}, 0.0, False)}


def _train_field_shares(
    record_sets: list[LinkageRecords], labels_of_sets: list[LabelledPairs | None], model: LinkageModel
) -> tuple[ComparedField, ...]:
    """Return the compared fields of `model` with estimated shares. The shares `m` are estimated in several rounds, each with those of the
    round before it.
    """
    declared = fields = _train_shares_of_different_persons(record_sets, model)
    pairs = [_find_blocked_pairs(records) for records in record_sets]
    for _ in range(TRAINING_ROUNDS):
        current = replace(model, fields=fields)
        fields = tuple(_train_shares_of_same_person(field, record_sets, pairs, labels_of_sets, current) for field in declared)
    return fields


def _find_blocked_pairs(records: LinkageRecords) -> tuple[np.ndarray, np.ndarray]:
    """Find the pairs of person records that share a value of a blocking key and are not in the same case file."""
    persons, blocked = records.persons, find_person_pairs_by_blocking(records.persons)
    file = persons["file"].to_numpy()
    apart = (file[blocked.left] != file[blocked.right]) | (file[blocked.left] < 0)
    return blocked.left[apart], blocked.right[apart]


def _train_shares_of_same_person(
    field: ComparedField,
    record_sets: list[LinkageRecords],
    pairs: list[tuple[np.ndarray, np.ndarray]],
    labels_of_sets: list[LabelledPairs | None],
    model: LinkageModel,
) -> ComparedField:
    """Return `field` with shares `m` that are counted among pairs of one person.

    These are the pairs that all other fields together show to be one person, changed by the labels. If labels are complete, they are the
    pairs labelled `same`.
    """
    others = replace(model, fields=tuple(f for f in model.fields if f.name != field.name))
    tally = np.zeros(len(field.levels))
    for records, (left, right), labels in zip(record_sets, pairs, labels_of_sets, strict=True):
        if labels is not None and labels.complete:
            left, right = labels.same[:, 0], labels.same[:, 1]
        else:
            weight = compute_likelihoods(
                records.persons, left, right, others, compute_token_frequencies(encode_persons(records.persons, others), others)
            ).weight
            left, right = _apply_labels_to_pairs(left[weight >= ANCHOR_BITS], right[weight >= ANCHOR_BITS], labels, len(records.persons))
        alone = compute_likelihoods(
            records.persons, left, right, model, compute_token_frequencies(encode_persons(records.persons, model), model)
        ).levels
        level = alone[field.name].to_numpy()
        tally += np.bincount(level[level != MISSING_LEVEL], minlength=len(tally))
    return _replace_field_shares(field, "m", tally, MIN_M_SHARE)


def _apply_labels_to_pairs(
    left: np.ndarray, right: np.ndarray, labels: LabelledPairs | None, record_count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Add the pairs labelled `same` to the pairs `left`, `right`, and remove the pairs labelled `apart`."""
    if labels is None:
        return left, right
    code = np.concatenate([_encode_pairs(np.column_stack([left, right]), record_count), _encode_pairs(labels.same, record_count)])
    remaining = np.setdiff1d(code, _encode_pairs(labels.apart, record_count))
    return remaining // record_count, remaining % record_count


def _encode_pairs(pairs: np.ndarray, record_count: int) -> np.ndarray:
    return np.asarray(pairs.min(axis=1, initial=record_count) * record_count + pairs.max(axis=1, initial=-1), dtype="int64")


def _train_shares_of_different_persons(record_sets: list[LinkageRecords], model: LinkageModel) -> tuple[ComparedField, ...]:
    """Return the fields of the model with shares `u` that are counted among random pairs of records that are not evidently one person."""
    tallies = {field.name: np.zeros(len(field.levels)) for field in model.fields}
    for records in record_sets:
        persons, draw = records.persons, np.random.default_rng(0)
        left, right = draw.integers(0, len(persons), (2, RANDOM_PAIRS))
        left, right = left[left != right], right[left != right]
        likelihoods = compute_likelihoods(persons, left, right, model, compute_token_frequencies(encode_persons(persons, model), model))
        strangers = likelihoods.weight < 0
        for name, tally in tallies.items():
            level = likelihoods.levels[name].to_numpy()[strangers]
            tally += np.bincount(level[level != MISSING_LEVEL], minlength=len(tally))
    return tuple(_replace_field_shares(f, "u", tallies[f.name], MIN_SHARE * 2) for f in model.fields)


def _replace_field_shares(field: ComparedField, share_name: str, level_counts: np.ndarray, min_count: float) -> ComparedField:
    """Return `field` with its shares `share_name` (`m` or `u`) replaced by those that `level_counts` gives.

    The field is unchanged if the shares are in `FIXED_SHARES` or too few pairs were counted. min_count: the least value of a share.
    """
    if (field.name, share_name) in FIXED_SHARES or level_counts.sum() < MIN_OBSERVED:
        return field
    declared = np.array([getattr(level, share_name) for level in field.levels])
    weight = DECLARED_WEIGHT if share_name == "m" else 0.0
    values = np.maximum((1 - weight) * level_counts / level_counts.sum() + weight * declared, min_count)
    values = values / values.sum()
    levels = [ComparisonLevel(**{**vars(level), share_name: round(float(v), 6)}) for level, v in zip(field.levels, values, strict=True)]
    return replace(field, levels=tuple(levels))


def _train_evidence_shares(record_sets: list[LinkageRecords], model: LinkageModel) -> tuple[EvidenceKind, ...]:
    """Return the kinds of evidence of `model` with shares that are estimated from all sets of records together."""
    edges = np.array(model.edges, dtype="float64")
    counts: dict[str, dict[str, np.ndarray]] = {}
    for records in record_sets:
        person_pairs = ComparedPersonPairs(records, model)
        blocked = find_person_pairs_by_blocking(records.persons)
        person_pairs.add_pairs(blocked.left, blocked.right)
        pairs = gather_case_file_pairs(records, person_pairs, model, ResultsOfPreviousRound(None, model.persons["again"]))
        known = find_certain_case_file_pairs(records, pairs)
        for evidence in model.evidence:
            for share, tally in count_evidence_levels(records, known, evidence, edges).items():
                entry = counts.setdefault(evidence.name, {})
                entry[share] = entry.get(share, 0.0) + tally
    return tuple(_replace_evidence_shares(evidence, counts[evidence.name]) for evidence in model.evidence)


def _replace_evidence_shares(evidence: EvidenceKind, counts: dict[str, np.ndarray]) -> EvidenceKind:
    """Return a kind of evidence with new shares, which are a weighted mean of the observed shares and the shares in the model.

    If fewer than `MIN_OBSERVED` pairs of one case were observed, the shares `m` stay as they are.
    """
    u = _smooth_shares(counts["u"], np.array(evidence.u))
    # Few pairs of different cases of one person are observed. Their shares are completed by those of random pairs if the evidence is about
    # dates, and by the shares in the model if it is about codes.
    again = _smooth_shares(counts["again"], u if evidence.kind == "gap" else np.array(evidence.again), declared_weight=2 * SMOOTHING)
    declared = np.array(evidence.m)
    m = _smooth_shares(counts["m"], declared) if counts["m"].sum() >= MIN_OBSERVED else declared
    return replace(evidence, m=_round_shares(m), u=_round_shares(u), again=_round_shares(again))


def _round_shares(values: np.ndarray) -> tuple[float, ...]:
    return tuple(round(float(v), 6) for v in values)


def _smooth_shares(level_counts: np.ndarray, declared_shares: np.ndarray, declared_weight: float = SMOOTHING) -> np.ndarray:
    """Return the share of each level by `level_counts` and `declared_shares`, which count like `declared_weight` further pairs."""
    values = np.maximum((level_counts + declared_weight * declared_shares) / (level_counts.sum() + declared_weight), 10 * MIN_SHARE)
    return np.asarray(values / values.sum())
