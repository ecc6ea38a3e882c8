"""The command line as outside users script against it: commands, options, environment, exit codes, and how fast it starts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from harmonia.cli import main as cli
from pipelines.resources.workplace import Workplace

CONTRACT = {
    "simulate": {"--out", "--seed", "--start", "--years", "--cases-per-year", "--noise"},
    "run": {"--inbox", "--home", "--warehouse-url", "--registry-url"},
    "check": set(),
    "status": {"--inbox", "--home"},
    "ui": {"--inbox", "--home"},
    "score": {"--truth", "--home"},
}
COMMANDS = typer.main.get_command(cli.app).commands  # type: ignore[attr-defined]


def run_main(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["harmonia", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


@pytest.mark.parametrize("command", CONTRACT)
def test_the_options_of_the_contract_are_there(command: str) -> None:
    options = {name for parameter in COMMANDS[command].params for name in parameter.opts}
    assert options >= CONTRACT[command]


@pytest.mark.parametrize("command", CONTRACT)
def test_every_option_has_an_environment_variable(command: str) -> None:
    for parameter in COMMANDS[command].params:
        if parameter.param_type_name == "option" and parameter.name != "help":
            assert parameter.envvar == f"HARMONIA_{parameter.opts[0].removeprefix('--').replace('-', '_').upper()}"


def test_version() -> None:
    result = CliRunner().invoke(cli.app, ["--version"])
    assert (result.exit_code, result.stdout.split()[0]) == (0, "harmonia")


def test_a_wrong_option_ends_with_2(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_main(monkeypatch, "run", "--nonsense") == 2


@pytest.mark.parametrize("module", ["harmonia.cli.main", "harmonia.status"])
def test_commands_that_look_start_without_dagster(module: str) -> None:
    code = f"import sys, {module}; print(*(name for name in ('dagster', 'pandera', 'duckdb') if name in sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == []


def test_the_environment_names_the_places(tmp_path: Path) -> None:
    place = Workplace.from_environment({"HARMONIA_INBOX": str(tmp_path / "in"), "HARMONIA_HOME": str(tmp_path / "home")})
    assert (place.inbox, place.home.root) == (tmp_path / "in", tmp_path / "home")
    assert place.registry == f"sqlite:///{tmp_path}/home/registry.sqlite"
    assert Workplace.from_environment(place.make_environment_variables()) == place


def test_the_defaults_lie_in_the_working_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    place = Workplace.from_environment({})
    assert (place.inbox, place.home.root) == (tmp_path / "data" / "inbox", tmp_path / "data" / "home")


def test_an_unexpected_error_names_its_log_in_the_home_of_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("HARMONIA_HOME", raising=False)
    monkeypatch.setattr("pipelines.resources.instance.install_dagster_settings", lambda _: 1 / 0)
    assert run_main(monkeypatch, "init", "--home", str(tmp_path)) == 1
    (log,) = (tmp_path / "logs").iterdir()
    assert f"details are in {log}" in " ".join(capsys.readouterr().err.split())
