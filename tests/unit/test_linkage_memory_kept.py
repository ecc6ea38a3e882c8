"""What linkage keeps from run to run is exchanged whole, and what killed runs left beside it goes."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pandas as pd
import pytest

from pipelines.linkage import linkage_memory
from pipelines.linkage.common_statistics import CommonStatistics
from pipelines.linkage.linkage_memory import LinkageMemory
from pipelines.linkage.model import load_linkage_model
from pipelines.linkage.score import TokenFrequencies
from pipelines.resources import code_digest, integer_arrays


def some(number: int) -> LinkageMemory:
    return LinkageMemory(**{field.name: pd.DataFrame({"n": [number]}) for field in fields(LinkageMemory)})


def test_the_newer_takes_the_place_and_what_was_left_goes(tmp_path: Path) -> None:
    folder, common = tmp_path / "linkage_memory", CommonStatistics(TokenFrequencies({}, {}, {}), {}, (), ())
    linkage_memory.save_linkage_memory(folder, "first", common, some(1))
    (tmp_path / ".linkage_memory.part").mkdir()
    (tmp_path / ".linkage_memory.part/pairs.parquet").write_bytes(b"half")
    (tmp_path / ".linkage_memory.old").mkdir()
    assert linkage_memory.load_linkage_memory(folder, "another") is None
    linkage_memory.save_linkage_memory(folder, "second", common, some(2))
    assert [path.name for path in tmp_path.iterdir()] == ["linkage_memory"]
    found = linkage_memory.load_linkage_memory(folder, "second")
    assert found is not None
    assert found[1].pairs["n"].tolist() == [2]


def test_a_kill_between_the_two_moves_means_a_run_without_memory(tmp_path: Path) -> None:
    folder, common = tmp_path / "linkage_memory", CommonStatistics(TokenFrequencies({}, {}, {}), {}, (), ())
    linkage_memory.save_linkage_memory(folder, "first", common, some(1))
    folder.rename(tmp_path / ".linkage_memory.old")
    assert linkage_memory.load_linkage_memory(folder, "first") is None
    linkage_memory.save_linkage_memory(folder, "first", common, some(1))
    assert [path.name for path in tmp_path.iterdir()] == ["linkage_memory"]


def test_a_memory_of_other_code_is_not_taken_also_where_that_lies_outside_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed = {file for pattern in linkage_memory._CODE for file in code_digest._list_files_below(code_digest._ROOT.glob(pattern))}
    assert {Path(linkage_memory.__file__), Path(integer_arrays.__file__)} <= hashed
    before = linkage_memory.compute_linkage_memory_version(load_linkage_model(), "landmark")
    monkeypatch.setattr(linkage_memory, "hash_code_and_libraries", lambda *_: "other code")
    assert linkage_memory.compute_linkage_memory_version(load_linkage_model(), "landmark") != before
