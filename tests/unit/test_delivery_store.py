"""The rows that a stage stores by delivery are loaded in the order of the deliveries, once each, whatever was stored before."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from pipelines.resources.delivery_store import DELIVERY, DeliveryStore, make_stage_key


def _rows(delivery: str, *values: str) -> dict[str, pd.DataFrame]:
    return {"cases": pd.DataFrame({"value": list(values), DELIVERY: delivery}, dtype="str")}


def _values(folder: Path) -> list[str]:
    return DeliveryStore(folder).load_frames()["cases"]["value"].tolist()


def test_deliveries_are_loaded_in_the_order_of_the_deliveries(tmp_path: Path) -> None:
    store = DeliveryStore(tmp_path / "s")
    for delivery in ("2013-Q2", "2012-Q1"):
        store.add_outputs({delivery: "k"}, _rows(delivery, delivery, "x"))
    store.set_current_outputs({"2012-Q1": "k", "2013-Q2": "k"})
    assert _values(tmp_path / "s") == ["2012-Q1", "x", "2013-Q2", "x"]


def test_only_what_is_new_or_changed_is_missing(tmp_path: Path) -> None:
    store = DeliveryStore(tmp_path / "s")
    store.add_outputs({"2012-Q1": "k", "2012-Q2": "k"}, _rows("2012-Q1", "a"))
    assert store.find_missing_outputs({"2012-Q1": "k", "2012-Q2": "k"}) == []
    assert store.find_missing_outputs({"2012-Q1": "k", "2012-Q2": "other", "2012-Q3": "k"}) == ["2012-Q2", "2012-Q3"]


def test_a_changed_delivery_replaces_its_rows(tmp_path: Path) -> None:
    store = DeliveryStore(tmp_path / "s")
    store.add_outputs(
        {"2012-Q1": "k", "2012-Q2": "k"}, {"cases": pd.concat([_rows("2012-Q1", "a")["cases"], _rows("2012-Q2", "old")["cases"]])}
    )
    store.add_outputs({"2012-Q2": "n"}, _rows("2012-Q2", "new"))
    store.set_current_outputs({"2012-Q1": "k", "2012-Q2": "n"})
    assert _values(tmp_path / "s") == ["a", "new"]


def test_folders_stay_few_and_nothing_is_lost(tmp_path: Path) -> None:
    names = [f"20{n}-Q1" for n in range(10, 42)]
    for n, name in enumerate(names, start=1):
        store = DeliveryStore(tmp_path / "s")
        store.add_outputs({name: "k"}, _rows(name, name))
        store.set_current_outputs(dict.fromkeys(names[:n], "k"))
    assert _values(tmp_path / "s") == names
    assert len([p for p in (tmp_path / "s").iterdir() if p.is_dir()]) <= 6


def test_columns_that_one_delivery_alone_has_are_null_elsewhere(tmp_path: Path) -> None:
    store = DeliveryStore(tmp_path / "s")
    store.add_outputs({"2012-Q1": "k"}, _rows("2012-Q1", "a"))
    store.add_outputs({"2012-Q2": "k"}, {"cases": _rows("2012-Q2", "b")["cases"].assign(more="m")})
    store.set_current_outputs({"2012-Q1": "k", "2012-Q2": "k"})
    found = store.load_frames()["cases"]
    assert found["more"].isna().tolist() == [True, False]
    assert store.load_frames(selects_column=lambda _, c: c == "value")["cases"].columns.tolist() == ["value"]


def test_a_frame_comes_back_as_it_lies_in_the_same_order(tmp_path: Path) -> None:
    store = DeliveryStore(tmp_path / "s")
    store.add_outputs({"2012-Q2": "k"}, {"cases": _rows("2012-Q2", "b", "c")["cases"].assign(more="m")})
    store.add_outputs({"2012-Q1": "k"}, _rows("2012-Q1", "a"))
    store.set_current_outputs({"2012-Q1": "k", "2012-Q2": "k"})
    found = DeliveryStore(tmp_path / "s").load_table("cases")
    assert found is not None
    assert found.to_pydict() == {"value": ["a", "b", "c"], "more": [None, "m", "m"]}
    assert DeliveryStore(tmp_path / "nothing").load_table("cases") is None


def test_a_lake_that_lost_a_folder_says_so(tmp_path: Path) -> None:
    store = DeliveryStore(tmp_path / "s")
    store.add_outputs({"2012-Q1": "k"}, _rows("2012-Q1", "a"))
    store.set_current_outputs({"2012-Q1": "k"})
    shutil.rmtree(next(p for p in (tmp_path / "s").iterdir() if p.is_dir()))
    assert store.find_missing_outputs({"2012-Q1": "k"}) == ["2012-Q1"]
    with pytest.raises(FileNotFoundError, match="run everything"):
        store.load_frames()


def test_what_a_killed_run_left_is_cleared(tmp_path: Path) -> None:
    (tmp_path / "s" / ".000001.77.part").mkdir(parents=True)
    DeliveryStore(tmp_path / "s").set_current_outputs({})
    assert [p.name for p in (tmp_path / "s").iterdir()] == ["manifest.json"]


def test_a_key_depends_on_bytes_and_completeness() -> None:
    assert len({make_stage_key("a", incomplete=False), make_stage_key("a", incomplete=True), make_stage_key("b", incomplete=False)}) == 3
