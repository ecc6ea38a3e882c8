"""A whole run over a small simulated set: it publishes, shows up in Dagster, and twice changes nothing."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest
from pipeline_world import Ran, published
from rich.console import Console
from sqlalchemy import select

from harmonia.cli.summary import print_summary
from harmonia.registry import open_registry
from harmonia.registry.tables import Run
from pipelines.definitions import build_definitions, list_assets
from pipelines.jobs import HARMONISE_EVERYTHING
from pipelines.progress import SilentListener
from pipelines.resources import lake
from pipelines.resources.workplace import Workplace
from pipelines.run import run_everything
from sources.contract import institutions
from warehouse.indicators import indicators

IDS = ["case_id", "person_id"]  # of two homes: minted in each of them


def assert_equal(left: dict[str, pd.DataFrame], right: dict[str, pd.DataFrame], without: list[str]) -> None:
    for name in left:
        a, b = (tables[name].drop(columns=without, errors="ignore") for tables in (left, right))
        columns = list(a.columns)
        pd.testing.assert_frame_equal(
            a.sort_values(columns, ignore_index=True), b.sort_values(columns, ignore_index=True), obj=f"table {name}"
        )


def test_every_indicator_is_published_both_ways(ran: Ran) -> None:
    statistics = published(ran.place)["statistics"]
    year = statistics[(statistics["period"] == "2013") & (statistics["offence_group"] == "total")]
    assert set(year["indicator"]) == set(indicators())
    assert {"as_reported", "harmonised"} <= set(statistics.columns)


def test_the_run_shows_in_dagster(ran: Ran) -> None:
    with dg.DagsterInstance.from_config(str(ran.place.home.dagster)) as instance:
        run = instance.get_run_by_id(ran.outcome.run_id)
        assert run is not None
        assert (run.job_name, run.status) == (HARMONISE_EVERYTHING, dg.DagsterRunStatus.SUCCESS)
        for asset in list_assets():
            event = instance.get_latest_materialization_event(asset.key)
            assert event is not None
            assert event.run_id == ran.outcome.run_id


def test_the_registry_knows_the_run_and_its_deliveries(ran: Ran) -> None:
    registry = open_registry(ran.place.registry)
    try:
        with registry.read() as session:
            assert session.scalars(select(Run.outcome)).all()[0] == "published"
    finally:
        registry.close()


def test_every_delivery_has_its_report(ran: Ran) -> None:
    for delivery in ran.outcome.values["record_status"]["deliveries"].itertuples():
        folder = ran.place.home.feedback / delivery.institution / delivery.delivery
        assert {"findings.json", "findings.html"} <= {path.name for path in folder.iterdir()}


def test_no_person_occurs_in_dagster_or_in_a_log(ran: Ran) -> None:
    people = ran.outcome.values["canonical"]["person_records"]
    secrets = {str(v) for column in ("full_name", "personal_number") for v in people[column].dropna() if len(str(v)) > 8}
    assert len(secrets) > 20
    for path in (*ran.place.home.dagster.rglob("*"), *ran.place.logs.rglob("*")):
        if path.is_file():
            held = path.read_bytes()
            assert not [n for n in secrets if n.encode() in held], path


def test_the_summary_says_what_to_read(ran: Ran) -> None:
    out = io.StringIO()
    print_summary(Console(file=out, width=160), ran.place, ran.outcome.values, institutions(), 1.0)
    text = out.getvalue()
    for needed in (
        "trafficking",
        "related offences",
        "of which trafficking",
        "minor offence",
        "Rows",
        "Findings",
        "harmonia ui",
        "findings.html",
    ):
        assert needed in text
    for indicator in indicators().values():
        assert indicator.title["en"] in text


def test_stages_can_be_made_again_from_the_lake(ran: Ran) -> None:
    definitions = build_definitions(ran.place)
    job = definitions.resolve_job_def(HARMONISE_EVERYTHING)
    wanted = [dg.AssetKey(["police", "harmonised"]), dg.AssetKey("canonical"), dg.AssetKey("statistics")]
    before = lake.read_tables(ran.place.home.lake / "statistics")
    job.execute_in_process(asset_selection=wanted)
    assert_equal(before, lake.read_tables(ran.place.home.lake / "statistics"), without=[])


@pytest.mark.slow
def test_twice_changes_nothing(ran: Ran) -> None:
    before = published(ran.place)
    outcome = run_everything(ran.place, SilentListener())
    assert not outcome.values["landing"]["deliveries"]["new"].any()
    assert_equal(before, published(ran.place), without=[])


@pytest.mark.slow
def test_the_order_of_arrival_changes_nothing(ran: Ran, tmp_path: Path) -> None:
    deliveries = sorted(path.relative_to(ran.place.inbox) for path in ran.place.inbox.glob("*/*"))
    place = Workplace.from_paths(tmp_path / "inbox", tmp_path / "home")
    for part in (deliveries[1::2], deliveries[0::2]):
        for delivery in part:
            shutil.copytree(ran.place.inbox / delivery, place.inbox / delivery)
        run_everything(place, SilentListener())
    assert_equal(published(ran.place), published(place), without=IDS)


@pytest.mark.slow
def test_an_empty_inbox_publishes_empty_tables(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    place = Workplace.from_paths(tmp_path / "inbox", tmp_path / "home")
    outcome = run_everything(place, SilentListener())
    assert published(place)["statistics"].empty
    print_summary(Console(file=io.StringIO()), place, outcome.values, institutions(), outcome.seconds)
