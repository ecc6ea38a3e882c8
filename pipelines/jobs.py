"""What can be started: one job that takes every delivery through every stage, in one process.

A process per step would cost ten seconds a step on a small machine; a whole run of a few thousand records takes a few seconds in one.
"""

from __future__ import annotations

import os

import dagster as dg

from sources.contract import institutions

AUTOMATION, _EARLIER = "HARMONIA_AUTOMATION", "HARMONIA_BY_ITSELF"  # … and its name in earlier versions
HARMONISE_EVERYTHING = "harmonise_everything"
_BY_DELIVERY = [dg.AssetKey([name, "delivery"]) for name in institutions()]  # partitioned by delivery: the run reports their checks

harmonise_everything = dg.define_asset_job(
    HARMONISE_EVERYTHING,
    selection=dg.AssetSelection.all() - dg.AssetSelection.assets(*_BY_DELIVERY),
    executor_def=dg.in_process_executor,
    description="Lands what is new in the inbox, takes every delivery through all stages, publishes the warehouse and writes the feedback.",
)


def automated() -> bool:
    """Whether sensor and schedules are on from the start (`HARMONIA_AUTOMATION=1`).

    That somebody switched them on is in Dagster's history, which is in no backup.
    """
    return (os.environ.get(AUTOMATION) or os.environ.get(_EARLIER, "")) not in ("", "0")
