"""Operations on integer arrays in place of merges and groups of frames: row numbers, lookups, first occurrences.

Belongs here: functions on plain integers. Does not belong here: anything about persons or files; text as numbers (`coded`). Stored linkage
results are used again only if this file has not changed (`pipelines.linkage.memory`).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def ranges(first: np.ndarray, many: np.ndarray) -> np.ndarray:
    """The numbers `first`, `first` + 1, … , `many` of them, one range after the other."""
    before = np.cumsum(many) - many
    return np.arange(int(many.sum())) + np.repeat(first - before, many)


def starts(sizes: np.ndarray) -> np.ndarray:
    """Where each of so many runs of `sizes` begins, and where the last one ends."""
    return np.concatenate([[0], np.cumsum(sizes)]).astype("int64")


def begins(ordered: np.ndarray) -> np.ndarray:
    """Of numbers in order, whether each is another than the one before."""
    out = np.ones(len(ordered), dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=out[1:])
    return out


def distinct(numbers: np.ndarray) -> np.ndarray:
    """Every number once, in order. `numpy.unique` hashes them, which takes several times as long where few are alike."""
    ordered = np.sort(numbers)
    return ordered[begins(ordered)]


def looked_up(wanted: np.ndarray, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each of `wanted` stands in the sorted `keys`, and whether it does."""
    if not len(keys):
        return np.zeros(len(wanted), dtype="int64"), np.zeros(len(wanted), dtype=bool)
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return place, keys[place] == wanted


class Table:
    """The least of `values` per code, to look up."""

    def __init__(self, codes: np.ndarray, values: np.ndarray, least: np.ufunc = np.minimum) -> None:
        order = np.argsort(codes, kind="stable")
        codes, values = codes[order], np.asarray(values, dtype="float64")[order]
        first = np.flatnonzero(begins(codes))
        self._codes = codes[first]
        self._values = least.reduceat(values, first) if len(codes) else values

    def at(self, codes: np.ndarray, missing: float = np.nan) -> np.ndarray:
        """The value of each code, `missing` where there is none."""
        place, there = looked_up(codes, self._codes)
        out = np.full(len(codes), missing)
        out[there] = self._values[place[there]]
        return out


class Rows:
    """Rows by the number that each belongs to (`owner`; below zero: none), of `size` numbers."""

    def __init__(self, owner: np.ndarray, size: int) -> None:
        order = np.argsort(owner, kind="stable")
        self._rows = order[np.searchsorted(owner[order], 0) :]
        self.sizes = np.bincount(owner[self._rows], minlength=size)
        self._start = starts(self.sizes)

    def of(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The rows of each of `numbers`: place in `numbers`, row."""
        many = self.sizes[numbers]
        return np.repeat(np.arange(len(numbers)), many), self._rows[ranges(self._start[numbers], many)]

    def at(self, numbers: np.ndarray, places: np.ndarray) -> np.ndarray:
        """The row in so manyeth place (from 0) of each of `numbers`."""
        return np.asarray(self._rows[self._start[numbers] + places])

    def across(self, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Every row of `a[n]` with every row of `b[n]`: n, row of `a`, row of `b`, in this order."""
        place, left = self.of(a)
        many = self.sizes[b[place]]
        return np.repeat(place, many), np.repeat(left, many), self._rows[ranges(self._start[b[place]], many)]


def most_of(number: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Of each run of an equal `number` (in order) the first row whose `value` is the largest."""
    if not len(number):
        return np.empty(0, dtype="int64")
    new = begins(number)
    largest = np.maximum.reduceat(value, np.flatnonzero(new))
    rows = np.flatnonzero(value == largest[np.cumsum(new) - 1])
    return rows[begins(number[rows])]


def each(names: list[str] | np.ndarray, codes: np.ndarray, value: Callable[[str], float]) -> np.ndarray:
    """`value` of the name of each code."""
    return np.array([value(str(name)) for name in names], dtype="float64")[codes] if len(codes) else np.empty(0)
