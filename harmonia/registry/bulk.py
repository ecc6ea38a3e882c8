"""Insert many rows into a table of the registry through the database driver. For a few rows, use SQLAlchemy's `insert`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice, repeat
from typing import Any

from sqlalchemy import Connection, Dialect
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeEngine

BATCH_ROWS = 500
"""Number of rows that are read or written at once: so few that Python's garbage collector does not scan them repeatedly."""
_PLACEHOLDERS = {"sqlite": "?", "postgresql": "%s"}


def insert_rows(connection: Connection, entity: type[DeclarativeBase], columns: Mapping[str, Iterable[Any]], **constants: Any) -> None:
    """Insert rows into the table of `entity`.

    `columns` maps each column to its values, row by row. `constants` maps a column to the value that it has in every row.
    """
    table, dialect = entity.__table__, connection.dialect
    names = ", ".join([*columns, *constants])
    placeholders = ", ".join([_PLACEHOLDERS[dialect.name]] * (len(columns) + len(constants)))
    values = [_convert_value_for_driver(table.c[name].type, value, dialect) for name, value in constants.items()]
    rows = zip(*columns.values(), *map(repeat, values), strict=False)  # the constants repeat for ever
    while batch := list(islice(rows, BATCH_ROWS)):
        connection.exec_driver_sql(f"INSERT INTO {table} ({names}) VALUES ({placeholders})", batch)


def _convert_value_for_driver(kind: TypeEngine[Any], value: Any, dialect: Dialect) -> Any:
    """Convert a value of a column of the type `kind` to what the database driver expects."""
    processor = kind.dialect_impl(dialect).bind_processor(dialect)
    return value if processor is None else processor(value)
