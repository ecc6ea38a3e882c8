"""Pulls: one asset for each source of deliveries, with its job and its schedule.

Does not belong here: pulling itself (`pipelines.pull`); the run over what came, which the sensor `inbox` starts.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

import dagster as dg
import pandas as pd

from harmonia.registry import open_registry
from pipelines.checks.deliveries import ZONE
from pipelines.describing import add_counts, redact_stage_errors, table
from pipelines.jobs import PULL, automated
from pipelines.pull.declared import configured
from pipelines.pull.source import SCHEDULE, Source
from pipelines.pull.steps import Outcome, pull
from pipelines.resources.workplace import Workplace
from schemas.declared import DeclarationError
from sources.contract import institutions

Sources = Mapping[str, Source | DeclarationError]
_LONGEST_RUN = {"dagster/max_runtime": f"{6 * 3600}"}  # seconds, after which Dagster closes a run whose process was killed


class PullConfig(dg.Config):
    """The settings of a pull that Dagster's launchpad asks for."""

    dry_run: bool = False


def sources_of(workplace: Workplace) -> Sources:
    """Return the sources of the installation. If its file cannot be read, every institution gets the reason, so that its pull reports
    it."""
    try:
        return configured(workplace.home)
    except DeclarationError as error:
        return dict.fromkeys(institutions(), error)


def pulled_asset(institution: str) -> dg.AssetsDefinition:
    """Return the asset `<institution>/pulled`: new deliveries of its source, in the inbox. It fails, with the rule and what to do, if
    the source did."""

    @dg.asset(
        key=[institution, "pulled"],
        group_name=PULL,
        kinds={"file"},
        description=f"New deliveries of {institution}, fetched from its source into the inbox.",
    )
    def pulled(context: dg.AssetExecutionContext, config: PullConfig, unlocked_workplace: dg.ResourceParam[Workplace]) -> None:
        with redact_stage_errors(unlocked_workplace, f"{institution}: pulling", context):
            registry = open_registry(unlocked_workplace.ready().registry)
            try:
                outcomes = pull(unlocked_workplace, registry, [institution], dry_run=config.dry_run)
            finally:
                registry.close()
        failed = [
            f"{outcome.delivery or outcome.kind} {outcome.rule} {outcome.detail}: {outcome.remedy}"
            for outcome in outcomes
            if outcome.result == "failed"
        ]
        if failed:
            raise dg.Failure(f"{institution}: {'; '.join(failed)}", metadata={"outcomes": _outcome_table(outcomes)}, allow_retries=False)
        add_counts(context, None, {**Counter(outcome.result for outcome in outcomes), "outcomes": _outcome_table(outcomes)})

    return pulled


def _outcome_table(outcomes: Sequence[Outcome]) -> dg.MetadataValue:
    columns = ("delivery", "result", "inbox_name", "rule", "detail")
    return table(
        pd.DataFrame([[getattr(outcome, column) for column in columns] for outcome in outcomes], columns=list(columns), dtype="str")
    )


def landing_after_pulls(landing: dg.AssetsDefinition, sources: Sources) -> dg.AssetsDefinition:
    """Return the asset `landing` with the pulls before it in the graph."""
    pulled = [dg.AssetKey([name, "pulled"]) for name in sources]
    return landing.map_asset_specs(lambda spec: spec.merge_attributes(deps=pulled)) if pulled else landing


def pull_schedules(sources: Sources) -> list[dg.ScheduleDefinition]:
    """Return a job and its schedule, `pull_<institution>`, for each source. Schedules are on by default if automation is enabled."""
    status = dg.DefaultScheduleStatus.RUNNING if automated() else dg.DefaultScheduleStatus.STOPPED
    return [
        dg.ScheduleDefinition(
            job=dg.define_asset_job(f"pull_{name}", selection=[dg.AssetKey([name, "pulled"])], tags=_LONGEST_RUN),
            cron_schedule=source.schedule if isinstance(source, Source) else SCHEDULE,
            execution_timezone=ZONE,
            default_status=status,
        )
        for name, source in sources.items()
    ]
