"""The identity store on PostgreSQL: nothing is shown that is not in the log, and the log outlives every publishing."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import errors
from security_world import Published
from store_world import SECRET_NAME, made

from warehouse import postgres
from warehouse.server import access as access

ASK, READ = "SELECT identity.request(%s, %s, %s)", "SELECT * FROM identity.read_persons(%s)"


@pytest.fixture
def steward(justice: Published) -> Iterator[psycopg.Connection]:
    with justice.connect("steward") as connection:
        yield connection


def ask(connection: psycopg.Connection, kind: str, subject: str | None, reason: str | None = "a complaint") -> int:
    row = connection.execute(ASK, (kind, subject, reason)).fetchone()
    assert row is not None
    return int(row[0])


def logged(justice: Published) -> int:
    return len(access.read_request_log(justice.owner))


def test_a_request_shows_what_it_names_and_is_logged(justice: Published, steward: psycopg.Connection) -> None:
    before = logged(justice)
    one = steward.execute(READ, (ask(steward, "person", "P-courts-003"),)).fetchall()
    assert len(one) == 1
    assert SECRET_NAME in str(one)
    case = steward.execute(READ, (ask(steward, "case", "C-police-004", "another"),)).fetchall()
    record = steward.execute(READ, (ask(steward, "record", "police:KEY-police-004"),)).fetchall()
    assert case == record
    pseudonym = justice.stores["identity"]["crosswalk"].set_index("record_key").loc["KEY-police-004", "pseudonym"]
    ticket = ask(steward, "pseudonym", str(pseudonym))
    assert steward.execute(READ, (ticket,)).fetchall() == record
    crosswalk = steward.execute("SELECT * FROM identity.read_crosswalk(%s)", (ticket,)).fetchall()
    assert crosswalk == [("police", "KEY-police-004", pseudonym)]
    everything = steward.execute(READ, (ask(steward, "all", None),)).fetchall()
    assert len(everything) == len(justice.stores["identity"]["persons"])
    found = access.read_request_log(justice.owner).iloc[before:]
    assert list(found["kind"]) == ["person", "case", "record", "pseudonym", "all"]
    assert set(found["login"]) == {"login_steward"}
    assert found["reason"].iloc[1] == "another"
    assert SECRET_NAME not in found.to_csv()


@pytest.mark.parametrize(
    ("kind", "subject", "reason"),
    [("name", "x", "why"), (None, "x", "why"), ("person", " ", "why"), ("person", None, "why"), ("all", None, None), ("all", None, "  ")],
)
def test_a_request_says_for_whom_and_why(justice: Published, steward: psycopg.Connection, kind: str, subject: str, reason: str) -> None:
    before = logged(justice)
    with pytest.raises(errors.InvalidParameterValue):
        ask(steward, kind, subject, reason)
    assert logged(justice) == before


def test_what_is_rolled_back_was_not_shown(justice: Published) -> None:
    with justice.connect("steward", autocommit=False) as connection:
        ticket = ask(connection, "all", None)
        with pytest.raises(errors.InsufficientPrivilege, match="not committed yet"), connection.transaction():
            connection.execute(READ, (ticket,))
        connection.execute("SAVEPOINT inside")
        nested = ask(connection, "all", None)
        connection.execute("RELEASE SAVEPOINT inside")
        with pytest.raises(errors.InsufficientPrivilege, match="not committed yet"), connection.transaction():
            connection.execute(READ, (nested,))
        connection.rollback()
        with pytest.raises(errors.InsufficientPrivilege, match="made no request"):
            connection.execute(READ, (ticket,))


def test_a_request_is_of_one_login_and_for_a_while(justice: Published, steward: psycopg.Connection) -> None:
    ticket = ask(steward, "all", None)
    other = f"second_steward_{justice.server.binaries.parts[3]}"
    justice.server.login(other, "steward")
    with psycopg.connect(justice.server.url(other, "justice"), autocommit=True) as second:
        with pytest.raises(errors.InsufficientPrivilege, match="made no request"):
            second.execute(READ, (ticket,))
        second.execute("SET ROLE steward")
        ask(second, "case", "C-1")
    assert access.read_request_log(justice.owner)["login"].iloc[-1] == other
    with psycopg.connect(justice.owner) as owner:
        owner.execute("UPDATE audit.identity_requests SET at = at - interval '16 minutes' WHERE ticket = %s", (ticket,))
    with pytest.raises(errors.InsufficientPrivilege, match="older than 15 minutes"):
        steward.execute(READ, (ticket,))
    with psycopg.connect(justice.owner) as owner:
        owner.execute("UPDATE audit.identity_requests SET at = at + interval '16 minutes' WHERE ticket = %s", (ticket,))


def test_words_are_no_statements(steward: psycopg.Connection) -> None:
    for subject in ("' OR true --", "P-courts-003' OR '1'='1", "%", "_", "police:%", ":", "police:"):
        for kind in ("person", "case", "record", "pseudonym"):
            assert steward.execute(READ, (ask(steward, kind, subject),)).fetchall() == []
    steward.execute("CREATE FUNCTION pg_temp.request_is(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true'")
    steward.execute("CREATE OPERATOR pg_temp.= (LEFTARG = text, RIGHTARG = text, FUNCTION = pg_temp.request_is)")
    steward.execute("CREATE TEMP TABLE persons AS SELECT 1")
    steward.execute("SET search_path = pg_temp, pg_catalog")
    assert steward.execute(READ, (ask(steward, "person", "nobody"),)).fetchall() == []


@pytest.mark.slow
def test_publishing_and_a_new_version_leave_log_and_access_as_they_are(justice: Published) -> None:
    with justice.connect("steward") as connection:
        ask(connection, "all", None, "before publishing")
        for older in (False, True):
            if older:
                with psycopg.connect(justice.owner) as owner:
                    owner.execute("COMMENT ON SCHEMA warehouse IS 'form 0, access 0'")
            with postgres.prepare_publication(justice.owner, justice.stores) as commit:
                commit()
            assert access.find_differences_of_server(justice.owner) == []
            assert access.read_request_log(justice.owner)["reason"].iloc[-1] == "before publishing"
            rows = connection.execute("SELECT count(*) FROM warehouse.lineage").fetchone()
            assert rows == (len(justice.stores["warehouse"]["lineage"]),)


@pytest.mark.slow
def test_a_publisher_without_powers_publishes_into_roles_that_an_administrator_made(justice: Published) -> None:
    version = justice.server.binaries.parts[3]
    publisher = justice.server.login(f"publisher_{version}")
    url = justice.server.new_database("second", publisher)
    with postgres.prepare_publication(url, made()) as commit:
        commit()
    assert access.find_differences_of_server(url) == []
    with psycopg.connect(url) as owner:
        published = owner.execute("SELECT count(*) FROM warehouse.statistics").fetchone()
    assert published != (0,)
    with psycopg.connect(justice.server.url("login_analyst", "second")) as analyst:
        assert analyst.execute("SELECT count(*) FROM analysts.statistics").fetchone() == published
        with pytest.raises(errors.InsufficientPrivilege):
            analyst.execute("SELECT * FROM warehouse.statistics")


def test_apply_brings_the_grants_back(justice: Published) -> None:
    changes = {
        "GRANT SELECT ON warehouse.lineage TO analyst": "analyst has SELECT on table warehouse.lineage, and should not",
        "GRANT SELECT (full_name) ON identity.persons TO engineer": "engineer has SELECT on column identity.persons.full_name",
        "REVOKE USAGE ON SCHEMA analysts FROM analyst": "analyst lacks USAGE on schema analysts",
        "REVOKE SELECT (institution) ON warehouse.lineage FROM institution_police": "institution_police lacks SELECT on column",
        "DROP POLICY steward ON warehouse.lineage": "row policy warehouse.lineage.steward is missing",
    }
    for change, found in changes.items():
        with psycopg.connect(justice.owner) as owner:
            owner.execute(change.encode())
        assert [line for line in access.find_differences_of_server(justice.owner) if line.startswith(found)], change
    assert access.apply_access_matrix_to_server(justice.owner)[0] == []
    assert access.find_differences_of_server(justice.owner) == []
