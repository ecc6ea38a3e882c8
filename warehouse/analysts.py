"""The tables of the warehouse as analysts see them, with pseudonyms for keys and ids, and coarser days, ages and places.

Belongs here: the declaration of these tables, and their rows. Does not belong here: the content of the tables (`tables`, `star`), the key
and the crosswalk of pseudonyms (`stores`), how a store is written. Record keys and ids are replaced by pseudonyms, since an id would reveal
the order of deliveries. A day becomes the first day of its calendar quarter. A column declared with `coarse` is replaced as `COARSE` says.
Rows with the day of a confidential event, and figures of such events that are not totals of a year, are left out
(`make_condition_of_rows_withheld_from_analysts`). Rows are sorted by their values, which reveals nothing about the order of arrival. Views
are computed from the exact rows and stored as tables, since they would give other results on coarse days.
"""

from __future__ import annotations

import hmac
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import duckdb
import pandas as pd
import pyarrow as pa
from sqlalchemy import Column, Date, MetaData, Table

from schemas.canonical import CONFIDENTIAL_EVENTS
from schemas.domain import country
from warehouse import tables
from warehouse.indicators import DIMENSIONS
from warehouse.indicators import indicators as declared_indicators
from warehouse.loading import BATCH, Rows, register_table

PSEUDONYM_HEX = 32
IDS = ("case_id", "person_id")
_HASHED = "sha256(getvariable('ids') || {0})"
_HMAC = "sha256(getvariable('outer_pad') || unhex(sha256(getvariable('inner_pad') || encode({0}))))"
"""HMAC-SHA256 of a text by RFC 2104. `inner_pad`, `outer_pad`: the key, each byte of which is XORed with a constant."""
_HMAC_BLOCK = 64
_FIRST = _HASHED.format("min(r.institution || '/' || r.record_key) OVER (PARTITION BY {0})")
COARSE = {
    "nothing": ("CAST(NULL AS {1})", "null"),
    "adult": ("CASE WHEN {0} < 18 THEN 0 WHEN {0} >= 18 THEN 18 END", "0 for a child, 18 for an adult"),
    "domestic": (f"CASE WHEN {{0}} = '{country().domestic}' THEN {{0}} END", "null unless domestic; see the group and the region"),
    "rank": ("row_number() OVER (PARTITION BY r.case_id ORDER BY r.order_day, {0})", "the position within its case"),
    "number": (f"CAST('0x' || left({_FIRST}, 13) AS BIGINT)", "another number, which reveals no order"),
}
"""The ways to replace the values of a column: for each, the SQL expression ({0}: the column, {1}: its type), and a description. The number
of `number` has 13 hexadecimal digits, so that every tool accepts it."""
_QUARTER = "CAST(date_trunc('quarter', {0}) AS DATE)", "the first day of its quarter"
PSEUDONYM = "a keyed pseudonym"
_MEMORY = "500MB"


def _find_replacement_for_analysts(table: Table, column: Column[object]) -> tuple[str, str] | None:
    """Return the SQL expression that analysts see in place of a column, and its description. Return None if they see the column itself."""
    stored = "view" not in table.info  # a view is computed from the exact rows
    if stored and column.name in tables.key_columns(table):
        text = f"""r."{tables.key_columns(table)[column.name]}" || chr(0) || {{0}}"""
        return f"left({_HMAC.format(text)}, {PSEUDONYM_HEX})", PSEUDONYM
    if stored and column.name in IDS:
        return f"left({_HASHED}, {PSEUDONYM_HEX})", PSEUDONYM
    if column.info.get("coarse"):
        return COARSE[str(column.info["coarse"])]
    is_day = isinstance(column.type, Date) and table.info["rows"] != "reference"
    return _QUARTER if stored and is_day else None


def describe_replacement_for_analysts(table: Table, column: Column[object]) -> str | None:
    """Describe what analysts see instead of the values of a column. Return None if they see the values themselves."""
    replacement = _find_replacement_for_analysts(table, column)
    return replacement[1] if replacement else None


def make_condition_of_rows_withheld_from_analysts(table: Table) -> str | None:
    """Return the SQL condition that selects, from the table alias `r`, the rows that analysts do not see. Return None if they see all rows.

    Of the figures of confidential events, analysts see only the totals of years. A figure for a quarter or a category, compared with the
    rows of the victims, could show who was in a shelter, and when.
    """
    events = ", ".join(f"'{event}'" for event in CONFIDENTIAL_EVENTS)
    indicators = ", ".join(f"'{code}'" for code, one in declared_indicators().items() if one.rows.event in CONFIDENTIAL_EVENTS)
    if table.name in ("counted", "bridge_records"):
        return f"r.indicator IN ({indicators})" if indicators else None
    if _contains_indicator_figures(table):
        totals = " AND ".join(f"r.{name} = 'total'" for name in DIMENSIONS if name in table.columns)
        year = f"length(r.period) = 4{f' AND {totals}' if totals else ''}"
        return f"r.indicator IN ({indicators}) AND NOT ({year})" if indicators else None
    has_events = "event" in table.columns and table.info["rows"] != "reference" and "view" not in table.info
    return f"r.event IN ({events})" if has_events else None


def _contains_indicator_figures(table: Table) -> bool:
    """Return whether a table has figures of indicators by period."""
    return {"indicator", "period"} <= set(table.columns.keys())


def _make_sql_of_rows_for_analysts(table: Table, source: str, columns: Iterable[str]) -> str:
    """Return the SQL for what analysts see of the `columns` of a table. The exact rows are in the table `source`; the result is sorted by
    value."""
    inner = ", ".join(f'{_make_expression_for_analysts(table, column)} AS "{column.name}"' for column in table.columns)
    shown = f"({make_condition_of_rows_withheld_from_analysts(table) or 'false'}) IS NOT TRUE"
    chosen = ", ".join(f'"{name}"' for name in columns)
    return f'SELECT {chosen} FROM (SELECT {inner} FROM "{source}" r WHERE {shown}) ORDER BY ALL'


def _make_sql_of_stored_rows(table: Table) -> str:
    """Return the SQL for the stored rows of a table; days, which may be stored as timestamps, are converted to dates."""
    casts = (f'CAST("{c.name}" AS DATE) AS "{c.name}"' if isinstance(c.type, Date) else f'"{c.name}"' for c in table.columns)
    return f'SELECT {", ".join(casts)} FROM "{table.name} as stored"'


def is_altered_for_analysts(table: Table) -> bool:
    """Return whether the table that analysts see differs from the table of the warehouse."""
    return make_condition_of_rows_withheld_from_analysts(table) is not None or any(
        describe_replacement_for_analysts(table, column) for column in table.columns
    )


def _declare_tables_for_analysts() -> MetaData:
    out = MetaData()
    for table in tables.WAREHOUSE.tables.values():
        columns = []
        for column in table.columns:
            copy, note = column._copy(), describe_replacement_for_analysts(table, column)
            copy.comment = f"{column.comment}; to analysts: {note}" if note else column.comment
            columns.append(copy)
        info = {key: value for key, value in table.info.items() if key != "view"} | {"altered": is_altered_for_analysts(table)}
        without = (
            "of victims in shelters only the totals of years"
            if _contains_indicator_figures(table)
            else "without the days of victims in shelters"
        )
        without = f"; to analysts: {without}" if make_condition_of_rows_withheld_from_analysts(table) else ""
        Table(table.name, out, *columns, comment=f"{table.comment}{without}", info=info)
    return out


ANALYSTS = _declare_tables_for_analysts()
"""The tables of the analysts: those of the warehouse, including its views, with comments that say what is changed."""


@dataclass(frozen=True)
class AnalystRows:
    """The rows of a table as analysts see them. They are computed when they are read.

    rows: the exact rows of the table in the warehouse. key: the secret key of the pseudonyms. base: the database that computes the rows.
    """

    table: Table
    rows: Rows
    key: bytes
    base: duckdb.DuckDBPyConnection

    def to_batches(self, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the rows in batches, sorted by their values."""
        with self.base.cursor() as connection:
            connection.execute("SET VARIABLE ids = ?", [hmac.new(self.key, b"ids", "sha256").hexdigest()])
            for name, constant in (("inner_pad", 0x36), ("outer_pad", 0x5C)):
                connection.execute(f"SET VARIABLE {name} = ?", [bytes(byte ^ constant for byte in self.key.ljust(_HMAC_BLOCK, b"\0"))])
            register_table(connection, "incoming", self.rows)
            selected = _make_sql_of_rows_for_analysts(self.table, "incoming", columns or self.table.columns.keys())
            reader = connection.sql(selected).to_arrow_reader(BATCH)
            yield pa.RecordBatch.from_pylist([], schema=reader.schema)  # no rows: columns only
            yield from reader


class AnalystTables(Mapping[str, Rows]):
    """A mapping from the name of each table of `ANALYSTS` to its rows as analysts see them. A table is computed when it is accessed."""

    def __init__(self, published: Mapping[str, Rows], key: bytes) -> None:
        """Store the parameters; nothing is computed yet. published: the rows of each table of the warehouse. key: the secret key of the
        pseudonyms, at most 64 bytes."""
        self._published, self._key = published, key

    def __getitem__(self, name: str) -> Rows:
        """Return the rows of a table. Raises `KeyError` if there is no such table."""
        table = tables.WAREHOUSE.tables[name]
        if "view" in table.info:
            return self._rows_of_each_view[name]
        rows = self._published[name]
        return AnalystRows(table, rows, self._key, self._duckdb_in_memory) if is_altered_for_analysts(table) else rows

    @cached_property
    def _duckdb_in_memory(self) -> duckdb.DuckDBPyConnection:
        """A database in memory. It spills to a folder that only this user can read and that is deleted with this object."""
        folder = tempfile.mkdtemp(prefix="harmonia-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        connection = duckdb.connect()
        connection.execute(f"SET memory_limit = '{_MEMORY}'; SET threads = 1; SET temp_directory = '{folder}'")
        return connection

    @cached_property
    def _rows_of_each_view(self) -> dict[str, pd.DataFrame]:
        """The rows of every view, computed from exact rows."""
        views = tables.list_declared_views(tables.WAREHOUSE)
        view_sql = " ".join(str(view.info["view"]) for view in views)
        out = {}
        with self._duckdb_in_memory.cursor() as connection:
            for table in tables.list_declared_tables_except_views(tables.WAREHOUSE):
                if table.name in view_sql:
                    rows = self._published[table.name]
                    if isinstance(rows, pd.DataFrame):  # whose days would be timestamps
                        connection.register(table.name, tables.convert_frame_to_arrow(table, tables.conform_frame(table, rows)))
                    else:
                        register_table(connection, f"{table.name} as stored", rows)
                        connection.execute(f'CREATE TEMP VIEW "{table.name}" AS {_make_sql_of_stored_rows(table)}')
            for view in views:
                connection.execute(f'CREATE TEMP VIEW "{view.name}" AS {view.info["view"]}')
                selected = _make_sql_of_rows_for_analysts(view, view.name, view.columns.keys())
                out[view.name] = tables.conform_frame(view, connection.sql(selected).df())
        return out

    def __iter__(self) -> Iterator[str]:
        return iter(ANALYSTS.tables)

    def __len__(self) -> int:
        return len(ANALYSTS.tables)


def _make_expression_for_analysts(table: Table, column: Column[object]) -> str:
    """Return the DuckDB expression for what analysts see in a column of the table `r`."""
    delivered_value, replacement = f'r."{column.name}"', _find_replacement_for_analysts(table, column)
    return replacement[0].format(delivered_value, column.type) if replacement else delivered_value
