"""Places that cannot be used end in one clear line that says what to do, and exit code 1."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from harmonia.cli import main as cli


def fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run `harmonia` with `arguments`, expect exit 1, and give back the one line of standard error."""
    monkeypatch.setattr(sys, "argv", ["harmonia", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    said = capsys.readouterr().err.strip()
    assert "\n" not in said
    assert "Traceback" not in said
    return said


def test_an_inbox_that_does_not_exist(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    said = fails(monkeypatch, capsys, "run", "--inbox", str(tmp_path / "nowhere"), "--home", str(tmp_path / "home"))
    assert "nowhere does not exist" in said
    assert "--inbox" in said
    assert not (tmp_path / "home").exists()


def test_an_inbox_that_is_a_file(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "inbox").write_text("x", encoding="utf-8")
    said = fails(monkeypatch, capsys, "run", "--inbox", str(tmp_path / "inbox"), "--home", str(tmp_path / "home"))
    assert "is a file" in said


def test_a_home_that_is_a_file(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "home").write_text("x", encoding="utf-8")
    said = fails(monkeypatch, capsys, "run", "--inbox", str(tmp_path), "--home", str(tmp_path / "home"))
    assert "is a file" in said
    assert "--home" in said


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a file system that nobody may write to")
def test_a_home_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    said = fails(monkeypatch, capsys, "run", "--inbox", str(tmp_path), "--home", "/proc/harmonia")
    assert "/proc/harmonia" in said
    assert "cannot be written" in said


def test_a_port_that_is_taken(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = fails(monkeypatch, capsys, "ui", "--inbox", str(tmp_path), "--home", str(tmp_path / "home"), "--port", port)
    assert f"port {port} is in use" in said
