"""Operations on integer arrays, used in place of merging and grouping frames: row numbers, lookups, first occurrences.

Belongs here: functions on plain integers. Does not belong here: anything about persons or files; texts as numbers (`encoded_texts`). Stored
results of linkage are used again only if this file has not changed (`pipelines.linkage.linkage_memory`).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def concatenate_ranges(first: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Concatenate the ranges `first`, `first` + 1, … of the lengths `counts`."""
    before = np.cumsum(counts) - counts
    return np.arange(int(counts.sum())) + np.repeat(first - before, counts)


def compute_run_starts(sizes: np.ndarray) -> np.ndarray:
    """Return the start of each of the consecutive runs with these `sizes`, followed by the end of the last run."""
    return np.concatenate([[0], np.cumsum(sizes)]).astype("int64")


def is_run_start(ordered: np.ndarray) -> np.ndarray:
    """Return for each of the sorted numbers whether it differs from the number before."""
    out = np.ones(len(ordered), dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=out[1:])
    return out


def find_distinct_numbers(numbers: np.ndarray) -> np.ndarray:
    """Return the distinct numbers, sorted. `numpy.unique` hashes them, which takes several times as long if most are distinct."""
    ordered = np.sort(numbers)
    return ordered[is_run_start(ordered)]


def find_positions(wanted: np.ndarray, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the position of each of `wanted` in the sorted `keys`, and whether `keys` has this number."""
    if not len(keys):
        return np.zeros(len(wanted), dtype="int64"), np.zeros(len(wanted), dtype=bool)
    position = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return position, keys[position] == wanted


class CodeLookup:
    """A table that gives one value for each code: the minimum (or another reduction) of `values` over the rows with this code."""

    def __init__(self, codes: np.ndarray, values: np.ndarray, reduction: np.ufunc = np.minimum) -> None:
        order = np.argsort(codes, kind="stable")
        codes, values = codes[order], np.asarray(values, dtype="float64")[order]
        first = np.flatnonzero(is_run_start(codes))
        self._codes = codes[first]
        self._values = reduction.reduceat(values, first) if len(codes) else values

    def look_up_values(self, codes: np.ndarray, missing: float = np.nan) -> np.ndarray:
        """Return the value of each code; `missing` for a code that has no value."""
        position, is_known = find_positions(codes, self._codes)
        out = np.full(len(codes), missing)
        out[is_known] = self._values[position[is_known]]
        return out


class RowIndexByOwner:
    """An index of rows by their owner. `owner` has the number of each row's owner, from 0 to `size` - 1; negative if a row has no owner."""

    def __init__(self, owner: np.ndarray, size: int) -> None:
        order = np.argsort(owner, kind="stable")
        self._rows = order[np.searchsorted(owner[order], 0) :]
        self.sizes = np.bincount(owner[self._rows], minlength=size)
        self._start = compute_run_starts(self.sizes)

    def find_rows_of_owners(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return all rows of the owners `numbers`, as two arrays: the position of the owner in `numbers`, and the row."""
        counts = self.sizes[numbers]
        return np.repeat(np.arange(len(numbers)), counts), self._rows[concatenate_ranges(self._start[numbers], counts)]

    def find_row_at_position(self, numbers: np.ndarray, places: np.ndarray) -> np.ndarray:
        """Return, for each owner in `numbers`, the row at the position `places` (from 0) among its rows."""
        return np.asarray(self._rows[self._start[numbers] + places])

    def combine_rows(self, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Combine each row of the owner `a[n]` with each row of the owner `b[n]`. Return n, the row of `a[n]`, and the row of `b[n]`."""
        position, left = self.find_rows_of_owners(a)
        counts = self.sizes[b[position]]
        return np.repeat(position, counts), np.repeat(left, counts), self._rows[concatenate_ranges(self._start[b[position]], counts)]


def find_first_largest_rows(number: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Return the first row with the largest `value` of each run of equal numbers in the sorted `number`."""
    if not len(number):
        return np.empty(0, dtype="int64")
    new = is_run_start(number)
    largest = np.maximum.reduceat(value, np.flatnonzero(new))
    rows = np.flatnonzero(value == largest[np.cumsum(new) - 1])
    return rows[is_run_start(number[rows])]


def compute_per_name(names: list[str] | np.ndarray, codes: np.ndarray, value: Callable[[str], float]) -> np.ndarray:
    """Compute `value` for the name of each code. It is called once per name."""
    return np.array([value(str(name)) for name in names], dtype="float64")[codes] if len(codes) else np.empty(0)
