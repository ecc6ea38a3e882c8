"""Tampered states of a PostgreSQL warehouse: `harmonia access check` tells every one, and nothing of a server that is as declared."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from security_world import Published

from warehouse.server import access as access
from warehouse.server.access import LogHead

BODY = "RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '10s'"
ASKED = "SELECT identity.request('person', 'P-courts-003', 'one'); SELECT identity.request('case', 'C-1', 'two'); "
TAMPERED: dict[str, tuple[str, str]] = {
    # functions
    "a function body that leaves the log out": (
        f"CREATE OR REPLACE FUNCTION identity.request(kind text, subject text, reason text) {BODY} AS 'BEGIN RETURN 1; END'",
        "function identity.request(text, text, text) has another definition",
    ),
    "a function with the caller's search path": (
        "ALTER FUNCTION identity.read_persons(bigint) RESET search_path",
        "function identity.read_persons(bigint) has another definition",
    ),
    "a function of the caller's rights": (
        "ALTER FUNCTION identity.read_persons(bigint) SECURITY INVOKER",
        "function identity.read_persons(bigint) has another definition",
    ),
    "a function of another owner": (
        "ALTER FUNCTION identity.read_persons(bigint) OWNER TO login_engineer",
        "function identity.read_persons(bigint) has owner login_engineer",
    ),
    "a further function": (
        "CREATE FUNCTION identity.all_of_them() RETURNS SETOF identity.persons LANGUAGE sql SECURITY DEFINER AS 'TABLE identity.persons'",
        "function identity.all_of_them() exists",
    ),
    "a function beside the schemas": (
        "CREATE FUNCTION public.people() RETURNS SETOF identity.persons LANGUAGE sql SECURITY DEFINER AS 'TABLE identity.persons'",
        "function public.people is not of Harmonia",
    ),
    "a function among the system's": (
        "SET allow_system_table_mods = on; CREATE FUNCTION pg_catalog.lower(a xid8) RETURNS text LANGUAGE sql AS 'SELECT a::text'",
        "function pg_catalog.lower is not of Harmonia",
    ),
    "everybody may call what only functions call": (
        "GRANT EXECUTE ON FUNCTION identity.read_persons(bigint) TO PUBLIC",
        "public has EXECUTE on function identity.read_persons(bigint)",
    ),
    # views
    "a security barrier reset": ("ALTER VIEW analysts.coverage RESET (security_barrier)", "view analysts.coverage has options none"),
    "a view with the caller's rights": (
        "ALTER VIEW analysts.coverage SET (security_invoker = on)",
        "view analysts.coverage has options security_barrier=true, security_invoker=on",
    ),
    "a view with another definition": (
        "CREATE OR REPLACE VIEW analysts.coverage WITH (security_barrier) AS "
        "SELECT institution, period, institution AS state, signature FROM warehouse.coverage",
        "view analysts.coverage has another definition",
    ),
    "a view over identity for everybody": (
        "CREATE VIEW public.people AS TABLE identity.persons; GRANT SELECT ON public.people TO PUBLIC",
        "view public.people is not of Harmonia",
    ),
    "a materialised view in a schema of ours": (
        "CREATE MATERIALIZED VIEW analysts.people AS TABLE identity.persons",
        "materialised view analysts.people exists",
    ),
    "a further schema": ("CREATE SCHEMA mine; CREATE TABLE mine.copy AS TABLE identity.persons", "schema mine is not of Harmonia"),
    # tables
    "a further table": ("CREATE TABLE warehouse.copy AS TABLE identity.persons", "table warehouse.copy exists"),
    "a table of another owner": (
        "ALTER TABLE warehouse.lineage OWNER TO login_engineer",
        "table warehouse.lineage has owner login_engineer",
    ),
    "a schema of another owner": ("ALTER SCHEMA identity OWNER TO login_engineer", "schema identity has owner login_engineer"),
    "a column of another type": (
        "ALTER TABLE warehouse.lineage ALTER COLUMN file TYPE varchar(400)",
        "column warehouse.lineage.file has",
    ),
    "a default that writes who writes": (
        "ALTER TABLE warehouse.counted ALTER COLUMN method SET DEFAULT session_user",
        "column warehouse.counted.method has",
    ),
    "a trigger": (
        "CREATE FUNCTION public.copied() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
        "CREATE TRIGGER copied BEFORE INSERT ON identity.persons FOR EACH ROW EXECUTE FUNCTION public.copied()",
        "trigger identity.persons.copied exists",
    ),
    "a rule that keeps the log empty": (
        "CREATE RULE nothing AS ON INSERT TO audit.identity_requests DO INSTEAD NOTHING",
        "rule audit.identity_requests.nothing exists",
    ),
    "a check constraint that calls a function": (
        "ALTER TABLE warehouse.coverage ADD CONSTRAINT odd CHECK (state IS NULL OR state <> '?')",
        "constraint warehouse.coverage.odd exists",
    ),
    "an index over keys": ("CREATE INDEX by_key ON warehouse.lineage (lower(record_key))", "index warehouse.by_key exists"),
    "a child table that holds rows elsewhere": (
        "CREATE TABLE public.more () INHERITS (warehouse.lineage)",
        "child table more exists",
    ),
    # row security
    "row security off": ("ALTER TABLE warehouse.lineage DISABLE ROW LEVEL SECURITY", "table warehouse.lineage has row security false"),
    "row security that binds the owner": (
        "ALTER TABLE warehouse.lineage FORCE ROW LEVEL SECURITY",
        "table warehouse.lineage has row security true, forced true",
    ),
    "a policy less": ("DROP POLICY steward ON warehouse.lineage", "row policy warehouse.lineage.steward is missing"),
    "a policy more": ("CREATE POLICY more ON warehouse.lineage USING (true)", "row policy warehouse.lineage.more exists"),
    "a policy with another condition": (
        "ALTER POLICY institution_police ON warehouse.lineage USING (institution <> 'courts')",
        "row policy warehouse.lineage.institution_police has",
    ),
    "a policy for another role": (
        "ALTER POLICY steward ON warehouse.lineage TO steward, institution_courts",
        "row policy warehouse.lineage.steward has",
    ),
    # what the planner tells
    "statistics on keys": (
        "ALTER TABLE warehouse.lineage ALTER COLUMN record_key SET STATISTICS 100",
        "column warehouse.lineage.record_key has text, statistics 100",
    ),
    "statistics on keys that were taken once": (
        "ALTER TABLE warehouse.lineage ALTER COLUMN record_key SET STATISTICS 100; ANALYZE warehouse.lineage;"
        "ALTER TABLE warehouse.lineage ALTER COLUMN record_key SET STATISTICS 0",
        "the planner keeps statistics on warehouse.lineage.record_key",
    ),
    "extended statistics on keys": (
        "CREATE STATISTICS public.keys (mcv) ON record_key, file FROM warehouse.lineage",
        "extended statistics public.keys exists",
    ),
    # grants
    "a grant": ("GRANT SELECT ON warehouse.lineage TO analyst", "analyst has SELECT on table warehouse.lineage"),
    "a grant on a column": (
        "GRANT SELECT (full_name) ON identity.persons TO engineer",
        "engineer has SELECT on column identity.persons.full_name",
    ),
    "a grant on the log's numbers": (
        "GRANT USAGE ON SEQUENCE audit.identity_requests_ticket_seq TO steward",
        "steward has USAGE on table audit.identity_requests_ticket_seq",
    ),
    "a grant to hand on": (
        "GRANT SELECT ON warehouse.coverage TO engineer WITH GRANT OPTION",
        "engineer has SELECT on table warehouse.coverage, and may grant it",
    ),
    "a grant less": ("REVOKE SELECT ON analysts.lineage FROM analyst", "analyst lacks SELECT on table analysts.lineage"),
    "a schema for everybody": ("GRANT USAGE ON SCHEMA identity TO PUBLIC", "public has USAGE on schema identity"),
    "default privileges": ("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC", "default privileges of postgres give to others"),
    "schemas for everybody to make": ("GRANT CREATE ON DATABASE justice TO PUBLIC", "everybody has CREATE on database justice"),
    "the system's table of statistics": ("GRANT SELECT ON pg_statistic TO analyst", "analyst has SELECT on pg_statistic of the system"),
    "a function that reads files": (
        "GRANT EXECUTE ON FUNCTION pg_read_file(text) TO analyst",
        "analyst has EXECUTE on pg_read_file(text) of the system",
    ),
    "a setting that may be made": ("GRANT SET ON PARAMETER session_replication_role TO analyst", "analyst may set the parameter"),
    # roles
    "a login that passes by row security": ("CREATE ROLE passing LOGIN BYPASSRLS", "role passing bypasses row security"),
    "a login that reads all data": (
        "CREATE ROLE reading LOGIN; GRANT pg_read_all_data TO reading",
        "reading is a member of pg_read_all_data",
    ),
    "a second superuser": ("CREATE ROLE second LOGIN SUPERUSER", "role second is a superuser"),
    "a login that makes roles": ("CREATE ROLE making LOGIN CREATEROLE", "role making may create roles"),
    "a login that copies the server": ("CREATE ROLE copying LOGIN REPLICATION", "role copying may copy the server"),
    "a role with powers": ("ALTER ROLE analyst BYPASSRLS", "role analyst bypasses row security"),
    "a role that logs in": ("ALTER ROLE analyst LOGIN", "role analyst may log in"),
    "a role within a role": ("GRANT engineer TO institution_police", "role institution_police is a member of engineer"),
    "a login of the owner's": ("CREATE ROLE ours LOGIN; GRANT postgres TO ours", "ours is a member of postgres, who owns the tables"),
    "a login that gives a role on": ("CREATE ROLE giving LOGIN; GRANT steward TO giving WITH ADMIN OPTION", "giving may give role steward"),
    "a login of two roles": ("GRANT analyst TO login_institution_police", "login login_institution_police has several roles"),
    "a group between": ("CREATE ROLE crowd; GRANT steward TO crowd", "crowd is a group and a member of steward"),
    "a setting for a role": (
        "ALTER ROLE steward SET session_preload_libraries = 'x'",
        "setting session_preload_libraries is made for steward",
    ),
    # what leads elsewhere
    "an event trigger": (
        "CREATE FUNCTION public.heard() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';"
        "CREATE EVENT TRIGGER heard ON ddl_command_end EXECUTE FUNCTION public.heard()",
        "event trigger heard acts on this database",
    ),
    "a publication": ("CREATE PUBLICATION everything FOR TABLE identity.persons", "publication everything sends rows elsewhere"),
    "a subscription": (
        "CREATE SUBSCRIPTION theirs CONNECTION 'dbname=x' PUBLICATION y WITH (connect = false)",
        "subscription theirs writes rows from elsewhere",
    ),
    "a foreign server": (
        "CREATE FOREIGN DATA WRAPPER away; CREATE SERVER there FOREIGN DATA WRAPPER away",
        "foreign server there leads elsewhere",
    ),
    "a large object": ("SELECT lo_from_bytea(0, 'a')", "1 large objects exist in this database"),
    "an operator for everybody": (
        "CREATE OPERATOR public.=== (LEFTARG = text, RIGHTARG = text, FUNCTION = texteq)",
        "operator",
    ),
    "a domain in a schema of ours": ("CREATE DOMAIN warehouse.odd AS text", "type warehouse.odd exists"),
    # the log
    "the whole log deleted": (ASKED + "DELETE FROM audit.identity_requests", "the log of requests has lost"),
    "the last line deleted": (
        ASKED + "DELETE FROM audit.identity_requests WHERE ticket = (SELECT max(ticket) FROM audit.identity_requests)",
        "the log of requests has lost",
    ),
    "a line in the middle deleted": (
        ASKED + "DELETE FROM audit.identity_requests WHERE reason = 'one'",
        "request",
    ),
    "a reason edited": (ASKED + "UPDATE audit.identity_requests SET reason = 'none' WHERE reason = 'one'", "request"),
    "the log cut": (ASKED + "TRUNCATE audit.identity_requests RESTART IDENTITY", "the log of requests has lost"),
    "the log recreated": (
        ASKED + "ALTER TABLE audit.identity_requests RENAME TO old; CREATE TABLE audit.identity_requests (LIKE audit.old)",
        "the log of requests has lost",
    ),
    "the log's table gone": ("DROP TABLE audit.identity_requests CASCADE", "the log of requests is missing"),
}
"""What somebody did -> statements, and how the line begins that tells of it."""
QUICK = (
    "a function body that leaves the log out",
    "a security barrier reset",
    "statistics on keys",
    "a view over identity for everybody",
    "a login that passes by row security",
    "a login that reads all data",
    "the whole log deleted",
)


@pytest.fixture
def cursor(justice: Published) -> Iterator[psycopg.Cursor]:
    """The owner in a transaction that is rolled back: what is tampered with in it nobody else sees."""
    with psycopg.connect(justice.owner) as connection:
        yield connection.cursor()
        connection.rollback()


def known(cursor: psycopg.Cursor, statements: str) -> LogHead | None:
    """Tamper; out: the head of the log as a check before would have kept it."""
    parts = statements.split("; ") if statements.startswith(ASKED) else [statements]
    seen: LogHead | None = None
    for part in parts:
        cursor.execute(part.encode())
        if part.startswith("SELECT identity.request"):
            row = cursor.execute("SELECT ticket, chain FROM audit.identity_requests ORDER BY ticket DESC LIMIT 1").fetchone()
            seen = (row[0], row[1]) if row else None
    return seen


@pytest.mark.parametrize(
    ("statements", "message"),
    [pytest.param(*how, id=name, marks=() if name in QUICK else pytest.mark.slow) for name, how in TAMPERED.items()],
)
def test_a_tampered_server_is_reported(cursor: psycopg.Cursor, statements: str, message: str) -> None:
    head = known(cursor, statements)
    found = access.list_differences_from_declaration(cursor, (), head)
    assert [line for line in found if line.startswith(message)], found


def test_a_server_as_declared_is_reported_as_such(cursor: psycopg.Cursor) -> None:
    assert access.list_differences_from_declaration(cursor) == []
    cursor.execute("CREATE ROLE ana LOGIN CONNECTION LIMIT 10 IN ROLE analyst; GRANT CONNECT ON DATABASE justice TO ana")
    cursor.execute("ALTER ROLE ana IN DATABASE justice SET search_path = analysts")
    cursor.execute("CREATE ROLE administrator LOGIN SUPERUSER")
    assert access.list_differences_from_declaration(cursor, ["administrator"], known(cursor, ASKED + "SELECT 1")) == []


def test_the_comparison_leaves_nothing_behind(justice: Published, cursor: psycopg.Cursor) -> None:
    before = cursor.execute("SELECT count(*) FROM pg_class").fetchone()
    access.find_differences_of_server(justice.owner)
    assert cursor.execute("SELECT count(*) FROM pg_class").fetchone() == before
