"""Deliveries that several processes read, validate and harmonise are stored as one process keeps them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
from pipeline_world import Ran

from harmonia.registry import open_registry
from pipelines.assets import delivery_batches
from pipelines.assets.delivery_frames import get_stage_folder
from pipelines.landing import list_landed_deliveries
from pipelines.resources import lake
from pipelines.resources.delivery_store import DeliveryStore, make_stage_key
from pipelines.resources.workplace import Workplace


def test_several_processes_keep_what_one_keeps(ran: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery_batches, "_MIN_PARALLEL_ROWS", 0)
    monkeypatch.setattr(delivery_batches, "_MIN_BATCH_BYTES", 1)
    for name in ("landing", "registry.sqlite"):
        source = ran.place.home.root / name
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, tmp_path / name)
    place = Workplace.from_paths(ran.place.inbox, tmp_path)
    registry = open_registry(place.registry)
    try:
        ours = {str(one.name): one for one in list_landed_deliveries(registry, place.home) if one.institution == "police"}
    finally:
        registry.close()
    wanted = {name: make_stage_key(one.receipt, one.incomplete) for name, one in ours.items()}
    raw, validated, harmonised = (DeliveryStore(get_stage_folder(place, "police", stage)) for stage in ("raw", "validated", "harmonised"))
    assert delivery_batches.read_deliveries(place, "police", list(ours.values()), wanted, raw) == {}
    assert len(raw.list_keys_by_folder(wanted)) == 0, "nothing is accepted before record status is computed"
    raw.set_current_outputs(wanted)
    assert delivery_batches.validate_deliveries(place, "police", list(wanted), raw) == {}
    validated.set_current_outputs(wanted)
    harmonised.set_current_outputs(wanted)
    for made in (raw, validated, harmonised):
        alone = DeliveryStore(get_stage_folder(ran.place, "police", made.folder.name)).load_frames()
        for name, frame in made.load_frames().items():
            if name != lake.ITEMS_FRAME:
                of_content = [column for column in alone[name].columns if column != lake.ITEM_COLUMN]  # a number within a folder
                pd.testing.assert_frame_equal(frame[of_content], alone[name][of_content])
