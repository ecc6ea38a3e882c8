"""What an institution has declared to deliver: the typed form of `sources/<institution>/contract.yaml`.

Belongs here: loading and checking contracts, walking the institutions, and the name of a delivery.
Does not belong here: reading a file (`sources/readers`), judging a value (`pipelines/validate`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from schemas.declared import declared

_DELIVERY = re.compile(r"(?P<period>(?P<year>(?:19|20)[0-9]{2})-Q(?P<quarter>[1-4]))(?:_v(?P<version>[2-9]|[1-9][0-9]{1,2}))?")

TYPES = (
    "text",  # anything
    "code",  # a value of the closed list `codes`
    "number",  # an institution's case number, normal form by pipelines.harmonise.numbers
    "reference",  # a case number of another institution, any spelling
    "integer",
    "date",  # day; `year_only: true` also permits a year alone
    "name",
    "personal_number",
    "article",  # article as typed, with or without code and words
    "offence_words",
    "form_words",
    "country",
    "municipality",
    "seat",
    "sentence",  # length of a sentence in words
)


@dataclass(frozen=True)
class DeliveryName:
    """`2012-Q4_v2`: period 2012-Q4, version 2. Orders by period, then version: the order in which states stand."""

    period: str
    version: int

    @classmethod
    def parse(cls, name: str) -> DeliveryName | None:
        """The delivery that a folder name says, or None where it is no delivery name."""
        match = _DELIVERY.fullmatch(name)
        return cls(match["period"], int(match["version"] or 1)) if match else None

    def __str__(self) -> str:
        return self.period if self.version == 1 else f"{self.period}_v{self.version}"

    def __lt__(self, other: DeliveryName) -> bool:
        return (self.period, self.version) < (other.period, other.version)


@dataclass(frozen=True)
class ColumnSpec:
    """One delivered column, as declared."""

    name: str
    type: str = "text"
    required: bool = False  # a missing value is a finding
    key: bool = False  # part of the record key: unreadable means quarantined
    personal: bool = False
    aliases: tuple[str, ...] = ()  # other headers seen for it
    codes: Mapping[str, str | None] = field(default_factory=dict)  # delivered value -> canonical value
    prefixes: Mapping[str, str] = field(default_factory=dict)  # "Bashkuar me" -> canonical value, rest is an argument
    pattern: str | None = None  # what a readable key looks like
    format: Literal["dmy", "iso"] = "dmy"  # of dates: dmy (dd.mm.yyyy) or iso
    year_only: bool = False
    expected: bool = False  # usually known: an empty cell is told as information
    agreed: Literal["label", "code", "full"] = "label"  # which form was agreed: Albanian label or code of the list; article with code
    not_before: str | None = None  # column of the case's row before which this day cannot lie …
    not_before_days: int = 0  # … by more than so many days
    event: bool = False  # the date of an event inside the delivered history (not after the quarter, in order)


@dataclass(frozen=True)
class TableSpec:
    """One delivered table. `parent` names the table that its rows hang on, `via` the columns that hold the parent's key."""

    name: str
    columns: tuple[ColumnSpec, ...]
    entity: str | None = None  # case, person, both (corrections, inspectorate), or None for a child row
    key: tuple[str, ...] = ()
    parent: str | None = None
    via: tuple[str, ...] = ()
    expected: bool = False  # each parent usually has such a row: where it has none, that is told as information
    place: str | None = None  # column of the key that is a place in the parent's list: the latest list of a parent is its list
    required: bool = False  # no delivery is complete without a row of it; by default so for tables of records

    def column(self, name: str) -> ColumnSpec:
        """The declaration of a column; raises `KeyError` naming the table."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"table {self.name!r} declares no column {name!r}")


@dataclass(frozen=True)
class FileSpec:
    """One file that a delivery must hold, and how it is read."""

    name: str
    reader: str  # delimited, workbook, xml, database
    tables: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    alternatives: tuple[str, ...] = ()  # other file names that may stand in its place (psh.url)


@dataclass(frozen=True)
class Units:
    """How an institution is divided: `columns` of `table` name the unit (`_part`: the sheet), `number` its own case number, where the
    record key is another; `languages`: language -> pattern of the names of the units that read it."""

    table: str
    columns: tuple[str, ...]
    number: str | None = None
    languages: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Contract:
    """Everything that one institution declared."""

    institution: str
    publisher: Mapping[str, str]
    cadence: str
    due_days: int
    language: str
    contact: str
    files: tuple[FileSpec, ...]
    tables: Mapping[str, TableSpec]
    rules: tuple[Mapping[str, Any], ...] = ()  # cross-field rules, read by schemas.exports
    units: Units | None = None
    answer_days: int = 30  # from receipt, to answer the findings
    compared: Mapping[str, str] = field(default_factory=dict)  # what is compared with others' records -> column
    tolerances: Mapping[str, float] = field(default_factory=dict)  # dimension -> share of the weight that may be at fault (`quality`)
    keep_days: int = 180  # from receipt, then the feedback is deleted


def _table(name: str, spec: Mapping[str, Any]) -> TableSpec:
    columns = []
    for column, options in spec["columns"].items():
        options = dict(options or {})
        options["aliases"] = tuple(options.get("aliases", ()))
        options["codes"] = {str(k): v for k, v in options.get("codes", {}).items()}
        columns.append(ColumnSpec(name=column, **options))
        if columns[-1].type not in TYPES:
            raise ValueError(f"table {name}: column {column}: unknown type {columns[-1].type!r}; one of {TYPES}")
    return TableSpec(
        name=name,
        columns=tuple(columns),
        entity=spec.get("entity"),
        key=tuple(spec.get("key", ())),
        parent=spec.get("parent"),
        via=tuple(spec.get("via", ())),
        expected=bool(spec.get("expected", False)),
        place=spec.get("place"),
        required=bool(spec.get("required", spec.get("entity") is not None)),
    )


def _units(spec: Mapping[str, Any]) -> Units:
    return Units(spec["table"], tuple(spec["columns"]), spec.get("number"), spec.get("languages", {}))


@cache
def load(institution: str) -> Contract:
    """The contract of an institution. Raises `FileNotFoundError` for an unknown one, `ValueError` for a broken contract."""
    path = Path(__file__).parent / institution / "contract.yaml"
    raw = declared(path)
    if raw.get("institution") != institution:
        raise ValueError(f"{path}: says institution {raw.get('institution')!r}")
    return Contract(
        institution=institution,
        publisher=raw["publisher"],
        cadence=raw["cadence"],
        due_days=int(raw["due_days"]),
        language=raw["language"],
        contact=raw["contact"],
        files=tuple(
            FileSpec(
                name=f["name"],
                reader=f["reader"],
                tables=tuple(f["tables"]),
                options=f.get("options", {}),
                alternatives=tuple(f.get("alternatives", ())),
            )
            for f in raw["files"]
        ),
        tables={name: _table(name, spec) for name, spec in raw["tables"].items()},
        rules=tuple(raw.get("rules", ())),
        units=_units(raw["units"]) if "units" in raw else None,
        compared=raw.get("compared", {}),
        tolerances={str(k): float(v) for k, v in raw.get("tolerances", {}).items()},
        answer_days=int(raw.get("answer_days", 30)),
        keep_days=int(raw.get("keep_days", 180)),
    )


@cache
def record_tables() -> Mapping[tuple[str, str], str]:
    """(institution, table) -> the table of the records that its rows are, or hang on."""
    return {(name, table): _of_records(load(name).tables, table) for name in institutions() for table in load(name).tables}


def _of_records(tables: Mapping[str, TableSpec], table: str) -> str:
    parent = tables[table].parent
    return table if tables[table].entity or parent is None else _of_records(tables, parent)


@cache
def institutions() -> tuple[str, ...]:
    """Every institution that has a contract, in the order of a case's way (`order` of the contract)."""
    found = [(declared(p)["order"], p.parent.name) for p in Path(__file__).parent.glob("*/contract.yaml")]
    return tuple(name for _, name in sorted(found))
