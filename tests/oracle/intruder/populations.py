"""Populations and what is published of them: the defender as a black box.

Belongs here: four cubes, the bridge, the true counts. Does not belong here: attacks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from benchmarks.disclosure_attack import release_population, simulated_programme
from benchmarks.disclosure_populations import RELEASES, World
from tests.oracle.intruder.attack import Cube, Policy, Row, read_cube, read_policy
from tests.oracle.intruder.score import Truth
from warehouse.count import meanings_of_bridge_causes
from warehouse.releases import cube

POLICY = Path(__file__).parents[3] / "warehouse" / "disclosure" / "disclosure_policy.yaml"


@dataclass
class Published:
    """One population: what everybody sees, and the truth."""

    cubes: list[tuple[str, Cube]]
    bridge: list[Row]
    truth: Truth
    refused: int


def the_words() -> Mapping[str, Any]:
    """The policy as it is written."""
    said: Mapping[str, Any] = yaml.safe_load(POLICY.read_text(encoding="utf-8"))
    return said


def the_policy() -> Policy:
    return read_policy(the_words())


def the_causes() -> tuple[str, ...]:
    """As `causes.csv` lists them."""
    return tuple(str(c) for c in meanings_of_bridge_causes())


def _plain(frame: pd.DataFrame) -> list[Row]:
    return [{str(k): v for k, v in row.items()} for row in frame.to_dict("records")]


def published(seed: int) -> Published:
    """A population, released four times."""
    world, programme = World(seed), simulated_programme()
    done = release_population(world, programme)
    columns = ["indicator", "measure", "table", "of", "cell", "value", "status", "edition", "known"]
    cubes = []
    for release, tables in zip(RELEASES, done.history, strict=False):
        rows = cube.convert_tables_to_cube(tables, {}, set())
        cubes.append((release, read_cube(_plain(rows[columns]))))
    exact = {
        (key.indicator, key.measure, key.table, key.period, release): counts
        for release in RELEASES
        for key, counts in world.exact(programme, release).items()
    }

    def truth(indicator: str, measure: str, table: str, year: str, release: str) -> tuple[int, ...] | None:
        return exact.get((indicator, measure, table, year, release))

    return Published(cubes, _plain(done.bridge), truth, done.refused)
