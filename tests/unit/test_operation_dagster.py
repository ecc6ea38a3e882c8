"""Dagster does what the contracts and the house ask: tries again what may pass, one writer, freshness, storage on a server."""

from pathlib import Path

import dagster as dg
import pandas as pd
import psycopg
import pytest
import yaml
from postgres_world import running

from harmonia.errors import HarmoniaError, TransientError
from harmonia.home import Home
from pipelines import asset_helpers
from pipelines.asset_helpers import WRITER_POOL, redact_stage_errors
from pipelines.checks import delivery_tolerances
from pipelines.definitions import list_assets
from pipelines.resources import lake
from pipelines.resources.instance import URL_SETTING, install_dagster_settings
from pipelines.resources.workplace import Workplace
from pipelines.run import _open_instance
from sources.contract import institutions


def failing(times: int, error: type[HarmoniaError], tmp_path: Path, *, io: bool) -> tuple[bool, int]:
    """Whether an asset that fails so often ends well, and how often it was tried."""
    tried = []

    @dg.asset
    def reads(context: dg.AssetExecutionContext) -> None:
        with redact_stage_errors(Workplace.from_paths(tmp_path, tmp_path), "reading", context if io else None):
            tried.append(1)
            if len(tried) <= times:
                raise error("the server does not answer")

    with dg.DagsterInstance.ephemeral() as instance:
        done = dg.materialize([reads], instance=instance, raise_on_error=False)
    return done.success, len(tried)


@pytest.mark.parametrize(
    ("times", "error", "io", "ends"),
    [
        (2, TransientError, True, (True, 3)),
        (9, TransientError, True, (False, 1 + asset_helpers.RETRIES)),
        (1, HarmoniaError, True, (False, 1)),  # a full disk is not mended by waiting
        (1, TransientError, False, (False, 1)),  # a computation is never tried again
    ],
)
def test_input_and_output_are_tried_again_where_that_may_help(times, error, io, ends, tmp_path, monkeypatch):
    monkeypatch.setattr(asset_helpers, "RETRY_PAUSE", 0.01)
    assert failing(times, error, tmp_path, io=io) == ends


def test_what_fails_for_good_is_said_as_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(asset_helpers, "RETRY_PAUSE", 0.01)

    @dg.asset
    def writes(context: dg.AssetExecutionContext) -> None:
        with redact_stage_errors(Workplace.from_paths(tmp_path, tmp_path), "writing", context):
            raise TransientError("the server does not answer")

    with dg.DagsterInstance.ephemeral() as instance, pytest.raises(TransientError, match="does not answer"):
        dg.materialize([writes], instance=instance)


def test_assets_that_write_share_one_slot(tmp_path):
    pools = {key.to_user_string(): found.op.pool for found in list_assets() for key in found.keys if found.op.pool}
    assert pools == {"landing": WRITER_POOL, "warehouse": WRITER_POOL}
    with _open_instance(Home(tmp_path)) as instance:
        settings = instance.get_concurrency_config()
        assert (settings.pool_config.default_pool_limit, settings.pool_config.pool_granularity.value) == (1, "run")
        assert not instance.telemetry_enabled


@pytest.mark.parametrize("institution", institutions())
def test_a_delivery_is_due_when_its_contract_says(institution):
    policy = delivery_tolerances.make_freshness_policy(institution)
    monthly = institution == "social_work"
    assert policy.deadline_cron == ("0 0 11 1,2,3,4,5,6,7,8,9,10,11,12 *" if monthly else "0 0 16 1,4,7,10 *")
    assert policy.lower_bound_delta.days == (10 if monthly else 15)


def test_a_backfill_over_many_deliveries_is_one_run_and_tells_of_each(tmp_path):
    asset = delivery_tolerances.build_deliveries_asset("police")
    place = Workplace.from_paths(tmp_path, tmp_path)
    columns = ["institution", "delivery", "rule", "origin", "severity", "state", "line", "record_key", "detail"]
    found = pd.DataFrame(columns=columns, dtype="str")
    rows = [("police", name, "rastet.csv", 5, 0) for name in ("2013-Q1", "2013-Q2", "2013-Q3")]
    accounting = pd.DataFrame(rows, columns=["institution", "delivery", "file", "read", "structural"])
    lake.write_tables(place.home.lake / "findings", {"findings": found})
    states = accounting[["institution", "delivery"]].assign(state="complete")
    lake.write_tables(place.home.lake / "record_status", {"accounting": accounting, "deliveries": states})
    tags = {"dagster/asset_partition_range_start": "2013-Q1", "dagster/asset_partition_range_end": "2013-Q3"}
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("police_deliveries", ["2013-Q1", "2013-Q2", "2013-Q3"])
        assert dg.materialize([asset], instance=instance, tags=tags, resources={"workplace": place}).success
        evaluations = instance.get_event_records(dg.EventRecordsFilter(event_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION))
        assert len(instance.get_runs()) == 1
    partitions = {one.event_log_entry.dagster_event.event_specific_data.partition for one in evaluations}
    assert {"2013-Q1", "2013-Q2", "2013-Q3"} <= partitions


@pytest.fixture
def server():
    with running(18) as one:
        yield one


def test_the_history_goes_to_postgresql_where_the_environment_says_so(tmp_path, server, monkeypatch):
    url = server.new_database("dagster_history")
    home = Home(tmp_path / "home")
    monkeypatch.setenv(URL_SETTING, url)
    with pytest.raises(HarmoniaError, match=r"postgresql\+psycopg2://"):
        install_dagster_settings(home)
    monkeypatch.setenv(URL_SETTING, url.replace("postgresql:", "postgresql+psycopg2:"))
    install_dagster_settings(home)
    install_dagster_settings(home)  # twice adds nothing
    settings = (home.dagster / "dagster.yaml").read_text("utf-8")
    assert settings.count("storage:") == 1
    assert url not in settings

    @dg.asset
    def something() -> None: ...

    with _open_instance(home) as instance:
        assert type(instance.event_log_storage).__name__ == "PostgresEventLogStorage"
        assert dg.materialize([something], instance=instance).success
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM runs WHERE status = 'SUCCESS'").fetchone() == (1,)
    monkeypatch.delenv(URL_SETTING)
    with pytest.raises(HarmoniaError, match=f"{URL_SETTING} names: set it"):
        install_dagster_settings(home)


def test_the_shipped_settings_are_understood_and_say_nothing_to_anybody():
    settings = yaml.safe_load((Path(lake.__file__).parent / "dagster.yaml").read_text("utf-8"))
    assert settings["telemetry"] == {"enabled": False}
    assert settings["run_monitoring"]["enabled"]
    assert settings["freshness"] == {"enabled": True}
