"""As reported, what registers do over the years counts as the docs say: against a plain recount of the delivered files."""

from __future__ import annotations

import csv
from pathlib import Path

import duckdb
import pytest

from pipelines.progress import SilentListener
from pipelines.resources.workplace import Workplace
from pipelines.run import run_everything
from sources.simulator import simulate
from tests.oracle.life import Figures, totals

DIMENSIONS = ("offence_group", "form", "sex", "age_group", "citizenship_group")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("life") / "set"
    simulate(folder, seed=8, start=2013, years=2, cases_per_year=60, noise="clean", life=["all"])
    return folder


@pytest.fixture(scope="module")
def recounted(made: Path) -> Figures:
    return totals(made / "inbox")


def test_the_truth_of_the_simulator_is_what_the_files_say(made: Path, recounted: Figures) -> None:
    with (made / "truth" / "statistics.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if all(row[name] == "total" for name in DIMENSIONS)]
    assert len(rows) > 100
    assert {(r["indicator"], r["period"]): int(r["as_reported"]) for r in rows if r["as_reported"]} == {
        (r["indicator"], r["period"]): recounted[r["indicator"], r["period"]] for r in rows if r["as_reported"]
    }


@pytest.mark.slow
def test_a_run_counts_what_the_files_say(made: Path, recounted: Figures, tmp_path: Path) -> None:
    place = Workplace.from_paths(made / "inbox", tmp_path / "home")
    run_everything(place, SilentListener())
    condition = " AND ".join(f"{name} = 'total'" for name in DIMENSIONS)
    query = f"SELECT indicator, period, as_reported FROM statistics WHERE {condition} AND as_reported IS NOT NULL"
    with duckdb.connect(str(place.home.warehouse), read_only=True) as connection:
        rows = connection.execute(query).fetchall()
    counted = {
        (indicator, period): int(figure)
        for indicator, period, figure in rows
        if not indicator.startswith("victims_") or "identified" in indicator
    }
    assert counted == {key: recounted[key] for key in counted}
    assert {indicator for indicator, _ in counted} >= {indicator for indicator, _ in recounted}
