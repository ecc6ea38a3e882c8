"""The lake gives back what was put into it, types and all, and replaces a stage whole or not at all."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from pipelines.resources import lake, parquet
from schemas import canonical


@dataclass
class Judged:
    name: str
    tables: dict[str, pd.DataFrame]
    aside: pd.DataFrame
    files: dict[str, str] = field(default_factory=dict)


def _frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "key": pd.Series(["a", None], dtype="str"),
            "line": pd.Series([6, None], dtype="Int64"),
            "day": pd.to_datetime(pd.Series(["2013-05-03", None])).astype("datetime64[s]"),
            "sure": pd.Series([True, None], dtype="boolean"),
        }
    )


def test_a_number_of_numpy_comes_back_as_a_number_and_nothing_as_nothing() -> None:
    found = [{"line": np.int64(465), "column": pd.NA}]
    back = lake.convert_frames_to_value(
        list[Judged], lake.convert_value_to_frames([Judged("2013-Q1", {"rastet": _frame()}, _frame(), {"x": found})])
    )  # type: ignore[dict-item]
    assert back[0].files["x"] == [{"line": 465, "column": None}]


def test_a_frame_comes_back_with_its_types(tmp_path: Path) -> None:
    lake.write_tables(tmp_path / "police" / "raw", {"rastet": _frame()})
    back = lake.read_tables(tmp_path / "police" / "raw")["rastet"]
    pd.testing.assert_frame_equal(back, _frame())


def test_deliveries_come_back_one_by_one_with_their_own_columns(tmp_path: Path) -> None:
    aside = pd.DataFrame({"line": pd.Series([7], dtype="Int64"), "raw": [b"\xff;cut"]})
    first = Judged("2013-Q1", {"rastet": _frame()}, aside, {"rastet.csv": "complete"})
    second = Judged("2013-Q2", {"rastet": _frame().assign(more="x")}, aside.iloc[:0])
    lake.write_tables(tmp_path / "v", lake.convert_value_to_frames([first, second]))
    back = lake.convert_frames_to_value(list[Judged], lake.read_tables(tmp_path / "v"))
    assert [b.name for b in back] == ["2013-Q1", "2013-Q2"]
    assert back[0].files == {"rastet.csv": "complete"}
    assert "more" not in back[0].tables["rastet"]
    pd.testing.assert_frame_equal(back[1].tables["rastet"], second.tables["rastet"])
    assert back[0].aside["raw"].tolist() == [b"\xff;cut"]
    assert back[1].aside.empty


def test_no_delivery_at_all_is_an_empty_list(tmp_path: Path) -> None:
    lake.write_tables(tmp_path / "v", lake.convert_value_to_frames([]))
    assert lake.convert_frames_to_value(list[Judged], lake.read_tables(tmp_path / "v")) == []


def test_one_dataclass_comes_back(tmp_path: Path) -> None:
    lake.write_tables(tmp_path / "c", lake.convert_value_to_frames(Judged("x", {}, _frame())))
    back = lake.convert_frames_to_value(Judged, lake.read_tables(tmp_path / "c"))
    assert (back.name, back.tables) == ("x", {})
    pd.testing.assert_frame_equal(back.aside, _frame())


def test_a_canonical_table_is_written_with_the_declared_schema(tmp_path: Path) -> None:
    lake.write_tables(tmp_path / "canonical", {"charges": canonical.conform("charges", pd.DataFrame())})
    schema = pq.read_schema(tmp_path / "canonical" / "charges.parquet")
    assert schema.names == [c.name for c in canonical.TABLES["charges"]]
    assert str(schema.field("principal").type) == "bool"


def test_a_column_of_mixed_objects_is_kept_as_text(tmp_path: Path) -> None:
    lake.write_tables(tmp_path / "m", {"t": pd.DataFrame({"x": pd.Series([1, "b"], dtype=object)})})
    assert lake.read_tables(tmp_path / "m")["t"]["x"].tolist() == ["1", "b"]


def test_tables_that_a_stage_no_longer_makes_are_gone(tmp_path: Path) -> None:
    lake.write_tables(tmp_path / "s", {"old": _frame()})
    lake.write_tables(tmp_path / "s", {"new": _frame()})
    assert list(lake.read_tables(tmp_path / "s")) == ["new"]
    assert [p.name for p in tmp_path.iterdir()] == ["s"]


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.write_tables(tmp_path / "s", {"old": _frame()})

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(lake.pq, "ParquetWriter", full)
    with pytest.raises(OSError, match="No space"):
        lake.write_tables(tmp_path / "s", {"new": _frame()})
    monkeypatch.undo()
    assert list(lake.read_tables(tmp_path / "s")) == ["old"]
    assert [p.name for p in tmp_path.iterdir()] == ["s"]


def test_a_stage_that_never_ran_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="run everything"):
        lake.read_tables(tmp_path / "nothing")


def test_of_a_long_table_every_column_is_in_one_piece(tmp_path: Path) -> None:
    """Otherwise every time that a few rows are taken the whole column is copied."""
    text = pd.Series(np.arange(300_000), dtype="str").mask(lambda s: s == "7")
    frame = pd.DataFrame({"text": text, "line": pd.Series(np.arange(300_000), dtype="Int64").mask(lambda s: s == 9)})
    lake.write_tables(tmp_path / "x", {"long": frame})
    path = tmp_path / "x" / "long.parquet"
    pd.testing.assert_frame_equal(parquet.read_table(path), frame)
    pd.testing.assert_frame_equal(parquet.read_table(path, ["line", "text"]), frame[["line", "text"]])
    assert parquet.read_table(path)["text"].array._pa_array.num_chunks == 1


def test_a_value_of_many_cells_is_not_held_however_small_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = {"few": pd.DataFrame({"key": ["a"] * 5}), "many": pd.DataFrame({"key": ["a"] * 50, "line": [1] * 50})}
    lake.write_tables(tmp_path, frames)
    monkeypatch.setattr(lake, "MAX_SMALL_CELLS", 105)
    assert lake.are_tables_small(tmp_path)
    monkeypatch.setattr(lake, "MAX_SMALL_CELLS", 104)
    assert not lake.are_tables_small(tmp_path)
    back = lake.open_stored_output(dict, tmp_path)
    pd.testing.assert_frame_equal(back["many"], frames["many"])
