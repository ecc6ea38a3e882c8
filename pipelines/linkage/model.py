"""The linkage model: comparison levels, probabilities and settings, read from versioned files. A run does not change the model.

Belongs here: the structure of a model file and its checks. Does not belong here: comparison of records (`compare`), estimation of the
numbers (`training`).

A model consists of two files in `models/`, or of one file that has the content of both under the keys `persons` and `cases`, as `harmonia
link train` writes it. Each file has a checksum (`model_files`). The files `*-v0.json` were written by hand, and training began with them;
the files `PERSONS` and `CASES` are in use.

- `persons-*.json` has the compared fields. Each has its levels in the order in which they are tested, with their shares `m` (among pairs of
  one person) and `u` (among pairs of different persons), and says whether members of a family agree in it (`family`).
- `cases-*.json` has the kinds of evidence between two case files. Each has the shares `m`, `u` and `again` of its levels (see
  `EvidenceKind`).
- Both files have named settings (`PERSON_SETTINGS`, `CASE_SETTINGS`).
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
    """A comparison level of a field.

    test: the name of the test that a pair must pass to reach the level (`compare.TESTS`). m, u: the share of the pairs of one person, and
    the share of the pairs of different persons, that reach the level.
    """

    name: str
    test: str
    m: float
    u: float
    args: dict[str, float] = field(default_factory=dict)
    frequency: float = 0.0  # how much the weight of the level depends on the frequency of the value: 1 completely, 0 not at all


@dataclass(frozen=True)
class ComparedField:
    """A field in which person records are compared: the columns of `LinkageRecords.persons` that it reads, and its levels.

    If one of the two records has no value, the field has 0 bits. family: whether members of a family usually agree in the field; then
    agreement is no evidence if the given names differ.
    """

    name: str
    columns: tuple[str, ...]
    levels: tuple[ComparisonLevel, ...]
    family: bool = False


@dataclass(frozen=True)
class EvidenceKind:
    """A kind of evidence between case files of two institutions: a value of the first file is compared with a value of the second file.

    - `between`: the names of the two institutions, joined by `-`
    - `first`, `second`: the columns with the two values, as `file.<column>` or `person.<column>` of the frames of
      `standardise.LinkageRecords`
    - `kind`: if it is `gap`, the values are days; the levels are ranges of the number of days from the first to the second, with the bounds
      `edges` of the model. If it is `equal`, the two levels are "equal" and "different".
    - `either_way`: whether the order of the two days does not matter
    - `family`: a name for kinds of evidence that depend on each other. Of these, mainly the first that is known for a pair counts (see
      `evidence.EvidenceWeigher.weigh_evidence`).
    - `m`, `u`, `again`: the share of each level among pairs of files of one case (`m`), among random pairs (`u`), and among pairs of
      different cases of one person (`again`). Different cases of a person are often at the same seat and for the same offence, so that
      agreement in seat and offence is weaker evidence.
    - `slip`: the share of wrong values; by default the setting `slip` of the model
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
    """How much the case files of two institutions are expected to overlap.

    expected: how many files of the first institution are expected in the case of a file of the second institution. coverage: the share of
    the persons of the file of the second institution who are expected in these files of the first institution.
    """

    expected: float
    coverage: float


@dataclass(frozen=True)
class LinkageModel:
    """The linkage model, which consists of a model of persons and a model of cases.

    - `version`: the versions of both models, joined by `+`
    - `fields`, `persons`: the compared fields and the settings of the model of persons
    - `evidence`, `edges`, `between`, `cases`: of the model of cases, the kinds of evidence, the numbers of days that separate the levels of
      kind `gap`, the expected overlap of institutions, and the settings
    - `provenance`: training data, method and date of both models
    - `expected`: for each institution and field, the expected share of each level (see `drift.measure_drift`)
    """

    version: str
    fields: tuple[ComparedField, ...]
    persons: dict[str, float]
    evidence: tuple[EvidenceKind, ...]
    edges: tuple[float, ...]
    between: dict[str, ExpectedPersonOverlap]
    cases: dict[str, float]
    provenance: dict[str, Any]
    # Institution -> field -> share of each level.
    expected: Mapping[str, Mapping[str, tuple[float, ...]]] = field(default_factory=dict)


def load_linkage_model(persons_file: Path | None = None, cases_file: Path | None = None) -> LinkageModel:
    """Read a model from two files, or from one file that contains both models.

    If no file is given, the model is read from the file that the environment variable `HARMONIA_MODEL` names. If the variable is not set,
    it is the model that is delivered with Harmonia. Raises `HarmoniaError` if the model cannot be used; the message names the file, the
    fault and the remedy.
    """
    setting = os.environ.get("HARMONIA_MODEL")
    if persons_file is None and cases_file is None:
        return _load_model_files(Path(setting).expanduser(), None) if setting else _load_model_files(FOLDER / PERSONS, FOLDER / CASES)
    return _load_model_files(persons_file or FOLDER / PERSONS, cases_file)


def read_model_named_in_environment() -> str | None:
    """Return the content of the model file that the environment variable `HARMONIA_MODEL` names; None if the variable is not set.

    Raises `HarmoniaError` if the file cannot be used.
    """
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
