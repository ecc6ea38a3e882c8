"""Groups of rows that share a value: every pair once, in chunks of any size, with or without rows known before."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from volume import examples

from pipelines.linkage.row_groups import RowGroups, group_rows_by_value

ROWS = 12
VALUES = st.lists(st.tuples(st.integers(0, 6), st.integers(0, ROWS - 1)), max_size=40, unique=True)


def groups_of(values: list[tuple[int, int]]) -> RowGroups:
    value, row = (np.array([pair[n] for pair in values], dtype=kind) for n, kind in ((0, "uint64"), (1, "int64")))
    return group_rows_by_value(value, row, ROWS)[0]


def pairs_of(values: list[tuple[int, int]]) -> set[tuple[int, int]]:
    return {tuple(sorted((a, b))) for (v, a), (w, b) in itertools.combinations(values, 2) if v == w}


def made(groups: RowGroups, fresh: np.ndarray | None = None, chunk: int = 3) -> list[tuple[int, int]]:
    return [pair for left, right in groups.generate_pairs(fresh, chunk) for pair in zip(left.tolist(), right.tolist(), strict=True)]


@settings(max_examples=examples(200))
@given(VALUES, st.integers(1, 50))
def test_every_pair_comes_once_and_in_order(values: list[tuple[int, int]], chunk: int) -> None:
    found = made(groups_of(values), chunk=chunk)
    assert found == sorted(pairs_of(values))
    assert made(groups_of(values).drop_duplicate_groups(), chunk=chunk) == found


@settings(max_examples=examples(200))
@given(VALUES, st.sets(st.integers(0, ROWS - 1)))
def test_pairs_of_fresh_rows_and_no_others(values: list[tuple[int, int]], fresh: set[int]) -> None:
    is_fresh = np.isin(np.arange(ROWS), list(fresh))
    found = made(groups_of(values), is_fresh)
    assert sorted(found) == sorted(pair for pair in pairs_of(values) if fresh & set(pair))


@settings(max_examples=examples(100))
@given(VALUES, st.lists(st.integers(-1, 3), min_size=ROWS, max_size=ROWS))
def test_pairs_within_parts(values: list[tuple[int, int]], part: list[int]) -> None:
    found = made(groups_of(values).split_groups_by_component(np.array(part)))
    assert found == sorted((a, b) for a, b in pairs_of(values) if part[a] == part[b] >= 0)
