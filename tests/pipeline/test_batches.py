"""Deliveries that arrive in batches: ids do not change, and the result is as if all had arrived at once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
from pipeline_world import Ran

from harmonia.registry import open_registry
from harmonia.registry.identity import resolve_ids
from harmonia.registry.stability import compare_record_ids, find_records_in_changed_clusters
from pipelines.progress import SilentListener
from pipelines.resources.workplace import Workplace
from pipelines.run import run_everything


def _identities(inbox: Path, deliveries: list[Path], place: Workplace) -> dict[str, pd.DataFrame]:
    for delivery in deliveries:
        shutil.copytree(inbox / delivery, place.inbox / delivery)
    return run_everything(place, SilentListener()).values["identities"]


@pytest.mark.slow  # two whole runs
def test_two_batches_in_the_wrong_order_end_as_one(ran: Ran, inbox: Path, tmp_path: Path) -> None:
    deliveries = sorted((p.relative_to(inbox) for p in inbox.glob("*/*") if p.is_dir()), key=lambda p: (p.name, p.parent.name))
    late, early = deliveries[len(deliveries) // 2 :], deliveries[: len(deliveries) // 2]
    place = Workplace.from_paths(tmp_path / "inbox", tmp_path / "home")
    first = _identities(inbox, late, place)
    last = _identities(inbox, early, place)
    whole = ran.outcome.values["identities"]
    registry = open_registry(place.registry)
    try:
        for entity in ("cases", "persons"):
            assert find_records_in_changed_clusters(whole[entity], last[entity]).empty
            found = compare_record_ids(first[entity], last[entity], resolve_ids(registry, first[entity].iloc[:, 2]))
            assert found.records > 0
            assert found.share_with_known_id >= 0.9  # of a few dozen records; benchmarks/linkage_arrival_order.py measures it on real sizes
    finally:
        registry.close()
