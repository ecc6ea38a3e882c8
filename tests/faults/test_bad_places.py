"""Folders that vanish, clocks that jump, many deliveries waiting, a file beyond the limit."""

from __future__ import annotations

import itertools
import os
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from landing_world import World

from harmonia.errors import HarmoniaError
from harmonia.registry import ledger, seal
from pipelines.landing import ingest

ROOT = os.geteuid() == 0


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.put("police/2013-Q1/rastet.csv", "one")
    made.put("courts/2013-Q1/smil.xml", "two")
    return made


def test_an_inbox_that_vanishes_loses_nothing_and_comes_back(world: World) -> None:
    world.land()
    before = world.landed_files()
    away = world.inbox.rename(world.inbox.with_name("away"))
    with pytest.raises(HarmoniaError, match="does not exist: create the folder"):
        world.land()
    assert world.landed_files() == before
    world.inbox.mkdir()  # mounted, and empty
    assert {rule for rule, *_ in world.list_findings()} == {"delivery-gone"}
    assert world.landed_files() == before
    world.inbox.rmdir()
    away.rename(world.inbox)
    assert world.list_findings() == []


def test_a_delivery_that_vanishes_while_it_is_landed_is_reported(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    real = ingest._InboxPass.stage_deliveries

    def vanishes(self: Any, *known: Any) -> Any:
        shutil.rmtree(world.inbox / "police")
        return real(self, *known)

    monkeypatch.setattr(ingest._InboxPass, "stage_deliveries", vanishes)
    assert {(rule, institution) for rule, institution, *_ in world.list_findings()} == {("delivery-file-changing", "police")}
    monkeypatch.undo()
    world.put("police/2013-Q1/rastet.csv", "one")
    assert world.list_findings() == []
    assert len(world.landed_files()) == 2


@pytest.mark.parametrize("years", [-30, 30])
def test_a_clock_that_jumps_changes_no_content_and_breaks_no_seal(world: World, monkeypatch: pytest.MonkeyPatch, years: int) -> None:
    world.land()
    there = datetime.now(UTC) + timedelta(days=365 * years)
    monkeypatch.setattr(ledger, "now", lambda: there)
    monkeypatch.setattr(ingest, "now", lambda: there)
    world.put("police/2013-Q2/rastet.csv", "three")
    world.put("police/2013-Q1/rastet.csv", "one, changed")
    for path in world.inbox.rglob("*"):
        os.utime(path, (there.timestamp(), there.timestamp()))
    world.land()
    monkeypatch.undo()
    assert {place[0]: files for place, files in world.landed_files().items() if place[1] == "2013-Q1"}["police"] == {
        "rastet.csv": b"one, changed"
    }
    assert ("police", "2013-Q2") in world.landed_files()
    with world.registry.read() as session:
        assert seal.find_integrity_problems(session) == []


def test_a_clock_that_is_set_back_while_files_are_watched_holds_up_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    real, moments = time.time, itertools.count()
    monkeypatch.setattr(ingest.time, "time", lambda: real() - 86_400 * next(moments))  # a day back, each time somebody asks
    slept: list[float] = []
    monkeypatch.setattr(ingest.time, "sleep", slept.append)
    world.land(settle=0.2)
    assert sum(slept) < 1


def test_ten_thousand_deliveries_waiting(world: World) -> None:
    """Four hundred here; `benchmarks/landing_backlog.py` lands 10,000."""
    for year in range(1901, 2001):
        for quarter in range(1, 5):
            world.put(f"police/{year}-Q{quarter}/rastet.csv", f"{year} {quarter}")
    report = world.land()
    assert (report.deliveries, len(report.new)) == (402, 402)
    assert world.land().new == []


def test_a_file_beyond_the_limit_is_kept_and_reported(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hole of 2 GB takes no room here; what a reader would do with it is decided by its size."""
    from sources.reading import read_delivery

    path = world.put("police/2013-Q2/rastet.csv", "")
    os.truncate(path, 1 << 21)
    monkeypatch.setattr("sources.readers.files.LIMIT", 1 << 20)
    world.land()
    (delivery,) = [d for d in ingest.list_landed_deliveries(world.registry, world.home) if str(d.name) == "2013-Q2"]
    result = read_delivery("police", delivery.files)
    assert result.files["rastet.csv"] == "unreadable"
    assert "file-unsafe" in {f["rule"] for f in result.findings}
