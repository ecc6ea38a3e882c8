"""One small simulated home with a run, and the portal over it: its test client, and the real server for a browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from portal_world import Served, World, ready

from pipelines.progress import SilentListener
from pipelines.resources.workplace import Workplace
from pipelines.run import run_everything
from sources.simulator import simulate

HOMES = {"pristine", "world", "served"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever needs a home with a run is slow."""
    for item in items:
        if Path(__file__).parent in item.path.parents and HOMES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """A year of deliveries of which the run has seen all but the last quarter; nobody works in it, tests copy it."""
    folder = tmp_path_factory.mktemp("pristine") / "set"
    inbox = simulate(folder, seed=7, start=2013, years=1, cases_per_year=12, noise="typical").inbox
    later = folder / "later"
    for delivery in sorted(inbox.glob("*/2013-Q4*")):
        (later / delivery.parent.name).mkdir(parents=True, exist_ok=True)
        delivery.rename(later / delivery.parent.name / delivery.name)
    place = Workplace.from_paths(inbox, folder / "home")
    run_everything(place, SilentListener())
    return place


@pytest.fixture(scope="session")
def world(pristine: Workplace, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A copy with demo accounts for the test client, one for all: Django is set up once in a process."""
    folder = tmp_path_factory.mktemp("portal") / "set"
    shutil.copytree(pristine.inbox.parent, folder, symlinks=True)
    place = Workplace.from_paths(folder / "inbox", folder / "home")
    ready(place)
    return World(place, folder / "later")


@pytest.fixture(scope="module")
def served(pristine: Workplace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The real server over a separate copy."""
    folder = tmp_path_factory.mktemp("served") / "set"
    shutil.copytree(pristine.inbox.parent, folder, symlinks=True)
    with Served.started(Workplace.from_paths(folder / "inbox", folder / "home"), folder / "later") as running:
        yield running


@pytest.fixture
def chromium() -> Iterator[object]:
    if shutil.which("chromium") is None:
        pytest.skip("Chromium is not on this machine (Debian: apt install chromium)")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def here() -> Path:
    return Path(__file__).parent
