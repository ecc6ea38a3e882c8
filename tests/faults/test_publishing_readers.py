"""Publishing while twenty readers read in a loop, in one process and in several: no failed and no mixed read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from postgres_world import running

REPOSITORY = Path(__file__).parents[2]


def measured(*arguments: str, **environment: str) -> dict[str, dict[str, int]]:
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore",
            "-m",
            "benchmarks.publishing_while_reading",
            "--seconds",
            "4",
            "--rows",
            "200",
            "--json",
            *arguments,
        ],
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    return {name: found for line in done.stdout.splitlines() for name, found in json.loads(line).items()}


def all_is_well(counts: dict[str, dict[str, int]], runs: int) -> None:
    assert len(counts) == runs
    for name, found in counts.items():
        assert (found["failed"], found["mixed"]) == (0, 0), (name, found)
        assert found["reads"] > 0
        assert found["publishings"] > 1


@pytest.mark.slow
def test_duckdb() -> None:
    all_is_well(measured("--only", "duckdb"), 4)


@pytest.mark.slow
@pytest.mark.parametrize("version", [15, 18])
def test_postgresql(version: int) -> None:
    with running(version) as server:
        all_is_well(measured("--only", "postgres", HARMONIA_BENCH_URL=server.url()), 2)
