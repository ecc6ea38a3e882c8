"""Apply the access matrix to a PostgreSQL server, and compare them.

Belongs here: creating roles, granting on published tables, finding differences, reading the log. Does not belong here: the statements
(`warehouse/access/grants`), their result on a server (`declared`), publishing (`warehouse/postgres`).
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

Head: TypeAlias = tuple[int, str]
"""Number and chain of a request in the log."""
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


def apply(url: str) -> tuple[list[str], int]:
    """Create missing roles, and set the access to published tables by the matrix.

    Returns the roles created and the number of grants. Raises `HarmoniaError` if the login lacks permission, or if the tables are from
    another version.
    """
    with postgres.connected(url) as connection:
        cursor = connection.cursor()
        postgres.lock(cursor)
        missing = [role.name for role in roles() if role.name not in postgres.existing_roles(cursor)]
        if missing:
            postgres.run(cursor, grants.create_roles(missing))
        stands = postgres.standing(cursor)
        if stands is None:
            return missing, 0
        if not stands.startswith(f"form {postgres.form()},"):
            raise HarmoniaError(
                f"warehouse {postgres.place(url)}: its tables are from another version of Harmonia: "
                "`harmonia run --warehouse-url` rebuilds them, with the access to them"
            )
        there = postgres.existing_roles(cursor)
        postgres.hold_alone(cursor)
        postgres.run(cursor, [*grants.statements(there), f"COMMENT ON SCHEMA {WAREHOUSE} IS '{postgres.mark(there)}'"])
        return missing, len(grants.grants(there))


def differences(url: str, administrators: Sequence[str] = (), known: Head | None = None) -> list[str]:
    """Differences between the server at `url` and the declaration (`differing`)."""
    with postgres.connected(url) as connection:
        found = differing(connection.cursor(), administrators, known)
        connection.rollback()
        return found


def differing(cursor: psycopg.Cursor, administrators: Sequence[str] = (), known: Head | None = None) -> list[str]:
    """Differences between the server and the declaration, one line each: grants, structure of the schemas, other objects of database and
    server that give access to the rows, the log of requests.

    administrators: logins that may administer the server. known: a head of the log seen earlier.
    """
    names = [role.name for role in roles()]
    there = postgres.existing_roles(cursor)
    out = [f"role {name} is missing: `harmonia access apply`" for name in sorted(set(names) - there)]
    keys = [f"{WAREHOUSE}.{table.name}.{key}" for table in grants.protected() for key in tables.key_columns(table)]
    out += catalogue.beside(cursor, list(SCHEMAS), names, administrators, keys)
    if not (postgres.said(cursor) or "").startswith(f"form {postgres.form()},"):
        return [*out, "no tables of this version are published: `harmonia run --warehouse-url`"]
    out += _grants(cursor, there)
    if any(line.startswith("event trigger") for line in out):
        out.append("the structure of the tables is not compared while an event trigger would act on the comparison: remove it, check again")
    else:
        out += declared.differing(cursor, there)
    return [*out, *_log(cursor, known)]


def _grants(cursor: psycopg.Cursor, there: set[str]) -> list[str]:
    granted = {(Grant(*row), often) for *row, often in cursor.execute(_ACL.encode(), {"schemas": list(SCHEMAS)}).fetchall()}
    wanted = {(one, False) for one in grants.grants(there)}
    more = [
        f"{one.role} has {one.privilege} on {one.kind.lower()} {one.object}{', and may grant it,' if often else ','} and should not"
        for one, often in sorted(granted - wanted)
    ]
    return more + [f"{one.role} lacks {one.privilege} on {one.kind.lower()} {one.object}" for one, _ in sorted(wanted - granted)]


def _log(cursor: psycopg.Cursor, known: Head | None) -> list[str]:
    """Changes to the log of requests, or deletions from it."""
    try:
        with cursor.connection.transaction():
            broken = [ticket for (ticket,) in cursor.execute(log.BROKEN.encode()).fetchall()]
            lost = known is not None and cursor.execute(log.HOLDS.encode(), known).fetchone() == (False,)
    except (errors.UndefinedTable, errors.UndefinedColumn, errors.InvalidSchemaName):
        return ["the log of requests is missing, or has another structure"]
    out = [f"request {ticket} of the log, or the one before it, was changed or deleted" for ticket in broken[:1]]
    return out + (["the log of requests has lost entries since it was last checked"] if lost else [])


def head(url: str) -> Head | None:
    """Number and chain of the newest request in the log, for later comparison; None if there is none."""
    with postgres.connected(url) as connection:
        found = connection.execute(log.HEAD.encode()).fetchone()
    return None if found is None else (int(found[0]), str(found[1]))


def requests(url: str) -> pd.DataFrame:
    """The log: at (UTC), login, address, kind, subject, reason; oldest first. Raises `HarmoniaError` if it cannot be read."""
    with postgres.connected(url) as connection:
        asked = "SELECT at AT TIME ZONE 'UTC', login, address, kind, subject, reason FROM {}.{} ORDER BY ticket"
        rows = connection.execute(asked.format(AUDIT, REQUESTS.name).encode()).fetchall()
    return pd.DataFrame(rows, columns=["at", "login", "address", "kind", "subject", "reason"])
