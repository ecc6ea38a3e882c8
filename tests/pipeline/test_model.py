"""Training a linkage model out of what a run left, and whether the shipped one fits simulated deliveries."""

from __future__ import annotations

import getpass
from pathlib import Path

import pandas as pd
import pytest
from pipeline_world import Ran
from typer.testing import CliRunner

from harmonia.cli.main import app
from harmonia.errors import HarmoniaError
from pipelines.linkage import link_records, load_linkage_model
from pipelines.linkage.drift import count_comparison_levels_of_linked_records, measure_drift
from pipelines.progress import SilentListener
from pipelines.resources.workplace import Workplace
from pipelines.run import run_everything
from sources.simulator import simulate


def test_a_model_trained_on_a_home_says_so_and_links(ran: Ran, tmp_path: Path) -> None:
    out = tmp_path / "own.json"
    arguments = ["link", "train", "--from", "unlabelled", "--home", str(ran.place.home.root), "--out", str(out)]
    found = CliRunner().invoke(app, arguments)
    assert found.exit_code == 0, found.exception
    model = load_linkage_model(out)
    assert model.version == "persons-own+cases-own"
    assert model.provenance["persons"]["by"] == getpass.getuser()
    assert model.provenance["persons"]["from"] == "unlabelled"
    assert model.expected
    assert link_records(ran.outcome.values["canonical"], model).statistics["model"] == model.version
    again = CliRunner().invoke(app, arguments)
    assert isinstance(again.exception, HarmoniaError)


def test_training_on_judgements_needs_some(ran: Ran, tmp_path: Path) -> None:
    arguments = ["link", "train", "--from", "judgements", "--home", str(ran.place.home.root), "--out", str(tmp_path / "own.json")]
    found = CliRunner().invoke(app, arguments)
    assert isinstance(found.exception, HarmoniaError)
    assert "no judgement" in str(found.exception)
    assert not (tmp_path / "own.json").exists()


def test_a_run_tells_the_levels_that_its_persons_reach(ran: Ran) -> None:
    links = ran.outcome.values["links"]
    again = count_comparison_levels_of_linked_records(ran.outcome.values["canonical"], links.persons, load_linkage_model())
    pd.testing.assert_frame_equal(links.reached, again)


@pytest.mark.slow  # whole runs over sets with enough records a quarter
def test_the_shipped_model_fits_sets_it_has_not_seen_and_not_one_with_a_shifted_quarter(tmp_path: Path) -> None:
    model, alarms = load_linkage_model(), []
    for seed in (4711, 4712, 4713):
        made = simulate(tmp_path / f"{seed}", seed=seed, start=2014, years=1, cases_per_year=120, noise="typical")
        values = run_everything(Workplace.from_paths(made.inbox, tmp_path / f"home-{seed}"), SilentListener()).values
        canonical = values["canonical"]
        alarms.append(measure_drift(count_comparison_levels_of_linked_records(canonical, values["links"].persons, model), model)["alarm"])
    assert pd.concat(alarms).mean() <= 0.001, "chance alone may alarm once in a thousand levels, no more"
    persons = canonical["person_records"]
    shifted = (persons["institution"] == "prosecution") & persons["delivery"].str.startswith("2014-Q3")
    birth = persons["birth_date"].mask(shifted, persons["birth_date"] + pd.Timedelta(1, "D"))
    wrong = {**canonical, "person_records": persons.assign(birth_date=birth)}
    alarms = measure_drift(count_comparison_levels_of_linked_records(wrong, link_records(wrong).persons, model), model).query("alarm")
    assert ("prosecution", "2014-Q3", "birth") in set(alarms[["institution", "period", "field"]].itertuples(index=False, name=None))
