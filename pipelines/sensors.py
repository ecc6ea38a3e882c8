"""What starts a run, and what is told when one fails.

Belongs here: watching the inbox, the alert. Does not belong here: landing itself (it looks again, and takes only what is whole).

The inbox is looked at without opening a file: a delivery is still when nothing of it (size, times, inode) changed between two looks. Its
run is asked for once; many deliveries that wait are one run, since a run takes all that is there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import dagster as dg

from pipelines.alerts import alert
from pipelines.errors import HarmoniaError
from pipelines.jobs import HARMONISE_EVERYTHING, harmonise_everything
from pipelines.landing.walk import Folder, walk
from pipelines.resources.workplace import Workplace

INTERVAL_SECONDS = 60
_ALIVE = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]


def look(workplace: Workplace) -> dict[str, str]:
    """Every delivery folder of the inbox → a fingerprint of its files. Raises `HarmoniaError` where the inbox cannot be read."""
    workplace.ready()
    return {f"{folder.institution}/{folder.name}": _fingerprint(folder) for folder in walk(workplace.inbox).folders}


def _fingerprint(folder: Folder) -> str:
    told = sorted((name, still.size, still.changed, still.place) for name, still in folder.files.items())
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


def still(now: Mapping[str, str], before: Mapping[str, str], asked: Mapping[str, str]) -> dict[str, str]:
    """Deliveries that are as at the last look, and of which this state was not asked for yet."""
    return {name: mark for name, mark in now.items() if before.get(name) == mark and asked.get(name) != mark}


def inbox_sensor(workplace: Workplace) -> dg.SensorDefinition:
    """Asks for a run when deliveries lie still that no run was asked for. Its run key is of institutions, deliveries and contents."""

    @dg.sensor(
        name="inbox",
        job=harmonise_everything,
        minimum_interval_seconds=INTERVAL_SECONDS,
        description="New or changed deliveries that lie still over two looks start one run over all of them.",
    )
    def inbox(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        try:
            now = look(workplace)
        except HarmoniaError as error:
            return dg.SkipReason(str(error))
        told = json.loads(context.cursor or "{}")
        before, asked = told.get("seen", {}), told.get("asked", {})
        ready = still(now, before, asked)
        moving = sum(before.get(name) != mark for name, mark in now.items())
        if not ready:
            return dg.SensorResult(skip_reason=f"{len(now)} deliveries, {moving} of them new or changing", cursor=_cursor(now, asked))
        if context.instance.get_runs_count(dg.RunsFilter(job_name=HARMONISE_EVERYTHING, statuses=_ALIVE)):
            return dg.SensorResult(skip_reason=f"{len(ready)} deliveries wait for the run that is going", cursor=_cursor(now, asked))
        key = hashlib.sha256(json.dumps(sorted(ready.items())).encode()).hexdigest()
        request = dg.RunRequest(run_key=key, tags={"harmonia/deliveries": str(len(ready))})
        return dg.SensorResult(run_requests=[request], cursor=_cursor(now, {**asked, **ready}))

    return inbox


def _cursor(now: Mapping[str, str], asked: Mapping[str, str]) -> str:
    """What the next look needs: what was seen, and what was asked for of what is still there."""
    return json.dumps({"seen": now, "asked": {name: mark for name, mark in asked.items() if name in now}})


@dg.run_failure_sensor(name="failed_run", description="A run failed: a line in the log and, where set, a webhook or e-mail.")
def failed_run(context: dg.RunFailureSensorContext) -> None:
    """Tell which job and run failed, and where to look; never what the error said, which may quote a cell."""
    run = context.dagster_run
    told = alert(f"Harmonia: run {run.run_id} of {run.job_name} failed. Look at it in Dagster's pages; docs/operations.md says what to do.")
    context.log.info(f"told of run {run.run_id} by {', '.join(told)}")
