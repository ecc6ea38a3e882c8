"""Pulls as Dagster assets: one asset for each source of deliveries, with its job and its schedule.

Does not belong here: fetching the deliveries (`pipelines.pull`), and the run that processes them, which the sensor `inbox` starts.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

import dagster as dg
import pandas as pd

from harmonia.registry import open_registry
from pipelines.asset_helpers import add_counts_to_asset_metadata, make_metadata_table, redact_stage_errors
from pipelines.checks.delivery_tolerances import ZONE
from pipelines.jobs import PULL, is_automation_enabled
from pipelines.pull.configuration import read_sources
from pipelines.pull.pulling import PullOutcome, pull_deliveries
from pipelines.pull.source import SCHEDULE, Source
from pipelines.resources.workplace import Workplace
from schemas.yaml_declarations import DeclarationError
from sources.contract import institutions

Sources = Mapping[str, Source | DeclarationError]
_LONGEST_RUN = {"dagster/max_runtime": f"{6 * 3600}"}  # in seconds; then Dagster marks a run as failed, e.g. if its process was killed


class PullConfig(dg.Config):
    """The settings of a pull that Dagster's launchpad asks for."""

    dry_run: bool = False


def read_configured_sources(workplace: Workplace) -> Sources:
    """Return the sources that the installation uses, by institution.

    If the file that declares them cannot be read, each institution is mapped to this error, so that each pull reports it.
    """
    try:
        return read_sources(workplace.home)
    except DeclarationError as error:
        return dict.fromkeys(institutions(), error)


def build_pulled_asset(institution: str) -> dg.AssetsDefinition:
    """Return the asset `<institution>/pulled`, which fetches the new deliveries of the institution's source into the inbox.

    If the pull fails, the asset fails with the rule that gives the reason, and with what to do.
    """

    @dg.asset(
        key=[institution, "pulled"],
        group_name=PULL,
        kinds={"file"},
        description=f"New deliveries of {institution}, fetched from its source into the inbox.",
    )
    def pulled(context: dg.AssetExecutionContext, config: PullConfig, unlocked_workplace: dg.ResourceParam[Workplace]) -> None:
        with redact_stage_errors(unlocked_workplace, f"{institution}: pulling", context):
            registry = open_registry(unlocked_workplace.prepare_folders().registry)
            try:
                outcomes = pull_deliveries(unlocked_workplace, registry, [institution], dry_run=config.dry_run)
            finally:
                registry.close()
        failed = [
            f"{outcome.delivery or outcome.kind} {outcome.rule} {outcome.detail}: {outcome.remedy}"
            for outcome in outcomes
            if outcome.result == "failed"
        ]
        if failed:
            raise dg.Failure(
                f"{institution}: {'; '.join(failed)}", metadata={"outcomes": _make_outcome_table(outcomes)}, allow_retries=False
            )
        add_counts_to_asset_metadata(
            context, None, {**Counter(outcome.result for outcome in outcomes), "outcomes": _make_outcome_table(outcomes)}
        )

    return pulled


def _make_outcome_table(outcomes: Sequence[PullOutcome]) -> dg.MetadataValue:
    """Make a table for Dagster's pages that shows the result of the pull for each delivery."""
    columns = ("delivery", "result", "inbox_name", "rule", "detail")
    return make_metadata_table(
        pd.DataFrame([[getattr(outcome, column) for column in columns] for outcome in outcomes], columns=list(columns), dtype="str")
    )


def add_pulls_before_landing(landing: dg.AssetsDefinition, sources: Sources) -> dg.AssetsDefinition:
    """Return the asset `landing` with the pulls as dependencies, so that Dagster's graph shows them before it."""
    pulled = [dg.AssetKey([name, "pulled"]) for name in sources]
    return landing.map_asset_specs(lambda spec: spec.merge_attributes(deps=pulled)) if pulled else landing


def build_pull_schedules(sources: Sources) -> list[dg.ScheduleDefinition]:
    """Return a schedule for each source, which starts the job `pull_<institution>`.

    Schedules are on by default if automation is enabled.
    """
    status = dg.DefaultScheduleStatus.RUNNING if is_automation_enabled() else dg.DefaultScheduleStatus.STOPPED
    return [
        dg.ScheduleDefinition(
            job=dg.define_asset_job(f"pull_{name}", selection=[dg.AssetKey([name, "pulled"])], tags=_LONGEST_RUN),
            cron_schedule=source.schedule if isinstance(source, Source) else SCHEDULE,
            execution_timezone=ZONE,
            default_status=status,
        )
        for name, source in sources.items()
    ]
