"""The same deliveries give the same published tables, in whatever order they come, in batches, and twice."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from contents_world import hashes

from pipelines.progress import SilentListener
from pipelines.resources.workplace import Workplace
from pipelines.run import run_everything
from sources.simulator import simulate

pytestmark = pytest.mark.slow  # a dozen whole runs


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two years with corrections, faults of every kind and deliveries that came late."""
    return simulate(tmp_path_factory.mktemp("order") / "set", seed=12, start=2013, years=2, cases_per_year=15, noise="typical").inbox


@pytest.fixture(scope="module")
def at_once(world: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    place = Workplace.from_paths(world, tmp_path_factory.mktemp("whole") / "home")
    run_everything(place, SilentListener())
    return hashes(place.home.root)


def _deliveries(world: Path) -> list[Path]:
    return sorted(path.relative_to(world) for path in world.glob("*/*") if path.is_dir())


def _batches(world: Path, seed: int, pieces: int) -> list[list[Path]]:
    """The deliveries in a shuffled order, so many at a time."""
    every = _deliveries(world)
    random.Random(seed).shuffle(every)
    return [every[len(every) * n // pieces : len(every) * (n + 1) // pieces] for n in range(pieces)]


@pytest.mark.parametrize("seed", [1, 2])
def test_any_order_of_arrival_gives_the_same_tables(world: Path, at_once: dict[str, str], tmp_path: Path, seed: int) -> None:
    place = Workplace.from_paths(tmp_path / "inbox", tmp_path / "home")
    for batch in _batches(world, seed, 4):
        for delivery in batch:
            shutil.copytree(world / delivery, place.inbox / delivery)
        run_everything(place, SilentListener())
    assert _differ(at_once, hashes(place.home.root)) == []
    run_everything(place, SilentListener())
    assert _differ(at_once, hashes(place.home.root)) == []


def test_corrections_that_come_before_what_they_correct_change_nothing(world: Path, at_once: dict[str, str], tmp_path: Path) -> None:
    every = _deliveries(world)
    corrections = [path for path in every if "_v" in path.name]
    assert corrections
    place = Workplace.from_paths(tmp_path / "inbox", tmp_path / "home")
    for batch in (corrections, [path for path in every if path not in corrections]):
        for delivery in batch:
            shutil.copytree(world / delivery, place.inbox / delivery)
        run_everything(place, SilentListener())
    assert _differ(at_once, hashes(place.home.root)) == []


def _differ(one: dict[str, str], other: dict[str, str]) -> list[str]:
    return [name for name in one if one[name] != other[name]]
