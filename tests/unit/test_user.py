"""Whom the command line takes the system's user for."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from acting_world import acting_as

from harmonia.errors import HarmoniaError
from harmonia.user import find_acting_account, find_current_user


def test_without_accounts_it_is_the_system_user(tmp_path: Path) -> None:
    assert find_acting_account(tmp_path) == find_current_user()


def test_the_account_of_the_system_user(tmp_path: Path) -> None:
    acting_as(tmp_path, "steward@example.org")
    assert find_acting_account(tmp_path) == "steward@example.org"


@pytest.mark.parametrize(("column", "value"), [("is_active", 0), ("system_user", None), ("system_user", "somebody-else")])
def test_a_disabled_account_or_that_of_another_user_is_refused(tmp_path: Path, column: str, value: object) -> None:
    acting_as(tmp_path, "steward@example.org")
    acting_as(tmp_path, "other@example.org")
    with closing(sqlite3.connect(tmp_path / "portal" / "portal.sqlite3")) as connection, connection:
        connection.execute(f"UPDATE accounts_account SET {column} = ? WHERE email = 'other@example.org'", [value])
    with pytest.raises(HarmoniaError, match="has no account"):
        find_acting_account(tmp_path)


def test_accounts_of_the_demonstration_do_not_count(tmp_path: Path) -> None:
    acting_as(tmp_path, "steward@demo.invalid")
    with closing(sqlite3.connect(tmp_path / "portal" / "portal.sqlite3")) as connection, connection:
        connection.execute("UPDATE accounts_account SET demo = 1, system_user = NULL")
    assert find_acting_account(tmp_path) == find_current_user()


def test_accounts_that_cannot_be_read_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "portal").mkdir()
    (tmp_path / "portal" / "portal.sqlite3").write_bytes(b"no database")
    with pytest.raises(HarmoniaError, match="cannot be read"):
        find_acting_account(tmp_path)
