"""Read all indicators: those counted by the models, those defined by SQL, and those of which no institution delivers data.

Belongs here: reading and checking an indicator file: its texts, and that its SQL is one SELECT over the facts with the required columns.
Does not belong here: the content of `rows` and `harmonised` (`warehouse.indicators`), running the SQL (`star/figures`). Each indicator is
declared in one file. If the file has `rows` and `harmonised`, the models count the indicator and compute its bridge, and its figures are
published in `statistics`. If the file has `sql`, the SQL computes the figures, and they are published in `further_statistics`. If the file
has `not_available`, it names the organisation that would have the figures.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import yaml

from harmonia.errors import HarmoniaError
from schemas import domain_folder
from schemas.yaml_declarations import read_yaml
from sources import contract
from warehouse import tables
from warehouse.indicators import DIMENSIONS, LANGUAGES, list_institutions_counted_by_indicator, name_joining_institutions, read_indicator

FOLDER = domain_folder.find_path_in_domain("indicators")
MEASURES = ("as_reported", "harmonised")
UNITS = ("case", "person", "indictment")
KINDS = ("flow", "stock")
READABLE = ("fact_", "dim_")
_FURTHER = ("version", "kind", "institutions", "dimensions", "standards", "sql", "not_available", "rows", "harmonised")
_NEEDED = ("indicator", "order", "title", "definition", "unit", "reference", "source")


@dataclass(frozen=True)
class IndicatorDefinition:
    """One indicator file.

    kind           flow: events in a period are counted; stock: what exists at the end of a period is counted (the SQL returns each unit
                   once per quarter, with the last day of the quarter as `day`)
    counting       `rows` and `harmonised` of the file if the models count the indicator, otherwise empty
    sql            one SELECT for each measure if the indicator is defined by SQL, otherwise empty
    not_available  who would have the figures, in each language; empty if the figures are available
    """

    code: str
    order: int
    version: int
    title: Mapping[str, str]
    definition: Mapping[str, str]
    unit: str
    kind: str
    reference: str
    source: str
    institutions: tuple[str, ...] = ()
    dimensions: tuple[str, ...] = ()
    standards: tuple[str, ...] = ()
    counting: Mapping[str, Any] = field(default_factory=dict)
    sql: Mapping[str, str] = field(default_factory=dict)
    not_available: Mapping[str, str] = field(default_factory=dict)
    rule: str = ""

    @property
    def is_counted_by_models(self) -> bool:
        """Whether the models count the indicator. If they do, its figures are published in `statistics`, with a bridge."""
        return bool(self.counting)

    @property
    def published_in(self) -> str | None:
        """The table in which the figures of the indicator are published; None if the indicator has no figures."""
        return None if self.not_available else "statistics" if self.is_counted_by_models else "further_statistics"

    def columns(self, measure: str) -> tuple[str, ...]:
        """Return the columns that the SELECT of a measure must have."""
        keys = {"case": ("case_id",), "person": ("case_id", "person_id")}.get(self.unit, ())
        if measure == "as_reported":
            return ("day", *self.dimensions)
        serious = ("offence_group",) if self.unit == "person" and self.kind == "flow" else ()  # of several events the most serious counts
        return tuple(dict.fromkeys((*keys, "day", *serious, *self.dimensions)))


def _make_error_of_invalid_file(path: Path, what: str) -> HarmoniaError:
    return HarmoniaError(f"indicator file {path.name}: {what}")


def _check_indicator_file(path: Path, raw: Mapping[str, Any]) -> None:
    """Raise `HarmoniaError` for an invalid key or value in an indicator file."""
    absent = [key for key in _NEEDED if not raw.get(key)]
    if absent:
        raise _make_error_of_invalid_file(path, f"lacks {', '.join(absent)}: see docs/how-to/add-an-indicator.md")
    if odd := sorted(set(raw) - {*_NEEDED, *_FURTHER}):
        raise _make_error_of_invalid_file(path, f"{odd[0]} is not a known key: one of {', '.join((*_NEEDED, *_FURTHER))}")
    if raw["indicator"] != path.stem:
        raise _make_error_of_invalid_file(path, f"indicator is {raw['indicator']!r}: it must be the name of the file")
    lists = {"unit": UNITS, "kind": KINDS, "institutions": contract.institutions(), "dimensions": tuple(DIMENSIONS)}
    for key, allowed in lists.items():
        present = raw.get(key) or []
        unknown = [value for value in ([present] if isinstance(present, str) else present) if value not in allowed]
        if unknown:
            raise _make_error_of_invalid_file(path, f"{key} {', '.join(map(str, unknown))} unknown: one of {', '.join(allowed)}")
    for key in ("title", "definition", *(["not_available"] if "not_available" in raw else [])):
        lacking = [language for language in LANGUAGES if not (raw[key] or {}).get(language)]
        if lacking:
            raise _make_error_of_invalid_file(path, f"{key} lacks {', '.join(lacking)}")
    ways = [name for name, present in (("rows", "rows" in raw or "harmonised" in raw), ("sql", "sql" in raw)) if present]
    if "not_available" not in raw and len(ways) != 1:
        raise _make_error_of_invalid_file(path, "needs either `rows` and `harmonised`, or `sql`, or `not_available`")
    if "sql" in ways and set(raw["sql"] or {}) != set(MEASURES):
        raise _make_error_of_invalid_file(path, "needs `sql` with `as_reported` and `harmonised`")
    if "not_available" not in raw and not raw.get("institutions"):
        raise _make_error_of_invalid_file(
            path, "names no institutions: they are needed to mark figures with missing deliveries as incomplete"
        )


def load_definition(path: Path) -> IndicatorDefinition:
    """Read the file of an indicator. Raises `HarmoniaError` with file and remedy if it is invalid."""
    try:
        raw = read_yaml(path)
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise _make_error_of_invalid_file(path, f"cannot be read ({type(error).__name__}): it must be YAML in UTF-8") from error
    if not isinstance(raw, dict):
        raise _make_error_of_invalid_file(path, "is not a mapping of keys to values")
    _check_indicator_file(path, raw)
    engine = {key: raw[key] for key in ("rows", "harmonised") if key in raw}
    if engine:
        read_indicator(path, raw)
    return IndicatorDefinition(
        code=raw["indicator"],
        order=int(raw["order"]),
        version=int(raw.get("version", 1)),
        title=raw["title"],
        definition=name_joining_institutions(raw["indicator"], raw["definition"]),
        unit=raw["unit"],
        kind=raw.get("kind", "flow"),
        reference=raw["reference"],
        source=raw["source"],
        institutions=list_institutions_counted_by_indicator(raw["indicator"], raw.get("institutions") or ()),
        dimensions=tuple(raw.get("dimensions", ())),
        standards=tuple(raw.get("standards", ())),
        counting=engine,
        sql=dict(raw.get("sql") or {}),
        not_available=dict(raw.get("not_available") or {}),
        rule=hashlib.sha256(
            json.dumps([engine, _extract_parts_that_determine_figures(raw)], sort_keys=True, default=str).encode()
        ).hexdigest()[:16],
    )


def _extract_parts_that_determine_figures(raw: Mapping[str, Any]) -> list[Any]:
    """Return the parts of a file, besides `rows` and `harmonised`, that determine the figures: the SQL (ignoring spaces and line breaks),
    unit, kind, institutions and dimensions."""
    sql = {measure: " ".join(str(text).split()) for measure, text in (raw.get("sql") or {}).items()}
    return [sql, *(raw.get(key) for key in ("unit", "kind", "institutions", "dimensions"))]


@cache
def catalogue(folder: Path = FOLDER) -> Mapping[str, IndicatorDefinition]:
    """Read all indicator files, by code, in the order of the case flow. Raises `HarmoniaError` for an invalid file."""
    definitions = sorted((load_definition(path) for path in folder.glob("*.yaml")), key=lambda one: (one.order, one.code))
    check_definitions(definitions)
    return {one.code: one for one in definitions}


def check_definitions(definitions: list[IndicatorDefinition]) -> None:
    """Raise `HarmoniaError` if the SQL of an indicator is not one SELECT over fact and dimension tables, or lacks a required column."""
    with duckdb.connect() as empty:
        for name, table in tables.WAREHOUSE.tables.items():
            if name.startswith(READABLE):
                empty.register(name, tables.arrow_schema(table).empty_table())
        for definition in definitions:
            for measure, sql in definition.sql.items():
                _check_indicator_sql(empty, definition, measure, sql)


def _check_indicator_sql(empty: duckdb.DuckDBPyConnection, definition: IndicatorDefinition, measure: str, sql: str) -> None:
    where = FOLDER / f"{definition.code}.yaml"
    try:
        require_single_select(empty, sql)
        present = [row[0] for row in empty.execute(f"DESCRIBE {sql}").fetchall()]
    except duckdb.Error as error:
        raise _make_error_of_invalid_file(
            where, f"the SQL of {measure} fails: {str(error).splitlines()[0]}; columns are in docs/reference/dictionary.md"
        ) from error
    except ValueError as error:
        raise _make_error_of_invalid_file(where, f"the SQL of {measure} {error}") from error
    lacking = [column for column in definition.columns(measure) if column not in present]
    if lacking:
        raise _make_error_of_invalid_file(
            where, f"the SQL of {measure} lacks the columns {', '.join(lacking)}; it returns {', '.join(present)}"
        )


def require_single_select(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Raise `ValueError` if `sql` is not one SELECT, as DuckDB parses it, or if it reads anything except fact and dimension tables."""
    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        raise ValueError(f"has {len(statements)} statements: one SELECT is allowed")
    kind = statements[0].type
    if kind != duckdb.StatementType.SELECT:
        raise ValueError(f"is a {kind.name}: one SELECT is allowed")
    tree = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [sql]).fetchone()
    kinds = _collect_types_of_parse_tree_nodes(json.loads(tree[0]) if tree else {})
    if any(node.endswith("_QUERY_NODE") for node in kinds):  # DuckDB parses INSERT … RETURNING within WITH as a SELECT
        raise ValueError("writes: one SELECT is allowed")
    if "TABLE_FUNCTION" in kinds:
        raise ValueError("reads from a function: only facts (fact_) and dimensions (dim_) are allowed")
    foreign = sorted(name for name in connection.get_table_names(sql) if not name.startswith(READABLE))
    if foreign:
        raise ValueError(f"reads {', '.join(foreign)}: only facts (fact_) and dimensions (dim_) are allowed")


def _collect_types_of_parse_tree_nodes(tree: Any) -> set[str]:
    """Return the values of `type` of all nodes of a parse tree."""
    if isinstance(tree, dict):
        types = {tree["type"]} if isinstance(tree.get("type"), str) else set()
        return types.union(*(_collect_types_of_parse_tree_nodes(value) for value in tree.values()))
    return set().union(*(_collect_types_of_parse_tree_nodes(value) for value in tree)) if isinstance(tree, list) else set()
