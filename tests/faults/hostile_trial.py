"""One run over an inbox with one hostile delivery, in a home where the others were published before.

Belongs here: the run as a process, what it cost, what it published of the others. Does not belong here: the deliveries (`hostile_world`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd
from hostile_world import PERIOD, Hostile

from sources.simulator import simulate
from warehouse.indicators import indicators

_HARMONIA = "from harmonia.cli.main import main; main()"


@dataclass(frozen=True)
class World:
    """An inbox without hostile deliveries, and the home that it was published in."""

    root: Path
    inbox: Path
    home: Path
    figures: pd.DataFrame


@dataclass(frozen=True)
class Tried:
    """A run: exit code, what it said, seconds, MiB at its highest; figures that are not as without the delivery; what it says of it."""

    code: int
    said: str
    seconds: float
    peak: int
    changed: int
    state: str
    rules: tuple[str, ...]


def prepare(root: Path) -> World:
    """A year of five institutions, published."""
    inbox = simulate(root / "set", seed=7, start=2012, years=1, cases_per_year=12).inbox
    done = run(inbox, root / "home", {})
    assert done.code == 0, done.said
    return World(root, inbox, root / "home", figures(root / "home"))


def figures(home: Path, before: pd.DataFrame | None = None) -> pd.DataFrame:
    """Every figure of the periods of `before` (all where there is none), but not whether something is missing for it."""
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as db:
        periods = db.sql("SELECT DISTINCT period FROM statistics").df() if before is None else before[["period"]].drop_duplicates()
        db.register("periods", periods)
        found = db.sql("SELECT * FROM statistics WHERE period IN (SELECT period FROM periods)").df()
    columns = [c for c in found.columns if c not in ("incomplete", "missing")]
    return found[columns].sort_values(columns, ignore_index=True)


def run(inbox: Path, home: Path, environment: dict[str, str]) -> Tried:
    """A run as it is, without comparison."""
    begun, peak = time.monotonic(), 0
    command = [sys.executable, "-c", _HARMONIA, "run", "--inbox", str(inbox), "--home", str(home)]
    with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
        with subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT, env={**os.environ, **environment}) as process:
            while process.poll() is None:
                peak = max(peak, _held(process.pid))
                time.sleep(0.2)
        said.seek(0)
        output = said.read()
    return Tried(process.returncode, output, time.monotonic() - begun, peak, 0, "", ())


def _held(leader: int) -> int:
    """MiB that the processes of a run hold together, shared pages once: those of its session, and of the groups that its workers lead."""
    total = 0
    for one in _family(leader):
        with suppress(OSError, ValueError):
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
            total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total >> 10


def _family(pid: int) -> list[int]:
    with suppress(OSError):
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
        return [pid, *(below for child in children for below in _family(child))]
    return []


def tried(world: World, hostile: Hostile, place: Path) -> Tried:
    """Run with the delivery beside the others, and compare what is published."""
    shutil.copytree(world.home, place / "home")
    shutil.copytree(world.inbox, place / "inbox")
    hostile.write(place / "inbox")
    done = run(place / "inbox", place / "home", hostile.environment)
    if done.code:
        return done
    with duckdb.connect(str(place / "home" / "warehouse.duckdb"), read_only=True) as db:
        of_it = [hostile.institution, PERIOD]
        state = db.execute("SELECT any_value(state) FROM coverage WHERE institution = ? AND period = ?", of_it).fetchone()
        asked = "SELECT DISTINCT rule FROM findings WHERE institution = ? AND delivery = ? AND severity <> 'info'"
        rules = db.execute(asked, of_it).fetchall()
    # Records of the delivering institution count, however odd: rows under earlier keys are their later states.
    own = [code for code, one in indicators().items() if hostile.institution in one.institutions] if state != ("unreadable",) else []
    now, before = (frame[~frame["indicator"].isin(own)] for frame in (figures(place / "home", world.figures), world.figures))
    changed = abs(len(now) - len(before)) or len(pd.concat([now, before]).drop_duplicates(keep=False))
    return Tried(done.code, done.said, done.seconds, done.peak, changed, str(state and state[0]), tuple(sorted(r for (r,) in rules)))
