"""Publish to PostgreSQL: the stores as schemas (`warehouse`, `analysts`, `identity`), in one transaction.

Belongs here: connecting, DDL, loading, the transaction. Does not belong here: table content (`warehouse/count`), the DuckDB files
(`warehouse/publish`), who may see what (`warehouse/access`).

The tables stay, their rows are replaced (DELETE, COPY, COMMIT): a reader's statement, or repeatable-read transaction, sees exactly one
publication, nothing blocks, and grants remain. Schemas renamed into place would show such a transaction empty tables and wait for every
reader (docs/decisions/0009). Only if the tables, or the access to them, differ from this version's declaration, they are rebuilt and
replace the old ones in the same transaction.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain

import psycopg
import pyarrow as pa
from psycopg import errors, sql
from pyarrow import csv
from sqlalchemy import Table
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from harmonia.errors import HarmoniaError, TransientError
from warehouse import tables
from warehouse.access import grants
from warehouse.access.log import AUDIT, REQUESTS, UPGRADE
from warehouse.access.matrix import roles
from warehouse.loading import Rows, parts
from warehouse.publish import ddl
from warehouse.stores import STORES, WAREHOUSE, Stores

_LOCK = 0x4841524D  # advisory: one publisher at a time
_WAIT = 60  # seconds to wait for another publisher, and for readers of tables that must be rebuilt
_PART = 100_000  # rows per batch
_COLUMNS = """
SELECT n.nspname::text, c.relname::text, a.attname::text FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%s) AND c.relkind IN ('r', 'v') AND a.attnum > 0 AND NOT a.attisdropped"""  # information_schema shows only one's own
_UNQUOTED_IS_NULL = csv.WriteOptions(include_header=False, quoting_style="all_valid")
_WAY_OUT = {
    "53100": "its disk is full: free space there, then run again",
    "53": "it is out of memory or connections: increase them, then run again",
    "55P03": "another run is publishing, or readers lock the tables: wait until they have ended, then run again",
    "57014": "it cancelled a statement (a time limit, or an administrator): raise statement_timeout for this login, then run again",
    "57": "it was stopped or restarted: run again when it is up",
    "25006": "it is read-only (a standby, or default_transaction_read_only): connect to the primary",
    "42501": "this login lacks the permission: see docs/reference/access.md for the roles",
    "42P01": "a table is missing: publish first, with `harmonia run --warehouse-url`",
    "3F000": "a schema is missing: publish first, with `harmonia run --warehouse-url`",
    "42703": "its tables are from another version of Harmonia: `harmonia run --warehouse-url` rebuilds them",
}
"""Message by SQLSTATE, or its class."""
_PASSING = ("57P01", "57P02", "57P03", "55P03", "08000", "08003", "08006")


def place(url: str) -> str:
    """The database without its password, for messages. Raises `HarmoniaError` if it is not a PostgreSQL URL."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = None
    if parsed is None or parsed.get_backend_name() not in ("postgresql", "postgres"):
        raise HarmoniaError(
            "the warehouse URL is invalid: give postgresql://user@host/database with --warehouse-url (or HARMONIA_WAREHOUSE_URL)"
        )
    return parsed.render_as_string(hide_password=True)


@contextmanager
def connected(url: str) -> Iterator[psycopg.Connection]:
    """A connection; a server error becomes one line with the remedy, without the server's message, which may contain values."""
    where = place(url)
    try:
        with psycopg.connect(make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)) as connection:
            yield connection
    except psycopg.Error as error:
        kind = TransientError if _is_transient(error) else HarmoniaError
        raise kind(f"warehouse {where}: {_remedy(error)}") from error


def _is_transient(error: psycopg.Error) -> bool:
    """Whether the error is transient: the server restarts or cannot be reached, another run is publishing."""
    state = error.sqlstate or ""
    return state in _PASSING or (not state and isinstance(error, psycopg.OperationalError))


def _remedy(error: psycopg.Error) -> str:
    state = error.sqlstate or ""
    known = _WAY_OUT.get(state) or _WAY_OUT.get(state[:2])
    if known or not isinstance(error, psycopg.OperationalError):
        return known or f"database error ({type(error).__name__}): check the permissions of its user"
    return "the database server does not answer or refuses the connection: check the URL and that it runs"


def run(cursor: psycopg.Cursor, statements: list[str]) -> None:
    """Run our statements one by one."""
    for statement in statements:
        cursor.execute(statement.encode())


def existing_roles(cursor: psycopg.Cursor) -> set[str]:
    """The roles of the matrix that exist on the server."""
    names = [role.name for role in roles()]
    return {name for (name,) in cursor.execute("SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)", (names,)).fetchall()}


def lock(cursor: psycopg.Cursor) -> None:
    """Wait, with a limit, for another publisher of this database; then hold the lock until the transaction ends."""
    cursor.execute(f"SET LOCAL lock_timeout = '{_WAIT}s'".encode())
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))


def _digest(statements: list[str]) -> str:
    return hashlib.sha256("\n".join(statements).encode()).hexdigest()[:16]


def form() -> str:
    """Digest of the tables, views and functions that this version declares."""
    made = [statement for schema in STORES for statement in ddl(grants.physical(schema))]
    return _digest([*made, *grants.structure()])


def mark(existing: set[str]) -> str:
    """The schema comment that identifies the structure of its tables and the access to them."""
    return f"form {form()}, access {_digest(grants.statements(existing))}"


def standing(cursor: psycopg.Cursor) -> str | None:
    """The mark of the existing tables; None if there are none, or their columns were changed manually."""
    listed = cursor.execute(_COLUMNS.encode(), (list(STORES),)).fetchall()
    declared = {
        (schema, table.name, c.name) for schema, metadata in STORES.items() for table in metadata.sorted_tables for c in table.columns
    }
    return said(cursor) if declared == set(listed) else None


def said(cursor: psycopg.Cursor) -> str | None:
    """The mark in the schema's comment; None if there is none."""
    found = cursor.execute("SELECT obj_description(oid) FROM pg_namespace WHERE nspname = %s", (WAREHOUSE,)).fetchone()
    return found[0] if found else None


def _load(cursor: psycopg.Cursor, schema: str, table: Table, rows: Rows) -> None:
    columns = sql.SQL(", ").join(sql.Identifier(column.name) for column in table.columns)
    copying = sql.SQL("COPY {} ({}) FROM STDIN WITH (FORMAT csv)").format(sql.Identifier(schema, table.name), columns)
    with cursor.copy(copying) as copy:
        for part in chain.from_iterable(some.to_batches(_PART) for some in parts(table, rows)):
            sink = pa.BufferOutputStream()
            csv.write_csv(part, sink, _UNQUOTED_IS_NULL)
            copy.write(sink.getvalue().to_pybytes())


def _replace(cursor: psycopg.Cursor, stores: Stores) -> None:
    """Replace the rows of the existing tables."""
    for schema in STORES:
        held = grants.physical(schema)
        run(cursor, [f"DELETE FROM {schema}.{table.name}" for table in reversed(held)])
        for table in held:
            _load(cursor, schema, table, stores[schema][table.name])


def make_empty(cursor: psycopg.Cursor, existing: set[str]) -> None:
    """Create all schemas of this version, without rows and with access for the existing roles; none of them may exist."""
    for schema in STORES:
        run(cursor, [f"CREATE SCHEMA {schema}", f"SET LOCAL search_path TO {schema}", *ddl(grants.physical(schema))])
    _make_log(cursor)
    run(cursor, ["RESET search_path", *grants.structure(), *grants.statements(existing)])


def _make_log(cursor: psycopg.Cursor) -> None:
    run(cursor, [f"CREATE SCHEMA {AUDIT}", f"SET LOCAL search_path TO {AUDIT}", *ddl([REQUESTS])])


def _build(cursor: psycopg.Cursor, stores: Stores) -> None:
    """Create new tables beside the existing ones, if any."""
    for schema in STORES:
        run(
            cursor, [f"DROP SCHEMA IF EXISTS {schema}_new CASCADE", f"CREATE SCHEMA {schema}_new", f"SET LOCAL search_path TO {schema}_new"]
        )
        run(cursor, ddl(grants.physical(schema)))
        for table in grants.physical(schema):
            _load(cursor, f"{schema}_new", table, stores[schema][table.name])
    if cursor.execute("SELECT to_regnamespace(%s)", (AUDIT,)).fetchone() == (None,):
        _make_log(cursor)
    else:
        run(cursor, list(UPGRADE))


def _swap(cursor: psycopg.Cursor) -> None:
    """Replace the existing schemas by those of `_build`, with views, functions and access."""
    hold_alone(cursor)
    run(cursor, [f"DROP SCHEMA IF EXISTS {', '.join(STORES)} CASCADE"])
    run(cursor, [f"ALTER SCHEMA {schema}_new RENAME TO {schema}" for schema in STORES])
    there = existing_roles(cursor)
    run(cursor, ["RESET search_path", *grants.structure(), *grants.statements(there), f"COMMENT ON SCHEMA {WAREHOUSE} IS '{mark(there)}'"])


def hold_alone(cursor: psycopg.Cursor) -> None:
    """Lock all existing tables at once, or none while waiting: a reader that uses one of them may need another."""
    query = "SELECT format('%%I.%%I', schemaname, tablename) FROM pg_tables WHERE schemaname = ANY(%s) ORDER BY 1"
    held = [name for (name,) in cursor.execute(query, (list(STORES),)).fetchall()]
    until = time.monotonic() + _WAIT
    while held:
        try:
            with cursor.connection.transaction():
                cursor.execute(f"LOCK TABLE {', '.join(held)} IN ACCESS EXCLUSIVE MODE NOWAIT".encode())
            return
        except errors.LockNotAvailable:
            if time.monotonic() >= until:
                raise
            time.sleep(0.1)


def _vacuum(connection: psycopg.Connection) -> None:
    """Free the space of replaced rows (and of a failed publication) and update statistics. Does not wait."""
    connection.autocommit = True
    for schema in STORES:
        for table in grants.physical(schema):
            with contextlib.suppress(errors.UndefinedTable, errors.InvalidSchemaName):
                connection.execute(f"VACUUM (ANALYZE, SKIP_LOCKED) {schema}.{table.name}".encode())
    connection.autocommit = False


@contextmanager
def prepared(url: str, stores: Stores) -> Iterator[Callable[[], None]]:
    """Load every store in a transaction; the block calls the given function to commit, otherwise nothing changes.

    Readers see only old rows until then, and only new ones afterwards. Raises `HarmoniaError` on a server error.
    """
    with connected(url) as connection:
        _vacuum(connection)
        cursor = connection.cursor()
        lock(cursor)
        is_unchanged = standing(cursor) == mark(existing_roles(cursor))
        (_replace if is_unchanged else _build)(cursor, stores)

        def commit() -> None:
            if not is_unchanged:
                _swap(cursor)
            connection.commit()

        yield commit
        connection.rollback()
        with contextlib.suppress(psycopg.Error):  # it is already published
            _vacuum(connection)


def frames(url: str, schema: str) -> Iterator[tuple[Table, pa.Table]]:
    """Every table of a store (not views) with its rows on the server, in one snapshot. Raises `HarmoniaError`."""
    reading = csv.ConvertOptions(
        strings_can_be_null=True, quoted_strings_can_be_null=False, null_values=[""], true_values=["t"], false_values=["f"]
    )
    with connected(url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        for table in tables.makeable(STORES[schema].tables.values()):
            columns = sql.SQL(", ").join(sql.Identifier(column.name) for column in table.columns)
            asking = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT WITH (FORMAT csv)").format(columns, sql.Identifier(schema, table.name))
            sink = pa.BufferOutputStream()
            with connection.cursor().copy(asking) as copy:
                for part in copy:
                    sink.write(part)
            yield table, _arrow(sink.getvalue(), table, reading)


def _arrow(text: pa.Buffer, table: Table, reading: csv.ConvertOptions) -> pa.Table:
    schema = tables.arrow_schema(table)
    if not text.size:
        return schema.empty_table()
    reading.column_types = schema
    return csv.read_csv(
        pa.BufferReader(text), csv.ReadOptions(column_names=schema.names), csv.ParseOptions(newlines_in_values=True), reading
    )
