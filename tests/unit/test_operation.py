"""Runs by themselves: the inbox sensor, the schedules, the alerts."""

from __future__ import annotations

import http.server
import json
import shutil
import socket
import threading
from types import SimpleNamespace

import dagster as dg
import pytest

from harmonia.lock import lock_home_for_run
from harmonia.operations import alerts
from harmonia.registry import open_registry
from pipelines import schedules
from pipelines.definitions import build_definitions
from pipelines.jobs import AUTOMATION, HARMONISE_EVERYTHING
from pipelines.resources.workplace import Workplace
from pipelines.sensors import build_inbox_sensor, failed_run, select_stable_deliveries


@pytest.fixture
def workplace(tmp_path):
    (tmp_path / "inbox").mkdir()
    return Workplace.from_paths(tmp_path / "inbox", tmp_path / "home")


def deliver(workplace, name, text="x"):
    folder = workplace.inbox / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rastet.csv").write_text(text, "utf-8")


@pytest.fixture
def looks(workplace):
    """One look of the sensor after another, as the daemon makes them: (run requests, reason for none)."""
    sensor = build_inbox_sensor(workplace)
    with dg.DagsterInstance.ephemeral() as instance:
        cursor = [None]

        def look():
            context = dg.build_sensor_context(instance=instance, cursor=cursor[0])
            found = sensor.evaluate_tick(context)
            cursor[0] = found.cursor
            return found.run_requests or [], found.skip_message

        look.instance = instance
        yield look


def test_a_delivery_starts_one_run_when_it_lay_still_over_two_looks(workplace, looks):
    deliver(workplace, "police/2013-Q1")
    assert looks()[0] == []
    requests, _ = looks()
    assert len(requests) == 1
    assert looks()[0] == []


def test_a_delivery_that_is_still_being_written_waits(workplace, looks):
    for size in range(3):
        deliver(workplace, "police/2013-Q1", "x" * size)
        assert looks()[0] == []
    assert len(looks()[0]) == 1


def test_a_changed_delivery_asks_again_and_with_another_key(workplace, looks):
    deliver(workplace, "police/2013-Q1")
    looks()
    (first,), _ = looks()
    deliver(workplace, "police/2013-Q1", "other bytes")
    looks()
    (second,), _ = looks()
    assert first.run_key != second.run_key


def test_many_deliveries_that_wait_are_one_run(workplace, looks):
    for year in range(1900, 2100):
        for quarter in range(1, 5):
            deliver(workplace, f"police/{year}-Q{quarter}")
    looks()
    requests, _ = looks()
    assert [one.tags["harmonia/deliveries"] for one in requests] == ["800"]


def test_an_inbox_that_vanishes_and_comes_back_asks_for_nothing_twice(workplace, looks):
    deliver(workplace, "police/2013-Q1")
    looks()
    assert len(looks()[0]) == 1
    away = workplace.inbox.rename(workplace.inbox.with_name("away"))
    requests, why = looks()
    assert requests == []
    assert "does not exist" in why
    shutil.move(away, workplace.inbox)
    looks()
    assert looks()[0] == []


def test_while_a_run_goes_nothing_is_asked_and_nothing_forgotten(workplace, looks):
    deliver(workplace, "police/2013-Q1")
    looks()
    job = build_definitions(workplace).resolve_job_def(HARMONISE_EVERYTHING)
    run = looks.instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    requests, why = looks()
    assert requests == []
    assert "waiting for the current run" in why
    looks.instance.report_run_failed(run)
    assert len(looks()[0]) == 1


def test_a_run_whose_process_is_gone_is_closed_and_others_do_not_wait_for_ever(workplace, looks):
    """A machine that went down leaves a run that Dagster holds for going on, and one run at a time may go on."""
    deliver(workplace, "police/2013-Q1")
    job = build_definitions(workplace).resolve_job_def(HARMONISE_EVERYTHING)
    dead = looks.instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    looks()
    with lock_home_for_run(workplace.home):  # as a run that does go on
        assert "waiting for the current run" in looks()[1]
        assert looks.instance.get_run_by_id(dead.run_id).status is dg.DagsterRunStatus.STARTED
    assert "waiting for the current run" in looks()[1]  # free for a moment may be a run that begins or ends
    looks()
    assert looks.instance.get_run_by_id(dead.run_id).status is dg.DagsterRunStatus.FAILURE
    assert len(looks()[0]) == 1


def test_what_is_asked_for_is_tried_once_more_where_its_process_dies(workplace, looks):
    deliver(workplace, "police/2013-Q1")
    looks()
    (asked,), _ = looks()
    assert (asked.tags["dagster/max_retries"], asked.tags["dagster/retry_strategy"]) == ("1", "ALL_STEPS")


def test_a_command_that_holds_the_home_is_waited_for(workplace, looks):
    """A run that met it would fail, and would not be asked for again."""
    deliver(workplace, "police/2013-Q1")
    looks()
    with lock_home_for_run(workplace.home):
        requests, why = looks()
    assert requests == []
    assert "waiting for the command that holds the home" in why
    assert len(looks()[0]) == 1


def test_an_inbox_that_stays_away_is_reported_once(workplace, looks, caplog):
    workplace.inbox.rmdir()
    warnings_logged = []
    for _ in range(4):
        looks()
        warnings_logged.append(len(caplog.records))
    assert warnings_logged == [0, 1, 1, 1]
    workplace.inbox.mkdir()
    looks()
    workplace.inbox.rmdir()
    looks()
    looks()
    assert len(caplog.records) == 2


@dg.op
def fails():
    raise ValueError


@dg.job
def by_hand():
    fails()


def test_a_run_by_hand_that_failed_is_reported_too_and_the_alert_is_on_from_the_start(caplog, monkeypatch):
    """As `harmonia run` beside the daemon: in the home's instance, and of no code location."""
    daemons = property(lambda _: SimpleNamespace(location_name="pipelines.definitions"))
    monkeypatch.setattr(dg.SensorEvaluationContext, "code_location_origin", daemons)
    repository = dg.Definitions(jobs=[by_hand]).get_repository_def()
    with dg.DagsterInstance.ephemeral() as instance:
        begun = failed_run.evaluate_tick(dg.build_sensor_context(instance=instance, repository_def=repository))
        done = by_hand.execute_in_process(instance=instance, raise_on_error=False)
        failed_run.evaluate_tick(dg.build_sensor_context(instance=instance, repository_def=repository, cursor=begun.cursor))
    assert [record.message for record in caplog.records if done.run_id in record.message and record.name == "harmonia.alerts"]
    assert failed_run.default_status is dg.DefaultSensorStatus.RUNNING


def test_only_what_is_as_before_and_was_not_asked_for_is_still():
    now = {"a": "1", "b": "2", "c": "3", "d": "4"}
    assert select_stable_deliveries(now, {"a": "1", "b": "other", "c": "3"}, {"c": "3"}) == {"a": "1"}


def test_definitions_load_with_sensor_and_schedules(workplace):
    found = build_definitions(workplace)
    dg.Definitions.validate_loadable(found)
    assert {one.name for one in found.sensors} == {"inbox", "failed_run", "incomplete_delivery"}
    assert {one.job_name for one in found.schedules} == {job.name for job in schedules.JOBS}


@pytest.mark.parametrize(("said", "status"), [(None, "STOPPED"), ("0", "STOPPED"), ("1", "RUNNING")])
def test_sensor_and_schedules_are_on_from_the_start_where_the_house_says_so(workplace, monkeypatch, said, status):
    """After a restore nobody need remember to switch them on: what Dagster knew of it is in no backup."""
    monkeypatch.setenv(AUTOMATION, said) if said else monkeypatch.delenv(AUTOMATION, raising=False)
    found = build_definitions(workplace)
    (inbox,) = [one for one in found.sensors if one.name == "inbox"]
    assert {one.default_status.value for one in (inbox, *found.schedules)} == {status}


def test_the_nightly_check_fails_where_a_store_was_edited_and_names_no_value(workplace):
    registry = open_registry(workplace.home.create() and workplace.registry)
    registry.close()
    (workplace.home.root / "registry.sqlite").write_bytes(b"no database")
    with dg.DagsterInstance.ephemeral() as instance:
        done = schedules.nightly_checks.execute_in_process(
            instance=instance, resources={"unlocked_workplace": workplace}, raise_on_error=False
        )
    assert not done.success


def test_the_nightly_check_of_a_home_in_which_nothing_was_landed_yet_is_no_alarm(workplace):
    workplace.home.create()
    with dg.DagsterInstance.ephemeral() as instance:
        done = schedules.nightly_checks.execute_in_process(instance=instance, resources={"unlocked_workplace": workplace})
        assert done.success
        (workplace.home.root / "published").mkdir()
        (workplace.home.root / "published" / "current").write_text("1", "utf-8")  # the registry was there, and is gone
        done = schedules.nightly_checks.execute_in_process(
            instance=instance, resources={"unlocked_workplace": workplace}, raise_on_error=False
        )
    assert not done.success


class Webhook(http.server.BaseHTTPRequestHandler):
    received: list[dict[str, str]]

    def do_POST(self):
        self.received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def test_an_alert_goes_to_the_webhook_that_is_set(monkeypatch):
    handler = type("Handler", (Webhook,), {"received": []})
    with http.server.HTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        monkeypatch.setenv(alerts.WEBHOOK, f"http://127.0.0.1:{server.server_port}/")
        assert alerts.send_alert("a run failed") == ["log", "webhook"]
    assert handler.received == [{"text": "a run failed"}]


def test_a_webhook_that_answers_nonsense_breaks_nothing(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            connection, _ = server.accept()
            connection.recv(4096)
            connection.sendall(b"nonsense\r\n\r\n")
            connection.close()

        threading.Thread(target=answer, daemon=True).start()
        monkeypatch.setenv(alerts.WEBHOOK, f"http://127.0.0.1:{server.getsockname()[1]}/")
        assert alerts.send_alert("a run failed") == ["log"]


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "file:///etc/passwd"])
def test_an_alert_that_cannot_be_sent_breaks_nothing(monkeypatch, url):
    monkeypatch.setenv(alerts.WEBHOOK, url)
    assert alerts.send_alert("a run failed") == ["log"]
