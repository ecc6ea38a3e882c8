"""Decide which small categories of a table are merged, by a rule that protects persons even if an intruder knows the rule.

Belongs here: the choice of a grouping for one table with a known total, and of the causes of a bridge that are published separately. Does
not belong here: which tables there are (`programme`), when they are published (`protect`), attacks (`warehouse/disclosure_risk`, which is
independent of this package).

A grouping divides the categories of a table into blocks. Of a table whose total is public, the sum of each block is published. The sum of
each block is at least `threshold`; only if "not known" is a block of its own, its sum may also be 0. Groupings are tried in a fixed order,
those with the most single categories first. All tables with the same total that no earlier grouping publishes, and that a grouping would
publish with the same sums, form a set. The grouping is used either for all tables of the set or for none of them. A reader who knows the
rule can therefore only conclude that the table is one of this set. The grouping is refused unless every category under the threshold has at
least `MIN_POSSIBLE_VALUES` different values in the set, for the public and for anyone who knows any `known_persons` of the counted persons.
So the choice discloses nothing. In tables with a large total, counts above `COUNT_CAP` are replaced by `COUNT_CAP` before the grouping is
chosen; a test compares the result with that for the uncapped tables. In a table without a count under the threshold nothing is merged; so
only tables with such a count are listed.
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
"""If a total is at most this number, or other organisations published something about the table, the grouping is chosen by the exact
counts; for larger totals, by the capped counts. The sum of four capped counts is never larger than this number."""
Grouping = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class MergingRule:
    """The rule by which tables with `category_count` categories are published.

    threshold         minimum count that is published separately
    known_persons     number of persons about whom an intruder may know everything
    unknown_position  position of the category "not known", of which a 0 may be published; None if there is no such category
    external_bounds   what other organisations published: position of a category, its minimum and its maximum
    """

    category_count: int
    threshold: int = 5
    known_persons: int = 3
    unknown_position: int | None = None
    external_bounds: tuple[tuple[int, int, int], ...] = ()

    @property
    def minimum_total(self) -> int:
        """The minimum total that is published. For a smaller total, even an intruder who knows `known_persons` of the persons has at least
        `MIN_POSSIBLE_VALUES` possible values."""
        return max(self.threshold, self.known_persons + MIN_POSSIBLE_VALUES)

    @property
    def groupings(self) -> tuple[Grouping, ...]:
        """All groupings in the order in which they are tried. In the first, no category is merged; in the last, all categories are
        merged."""
        return _list_groupings_in_order_of_trial(self.category_count, self.unknown_position)

    def grouping_numbers(self, tables: np.ndarray) -> np.ndarray:
        """Return for each table the position of its grouping in `groupings`. tables: the counts, one row for each table and one column for
        each category; each total is at least `minimum_total`."""
        tables = np.asarray(tables, dtype=np.int64)
        is_capped = (tables.sum(axis=1, keepdims=True) > MAX_UNCAPPED_TOTAL) & (not self.external_bounds)
        decided_as = np.where(is_capped, np.minimum(tables, COUNT_CAP), tables)
        totals, numbers = decided_as.sum(axis=1), np.zeros(len(tables), dtype=np.int64)
        for total in np.unique(totals):
            rows = totals == total
            codes, number_by_code = _find_groupings_of_tables_with_small_count(self, int(total))
            requested = _compute_identifying_number_of_each_table(decided_as[rows], int(total))
            position = np.minimum(np.searchsorted(codes, requested), len(codes) - 1)
            numbers[rows] = np.where(codes[position] == requested, number_by_code[position], 0)
        return numbers

    def grouping(self, counts: tuple[int, ...]) -> Grouping:
        """Return the grouping under which a table is published."""
        return self.groupings[int(self.grouping_numbers(np.array([counts]))[0])]


def _compute_identifying_number_of_each_table(tables: np.ndarray, total: int) -> np.ndarray:
    """Return a number that identifies each table among all tables with that total. It is computed from all categories except the last."""
    return np.asarray(tables[:, :-1] @ ((total + 1) ** np.arange(tables.shape[1] - 1)))


def iterate_groupings(category_count: int) -> Iterator[Grouping]:
    """Yield every grouping of `category_count` categories, which are numbered from 0."""
    if category_count == 0:
        yield ()
        return
    for smaller in iterate_groupings(category_count - 1):
        yield (*smaller, (category_count - 1,))
        for n, block in enumerate(smaller):
            yield (*smaller[:n], (*block, category_count - 1), *smaller[n + 1 :])


@cache
def _list_groupings_in_order_of_trial(category_count: int, unknown_position: int | None) -> tuple[Grouping, ...]:
    def rank(grouping: Grouping) -> tuple[object, ...]:
        singles = [block[0] for block in grouping if len(block) == 1]
        return (-sum(category != unknown_position for category in singles), -len(grouping), grouping)

    groupings = [tuple(sorted(tuple(sorted(block)) for block in p)) for p in iterate_groupings(category_count)]
    single_block: Grouping = (tuple(range(category_count)),)
    return (*sorted((p for p in groupings if p != single_block), key=rank), single_block)


def list_tables_with_total(total: int, category_count: int) -> np.ndarray:
    """Return every table of `category_count` categories with that total, one per row."""
    if category_count == 1:
        return np.array([[total]])
    leading = np.indices((total + 1,) * (category_count - 1)).reshape(category_count - 1, -1).T
    leading = leading[leading.sum(axis=1) <= total]
    return np.column_stack([leading, total - leading.sum(axis=1)])


def _list_tables_with_small_count(total: int, size: int, threshold: int) -> np.ndarray:
    """Return the tables of `list_tables_with_total` that have a count under the threshold, sorted by
    `_compute_identifying_number_of_each_table`."""
    tables = np.concatenate(
        [
            np.insert(list_tables_with_total(total - count, size - 1), category, count, axis=1)
            for category in range(size)
            for count in range(min(threshold, total + 1))
        ]
    )
    _, first = np.unique(_compute_identifying_number_of_each_table(tables, total), return_index=True)
    return np.asarray(tables[first])


@cache
def _find_groupings_of_tables_with_small_count(rule: MergingRule, total: int) -> tuple[np.ndarray, np.ndarray]:
    """Find the grouping of every table that has that total and a count under the threshold. Return the numbers of these tables
    (`_compute_identifying_number_of_each_table`) in ascending order, and for each table the position of its grouping in `rule.groupings`.

    All other tables have the first grouping, in which no category is merged.
    """
    tables = _list_tables_with_small_count(total, rule.category_count, rule.threshold)
    numbers = np.full(len(tables), len(rule.groupings) - 1, dtype=np.int64)
    is_undecided, is_public = np.ones(len(tables), dtype=bool), _find_small_cells_published_by_others(rule, tables)
    # Cells that are already public are published if the rest can be; then everything else is decided together.
    public_sets = {tuple(np.flatnonzero(row).tolist()) for row in np.unique(is_public, axis=0)} | {()}
    for public_cells in sorted(public_sets, key=len, reverse=True):
        has_cells = (is_public[:, public_cells].all(axis=1) & (is_public.sum(axis=1) == len(public_cells))) if public_cells else True
        for n, grouping in enumerate(rule.groupings[:-1]):
            if {(cell,) for cell in public_cells} <= set(grouping):
                rows = np.flatnonzero(is_undecided & has_cells & _are_merged_categories_large_enough(rule, grouping, tables, public_cells))
                safe_rows = rows[_is_grouping_safe(rule, grouping, tables[rows])] if len(rows) else rows
                numbers[safe_rows], is_undecided[safe_rows] = n, False
    return _compute_identifying_number_of_each_table(tables, total), numbers


def _find_small_cells_published_by_others(rule: MergingRule, tables: np.ndarray) -> np.ndarray:
    """Return for each cell of each table whether it is a small cell that others published exactly and that is published here too. This
    requires that at least two other cells remain, and that the sum of these reaches the minimum total."""
    is_public = np.zeros(tables.shape, dtype=bool)
    for category, minimum, maximum in rule.external_bounds:
        if minimum == maximum < rule.threshold:
            is_public[:, category] = tables[:, category] == minimum
    remainder = np.where(is_public, 0, tables).sum(axis=1)
    is_public[(remainder < rule.minimum_total) | ((~is_public).sum(axis=1) < 2)] = False
    return is_public


def _are_merged_categories_large_enough(
    rule: MergingRule, grouping: Grouping, tables: np.ndarray, public_cells: Collection[int] = ()
) -> np.ndarray:
    """Return for each table whether the sum of every block reaches the threshold. If "not known" is a block of its own, its sum may also be
    0; the sum of a block in `public_cells` may have any value."""
    is_valid = np.ones(len(tables), dtype=bool)
    for block in (b for b in grouping if b[0] not in public_cells):
        sums = tables[:, list(block)].sum(axis=1)
        is_valid &= (sums >= rule.threshold) | ((sums == 0) if block == (rule.unknown_position,) else False)
    return is_valid


def _is_grouping_safe(rule: MergingRule, grouping: Grouping, tables: np.ndarray) -> np.ndarray:
    """Return for each table whether it may be published under `grouping`. It may if every small category has enough different values among
    the tables with the same sums of blocks.

    It must have enough values also for an intruder who believes any of the true figures that others published.
    """
    block_sums = np.stack([tables[:, list(block)].sum(axis=1) for block in grouping], axis=1)
    _, group = np.unique(block_sums, axis=0, return_inverse=True)
    group = group.reshape(-1)
    is_unsafe = np.zeros(int(group.max()) + 1, dtype=bool)
    believed_subsets = [b for n in range(len(rule.external_bounds) + 1) for b in combinations(rule.external_bounds, n)]
    for category in (c for block in grouping if len(block) > 1 for c in block):
        order = np.lexsort((tables[:, category], group))
        sorted_tables, sorted_group = tables[order], group[order]
        for believed in believed_subsets:
            if any(c == category and maximum - minimum + 1 < MIN_POSSIBLE_VALUES for c, minimum, maximum in believed):
                continue
            is_plausible = np.ones(len(tables), dtype=bool)
            for c, minimum, maximum in believed:
                is_plausible &= (sorted_tables[:, c] >= minimum) & (sorted_tables[:, c] <= maximum)
            for known_counts in list_tables_with_total(rule.known_persons, rule.category_count):
                is_possible = is_plausible & (sorted_tables >= known_counts).all(axis=1)
                groups, values = sorted_group[is_possible], sorted_tables[is_possible, category]
                value_counts = _count_distinct_values(groups, values, len(is_unsafe))
                is_unsafe[groups[(values < rule.threshold) & (value_counts[groups] < MIN_POSSIBLE_VALUES)]] = True
    return ~is_unsafe[group]


def _count_distinct_values(sorted_groups: np.ndarray, sorted_values: np.ndarray, group_count: int) -> np.ndarray:
    """Return the number of distinct values of each group. The rows are sorted by group, then by value."""
    is_new = np.ones(len(sorted_groups), dtype=bool)
    is_new[1:] = (sorted_groups[1:] != sorted_groups[:-1]) | (sorted_values[1:] != sorted_values[:-1])
    return np.bincount(sorted_groups[is_new], minlength=group_count)


def select_separately_published_causes(counts: np.ndarray, minimum_total: int) -> np.ndarray:
    """Return for each row of `counts` which causes are published separately. A row contains the number of records of each cause, which may
    be negative.

    Causes with `minimum_total` records or more are published separately, all other causes (also those without records) are merged. Then the
    smallest separate causes are merged too, one by one, until the merged causes together meet two conditions: they have at least
    `minimum_total` records, and no more than all of them except one could have if each had fewer than `minimum_total`. If they had fewer
    than `minimum_total` records, an intruder who knows three of the records would have only two possible values left, even if nothing is
    published for that reason. No cause is separate if all have to be merged.
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
