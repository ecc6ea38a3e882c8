"""Run the models of `warehouse/models` in DuckDB: one file per table, each after those that it reads.

Belongs here: finding the models, their order, running them, returning their rows. Does not belong here: any counting rule, their inputs
(`inputs`).
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
BATCH = 60_000


@dataclass(frozen=True)
class TableModel:
    """A table computed from others: by SQL, or, if DuckDB cannot, by a function that returns it in parts.

    reads: the names of its input tables
    """

    name: str
    reads: Set[str]
    sql: str = ""
    function: Callable[[Models], Iterable[pd.DataFrame]] | None = None


@cache
def sql_models() -> Mapping[str, TableModel]:
    """Read every model that is written in SQL, by name."""
    with duckdb.connect() as parser:
        found = {path.stem: (path, path.read_text("utf-8")) for path in sorted(FOLDER.glob("*/*.sql"))}
        return {name: TableModel(name, _tables_read(parser, sql, str(path)) - {name}, sql) for name, (path, sql) in found.items()}


def model_of_sql(name: str, sql: str) -> TableModel:
    """Make a model of a generated SQL statement."""
    with duckdb.connect() as parser:
        return TableModel(name, _tables_read(parser, sql, f"the statement of {name}"), sql)


def _tables_read(parser: duckdb.DuckDBPyConnection, sql: str, place: str) -> Set[str]:
    """The tables that a statement reads. Raises `HarmoniaError` with `place` and line where it is no query."""
    tree = json.loads(parser.execute("SELECT json_serialize_sql(?::VARCHAR)", [sql]).fetchall()[0][0])
    if tree["error"]:
        line = sql.count("\n", 0, int(tree.get("position") or 0)) + 1
        raise HarmoniaError(f"{place}, line {line}: is not one SELECT that DuckDB reads ({tree['error_message']}): correct it")
    named, own = set[str](), set[str]()
    _walk_tree(tree, named, own)
    return named - own


def _walk_tree(tree: Any, named: set[str], own: set[str]) -> None:
    if isinstance(tree, dict):
        if tree.get("type") == "BASE_TABLE":
            named.add(tree["table_name"])
        if "cte_map" in tree:
            own.update(entry["key"] for entry in tree["cte_map"]["map"])
        for value in tree.values():
            _walk_tree(value, named, own)
    elif isinstance(tree, list):
        for value in tree:
            _walk_tree(value, named, own)


class Models:
    """A database in which `models` are run on demand. `connection` can read their inputs."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, models: Mapping[str, TableModel]) -> None:
        self.connection, self.models = connection, models
        connection.execute((FOLDER / "macros.sql").read_text("utf-8"))
        self._done: set[str] = set()

    def need(self, *names: str) -> None:
        """Run the models `names` and all their inputs, each once."""
        graph: dict[str, Set[str]] = {}
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name in self.models and name not in graph:
                graph[name] = {read for read in self.models[name].reads if read in self.models}
                waiting += graph[name]
        for name in TopologicalSorter(graph).static_order():
            if name not in self._done:
                self._run(self.models[name])
                self._done.add(name)

    def _run(self, model: TableModel) -> None:
        if model.function is None:
            try:
                self.connection.execute(f'CREATE TABLE "{model.name}" AS {model.sql}')
            except duckdb.Error as error:
                raise HarmoniaError(
                    f"{_model_location(model.name)}: DuckDB cannot run it ({str(error).splitlines()[0]}): correct it"
                ) from error
            return
        for part in model.function(self):
            self._add(model.name, part)

    def _add(self, name: str, part: pd.DataFrame) -> None:
        dated = ", ".join(f'"{column}"::DATE AS "{column}"' for column in part.select_dtypes("datetime"))
        rows = f"SELECT *{f' REPLACE ({dated})' if dated else ''} FROM part"
        self.connection.register("part", part)
        self.connection.execute(f'CREATE TABLE IF NOT EXISTS "{name}" AS {rows} LIMIT 0')
        self.connection.execute(f'INSERT INTO "{name}" {rows}')
        self.connection.unregister("part")

    def frame(self, name: str, columns: str = "*", where: str = "true") -> pd.DataFrame:
        """Some columns and rows of a table, as a frame."""
        self.need(name)
        return as_frame(self.connection.sql(f'SELECT {columns} FROM "{name}" WHERE {where}').to_arrow_table())

    def rows(self, name: str) -> int:
        """Number of rows of a table."""
        self.need(name)
        return int(self.connection.execute(f'SELECT count(*) FROM "{name}"').fetchall()[0][0])

    def published(self, table: Table) -> pd.DataFrame:
        """The declared columns of a table."""
        schema = tables.arrow_schema(table)
        parts = list(self.parts(table.name, schema))
        return tables.conform_frame(table, pa.concat_tables(parts).to_pandas(date_as_object=False))

    def parts(self, name: str, schema: pa.Schema | None = None) -> Iterator[pa.Table]:
        """The rows of a table in batches, at least one: the columns of `schema`, else its own.

        Raises `HarmoniaError` where the table lacks one.
        """
        self.need(name)
        columns = "SELECT column_name FROM duckdb_columns() WHERE table_name = ?"
        there = [column for (column,) in self.connection.execute(columns, [name]).fetchall()]
        wanted = schema.names if schema else there
        if lacking := [column for column in wanted if column not in there]:
            way_out = "add it to the model, or take it out of warehouse/tables.py"
            raise HarmoniaError(
                f"{_model_location(name)}: gives no {', '.join(lacking)}, which is declared for the published table: {way_out}"
            )
        chosen = ", ".join(f'"{column}"' for column in wanted)
        reader = self.connection.sql(f'SELECT {chosen} FROM "{name}"').to_arrow_reader(BATCH)
        empty = reader.schema.empty_table()
        for batch in chain([empty], (pa.Table.from_batches([batch]) for batch in reader)):
            yield batch.cast(schema) if schema else batch


def _model_location(name: str) -> str:
    """Where a model is: its file, or its name where a function makes it."""
    return str(next(FOLDER.glob(f"*/{name}.sql"), f"the model {name}"))


@contextmanager
def open_database(spill: Path | None = None, memory: str | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB database for models; it uses at most `memory` ("1GiB") and spills the rest to the folder `spill`."""
    with duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")
        if spill and memory:
            folder = str(spill).replace("'", "''")
            connection.execute(f"SET temp_directory = '{folder}'; SET memory_limit = '{memory}'; SET preserve_insertion_order = false")
        yield connection


def as_frame(found: pa.Table) -> pd.DataFrame:
    """Convert a result of DuckDB to a frame: text as `str`, nullable integers and flags as pandas types, days to the second."""
    kinds = {pa.int64(): pd.Int64Dtype(), pa.int32(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
    out = found.to_pandas(date_as_object=False, types_mapper=kinds.get)
    days = [field.name for field in found.schema if pa.types.is_temporal(field.type)]
    text = [field.name for field in found.schema if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)]
    return out.astype({**dict.fromkeys(days, "datetime64[s]"), **dict.fromkeys(text, "str")})
