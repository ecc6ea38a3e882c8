"""The frozen linkage model: levels, probabilities and settings, read from versioned files.

Belongs here: the structure of a model file and its checks. Does not belong here: comparison of records (`compare`), estimation of the
numbers (`training`). `*-v0.json` are declared by hand and are the start of training; the last version is in use.

A model is two files in `models/`, or one file with both under `persons` and `cases` (as `harmonia link train` writes it); all have a
checksum (`model_files`). `persons-*.json` has, for each compared field, its levels in the order in which they are tried, with `m` (share
among pairs of one person) and `u` (share among pairs of different persons), and whether the field runs in families (`family`).
`cases-*.json` has, for each kind of evidence between two case files, its levels with `m` and `u`, and named settings.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from harmonia.errors import HarmoniaError
from pipelines.linkage import model_files

FOLDER = Path(__file__).parent / "models"
PERSONS, CASES = "persons-v3.json", "cases-v7.json"
PERSON_SETTINGS = {
    "in_other_file": "share of a file's persons who are in each other file of the case",
    "again": "prior share of persons who are in several cases",
    "again_worth": "weight of that prior share, in persons",
    "least_records": "least number of person records in the prior odds",
    "best_share": "share of the best pair in the nearness of two groups of records, the rest is their average by field",
}
CASE_SETTINGS = {
    "evidence_worth": "weight of the model's shares against those observed in the data, in pairs",
    "slip": "share of dates and codes that are wrong, so that any level is possible",
    "companions": "share of the companions of a repeated person who are also in another case of that person",
    "companion_bits": "limit of the weight of companions, for and against",
    "share_bits": "match weight from which a pair of persons makes their files candidates",
    "alike_person": "match weight from which the days of two persons are evidence for one case",
    "known_person": "least weight of two records found to be one person in the round before",
    "other_person": "most weight of two records found to be two persons in the round before",
    "reference_right": "share of citations that name a file of the case",
    "reference_wrong": "expected number of further bearers of a number beside the right one",
    "near_reference": "bits, in addition to the number of files, of a number with one wrong character",
    "cited_together": "bits, in addition to the number of files, of citing the same number",
    "detained_together": "bits of two stays of different persons without other tie, begun within days, for one offence, at one seat",
    "cited_apart": "bits against two files that cite different numbers of one kind, or lack a citation that files of one case have",
    "another_cited": "bits against a file if another file of its institution is cited",
    "cited_by_another": "bits against a file if another file of its institution cites the other file of the pair",
    "best_share": "share of the best pair in the nearness of two groups of files, the rest is their average",
    "spine": "least bits between two groups that both have files whose numbers others cite",
    "occupied": "bits against two groups for each of these institutions with a file in both",
}
MIN_SHARE = 1e-5  # no level is impossible: a probability of zero would let one field decide alone


@dataclass(frozen=True)
class ComparisonLevel:
    """A level of a comparison: its test, and the shares of pairs of the same person (`m`) and of different persons (`u`) that reach it."""

    name: str
    test: str
    m: float
    u: float
    args: dict[str, float] = field(default_factory=dict)
    frequency: float = 0.0  # share of the term-frequency adjustment; 0: none


@dataclass(frozen=True)
class ComparedField:
    """A compared field: the columns of the persons frame that it reads, and its levels. A pair in which a value is missing has 0 bits in
    the field.

    family: whether members of a family agree in the field, so that agreement is no evidence if the first names differ.
    """

    name: str
    columns: tuple[str, ...]
    levels: tuple[ComparisonLevel, ...]
    family: bool = False


@dataclass(frozen=True)
class EvidenceKind:
    """A kind of evidence between the files of two institutions: `first` of the first file is compared with `second` of the second file.

    - `kind`: `gap` (days between, in classes with the bounds `edges` of the model; `either_way`: in either order) or `equal` (equal,
      different)
    - `first`, `second`: `file.<column>` or `person.<column>` of the frames of `standardise.LinkageRecords`
    - `family`: of the kinds in one family only the first that is known for a pair counts
    - shares of each level: `m` among files of one case, `u` among random files, `again` among files of different cases of one person
      (often at the same seat and for the same offence, so that both are weaker evidence)
    - `slip`: the share of wrong values, if it is not that of the model's settings
    """

    name: str
    kind: str
    between: str
    family: str
    first: str
    second: str
    m: tuple[float, ...]
    u: tuple[float, ...]
    again: tuple[float, ...]
    either_way: bool = False
    slip: float | None = None


@dataclass(frozen=True)
class ExpectedPersonOverlap:
    """The expected overlap of the files of two institutions.

    expected: the number of files of the first institution in the case of a file of the second. coverage: the share of the persons of that
    file who are also in those files.
    """

    expected: float
    coverage: float


@dataclass(frozen=True)
class LinkageModel:
    """A persons model and a cases model. version: names both. provenance: training data, method and date."""

    version: str
    fields: tuple[ComparedField, ...]
    persons: dict[str, float]
    evidence: tuple[EvidenceKind, ...]
    edges: tuple[float, ...]
    between: dict[str, ExpectedPersonOverlap]
    cases: dict[str, float]
    provenance: dict[str, Any]
    # See `drift.measure_drift`: institution -> field -> shares.
    expected: Mapping[str, Mapping[str, tuple[float, ...]]] = field(default_factory=dict)


def load_linkage_model(persons_file: Path | None = None, cases_file: Path | None = None) -> LinkageModel:
    """Read the model in two files, or in one file with both. The default is the one that `HARMONIA_MODEL` names, else the one shipped.

    Raises `HarmoniaError` with the file, the fault and the remedy.
    """
    setting = os.environ.get("HARMONIA_MODEL")
    if persons_file is None and cases_file is None:
        return _load_model_files(Path(setting).expanduser(), None) if setting else _load_model_files(FOLDER / PERSONS, FOLDER / CASES)
    return _load_model_files(persons_file or FOLDER / PERSONS, cases_file)


def read_model_named_in_environment() -> str | None:
    """Return the content of the model file that `HARMONIA_MODEL` names; None if the shipped model is used. Raises `HarmoniaError`."""
    setting = os.environ.get("HARMONIA_MODEL")
    if not setting:
        return None
    load_linkage_model()  # raises if the file cannot be used
    return Path(setting).expanduser().read_text("utf-8")


@cache
def _load_model_files(persons_file: Path, cases_file: Path | None) -> LinkageModel:
    try:
        if cases_file is None:
            both = model_files.read_model_file(persons_file)
            return _parse_model(both["persons"], both["cases"], persons_file, persons_file)
        return _parse_model(model_files.read_model_file(persons_file), model_files.read_model_file(cases_file), persons_file, cases_file)
    except (KeyError, TypeError, ValueError) as error:
        what = f"lacks {error}" if isinstance(error, KeyError) else str(error)
        raise HarmoniaError(
            f"model file {persons_file} cannot be used: {what}; fetch it again, or train one (`harmonia link train`)"
        ) from None


def _parse_model(person_spec: dict[str, Any], case_spec: dict[str, Any], persons_file: Path, cases_file: Path) -> LinkageModel:
    _check_setting_names(person_spec["settings"], PERSON_SETTINGS, persons_file)
    _check_setting_names(case_spec["settings"], CASE_SETTINGS, cases_file)
    fields = tuple(_parse_compared_field(spec, persons_file) for spec in person_spec["fields"])
    edges = tuple(case_spec["edges"])
    evidence = tuple(_parse_evidence(spec, edges, cases_file) for spec in case_spec["evidence"])
    return LinkageModel(
        version=f"{person_spec['version']}+{case_spec['version']}",
        fields=fields,
        persons=person_spec["settings"],
        evidence=evidence,
        edges=edges,
        between={name: ExpectedPersonOverlap(**spec) for name, spec in case_spec["between"].items()},
        cases=case_spec["settings"],
        provenance={"persons": person_spec["provenance"], "cases": case_spec["provenance"]},
        expected={i: {f: tuple(s) for f, s in shares.items()} for i, shares in person_spec.get("expected", {}).items()},
    )


def _parse_compared_field(spec: dict[str, Any], path: Path) -> ComparedField:
    levels = tuple(ComparisonLevel(**level) for level in spec["levels"])
    for share in ("m", "u"):
        _check_shares_sum_to_one([getattr(level, share) for level in levels], f"{path.name}: field {spec['name']!r}: {share}")
    if levels[-1].test != "else":
        raise ValueError(f"{path.name}: field {spec['name']!r}: the last level must have the test 'else'")
    return ComparedField(spec["name"], tuple(spec["columns"]), levels, spec.get("family", False))


def _parse_evidence(spec: dict[str, Any], edges: tuple[float, ...], path: Path) -> EvidenceKind:
    evidence = EvidenceKind(**{**spec, **{share: tuple(spec[share]) for share in ("m", "u", "again")}})
    levels = len(edges) + 1 if evidence.kind == "gap" else 2
    for share in ("m", "u", "again"):
        shares = list(getattr(evidence, share))
        location = f"{path.name}: evidence {evidence.name!r}: {share}"
        if len(shares) != levels:
            raise ValueError(f"{location} must have {levels} shares but has {len(shares)}")
        _check_shares_sum_to_one(shares, location)
    return evidence


def _check_setting_names(settings: dict[str, float], known_names: dict[str, str], path: Path) -> None:
    if set(settings) != set(known_names):
        missing, unknown = sorted(set(known_names) - set(settings)), sorted(set(settings) - set(known_names))
        raise ValueError(f"{path.name}: settings lack {missing} and have unknown {unknown}; see pipelines/linkage/model.py")


def _check_shares_sum_to_one(shares: list[float], location: str) -> None:
    if min(shares) < MIN_SHARE or abs(sum(shares) - 1.0) > 0.01:
        raise ValueError(f"{location} must be at least {MIN_SHARE} each and sum to 1 but are {shares}")
