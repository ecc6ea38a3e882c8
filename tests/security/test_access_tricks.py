"""Ways round the matrix that PostgreSQL offers to whoever may connect: none of them shows what the role may not see."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import errors, sql
from security_world import NOBODY, ROWS, Published
from store_world import SECRET_NAME, SECRET_NUMBER

from sources.contract import institutions
from warehouse import tables
from warehouse.access.grants import list_tables_with_row_security
from warehouse.access.matrix import SCHEMAS, Role, roles

OWN = [table.name for table in list_tables_with_row_security()]
CATALOG = (
    "SELECT * FROM pg_stats",
    "SELECT * FROM pg_stats_ext",
    "SELECT * FROM pg_policies",
    "SELECT * FROM pg_views WHERE schemaname NOT LIKE 'pg_%'",
    "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace::regnamespace::text IN ('identity', 'audit') AND prokind = 'f'",
    "SELECT query FROM pg_stat_activity",
    "SELECT * FROM pg_stat_all_tables",
    "SELECT * FROM pg_prepared_statements",
    "SELECT * FROM pg_cursors",
    "SELECT * FROM pg_description",
    "SELECT * FROM pg_attrdef",
    "SELECT * FROM pg_largeobject",
    "SELECT * FROM pg_settings",
)
POWERS = (
    "SELECT * FROM pg_statistic",
    "SELECT * FROM pg_authid",
    "SELECT pg_read_file('postgresql.conf')",
    "SELECT pg_read_binary_file('global/pg_control')",
    "SELECT pg_ls_dir('.')",
    "SELECT lo_import('/etc/passwd')",
    "COPY (SELECT 1) TO PROGRAM 'cat'",
    "COPY (SELECT 1) TO '/tmp/out'",
    "SET SESSION AUTHORIZATION postgres",
    "SET ROLE postgres",
    "CREATE ROLE more",
    "ALTER ROLE analyst SUPERUSER",
    "GRANT steward TO CURRENT_USER",
    "ALTER TABLE warehouse.lineage DISABLE ROW LEVEL SECURITY",
    "DROP POLICY steward ON warehouse.lineage",
    "CREATE SCHEMA mine",
    "SELECT * FROM identity.committed_request(1)",
    "SET log_statement = 'all'",
)


def forbidden(role: Role | None) -> list[str]:
    """Words that stand in rows which the role may not see without a request."""
    words = [SECRET_NAME, SECRET_NUMBER]
    if role is None or role.store == "analysts":
        words.append("KEY-")
    if role is None or role.institution:
        words += [f"-{name}-" for name in institutions() if role is None or name != role.institution]
    return words


@contextlib.contextmanager
def everything_said(connection: psycopg.Connection) -> Iterator[list[str]]:
    """Collects notices; the block adds rows and errors."""
    heard: list[str] = []
    connection.add_notice_handler(lambda said: heard.append(f"{said.message_primary} {said.message_detail} {said.context}"))
    yield heard


def attempt(connection: psycopg.Connection, statement: str, heard: list[str]) -> None:
    try:
        if statement.endswith("TO STDOUT"):
            with connection.cursor().copy(statement.encode()) as copy:
                heard.append(str([bytes(part).decode() for part in copy]))
        else:
            cursor = connection.execute(statement.encode())
            heard.append(str(cursor.fetchall()) if cursor.description else "")
    except psycopg.Error as error:
        heard.append(f"{error} {error.diag.message_detail} {error.diag.context}")


def readers() -> list[Role | None]:
    return [*roles(), None]


@pytest.fixture(scope="module", params=readers(), ids=lambda role: role.name if role else "no role")
def reader(request: pytest.FixtureRequest, justice: Published) -> Iterator[tuple[Role | None, psycopg.Connection]]:
    role = request.param
    with justice.connect(role.name if role else NOBODY) as connection:
        yield role, connection


def hunt(reader: tuple[Role | None, psycopg.Connection], statements: list[str]) -> str:
    role, connection = reader
    with everything_said(connection) as heard:
        for statement in statements:
            attempt(connection, statement, heard)
    said = "\n".join(heard)
    assert [word for word in forbidden(role) if word in said] == []
    return said


def test_the_catalog_holds_no_value(justice: Published, reader: tuple[Role | None, psycopg.Connection]) -> None:
    with psycopg.connect(justice.owner) as other:
        other.execute(f"SELECT '{SECRET_NAME} KEY-police-001 KEY-courts-001'".encode())  # is in pg_stat_activity
        hunt(reader, list(CATALOG))


def test_functions_of_ones_own_errors_and_copies_show_nothing_more(reader: tuple[Role | None, psycopg.Connection]) -> None:
    leak = (
        "CREATE OR REPLACE FUNCTION pg_temp.leak(x text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS "
        "$$BEGIN RAISE NOTICE 'seen %', x; RETURN true; END$$"
    )
    statements = [leak]
    for schema, metadata in SCHEMAS.items():
        for table in metadata.sorted_tables:
            name, text = f"{schema}.{table.name}", " || ".join(f"coalesce(t.\"{c.name}\"::text, '')" for c in table.columns)
            statements += [
                f"SELECT 1 FROM {name} t WHERE pg_temp.leak({text}) LIMIT 20000",
                f"SELECT 1 FROM {name} t WHERE ({text})::int > 0",
                f"SELECT 1 FROM {name} t WHERE xmltable_is_no_function({text})",
                f"SELECT 1 FROM {name} t WHERE ({text})::jsonb IS NULL",
                f"SELECT 1 FROM {name} t ORDER BY ({text})::date",
                f"COPY {name} TO STDOUT",
                f"SELECT t FROM {name} t WHERE ctid >= '(0,1)'",
                f"SELECT max(({text})) FROM {name} t",
                f"TABLE {name}",
            ]
    said, role = hunt(reader, statements), reader[0]
    if role is not None and role.store == "warehouse":  # the tricks work: they show what may be seen
        assert f"seen KEY-{role.institution or 'police'}-" in said or f"seen {role.institution or 'police'}" in said
        assert 'invalid input syntax for type integer: "' in said


def test_row_security_cannot_be_turned_off(reader: tuple[Role | None, psycopg.Connection]) -> None:
    role, connection = reader
    if role is None or not role.institution:  # sees whole tables, or nothing: the setting shows no more
        before = {name: _rows(connection, name) for name in OWN}
        connection.execute("SET row_security = off")
        assert all(_rows(connection, name) in (before[name], None) for name in OWN)
        connection.execute("SET row_security = on")
        return
    connection.execute("SET row_security = off")
    for name in OWN:
        with pytest.raises(errors.InsufficientPrivilege, match="row-level security"):
            connection.execute(f"SELECT institution FROM warehouse.{name}".encode())
    connection.execute("SET row_security = on")


def _rows(connection: psycopg.Connection, table: str) -> int | None:
    """How many rows of a table of the warehouse the connection sees; None where it may not read it."""
    try:
        found = connection.execute(f"SELECT count(*) FROM warehouse.{table}".encode()).fetchone()
    except errors.InsufficientPrivilege:
        return None
    return found[0] if found else None


def test_no_role_has_powers_over_the_server(reader: tuple[Role | None, psycopg.Connection]) -> None:
    _, connection = reader
    for statement in POWERS:
        with pytest.raises((errors.InsufficientPrivilege, errors.InvalidAuthorizationSpecification, errors.UndefinedFunction)):
            connection.execute(statement.encode())


@pytest.mark.parametrize("name", OWN)
def test_the_planner_tells_an_institution_nothing_of_others_keys(justice: Published, name: str) -> None:
    """Estimates, and rows removed by a filter, are the same for a key that another institution has and one that nobody has."""
    with psycopg.connect(justice.owner, autocommit=True) as owner:
        owner.execute(f"ANALYZE warehouse.{name}".encode())
    with justice.connect("institution_police") as connection:

        def explain_plan(condition: str) -> object:
            options = "ANALYZE, TIMING OFF, SUMMARY OFF, BUFFERS OFF, FORMAT JSON"
            asked = f"EXPLAIN ({options}) SELECT institution FROM warehouse.{name} WHERE {condition}"
            row = connection.execute(asked.encode()).fetchone()
            assert row is not None
            plan = json.dumps(row[0])
            return plan.replace("KEY-courts-007", "?").replace("KEY-nobody-007", "?")

        for key in tables.key_columns(tables.WAREHOUSE.tables[name]):
            for operator in ("=", "<", ">=", "<>"):
                assert explain_plan(f"{key} {operator} 'KEY-courts-007'") == explain_plan(f"{key} {operator} 'KEY-nobody-007'"), operator
        assert f'"Actual Rows": {ROWS}' in str(explain_plan("true"))


def test_an_institution_of_two_roles_sees_both_and_no_more(justice: Published) -> None:
    login = f"two_of_them_{justice.server.binaries.parts[3]}"
    justice.server.login(login, "institution_police", "institution_courts")
    with psycopg.connect(justice.server.url(login, "justice")) as connection:
        rows = connection.execute("SELECT DISTINCT institution FROM warehouse.lineage ORDER BY 1").fetchall()
    assert rows == [("courts",), ("police",)]
    with psycopg.connect(justice.server.url()) as admin:
        admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(login)))
