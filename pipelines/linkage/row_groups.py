"""Groups of rows that share a value, and the pairs that the rows of a group form.

Belongs here: groups of rows as flat arrays, and generating their pairs in chunks. Does not belong here: the values (`blocking`).

A row is in many groups, and two rows are often together in several groups. Therefore groups with the same rows are removed, and pairs are
generated row by row, so that each pair occurs once and only one chunk of pairs is in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from pipelines.linkage.hashing import mix_hashes
from pipelines.resources.integer_arrays import compute_group_starts, concatenate_ranges, find_distinct_numbers, is_first_of_equal_numbers

CHUNK_PAIRS = 1 << 19
_ROW_BITS = 32
Pairs = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class RowGroups:
    """Groups of two or more rows of a frame. The rows of group g are `row[start[g]:start[g + 1]]`, in ascending order.

    size: the number of rows of the frame. An element of `row` is called an entry: it says that a row is in a group.
    """

    row: np.ndarray
    start: np.ndarray
    size: int

    @property
    def sizes(self) -> np.ndarray:
        """The number of rows of each group."""
        return np.diff(self.start)

    @property
    def group_of_entries(self) -> np.ndarray:
        """For each element of `row`, the number of its group."""
        return np.repeat(np.arange(len(self.start) - 1, dtype="int32"), self.sizes)

    def select_groups(self, is_chosen: np.ndarray) -> RowGroups:
        """Return the groups for which `is_chosen` is true."""
        sizes = self.sizes
        return RowGroups(self.row[np.repeat(is_chosen, sizes)], compute_group_starts(sizes[is_chosen]), self.size)

    def drop_duplicate_groups(self) -> RowGroups:
        """Return the groups, but of several groups with the same rows only one."""
        if not len(self.row):
            return self
        content = np.add.reduceat(mix_hashes(np.arange(1, self.size + 1))[self.row], self.start[:-1])  # the hash of 0 is 0
        first = np.zeros(len(self.start) - 1, dtype=bool)
        first[np.unique(content, return_index=True)[1]] = True
        return self.select_groups(first)

    def split_groups_by_component(self, component_of_row: np.ndarray) -> RowGroups:
        """Split each group so that all rows of a group are in the same component. Rows with a component below zero are left out."""
        part_of_entry = component_of_row[self.row]
        has_part = part_of_entry >= 0
        number = self.group_of_entries[has_part].astype("int64") * (int(component_of_row.max(initial=0)) + 1) + part_of_entry[has_part]
        return group_rows_by_value(number, self.row[has_part], self.size)[0].drop_duplicate_groups()

    def select_groups_with_rows(self, is_wanted: np.ndarray) -> RowGroups:
        """Return the groups that contain at least one row for which `is_wanted` is true."""
        return self.select_groups(np.logical_or.reduceat(is_wanted[self.row], self.start[:-1])) if len(self.row) else self

    @property
    def count_of_pairs(self) -> int:
        """The number of pairs of the groups. A pair that is in two groups counts twice."""
        return int((self.sizes * (self.sizes - 1) // 2).sum())

    def generate_pairs(
        self, is_new: np.ndarray | None = None, pairs_per_chunk: int = CHUNK_PAIRS, stride: tuple[int, int] = (0, 1)
    ) -> Iterator[Pairs]:
        """Yield the pairs of rows that are together in a group (`left` < `right`), each pair once, in chunks of about `pairs_per_chunk`
        pairs.

        is_new: for each row, whether it is new; if it is given, only pairs with at least one new row are generated. stride: the number of
        the first chunk that is generated, and the step to the next one, so that several processes can generate different chunks.
        """
        entries, bounds = self._divide_entries_into_chunks(is_new, pairs_per_chunk)
        of_entries = self.group_of_entries
        for n in range(stride[0], len(bounds) - 1, stride[1]):
            chosen = entries[bounds[n] : bounds[n + 1]]
            if len(chosen):
                yield self._form_pairs_of_entries(chosen, of_entries[chosen], is_new)

    def _divide_entries_into_chunks(self, is_new: np.ndarray | None, pairs_per_chunk: int) -> tuple[np.ndarray, np.ndarray]:
        """Divide the entries of new rows (or of all rows if `is_new` is None) into chunks that form about `pairs_per_chunk` pairs each.

        Each chunk has all entries of a range of rows. Return the entries in the order of chunks, and where each chunk begins.
        """
        sizes, row = self.sizes, self.row
        entries = np.arange(len(row)) if is_new is None else np.flatnonzero(is_new[row])
        if not len(entries):
            return entries, np.zeros(1, dtype="int64")
        if is_new is None and self.count_of_pairs <= pairs_per_chunk:
            return entries, np.array([0, len(entries)])
        pairs_per_entry = np.repeat(self.start[1:] - 1, sizes) - entries if is_new is None else np.repeat(sizes, sizes)[entries]
        before = np.cumsum(np.bincount(row[entries], weights=pairs_per_entry, minlength=self.size))
        stretch = np.maximum((before - 1) // pairs_per_chunk, 0)  # the number of the chunk of each row
        stretch = stretch.astype(np.min_scalar_type(int(stretch[-1])))[row[entries]]  # small numbers are sorted in one pass
        return entries[np.argsort(stretch, kind="stable")].astype("int32"), compute_group_starts(np.bincount(stretch))

    def _form_pairs_of_entries(self, entries: np.ndarray, group_of_entry: np.ndarray, is_new: np.ndarray | None) -> Pairs:
        """Return the pairs that the rows of `entries` form with other rows of their groups.

        If `is_new` is None, a row forms pairs with the rows that follow it in its group. Otherwise it forms pairs with all other rows of
        its group.
        """
        first = entries + 1 if is_new is None else self.start[group_of_entry]
        pairs_per_entry = self.start[group_of_entry + 1] - first
        left, right = (
            np.repeat(self.row[entries].astype("int64"), pairs_per_entry),
            self.row[concatenate_ranges(first, pairs_per_entry)].astype("int64"),
        )
        if is_new is not None:  # a pair of two new rows is generated only for the row with the smaller number
            chosen = (right != left) & ~(is_new[right] & (right < left))
            left, right = left[chosen], right[chosen]
            left, right = np.minimum(left, right), np.maximum(left, right)
        codes = find_distinct_numbers(left << _ROW_BITS | right)
        return codes >> _ROW_BITS, codes & ((1 << _ROW_BITS) - 1)


def group_rows_by_value(value: np.ndarray, row: np.ndarray, row_count: int) -> tuple[RowGroups, np.ndarray]:
    """Return the groups of two or more rows that have the same value, and the value of each group.

    value, row: each element says that a row has a value. No row may have the same value twice. row_count: the number of rows that exist.
    """
    if (value[1:] < value[:-1]).any():
        order = np.argsort(value)
        value, row = value[order], row[order]
    first = np.flatnonzero(is_first_of_equal_numbers(value))
    sizes = np.diff(np.append(first, len(value)))
    several = sizes > 1
    rows = row[np.repeat(several, sizes)].astype("int64")
    sizes = sizes[several]
    rows = np.sort(np.repeat(np.arange(len(sizes)), sizes) * row_count + rows) % max(row_count, 1)
    return RowGroups(rows.astype("int32"), compute_group_starts(sizes), row_count), value[first[several]]


def drop_unique_hashes(hashes: np.ndarray, row_of_hash: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the hashes and their rows without most of the hashes that occur only once, since sorting those would take most of the time.

    A hash is left out if no other hash has the same low digits or the same high digits, so it cannot occur twice.
    """
    for half in (0, 32):
        bucket = (hashes >> np.uint64(half) & np.uint64((1 << len(hashes).bit_length() + 1) - 1)).view("int64")
        several = np.flatnonzero(np.bincount(bucket)[bucket] > 1)
        hashes, row_of_hash = hashes[several], row_of_hash[several]
    return hashes, row_of_hash


def concatenate_groups(sets_of_groups: Iterable[RowGroups], row_count: int) -> RowGroups:
    """Return all groups of several `RowGroups` as one `RowGroups`."""
    sets_of_groups = list(sets_of_groups)
    rows = np.concatenate([groups.row for groups in sets_of_groups] or [np.empty(0, dtype="int32")])
    return RowGroups(
        rows, compute_group_starts(np.concatenate([groups.sizes for groups in sets_of_groups] or [np.empty(0, dtype="int64")])), row_count
    )
