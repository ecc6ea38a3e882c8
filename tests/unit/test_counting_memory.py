"""What counting keeps: rows of cases that stay, numbered through; nothing where a row could not be found again."""

from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from pipelines.assets import counting_memory
from pipelines.resources import parquet
from warehouse import tables
from warehouse.star.build import OF_CASES

CASES = pd.DataFrame({"case_id": pd.Series(["A", "B"], dtype="str"), "print": pd.Series([1, 2], dtype="uint64")})


def _counted(folder: Path, *case_ids: str | None) -> Path:
    """What a piece made: an event and a stay of two rows of each case."""
    folder.mkdir(parents=True)
    rows = {
        "fact_event": pd.DataFrame({"case_id": case_ids, "event_id": range(1, len(case_ids) + 1)}),
        "fact_stay": pd.DataFrame({"case_id": [c for c in case_ids for _ in "ab"], "first_of_chain": [True, False] * len(case_ids)}),
    }
    for table in OF_CASES:
        frame = tables.conform(table, rows.get(table.name, pd.DataFrame()))
        parquet.write_table(folder / f"{table.name}.parquet", tables.to_arrow(table, frame))
    return folder


def _renewed(home: Path, cases: pd.DataFrame, counted: Path) -> dict[str, pd.DataFrame]:
    memory = counting_memory.opened(home / "memory", "this code")
    files = counting_memory.renewed(memory, cases, [counted], home / "made")
    found = {name: parquet.read_table(files[name]) for name in ("fact_event", "fact_stay")}
    counting_memory.keep(memory, home / "made", "this code")
    return found


def test_rows_of_cases_that_stay_are_kept_above_those_counted_now(tmp_path: Path) -> None:
    _renewed(tmp_path, CASES, _counted(tmp_path / "first", "A", "B"))
    found = _renewed(tmp_path, CASES.assign(print=CASES["print"].mask(CASES["case_id"] == "A", 3)), _counted(tmp_path / "then", "A"))
    assert found["fact_event"][["case_id", "event_id"]].to_numpy().tolist() == [["B", 1], ["A", 2]]
    assert found["fact_stay"][["case_id", "chain"]].to_numpy().tolist() == [["B", 1], ["B", 1], ["A", 2], ["A", 2]]
    assert sorted(counting_memory.opened(tmp_path / "memory", "this code").cases["print"]) == [2, 3]


def test_where_a_row_names_no_case_nothing_is_remembered(tmp_path: Path) -> None:
    assert len(_renewed(tmp_path, CASES, _counted(tmp_path / "first", "A", None))["fact_event"]) == 2
    assert counting_memory.opened(tmp_path / "memory", "this code").cases.empty


def test_a_group_with_a_record_of_no_case_or_person_is_not_remembered() -> None:
    rows = [
        (0, "A", "case", None, 1),
        (0, "A", "person", "P", 1),
        (1, "B", "case", None, 2),
        (1, "B", "person", None, 2),
        (2, None, "case", None, 3),
    ]
    found = pd.DataFrame(rows, columns=["group", "case_id", "entity", "person_id", "print"])
    assert counting_memory.told(found)["case_id"].to_list() == ["A"]


def _flipped(path: Path, at: int) -> None:
    """Turn one bit of a file round."""
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def test_a_bit_that_has_turned_round_shows_where_the_rows_are_read(tmp_path: Path) -> None:
    _renewed(tmp_path, CASES, _counted(tmp_path / "first", "A", "B"))
    memory, kept = counting_memory.opened(tmp_path / "memory", "this code"), tmp_path / "memory" / "fact_event.parquet"
    place = pq.read_metadata(kept)
    column = place.row_group(place.num_row_groups - 1).column(place.schema.names.index("case_id"))
    _flipped(kept, column.data_page_offset + column.total_compressed_size - 1)
    assert len(counting_memory.opened(tmp_path / "memory", "this code").cases) == 2
    with pytest.raises(counting_memory.DamagedError):
        counting_memory.renewed(memory, CASES, [_counted(tmp_path / "then")], tmp_path / "made")
    _flipped(tmp_path / "memory" / "_cases.parquet", 30)
    assert counting_memory.opened(tmp_path / "memory", "this code").cases.empty


def test_what_a_run_made_bears_the_name_of_the_code_that_it_was_loaded_with(monkeypatch: pytest.MonkeyPatch) -> None:
    deliveries = pd.DataFrame({"institution": ["police"], "period": ["2013-Q1"], "state": ["complete"]})
    habits = pd.DataFrame({"year": [0.001]}, index=["police"])
    before = counting_memory.token(deliveries, habits)
    monkeypatch.setattr(counting_memory, "digest", lambda *_: "the code that took its place")
    assert counting_memory.token(deliveries, habits) == before
