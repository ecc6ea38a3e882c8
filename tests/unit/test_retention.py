"""What is past its time is said by store, and removed where a command may; nothing else is touched."""

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from typer.testing import CliRunner

from harmonia.cli.main import app
from harmonia.home import Home
from harmonia.operations.retention.expired import find_expired_items, read_retention_rules, remove_expired_items
from harmonia.registry import open_registry
from pipelines.landing import land_deliveries
from pipelines.resources.workplace import Workplace
from pipelines.run import _open_instance

LATER = date.today() + timedelta(days=200)  # noqa: DTZ011 - past the 180 days of feedback, not past a year


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    inbox = tmp_path / "inbox" / "police" / "2013-Q1"
    inbox.mkdir(parents=True)
    (inbox / "rastet.csv").write_text("x", "utf-8")
    place = Workplace.from_paths(tmp_path / "inbox", tmp_path / "home")
    registry = open_registry(place.home.create() and place.registry)
    land_deliveries(place.inbox, place.home, registry, settle_seconds=0)
    registry.close()
    folder = place.home.feedback / "police" / "2013-Q1"
    folder.mkdir(parents=True)
    for name in ("receipt.sq.html", "findings.xlsx", "findings.answered-1.xlsx"):
        (folder / name).write_text(name, "utf-8")
    place.logs.mkdir()
    for name, day in (("old.log", datetime(2013, 1, 1, tzinfo=UTC)), ("new.log", datetime.now(UTC))):
        (place.logs / name).write_text("x", "utf-8")
        os.utime(place.logs / name, (day.timestamp(), day.timestamp()))
    trial = tmp_path / ".home.trial.abc"
    trial.mkdir()
    os.utime(trial, (0, 0))
    return place


def items(place: Workplace, today: date) -> dict[str, int]:
    return {one.rule.store: one.items for one in find_expired_items(place, today)}


def test_nothing_is_past_its_time_on_the_day_of_the_receipt_but_what_is_old_already(place):
    today = datetime.now(UTC).date()
    assert items(place, today) == {"landing": 0, "feedback": 0, "logs": 1, "dagster": 0, "trials": 1}


def test_what_is_past_its_time_goes_and_the_receipt_stays(place):
    assert items(place, LATER)["feedback"] == 2
    remove_expired_items(place, find_expired_items(place, LATER))
    assert [path.name for path in (place.home.feedback / "police" / "2013-Q1").iterdir()] == ["receipt.sq.html"]
    assert not (place.home.root.parent / ".home.trial.abc").exists()
    assert {one.store for one in read_retention_rules().values() if one.removed_by == "command"} == {
        "feedback",
        "logs",
        "dagster",
        "trials",
    }


def test_landing_is_listed_and_never_removed(place):
    far = datetime.now(UTC).date() + timedelta(days=3660)
    assert items(place, far)["landing"] == 1
    remove_expired_items(place, find_expired_items(place, far))
    assert items(place, far)["landing"] == 1


def test_old_runs_leave_dagsters_history(place):
    @dg.asset
    def something() -> None: ...

    with _open_instance(Home(place.home.root)) as instance:
        dg.materialize([something], instance=instance)
    far = datetime.now(UTC).date() + timedelta(days=401)
    assert items(place, far)["dagster"] == 1
    remove_expired_items(place, find_expired_items(place, far))
    assert items(place, far)["dagster"] == 0


def test_the_command_shows_every_store_and_removes_only_when_asked(place):
    words = ["retention", "--home", str(place.home.root), "--today", LATER.isoformat()]
    said = CliRunner().invoke(app, words)
    assert said.exit_code == 0, said.output
    assert all(name in said.output for name in read_retention_rules())
    assert items(place, LATER)["feedback"] == 2
    assert "removed" in CliRunner().invoke(app, [*words, "--apply"]).output
    assert items(place, LATER)["feedback"] == 0


def test_the_page_on_governance_tells_every_store_and_its_days():
    text = (Path(__file__).parents[2] / "docs" / "reference" / "governance.md").read_text("utf-8")
    for rule in read_retention_rules().values():
        row = next((line for line in text.splitlines() if line.startswith(f"| {rule.store} ")), "")
        assert row, rule.store
        assert rule.days is None or str(rule.days) in row or rule.days == "contract", row
