"""The Dagster definitions: assets, checks, jobs, schedules, sensors and resources.

Belongs here: assembling them. Does not belong here: what they do. `dagster dev -w workspace.yaml` loads `defs`, which is built for the
workplace that environment variables name. `harmonia run` and tests call `build_definitions` with their own workplace.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg

from harmonia import declarations
from harmonia.lock import lock_home_for_run
from pipelines import schedules, sensors
from pipelines.assets import comparison, institution_stages, landing, linkage, publication, pull, statistics, union
from pipelines.checks import delivery_tolerances, list_checks
from pipelines.jobs import harmonise_everything
from pipelines.linkage import LinkageResult
from pipelines.resources.delivery_store import DeliveryStore
from pipelines.resources.lake_io import LakeIOManager
from pipelines.resources.workplace import Workplace
from sources.contract import institutions

VALUE_TYPES: Mapping[str, Any] = {
    "raw": DeliveryStore,
    "validated": DeliveryStore,
    "harmonised": DeliveryStore,
    "links": LinkageResult,
}  # type of an asset's output, by the last part of its key; all other outputs are dictionaries of frames


@cache
def list_assets() -> tuple[dg.AssetsDefinition, ...]:
    """Return every asset, in the order of the stages."""
    names = institutions()
    alone = [asset for name in names for asset in institution_stages.build_institution_assets(name)]
    shared = (
        linkage.links,
        linkage.identities,
        comparison.comparison,
        statistics.findings,
        statistics.statistics,
        publication.warehouse,
        publication.feedback,
        publication.scorecard,
    )
    return (landing.landing, *alone, *union.build_union_assets(names), *shared)


class WorkplaceResource(dg.ConfigurableResource[Workplace]):
    """The workplace of a run. The home is locked while the run uses the workplace, unless `hold_lock` is false.

    Dagster stores and shows the configuration of resources. So the configuration contains the names of the environment variables with the
    URLs, not the URLs themselves.
    """

    inbox: str
    home: str
    registry_url: str | None = None
    warehouse_url: str | None = None
    hold_lock: bool = True

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Workplace]:
        """Create the home, check the inbox and the declarations, and lock the home for the run. Yield the workplace."""
        workplace = self.create_resource(context).prepare_folders()
        declarations.check_declarations()
        with lock_home_for_run(workplace.home) if self.hold_lock else nullcontext():
            yield workplace

    def create_resource(self, context: dg.InitResourceContext) -> Workplace:
        """Return the workplace, without checks."""
        return Workplace.from_paths(Path(self.inbox), Path(self.home), self.registry_url, self.warehouse_url)


class UnlockedWorkplaceResource(WorkplaceResource):
    """The workplace for jobs that may run at the same time as a run: without checks, and without locking the home."""

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Workplace]:
        """Yield the workplace, without checks."""
        yield self.create_resource(context)


class LakeResource(dg.ConfigurableIOManagerFactory[LakeIOManager]):
    """Dagster's IO manager for the lake: it stores outputs as Parquet files, and keeps small ones in memory during a run."""

    lake: str

    def create_io_manager(self, context: dg.InitResourceContext) -> LakeIOManager:
        """Return the IO manager of a run."""
        return LakeIOManager(Path(self.lake), VALUE_TYPES)


def _make_resources(workplace: Workplace, hold_lock: bool) -> dict[str, Any]:
    variables = {"registry_url": "HARMONIA_REGISTRY_URL", "warehouse_url": "HARMONIA_WAREHOUSE_URL"}
    settings: dict[str, Any] = {name: dg.EnvVar(variable) for name, variable in variables.items() if getattr(workplace, name)}
    settings |= {"inbox": str(workplace.inbox), "home": str(workplace.home.root)}
    return {
        "workplace": WorkplaceResource(**settings, hold_lock=hold_lock),
        "unlocked_workplace": UnlockedWorkplaceResource(**settings),
        "io_manager": LakeResource(lake=str(workplace.home.lake)),
    }


def build_definitions(
    workplace: Workplace, *, hold_lock: bool = True, loggers: Mapping[str, dg.LoggerDefinition] | None = None
) -> dg.Definitions:
    """Return the Dagster definitions for a workplace.

    `hold_lock` says whether a run locks the home; it is false if the caller has locked it. `loggers` replace Dagster's own loggers. If the
    workplace has URLs, a run needs the environment variables from `Workplace.make_environment_variables`.
    """
    sources = pull.read_configured_sources(workplace)
    first, *later = list_assets()
    return dg.Definitions(
        assets=[
            *map(pull.build_pulled_asset, sources),
            pull.add_pulls_before_landing(first, sources),
            *later,
            *map(delivery_tolerances.build_deliveries_asset, institutions()),
        ],
        asset_checks=list_checks(institutions()),
        jobs=[harmonise_everything, *schedules.JOBS],
        schedules=[*schedules.list_schedules(), *pull.build_pull_schedules(sources)],
        sensors=[sensors.build_inbox_sensor(workplace), sensors.failed_run, sensors.incomplete_delivery],
        resources=_make_resources(workplace, hold_lock),
        executor=dg.in_process_executor,
        loggers=loggers,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """Return the definitions for the workplace that the environment variables name (`HARMONIA_INBOX`, `HARMONIA_HOME`, …)."""
    return build_definitions(Workplace.from_environment())
