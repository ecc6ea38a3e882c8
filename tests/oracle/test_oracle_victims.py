"""The indicators of victims and their two steps against a recomputation from the files, which imports nothing of the product.

Quick: the recomputation itself against the truth of a simulated set and of the samples. Slow: both through the product.
"""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import duckdb
import pytest

from harmonia.explain.figure_names import parse_figure
from harmonia.explain.figures import explain_figure
from harmonia.explain.published import open_home
from pipelines.progress import SilentListener
from pipelines.resources.workplace import Workplace
from pipelines.run import run_everything
from sources.simulator import simulate
from tests.oracle import victims
from tests.oracle.victims import harmonised

DIMENSIONS = ("offence_group", "form", "sex", "age_group", "citizenship_group")
INDICATORS = ("victims_referred", "victims_assisted", "victims_sheltered", "victims_represented")
STEPS = ("police_victim_protection", "victim_protection_social_work")
SETS = ("2012", "2018")
# Hearings of which the samples' truth knows that an advocate attended and no delivery does (`attendance_missing`): null does not count.
UNTOLD = {"2012": {("victims_represented", "2013"): 1}, "2018": {("victims_represented", "2018"): 1}}


def _together(shared: Path, year: str, folder: Path) -> Path:
    """The deliveries of all seven institutions of a sample."""
    for name in ("sample", "victims"):
        shutil.copytree(shared / "deliveries" / f"{name}-{year}" / "inbox", folder, dirs_exist_ok=True)
    return folder


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _run(inbox: Path, root: Path) -> Path:
    place = Workplace.from_paths(inbox, root)
    run_everything(place, SilentListener())
    return place.home.root / "warehouse.duckdb"


def _check(warehouse: Path, inbox: Path) -> None:
    """All that the product publishes about victims against the recomputation, with the product's own cases and persons."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        statistics = connection.execute(
            f"SELECT indicator, period, {', '.join(DIMENSIONS)}, as_reported, harmonised FROM statistics WHERE indicator IN {INDICATORS}"
        ).fetchall()
        people = "SELECT institution, record_key, case_id, person_id FROM lineage WHERE entity = 'person' AND status = 'accepted'"
        ids = {(row[0], row[1]): (row[2], row[3]) for row in connection.execute(people).fetchall()}
        stays = "SELECT period, -sum(n) FROM bridge WHERE cause = 'shelter_changed' AND length(period) = 4 GROUP BY period"
        further = dict(connection.execute(stays).fetchall())
        steps = set(connection.execute(f"SELECT step, case_id, person_id, outcome FROM reconciliation WHERE step IN {STEPS}").fetchall())
    found, summed = victims.figures(inbox), {}
    compared = 0
    for *cell, reported, _ in statistics:
        shape = tuple(value != "total" for value in cell[2:])
        summed.setdefault(shape, victims.summed(found, shape))
        assert summed[shape][tuple(cell)] == (reported or 0), cell  # type: ignore[index]
        compared += 1
    assert compared > 500
    totals = {(row[0], row[1]): row[-1] for row in statistics if set(row[2:7]) == {"total"} and len(row[1]) == len("2013") and row[-1]}
    years = {row[1] for row in statistics}
    assert totals == {key: n for key, n in harmonised.yearly(inbox, ids).items() if key[1] in years}
    assert steps == harmonised.steps(inbox, ids)
    assert further == {year: n for year, n in harmonised.further_stays(inbox, ids).items() if year in years}
    _check_explained(warehouse)


def _check_explained(warehouse: Path) -> None:
    """Every total of the victims is explained by its records; an explanation that does not add up raises."""
    with open_home(Workplace.from_paths(None, warehouse.parent)) as home:
        whole = " AND ".join(f"{dimension} = 'total'" for dimension in DIMENSIONS)
        rows = home.query(f"SELECT indicator, period FROM statistics WHERE indicator IN {INDICATORS} AND {whole}")
        assert len(rows) >= len(INDICATORS) * 5
        for indicator, period in rows.itertuples(index=False):
            explain_figure(home, parse_figure(home, f"{indicator} {period}"), show_names=False)


@pytest.mark.parametrize("year", SETS)
def test_the_recomputation_gives_the_truth_of_the_samples(shared: Path, tmp_path: Path, year: str) -> None:
    inbox, truth = _together(shared, year, tmp_path / "inbox"), shared / "deliveries" / f"victims-{year}" / "truth"
    of_five = shared / "deliveries" / f"sample-{year}" / "truth"
    ids = harmonised.true_ids(of_five) | harmonised.true_ids(truth)
    found = harmonised.yearly(inbox, ids)
    totals = [
        row
        for row in _rows(truth / "statistics.csv")
        if {row[name] for name in DIMENSIONS} == {"total"} and len(row["period"]) == len("2013")
    ]
    assert len(totals) == 2 * len(INDICATORS)
    for row in totals:
        key = (row["indicator"], row["period"])
        assert found[key] == int(row["harmonised"]) - UNTOLD[year].get(key, 0), key
    true = {
        (row["step"], row["case_id"], row["person_id"], row["outcome"])
        for row in _rows(truth / "reconciliation.csv")
        if row["step"] in STEPS
    }
    assert harmonised.steps(inbox, ids) == true


@pytest.mark.parametrize("noise", ["clean", "typical"])
def test_the_recomputation_gives_the_truth_of_a_simulated_set(tmp_path: Path, noise: str) -> None:
    made = simulate(tmp_path / "set", seed=17, start=2013, years=1, cases_per_year=40, noise=noise, victims=True)  # type: ignore[arg-type]
    ids = harmonised.true_ids(made.truth)
    found, compared = harmonised.yearly(made.inbox, ids), 0
    for row in _rows(made.truth / "statistics.csv"):
        if row["indicator"] in INDICATORS and row["period"] == "2013" and {row[name] for name in DIMENSIONS} == {"total"}:
            assert found.get((row["indicator"], "2013"), 0) == int(row["harmonised"]), row["indicator"]
            compared += 1
    assert compared == len(INDICATORS)
    rows = [row for row in _rows(made.truth / "reconciliation.csv") if row["step"] in STEPS]
    assert harmonised.steps(made.inbox, ids) == {(row["step"], row["case_id"], row["person_id"], row["outcome"]) for row in rows}


@pytest.mark.slow  # a whole run
@pytest.mark.parametrize("noise", ["clean", "typical"])
def test_a_simulated_set_is_counted_as_the_files_say(tmp_path: Path, noise: str) -> None:
    made = simulate(tmp_path / "set", seed=17, start=2013, years=1, cases_per_year=30, noise=noise, victims=True)  # type: ignore[arg-type]
    _check(_run(made.inbox, tmp_path / "home"), made.inbox)


@pytest.mark.slow  # a whole run
@pytest.mark.parametrize("year", SETS)
def test_the_samples_are_counted_as_the_files_say(shared: Path, tmp_path: Path, year: str) -> None:
    inbox = _together(shared, year, tmp_path / "inbox")
    _check(_run(inbox, tmp_path / "home"), inbox)
