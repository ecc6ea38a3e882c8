"""Many rows at once: how many are read or entered at a time, and entering them as the driver takes them.

Belongs here: what SQLite and PostgreSQL need for it. Does not belong here: what is entered. For a few rows SQLAlchemy's own `insert` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice, repeat
from typing import Any

from sqlalchemy import Connection, Dialect
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeEngine

AT_A_TIME = 500
"""Rows: as few live too briefly for Python's collector to look through them again and again."""
_MARKS = {"sqlite": "?", "postgresql": "%s"}


def enter(connection: Connection, entity: type[DeclarativeBase], columns: Mapping[str, Iterable[Any]], **alike: Any) -> None:
    """Enter rows into the table of `entity`: their values by column, and `alike`, the values that all of them have."""
    table, dialect = entity.__table__, connection.dialect
    names = ", ".join([*columns, *alike])
    marks = ", ".join([_MARKS[dialect.name]] * (len(columns) + len(alike)))
    values = [_kept(table.c[name].type, value, dialect) for name, value in alike.items()]
    rows = zip(*columns.values(), *map(repeat, values), strict=False)  # what all have has no end
    while some := list(islice(rows, AT_A_TIME)):
        connection.exec_driver_sql(f"INSERT INTO {table} ({names}) VALUES ({marks})", some)


def _kept(kind: TypeEngine[Any], value: Any, dialect: Dialect) -> Any:
    """A value as the driver takes it."""
    processor = kind.dialect_impl(dialect).bind_processor(dialect)
    return value if processor is None else processor(value)
