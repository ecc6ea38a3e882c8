"""PostgreSQL away, full, restarted or unwilling while publishing: one clear line, the old figures stay, the next run succeeds."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import duckdb
import pandas as pd
import psycopg
import pytest
from postgres_world import Server, running
from store_world import made

from harmonia.errors import HarmoniaError
from warehouse import postgres
from warehouse.compare import compare_stores
from warehouse.publish import publish_stores
from warehouse.stores import Stores

pytestmark = pytest.mark.slow
NUMBER = count()
OLD, NEW = "old", "new"
Place = tuple[str, Path]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running(18) as one:
        yield one


@pytest.fixture
def place(server: Server, tmp_path: Path) -> Place:
    """A database and a home in which the old stores are published."""
    url = server.new_database(f"w{next(NUMBER)}")
    both((url, tmp_path), OLD)
    return url, tmp_path


def both(place: Place, stores: str | Stores, in_between: Callable[[], None] = lambda: None) -> None:
    """Publish as a run does: load the server, build the files, commit, show the files. `in_between`: when all is loaded."""
    url, home = place
    stores = made(stores) if isinstance(stores, str) else stores
    with postgres.prepare_publication(url, stores) as commit:
        in_between()
        publish_stores(stores, home, commit)


def still_old(place: Place) -> bool:
    """Files and server hold the old stores, row for row."""
    url, home = place
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as file:
        actual = file.execute("SELECT count(*) FROM coverage WHERE starts_with(state, 'old ')").fetchall()[0][0]
    return actual > 0 and not compare_stores(home, url)[["only_duckdb", "only_postgresql"]].to_numpy().any()


def succeeds(place: Place) -> bool:
    """The next run publishes, and leaves nothing behind of the one that failed."""
    url, home = place
    both(place, NEW)
    names = {path.name for path in (home / "published").iterdir()}
    with psycopg.connect(url) as connection:
        schemas = connection.execute("SELECT count(*) FROM pg_namespace WHERE nspname LIKE '%!_new' ESCAPE '!'").fetchone()
    clean = names == {"1", "2", "current"} and schemas == (0,)
    return clean and not compare_stores(home, url)[["only_duckdb", "only_postgresql"]].to_numpy().any()


@pytest.mark.parametrize("how", ["fast", "immediate"])
def test_restarted_when_all_is_loaded(server: Server, place: Place, how: str) -> None:
    with pytest.raises(HarmoniaError, match=r"stopped or restarted|does not answer") as failed:
        both(place, NEW, lambda: server.control("restart", "-m", how))
    assert "\n" not in str(failed.value)
    assert still_old(place)
    assert succeeds(place)


@pytest.mark.parametrize("rebuilt", [False, True], ids=["rows replaced", "tables rebuilt"])
def test_connection_ended_by_an_administrator_while_loading(place: Place, rebuilt: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    url, loaded, load = place[0], count(), postgres._load_rows
    if rebuilt:
        with psycopg.connect(url) as owner:
            owner.execute("COMMENT ON SCHEMA warehouse IS 'form 0, access 0'")

    def ended_at_the_fifth(cursor: psycopg.Cursor, *arguments: object) -> None:
        if next(loaded) == 5:
            with psycopg.connect(url) as owner:
                owner.execute("SELECT pg_terminate_backend(%s)", (cursor.connection.info.backend_pid,))
        load(cursor, *arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(postgres, "_load_rows", ended_at_the_fifth)
        with pytest.raises(HarmoniaError, match=r"stopped or restarted|does not answer"):
            both(place, NEW)
    assert still_old(place)
    assert succeeds(place)


def test_away(server: Server, place: Place) -> None:
    server.control("stop", "-m", "fast")
    try:
        with pytest.raises(HarmoniaError, match="does not answer"):
            both(place, NEW)
    finally:
        server.control("start")
    assert still_old(place)
    assert succeeds(place)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("statement_timeout = '1ms'", "cancelled a statement"),
        ("default_transaction_read_only = on", "is read-only"),
        ("temp_file_limit = 0", None),
    ],
)
def test_a_server_that_is_set_otherwise(place: Place, setting: str, said: str | None) -> None:
    url = place[0]
    database = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
    with psycopg.connect(url) as owner:
        owner.execute(f"ALTER DATABASE {database} SET {setting}".encode())
    if said is None:
        assert succeeds(place)
        return
    with pytest.raises(HarmoniaError, match=said):
        both(place, NEW)
    with psycopg.connect(url) as owner:
        owner.read_only = False
        owner.execute(f"ALTER DATABASE {database} RESET ALL".encode())
    assert still_old(place)
    assert succeeds(place)


def test_a_login_that_is_no_owner(server: Server, place: Place) -> None:
    database = str(psycopg.conninfo.conninfo_to_dict(place[0])["dbname"])
    stranger = server.url(server.login(f"stranger{next(NUMBER)}"), database)
    with pytest.raises(HarmoniaError, match=r"lacks the permission: see docs/reference/access\.md"):
        both((stranger, place[1]), NEW)
    assert still_old(place)


def test_files_that_cannot_be_written_leave_the_server_as_it_was(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise duckdb.IOException("No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("warehouse.publish._load_rows", full)
        with pytest.raises(HarmoniaError, match="free disk space"):
            both(place, NEW)
    assert still_old(place)
    assert succeeds(place)


@pytest.fixture
def small_disk(server: Server) -> Iterator[Path]:
    """A real file system of 24 MiB that the server may write to."""
    folder = server.folder / "small"
    folder.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", folder], check=False).returncode:
        pytest.skip("needs the right to mount a small file system")
    try:
        subprocess.run(["chown", f"{server.user}:", folder], check=True)
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_disk_that_is_full(server: Server, small_disk: Path, tmp_path: Path) -> None:
    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute(f"CREATE TABLESPACE small LOCATION '{small_disk}'".encode())
    url = server.new_database("filled")
    with psycopg.connect(url) as owner:
        owner.execute("ALTER DATABASE filled SET default_tablespace = small")
    (home := tmp_path / "home").mkdir()
    both((url, home), OLD)
    much = {name: dict(frames) for name, frames in made(NEW).items()}
    much["warehouse"]["statistics"] = pd.concat([made(NEW)["warehouse"]["statistics"]] * 10_000, ignore_index=True)
    try:
        for _ in range(2):  # a second try finds no less room than the first
            with pytest.raises(HarmoniaError, match="its disk is full: free space there"):
                both((url, home), much)
            assert still_old((url, home))
        assert succeeds((url, home))
    finally:
        with psycopg.connect(server.url(), autocommit=True) as admin:
            admin.execute("DROP DATABASE filled WITH (FORCE)")
            admin.execute("DROP TABLESPACE small")
