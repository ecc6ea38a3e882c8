"""Dagster definitions: assets, checks, jobs, schedules, sensors, resources.

Belongs here: assembling the parts. Does not belong here: the parts. `dagster dev -w workspace.yaml` loads `defs`, built from the
environment; `harmonia run` and tests call `build_definitions` with their own workplace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from functools import cache
from typing import Any

import dagster as dg

from harmonia import declarations
from harmonia.lock import run_lock
from pipelines import schedules, sensors
from pipelines.assets import comparison, institution_stages, landing, linkage, publication, pull, statistics, union
from pipelines.checks import all_checks, deliveries
from pipelines.jobs import harmonise_everything
from pipelines.linkage import Linked
from pipelines.resources.delivery_store import DeliveryStore
from pipelines.resources.lake_io import LakeIOManager
from pipelines.resources.workplace import Workplace
from sources.contract import institutions

SHAPES: Mapping[str, Any] = {
    "raw": DeliveryStore,
    "validated": DeliveryStore,
    "harmonised": DeliveryStore,
    "links": Linked,
}  # type of an asset's value, by the last part of its key; all others are dicts of frames


@cache
def all_assets() -> tuple[dg.AssetsDefinition, ...]:
    """Every asset, in order of the stages."""
    names = institutions()
    alone = [asset for name in names for asset in institution_stages.institution_assets(name)]
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
    return (landing.landing, *alone, *union.assets(names), *shared)


def _opened(workplace: Workplace, hold_lock: bool) -> Callable[[dg.InitResourceContext], Iterator[Workplace]]:
    def opened(_: dg.InitResourceContext) -> Iterator[Workplace]:
        workplace.ready()
        declarations.check()
        with run_lock(workplace.home) if hold_lock else nullcontext():
            yield workplace

    return opened


def build_definitions(
    workplace: Workplace, *, hold_lock: bool = True, loggers: Mapping[str, dg.LoggerDefinition] | None = None
) -> dg.Definitions:
    """The definitions for a workplace.

    `hold_lock`: whether a run acquires the lock of the home; False if the caller holds it. `loggers`: replace Dagster's own.
    """
    sources = pull.sources_of(workplace)
    first, *later = all_assets()
    return dg.Definitions(
        assets=[*map(pull.asset, sources), pull.upstream(first, sources), *later, *map(deliveries.asset, institutions())],
        asset_checks=all_checks(institutions()),
        jobs=[harmonise_everything, *schedules.JOBS],
        schedules=[*schedules.schedules(), *pull.schedules(sources)],
        sensors=[sensors.inbox_sensor(workplace), sensors.failed_run, sensors.incomplete_delivery],
        resources={
            "workplace": dg.ResourceDefinition(
                _opened(workplace, hold_lock), description="Inbox, home, registry and warehouse of the run; holds the run lock"
            ),
            "places": dg.ResourceDefinition.hardcoded_resource(workplace, description="The same for read-only jobs, without the run lock"),
            "io_manager": dg.IOManagerDefinition(
                lambda _: LakeIOManager(workplace.home.lake, SHAPES), description="Parquet files in the lake, cached in memory during a run"
            ),
        },
        executor=dg.in_process_executor,
        loggers=loggers,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """Definitions for the workplace of the environment (`HARMONIA_INBOX`, `HARMONIA_HOME`, …)."""
    return build_definitions(Workplace.from_environment())
