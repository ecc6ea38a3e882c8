"""Fixtures shared by all tests: where the samples are, when they are there at all."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest
from hypothesis import settings

# Machines differ in speed, and speed is measured in benchmarks/, never asserted in a test.
settings.register_profile("harmonia", deadline=None)
settings.load_profile("harmonia")


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
