"""Pulls in Dagster and on the command line: an asset and a schedule a source, and a run that takes what came."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
from pull_world import PullWorld, secret
from reader_world import PERSONAT, RASTET, text
from typer.testing import CliRunner

from harmonia.cli.main import app
from pipelines import schedules
from pipelines.definitions import build_definitions
from pipelines.jobs import HARMONISE_EVERYTHING
from pipelines.pull.configuration import get_installation_pull_file
from pipelines.resources.workplace import Workplace

PULLED = dg.AssetKey(["police", "pulled"])


@pytest.fixture
def world(tmp_path: Path) -> PullWorld:
    one = PullWorld(tmp_path)
    folder = one.offer()
    (folder / "rastet.csv").write_bytes(text(RASTET).encode("windows-1250"))
    (folder / "personat.csv").write_bytes(text(PERSONAT).encode("windows-1250"))
    one.declare("police", kind="share", path=str(one.there), schedule="0 5 * * 1-5")
    return one


def definitions(world: PullWorld) -> dg.Definitions:
    return build_definitions(Workplace.from_paths(world.inbox, world.home.root))


def job(world: PullWorld, instance: dg.DagsterInstance, **config: bool) -> dg.ExecuteInProcessResult:
    found = definitions(world).resolve_job_def("pull_police")
    options = {"ops": {"police__pulled": {"config": config}}} if config else None
    return found.execute_in_process(instance=instance, run_config=options, raise_on_error=False)


def test_a_source_is_an_asset_before_landing_with_a_schedule(world: PullWorld) -> None:
    found = definitions(world)
    graph = found.resolve_asset_graph()
    assert PULLED in graph.get(dg.AssetKey("landing")).parent_keys
    times = {one.name: one.cron_schedule for one in found.schedules or ()}
    assert times["pull_police_schedule"] == "0 5 * * 1-5"
    assert PULLED not in found.resolve_job_def(HARMONISE_EVERYTHING).asset_layer.executable_asset_keys
    get_installation_pull_file(world.home).unlink()
    assert {one.job_name for one in definitions(world).schedules or ()} == {one.name for one in schedules.JOBS}


@pytest.mark.slow
def test_a_pull_in_dagster_brings_the_delivery_and_says_so(world: PullWorld) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        assert job(world, instance, dry_run=True).success
        assert world.deliveries() == []
        done = job(world, instance)
        assert done.success
        assert world.deliveries() == ["police/2013-Q2"]
        (event,) = done.asset_materializations_for_node("police__pulled")
        assert event.metadata["pulled"].value == 1


def test_a_pull_that_fails_is_a_failed_run_with_the_way_out(world: PullWorld, tmp_path: Path) -> None:
    keys = {"access_key": {"environment": "NO_SUCH_KEY"}, "secret_key": secret(tmp_path, "b", "hunter2")}
    world.declare("police", kind="s3", path="x", **keys)
    with dg.DagsterInstance.ephemeral() as instance:
        done = job(world, instance)
        (event,) = [one for one in done.all_events if one.event_type is dg.DagsterEventType.STEP_FAILURE]
    said = event.step_failure_data.user_failure_data.description
    assert said.startswith("police: s3 pull-no-secret access_key: its variable is not set or empty: The key or password")
    assert "hunter2" not in repr(done.all_events)


def test_an_installation_file_that_is_broken_does_not_stop_runs(world: PullWorld) -> None:
    get_installation_pull_file(world.home).write_text("police: [")
    found = definitions(world)
    assert found.resolve_job_def(HARMONISE_EVERYTHING)
    with dg.DagsterInstance.ephemeral() as instance:
        assert not job(world, instance).success  # its schedule says what is wrong


@pytest.mark.slow
def test_the_command_line_pulls_and_a_run_takes_it(world: PullWorld) -> None:
    places = ["--inbox", str(world.inbox), "--home", str(world.home.root)]
    world.declare("courts", kind="share", path=str(world.there / "none"))
    said = CliRunner().invoke(app, ["pull", "--dry-run", "--institution", "police", *places])
    assert (said.exit_code, "1 delivery would be" in said.output) == (0, True)
    said = CliRunner().invoke(app, ["pull", *places])
    assert said.exit_code == 1  # the courts' folder is not there
    assert "pull-folder-missing: The agreed folder or file does not exist at the source." in said.output
    assert "1 delivery pulled; next: harmonia run" in said.output
    said = CliRunner().invoke(app, ["status", *places])
    assert "Pull: courts" in said.output
    assert "(pull-folder-missing)" in said.output
    (landed,) = world.land().new
    assert (landed.institution, str(landed.name)) == ("police", "2013-Q2")
    said = CliRunner().invoke(app, ["pull", "--institution", "corrections", *places])
    assert "corrections declares no source" in str(said.exception)
