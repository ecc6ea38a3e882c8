"""The portal and a run over the same home at once, the portal killed at random moments: neither blocks or harms the other."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests
from portal_world import Guest, Served
from volume import WHOLE

from harmonia.lock import is_home_locked
from harmonia.registry import open_registry, seal
from harmonia.registry.ledger import read_deliveries
from pipelines.resources.workplace import Workplace

pytestmark = pytest.mark.slow
KILLS = 60 if WHOLE else 5


def run(place: Workplace) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", "from harmonia.cli.main import main; main()", "run"]
    places = ["--inbox", str(place.inbox), "--home", str(place.home.root)]
    with (place.home.root.parent / "run.log").open("ab") as out:
        return subprocess.Popen([*command, *places], stdout=out, stderr=out, env=dict(os.environ))


def submissions(place: Workplace) -> list[tuple[str, bool, str]]:
    with closing(sqlite3.connect(f"file:{place.home.root / 'portal' / 'portal.sqlite3'}?mode=ro", uri=True)) as base:
        return base.execute("SELECT delivery, placed, hash FROM institution_submission WHERE institution = 'prosecution'").fetchall()


def test_neither_blocks_nor_harms_the_other(served: Served, tmp_path: Path) -> None:
    shutil.copytree(served.place.inbox.parent, tmp_path / "set", symlinks=True, ignore=shutil.ignore_patterns("portal", ".incoming"))
    place = Workplace.from_paths(tmp_path / "set" / "inbox", tmp_path / "set" / "home")
    source = {path.name: path.read_bytes() for path in sorted((tmp_path / "set" / "later" / "prosecution" / "2013-Q4").iterdir())}
    parts = [("files", (name, content)) for name, content in source.items()]
    seed, served_beside, killed, codes = random.Random(29), 0, 0, []
    with Served.started(place, tmp_path / "set" / "later") as portal:
        going = run(place)
        while killed < KILLS:
            if going.poll() is not None:
                codes.append(going.returncode)
                going = run(place)
            guest = Guest(portal.url).demo("clerk", "prosecution")
            held = is_home_locked(place.home)
            page = guest.post("/prosecution/new", {"period": "2013-Q4"}, files=parts, allow_redirects=False)
            served_beside += held and page.status_code == 302 and is_home_locked(place.home)
            work = threading.Thread(target=_submit, args=(guest, page.headers["Location"]))
            work.start()
            time.sleep(seed.random() * 0.4)
            portal.kill()
            work.join()
            killed += 1
            portal.restart()
            there = {path.name for path in (place.inbox / "prosecution").glob("2013-Q4*")}
            assert there == {delivery for delivery, placed, _ in submissions(place) if placed}, "each delivery has its receipt"
        codes.append(going.wait(600))
    assert set(codes) == {0}, "every run published"
    assert served_beside > 0, "an upload was taken while a run held the home"
    assert run(place).wait(600) == 0
    registry = open_registry(place.registry)
    with registry.read() as session:
        ledger = {one.name: one.receipts[-1].hash for one in read_deliveries(session) if one.institution == "prosecution"}
        assert seal.find_integrity_problems(session) == []
    registry.close()
    for delivery, placed, whole in submissions(place):
        folder = place.inbox / "prosecution" / delivery
        assert placed and {path.name: path.read_bytes() for path in folder.iterdir()} == source, "whole"
        assert ledger[delivery] == whole, "and read as its receipt says"


def _submit(guest: Guest, there: Any) -> None:
    try:
        guest.post(f"{there}/submit", allow_redirects=False)
    except requests.RequestException:  # killed
        return
