"""Publish to PostgreSQL: the stores as schemas (`warehouse`, `analysts`, `identity`), in one transaction.

Belongs here: connecting, DDL, loading, the transaction. Does not belong here: table content (`warehouse/count`), the DuckDB files
(`warehouse/publish`), who may see what (`warehouse/access`).

The tables stay, and their rows are replaced (DELETE, COPY, COMMIT). A statement or a repeatable-read transaction of a reader therefore sees
exactly one publication, no reader has to wait, and grants remain. If new schemas were created and renamed instead, such a transaction would
see empty tables, and publishing would wait for every reader (docs/decisions/0009). New tables are created and replace the old ones, in the
same transaction, only if the tables or the access to them differ from the declaration of this version.
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
from warehouse.access.log import ADD_CHAIN, AUDIT, REQUESTS
from warehouse.access.matrix import roles
from warehouse.loading import Rows, iterate_batches_with_declared_types
from warehouse.publish import create_statements
from warehouse.stores import STORES, WAREHOUSE, Stores

_LOCK = 0x4841524D  # advisory: one publisher at a time
_MAX_WAIT = 60  # seconds to wait for another publisher, and for readers of tables that must be rebuilt
_BATCH_ROWS = 100_000  # rows per batch
_COLUMNS = """
SELECT n.nspname::text, c.relname::text, a.attname::text FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%s) AND c.relkind IN ('r', 'v') AND a.attnum > 0 AND NOT a.attisdropped"""  # information_schema shows only one's own
_UNQUOTED_IS_NULL = csv.WriteOptions(include_header=False, quoting_style="all_valid")
_REMEDIES = {
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
"""What the user can do about a server error, by the error's SQLSTATE or by its first two characters."""
_TRANSIENT_STATES = ("57P01", "57P02", "57P03", "55P03", "08000", "08003", "08006")


def remove_password_from_url(url: str) -> str:
    """Return the URL of a database without its password, for messages. Raises `HarmoniaError` if it is not a PostgreSQL URL."""
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
def open_connection(url: str) -> Iterator[psycopg.Connection]:
    """Open a connection.

    If the server reports an error, a `HarmoniaError` with a remedy is raised. It does not contain the server's message, which may contain
    values from the tables.
    """
    server = remove_password_from_url(url)
    try:
        with psycopg.connect(make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)) as connection:
            yield connection
    except psycopg.Error as error:
        error_class = TransientError if _is_transient(error) else HarmoniaError
        raise error_class(f"warehouse {server}: {_find_remedy_of_error(error)}") from error


def _is_transient(error: psycopg.Error) -> bool:
    """Return whether an error is transient, i.e. the server restarts or cannot be reached, or another run is publishing."""
    state = error.sqlstate or ""
    return state in _TRANSIENT_STATES or (not state and isinstance(error, psycopg.OperationalError))


def _find_remedy_of_error(error: psycopg.Error) -> str:
    state = error.sqlstate or ""
    remedy = _REMEDIES.get(state) or _REMEDIES.get(state[:2])
    if remedy or not isinstance(error, psycopg.OperationalError):
        return remedy or f"database error ({type(error).__name__}): check the permissions of its user"
    return "the database server does not answer or refuses the connection: check the URL and that it runs"


def execute_statements(cursor: psycopg.Cursor, statements: list[str]) -> None:
    """Execute statements one by one."""
    for statement in statements:
        cursor.execute(statement.encode())


def read_existing_roles(cursor: psycopg.Cursor) -> set[str]:
    """Return the roles of the access matrix that exist on the server."""
    names = [role.name for role in roles()]
    return {name for (name,) in cursor.execute("SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)", (names,)).fetchall()}


def wait_for_publication_lock(cursor: psycopg.Cursor) -> None:
    """Wait, with a limit, until no other run publishes to this database; then lock it until the end of the transaction."""
    cursor.execute(f"SET LOCAL lock_timeout = '{_MAX_WAIT}s'".encode())
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))


def _hash_statements(statements: list[str]) -> str:
    return hashlib.sha256("\n".join(statements).encode()).hexdigest()[:16]


def hash_declared_structure() -> str:
    """Return a hash of the tables, views and functions that this version of the program declares."""
    tables_sql = [statement for schema in STORES for statement in create_statements(grants.list_tables_except_views(schema))]
    return _hash_statements([*tables_sql, *grants.make_statements_after_table_creation()])


def make_schema_comment(roles_on_server: set[str]) -> str:
    """Return the comment that is stored with the schema `warehouse`. It contains a hash of the declared tables, and a hash of the access of
    the roles `roles_on_server` to them."""
    return f"form {hash_declared_structure()}, access {_hash_statements(grants.make_access_statements(roles_on_server))}"


def read_comment_of_complete_schemas(cursor: psycopg.Cursor) -> str | None:
    """Return the comment that is stored with the schema `warehouse`. Return None if the existing schemas do not have exactly the declared
    tables and columns."""
    columns = cursor.execute(_COLUMNS.encode(), (list(STORES),)).fetchall()
    declared = {
        (schema, table.name, c.name) for schema, metadata in STORES.items() for table in metadata.sorted_tables for c in table.columns
    }
    return read_stored_schema_comment(cursor) if declared == set(columns) else None


def read_stored_schema_comment(cursor: psycopg.Cursor) -> str | None:
    """Read the comment that is stored with the schema `warehouse`; None if there is none."""
    row = cursor.execute("SELECT obj_description(oid) FROM pg_namespace WHERE nspname = %s", (WAREHOUSE,)).fetchone()
    return row[0] if row else None


def _load_rows(cursor: psycopg.Cursor, schema: str, table: Table, rows: Rows) -> None:
    columns = sql.SQL(", ").join(sql.Identifier(column.name) for column in table.columns)
    statement = sql.SQL("COPY {} ({}) FROM STDIN WITH (FORMAT csv)").format(sql.Identifier(schema, table.name), columns)
    with cursor.copy(statement) as copy:
        for batch in chain.from_iterable(part.to_batches(_BATCH_ROWS) for part in iterate_batches_with_declared_types(table, rows)):
            sink = pa.BufferOutputStream()
            csv.write_csv(batch, sink, _UNQUOTED_IS_NULL)
            copy.write(sink.getvalue().to_pybytes())


def _replace_rows(cursor: psycopg.Cursor, stores: Stores) -> None:
    """Replace the rows of the existing tables."""
    for schema in STORES:
        stored = grants.list_tables_except_views(schema)
        execute_statements(cursor, [f"DELETE FROM {schema}.{table.name}" for table in reversed(stored)])
        for table in stored:
            _load_rows(cursor, schema, table, stores[schema][table.name])


def create_empty_schemas(cursor: psycopg.Cursor, roles_on_server: set[str]) -> None:
    """Create all schemas of this version, without rows and with access for the existing roles; none of them may exist."""
    for schema in STORES:
        execute_statements(
            cursor,
            [f"CREATE SCHEMA {schema}", f"SET LOCAL search_path TO {schema}", *create_statements(grants.list_tables_except_views(schema))],
        )
    _create_request_log(cursor)
    execute_statements(
        cursor, ["RESET search_path", *grants.make_statements_after_table_creation(), *grants.make_access_statements(roles_on_server)]
    )


def _create_request_log(cursor: psycopg.Cursor) -> None:
    execute_statements(cursor, [f"CREATE SCHEMA {AUDIT}", f"SET LOCAL search_path TO {AUDIT}", *create_statements([REQUESTS])])


def _build_new_schemas(cursor: psycopg.Cursor, stores: Stores) -> None:
    """Create new schemas with all tables and rows beside the existing schemas, if there are any."""
    for schema in STORES:
        execute_statements(
            cursor, [f"DROP SCHEMA IF EXISTS {schema}_new CASCADE", f"CREATE SCHEMA {schema}_new", f"SET LOCAL search_path TO {schema}_new"]
        )
        execute_statements(cursor, create_statements(grants.list_tables_except_views(schema)))
        for table in grants.list_tables_except_views(schema):
            _load_rows(cursor, f"{schema}_new", table, stores[schema][table.name])
    if cursor.execute("SELECT to_regnamespace(%s)", (AUDIT,)).fetchone() == (None,):
        _create_request_log(cursor)
    else:
        execute_statements(cursor, list(ADD_CHAIN))


def _replace_existing_schemas(cursor: psycopg.Cursor) -> None:
    """Replace the existing schemas by those of `_build_new_schemas`, with views, functions and access."""
    lock_tables_exclusively(cursor)
    execute_statements(cursor, [f"DROP SCHEMA IF EXISTS {', '.join(STORES)} CASCADE"])
    execute_statements(cursor, [f"ALTER SCHEMA {schema}_new RENAME TO {schema}" for schema in STORES])
    roles_present = read_existing_roles(cursor)
    comment = f"COMMENT ON SCHEMA {WAREHOUSE} IS '{make_schema_comment(roles_present)}'"
    execute_statements(
        cursor,
        ["RESET search_path", *grants.make_statements_after_table_creation(), *grants.make_access_statements(roles_present), comment],
    )


def lock_tables_exclusively(cursor: psycopg.Cursor) -> None:
    """Lock all existing tables at once. While waiting, no table is locked, since a reader that uses one of the tables may need another."""
    query = "SELECT format('%%I.%%I', schemaname, tablename) FROM pg_tables WHERE schemaname = ANY(%s) ORDER BY 1"
    names = [name for (name,) in cursor.execute(query, (list(STORES),)).fetchall()]
    deadline = time.monotonic() + _MAX_WAIT
    while names:
        try:
            with cursor.connection.transaction():
                cursor.execute(f"LOCK TABLE {', '.join(names)} IN ACCESS EXCLUSIVE MODE NOWAIT".encode())
            return
        except errors.LockNotAvailable:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.1)


def _free_space_of_replaced_rows(connection: psycopg.Connection) -> None:
    """Free the space of replaced rows and of rows of a failed publication, and update the database's statistics. Locked tables are
    skipped."""
    connection.autocommit = True
    for schema in STORES:
        for table in grants.list_tables_except_views(schema):
            with contextlib.suppress(errors.UndefinedTable, errors.InvalidSchemaName):
                connection.execute(f"VACUUM (ANALYZE, SKIP_LOCKED) {schema}.{table.name}".encode())
    connection.autocommit = False


@contextmanager
def prepare_publication(url: str, stores: Stores) -> Iterator[Callable[[], None]]:
    """Load every store in a transaction, and yield a function that commits the transaction. If the caller's `with` block does not call it,
    nothing changes.

    Readers see only the old rows until the commit, and only the new rows afterwards. Raises `HarmoniaError` on a server error.
    """
    with open_connection(url) as connection:
        _free_space_of_replaced_rows(connection)
        cursor = connection.cursor()
        wait_for_publication_lock(cursor)
        is_unchanged = read_comment_of_complete_schemas(cursor) == make_schema_comment(read_existing_roles(cursor))
        (_replace_rows if is_unchanged else _build_new_schemas)(cursor, stores)

        def commit() -> None:
            if not is_unchanged:
                _replace_existing_schemas(cursor)
            connection.commit()

        yield commit
        connection.rollback()
        with contextlib.suppress(psycopg.Error):  # it is already published
            _free_space_of_replaced_rows(connection)


def read_tables(url: str, schema: str) -> Iterator[tuple[Table, pa.Table]]:
    """Yield every table and view of a store with its rows on the server. All are read in one transaction, so they show the same moment.

    Raises `HarmoniaError` on a server error.
    """
    convert_options = csv.ConvertOptions(
        strings_can_be_null=True, quoted_strings_can_be_null=False, null_values=[""], true_values=["t"], false_values=["f"]
    )
    with open_connection(url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        for table in tables.sort_tables_for_creation(STORES[schema].tables.values()):
            columns = sql.SQL(", ").join(sql.Identifier(column.name) for column in table.columns)
            query = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT WITH (FORMAT csv)").format(columns, sql.Identifier(schema, table.name))
            sink = pa.BufferOutputStream()
            with connection.cursor().copy(query) as copy:
                for part in copy:
                    sink.write(part)
            yield table, _convert_csv_to_arrow(sink.getvalue(), table, convert_options)


def _convert_csv_to_arrow(text: pa.Buffer, table: Table, convert_options: csv.ConvertOptions) -> pa.Table:
    schema = tables.arrow_schema(table)
    if not text.size:
        return schema.empty_table()
    convert_options.column_types = schema
    return csv.read_csv(
        pa.BufferReader(text), csv.ReadOptions(column_names=schema.names), csv.ParseOptions(newlines_in_values=True), convert_options
    )
