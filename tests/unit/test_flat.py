"""Flat arrays in place of merges and groups of frames."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.resources.integer_arrays import (
    CodeLookup,
    RowIndexByOwner,
    concatenate_ranges,
    find_distinct_numbers,
    find_positions,
    find_row_of_largest_value_per_group,
    is_first_of_equal_numbers,
)


@pytest.mark.parametrize(("numbers", "once"), [([3, 1, 3, 2], [1, 2, 3]), ([], []), ([-1], [-1])])
def test_each_number_once_in_order(numbers: list[int], once: list[int]) -> None:
    assert find_distinct_numbers(np.array(numbers, dtype="int64")).tolist() == once


@pytest.mark.parametrize(("ordered", "new"), [([1, 1, 2], [True, False, True]), ([4], [True]), ([], [])])
def test_where_each_run_of_equal_numbers_begins(ordered: list[int], new: list[bool]) -> None:
    assert is_first_of_equal_numbers(np.array(ordered, dtype="int64")).tolist() == new


def test_one_range_after_the_other() -> None:
    assert concatenate_ranges(np.array([5, 9, 0]), np.array([2, 0, 3])).tolist() == [5, 6, 0, 1, 2]


def test_rows_by_number_and_all_of_one_with_all_of_another() -> None:
    rows = RowIndexByOwner(np.array([1, 0, 1, -1, 2]), 4)
    assert rows.sizes.tolist() == [1, 2, 1, 0]
    assert [part.tolist() for part in rows.combine_rows(np.array([1, 3, 2]), np.array([0, 1, 1]))] == [
        [0, 0, 2, 2],
        [0, 2, 4, 4],
        [1, 1, 0, 2],
    ]


def test_lookups() -> None:
    assert CodeLookup(np.array([7, 3, 7]), np.array([5, 2, 4])).look_up_values(np.array([3, 7, 8])).tolist() == pytest.approx(
        [2, 4, np.nan], nan_ok=True
    )
    assert [part.tolist() for part in find_positions(np.array([4, 9]), np.array([1, 4]))] == [[1, 1], [True, False]]


@pytest.mark.parametrize(
    ("number", "value", "rows"), [([0, 0, 4, 4, 4], [1.0, 2.0, 3.0, 5.0, 5.0], [1, 3]), ([7], [-np.inf], [0]), ([], [], [])]
)
def test_of_each_number_the_first_row_with_the_largest_value(number: list[int], value: list[float], rows: list[int]) -> None:
    assert find_row_of_largest_value_per_group(np.array(number, dtype="int64"), np.array(value, dtype="float64")).tolist() == rows
