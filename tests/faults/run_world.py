"""Whole runs as separate processes, in a home where an older inbox was published, so that a test can spoil their place meanwhile.

Belongs here: the homes, starting a run, waiting until it got to a stage, what it published. Does not belong here: what is spoilt.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import published_world as published

from sources.simulator import simulate

OLD = ("police/2013-Q1",)
NEW = ("police/2013-Q2", "courts/2013-Q1")
_HARMONIA = "from harmonia.cli.main import main; main()"
_WAIT = 900  # seconds after which a run counts as hanging


@dataclass(frozen=True)
class World:
    """`base`: a home with the old inbox published; `old`, `new`: the content of the warehouse before and after a good run."""

    inbox: Path
    base: Path
    old: str
    new: str

    def home(self, place: Path) -> Path:
        """A copy of the base home at `place`."""
        return Path(shutil.copytree(self.base, place))


def prepare(root: Path) -> World:
    """The old inbox published in `base`; in a copy the new one."""
    delivered = simulate(root / "set", seed=7, start=2013, years=1, cases_per_year=6).inbox
    inbox, before = root / "inbox", root / "before"
    for name in (*OLD, *NEW):
        shutil.copytree(delivered / name, inbox / name)
        if name in OLD:
            shutil.copytree(delivered / name, before / name)
    for path in root.rglob("*"):
        os.utime(path, (1, 1))  # long since still: landing need not watch them
    assert Run(before, root / "base").ended() == (0, "")
    shutil.copytree(root / "base", root / "undisturbed")
    assert Run(inbox, root / "undisturbed").ended() == (0, "")
    return World(inbox, root / "base", content(root / "base"), content(root / "undisturbed"))


def content(home: Path) -> str:
    """What a reader of the warehouse sees, as one hash."""
    return published.content_hash(published.renamed(published.of_file(home / "warehouse.duckdb")))


class Run:
    """`harmonia run`, going on."""

    def __init__(self, inbox: Path, home: Path, *options: str, **environment: str) -> None:
        self._home = home
        self._before = {path: path.stat().st_ino for path in (home / "lake").rglob("*") if path.is_dir()}
        command = [sys.executable, "-c", _HARMONIA, "run", "--inbox", str(inbox), "--home", str(home), *options]
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}
        )

    def got_to(self, stage: str) -> None:
        """Wait until `stage` was written to the lake: a new folder is there in place of the old one. Nothing where the run ended first."""
        folder, until = self._home / "lake" / stage, time.monotonic() + _WAIT
        while self._process.poll() is None and time.monotonic() < until:
            try:
                if folder.stat().st_ino != self._before.get(folder):
                    return
            except FileNotFoundError:
                pass
            time.sleep(0.005)

    def ended(self) -> tuple[int, str]:
        """Exit code and what was said on standard error."""
        said = self._process.communicate(timeout=_WAIT)[1].strip()
        assert "Traceback" not in said
        return self._process.returncode, said
