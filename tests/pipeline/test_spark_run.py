"""A run whose candidate pairs are made and scored by Splink on Spark publishes the same figures as one in process."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from pipeline_world import Ran

from pipelines.linkage import common_statistics, link_records
from pipelines.linkage.spark import SplinkOnSpark
from pipelines.linkage.standardise import COLUMNS_READ
from pipelines.progress import SilentListener
from pipelines.resources.workplace import Workplace
from pipelines.run import run_everything
from sources.simulator import simulate

pytestmark = [
    pytest.mark.spark,
    pytest.mark.skipif(
        importlib.util.find_spec("pyspark") is None or shutil.which("java") is None, reason="PySpark is in .venv-spark: make test-spark"
    ),
]
SAMPLE = Path(os.environ.get("HARMONIA_SHARED", Path(__file__).parents[3] / "shared")) / "deliveries" / "sample-2018" / "inbox"


@pytest.fixture(scope="module")
def deliveries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return SAMPLE if SAMPLE.is_dir() else simulate(tmp_path_factory.mktemp("set"), seed=3, start=2012, years=1, cases_per_year=60).inbox


@pytest.fixture(scope="module")
def in_process(deliveries: Path, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    place = Workplace.from_paths(deliveries, tmp_path_factory.mktemp("run") / "home").prepare_folders()
    return Ran(place, run_everything(place, SilentListener()))


def figures(place: Workplace) -> set[tuple[object, ...]]:
    with duckdb.connect(str(place.home.warehouse), read_only=True) as warehouse:
        return set(warehouse.execute("FROM statistics").fetchall())


def test_figures_are_equal_to_the_row(deliveries: Path, in_process: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARMONIA_SPARK", "local[2]")
    place = Workplace.from_paths(deliveries, tmp_path / "home").prepare_folders()
    values = run_everything(place, SilentListener()).values
    assert figures(place)
    assert figures(place) ^ figures(in_process.place) == set()
    assert values["links"].decisions.equals(in_process.outcome.values["links"].decisions)


def test_a_large_history_is_decided_alike_with_memory_and_without(in_process: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common_statistics, "FIRST_STEP", 150)  # the little history of the tests counts as large
    tables = {name: in_process.outcome.values["canonical"][name] for name in COLUMNS_READ}
    before = {name: frame[frame["delivery"] < frame["delivery"].max()] for name, frame in tables.items()}
    link_records(before, memory_folder=tmp_path / "memory")
    found = link_records(tables, memory_folder=tmp_path / "memory", spark=SplinkOnSpark.for_master("local[2]"))
    expected = link_records(tables)
    pd.testing.assert_frame_equal(found.persons, expected.persons)
    pd.testing.assert_frame_equal(found.cases, expected.cases)
    pd.testing.assert_frame_equal(found.decisions, expected.decisions)
