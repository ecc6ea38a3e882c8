"""Texts as numbers: read from the lake or from a frame, they are the same texts, and rows that are alike have one number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipelines.resources import encoded_texts, lake
from pipelines.resources.lake import Tables


def _frame() -> pd.DataFrame:
    return pd.DataFrame({"key": pd.Series(["b", None, "a", "b"], dtype="str"), "line": pd.Series([6, None, 7, 8], dtype="Int64"), "x": "x"})


def test_a_table_is_coded_alike_whether_it_is_held_or_in_the_lake(tmp_path: Path) -> None:
    lake.write_tables(tmp_path / "stage", {"found": _frame(), "none": _frame().iloc[:0]})
    for tables in (Tables(tmp_path / "stage"), Tables({"found": _frame(), "none": _frame().iloc[:0]})):
        made = encoded_texts.concatenate_encoded_tables(
            [tables.read_encoded_columns("found", ["key", "line"]), tables.read_encoded_columns("none", ["key", "line"])]
        )
        assert list(made) == ["key", "line"]
        assert made["key"].astype("str").tolist() == _frame()["key"].tolist()
        assert encoded_texts.get_text_codes(made["key"]).tolist() == [0, -1, 1, 0]
        np.testing.assert_array_equal(made["line"], [6, np.nan, 7, 8])


def test_a_text_has_the_number_that_it_has_in_another_column() -> None:
    one, other = (pd.Series(texts, dtype="category") for texts in (["c", None, "a"], ["a", "b", "c"]))
    assert encoded_texts.find_codes_in_column(one, other).tolist() == [2, -1, 0]


def test_rows_that_are_alike_have_one_number_in_the_order_of_appearance() -> None:
    large = 2**40
    first, second = np.array([large, 5, -1, large]), np.array([3, 3, large, 3])
    assert encoded_texts.number_equal_rows(first, second).tolist() == [0, 1, 2, 0]
    assert encoded_texts.number_equal_rows(np.empty(0, dtype="int64")).tolist() == []


@pytest.mark.parametrize("rows", [1, 3, 9])
def test_a_table_is_read_some_rows_at_a_time_in_order(tmp_path: Path, rows: int) -> None:
    lake.write_tables(tmp_path / "stage", {"found": _frame(), "none": _frame().iloc[:0]})
    for tables in (Tables(tmp_path / "stage"), Tables({"found": _frame(), "none": _frame().iloc[:0]})):
        parts = list(tables.iterate_batches("found", rows))
        assert max(map(len, parts)) <= rows
        pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True), _frame())
        (nothing,) = tables.iterate_batches("none", rows)
        pd.testing.assert_frame_equal(nothing, _frame().iloc[:0])


def test_a_text_is_among_others_as_isin_says() -> None:
    texts = pd.Series(["a", None, "b", "c"], index=[3, 1, 4, 5], dtype="str")
    for others in (pd.Series(["b", "a", "x"], dtype="str"), pd.Series([None, "c"], dtype="str"), pd.Series([], dtype="str"), pd.Index([])):
        pd.testing.assert_series_equal(encoded_texts.are_texts_in(texts, others), texts.isin(others))
        pd.testing.assert_series_equal(encoded_texts.are_texts_in(texts.iloc[:0], others), texts.iloc[:0].isin(others))


def test_coded_rows_become_plain_again() -> None:
    texts, numbers = pd.Series(["a", None, "b"], dtype="str"), pd.Series([1, None, 3], dtype="Int64")
    frame = pd.DataFrame({"text": texts, "nothing": pd.Series([None] * 3, dtype="str"), "line": numbers})
    back = encoded_texts.decode_texts_of_frame(encoded_texts.concatenate_encoded_tables([encoded_texts.encode_texts_of_frame(frame)]))
    pd.testing.assert_frame_equal(back, frame)
    pd.testing.assert_frame_equal(encoded_texts.decode_texts_of_frame(frame), frame)


def test_places_are_those_of_an_index() -> None:
    known = pd.Index(["x", "y"])
    assert encoded_texts.find_text_positions(pd.Series(["y", None, "z", "x"], dtype="str"), known).tolist() == [1, -1, -1, 0]
    assert encoded_texts.find_text_positions(pd.Series([], dtype="str"), pd.Index([], dtype="str")).tolist() == []
