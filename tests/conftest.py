"""Fixtures shared by all tests: where the samples are, when they are there at all."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest
from hypothesis import settings
from volume import examples

# Machines differ in speed, and speed is measured in benchmarks/, never asserted in a test.
settings.register_profile("harmonia", deadline=None, max_examples=examples(100))
settings.load_profile("harmonia")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """With `--dist loadfile` one process does all tests of a file, and all over the runs of tests/pipeline, or all of
    tests/portal: each world is made once."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class ByWorld(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = str(super()._split_scope(nodeid))
            return next((folder for folder in ("tests/pipeline", "tests/portal") if file.startswith(f"{folder}/")), file)

    return ByWorld(config, log)


def pytest_collection_finish() -> None:
    """What is loaded by now stays to the end: the collector of garbage need not look through it again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the sample deliveries (`HARMONIA_SHARED`, else `../shared`); tests that need it skip where it is absent."""
    root = Path(os.environ.get("HARMONIA_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    if not (root / "deliveries").is_dir():
        pytest.skip(f"needs the sample deliveries, and {root} is absent (set HARMONIA_SHARED)")
    return root
