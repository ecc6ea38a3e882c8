"""What runs by the clock: every night the stores are checked, every Monday the register of reports is looked through.

Belongs here: jobs that look and tell, and when. Does not belong here: runs over deliveries (a sensor starts those), making releases: a
release is the coordinator's act.
"""

import dagster as dg

from pipelines.alerts import alert
from pipelines.checks.deliveries import ZONE
from pipelines.errors import HarmoniaError
from pipelines.failures import redact_errors
from pipelines.jobs import automated
from pipelines.resources.workplace import Workplace


@dg.op(description="What was edited or lost in landing, ledger, warehouse and releases; fails where anything was.")
def verify_stores(context: dg.OpExecutionContext, places: dg.ResourceParam[Workplace]) -> None:
    """Check every store that may not be lost; the places are named, never their contents."""
    from pipelines.backup.verify import verify_home

    if places.registry_url is None and not places.home.registry_file.exists() and not places.home.published:
        context.log.info("nothing was landed yet")
        return
    with redact_errors("verifying the stores", places.logs):
        found = list(verify_home(places))
    for line in found:
        context.log.error(line)
    if found:
        raise dg.Failure(f"{len(found)} things are not as they were written; `harmonia verify` names them")


@dg.op(description="Reports that are due or late, told with their number.")
def reports_due(context: dg.OpExecutionContext, places: dg.ResourceParam[Workplace]) -> None:
    """Look through the register of reports; late ones are an alert."""
    from datetime import UTC, datetime

    from pipelines.reports.transmission_register import due
    from warehouse.releases.reading import open_release

    today = datetime.now(UTC).date()
    try:
        listed, _ = due(places, open_release(places.home.releases), today)
        states = [one.state(today) for one in listed]
    except HarmoniaError as error:
        context.log.info(str(error))
        return
    late = states.count("late")
    context.add_output_metadata({"late": late, "due": states.count("due"), "sent": len(states) - late - states.count("due")})
    if late:
        alert(f"Harmonia: {late} reports are late. `harmonia report due` lists them.")


_NO_LONGER = {"dagster/max_runtime": f"{6 * 3600}"}  # seconds; then a run whose process was killed is closed, and others can start


@dg.job(
    description="Every night: are landing, ledger, warehouse and releases as they were written?",
    executor_def=dg.in_process_executor,
    tags=_NO_LONGER,
)
def nightly_checks() -> None:
    """One op; reads, writes nothing."""
    verify_stores()


@dg.job(description="Every Monday: which reports are due, which are late?", executor_def=dg.in_process_executor, tags=_NO_LONGER)
def register_of_reports() -> None:
    """One op; reads, writes nothing."""
    reports_due()


JOBS = (nightly_checks, register_of_reports)


def schedules() -> list[dg.ScheduleDefinition]:
    """Both, on from the start where the environment says so (`pipelines.jobs.automated`)."""
    status = dg.DefaultScheduleStatus.RUNNING if automated() else dg.DefaultScheduleStatus.STOPPED
    times = ((nightly_checks, "15 3 * * *"), (register_of_reports, "0 7 * * 1"))
    return [dg.ScheduleDefinition(job=job, cron_schedule=at, execution_timezone=ZONE, default_status=status) for job, at in times]
