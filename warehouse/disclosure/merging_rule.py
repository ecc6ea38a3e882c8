"""Which small categories of a table are merged: a rule that stays safe when the intruder knows it.

Belongs here: the choice of a partition for one table with a known total, and of the causes of a bridge that are published separately. Does
not belong here: which tables there are (`programme`), when they are published (`protect`), attacks (`warehouse/disclosure_risk`, which is
independent of this package).
A table with the public total N is published as a partition of its categories, with the sum of each block. A block of one category has
`threshold` or more ("not known" may also be 0); a block of several has `threshold` or more together. Partitions are tried in a fixed
order, most single categories first. A partition is used for all tables of N that would be published identically, or for none of them. A
reader who knows the rule can only narrow the table to this set, and the partition is refused unless the set leaves every category under the
threshold at least `MIN_POSSIBLE_VALUES` values, for the public and for anyone who knows any `known_persons` of the persons. So the choice
discloses nothing.
Counts above `COUNT_CAP` are treated as `COUNT_CAP`: tables of large totals are decided by their capped form (a test compares both).
Tables without a count under the threshold are published whole, so only the others are enumerated.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import combinations

import numpy as np

MIN_POSSIBLE_VALUES = 3
COUNT_CAP = 10
MAX_UNCAPPED_TOTAL = 40
"""Totals up to this, and all about which others published something, are decided exactly; larger ones by their capped form, whose total
is never larger (four categories)."""
Partition = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class MergingRule:
    """How tables of `category_count` categories are published.

    threshold         minimum separately published count
    known_persons     number of persons about whom an intruder may know everything
    unknown_position  position of "not known", whose 0 may be published; None if there is none
    external_bounds   what others published: position, minimum, maximum
    """

    category_count: int
    threshold: int = 5
    known_persons: int = 3
    unknown_position: int | None = None
    external_bounds: tuple[tuple[int, int, int], ...] = ()

    @property
    def minimum_total(self) -> int:
        """Minimum published total: an intruder who knows `known_persons` is left `MIN_POSSIBLE_VALUES` values below it."""
        return max(self.threshold, self.known_persons + MIN_POSSIBLE_VALUES)

    @property
    def partitions(self) -> tuple[Partition, ...]:
        """All partitions in the order in which they are tried: the first has single categories only, the last is a single block."""
        return _ordered_partitions(self.category_count, self.unknown_position)

    def partition_numbers(self, tables: np.ndarray) -> np.ndarray:
        """Return the position in `partitions` of the partition of each table. tables: counts, rows × categories; each total is at least
        `minimum_total`."""
        tables = np.asarray(tables, dtype=np.int64)
        is_capped = (tables.sum(axis=1, keepdims=True) > MAX_UNCAPPED_TOTAL) & (not self.external_bounds)
        decided_as = np.where(is_capped, np.minimum(tables, COUNT_CAP), tables)
        totals, numbers = decided_as.sum(axis=1), np.zeros(len(tables), dtype=np.int64)
        for total in np.unique(totals):
            rows = totals == total
            codes, number_by_code = _decisions(self, int(total))
            requested = _table_codes(decided_as[rows], int(total))
            position = np.minimum(np.searchsorted(codes, requested), len(codes) - 1)
            numbers[rows] = np.where(codes[position] == requested, number_by_code[position], 0)
        return numbers

    def partition(self, counts: tuple[int, ...]) -> Partition:
        """Return the partition under which a table is published."""
        return self.partitions[int(self.partition_numbers(np.array([counts]))[0])]


def _table_codes(tables: np.ndarray, total: int) -> np.ndarray:
    """Return a number for each table with that total, made of all its categories but the last. It identifies the table."""
    return np.asarray(tables[:, :-1] @ ((total + 1) ** np.arange(tables.shape[1] - 1)))


def set_partitions(size: int) -> Iterator[Partition]:
    """Yield every partition of the numbers below `size`."""
    if size == 0:
        yield ()
        return
    for smaller in set_partitions(size - 1):
        yield (*smaller, (size - 1,))
        for n, block in enumerate(smaller):
            yield (*smaller[:n], (*block, size - 1), *smaller[n + 1 :])


@cache
def _ordered_partitions(category_count: int, unknown_position: int | None) -> tuple[Partition, ...]:
    def rank(partition: Partition) -> tuple[object, ...]:
        singles = [block[0] for block in partition if len(block) == 1]
        return (-sum(category != unknown_position for category in singles), -len(partition), partition)

    partitions = [tuple(sorted(tuple(sorted(block)) for block in p)) for p in set_partitions(category_count)]
    single_block: Partition = (tuple(range(category_count)),)
    return (*sorted((p for p in partitions if p != single_block), key=rank), single_block)


def compositions(total: int, size: int) -> np.ndarray:
    """Return every table of `size` categories with that total, one per row."""
    if size == 1:
        return np.array([[total]])
    leading = np.indices((total + 1,) * (size - 1)).reshape(size - 1, -1).T
    leading = leading[leading.sum(axis=1) <= total]
    return np.column_stack([leading, total - leading.sum(axis=1)])


def _tables_with_small_count(total: int, size: int, threshold: int) -> np.ndarray:
    """Return the tables of `compositions` that have a count under the threshold, in the order of `_table_codes`."""
    tables = np.concatenate(
        [
            np.insert(compositions(total - count, size - 1), category, count, axis=1)
            for category in range(size)
            for count in range(min(threshold, total + 1))
        ]
    )
    _, first = np.unique(_table_codes(tables, total), return_index=True)
    return np.asarray(tables[first])


@cache
def _decisions(rule: MergingRule, total: int) -> tuple[np.ndarray, np.ndarray]:
    """Return all tables of that total that have a count under the threshold: their `_table_codes`, ascending, and the position of the
    partition of each.

    All other tables have the first partition, in which no category is merged.
    """
    tables = _tables_with_small_count(total, rule.category_count, rule.threshold)
    numbers = np.full(len(tables), len(rule.partitions) - 1, dtype=np.int64)
    is_undecided, is_public = np.ones(len(tables), dtype=bool), _already_public_cells(rule, tables)
    # Cells that are already public are published if the rest can be; then everything else is decided together.
    public_sets = {tuple(np.flatnonzero(row).tolist()) for row in np.unique(is_public, axis=0)} | {()}
    for public_cells in sorted(public_sets, key=len, reverse=True):
        has_cells = (is_public[:, public_cells].all(axis=1) & (is_public.sum(axis=1) == len(public_cells))) if public_cells else True
        for n, partition in enumerate(rule.partitions[:-1]):
            if {(cell,) for cell in public_cells} <= set(partition):
                rows = np.flatnonzero(is_undecided & has_cells & _blocks_reach_threshold(rule, partition, tables, public_cells))
                safe_rows = rows[_is_safe(rule, partition, tables[rows])] if len(rows) else rows
                numbers[safe_rows], is_undecided[safe_rows] = n, False
    return _table_codes(tables, total), numbers


def _already_public_cells(rule: MergingRule, tables: np.ndarray) -> np.ndarray:
    """Return the small cells that others published exactly. They are published if the other cells, at least two, reach the minimum
    total."""
    is_public = np.zeros(tables.shape, dtype=bool)
    for category, minimum, maximum in rule.external_bounds:
        if minimum == maximum < rule.threshold:
            is_public[:, category] = tables[:, category] == minimum
    remainder = np.where(is_public, 0, tables).sum(axis=1)
    is_public[(remainder < rule.minimum_total) | ((~is_public).sum(axis=1) < 2)] = False
    return is_public


def _blocks_reach_threshold(rule: MergingRule, partition: Partition, tables: np.ndarray, public_cells: Collection[int] = ()) -> np.ndarray:
    """Return for each row whether every block reaches the threshold. "Not known" as a block of one category may be 0; `public_cells` may
    have any value."""
    is_valid = np.ones(len(tables), dtype=bool)
    for block in (b for b in partition if b[0] not in public_cells):
        sums = tables[:, list(block)].sum(axis=1)
        is_valid &= (sums >= rule.threshold) | ((sums == 0) if block == (rule.unknown_position,) else False)
    return is_valid


def _is_safe(rule: MergingRule, partition: Partition, tables: np.ndarray) -> np.ndarray:
    """Return for each row whether it may be published under `partition`: the rows with equal block sums leave every small category
    enough values.

    This also holds for an intruder who believes any of what others published, if it is true.
    """
    block_sums = np.stack([tables[:, list(block)].sum(axis=1) for block in partition], axis=1)
    _, group = np.unique(block_sums, axis=0, return_inverse=True)
    group = group.reshape(-1)
    is_unsafe = np.zeros(int(group.max()) + 1, dtype=bool)
    believed_subsets = [b for n in range(len(rule.external_bounds) + 1) for b in combinations(rule.external_bounds, n)]
    for category in (c for block in partition if len(block) > 1 for c in block):
        order = np.lexsort((tables[:, category], group))
        sorted_tables, sorted_group = tables[order], group[order]
        for believed in believed_subsets:
            if any(c == category and maximum - minimum + 1 < MIN_POSSIBLE_VALUES for c, minimum, maximum in believed):
                continue
            is_plausible = np.ones(len(tables), dtype=bool)
            for c, minimum, maximum in believed:
                is_plausible &= (sorted_tables[:, c] >= minimum) & (sorted_tables[:, c] <= maximum)
            for known_counts in compositions(rule.known_persons, rule.category_count):
                is_possible = is_plausible & (sorted_tables >= known_counts).all(axis=1)
                groups, values = sorted_group[is_possible], sorted_tables[is_possible, category]
                value_counts = _distinct_values(groups, values, len(is_unsafe))
                is_unsafe[groups[(values < rule.threshold) & (value_counts[groups] < MIN_POSSIBLE_VALUES)]] = True
    return ~is_unsafe[group]


def _distinct_values(sorted_groups: np.ndarray, sorted_values: np.ndarray, group_count: int) -> np.ndarray:
    """Return the number of distinct values of each group. Rows: sorted by group, then by value."""
    is_new = np.ones(len(sorted_groups), dtype=bool)
    is_new[1:] = (sorted_groups[1:] != sorted_groups[:-1]) | (sorted_values[1:] != sorted_values[:-1])
    return np.bincount(sorted_groups[is_new], minlength=group_count)


def separate_causes(counts: np.ndarray, minimum_total: int) -> np.ndarray:
    """Return for each row of `counts` (records per cause, of either sign) which causes are published separately.

    These are the causes of `minimum_total` records and more. The smallest of them are merged one by one with all other causes, including
    zeros, until the merged causes together have at least `minimum_total` records, and no more than all of them but one could have if
    each had fewer than `minimum_total`. With fewer records an intruder who knows three of them would be left with two values, even if
    that is why nothing is published. No cause is separate if all have to be merged.
    """
    size, rank = np.abs(counts), np.arange(counts.shape[1])
    order = np.argsort(-size, axis=1, kind="stable")
    remainder = np.abs(np.cumsum(np.take_along_axis(counts, order, axis=1)[:, ::-1], axis=1)[:, ::-1])  # causes from each rank on
    large_causes = (size >= minimum_total).sum(axis=1)[:, None]
    is_allowed = (rank <= large_causes) & (remainder >= minimum_total) & (remainder <= (minimum_total - 1) * (len(rank) - 1 - rank))
    separate_count = np.where(is_allowed.any(axis=1), len(rank) - 1 - np.argmax(is_allowed[:, ::-1], axis=1), 0)
    is_separate = np.zeros(counts.shape, dtype=bool)
    np.put_along_axis(is_separate, order, rank < separate_count[:, None], axis=1)
    return is_separate
