"""Sensors (functions that Dagster calls at intervals, or after a run): one starts runs for new deliveries, the others send alerts.

Does not belong here: landing, which checks the files again and ingests only complete ones.

Files in the inbox are not opened. A delivery is stable if none of its files changed (in size, times or inode) between two calls of the
sensor, called ticks. A run is requested once for each state of a delivery. Several waiting deliveries share one run, since a run ingests
all deliveries.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from harmonia.console import format_count
from harmonia.errors import HarmoniaError
from harmonia.lock import is_home_locked
from harmonia.operations.alerts import send_alert
from pipelines.delivery_report import NOT_COMPLETE
from pipelines.jobs import HARMONISE_EVERYTHING, harmonise_everything, is_automation_enabled
from pipelines.landing.walk import walk_inbox
from pipelines.resources.workplace import Workplace

INTERVAL_SECONDS = 60
DEATH_MESSAGE = "The process of this run ended without reporting (killed, or the machine went down)."
_FAILED_TICKS = 2
_RETRY_ONCE = {"dagster/max_retries": "1", "dagster/retry_strategy": "ALL_STEPS"}
"""Tags with which Dagster repeats a run once if its process dies. If a stage failed, the run is not repeated until somebody starts it
(`retry_on_asset_or_op_failure` in dagster.yaml)."""
_UNFINISHED = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]


def compute_inbox_fingerprints(workplace: Workplace) -> dict[str, str]:
    """Return a fingerprint of the files in every delivery folder of the inbox, by `<institution>/<delivery>`.

    Raises `HarmoniaError` if the inbox cannot be read.
    """
    workplace.prepare_folders()
    return {f"{folder.institution}/{folder.name}": folder.compute_fingerprint() for folder in walk_inbox(workplace.inbox).folders}


def select_stable_deliveries(
    fingerprints: Mapping[str, str], last_fingerprints: Mapping[str, str], requested_fingerprints: Mapping[str, str]
) -> dict[str, str]:
    """Select the deliveries that have not changed since the last tick, unless a run was already requested for their present state.

    Return the fingerprint of each selected delivery. `last_fingerprints` has the fingerprints at the last tick. `requested_fingerprints`
    has the fingerprint that each delivery had when a run was requested for it.
    """
    return {
        name: fingerprint
        for name, fingerprint in fingerprints.items()
        if last_fingerprints.get(name) == fingerprint and requested_fingerprints.get(name) != fingerprint
    }


def build_inbox_sensor(workplace: Workplace) -> dg.SensorDefinition:
    """Return the sensor that requests a run for stable deliveries. The key of the request is a hash of their names and fingerprints.

    The sensor also marks a run as failed if its process has ended without reporting. Dagster does not do that for runs in local processes,
    and all later runs would wait for ever.
    """

    @dg.sensor(
        name="inbox",
        job=harmonise_everything,
        minimum_interval_seconds=INTERVAL_SECONDS,
        description="Starts one run for all new or changed deliveries that are unchanged over two ticks.",
        default_status=dg.DefaultSensorStatus.RUNNING if is_automation_enabled() else dg.DefaultSensorStatus.STOPPED,
    )
    def inbox(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        state = json.loads(context.cursor or "{}")
        try:
            fingerprints, locked = compute_inbox_fingerprints(workplace), is_home_locked(workplace.home)
        except HarmoniaError as error:
            return _skip_tick_on_error(state, error)
        last_fingerprints, requested = state.get("seen", {}), state.get("asked", {})
        ready = select_stable_deliveries(fingerprints, last_fingerprints, requested)
        changing = sum(last_fingerprints.get(name) != fingerprint for name, fingerprint in fingerprints.items())
        active = context.instance.get_runs(dg.RunsFilter(job_name=HARMONISE_EVERYTHING, statuses=_UNFINISHED))
        checked_by_dagster = locked or context.instance.run_launcher.supports_check_run_worker_health  # Dagster checks it
        lifeless = [] if checked_by_dagster else [run for run in active if run.status is dg.DagsterRunStatus.STARTED]
        for run in (run for run in lifeless if run.run_id in state.get("lifeless", [])):
            context.instance.report_run_failed(run, DEATH_MESSAGE)
        cursor = _make_sensor_cursor(fingerprints, requested, lifeless)
        if not ready:
            return dg.SensorResult(
                skip_reason=f"{format_count(len(fingerprints), 'delivery', 'deliveries')}, {changing} new or changing", cursor=cursor
            )
        if active or locked:
            holder = "current run" if active else "command that holds the home"
            return dg.SensorResult(
                skip_reason=f"{format_count(len(ready), 'delivery', 'deliveries')} waiting for the {holder}", cursor=cursor
            )
        key = hashlib.sha256(json.dumps(sorted(ready.items())).encode()).hexdigest()
        request = dg.RunRequest(run_key=key, tags={"harmonia/deliveries": str(len(ready)), **_RETRY_ONCE})
        return dg.SensorResult(run_requests=[request], cursor=_make_sensor_cursor(fingerprints, {**requested, **ready}, []))

    return inbox


def _skip_tick_on_error(state: Mapping[str, Any], error: HarmoniaError) -> dg.SensorResult:
    """Skip this tick and keep the state of the sensor. At the second failed tick in a row, send an alert."""
    ticks = state.get("in vain", 0) + 1
    if ticks == _FAILED_TICKS:
        send_alert("Harmonia: inbox or home cannot be read, no delivery is ingested. See the sensor `inbox` in Dagster's pages.")
    return dg.SensorResult(skip_reason=str(error), cursor=json.dumps({**state, "in vain": ticks}))


def _make_sensor_cursor(
    fingerprints: Mapping[str, str], requested_fingerprints: Mapping[str, str], lifeless_runs: Sequence[dg.DagsterRun]
) -> str:
    """Return what the sensor remembers until the next tick: the fingerprints, those for which a run was requested, and the lifeless runs.

    A run is lifeless if it is marked as running although no process has locked the home.
    """
    still_in_inbox = {name: fingerprint for name, fingerprint in requested_fingerprints.items() if name in fingerprints}
    return json.dumps({"seen": fingerprints, "asked": still_in_inbox, "lifeless": [run.run_id for run in lifeless_runs]})


@dg.run_failure_sensor(
    name="failed_run",
    description="Reports a failed run in the log and, if configured, by webhook or e-mail.",
    monitor_all_code_locations=True,  # a manual `harmonia run` has no code location
    default_status=dg.DefaultSensorStatus.RUNNING,  # failures are always reported
)
def failed_run(context: dg.RunFailureSensorContext) -> None:
    """Send an alert that names the failed job and run. It does not contain the error message, which may quote a delivered value."""
    run = context.dagster_run
    channels = send_alert(f"Harmonia: run {run.run_id} of {run.job_name} failed. See Dagster's pages and docs/how-to/troubleshoot.md.")
    context.log.info(f"alert for run {run.run_id} sent by {', '.join(channels)}")


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    name="incomplete_delivery",
    description="Reports new deliveries that are partial or unreadable in the log and, if configured, by webhook or e-mail.",
    monitor_all_code_locations=True,  # a manual `harmonia run` has no code location
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def incomplete_delivery(context: dg.RunStatusSensorContext) -> None:
    """Send an alert about the new deliveries that are not complete. Their names come from the tags of the run."""
    run = context.dagster_run
    if incomplete := run.tags.get(NOT_COMPLETE):
        channels = send_alert(
            f"Harmonia: run {run.run_id} received deliveries that are not complete: {incomplete}. Their feedback says why."
        )
        context.log.info(f"alert for run {run.run_id} sent by {', '.join(channels)}")
