"""Levels and match weights of many pairs of records, whatever the records and fields: by codes, chunk by chunk.

Belongs here: Fellegi–Sunter weights with term frequencies, scoring of a whole stream of candidates. Does not belong here: values as codes
(`encoded`), the tests behind the levels (`compare`), which pairs there are (`blocks`), what is peculiar to persons of five institutions
(`score`), how the shares are found (`estimate`).

Levels are int8, weights float32: tens of millions of pairs pass in chunks and leave only what weighs enough.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.linkage.blocks import Key, Limits, find_blocks
from pipelines.linkage.encoded import Comparer, Encoded, encode
from pipelines.linkage.model import Field


class Weigher:
    """Match weight (bits, float32) of one field per pair: log2 m/u of its level, and the term frequency of the commoner value."""

    def __init__(self, field: Field, encoded: Encoded) -> None:
        self.comparer = Comparer(field, encoded.values)
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
    all candidates, also those below the weight asked for. `report`: see `blocks.find_blocks`."""

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

    `odds`: log2 odds before the comparison. `limits`, `source`: see `blocks.find_blocks`.
    """
    kept: list[tuple[np.ndarray, ...]] = []
    compared = 0
    # Values are encoded while those of the keys are hashed and sorted.
    with ThreadPoolExecutor(1) as pool:
        encoding = pool.submit(_weighers, records, fields)
        blocks = find_blocks(records, keys, limits, source)
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
    return left[rows].astype("int32"), right[rows].astype("int32"), weight[rows], table


def _joined(parts: list[tuple[np.ndarray, ...]], fields: int) -> tuple[np.ndarray, ...]:
    none = (np.empty(0, "int32"), np.empty(0, "int32"), np.empty(0, "float32"), np.empty((0, fields), "int8"))
    return tuple(np.concatenate(columns) for columns in zip(none, *parts, strict=True))
