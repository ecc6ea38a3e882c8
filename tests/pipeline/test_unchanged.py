"""A stage whose code and inputs are those of an earlier run is not done again; what changed is."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from pipeline_world import Ran

from pipelines import last_run
from pipelines.assets import versions
from pipelines.progress import SilentListener
from pipelines.resources.lake import read_version
from pipelines.resources.workplace import Workplace
from pipelines.run import run_everything
from warehouse.publish import list_publication_numbers
from warehouse.reading import find_folder_of_current_publication

DONE = ("police/current", "canonical", "record_status", "links", "identities", "findings", "statistics", "scorecard")


def written(place: Workplace) -> dict[str, int]:
    """When each stage's output was written."""
    return {name: next((place.home.lake / name).glob("*.parquet")).stat().st_mtime_ns for name in DONE}


@pytest.fixture
def place(few: Ran, tmp_path: Path) -> Workplace:
    """A separate home in which nothing is new."""
    shutil.copytree(few.place.inbox, tmp_path / "inbox")
    found = Workplace.from_paths(tmp_path / "inbox", tmp_path / "home")
    run_everything(found, SilentListener())
    return found


@pytest.mark.slow
def test_nothing_is_done_again_where_nothing_changed(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    before, published = written(place), find_folder_of_current_publication(place.home.root)
    assert all(read_version(place.home.lake / name) for name in DONE)
    run_everything(place, SilentListener())
    assert written(place) == before
    assert find_folder_of_current_publication(place.home.root) == published
    shutil.rmtree(place.home.lake / "statistics")  # the lake may be deleted
    run_everything(place, SilentListener())
    after = written(place)
    assert {name for name in DONE if after[name] != before[name]} == {"statistics"}
    monkeypatch.setattr(versions.code_digest, "hash_code_and_libraries", lambda *_: "another program")
    run_everything(place, SilentListener())
    assert all(written(place)[name] != after[name] for name in DONE)


@pytest.mark.slow
def test_a_new_delivery_is_taken_through_every_stage(place: Workplace) -> None:
    before = written(place)
    newest = max((place.inbox / "police").iterdir())
    shutil.copytree(newest, newest.with_name(f"{newest.name[:7]}_v9"))
    run_everything(place, SilentListener())
    after = written(place)
    assert {"police/current", "canonical", "record_status", "statistics"} <= {name for name in DONE if after[name] != before[name]}


class Tomorrow(datetime):
    """A clock that is a day ahead."""

    @classmethod
    def now(cls, tz=UTC):
        return datetime.now(tz) + timedelta(days=1)


class Planned(SilentListener):
    """Remembers the steps that were to run."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    def on_plan(self, steps: Mapping[str, str]) -> None:
        self.steps = list(steps)


def test_where_nothing_changed_a_run_only_lands_and_records(place: Workplace) -> None:
    listener = Planned()
    outcome = run_everything(place, listener)
    assert outcome.unchanged
    assert listener.steps == ["landing", "warehouse"]
    assert len(list_publication_numbers(place.home.root / "published")) == 1  # the one before may hold what was erased since
    with duckdb.connect(str(place.home.warehouse), read_only=True) as warehouse:
        published = warehouse.sql("FROM statistics").fetchall()
    assert len(outcome.values["statistics"]["statistics"]) == len(published)


def test_whatever_a_run_reads_or_writes_and_changed_makes_every_stage_look(
    place: Workplace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "model.json"
    model.write_text("one")
    monkeypatch.setenv("HARMONIA_MODEL", str(model))

    def register() -> None:
        with sqlite3.connect(place.home.registry_file) as registry:
            registry.execute("CREATE TABLE written_meanwhile (x)")

    changes: dict[str, Callable[[], object]] = {
        "report": next(place.home.feedback.rglob("*.html")).unlink,
        "inbox": lambda: os.utime(next(path for path in place.inbox.rglob("*") if path.is_file())),
        "model": lambda: model.write_text("another"),
        "setting": lambda: monkeypatch.setenv("HARMONIA_COUNTING_MEMORY", "900"),
        "registry": register,
        "day": lambda: monkeypatch.setattr(last_run, "datetime", Tomorrow),
    }
    for name, change in changes.items():
        last_run.store_run_state(place, last_run.hash_inbox_state(place))
        assert last_run.is_unchanged_since_last_run(place, last_run.hash_inbox_state(place))
        change()
        assert not last_run.is_unchanged_since_last_run(place, last_run.hash_inbox_state(place)), name
