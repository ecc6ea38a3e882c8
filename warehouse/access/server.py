"""A PostgreSQL server and the matrix: making it so, and comparing.

Belongs here: creating roles, granting on what is published, finding every difference, reading the log. Does not belong here: the statements
(`warehouse/access/grants`), publishing (`warehouse/postgres`).
"""

from __future__ import annotations

import pandas as pd
import psycopg

from pipelines.errors import HarmoniaError
from warehouse import postgres
from warehouse.access import grants
from warehouse.access.grants import Grant, Policy
from warehouse.access.log import AUDIT, REQUESTS
from warehouse.access.matrix import SCHEMAS, roles
from warehouse.stores import WAREHOUSE

_ACL = """
SELECT kind, object, privilege_type, CASE grantee WHEN 0 THEN 'public' ELSE grantee::regrole::text END FROM (
  SELECT 'SCHEMA' AS kind, nspname::text AS object, (aclexplode(coalesce(nspacl, acldefault('n', nspowner)))).*, nspowner AS owner
  FROM pg_namespace WHERE nspname = ANY(%(schemas)s)
  UNION ALL
  SELECT 'TABLE', format('%%I.%%I', n.nspname, c.relname), (aclexplode(coalesce(c.relacl, acldefault('r', c.relowner)))).*, c.relowner
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = ANY(%(schemas)s) AND c.relkind IN ('r', 'v', 'm', 'p', 'f')
  UNION ALL
  SELECT 'COLUMN', format('%%I.%%I.%%I', n.nspname, c.relname, a.attname), (aclexplode(a.attacl)).*, c.relowner
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ANY(%(schemas)s)
  UNION ALL
  SELECT 'FUNCTION', format('%%I.%%I(%%s)', n.nspname, p.proname, pg_catalog.oidvectortypes(p.proargtypes)),
         (aclexplode(coalesce(p.proacl, acldefault('f', p.proowner)))).*, p.proowner
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = ANY(%(schemas)s)
) acl WHERE grantee <> owner"""
_POLICIES = (
    "SELECT format('%%I.%%I', schemaname, tablename), unnest(roles)::text, qual FROM pg_policies WHERE schemaname = ANY(%(schemas)s)"
)
_UNPROTECTED = """
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname = ANY(%s) AND NOT c.relrowsecurity"""
_POWERS = """
SELECT rolname FROM pg_roles
WHERE rolname = ANY(%s) AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolcanlogin OR rolreplication OR rolbypassrls)"""
_MEMBERSHIPS = """
SELECT m.member::regrole::text, m.roleid::regrole::text FROM pg_auth_members m
WHERE m.member::regrole::text = ANY(%(names)s)"""


def apply(url: str) -> tuple[list[str], int]:
    """Create the roles that are missing, and bring the access to what is published in line with the matrix.

    Out: the roles created, the number of grants that stand now. Raises `HarmoniaError` where the login may not, or where the tables are not
    of this version.
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
                f"warehouse {postgres.place(url)}: its tables are of another version of Harmonia: "
                "`harmonia run --warehouse-url` publishes them anew, with the access to them"
            )
        there = postgres.existing_roles(cursor)
        postgres.hold_alone(cursor)
        postgres.run(cursor, [*grants.statements(there), f"COMMENT ON SCHEMA {WAREHOUSE} IS '{postgres.mark(there)}'"])
        return missing, len(grants.grants(there))


def differences(url: str) -> list[str]:
    """What the server grants and the matrix does not, or the other way round; one line each, nothing where they agree."""
    with postgres.connected(url) as connection:
        cursor = connection.cursor()
        names = {role.name for role in roles()}
        there = postgres.existing_roles(cursor)
        out = [f"role {name} is not there: `harmonia access apply`" for name in sorted(names - there)]
        if postgres.standing(cursor) is None:
            return [*out, "no tables of this version are published: `harmonia run --warehouse-url`"]
        return [*out, *_grants(cursor, there), *_policies(cursor, there), *_powers(cursor, names)]


def _grants(cursor: psycopg.Cursor, there: set[str]) -> list[str]:
    granted = {Grant(*row) for row in cursor.execute(_ACL.encode(), {"schemas": list(SCHEMAS)}).fetchall()}
    wanted = set(grants.grants(there))
    more = [f"{one.role} has {one.privilege} on {one.kind.lower()} {one.object}, and should not" for one in sorted(granted - wanted)]
    return more + [f"{one.role} lacks {one.privilege} on {one.kind.lower()} {one.object}" for one in sorted(wanted - granted)]


def _policies(cursor: psycopg.Cursor, there: set[str]) -> list[str]:
    standing = {Policy(*row) for row in cursor.execute(_POLICIES.encode(), {"schemas": list(SCHEMAS)}).fetchall()}
    wanted = set(grants.policies(there))
    out = [f"row policy for {one.role} on {one.table} is unknown: {one.using}" for one in sorted(standing - wanted)]
    out += [f"row policy for {one.role} on {one.table} is missing: {one.using}" for one in sorted(wanted - standing)]
    names = [table.name for table in grants.protected()]
    off = cursor.execute(_UNPROTECTED.encode(), (WAREHOUSE, names)).fetchall()
    return out + [f"row security is off on {WAREHOUSE}.{name}" for (name,) in off]


def _powers(cursor: psycopg.Cursor, names: set[str]) -> list[str]:
    strong = cursor.execute(_POWERS.encode(), (sorted(names),)).fetchall()
    inherits = cursor.execute(_MEMBERSHIPS.encode(), {"names": sorted(names)}).fetchall()
    return [f"role {name} may log in or has powers over the server" for (name,) in strong] + [
        f"role {member} is a member of {role}, and should be of none" for member, role in inherits
    ]


def requests(url: str) -> pd.DataFrame:
    """The log: at (UTC), login, address, kind, subject, reason; oldest first. Raises `HarmoniaError` where it may not be read."""
    with postgres.connected(url) as connection:
        asked = "SELECT at AT TIME ZONE 'UTC', login, address, kind, subject, reason FROM {}.{} ORDER BY ticket"
        rows = connection.execute(asked.format(AUDIT, REQUESTS.name).encode()).fetchall()
    return pd.DataFrame(rows, columns=["at", "login", "address", "kind", "subject", "reason"])
