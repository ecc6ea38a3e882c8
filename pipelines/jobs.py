"""The Dagster job that runs all stages over all deliveries, in one process.

With one process for each step, every step would take ten seconds longer on a small machine, while a run with a few thousand records takes
only a few seconds.
"""

from __future__ import annotations

import os

import dagster as dg

from sources.contract import institutions

AUTOMATION, _EARLIER = "HARMONIA_AUTOMATION", "HARMONIA_BY_ITSELF"  # the second name is the one that former versions used
HARMONISE_EVERYTHING = "harmonise_everything"
PULL = "pull"  # Dagster group of the assets that fetch deliveries; each has its own job
_BY_DELIVERY = [dg.AssetKey([name, "delivery"]) for name in institutions()]  # partitioned by delivery; the run reports their checks

harmonise_everything = dg.define_asset_job(
    HARMONISE_EVERYTHING,
    selection=dg.AssetSelection.all() - dg.AssetSelection.assets(*_BY_DELIVERY) - dg.AssetSelection.groups(PULL),
    executor_def=dg.in_process_executor,
    description="Ingest new deliveries, run all stages, publish the warehouse, write feedback.",
)


def is_automation_enabled() -> bool:
    """Return whether the sensor and the schedules are on by default (`HARMONIA_AUTOMATION=1`).

    They can also be switched on by hand, but Dagster stores this in its history, which is not backed up. So the variable is needed.
    """
    return (os.environ.get(AUTOMATION) or os.environ.get(_EARLIER, "")) not in ("", "0")
