"""A stage whose code and inputs are those of an earlier run is not done again; what changed is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from pipeline_world import Ran

from pipelines.assets import versions
from pipelines.progress import Silence
from pipelines.resources.lake import version_of
from pipelines.resources.workplace import Workplace
from pipelines.run import run_everything
from warehouse.reading import current

DONE = ("police/current", "canonical", "record_status", "links", "identities", "findings", "statistics", "scorecard")


def written(place: Workplace) -> dict[str, int]:
    """When each stage's output was written."""
    return {name: next((place.home.lake / name).glob("*.parquet")).stat().st_mtime_ns for name in DONE}


@pytest.fixture
def place(few: Ran, tmp_path: Path) -> Workplace:
    """A home of which nothing is new, of its own."""
    shutil.copytree(few.place.inbox, tmp_path / "inbox")
    found = Workplace.of(tmp_path / "inbox", tmp_path / "home")
    run_everything(found, Silence())
    return found


def test_nothing_is_done_again_where_nothing_changed(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    before, published = written(place), current(place.home.root)
    assert all(version_of(place.home.lake / name) for name in DONE)
    run_everything(place, Silence())
    assert written(place) == before
    assert current(place.home.root) == published
    shutil.rmtree(place.home.lake / "statistics")  # the lake may be deleted
    run_everything(place, Silence())
    after = written(place)
    assert {name for name in DONE if after[name] != before[name]} == {"statistics"}
    monkeypatch.setattr(versions.code, "digest", lambda *_: "another program")
    run_everything(place, Silence())
    assert all(written(place)[name] != after[name] for name in DONE)


def test_a_new_delivery_is_taken_through_every_stage(place: Workplace) -> None:
    before = written(place)
    newest = max((place.inbox / "police").iterdir())
    shutil.copytree(newest, newest.with_name(f"{newest.name[:7]}_v9"))
    run_everything(place, Silence())
    after = written(place)
    assert {"police/current", "canonical", "record_status", "statistics"} <= {name for name in DONE if after[name] != before[name]}
