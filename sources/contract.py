"""The contract of an institution as Python types. It declares what the institution delivers, and is read from
`sources/<institution>/contract.yaml`.

Belongs here: loading and checking contracts, listing the institutions, the name of a delivery. Does not belong here: reading a delivered
file (`sources/readers`), validating a value (`pipelines/validation`).
"""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, cast

from pydantic import Field

from schemas import canonical, domain, domain_folder
from schemas.findings import DIMENSIONS, LANGUAGES
from schemas.yaml_declarations import DeclarationError, convert_declaration, display_path, make_value_error, read_yaml
from sources import periods
from sources.periods import Cadence

_DELIVERY = re.compile(
    rf"(?P<period>{'|'.join(map(periods.period_name_pattern, periods.CADENCES))})(?:_v(?P<version>[2-9]|[1-9][0-9]{{1,2}}))?"
)

SOURCES = domain_folder.find_path_in_domain("sources")
FURTHER_SETTING = "HARMONIA_SOURCES"
"""The environment variable that names further folders with institutions, separated as in `PATH`."""
_PARTS = ("contract.yaml", "reader.py", "mapping.py")  # files that an institution's folder must contain
OTHER = "other"  # kind of case numbers that belong to no institution
_CLOSED: dict[str, Any] = {"extra": "forbid"}  # an unknown key is refused, since it is a typing error
_MOST_DUE_DAYS: Mapping[Cadence, int] = {"monthly": 25, "quarterly": 80, "half_yearly": 170, "yearly": 350}
DateFormat = Literal["dmy", "dmy/", "dmy-", "iso", "utc", "year"]
DATE_PATTERNS: Mapping[DateFormat, str] = {
    "dmy": "%d.%m.%Y",
    "dmy/": "%d/%m/%Y",
    "dmy-": "%d-%m-%Y",
    "iso": "%Y-%m-%d",
    "utc": "%Y-%m-%d",
    "year": "%Y-%m-%d",
}
"""The `strftime` pattern that writes a day in each format. The formats `utc` and `year` cannot write a day alone, so `iso` is used for
them."""
COMPARED = (
    "number",
    "reference",
    "source",
    "sent",
    "indicted",
    "judged",
    "personal_number",
    "birth_date",
    "sex",
    "given_name",
    "surname",
    "full_name",
)
"""The attributes that can be compared with the records of other institutions. A contract names the column of each attribute that it has."""
_Share = Annotated[float, Field(ge=0, le=1)]

OPTIONS: Mapping[str, tuple[str, ...]] = {
    "delimited": ("encoding", "delimiter", "line_end", "header_row", "total", "earlier"),
    "workbook": ("sheet", "sheets", "header_row", "total", "earlier"),
    "xml": ("encoding", "namespace", "root", "declared", "elements"),
    "json": ("encoding", "declared", "keys"),
    "database": ("schema",),
}
"""The keys that may be under `options` of a file, for each reader. Every reader also permits the key `origin`."""

TYPES = (
    "text",  # anything
    "code",  # a value of the closed list `codes`
    "number",  # the institution's own case number; normal form: pipelines.harmonisation.case_numbers
    "reference",  # a case number of another institution, any spelling
    "integer",
    "date",  # day; `year_only: true` also permits a year alone, `month_only: true` a month and a year
    "name",
    "personal_number",
    "article",  # article of a law as typed, with or without the name of the law and words
    "offence_words",
    "form_words",
    "country",
    "municipality",
    "seat",
    "sentence",  # length of a sentence in words
)


@dataclass(frozen=True)
class DeliveryName:
    """The name of a delivery. `2012-Q4_v2` is version 2 of the delivery for the period 2012-Q4. The period can also be a month, half-year
    or year (`sources.periods`).

    Names are sorted by the last day of the period, then by version. In this order, a later state of a record supersedes an earlier one.
    """

    period: str
    version: int

    @classmethod
    def parse(cls, name: str, cadence: Cadence | None = None) -> DeliveryName | None:
        """Parse the name of a folder. Return None if it is not the name of a delivery.

        cadence: if it is set, the name must also be that of a period of this cadence.
        """
        match = _DELIVERY.fullmatch(name)
        if match is None or cadence not in (None, periods.cadence_of(match["period"])):
            return None
        return cls(match["period"], int(match["version"] or 1))

    @property
    def sort_key(self) -> tuple[date, int]:
        """The key by which deliveries are sorted: the last day of the period, then the version."""
        return periods.last_day(self.period), self.version

    def __str__(self) -> str:
        return self.period if self.version == 1 else f"{self.period}_v{self.version}"

    def __lt__(self, other: DeliveryName) -> bool:
        return self.sort_key < other.sort_key


@dataclass(frozen=True)
class ColumnSpec:
    """The declaration of one delivered column."""

    __pydantic_config__: ClassVar = _CLOSED

    name: str
    type: str = "text"
    required: bool = False  # a missing value is a finding
    key: bool = False  # part of the record key; a row is quarantined if it is unreadable
    personal: bool = False
    aliases: tuple[str, ...] = ()  # other names of the column in deliveries
    codes: Mapping[str, str | None] = field(default_factory=dict)  # delivered value -> canonical value
    # later code lists that replace `codes`, by the day from which they apply. A period is read with the list in force on its last day;
    # codes that only the list before it has are also read if the period ends within a year after the change
    codes_from: Mapping[date, Mapping[str, str | None]] = field(default_factory=dict)
    prefixes: Mapping[str, str] = field(default_factory=dict)  # "Bashkuar me" -> canonical value, rest is an argument
    pattern: str | None = None  # what a readable key looks like
    former: str | None = None  # for numbers: pattern of a note with the former number of the case (group 1)
    # for dates: dmy (dd.mm.yyyy), dmy/ (dd/mm/yyyy), dmy- (dd-mm-yyyy), iso, utc (a moment; the day is that of the country), or year (only
    # the year is delivered)
    format: DateFormat = "dmy"
    year_only: bool = False
    month_only: bool = False
    expected: bool = False  # usually known: an empty cell is reported as information
    agreed: Literal["label", "code", "full", "any"] = "label"  # agreed form: Albanian label, code, article with code, or any known spelling
    not_before: str | None = None  # column of the case's row with a day: this date must not be earlier …
    not_before_days: int = 0  # … by more than this number of days than that day
    event: bool = False  # date of an event: not after the delivered period, and in order with other events

    @property
    def describes_natural_person(self) -> bool:
        """Whether only natural persons have such a value: a part of a name, personal data, citizenship, sex or age class."""
        of_person = self.type in ("name", "personal_number", "country") or self.personal
        return of_person or (bool(self.meanings) and set(self.meanings) <= {*canonical.SEXES, *canonical.AGE_CLASSES})

    @property
    def code_lists(self) -> tuple[Mapping[str, str | None], ...]:
        """The code list agreed first (`codes`), and those that replaced it (`codes_from`)."""
        return self.codes, *self.codes_from.values()

    @property
    def meanings(self) -> tuple[str, ...]:
        """Every canonical value to which a code in `codes` or `codes_from` is mapped."""
        return tuple(dict.fromkeys(value for codes in self.code_lists for value in codes.values() if value))

    @property
    def delivered_codes(self) -> tuple[str, ...]:
        """Every delivered code in `codes` and `codes_from`."""
        return tuple(dict.fromkeys(code for codes in self.code_lists for code in codes))

    def codes_for_period_ending_on(self, end: date) -> Mapping[str, str | None]:
        """Return the codes that can be read in a period that ends on `end`, each with its canonical value.

        They are the codes agreed for that day, and the older codes that are still read.
        """
        codes = dict(self.codes)
        for day in sorted(day for day in self.codes_from if day <= end):
            still_read = codes if end < day.replace(day=1, year=day.year + 1) else {}
            codes = {**self.codes_from[day], **{code: value for code, value in still_read.items() if code not in self.codes_from[day]}}
        return codes


@dataclass(frozen=True)
class Crosswalk:
    """A table that lists which keys replaced which when the institution changed its system.

    table: the column, of type code, that names the table whose records got new keys. old, new: the columns with the former and the new key
    of a record. The rows have no record status; a delivery need not contain the table.
    """

    __pydantic_config__: ClassVar = _CLOSED

    table: str
    old: str
    new: str


@dataclass(frozen=True)
class CountsSpec:
    """A return of counts: a table with figures that the institution counted itself.

    indicator: the column, of type code, with the code of the indicator. offence_group: the column, of type code, with the offence group;
    None if each count is of all groups together. value: the column, of type integer, with the count. The rows have no record status: they
    are compared with the figures counted from records, and never counted themselves.
    """

    __pydantic_config__: ClassVar = _CLOSED

    indicator: str
    value: str
    offence_group: str | None = None


@dataclass(frozen=True)
class TableSpec:
    """The declaration of one delivered table. parent: name of the parent table. via: the columns that contain the parent's key."""

    __pydantic_config__: ClassVar = _CLOSED

    name: str
    columns: tuple[ColumnSpec, ...]
    entity: Literal["case", "person", "both"] | None = None  # case, person, both (corrections, inspectorate), or None for a child row
    key: tuple[str, ...] = ()
    parent: str | None = None
    via: tuple[str, ...] = ()
    expected: bool = False  # each parent usually has such a row: its absence is reported as information
    place: str | None = None  # key column that is a position in the parent's list: the latest list of a parent replaces earlier ones
    own_states: bool = False  # its rows have separate record states, not those of their parent row
    required: bool = False  # a delivery without a row of it is incomplete; default: true for records and counts
    crosswalk: Crosswalk | None = None  # the table has no records; it says which keys replaced which
    counts: CountsSpec | None = None  # the table has no records; it is a return of counts
    header: bool = True  # false: its columns have no names in the file and are read by position
    person_kind: str | None = None  # column of type code: is the person natural, legal or unknown
    age_class: str | None = None  # column of type code: child, adult or unknown, if no birth date is delivered

    def column(self, name: str) -> ColumnSpec:
        """Return the declaration of a column. Raises `KeyError`, naming the table, if the column is not declared."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"table {self.name!r} declares no column {name!r}")


@dataclass(frozen=True)
class FileSpec:
    """The declaration of one file of a delivery, and of how it is read."""

    __pydantic_config__: ClassVar = _CLOSED

    name: str
    reader: Literal["delimited", "workbook", "xml", "json", "database"]
    tables: Annotated[tuple[str, ...], Field(min_length=1)]
    options: Mapping[str, Any] = field(default_factory=dict)
    alternatives: tuple[str, ...] = ()  # other file names that are accepted (psh.url)


@dataclass(frozen=True)
class UnitsSpec:
    """How an institution is divided into units.

    table, columns: the table and its columns that name the unit (`_part` means the name of the sheet). number: the column with the
    institution's case number, if the record key is not this number. languages: for each language, a pattern for the names of those units
    that use it.
    """

    __pydantic_config__: ClassVar = _CLOSED

    table: str
    columns: tuple[str, ...]
    number: str | None = None
    languages: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PersonReconciliationStep:
    """A step of reconciliation that compares persons. Both the institutions `upstream` and the institutions `downstream` should have
    recorded the persons with `role` in each case."""

    __pydantic_config__: ClassVar = _CLOSED

    step: Annotated[str, Field(pattern=r"^[a-z_]+$")]
    role: str
    upstream: Annotated[tuple[str, ...], Field(min_length=1)]
    downstream: Annotated[tuple[str, ...], Field(min_length=1)]


@dataclass(frozen=True)
class Contract:
    """Everything that one institution has declared."""

    __pydantic_config__: ClassVar = _CLOSED

    institution: str
    order: int  # position in the case flow
    stage: canonical.Stage
    publisher: Mapping[str, str]
    cadence: Cadence
    due_days: Annotated[int, Field(ge=1)]  # days after the end of the period; less than a period
    language: Literal["sq", "sr", "en"]
    contact: Annotated[str, Field(pattern=r"^\S+@\S+$")]
    files: Annotated[tuple[FileSpec, ...], Field(min_length=1)]
    tables: Mapping[str, TableSpec]
    rules: tuple[Mapping[str, Any], ...] = ()  # cross-field rules, read by schemas.exports
    units: UnitsSpec | None = None
    cited_as: Annotated[str, Field(pattern=r"^[a-z_]+$")] | None = None  # kind of its case numbers, which others cite
    states_form: bool = False  # its records state the form of exploitation
    counts_in: tuple[
        str, ...
    ] = ()  # indicators that count its records in addition to those of the institutions named in the indicators' files
    one_file_a_case: bool = False  # two files of one case with a person in common are an error and are reported to it
    deals_with_victims: bool = False  # agreements may let it receive and give data on victims
    tells_nothing_to: tuple[str, ...] = ()  # institutions that learn nothing about its records unless an agreement allows it
    delivers_from: date | None = None  # no delivery is due for periods that end before this day; null: due for every period
    delivers_until: date | None = None  # no delivery is due for periods that begin after this day; null: no end is known
    answer_days: Annotated[int, Field(ge=1, le=365)] = 30  # days after receipt in which findings are to be answered
    roles: tuple[str, ...] = ()  # the roles of its persons, if no column states them and they are not accused
    shared_persons: tuple[PersonReconciliationStep, ...] = ()  # steps of reconciliation that compare persons
    compared: Mapping[str, str] = field(default_factory=dict)  # attribute compared with others' records -> column
    tolerances: Mapping[str, _Share] = field(default_factory=dict)  # dimension of quality -> tolerated share of faults
    keep_days: Annotated[int, Field(ge=1, le=3650)] = 180  # days after receipt until the feedback is deleted
    pull: Mapping[str, Any] | None = None  # from where its deliveries are fetched; read by pipelines.pull

    @property
    def has_records(self) -> bool:
        """Whether the institution delivers records, and not just counts."""
        return any(table.entity for table in self.tables.values())

    def is_delivery_due(self, period: str) -> bool:
        """Return whether the institution has to deliver for a period. This follows from `delivers_from` and `delivers_until`."""
        first, last = self.delivers_from or date.min, self.delivers_until or date.max
        return periods.last_day(period) >= first and periods.first_day(period) <= last

    @property
    def person_key_extends_case_key(self) -> bool:
        """Whether the key of a person is the key of the case with further parts appended."""
        people = [table for table in self.tables.values() if table.entity == "person" and table.parent]
        return any(len(table.key) > len(table.via) > 0 and table.key[: len(table.via)] == table.via for table in people)


def _convert_mapping_to_named_entries(raw: Any, path: Path, key: str) -> list[Any]:
    """Convert a mapping of names to entries into a list of entries that have a `name`.

    path, key: the file and the key that declare the mapping; error messages name them.
    """
    if not isinstance(raw, Mapping):
        raise make_value_error(path, key, raw, "it must be a mapping of names to entries")
    return [{**entry, "name": str(name)} if isinstance(entry := inner or {}, Mapping) else inner for name, inner in raw.items()]


def _reshape_yaml(raw: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Return the content of a YAML file in the shape of `_ContractAsWritten`.

    Tables and columns become lists, so that an error can name the table or column.
    """
    tables = _convert_mapping_to_named_entries(raw.get("tables"), path, "tables")
    for table in tables:
        if isinstance(table, dict):
            table.setdefault("required", table.get("entity") is not None or table.get("counts") is not None)
            table["columns"] = _convert_mapping_to_named_entries(table.get("columns"), path, f"tables.{table['name']}.columns")
            for column in table["columns"]:
                if isinstance(column, dict) and isinstance(column.get("codes"), Mapping):
                    column["codes"] = {str(code): value for code, value in column["codes"].items()}
                if isinstance(column, dict) and isinstance(dated := column.get("codes_from"), Mapping):
                    column["codes_from"] = {
                        day: {str(code): value for code, value in codes.items()} if isinstance(codes, Mapping) else codes
                        for day, codes in dated.items()
                    }
    return {**raw, "tables": tables}


@dataclass(frozen=True)
class _ContractAsWritten(Contract):
    """A contract as it is written in YAML, with its tables as a list."""

    tables: tuple[TableSpec, ...]  # type: ignore[assignment]


def read_contract(path: Path) -> Contract:
    """Read a contract. Raises `DeclarationError` with file, key, value and remedy if it is invalid."""
    raw = read_yaml(path)
    if not isinstance(raw, dict):
        raise make_value_error(path, "the file", raw, "a contract is a mapping of keys to values")
    written = convert_declaration(_ContractAsWritten, _reshape_yaml(raw, path), path)
    contract = Contract(**{**vars(written), "tables": {table.name: table for table in written.tables}})
    _check_contract(contract, path)
    return contract


def _check_contract(contract: Contract, path: Path) -> None:
    """Check that the parts of a contract are consistent. Raises `DeclarationError`."""
    if contract.due_days > (most := _MOST_DUE_DAYS[contract.cadence]):
        raise make_value_error(path, "due_days", contract.due_days, f"it must be less than or equal to {most}")
    if contract.delivers_from and contract.delivers_until and contract.delivers_from > contract.delivers_until:
        raise make_value_error(path, "delivers_until", str(contract.delivers_until), "it must not be earlier than delivers_from")
    if contract.stage not in domain.stages():
        raise make_value_error(path, "stage", contract.stage, f"it must be one of {', '.join(domain.stages())}, the stages of the domain")
    if contract.institution != path.parent.name:
        raise make_value_error(path, "institution", contract.institution, f"it must be the name of the folder, {path.parent.name}")
    if lacking := [language for language in LANGUAGES if not contract.publisher.get(language)]:
        raise make_value_error(path, "publisher", dict(contract.publisher), f"add {', '.join(lacking)}")
    if contract.cited_as == OTHER:
        raise make_value_error(path, "cited_as", OTHER, "this kind is reserved for numbers of no institution: choose another")
    if odd := sorted(set(contract.tolerances) - set(DIMENSIONS)):
        raise make_value_error(path, "tolerances", odd[0], f"it must be one of {', '.join(DIMENSIONS)}")
    for file in contract.files:
        _check_file_options(file, path)
    read_by = [table for file in contract.files for table in file.tables]
    for name in dict.fromkeys([*read_by, *contract.tables]):
        if name not in contract.tables:
            raise make_value_error(path, "files", name, f"declare it under tables, or name one of {', '.join(contract.tables)}")
        if read_by.count(name) != 1:
            raise make_value_error(
                path, f"tables.{name}", read_by.count(name), "that many files contain it: list it under the tables of exactly one"
            )
    for table in contract.tables.values():
        _check_table(table, contract.tables, path)
    returns = [name for name, table in contract.tables.items() if table.counts]
    if returns and contract.cadence not in ("quarterly", "yearly"):
        raise make_value_error(
            path, "cadence", contract.cadence, f"counts ({returns[0]}) are of quarters or years: make it quarterly or yearly"
        )
    if not contract.has_records and not returns:
        raise make_value_error(path, "tables", list(contract.tables), "one of them must have an `entity`, or `counts`")
    if not contract.has_records and contract.counts_in:
        raise make_value_error(path, "counts_in", contract.counts_in[0], "it delivers no records that could count: remove the key")
    every = {column.name for table in contract.tables.values() for column in table.columns}
    if odd := sorted(set(contract.compared) - set(COMPARED)):
        raise make_value_error(path, "compared", odd[0], f"it must be one of {', '.join(COMPARED)}")
    for attribute, column_name in contract.compared.items():
        if column_name not in every:
            raise make_value_error(path, f"compared.{attribute}", column_name, "it must be a column of a table")
    if contract.units:
        _check_units(contract.units, contract.tables, path)


def _check_file_options(file: FileSpec, path: Path) -> None:
    key, known = f"files.{file.name}.options", (*OPTIONS[file.reader], "origin")
    if odd := sorted(set(file.options) - set(known)):
        raise make_value_error(path, key, odd[0], f"the reader {file.reader} knows only {', '.join(known)}")
    encoding = file.options.get("encoding", "utf-8")
    try:
        codecs.lookup(encoding)
    except (LookupError, TypeError):
        remedy = "it must be a name that Python knows, such as utf-8 or windows-1250"
        raise make_value_error(path, f"{key}.encoding", encoding, remedy) from None


def _check_table(table: TableSpec, tables: Mapping[str, TableSpec], path: Path) -> None:
    key = f"tables.{table.name}"
    names = {column.name for column in table.columns}
    for part, columns in (("key", table.key), ("via", table.via)):
        if odd := [name for name in columns if name not in names]:
            raise make_value_error(path, f"{key}.{part}", odd[0], "it must be a column of the table")
    if table.crosswalk is not None:
        _check_crosswalk(table, table.crosswalk, tables, path)
    if table.counts is not None:
        _check_counts(table, table.counts, path)
    if table.place is not None and table.place not in table.key:
        raise make_value_error(path, f"{key}.place", table.place, "it must be a column of the key")
    for part, values in (("person_kind", canonical.PERSON_KINDS), ("age_class", (*canonical.AGE_CLASSES, "unknown"))):
        _check_code_column(table, part, values, path)
    if table.own_states and (table.entity or not table.key):
        raise make_value_error(path, f"{key}.own_states", True, "only a table with a key that is no table of records has it")
    if table.parent is not None and (table.parent not in tables or not table.via):
        raise make_value_error(
            path, f"{key}.parent", table.parent, "it must be another table, and `via` must name the columns with its key"
        )
    for column in table.columns:
        column_key = f"{key}.columns.{column.name}"
        if column.type not in TYPES:
            raise make_value_error(path, f"{column_key}.type", column.type, f"it must be one of {', '.join(TYPES)}")
        if column.type == "personal_number" and domain.country().personal_number is None:
            raise make_value_error(path, f"{column_key}.type", column.type, "the domain's country.yaml has no personal_number: add it")
        if (column.type == "code") != bool(column.codes):
            raise make_value_error(
                path, f"{column_key}.codes", dict(column.codes), "only a column of type code has a list of codes, and it must have one"
            )
        if column.codes_from and not column.codes:
            raise make_value_error(
                path, f"{column_key}.codes_from", [str(day) for day in column.codes_from], "declare the codes of before under `codes`"
            )
        if column.key != (column.name in table.key) or (column.key and not column.required):
            raise make_value_error(
                path, f"{column_key}.key", column.key, "exactly the columns of the table's key must have `key: true, required: true`"
            )
        if column.not_before and column.not_before not in {c.name for t in tables.values() for c in t.columns}:
            raise make_value_error(path, f"{column_key}.not_before", column.not_before, "it must be a column")
        for part, pattern in (("pattern", column.pattern), ("former", column.former)):
            try:
                groups = re.compile(pattern or "").groups
            except re.error as error:
                raise make_value_error(path, f"{column_key}.{part}", pattern, f"it must be a regular expression ({error.msg})") from None
            if part == "former" and pattern is not None and (column.type != "number" or groups != 1):
                raise make_value_error(
                    path, f"{column_key}.former", pattern, "it must be a pattern with one group, in a column of type number"
                )


def _check_code_column(table: TableSpec, part: str, values: tuple[str, ...], path: Path) -> None:
    """Check the column that a table names under the key `part`. It must be of type code, its codes must mean one of `values`, and the table
    must be one of persons."""
    name: str | None = getattr(table, part)
    if name is None:
        return
    column = next((c for c in table.columns if c.name == name), None)
    key, remedy = f"tables.{table.name}.{part}", f"with codes for {', '.join(values)}"
    if column is None or column.type != "code":
        raise make_value_error(path, key, name, f"it must be a column of type code, {remedy}")
    if odd := [code for codes in column.code_lists for code, value in codes.items() if value not in values]:
        raise make_value_error(path, key, name, f"it must be a column {remedy}: its code {odd[0]} has another meaning")
    if table.entity not in ("person", "both"):
        raise make_value_error(path, key, name, "only a table of persons has it")


def _check_crosswalk(table: TableSpec, crosswalk: Crosswalk, tables: Mapping[str, TableSpec], path: Path) -> None:
    key = f"tables.{table.name}.crosswalk"
    types = {column.name: column.type for column in table.columns}
    for part in ("table", "old", "new"):
        if getattr(crosswalk, part) not in types:
            raise make_value_error(path, f"{key}.{part}", getattr(crosswalk, part), "it must be a column of the table")
    records = [name for name, spec in tables.items() if spec.entity]
    named = set(table.column(crosswalk.table).meanings)
    if types[crosswalk.table] != "code" or not named <= set(records):
        raise make_value_error(path, f"{key}.table", crosswalk.table, f"it must be of type code, with codes for {', '.join(records)}")
    if table.entity or table.key or table.parent:
        raise make_value_error(path, f"tables.{table.name}", table.name, "a crosswalk has no entity, key or parent")


def _check_counts(table: TableSpec, counts: CountsSpec, path: Path) -> None:
    types = {column.name: column.type for column in table.columns}
    for part, kind in (("indicator", "code"), ("offence_group", "code"), ("value", "integer")):
        name = getattr(counts, part)
        if name is not None and types.get(name) != kind:
            raise make_value_error(path, f"tables.{table.name}.counts.{part}", name, f"it must be a column of the table, of type {kind}")
    if table.entity or table.key or table.parent:
        raise make_value_error(path, f"tables.{table.name}", table.name, "a return of counts has no entity, key or parent")


def _check_units(units: UnitsSpec, tables: Mapping[str, TableSpec], path: Path) -> None:
    if units.table not in tables:
        raise make_value_error(path, "units.table", units.table, f"it must be one of {', '.join(tables)}")
    names = {"_part", *(column.name for column in tables[units.table].columns)}
    for part, columns in (("columns", units.columns), ("number", (units.number,) if units.number else ())):
        if odd := [name for name in columns if name not in names]:
            raise make_value_error(path, f"units.{part}", odd[0], f"it must be a column of {units.table}")
    if odd := sorted(set(units.languages) - set(LANGUAGES)):
        raise make_value_error(path, "units.languages", odd[0], f"it must be one of {', '.join(LANGUAGES)}")


@cache
def load(institution: str) -> Contract:
    """Return the contract of an institution.

    Raises `FileNotFoundError` for an unknown institution, `DeclarationError` for an invalid contract.
    """
    return read_contract(folder_by_institution().get(institution, SOURCES / institution) / "contract.yaml")


@cache
def record_tables() -> Mapping[tuple[str, str], str]:
    """Return the table of records to which the rows of each delivered table belong, by (institution, table).

    This is the table itself if its rows are records, otherwise the parent table whose rows are records.
    """
    return {(name, table): _find_table_of_records(load(name).tables, table) for name in institutions() for table in load(name).tables}


def _find_table_of_records(tables: Mapping[str, TableSpec], table: str) -> str:
    """Return the table of records to which the rows of `table` belong. This is `table` itself if its rows are records, otherwise one of its
    parent tables."""
    parent = tables[table].parent
    return table if tables[table].entity or parent is None else _find_table_of_records(tables, parent)


def find_institution_folders(*parents: Path) -> Mapping[str, Path]:
    """Return the folders of all institutions in the folders `parents`, by name of the institution.

    Raises `DeclarationError` if two folders have the same name, or if a file is missing in a folder: otherwise the figures of that
    institution would be missing without notice.
    """
    folders: dict[str, Path] = {}
    for parent in parents:
        if not parent.is_dir():
            raise DeclarationError(f"{FURTHER_SETTING} names {parent}, which is not a folder: correct it")
        for folder in sorted(path for path in parent.iterdir() if path.is_dir() and any((path / part).exists() for part in _PARTS)):
            lacking = [display_path(folder / part) for part in _PARTS if not (folder / part).is_file()]
            if lacking:
                raise DeclarationError(
                    f"{display_path(folder)}: lacks {', '.join(lacking)}: complete the institution, or move its folder away"
                )
            if other := folders.get(folder.name):
                raise DeclarationError(
                    f"{display_path(folder)}: an institution of this name is in {display_path(other)}: rename one of the folders"
                )
            part = domain_folder.find_path_in_built_in_domain("sources") / folder.name
            if part != folder and (part / "__init__.py").is_file() and not (part / "contract.yaml").is_file():
                raise DeclarationError(f"{display_path(folder)}: {folder.name} is the name of a part of Harmonia: rename the institution")
            folders[folder.name] = folder
    return folders


@cache
def folder_by_institution() -> Mapping[str, Path]:
    """Return the folder of each institution: of those in the domain, and of those in the folders that `HARMONIA_SOURCES` names."""
    return find_institution_folders(SOURCES, *folders_named_in_environment())


def folders_named_in_environment() -> tuple[Path, ...]:
    """Return the folders named in `HARMONIA_SOURCES`."""
    return tuple(Path(folder).resolve() for folder in os.environ.get(FURTHER_SETTING, "").split(os.pathsep) if folder)


@cache
def institutions() -> tuple[str, ...]:
    """Return the names of all institutions in the order of the case flow (`order` of the contract).

    Raises `DeclarationError` if a folder lacks a file, or if two institutions have the same `order`.
    """
    ordered = sorted(folder_by_institution(), key=lambda name: load(name).order)
    for one, other in pairwise(ordered):
        if load(one).order == load(other).order:
            raise make_value_error(
                folder_by_institution()[other] / "contract.yaml", "order", load(other).order, f"{one} has the same: make it unique"
            )
    return tuple(ordered)


@cache
def case_flow_positions() -> Mapping[str, int]:
    """Return the position of each institution in the case flow, from 0."""
    return {name: n for n, name in enumerate(institutions())}


@cache
def stage_by_institution() -> Mapping[str, str]:
    """Return the stage of each institution, in the order of the case flow."""
    return {name: load(name).stage for name in institutions()}


def institutions_at_stages(*stages: canonical.Stage) -> tuple[str, ...]:
    """Return the institutions of the given stages that deliver records, in the order of the case flow."""
    return tuple(name for name, stage in stage_by_institution().items() if stage in stages and load(name).has_records)


@cache
def institutions_with_file_per_person() -> tuple[str, ...]:
    """Return the institutions that open a separate case file for each person. There, a case with several persons has several files."""
    stages = domain.stages()
    return tuple(name for name, stage in stage_by_institution().items() if stages[cast("canonical.Stage", stage)].one_person_a_file)


@cache
def institution_by_case_number_kind() -> Mapping[str, str]:
    """Return the institution that assigns each kind of case number, by kind.

    Raises `DeclarationError` if two institutions declare the same kind.
    """
    institutions_by_kind: dict[str, str] = {}
    for name in institutions():
        kind = load(name).cited_as
        if kind is not None and institutions_by_kind.setdefault(kind, name) != name:
            raise make_value_error(
                folder_by_institution()[name] / "contract.yaml",
                "cited_as",
                kind,
                f"{institutions_by_kind[kind]} has the same: make it unique",
            )
    return institutions_by_kind


@cache
def institutions_with_one_file_per_case() -> tuple[str, ...]:
    """Return the institutions that keep each case in one file.

    Other institutions may decide to separate or join files, or open one file after another on the same case.
    """
    return tuple(name for name in institutions() if load(name).one_file_a_case)


@cache
def institutions_recording_role(role: str) -> tuple[str, ...]:
    """Return the institutions whose persons can have `role` according to their contracts (`roles`, or the codes of a column)."""

    def can(contract: Contract) -> bool:
        return role in contract.roles or any(role in c.meanings for t in contract.tables.values() for c in t.columns)

    return tuple(name for name in institutions() if can(load(name)))


@cache
def institutions_recording_accused() -> tuple[str, ...]:
    """Return the institutions whose records name accused persons."""
    return tuple(name for name in institutions() if load(name).has_records and not load(name).roles)
