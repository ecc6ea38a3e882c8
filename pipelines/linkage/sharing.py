"""Rows that share a value, and the pairs that they make.

Belongs here: groups of rows as flat arrays, their pairs in chunks. Does not belong here: what the values are (`blocking`).

A row stands in many groups, and two rows often meet in several: groups of the same rows are kept once, and pairs are made row by row, so
that each comes once and no more than a chunk of them is held.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from pipelines.linkage.hashing import mixed
from pipelines.resources.flat import begins, distinct, ranges, starts

CHUNK = 1 << 19
# Rows are taken up by stretches that make so many chunks of pairs.
STRETCH = 4
Pairs = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Groups:
    """Groups of two rows or more: the rows of group g are `row[start[g]:start[g + 1]]`, ascending. `size`: number of rows there are."""

    row: np.ndarray
    start: np.ndarray
    size: int

    @property
    def sizes(self) -> np.ndarray:
        """Rows of each group."""
        return np.diff(self.start)

    @property
    def of_entries(self) -> np.ndarray:
        """Number of the group of every entry of `row`."""
        return np.repeat(np.arange(len(self.start) - 1), self.sizes)

    def at(self, chosen: np.ndarray) -> Groups:
        """The groups where `chosen` holds."""
        sizes = self.sizes
        return Groups(self.row[np.repeat(chosen, sizes)], starts(sizes[chosen]), self.size)

    def distinct(self) -> Groups:
        """Groups of the same rows once."""
        if not len(self.row):
            return self
        content = np.add.reduceat(mixed(self.row + 1), self.start[:-1])  # the hash of 0 is 0
        first = np.zeros(len(self.start) - 1, dtype=bool)
        first[np.unique(content, return_index=True)[1]] = True
        return self.at(first)

    def within(self, part: np.ndarray) -> Groups:
        """Groups of the rows that share a value and a number of `part` (per row; below zero: none)."""
        own = part[self.row]
        there = own >= 0
        number = self.of_entries[there] * (int(part.max(initial=0)) + 1) + own[there]
        return grouped(number, self.row[there], self.size)[0].distinct()

    def of_rows(self, rows: np.ndarray) -> Groups:
        """The groups that hold any of `rows` (whether, per row)."""
        return self.at(np.logical_or.reduceat(rows[self.row], self.start[:-1])) if len(self.row) else self

    def pairs(self, fresh: np.ndarray | None = None, chunk: int = CHUNK, turn: tuple[int, int] = (0, 1)) -> Iterator[Pairs]:
        """The pairs (`left` < `right`), each once, about `chunk` at a time; only those with a row that is `fresh`, if that is given.

        `turn`: which stretch of rows to begin with, of a few chunks each, and how many to go on: others take the others.
        """
        for low, high in self._stretches(fresh, STRETCH * chunk)[turn[0] :: turn[1]]:
            yield from self._of_stretch(low, high, fresh, chunk)

    def _stretches(self, fresh: np.ndarray | None, pairs: int) -> list[tuple[int, int]]:
        """Ends of stretches of rows that make about so many `pairs`."""
        sizes = self.sizes
        many = np.repeat(sizes if fresh is not None else self.start[1:] - 1, sizes).astype("float64")
        many = np.where(fresh[self.row], many, 0.0) if fresh is not None else many - np.arange(len(many))
        before = np.append(0.0, np.cumsum(np.bincount(self.row, weights=many, minlength=self.size)))
        ends = np.unique(np.concatenate([[0], np.searchsorted(before, np.arange(pairs, before[-1], pairs)), [self.size]]))
        return list(zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True))

    def _of_stretch(self, low: int, high: int, fresh: np.ndarray | None, chunk: int) -> Iterator[Pairs]:
        there = (self.row >= low) & (self.row < high)
        order = np.flatnonzero(there if fresh is None else there & fresh[self.row])
        order = order[np.argsort(self.row[order], kind="stable")]
        group = np.searchsorted(self.start, order, side="right") - 1
        first = order + 1 if fresh is None else self.start[group]
        row, many = self.row[order].astype("int64"), self.start[group + 1] - first
        for begin, end in _cuts(row, many, chunk):
            left = np.repeat(row[begin:end], many[begin:end])
            right = self.row[ranges(first[begin:end], many[begin:end])].astype("int64")
            if fresh is not None:  # a pair of two fresh rows comes with the smaller
                kept = (right != left) & ~(fresh[right] & (right < left))
                left, right = left[kept], right[kept]
            codes = distinct(np.minimum(left, right) * self.size + np.maximum(left, right))
            yield codes // self.size, codes % self.size


def grouped(value: np.ndarray, row: np.ndarray, size: int) -> tuple[Groups, np.ndarray]:
    """Groups of two rows or more with one `value`, and the value of each. Rows stand at most once with one value."""
    if (value[1:] < value[:-1]).any():
        order = np.argsort(value)
        value, row = value[order], row[order]
    first = np.flatnonzero(begins(value))
    sizes = np.diff(np.append(first, len(value)))
    several = sizes > 1
    rows = row[np.repeat(several, sizes)].astype("int64")
    sizes = sizes[several]
    rows = np.sort(np.repeat(np.arange(len(sizes)), sizes) * size + rows) % max(size, 1)
    return Groups(rows.astype("int32"), starts(sizes), size), value[first[several]]


def joined(every: Iterable[Groups], size: int) -> Groups:
    """The groups of several, one after the other."""
    every = list(every)
    rows = np.concatenate([groups.row for groups in every] or [np.empty(0, dtype="int32")])
    return Groups(rows, starts(np.concatenate([groups.sizes for groups in every] or [np.empty(0, dtype="int64")])), size)


def _cuts(row: np.ndarray, many: np.ndarray, chunk: int) -> list[tuple[int, int]]:
    """Ends of stretches of about `chunk` pairs that part no row."""
    if not len(row):
        return []
    first = np.append(np.flatnonzero(begins(row)), len(row))
    before = np.append(0, np.cumsum(many))[first]
    wanted = np.arange(chunk, int(before[-1]), chunk)
    cuts = np.unique(np.concatenate([[0], first[np.searchsorted(before, wanted)], [len(row)]]))
    return list(zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True))
