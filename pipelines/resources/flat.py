"""Operations on integer arrays in place of merges and groups of frames: row numbers, lookups, first occurrences.

Belongs here: functions on plain integers. Does not belong here: anything about persons or files; text as numbers (`coded`). Stored linkage
results are used again only if this file has not changed (`pipelines.linkage.memory`).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def ranges(first: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The ranges `first`, `first` + 1, … of the lengths `counts`, concatenated."""
    before = np.cumsum(counts) - counts
    return np.arange(int(counts.sum())) + np.repeat(first - before, counts)


def starts(sizes: np.ndarray) -> np.ndarray:
    """The start of each of the consecutive runs with these `sizes`, and the end of the last."""
    return np.concatenate([[0], np.cumsum(sizes)]).astype("int64")


def begins(ordered: np.ndarray) -> np.ndarray:
    """Whether each of the sorted numbers differs from the one before."""
    out = np.ones(len(ordered), dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=out[1:])
    return out


def distinct(numbers: np.ndarray) -> np.ndarray:
    """The distinct numbers, sorted. `numpy.unique` hashes, which takes several times as long where most are distinct."""
    ordered = np.sort(numbers)
    return ordered[begins(ordered)]


def looked_up(wanted: np.ndarray, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The position of each of `wanted` in the sorted `keys`, and whether it is there."""
    if not len(keys):
        return np.zeros(len(wanted), dtype="int64"), np.zeros(len(wanted), dtype=bool)
    position = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return position, keys[position] == wanted


class Table:
    """The minimum of `values` (or another reduction) by code, for lookups."""

    def __init__(self, codes: np.ndarray, values: np.ndarray, reduction: np.ufunc = np.minimum) -> None:
        order = np.argsort(codes, kind="stable")
        codes, values = codes[order], np.asarray(values, dtype="float64")[order]
        first = np.flatnonzero(begins(codes))
        self._codes = codes[first]
        self._values = reduction.reduceat(values, first) if len(codes) else values

    def at(self, codes: np.ndarray, missing: float = np.nan) -> np.ndarray:
        """The value of each code; `missing` where there is none."""
        position, found = looked_up(codes, self._codes)
        out = np.full(len(codes), missing)
        out[found] = self._values[position[found]]
        return out


class Rows:
    """An index of rows by the number that each belongs to: `owner` of each row, from 0 to `size` - 1; negative for none."""

    def __init__(self, owner: np.ndarray, size: int) -> None:
        order = np.argsort(owner, kind="stable")
        self._rows = order[np.searchsorted(owner[order], 0) :]
        self.sizes = np.bincount(owner[self._rows], minlength=size)
        self._start = starts(self.sizes)

    def of(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """All rows of each of `numbers`: position in `numbers`, row."""
        counts = self.sizes[numbers]
        return np.repeat(np.arange(len(numbers)), counts), self._rows[ranges(self._start[numbers], counts)]

    def at(self, numbers: np.ndarray, places: np.ndarray) -> np.ndarray:
        """The row at position `places` (from 0) among the rows of each of `numbers`."""
        return np.asarray(self._rows[self._start[numbers] + places])

    def across(self, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Each row of `a[n]` with each row of `b[n]`: n, row of `a`, row of `b`."""
        position, left = self.of(a)
        counts = self.sizes[b[position]]
        return np.repeat(position, counts), np.repeat(left, counts), self._rows[ranges(self._start[b[position]], counts)]


def most_of(number: np.ndarray, value: np.ndarray) -> np.ndarray:
    """For each run of equal numbers in the sorted `number`, the first row with the largest `value`."""
    if not len(number):
        return np.empty(0, dtype="int64")
    new = begins(number)
    largest = np.maximum.reduceat(value, np.flatnonzero(new))
    rows = np.flatnonzero(value == largest[np.cumsum(new) - 1])
    return rows[begins(number[rows])]


def each(names: list[str] | np.ndarray, codes: np.ndarray, value: Callable[[str], float]) -> np.ndarray:
    """`value` of the name of each code, computed once per name."""
    return np.array([value(str(name)) for name in names], dtype="float64")[codes] if len(codes) else np.empty(0)
