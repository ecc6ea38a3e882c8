"""The job that runs all stages over all deliveries, in one process.

One process per step would cost ten seconds per step on a small machine; a run of a few thousand records takes a few seconds.
"""

from __future__ import annotations

import os

import dagster as dg

from sources.contract import institutions

AUTOMATION, _EARLIER = "HARMONIA_AUTOMATION", "HARMONIA_BY_ITSELF"  # the second is the former name
HARMONISE_EVERYTHING = "harmonise_everything"
PULL = "pull"  # group of the assets that fetch deliveries, each in a separate job
_BY_DELIVERY = [dg.AssetKey([name, "delivery"]) for name in institutions()]  # partitioned by delivery; the run reports their checks

harmonise_everything = dg.define_asset_job(
    HARMONISE_EVERYTHING,
    selection=dg.AssetSelection.all() - dg.AssetSelection.assets(*_BY_DELIVERY) - dg.AssetSelection.groups(PULL),
    executor_def=dg.in_process_executor,
    description="Ingest new deliveries, run all stages, publish the warehouse, write feedback.",
)


def is_automation_enabled() -> bool:
    """Return whether sensor and schedules are on by default (`HARMONIA_AUTOMATION=1`).

    The variable is needed because Dagster stores a manual switch in its history, which is not backed up.
    """
    return (os.environ.get(AUTOMATION) or os.environ.get(_EARLIER, "")) not in ("", "0")
