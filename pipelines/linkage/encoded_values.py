"""Values as codes (numbers), and the comparison level that each pair of codes reaches.

Belongs here: giving a code to each distinct value of a field, so that two values are compared once, however many records have them. Does
not belong here: the tests of the levels (`compare`), the weight of a level (`score`).

The most frequent value has code 0. So the levels of pairs of frequent values can be cached in a small table. Pairs of rare values are
compared each time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.linkage.compare import (
    MISSING_LEVEL,
    FieldValues,
    ValuePairs,
    Values,
    are_values_missing,
    find_levels_of_value_pairs,
    read_column_values,
)
from pipelines.linkage.model import ComparedField

# The table of levels contains this number of the most frequent values of a field: 4096² bytes are 16 MiB.
TABLE_WIDTH = 4096
# This number is added to the levels in the table, since 0 in the table means that a level was not computed yet.
LEVEL_OFFSET = 2


@dataclass(frozen=True)
class EncodedValues:
    """The values of one or several columns of records, as codes.

    codes: the code of each record. values: the value that each code stands for, with one array for each column, as `compare_field_values`
    expects it. count: the number of records with each code. The most frequent value has code 0.
    """

    codes: np.ndarray
    values: Values
    count: np.ndarray


def encode_values(records: pd.DataFrame, columns: tuple[str, ...]) -> EncodedValues:
    """Give a code to each distinct combination of values in `columns` of `records`."""
    combined = np.zeros(len(records), dtype="int64")
    for column in columns:
        codes, distinct = pd.factorize(records[column])
        combined = combined * (len(distinct) + 1) + codes + 1
    if len(columns) > 1:
        combined = pd.factorize(combined)[0]
    count = np.bincount(combined)
    order = np.flatnonzero(count)
    order = order[np.argsort(-count[order], kind="stable")]
    rank = np.empty(len(count), dtype="int32")
    rank[order] = np.arange(len(order), dtype="int32")
    codes = rank[combined]
    sample = np.empty(len(order), dtype="int64")  # one record of each code
    sample[codes] = np.arange(len(codes))
    values = read_column_values(records[list(columns)].iloc[sample], columns, np.arange(len(sample)))
    return EncodedValues(codes, values, count[order])


class FieldComparer:
    """Compares pairs of codes of one field. absent: for each code, whether it stands for a missing value."""

    def __init__(self, field: ComparedField, values: Values) -> None:
        self.field, self._known, self._size = field, FieldValues(values), len(values[0])
        self.absent = are_values_missing(values)
        # The level of a value against itself is needed far more often than any other.
        every = np.arange(self._size)
        self._itself = self._compare_values_of_codes(every, every)
        width = min(self._size, TABLE_WIDTH)
        self._table, self._width = np.zeros(width * width, dtype="int8"), np.int32(width)

    def find_levels_of_codes(self, left_codes: np.ndarray, right_codes: np.ndarray) -> np.ndarray:
        """Return the level (int8) that each pair of codes reaches; `MISSING_LEVEL` if one of the codes stands for a missing value."""
        levels = self._itself[left_codes]
        rows = np.flatnonzero(left_codes != right_codes)
        levels[rows] = self._find_levels_of_different_codes(left_codes[rows], right_codes[rows])
        return levels

    def _find_levels_of_different_codes(self, left_codes: np.ndarray, right_codes: np.ndarray) -> np.ndarray:
        """Return the level of each pair of codes: from the table if both values are frequent, otherwise by comparing the values."""
        if self._width == self._size:
            return self._look_up_levels_in_table(left_codes, right_codes)
        levels = np.empty(len(left_codes), dtype="int8")
        tabled = (left_codes < self._width) & (right_codes < self._width)
        levels[tabled] = self._look_up_levels_in_table(left_codes[tabled], right_codes[tabled])
        levels[~tabled] = self._compare_values_of_codes(left_codes[~tabled], right_codes[~tabled])
        return levels

    def _look_up_levels_in_table(self, left_codes: np.ndarray, right_codes: np.ndarray) -> np.ndarray:
        """Return the level of each pair of codes from the table. Levels that are not in the table yet are computed and added to it."""
        cells = left_codes * self._width + right_codes
        levels = self._table[cells]
        open_rows = np.flatnonzero(levels == 0)
        if len(open_rows):
            new = pd.unique(cells[open_rows])
            self._table[new] = self._compare_values_of_codes(new // self._width, new % self._width) + LEVEL_OFFSET
            levels[open_rows] = self._table[cells[open_rows]]
        return levels - LEVEL_OFFSET

    def _compare_values_of_codes(self, left_codes: np.ndarray, right_codes: np.ndarray) -> np.ndarray:
        """Return the level of each pair of codes by comparing the values that the codes stand for."""
        level = np.full(len(left_codes), MISSING_LEVEL, dtype="int8")
        present = np.flatnonzero(~self.absent[left_codes] & ~self.absent[right_codes])
        level[present] = find_levels_of_value_pairs(self.field, ValuePairs(self._known, left_codes[present], right_codes[present]))
        return level
