"""The access matrix as PostgreSQL statements: roles, grants, row policies, secure views.

Belongs here: these statements, and the grants and policies as data, for comparison with a server. Does not belong here: running statements
(`warehouse/postgres`, `warehouse/server/access`), the functions of the identity store (`warehouse/access/identity`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from sqlalchemy import Table

from warehouse import tables
from warehouse.access.identity import INTERNAL_FUNCTIONS, STEWARD_FUNCTIONS
from warehouse.access.matrix import ALL, NONE, ON_REQUEST, OWN, SCHEMAS, Role, roles
from warehouse.publish import create_statements
from warehouse.stores import ANALYSTS, STORES, WAREHOUSE

ROLE_OPTIONS = "NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"


@dataclass(frozen=True, order=True)
class Grant:
    """A privilege that a role has on an object. kind: what the object is: SCHEMA, TABLE, COLUMN or FUNCTION."""

    kind: str
    object: str
    privilege: str
    role: str


@dataclass(frozen=True, order=True)
class RowPolicy:
    """Which rows of a table a role may read: those for which the SQL condition `using` is true. The condition is written as PostgreSQL
    prints it, so that both can be compared."""

    table: str
    role: str
    using: str


def is_view(schema: str, table: Table) -> bool:
    """Return whether a table is stored as a view. It is one if it is declared as a view, or if analysts see the table of the warehouse
    unchanged."""
    return "view" in table.info or (schema == ANALYSTS and not table.info["altered"])


def list_tables_except_views(schema: str) -> list[Table]:
    """Return the tables of a schema that store rows, which are all tables except views."""
    return [table for table in SCHEMAS[schema].sorted_tables if not is_view(schema, table)]


def iterate_tables_readable_by_roles() -> Iterator[tuple[Role, str, Table, str]]:
    """Yield every table that a role may read: role, schema, table, and which rows of it."""
    for role in roles():
        for schema, metadata in SCHEMAS.items():
            for table in metadata.sorted_tables:
                rows = role.visible_rows(schema, table)
                if rows != NONE:
                    yield role, schema, table, rows


def derive_grants_from_access_matrix(roles_on_server: Collection[str]) -> list[Grant]:
    """Derive from the matrix all grants of the roles that exist on the server. roles_on_server: the names of these roles."""
    granted: set[Grant] = set()
    for role, schema, table, rows in iterate_tables_readable_by_roles():
        if role.name in roles_on_server:
            granted.add(Grant("SCHEMA", schema, "USAGE", role.name))
            if rows == ON_REQUEST:
                granted |= {Grant("FUNCTION", function, "EXECUTE", role.name) for function in STEWARD_FUNCTIONS}
            elif len(columns := role.readable_columns(schema, table)) == len(table.columns):
                granted.add(Grant("TABLE", f"{schema}.{table.name}", "SELECT", role.name))
            else:
                granted |= {Grant("COLUMN", f"{schema}.{table.name}.{column}", "SELECT", role.name) for column in columns}
    return sorted(granted)


def list_tables_with_row_security() -> list[Table]:
    """Return the tables of the warehouse of which some role sees only the rows of its own institution. These tables get row security."""
    names = {table.name for _, schema, table, rows in iterate_tables_readable_by_roles() if schema == WAREHOUSE and rows == OWN}
    return [table for table in STORES[WAREHOUSE].sorted_tables if table.name in names]


def derive_row_policies(roles_on_server: Collection[str]) -> list[RowPolicy]:
    """Derive from the matrix the policies of tables with row security, one per table and role.

    roles_on_server: the names of the roles that exist on the server.
    """
    secured = {table.name for table in list_tables_with_row_security()}
    everything = {ALL: "true"}
    return sorted(
        RowPolicy(f"{schema}.{table.name}", role.name, everything.get(rows, f"(institution = '{role.institution}'::text)"))
        for role, schema, table, rows in iterate_tables_readable_by_roles()
        if schema == WAREHOUSE and table.name in secured and role.name in roles_on_server
    )


def make_statements_after_table_creation() -> list[str]:
    """Return the statements that are run once after the tables were created: views, functions, row security.

    PostgreSQL keeps no statistics on the record keys of tables with row security. With statistics, the estimates that EXPLAIN shows would
    gradually reveal to an institution which keys the other institutions have.
    """
    statements = [
        f"SET LOCAL search_path TO {WAREHOUSE}",
        *create_statements(tables.list_declared_views(STORES[WAREHOUSE])),
        "RESET search_path",
    ]
    for table in tables.list_declared_tables_except_views(STORES[ANALYSTS]):
        if is_view(ANALYSTS, table):
            columns = ", ".join(f'"{column.name}"' for column in table.columns)
            view = f"{ANALYSTS}.{table.name}"
            statements.append(f"CREATE VIEW {view} WITH (security_barrier) AS SELECT {columns} FROM {WAREHOUSE}.{table.name}")
            statements.append(f"COMMENT ON VIEW {view} IS {_format_sql_literal(table.comment)}")
            statements += [f'COMMENT ON COLUMN {view}."{column.name}" IS {_format_sql_literal(column.comment)}' for column in table.columns]
    for table in list_tables_with_row_security():
        statements.append(f"ALTER TABLE {WAREHOUSE}.{table.name} ENABLE ROW LEVEL SECURITY")
        statements += [f'ALTER TABLE {WAREHOUSE}.{table.name} ALTER COLUMN "{c}" SET STATISTICS 0' for c in tables.key_columns(table)]
    for name, definition in (INTERNAL_FUNCTIONS | STEWARD_FUNCTIONS).items():
        statements += [definition, f"REVOKE ALL ON FUNCTION {name} FROM PUBLIC"]
    return statements


def make_access_statements(roles_on_server: Collection[str]) -> list[str]:
    """Return statements that first revoke all rights of the roles `roles_on_server` and then grant what the matrix allows. The statements
    can be run repeatedly."""
    names = [role.name for role in roles() if role.name in roles_on_server]
    statements = []
    for schema in SCHEMAS if names else ():
        for kind in (f"ALL TABLES IN SCHEMA {schema}", f"ALL FUNCTIONS IN SCHEMA {schema}", f"SCHEMA {schema}"):
            statements.append(f"REVOKE ALL ON {kind} FROM {', '.join(names)}")
    statements += [_make_grant_statement(grant) for grant in derive_grants_from_access_matrix(roles_on_server)]
    declared = sorted(role.name for role in roles())
    statements += [
        f"DROP POLICY IF EXISTS {name} ON {WAREHOUSE}.{table.name}" for table in list_tables_with_row_security() for name in declared
    ]
    statements += [
        f"CREATE POLICY {p.role} ON {p.table} FOR SELECT TO {p.role} USING ({p.using})" for p in derive_row_policies(roles_on_server)
    ]
    return statements


def _make_grant_statement(grant: Grant) -> str:
    if grant.kind != "COLUMN":
        return f"GRANT {grant.privilege} ON {grant.kind} {grant.object} TO {grant.role}"
    table, column = grant.object.rsplit(".", 1)
    return f'GRANT {grant.privilege} ("{column}") ON {table} TO {grant.role}'


def make_role_creation_statements(missing_roles: Collection[str]) -> list[str]:
    """Return the statements that create the roles `missing_roles`. A database administrator may also run them by hand."""
    return [f"CREATE ROLE {role.name} {ROLE_OPTIONS}" for role in roles() if role.name in missing_roles]


def _format_sql_literal(text: str | None) -> str:
    return "'" + (text or "").replace("'", "''") + "'"
