"""Apply the access matrix to a PostgreSQL server, and compare the server with the matrix.

Belongs here: creating roles, granting on published tables, finding differences, reading the log. Does not belong here: the statements
(`warehouse/access/grants`), the structure that they create on a server (`declared`), publishing (`warehouse/postgres`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import pandas as pd
import psycopg
from psycopg import errors

from harmonia.errors import HarmoniaError
from warehouse import postgres, tables
from warehouse.access import grants, log
from warehouse.access.grants import Grant
from warehouse.access.log import AUDIT, REQUESTS
from warehouse.access.matrix import SCHEMAS, roles
from warehouse.server import catalogue, declared
from warehouse.stores import WAREHOUSE

LogHead: TypeAlias = tuple[int, str]
"""A request in the log, identified by its number and its hash (column `chain`)."""
_ACL = """
SELECT kind, object, privilege_type, CASE grantee WHEN 0 THEN 'public' ELSE grantee::regrole::text END, is_grantable FROM (
  SELECT 'SCHEMA' AS kind, nspname::text AS object, (aclexplode(coalesce(nspacl, acldefault('n', nspowner)))).*, nspowner AS owner
  FROM pg_namespace WHERE nspname = ANY(%(schemas)s)
  UNION ALL
  SELECT 'TABLE', format('%%I.%%I', n.nspname, c.relname), (aclexplode(coalesce(c.relacl, acldefault('r', c.relowner)))).*, c.relowner
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = ANY(%(schemas)s) AND c.relkind IN ('r', 'v', 'm', 'p', 'f', 'S')
  UNION ALL
  SELECT 'COLUMN', format('%%I.%%I.%%I', n.nspname, c.relname, a.attname), (aclexplode(a.attacl)).*, c.relowner
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ANY(%(schemas)s)
  UNION ALL
  SELECT 'FUNCTION', format('%%I.%%I(%%s)', n.nspname, p.proname, pg_catalog.oidvectortypes(p.proargtypes)),
         (aclexplode(coalesce(p.proacl, acldefault('f', p.proowner)))).*, p.proowner
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = ANY(%(schemas)s)
) acl WHERE grantee <> owner"""


def apply_access_matrix_to_server(url: str) -> tuple[list[str], int]:
    """Create missing roles, and grant the access to published tables that the matrix allows.

    Returns the names of the created roles, and the number of grants, which is 0 if the declared tables do not exist. Raises `HarmoniaError`
    if the login lacks permission, or if the tables are from another version.
    """
    with postgres.open_connection(url) as connection:
        cursor = connection.cursor()
        postgres.wait_for_publication_lock(cursor)
        missing = [role.name for role in roles() if role.name not in postgres.read_existing_roles(cursor)]
        if missing:
            postgres.execute_statements(cursor, grants.make_role_creation_statements(missing))
        mark = postgres.read_comment_of_complete_schemas(cursor)
        if mark is None:
            return missing, 0
        if not mark.startswith(f"form {postgres.hash_declared_structure()},"):
            raise HarmoniaError(
                f"warehouse {postgres.remove_password_from_url(url)}: its tables are from another version of Harmonia: "
                "`harmonia run --warehouse-url` rebuilds them, with the access to them"
            )
        existing = postgres.read_existing_roles(cursor)
        postgres.lock_tables_exclusively(cursor)
        comment = f"COMMENT ON SCHEMA {WAREHOUSE} IS '{postgres.make_schema_comment(existing)}'"
        postgres.execute_statements(cursor, [*grants.make_access_statements(existing), comment])
        return missing, len(grants.derive_grants_from_access_matrix(existing))


def find_differences_of_server(url: str, administrators: Sequence[str] = (), known_head: LogHead | None = None) -> list[str]:
    """Return the differences between the server at `url` and the declaration; see `list_differences_from_declaration`."""
    with postgres.open_connection(url) as connection:
        lines = list_differences_from_declaration(connection.cursor(), administrators, known_head)
        connection.rollback()
        return lines


def list_differences_from_declaration(
    cursor: psycopg.Cursor, administrators: Sequence[str] = (), known_head: LogHead | None = None
) -> list[str]:
    """Return the differences between the server and the declaration, one line each.

    The comparison covers grants, the structure of the schemas, other objects of the server that give access to rows, and the log of
    requests. administrators: logins that may administer the server. known_head: the newest request in the log when it was last checked.
    """
    names = [role.name for role in roles()]
    existing = postgres.read_existing_roles(cursor)
    lines = [f"role {name} is missing: `harmonia access apply`" for name in sorted(set(names) - existing)]
    keys = [f"{WAREHOUSE}.{table.name}.{key}" for table in grants.list_tables_with_row_security() for key in tables.key_columns(table)]
    lines += catalogue.find_unexpected_database_objects(cursor, list(SCHEMAS), names, administrators, keys)
    if not (postgres.read_stored_schema_comment(cursor) or "").startswith(f"form {postgres.hash_declared_structure()},"):
        return [*lines, "no tables of this version are published: `harmonia run --warehouse-url`"]
    lines += _find_differences_of_grants(cursor, existing)
    if any(line.startswith("event trigger") for line in lines):
        lines.append(
            "the structure of the tables is not compared while an event trigger would act on the comparison: remove it, check again"
        )
    else:
        lines += declared.find_differences_of_structure(cursor, existing)
    return [*lines, *_find_changes_to_request_log(cursor, known_head)]


def _find_differences_of_grants(cursor: psycopg.Cursor, existing: set[str]) -> list[str]:
    granted = {(Grant(*row), may_grant) for *row, may_grant in cursor.execute(_ACL.encode(), {"schemas": list(SCHEMAS)}).fetchall()}
    declared_grants = {(grant, False) for grant in grants.derive_grants_from_access_matrix(existing)}
    superfluous = [
        f"{g.role} has {g.privilege} on {g.kind.lower()} {g.object}{', and may grant it,' if may_grant else ','} and should not"
        for g, may_grant in sorted(granted - declared_grants)
    ]
    lacking = [f"{g.role} lacks {g.privilege} on {g.kind.lower()} {g.object}" for g, _ in sorted(declared_grants - granted)]
    return superfluous + lacking


def _find_changes_to_request_log(cursor: psycopg.Cursor, known_head: LogHead | None) -> list[str]:
    """Find changed and deleted entries of the log of requests, one line each. known_head: see `list_differences_from_declaration`."""
    try:
        with cursor.connection.transaction():
            broken = [ticket for (ticket,) in cursor.execute(log.BROKEN_CHAIN.encode()).fetchall()]
            is_shortened = known_head is not None and cursor.execute(log.HAS_REQUEST.encode(), known_head).fetchone() == (False,)
    except (errors.UndefinedTable, errors.UndefinedColumn, errors.InvalidSchemaName):
        return ["the log of requests is missing, or has another structure"]
    lines = [f"request {ticket} of the log, or the one before it, was changed or deleted" for ticket in broken[:1]]
    return lines + (["the log of requests has lost entries since it was last checked"] if is_shortened else [])


def read_newest_request(url: str) -> LogHead | None:
    """Return the number and hash of the newest request in the log, with which the log can be compared later; None if the log is empty."""
    with postgres.open_connection(url) as connection:
        row = connection.execute(log.NEWEST_REQUEST.encode()).fetchone()
    return None if row is None else (int(row[0]), str(row[1]))


def read_request_log(url: str) -> pd.DataFrame:
    """Read the log of requests, oldest first. Columns out: at (UTC), login, address, kind, subject, reason.

    Raises `HarmoniaError` if it cannot be read.
    """
    with postgres.open_connection(url) as connection:
        query = "SELECT at AT TIME ZONE 'UTC', login, address, kind, subject, reason FROM {}.{} ORDER BY ticket"
        rows = connection.execute(query.format(AUDIT, REQUESTS.name).encode()).fetchall()
    return pd.DataFrame(rows, columns=["at", "login", "address", "kind", "subject", "reason"])
