"""Read the declarations of the indicators that the models count. Each is declared in one YAML file.

Belongs here: what such a file contains (texts in three languages, which records and events count, how units are selected). Indicators
that are defined by SQL are read in `catalogue`. Does not belong here: counting (`warehouse/count`), how figures are shown or released.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal

from schemas import canonical, domain, domain_folder
from schemas.yaml_declarations import DeclarationError, convert_declaration, display_path, make_value_error, read_yaml
from sources import contract

Day = Literal["earliest", "latest"]
LANGUAGES = ("sq", "sr", "en")
_ALSO_COUNTED = {
    "sq": "Numërohen edhe të dhënat e këtyre institucioneve: {}.",
    "sr": "Broje se i podaci sledećih institucija: {}.",
    "en": "Records of these institutions are counted as well: {}.",
}
DIMENSIONS: Mapping[str, tuple[str, ...]] = {
    "offence_group": canonical.OFFENCE_GROUPS,
    "form": canonical.FORMS,
    "sex": canonical.SEXES,
    "age_group": canonical.AGE_GROUPS,
    "citizenship_group": canonical.CITIZENSHIP_GROUPS,
}


@dataclass(frozen=True)
class CountedRows:
    """The declaration of the records that are counted as reported. By default each accepted record with the event counts once.

    record       entity whose records are counted: case or person
    event        canonical event whose day is the reference date
    of           to what the event belongs: to the `record` itself, or to its case file (`case`)
    roles        roles of the person records that count; empty if cases are counted
    outcomes     outcomes of the event that count; if empty, all count
    decide       which event decides if a record has several (`earliest` or `latest`); the outcome of this event is then checked
    covers_file  whether an event of the file without a person applies to every person of `roles` who was in the file at that time
    unless       an event; if the same file has this event, the record does not count
    after        an event; if the same record has this event, its latest outcome must also be one of `outcomes`
    each         what counts once as reported: the `record`, each `event` of the record (harmonised, only its first event counts), or each
                 `period` in which the record has an event
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    record: Literal["case", "person"]
    event: str
    of: Literal["record", "case"]
    roles: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    decide: Day = "earliest"
    covers_file: bool = False
    unless: str | None = None
    after: str | None = None
    each: Literal["record", "event", "period"] = "record"


@dataclass(frozen=True)
class HarmonisedUnits:
    """The declaration of the units that are counted in the harmonised figure. The rows as reported are combined to one unit for each case,
    or for each case and person.

    stage   stage from whose records the offence is taken
    day     which day counts if a case, or a person in a case, has several (`earliest` or `latest`)
    unless  when a unit does not count. `indicted`: if a file of the case led to an indictment; `convicted`: if the person is convicted in
            the case; `not_confirmed`: if all files of the case that name the person say that the person is no victim
    once    whether a person counts once per `period`, or only once `ever`; None if cases are counted
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    stage: str
    day: Day = "earliest"
    unless: Literal["indicted", "convicted", "not_confirmed"] | None = None
    once: Literal["period", "ever"] | None = None


@dataclass(frozen=True)
class Indicator:
    """An indicator that the models count (docs/reference/counting-rules.md)."""

    code: str
    order: int
    title: Mapping[str, str]
    definition: Mapping[str, str]
    unit: Literal["case", "person"]
    reference: str
    institutions: tuple[str, ...]
    dimensions: tuple[str, ...]
    rows: CountedRows
    harmonised: HarmonisedUnits
    source: str


def _require_known_values(path: Path, what: str, values: tuple[str, ...], allowed: tuple[str, ...]) -> None:
    unknown = [value for value in values if value not in allowed]
    if unknown:
        raise make_value_error(path, what, unknown[0], f"it must be one of {', '.join(allowed)}")


def list_institutions_counted_by_indicator(code: str, declared_institutions: Sequence[str]) -> tuple[str, ...]:
    """Return the institutions whose records an indicator counts: those in its file, and those whose contracts list it (`counts_in`)."""
    return tuple(dict.fromkeys([*declared_institutions, *_list_institutions_joining_indicator(code)]))


def _list_institutions_joining_indicator(code: str) -> list[str]:
    return [name for name in contract.institutions() if code in contract.load(name).counts_in]


def name_joining_institutions(code: str, definition: Mapping[str, str]) -> Mapping[str, str]:
    """Return the definition of an indicator by language, with a sentence on the institutions whose contracts list it (`counts_in`)."""
    publishers = [contract.load(name).publisher for name in _list_institutions_joining_indicator(code)]
    if not publishers:
        return definition
    names = {language: ", ".join(publisher[language] for publisher in publishers) for language in LANGUAGES}
    return {language: f"{definition[language]} {_ALSO_COUNTED[language].format(names[language])}" for language in LANGUAGES}


def read_indicator(path: Path, raw: Mapping[str, Any]) -> Indicator:
    """Make the indicator that the file `path` with the content `raw` declares. Raises `DeclarationError` with file, key and remedy."""
    field_names = {name.name for name in fields(Indicator)} - {"code"}
    counting = {"institutions": list_institutions_counted_by_indicator(str(raw.get("indicator")), raw.get("institutions") or ())}
    indicator = convert_declaration(
        Indicator, {"code": raw.get("indicator"), **{key: value for key, value in raw.items() if key in field_names}, **counting}, path
    )
    if indicator.code != path.stem:
        raise make_value_error(path, "indicator", indicator.code, "it must be the name of the file")
    _require_known_values(path, "institutions", indicator.institutions, contract.institutions())
    _require_known_values(path, "dimensions", indicator.dimensions, tuple(DIMENSIONS))
    _require_known_values(path, "roles", indicator.rows.roles, canonical.ROLES)
    _require_known_values(path, "event", (indicator.rows.event,), canonical.EVENTS)
    _require_known_values(path, "stage", (indicator.harmonised.stage,), tuple(domain.stages()))
    for language in LANGUAGES:
        if not indicator.title.get(language) or not indicator.definition.get(language):
            raise DeclarationError(f"{display_path(path)}: title or definition lacks {language}: add it")
    return replace(indicator, definition=name_joining_institutions(indicator.code, indicator.definition))


@cache
def indicators() -> Mapping[str, Indicator]:
    """Read the indicators that the models count, by code, in the order of the case flow. (`catalogue` also reads those defined by SQL.)

    Raises `DeclarationError` with file, key and remedy for an invalid file.
    """
    paths = [path for path in domain_folder.find_path_in_domain("indicators").glob("*.yaml") if "rows" in (read_yaml(path) or {})]
    ordered = sorted((read_indicator(path, read_yaml(path)) for path in paths), key=lambda i: i.order)
    return {i.code: i for i in ordered}
