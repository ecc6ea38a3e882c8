"""What starts a run, and what is told when one fails.

Belongs here: watching the inbox, the alert. Does not belong here: landing itself (it looks again, and takes only what is whole).

The inbox is looked at without opening a file: a delivery is still when nothing of it (size, times, inode) changed between two looks. Its
run is asked for once; many deliveries that wait are one run, since a run takes all that is there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from pipelines.alerts import alert
from pipelines.errors import HarmoniaError
from pipelines.jobs import HARMONISE_EVERYTHING, automated, harmonise_everything
from pipelines.landing.walk import Folder, walk
from pipelines.lock import run_is_held
from pipelines.resources.workplace import Workplace

INTERVAL_SECONDS = 60
DIED = "The process of this run ended without a word (killed, or the machine went down)."
_IN_VAIN = 2
_ONCE_MORE = {"dagster/max_retries": "1", "dagster/retry_strategy": "ALL_STEPS"}
"""For a run whose process dies. One in which a stage fails waits for a person (`retry_on_asset_or_op_failure` of dagster.yaml)."""
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
    """Asks for a run when deliveries lie still that no run was asked for. Its run key is of institutions, deliveries and contents.

    It closes runs whose process is gone, too: where runs are processes of this machine nothing of Dagster's does, and all others would
    wait for them for ever.
    """

    @dg.sensor(
        name="inbox",
        job=harmonise_everything,
        minimum_interval_seconds=INTERVAL_SECONDS,
        description="New or changed deliveries that lie still over two looks start one run over all of them.",
        default_status=dg.DefaultSensorStatus.RUNNING if automated() else dg.DefaultSensorStatus.STOPPED,
    )
    def inbox(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        told = json.loads(context.cursor or "{}")
        try:
            now, held = look(workplace), run_is_held(workplace.home)
        except HarmoniaError as error:
            return _cannot_look(told, error)
        before, asked = told.get("seen", {}), told.get("asked", {})
        ready = still(now, before, asked)
        moving = sum(before.get(name) != mark for name, mark in now.items())
        going = context.instance.get_runs(dg.RunsFilter(job_name=HARMONISE_EVERYTHING, statuses=_ALIVE))
        watched = held or context.instance.run_launcher.supports_check_run_worker_health  # where Dagster can tell, it does
        lifeless = [] if watched else [run for run in going if run.status is dg.DagsterRunStatus.STARTED]
        for run in (run for run in lifeless if run.run_id in told.get("lifeless", [])):
            context.instance.report_run_failed(run, DIED)
        cursor = _cursor(now, asked, lifeless)
        if not ready:
            return dg.SensorResult(skip_reason=f"{len(now)} deliveries, {moving} of them new or changing", cursor=cursor)
        if going or held:
            holder = "run that is going" if going else "command that holds the home"
            return dg.SensorResult(skip_reason=f"{len(ready)} deliveries wait for the {holder}", cursor=cursor)
        key = hashlib.sha256(json.dumps(sorted(ready.items())).encode()).hexdigest()
        request = dg.RunRequest(run_key=key, tags={"harmonia/deliveries": str(len(ready)), **_ONCE_MORE})
        return dg.SensorResult(run_requests=[request], cursor=_cursor(now, {**asked, **ready}, []))

    return inbox


def _cannot_look(told: Mapping[str, Any], error: HarmoniaError) -> dg.SensorResult:
    """Nothing is forgotten meanwhile; told to a person once, at the second look in a row that says so."""
    looks = told.get("in vain", 0) + 1
    if looks == _IN_VAIN:
        alert("Harmonia: inbox or home cannot be looked at, no delivery is taken. The sensor `inbox` says why in Dagster's pages.")
    return dg.SensorResult(skip_reason=str(error), cursor=json.dumps({**told, "in vain": looks}))


def _cursor(now: Mapping[str, str], asked: Mapping[str, str], lifeless: Sequence[dg.DagsterRun]) -> str:
    """What the next look needs: what was seen, what was asked for of it, runs that are said to go on although nobody holds the home."""
    kept = {name: mark for name, mark in asked.items() if name in now}
    return json.dumps({"seen": now, "asked": kept, "lifeless": [run.run_id for run in lifeless]})


@dg.run_failure_sensor(
    name="failed_run",
    description="A run failed: a line in the log and, where set, a webhook or e-mail.",
    monitor_all_code_locations=True,  # `harmonia run` by hand is of none
    default_status=dg.DefaultSensorStatus.RUNNING,  # what failed is told, whoever forgot to switch it on
)
def failed_run(context: dg.RunFailureSensorContext) -> None:
    """Tell which job and run failed, and where to look; never what the error said, which may quote a cell."""
    run = context.dagster_run
    told = alert(
        f"Harmonia: run {run.run_id} of {run.job_name} failed. Look at it in Dagster's pages; docs/how-to/troubleshoot.md says what to do."
    )
    context.log.info(f"told of run {run.run_id} by {', '.join(told)}")
