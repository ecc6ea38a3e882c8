"""Killed by SIGKILL: a run goes on from what was whole, a command leaves all or nothing."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import kill_points
import pandas as pd
import pytest

from harmonia.errors import HarmoniaError
from harmonia.home import Home
from harmonia.registry import open_registry
from harmonia.reports import printing
from harmonia.review.judgements import enter_judgements, read_judgements
from warehouse.releases import folder

KILLS = Path(__file__).parents[3] / "benchmarks/crash_recovery.py"


@pytest.mark.slow  # a dozen kills; benchmarks/crash_recovery.py makes hundreds
@pytest.mark.parametrize("store", [(), ("--server",)], ids=["files", "PostgreSQL"])
def test_after_a_dozen_kills_nothing_is_torn_lost_or_left(store: tuple[str, ...], tmp_path: Path) -> None:
    """In a separate process, which forks, since this one has threads."""
    asked = ["--edges", "--kills", "12", "--chain", "16", "--points", "8", "--root", str(tmp_path), *store]
    done = subprocess.run([sys.executable, KILLS, *asked], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"wrong": 0' in done.stdout


def dies(point: str, do: Callable[[], object]) -> None:
    """`do` in a process that dies at `point`."""
    child = os.fork()
    if child == 0:
        kill_points.die_at(point)
        do()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGKILL


def test_judgements_of_a_killed_import_are_entered_all_or_none(tmp_path: Path) -> None:
    url = Home(tmp_path / "home").create().registry_url
    said = pd.DataFrame({"entity": "case", "institution_a": "police", "institution_b": "courts", "key_b": "x", "verdict": "same"}, range(3))
    said = said.assign(key_a=["a", "b", "c"], steward="A Steward", why="one number", model="m", weight=1.0, blind=False, origin="file")

    def enters() -> int:
        registry = open_registry(url)
        try:
            enter_judgements(registry, said)
            return len(read_judgements(registry))
        finally:
            registry.close()

    open_registry(url).close()
    dies("judgements-entered", enters)
    registry = open_registry(url)
    assert read_judgements(registry).empty
    registry.close()
    assert enters() == 3


def test_a_release_that_was_killed_is_none_and_is_made_again(tmp_path: Path) -> None:
    releases = tmp_path / "releases"
    manifest = folder.as_json({"format": folder.FORMAT})
    files = {f"{folder.PUBLIC}/{folder.MANIFEST}": manifest, f"{folder.CONFIDENTIAL}/figures.csv": b"2\n"}
    dies("release-written", lambda: folder.write_release(releases / "2014-06-30", files))
    assert folder.release_names(releases) == []
    folder.write_release(releases / "2014-06-30", files)
    assert [path.name for path in releases.iterdir()] == ["2014-06-30"]
    assert folder.read_verified_files(releases / "2014-06-30") == files


def test_what_a_killed_release_left_is_private_and_goes_with_the_next_run_or_release(tmp_path: Path) -> None:
    releases = tmp_path / "releases"
    files = {f"{folder.PUBLIC}/figures.csv": b"1\n", f"{folder.CONFIDENTIAL}/figures.csv": b"2\n"}

    def killed() -> Path:
        dies("release-written", lambda: folder.write_release(releases / "2014-06-30", files))
        (left,) = releases.iterdir()
        return left

    assert (killed() / folder.CONFIDENTIAL).stat().st_mode & 0o077 == 0
    folder.remove_unfinished_releases(releases)  # as every run does
    assert list(releases.iterdir()) == []
    killed()
    folder.write_release(releases / "2014-09-30", files)
    assert [path.name for path in releases.iterdir()] == ["2014-09-30"]


def test_a_run_leaves_a_release_alone_that_is_being_written(tmp_path: Path) -> None:
    unfinished = tmp_path / ".2014-06-30.1.tmp"
    unfinished.mkdir()
    writing = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(writing, fcntl.LOCK_EX)
    folder.remove_unfinished_releases(tmp_path)
    assert unfinished.is_dir()
    os.close(writing)
    folder.remove_unfinished_releases(tmp_path)
    assert not unfinished.exists()


def browser(tmp_path: Path, then: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser that prints something, and then does `then`."""
    program = tmp_path / "browser"
    program.write_text(f"""#!/bin/sh
for word; do case "$word" in --print-to-pdf=*) printf fresh > "${{word#*=}}"; {then};; esac; done
""")
    program.chmod(0o700)
    monkeypatch.setenv(printing.VARIABLE, str(program))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # a killed process leaves its own there


def test_a_report_that_was_killed_or_not_printed_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "reports" / "report.pdf"
    target.parent.mkdir()
    target.write_bytes(b"before")
    browser(tmp_path, "exit 3", monkeypatch)
    with pytest.raises(HarmoniaError, match="exit 3"):
        printing.print_pdf(tmp_path / "report.html", target)
    browser(tmp_path, "true", monkeypatch)
    dies("page-written", lambda: printing.print_pdf(tmp_path / "report.html", target))
    assert target.read_bytes() == b"before"
    printing.print_pdf(tmp_path / "report.html", target, 0o600)
    assert [(path.name, path.read_bytes(), path.stat().st_mode & 0o777) for path in target.parent.iterdir()] == [
        ("report.pdf", b"fresh", 0o600)
    ]
