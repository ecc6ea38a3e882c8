"""Publishing to PostgreSQL as well: the published tables in the schema `warehouse`, renamed into place in one transaction.

Belongs here: connecting, DDL, loading, the swap. Does not belong here: what is in the tables (`warehouse/count`), the DuckDB files
(`warehouse/publish`), roles and grants.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import pandas as pd
import psycopg
import pyarrow as pa
from psycopg import sql
from pyarrow import csv
from sqlalchemy import Table
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from pipelines.errors import HarmoniaError
from warehouse import tables
from warehouse.publish import ddl

SCHEMA = "warehouse"
_NEW, _OLD = "warehouse_new", "warehouse_old"
_LOCK = 0x4841524D  # advisory: one publisher at a time
_UNQUOTED_IS_NULL = csv.WriteOptions(include_header=False, quoting_style="all_valid")


def place(url: str) -> str:
    """The database without its password, for messages. Raises `HarmoniaError` for what is no PostgreSQL URL."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = None
    if parsed is None or parsed.get_backend_name() not in ("postgresql", "postgres"):
        raise HarmoniaError(
            "the warehouse URL is not understood: give postgresql://user@host/database with --warehouse-url (or HARMONIA_WAREHOUSE_URL)"
        )
    return parsed.render_as_string(hide_password=True)


def _load(cursor: psycopg.Cursor, table: Table, frame: pd.DataFrame) -> None:
    rows = pa.Table.from_pandas(tables.conform(table, frame), schema=tables.arrow_schema(table), preserve_index=False)
    sink = pa.BufferOutputStream()
    csv.write_csv(rows, sink, _UNQUOTED_IS_NULL)
    copying = sql.SQL("COPY {} FROM STDIN WITH (FORMAT csv)").format(sql.Identifier(_NEW, table.name))
    with cursor.copy(copying) as copy:
        copy.write(sink.getvalue().to_pybytes())


def _build(cursor: psycopg.Cursor, published: Mapping[str, pd.DataFrame]) -> None:
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    cursor.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(_NEW)))
    cursor.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(_NEW)))
    cursor.execute(sql.SQL("SET LOCAL search_path TO {}").format(sql.Identifier(_NEW)))
    for statement in ddl(tables.WAREHOUSE):
        cursor.execute(statement.encode())
    for table in tables.WAREHOUSE.sorted_tables:
        _load(cursor, table, published[table.name])


def _swap(cursor: psycopg.Cursor) -> None:
    there = cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (SCHEMA,)).fetchone()
    rename = sql.SQL("ALTER SCHEMA {} RENAME TO {}")
    if there:
        cursor.execute(rename.format(sql.Identifier(SCHEMA), sql.Identifier(_OLD)))
    cursor.execute(rename.format(sql.Identifier(_NEW), sql.Identifier(SCHEMA)))
    if there:
        cursor.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(_OLD)))


@contextmanager
def prepared(url: str, published: Mapping[str, pd.DataFrame]) -> Iterator[Callable[[], None]]:
    """Load every published table into a transaction; the block calls what it is given to put them in place, or nothing changes.

    Readers see the old tables whole until then, and the new ones whole after it. Raises `HarmoniaError` where the server refuses.
    """
    where = place(url)
    try:
        with psycopg.connect(make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)) as connection:
            with connection.cursor() as cursor:
                _build(cursor, published)

                def commit() -> None:
                    _swap(cursor)
                    connection.commit()

                yield commit
            connection.rollback()
    except psycopg.OperationalError as error:
        raise HarmoniaError(f"warehouse {where}: the database server does not answer or refuses: check that it runs and the URL") from error
    except psycopg.Error as error:
        raise HarmoniaError(f"warehouse {where}: the database refuses ({type(error).__name__}): check the rights of its user") from error
