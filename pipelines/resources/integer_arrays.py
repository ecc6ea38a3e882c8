"""Operations on arrays of integers: row numbers, lookups, first occurrences. They replace slower operations on frames.

Belongs here: functions of plain integers. Does not belong here: anything about persons or files; texts as numbers (`encoded_texts`). Stored
results of linkage are used again only if this file has not changed (`pipelines.linkage.linkage_memory`).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def concatenate_ranges(first: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Concatenate ranges of consecutive integers.

    The n-th range begins with the n-th number of `first`, and has the n-th length of `counts`.
    """
    before = np.cumsum(counts) - counts
    return np.arange(int(counts.sum())) + np.repeat(first - before, counts)


def compute_group_starts(sizes: np.ndarray) -> np.ndarray:
    """Return the position at which each of several consecutive groups begins, and after these the position at which the last group ends.

    `sizes` has the number of elements of each group.
    """
    return np.concatenate([[0], np.cumsum(sizes)]).astype("int64")


def is_first_of_equal_numbers(sorted_numbers: np.ndarray) -> np.ndarray:
    """Return, for each of the sorted numbers, whether it differs from the number before it."""
    out = np.ones(len(sorted_numbers), dtype=bool)
    np.not_equal(sorted_numbers[1:], sorted_numbers[:-1], out=out[1:])
    return out


def find_distinct_numbers(numbers: np.ndarray) -> np.ndarray:
    """Return the distinct numbers, sorted.

    `numpy.unique` would take several times as long if most numbers are distinct, since it hashes them.
    """
    ordered = np.sort(numbers)
    return ordered[is_first_of_equal_numbers(ordered)]


def find_positions(wanted_numbers: np.ndarray, sorted_numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the position of each of `wanted_numbers` in `sorted_numbers`, and whether `sorted_numbers` contains it."""
    if not len(sorted_numbers):
        return np.zeros(len(wanted_numbers), dtype="int64"), np.zeros(len(wanted_numbers), dtype=bool)
    position = np.minimum(np.searchsorted(sorted_numbers, wanted_numbers), len(sorted_numbers) - 1)
    return position, sorted_numbers[position] == wanted_numbers


class CodeLookup:
    """A table that gives one value for each code.

    The value is the minimum of `values` over all rows with this code, or another `reduction`.
    """

    def __init__(self, codes: np.ndarray, values: np.ndarray, reduction: np.ufunc = np.minimum) -> None:
        order = np.argsort(codes, kind="stable")
        codes, values = codes[order], np.asarray(values, dtype="float64")[order]
        first = np.flatnonzero(is_first_of_equal_numbers(codes))
        self._codes = codes[first]
        self._values = reduction.reduceat(values, first) if len(codes) else values

    def look_up_values(self, codes: np.ndarray, missing: float = np.nan) -> np.ndarray:
        """Return the value of each code; `missing` for a code that has no value."""
        position, is_known = find_positions(codes, self._codes)
        out = np.full(len(codes), missing)
        out[is_known] = self._values[position[is_known]]
        return out


class RowIndexByOwner:
    """An index that finds the rows of an owner.

    `owner` has the number of the owner of each row, from 0 to `size` - 1; it is negative if the row has no owner.
    """

    def __init__(self, owner: np.ndarray, size: int) -> None:
        order = np.argsort(owner, kind="stable")
        self._rows = order[np.searchsorted(owner[order], 0) :]
        self.sizes = np.bincount(owner[self._rows], minlength=size)
        self._start = compute_group_starts(self.sizes)

    def find_rows_of_owners(self, owner_numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return all rows of the owners `owner_numbers`, as two arrays: the position of the owner in `owner_numbers`, and the row."""
        counts = self.sizes[owner_numbers]
        return np.repeat(np.arange(len(owner_numbers)), counts), self._rows[concatenate_ranges(self._start[owner_numbers], counts)]

    def find_row_at_position(self, owner_numbers: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Return one row for each owner in `owner_numbers`. `positions` says which of the owner's rows, counted from 0."""
        return np.asarray(self._rows[self._start[owner_numbers] + positions])

    def combine_rows(self, first_owners: np.ndarray, second_owners: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """For each n, combine every row of the n-th of `first_owners` with every row of the n-th of `second_owners`.

        Return three arrays: n, the row of the first owner, and the row of the second owner.
        """
        position, left = self.find_rows_of_owners(first_owners)
        counts = self.sizes[second_owners[position]]
        return (
            np.repeat(position, counts),
            np.repeat(left, counts),
            self._rows[concatenate_ranges(self._start[second_owners[position]], counts)],
        )


def find_row_of_largest_value_per_group(group_numbers: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return, for each group, the first of the rows with the largest value.

    `group_numbers` has the group of each row; it must be sorted.
    """
    if not len(group_numbers):
        return np.empty(0, dtype="int64")
    new = is_first_of_equal_numbers(group_numbers)
    largest = np.maximum.reduceat(values, np.flatnonzero(new))
    rows = np.flatnonzero(values == largest[np.cumsum(new) - 1])
    return rows[is_first_of_equal_numbers(group_numbers[rows])]


def compute_once_per_name(names: list[str] | np.ndarray, codes: np.ndarray, compute_value: Callable[[str], float]) -> np.ndarray:
    """Return `compute_value(name)` for the name of each code. The value is computed only once for each name."""
    return np.array([compute_value(str(name)) for name in names], dtype="float64")[codes] if len(codes) else np.empty(0)
