"""The registry opens, migrates and refuses in one clear line."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from harmonia.errors import HarmoniaError
from harmonia.registry import Registry, open_registry
from harmonia.registry.connection import VERSION_TABLE
from harmonia.registry.ledger import now
from harmonia.registry.tables import Base, File, Run


def url(path: Path) -> str:
    return f"sqlite:///{path}"


def differences(registry: Registry) -> list[object]:
    with registry.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True})
        return list(compare_metadata(context, Base.metadata))


def test_the_migrations_make_exactly_the_declared_tables(tmp_path: Path) -> None:
    registry = open_registry(url(tmp_path / "100% registry.sqlite"))
    assert differences(registry) == []
    assert (tmp_path / "100% registry.sqlite").stat().st_mode & 0o777 == 0o600
    with registry.read() as session:
        assert session.scalar(text("PRAGMA journal_mode")) == "wal"


def test_opening_again_keeps_everything(tmp_path: Path) -> None:
    with open_registry(url(tmp_path / "r.sqlite")).write() as session:
        session.add(File(sha256="a", size=5_000_000_000, first_seen=now()))
    with open_registry(url(tmp_path / "r.sqlite")).read() as session:
        assert session.get_one(File, "a").size == 5_000_000_000


def test_moments_come_back_in_utc(tmp_path: Path) -> None:
    registry, moment = open_registry(url(tmp_path / "r.sqlite")), now()
    with registry.write() as session:
        session.add(Run(started=moment))
    with registry.read() as session:
        assert session.get_one(Run, 1).started == moment


def test_a_transaction_is_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    registry = open_registry(url(tmp_path / "r.sqlite"))
    with pytest.raises(ZeroDivisionError), registry.write() as session:
        session.add(File(sha256="a", size=1, first_seen=now()))
        session.flush()
        raise ZeroDivisionError
    with registry.read() as session:
        assert session.get(File, "a") is None


def test_an_error_of_the_program_stays_one(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError), open_registry(url(tmp_path / "r.sqlite")).write() as session:
        session.execute(text("INSERT INTO file (sha256) VALUES ('a')"))


def test_readers_do_not_wait_for_a_writer(tmp_path: Path) -> None:
    registry = open_registry(url(tmp_path / "r.sqlite"))
    other = open_registry(url(tmp_path / "r.sqlite"))
    with registry.write() as session:
        session.add(File(sha256="a", size=1, first_seen=now()))
        session.flush()
        with other.read() as reading:
            assert reading.get(File, "a") is None


def test_a_newer_registry_is_refused(tmp_path: Path) -> None:
    open_registry(url(tmp_path / "r.sqlite")).close()
    with sqlite3.connect(tmp_path / "r.sqlite") as connection:
        connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    with pytest.raises(HarmoniaError, match="created by a newer Harmonia"):
        open_registry(url(tmp_path / "r.sqlite"))


@pytest.mark.parametrize("bad", ["nonsense", "mysql://u:topsecret@h/d", "", "oracle+what://x"])
def test_a_url_that_is_none(bad: str) -> None:
    with pytest.raises(HarmoniaError, match="URL is invalid") as caught:
        open_registry(bad)
    assert "topsecret" not in str(caught.value)


def test_a_server_that_is_away_shows_no_password() -> None:
    with pytest.raises(HarmoniaError, match="does not answer") as caught:
        open_registry("postgresql://u:topsecret@127.0.0.1:1/d")
    assert "topsecret" not in str(caught.value)


def test_files_that_are_no_registry(tmp_path: Path) -> None:
    (tmp_path / "garbage").write_bytes(b"garbage" * 500)
    with pytest.raises(HarmoniaError, match="is not a registry; restore it"):
        open_registry(url(tmp_path / "garbage"))
    with pytest.raises(HarmoniaError, match="cannot be opened"):
        open_registry(url(tmp_path))
    with pytest.raises(HarmoniaError, match="cannot be opened"):
        open_registry(url(tmp_path / "absent" / "r.sqlite"))
