"""`harmonia access`, `audit`, `warehouse` as typed: what they print, how they end."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import psycopg
import pytest
from postgres_world import Server, running
from store_world import made

from harmonia.audit import record_own_access
from harmonia.cli import main as cli
from harmonia.registry import open_registry
from warehouse import postgres
from warehouse.access import document
from warehouse.publish import publish_stores
from warehouse.server import access as access
from warehouse.tables import WAREHOUSE


def harmonia(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str]:
    monkeypatch.setattr(sys, "argv", ["harmonia", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
        sys.exit(0)
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out + said.err


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running(18) as one:
        yield one


@pytest.fixture(scope="module")
def url(server: Server) -> str:
    url = server.new_database("justice")
    access.apply_access_matrix_to_server(url)
    with postgres.prepare_publication(url, made("one")) as commit:
        commit()
    return url


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    publish_stores(made("one"), folder)
    open_registry(f"sqlite:///{folder}/registry.sqlite").close()
    return folder


def test_the_page_of_the_matrix_is_of_this_version() -> None:
    assert document.PAGE.read_text("utf-8") == document.render_access_matrix_page(), "run: python -m warehouse.access.document"


def test_show(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    code, said = harmonia(capsys, monkeypatch, "access", "show")
    assert code == 0
    assert all(f"warehouse.{name}" in said for name in WAREHOUSE.tables)
    code, said = harmonia(capsys, monkeypatch, "access", "show", "--sql")
    assert "CREATE ROLE institution_police NOLOGIN" in said


def test_apply_and_check(url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert harmonia(capsys, monkeypatch, "access", "apply", "--warehouse-url", url)[0] == 0
    assert harmonia(capsys, monkeypatch, "access", "check", "--warehouse-url", url)[0] == 0
    with psycopg.connect(url) as owner:
        owner.execute("GRANT SELECT ON identity.persons TO analyst")
    code, said = harmonia(capsys, monkeypatch, "access", "check", "--warehouse-url", url)
    assert code == 1
    assert "analyst has SELECT on table identity.persons, and should not" in said
    assert harmonia(capsys, monkeypatch, "access", "apply", "--warehouse-url", url)[0] == 0
    assert harmonia(capsys, monkeypatch, "access", "check", "--warehouse-url", url)[0] == 0
    assert "name the PostgreSQL warehouse" in harmonia(capsys, monkeypatch, "access", "check")[1]


def test_check_remembers_where_the_log_of_requests_ended(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    open_registry(f"sqlite:///{tmp_path / 'registry.sqlite'}").close()
    check = ("access", "check", "--warehouse-url", url, "--home", str(tmp_path))
    harmonia(capsys, monkeypatch, "access", "apply", "--warehouse-url", url)
    with psycopg.connect(url) as owner:
        owner.execute("SELECT identity.request('all', NULL, 'a complaint')")
    assert harmonia(capsys, monkeypatch, *check)[0] == 0
    with psycopg.connect(url) as owner:
        owner.execute("DELETE FROM audit.identity_requests")
    code, said = harmonia(capsys, monkeypatch, *check)
    assert code == 1
    assert "the log of requests has lost" in said


@pytest.mark.slow
def test_apply_to_tables_of_another_version_is_reported(
    server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = server.new_database("older")
    with postgres.prepare_publication(url, made("one")) as commit:
        commit()
    with psycopg.connect(url) as owner:
        owner.execute("COMMENT ON SCHEMA warehouse IS 'form 0, access 0'")
    code, said = harmonia(capsys, monkeypatch, "access", "apply", "--warehouse-url", url)
    assert code == 1
    assert "from another version of Harmonia" in said


def test_extract_holds_what_the_role_sees_and_nothing_else(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "police.duckdb"
    arguments = ("access", "extract", "institution_police", "--home", str(home), "--out", str(out))
    assert harmonia(capsys, monkeypatch, *arguments)[0] == 0
    with duckdb.connect(str(out), read_only=True) as file:
        assert file.execute("SELECT DISTINCT institution FROM lineage").fetchall() == [("police",)]
        names = {name for (name,) in file.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    assert names == {name for name, table in WAREHOUSE.tables.items() if table.info["rows"] in ("own", "reference")}
    assert b"KEY-courts" not in out.read_bytes()
    assert out.stat().st_mode & 0o777 == 0o600
    assert "already exists" in harmonia(capsys, monkeypatch, *arguments)[1]
    said = harmonia(capsys, monkeypatch, "access", "extract", "public", "--home", str(home), "--out", str(out))[1]
    assert "there is no role public" in said
    assert "the public has no role" in said


@pytest.mark.slow
def test_compare_finds_every_row_that_differs(
    home: Path, url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("warehouse", "compare", "--home", str(home), "--warehouse-url", url)
    code, said = harmonia(capsys, monkeypatch, *arguments)
    assert (code, "0 differ" in said) == (0, True), said
    with psycopg.connect(url) as owner:
        owner.execute("UPDATE warehouse.coverage SET state = '' WHERE state IS NULL AND institution = 'police'")  # empty is not null
        owner.execute("INSERT INTO warehouse.coverage SELECT * FROM warehouse.coverage WHERE institution = 'courts' AND state IS NULL")
    code, said = harmonia(capsys, monkeypatch, *arguments, "--store", "warehouse")
    assert code == 1
    assert " 3 differ" in said
    with postgres.prepare_publication(url, made("one")) as commit:
        commit()
    assert harmonia(capsys, monkeypatch, *arguments)[0] == 0
    assert "unknown store names" in harmonia(capsys, monkeypatch, *arguments, "--store", "names")[1]


@pytest.mark.slow
def test_a_login_that_asks_for_what_it_may_not_see_is_reported(
    home: Path, url: str, server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server.login("ana", "analyst")
    as_ana = server.url("ana", "justice")
    code, said = harmonia(capsys, monkeypatch, "warehouse", "compare", "--home", str(home), "--warehouse-url", as_ana)
    assert code == 1
    assert "this login lacks the permission" in said
    arguments = ("warehouse", "compare", "--home", str(home), "--warehouse-url", as_ana, "--store", "analysts")
    assert harmonia(capsys, monkeypatch, *arguments)[0] == 0
    assert "lacks the permission" in harmonia(capsys, monkeypatch, "access", "apply", "--warehouse-url", as_ana)[1]
    assert "lacks the permission" in harmonia(capsys, monkeypatch, "audit", "list", "--home", str(home), "--warehouse-url", as_ana)[1]


def test_audit_lists_both_logs_and_resolving_is_one_of_the_lines(
    home: Path, url: str, server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = open_registry(f"sqlite:///{home}/registry.sqlite")
    record_own_access(registry, "explain person", "P0000001")
    registry.close()
    server.login("sara", "steward")
    with psycopg.connect(server.url("sara", "justice"), autocommit=True) as sara:
        sara.execute("SELECT identity.request('person', 'P-courts-001', 'a complaint')")
    crosswalk = made("one")["identity"]["crosswalk"].set_index("record_key")["pseudonym"]
    code, said = harmonia(capsys, monkeypatch, "access", "resolve", str(crosswalk["KEY-police-001"]), "--home", str(home))
    assert code == 0
    assert "police:KEY-police-001" in said
    assert "no record has the pseudonym" in harmonia(capsys, monkeypatch, "access", "resolve", "f" * 32, "--home", str(home))[1]
    code, said = harmonia(capsys, monkeypatch, "audit", "list", "--home", str(home), "--warehouse-url", url)
    assert code == 0
    assert "4 accesses" in said
    for words in ("explain person", "resolved a pseudonym", "P-courts-001", "a complaint", "sara"):
        assert words in said
    said = harmonia(capsys, monkeypatch, "audit", "list", "--home", str(home), "--warehouse-url", url, "--who", "sara")[1]
    assert "1 access;" in said
    said = harmonia(capsys, monkeypatch, "audit", "list", "--home", str(home), "--since", "2090-01-01")[1]
    assert "0 accesses" in said
    assert "no registry" in harmonia(capsys, monkeypatch, "audit", "list", "--home", str(home / "nowhere"))[1]
