"""Levels and match weights of many pairs of records, whatever the records and fields: by codes, chunk by chunk.

Belongs here: values as codes, each comparison done once per pair of distinct values, Fellegi–Sunter weights with term frequencies,
scoring of a whole stream of candidates. Does not belong here: the tests behind the levels (`compare`), which pairs there are
(`blocks`), what is peculiar to persons of five institutions (`score`), how the shares are found (`estimate`).

A field's values are factorised once. Codes are numbered by frequency, so that pairs of the frequent values meet in a small table of
levels that is filled as they come up; pairs of rare values are compared one by one. Levels are int8, weights float32: tens of
millions of pairs pass in chunks and leave only what weighs enough.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.linkage.blocks import Key, Limits, open_blocks
from pipelines.linkage.compare import MISSING, Values, column_values, compare
from pipelines.linkage.model import Field

# So many of the most frequent values of a field have a table of levels: 4096² bytes are 16 MiB.
TABLE = 4096
UNKNOWN = -2


@dataclass(frozen=True)
class Encoded:
    """Values of some columns of records: `codes` per record, `values` per code (an array a column, as `compare` takes them), `count` of
    records per code. The most frequent value has code 0."""

    codes: np.ndarray
    values: Values
    count: np.ndarray


def encode(records: pd.DataFrame, columns: tuple[str, ...]) -> Encoded:
    """Codes for the distinct combinations of `columns` in `records`."""
    combined = np.zeros(len(records), dtype="int64")
    for column in columns:
        codes, distinct = pd.factorize(records[column])
        combined = combined * (len(distinct) + 1) + codes + 1
    codes = pd.factorize(combined)[0]
    count = np.bincount(codes)
    order = np.argsort(-count, kind="stable")
    rank = np.empty(len(order), dtype="int32")
    rank[order] = np.arange(len(order), dtype="int32")
    codes = rank[codes]
    first = np.empty(len(order), dtype="int64")
    first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)
    values = column_values(records[list(columns)].iloc[first], columns, np.arange(len(first)))
    return Encoded(codes, values, count[order])


class Comparer:
    """Levels of one field for pairs of codes; `absent`: codes without any value."""

    def __init__(self, field: Field, encoded: Encoded) -> None:
        self.field, self._values, self._size = field, encoded.values, len(encoded.count)
        every = np.arange(self._size)
        # What a value reaches against itself is asked for far more often than anything else.
        self._itself = self._compare(every, every)
        self.absent = self._itself == MISSING
        width = min(self._size, TABLE)
        self._table, self._width = np.full(width * width, UNKNOWN, dtype="int8"), np.int32(width)

    def levels(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Level (int8) per pair of codes, `MISSING` where either side is absent."""
        found = self._itself[a]
        rows = np.flatnonzero(a != b)
        found[rows] = self._different(a[rows], b[rows])
        return found

    def _different(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        if self._width == self._size:
            return self._tabled(a, b)
        found = np.full(len(a), MISSING, dtype="int8")
        tabled = (a < self._width) & (b < self._width)
        found[tabled] = self._tabled(a[tabled], b[tabled])
        rare = np.flatnonzero(~tabled & ~self.absent[a] & ~self.absent[b])
        found[rare] = self._compare(a[rare], b[rare])
        return found

    def _tabled(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        cells = a * self._width + b
        found = self._table[cells]
        open_rows = np.flatnonzero(found == UNKNOWN)
        if len(open_rows):
            new = pd.unique(cells[open_rows])
            self._table[new] = self._compare(new // self._width, new % self._width)
            found[open_rows] = self._table[cells[open_rows]]
        return found

    def _compare(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return compare(self.field, [v[a] for v in self._values], [v[b] for v in self._values]).astype("int8")


class Weigher:
    """Match weight (bits, float32) of one field per pair: log2 m/u of its level, and the term frequency of the commoner value."""

    def __init__(self, field: Field, encoded: Encoded) -> None:
        self.comparer = Comparer(field, encoded)
        self._codes = encoded.codes
        m, u = (np.array([getattr(level, share) for level in field.levels]) for share in ("m", "u"))
        self._bits = np.append(np.log2(m / u), 0.0).astype("float32")
        self._share = np.append([level.frequency for level in field.levels], 0.0).astype("float32")
        share = encoded.count / max(encoded.count[~self.comparer.absent].sum(), 1)
        self._rarity = (np.log2(u[0]) - np.log2(share)).astype("float32")

    def __call__(self, left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Levels and bits of pairs of rows."""
        a, b = self._codes[left], self._codes[right]
        levels = self.comparer.levels(a, b)
        bits = self._bits[levels]
        if self._share.any():
            rows = np.flatnonzero(self._share[levels])
            rarity = np.minimum(self._rarity[a[rows]], self._rarity[b[rows]])
            bits[rows] += self._share[levels[rows]] * rarity
        return levels, bits


@dataclass(frozen=True)
class Scored:
    """Pairs of rows with `weight` (bits, the odds before included) and, if asked for, `levels` (a column a field); `compared` counts
    all candidates, also those below the weight asked for. `report`: see `blocks.open_blocks`."""

    left: np.ndarray
    right: np.ndarray
    weight: np.ndarray
    levels: np.ndarray | None
    compared: int
    report: pd.DataFrame


def score_pairs(
    records: pd.DataFrame,
    keys: tuple[Key, ...],
    fields: tuple[Field, ...],
    odds: float = 0.0,
    least: float = -np.inf,
    limits: Limits | None = None,
    source: str | None = None,
    with_levels: bool = False,
) -> Scored:
    """Score every candidate pair of `records`; keep those that weigh at least `least` bits.

    `odds`: log2 odds before the comparison. `limits`, `source`: see `blocks.open_blocks`.
    """
    kept: list[tuple[np.ndarray, ...]] = []
    compared = 0
    # Values are encoded while DuckDB hashes and counts those of the keys.
    with ThreadPoolExecutor(1) as pool:
        encoding = pool.submit(_weighers, records, fields)
        with open_blocks(records, keys, limits, source) as blocks:
            weighers = encoding.result()
            for left, right in blocks.batches():
                compared += len(left)
                kept.append(_score(weighers, left, right, odds, least, with_levels))
            left, right, weight, levels = _joined(kept, len(fields))
            return Scored(left, right, weight, levels if with_levels else None, compared, blocks.report)


def _weighers(records: pd.DataFrame, fields: tuple[Field, ...]) -> list[Weigher]:
    return [Weigher(field, encode(records, field.columns)) for field in fields]


def _score(
    weighers: Iterable[Weigher], left: np.ndarray, right: np.ndarray, odds: float, least: float, with_levels: bool
) -> tuple[np.ndarray, ...]:
    weight = np.full(len(left), odds, dtype="float32")
    levels = []
    for weigher in weighers:
        level, bits = weigher(left, right)
        weight += bits
        levels.append(level)
    rows = np.flatnonzero(weight >= least)
    table = np.column_stack(levels)[rows] if with_levels else np.empty((0, len(levels)), dtype="int8")
    return left[rows], right[rows], weight[rows], table


def _joined(parts: list[tuple[np.ndarray, ...]], fields: int) -> tuple[np.ndarray, ...]:
    none = (np.empty(0, "int32"), np.empty(0, "int32"), np.empty(0, "float32"), np.empty((0, fields), "int8"))
    return tuple(np.concatenate(columns) for columns in zip(none, *parts, strict=True))
