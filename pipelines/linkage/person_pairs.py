"""A store of the compared pairs of person records. Each pair is compared once.

Belongs here: the store of pairs with their levels, bits and weights. Does not belong here: decisions that depend on the weight.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from pipelines.linkage.compare import MISSING_LEVEL
from pipelines.linkage.model import LinkageModel
from pipelines.linkage.score import Likelihoods, PairScorer, TokenFrequencies
from pipelines.linkage.standardise import LinkageRecords
from pipelines.resources.integer_arrays import find_distinct_numbers, find_positions


class ComparedPersonPairs:
    """The compared pairs of rows of `LinkageRecords.persons`. A pair is compared when it is added to this store for the first time."""

    def __init__(self, records: LinkageRecords, model: LinkageModel) -> None:
        """Create an empty store.

        It uses the scorer in the memo of `records`. If there is none, it makes a scorer with the name frequencies of `records`.
        """
        persons = records.persons
        self._scorer: PairScorer = records.memo.get("scorer") or PairScorer.make_for_persons(persons, model)
        self._size = max(len(persons), 1)
        self._codes = np.empty(0, dtype="int64")
        self._found: Likelihoods = self._scorer.compute_likelihoods_of_pairs(self._codes, self._codes)

    @property
    def token_frequencies(self) -> TokenFrequencies:
        """The frequencies of names with which pairs are weighed."""
        return self._scorer.token_frequencies

    def __len__(self) -> int:
        return len(self._codes)

    @property
    def left(self) -> np.ndarray:
        """The smaller of the two row numbers of each pair."""
        return self._codes // self._size

    @property
    def right(self) -> np.ndarray:
        """The greater of the two row numbers of each pair."""
        return self._codes % self._size

    @property
    def bits(self) -> pd.DataFrame:
        """The bits that each field gives for each pair, in one column for each field."""
        return self._found.bits

    def take_field_evidence(self, rows: np.ndarray) -> np.ndarray:
        """Return the bits of the pairs at `rows`, in one column for each field; NaN if one of the two records has no value in the field."""
        bits = self._found.bits.to_numpy()[rows].astype("float64")
        missing = self._found.levels.to_numpy()[rows] == MISSING_LEVEL
        return np.where(missing, np.nan, bits)

    def replace_pairs(self, left: np.ndarray, right: np.ndarray, likelihoods: Likelihoods) -> None:
        """Replace the content of the store by sorted pairs (`left` < `right`) that were compared elsewhere, and their `likelihoods`."""
        self._codes, self._found = self._encode_pairs(left, right), likelihoods

    def add_pairs(self, left: np.ndarray, right: np.ndarray) -> None:
        """Add pairs to the store, and compare those that are new to it. The order of the two rows of a pair does not matter."""
        codes = find_distinct_numbers(self._encode_pairs(left, right))
        if len(self._codes):
            place = np.minimum(np.searchsorted(self._codes, codes), len(self._codes) - 1)
            codes = codes[self._codes[place] != codes]
        if not len(codes):
            return
        fresh = self._scorer.compute_likelihoods_of_pairs(codes // self._size, codes % self._size)
        both = np.concatenate([self._codes, codes])
        order = np.argsort(both, kind="stable")
        self._codes = both[order]
        self._found = _concatenate_likelihoods([self._found, fresh], order)

    def find_positions_of_pairs(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Return the positions in the store of pairs that were added to it earlier."""
        return np.searchsorted(self._codes, self._encode_pairs(left, right))

    def find_comparison_levels(self, left: np.ndarray, right: np.ndarray) -> pd.DataFrame:
        """Return the comparison level of each field for the pairs `left`, `right`. Pairs that are not in the store are compared."""
        place, there = find_positions(self._encode_pairs(left, right), self._codes)
        found = self._found.levels.to_numpy()[np.where(there, place, 0)] if len(self._codes) else np.empty((len(left), 0), dtype="int8")
        fresh = self._scorer.compute_likelihoods_of_pairs(np.minimum(left, right)[~there], np.maximum(left, right)[~there]).levels
        if len(fresh) == len(left):
            return fresh
        found[~there] = fresh.to_numpy()
        return pd.DataFrame(found, columns=fresh.columns)

    @property
    def weight(self) -> np.ndarray:
        """The match weight (bits) of each pair."""
        return self._found.weight

    def _encode_pairs(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Return a number that stands for each pair; the order of the two rows does not matter."""
        return np.minimum(left, right).astype("int64") * self._size + np.maximum(left, right)


def _concatenate_likelihoods(parts: Iterable[Likelihoods], order: np.ndarray) -> Likelihoods:
    """Return the comparisons in `parts` one after the other, and then in the order `order`."""
    parts = list(parts)
    levels, bits = (
        pd.concat([getattr(p, name) for p in parts], ignore_index=True).iloc[order].reset_index(drop=True) for name in ("levels", "bits")
    )
    return Likelihoods(levels, bits, np.concatenate([p.weight for p in parts])[order])
