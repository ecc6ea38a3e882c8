"""Run the models of `warehouse/models` in DuckDB. A model computes one table, after the tables that it reads.

Belongs here: reading the SQL files, the order of the models, running them, returning their rows. Does not belong here: counting rules
(`warehouse/models`), the tables from which the first models read (`inputs`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from itertools import chain
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
from sqlalchemy import Table

from harmonia.errors import HarmoniaError
from warehouse import tables

FOLDER = Path(__file__).parents[1] / "models"
BATCH_ROWS = 20_000


@dataclass(frozen=True)
class TableModel:
    """The way in which a table is computed from other tables. It is computed by the query `sql` or, if SQL cannot compute it, by a function
    that returns its rows in parts.

    name: the name of the table. reads: the names of the tables from which it is computed.
    """

    name: str
    reads: Set[str]
    sql: str = ""
    function: Callable[[TableModelDatabase], Iterable[pd.DataFrame]] | None = None


@cache
def read_sql_models() -> Mapping[str, TableModel]:
    """Read the SQL files of `warehouse/models` and return their models by name."""
    with duckdb.connect() as parser:
        queries = {path.stem: (path, path.read_text("utf-8")) for path in sorted(FOLDER.glob("*/*.sql"))}
        return {
            name: TableModel(name, _find_tables_read_by_query(parser, sql, str(path)) - {name}, sql)
            for name, (path, sql) in queries.items()
        }


def make_table_model_from_query(name: str, sql: str) -> TableModel:
    """Make the model of the table `name` from a generated query. Raises `HarmoniaError` if `sql` is not one SELECT statement."""
    with duckdb.connect() as parser:
        return TableModel(name, _find_tables_read_by_query(parser, sql, f"the statement of {name}"), sql)


def _find_tables_read_by_query(parser: duckdb.DuckDBPyConnection, sql: str, location: str) -> Set[str]:
    """Return the names of the tables that a query reads.

    location: the file of the query, or its description. Raises `HarmoniaError` with location and line if `sql` is not one SELECT statement.
    """
    tree = json.loads(parser.execute("SELECT json_serialize_sql(?::VARCHAR)", [sql]).fetchall()[0][0])
    if tree["error"]:
        line = sql.count("\n", 0, int(tree.get("position") or 0)) + 1
        raise HarmoniaError(f"{location}, line {line}: is not one SELECT that DuckDB reads ({tree['error_message']}): correct it")
    table_names, defined = set[str](), set[str]()
    _collect_table_names(tree, table_names, defined)
    return table_names - defined


def _collect_table_names(tree: Any, table_names: set[str], defined: set[str]) -> None:
    """Add to `table_names` the tables that a parsed query names, and to `defined` those that it defines itself (WITH)."""
    if isinstance(tree, dict):
        if tree.get("type") == "BASE_TABLE":
            table_names.add(tree["table_name"])
        if "cte_map" in tree:
            defined.update(entry["key"] for entry in tree["cte_map"]["map"])
        for value in tree.values():
            _collect_table_names(value, table_names, defined)
    elif isinstance(tree, list):
        for value in tree:
            _collect_table_names(value, table_names, defined)


class TableModelDatabase:
    """A database in which models are run when their tables are requested.

    connection: a connection to the database, which already contains the tables that no model computes. models: each model by the name of
    its table.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, models: Mapping[str, TableModel]) -> None:
        self.connection, self.models = connection, models
        connection.execute((FOLDER / "macros.sql").read_text("utf-8"))
        self._done: set[str] = set()

    def run(self, *names: str) -> None:
        """Run the models `names` and, before them, the models of the tables that they read. No model is run twice."""
        graph: dict[str, Set[str]] = {}
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name in self.models and name not in graph:
                graph[name] = {read for read in self.models[name].reads if read in self.models}
                waiting += graph[name]
        for name in TopologicalSorter(graph).static_order():
            if name not in self._done:
                self._create_table(self.models[name])
                self._done.add(name)

    def _create_table(self, model: TableModel) -> None:
        if model.function is None:
            try:
                self.connection.execute(f'CREATE TABLE "{model.name}" AS {model.sql}')
            except duckdb.Error as error:
                raise HarmoniaError(
                    f"{_describe_location_of_table_model(model.name)}: DuckDB cannot run it ({str(error).splitlines()[0]}): correct it"
                ) from error
            return
        for part in model.function(self):
            self._append_rows(model.name, part)

    def _append_rows(self, name: str, part: pd.DataFrame) -> None:
        dated = ", ".join(f'"{column}"::DATE AS "{column}"' for column in part.select_dtypes("datetime"))
        rows = f"SELECT *{f' REPLACE ({dated})' if dated else ''} FROM part"
        self.connection.register("part", part)
        self.connection.execute(f'CREATE TABLE IF NOT EXISTS "{name}" AS {rows} LIMIT 0')
        self.connection.execute(f'INSERT INTO "{name}" {rows}')
        self.connection.unregister("part")

    def read_frame(self, name: str, columns: str = "*", where: str = "true") -> pd.DataFrame:
        """Return the `columns` (SQL expressions) of those rows of a table that meet the SQL condition `where`."""
        self.run(name)
        return convert_duckdb_result_to_frame(self.connection.sql(f'SELECT {columns} FROM "{name}" WHERE {where}').to_arrow_table())

    def count_rows(self, name: str) -> int:
        """Count the rows of a table."""
        self.run(name)
        return int(self.connection.execute(f'SELECT count(*) FROM "{name}"').fetchall()[0][0])

    def read_published_frame(self, table: Table) -> pd.DataFrame:
        """Return a published table with exactly the columns that `table` declares."""
        schema = tables.arrow_schema(table)
        parts = list(self.read_batches(table.name, schema))
        return tables.conform_frame(table, pa.concat_tables(parts).to_pandas(date_as_object=False))

    def read_batches(self, name: str, schema: pa.Schema | None = None) -> Iterator[pa.Table]:
        """Yield the rows of a table in batches. If there are no rows, yield one empty batch.

        schema: the columns wanted, and their types; None for all columns. Raises `HarmoniaError` if the table lacks a wanted column.
        """
        self.run(name)
        columns = "SELECT column_name FROM duckdb_columns() WHERE table_name = ?"
        columns_present = [column for (column,) in self.connection.execute(columns, [name]).fetchall()]
        requested = schema.names if schema else columns_present
        if lacking := [column for column in requested if column not in columns_present]:
            way_out = "add it to the model, or take it out of warehouse/tables.py"
            raise HarmoniaError(
                f"{_describe_location_of_table_model(name)}: gives no {', '.join(lacking)}, "
                f"which is declared for the published table: {way_out}"
            )
        chosen = ", ".join(f'"{column}"' for column in requested)
        reader = self.connection.sql(f'SELECT {chosen} FROM "{name}"').to_arrow_reader(BATCH_ROWS)
        empty = reader.schema.empty_table()
        for batch in chain([empty], (pa.Table.from_batches([batch]) for batch in reader)):
            yield batch.cast(schema) if schema else batch


def _describe_location_of_table_model(name: str) -> str:
    """Return where to correct a model, for messages: its SQL file, or its name if a function computes it."""
    return str(next(FOLDER.glob(f"*/{name}.sql"), f"the model {name}"))


@contextmanager
def open_database(spill_folder: Path | None = None, memory_limit: str | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an empty DuckDB database for models. It uses at most `memory_limit` (such as "1GiB") of memory, and writes what does not fit to
    the folder `spill_folder`."""
    with duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")
        if spill_folder and memory_limit:
            folder = str(spill_folder).replace("'", "''")
            connection.execute(
                f"SET temp_directory = '{folder}'; SET memory_limit = '{memory_limit}'; SET preserve_insertion_order = false"
            )
        yield connection


def convert_duckdb_result_to_frame(result: pa.Table) -> pd.DataFrame:
    """Convert a result of DuckDB to a frame. Text becomes `str`; integers and flags get pandas types that allow null; days are stored with
    a precision of one second."""
    kinds = {pa.int64(): pd.Int64Dtype(), pa.int32(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
    out = result.to_pandas(date_as_object=False, types_mapper=kinds.get)
    days = [field.name for field in result.schema if pa.types.is_temporal(field.type)]
    text = [field.name for field in result.schema if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)]
    return out.astype({**dict.fromkeys(days, "datetime64[s]"), **dict.fromkeys(text, "str")})
