"""Who looked at a name is who the system says, not who a variable says."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from harmonia import user


@pytest.fixture
def logged_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(user, "_LOGGED_IN", tmp_path / "loginuid")
    return tmp_path / "loginuid"


def test_a_variable_changes_nobody(logged_in: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(variable, "somebody else")
    assert user.this_user() == pwd.getpwuid(os.getuid()).pw_name


def test_who_logged_in_is_told_behind_who_they_act_as(logged_in: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)
    logged_in.write_text("0")
    assert user.this_user() == "root as user 4000000"
    logged_in.write_text("4294967295")  # a service
    assert user.this_user() == "user 4000000"
