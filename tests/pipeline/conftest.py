"""One small simulated set, a whole run over it, and a run over a few deliveries, shared by the tests of this folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from pipeline_world import Ran

from pipelines.progress import SilentListener
from pipelines.resources.workplace import Workplace
from pipelines.run import run_everything
from sources.simulator import simulate


@pytest.fixture(scope="session")
def inbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate(tmp_path_factory.mktemp("world") / "set", seed=7, start=2013, years=1, cases_per_year=12, noise="typical").inbox


@pytest.fixture(scope="session")
def ran(inbox: Path, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    place = Workplace.from_paths(inbox, tmp_path_factory.mktemp("home") / "home")
    return Ran(place, run_everything(place, SilentListener()))


@pytest.fixture(scope="session")
def _few(inbox: Path, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    few = tmp_path_factory.mktemp("few") / "inbox"
    for delivery in ("police/2013-Q1", "prosecution/2013-Q1"):
        shutil.copytree(inbox / delivery, few / delivery)
    place = Workplace.from_paths(few, tmp_path_factory.mktemp("fewhome") / "home")
    return Ran(place, run_everything(place, SilentListener()))


@pytest.fixture
def few(_few: Ran, tmp_path: Path) -> Ran:
    """A home of one's own in which two deliveries were run."""
    shutil.copytree(_few.place.home.root, tmp_path / "home")
    return Ran(Workplace.from_paths(_few.place.inbox, tmp_path / "home"), _few.outcome)
