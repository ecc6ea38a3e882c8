"""One bad delivery stops nobody: the run publishes, the others' figures are as without it, and it is reported.

What each costs in time and memory is measured by `benchmarks/hostile_deliveries.py`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hostile_trial import World, prepare, tried
from hostile_world import HOSTILE

pytestmark = [pytest.mark.slow, pytest.mark.long]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return prepare(tmp_path_factory.mktemp("hostile"))


@pytest.mark.parametrize("name", HOSTILE)
def test_the_others_are_published_as_without_it(world: World, name: str, tmp_path: Path) -> None:
    done = tried(world, HOSTILE[name], tmp_path)
    assert done.code == 0, done.said
    assert "Traceback" not in done.said
    assert done.changed == 0
    assert done.rules, "the delivery has a finding"
    shutil.rmtree(tmp_path, ignore_errors=True)
