"""Schedules: every night the stores are verified, and every Monday the register of reports is checked for late reports.

Belongs here: jobs that only read, and their times. Does not belong here: runs over deliveries (a sensor starts them), releases (the
coordinator creates them).
"""

import dagster as dg

from harmonia.console import format_count
from harmonia.errors import HarmoniaError
from harmonia.operations import maintenance
from harmonia.operations.alerts import send_alert
from pipelines.checks.delivery_tolerances import ZONE
from pipelines.failures import redact_errors
from pipelines.jobs import is_automation_enabled
from pipelines.resources.workplace import Workplace


@dg.op(description="Verify landing, ledger, warehouse and releases; fails if anything was changed or lost.")
def verify_stores(context: dg.OpExecutionContext, unlocked_workplace: dg.ResourceParam[Workplace]) -> None:
    """Verify every store that is backed up. The log shows paths, never contents."""
    from harmonia.operations.backup.verify import verify_home

    if (
        unlocked_workplace.registry_url is None
        and not unlocked_workplace.home.registry_file.exists()
        and not unlocked_workplace.home.has_published_run
    ):
        context.log.info("nothing ingested yet")
        return
    with redact_errors("verifying the stores", unlocked_workplace.logs):
        problems = list(verify_home(unlocked_workplace))
    maintenance.record_maintenance(unlocked_workplace, "verify", len(problems))
    for line in problems:
        context.log.error(line)
    if problems:
        raise dg.Failure(f"{format_count(len(problems), 'integrity problem')} found; `harmonia verify` lists them")


@dg.op(description="Count due and late reports.")
def reports_due(context: dg.OpExecutionContext, unlocked_workplace: dg.ResourceParam[Workplace]) -> None:
    """Check the register of reports, and send an alert if reports are late."""
    from datetime import UTC, datetime

    from harmonia.reports.transmission_register import list_reports
    from warehouse.releases.reading import open_release

    today = datetime.now(UTC).date()
    try:
        reports, _ = list_reports(unlocked_workplace, open_release(unlocked_workplace.home.releases), today)
        states = [report.state(today) for report in reports]
    except HarmoniaError as error:
        context.log.info(str(error))
        return
    late = states.count("late")
    context.add_output_metadata({"late": late, "due": states.count("due"), "sent": len(states) - late - states.count("due")})
    if late:
        send_alert(f"Harmonia: {format_count(late, 'report')} overdue. `harmonia report due` lists them.")


_TIME_LIMIT = {"dagster/max_runtime": f"{6 * 3600}"}  # in seconds; then Dagster marks a run as failed, e.g. if its process was killed


@dg.job(
    description="Every night: verify landing, ledger, warehouse and releases.",
    executor_def=dg.in_process_executor,
    tags=_TIME_LIMIT,
)
def nightly_checks() -> None:
    """Verify the stores."""
    verify_stores()


@dg.job(description="Every Monday: check for due and late reports.", executor_def=dg.in_process_executor, tags=_TIME_LIMIT)
def register_of_reports() -> None:
    """Check the register of reports."""
    reports_due()


JOBS = (nightly_checks, register_of_reports)


def list_schedules() -> list[dg.ScheduleDefinition]:
    """Return the schedules of the pipeline; those of pulls are in `pipelines.assets.pull`. They are on by default if automation is enabled
    (`pipelines.jobs.is_automation_enabled`)."""
    status = dg.DefaultScheduleStatus.RUNNING if is_automation_enabled() else dg.DefaultScheduleStatus.STOPPED
    times = ((nightly_checks, "15 3 * * *"), (register_of_reports, "0 7 * * 1"))
    return [dg.ScheduleDefinition(job=job, cron_schedule=cron, execution_timezone=ZONE, default_status=status) for job, cron in times]
