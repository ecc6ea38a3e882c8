"""Make one published table, and compare two versions of it.

Belongs here: publishing counts under a grouping; whether a new version of a table may replace an old one. Does not belong here: in which
release a table is published (`protect`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from warehouse.disclosure.merging_rule import MIN_POSSIBLE_VALUES, MergingRule
from warehouse.disclosure.programme import CROSS_SEPARATOR, LEADING, MERGE_SEPARATOR, TOTAL, UNKNOWN

Status = Literal["published", "not_broken_down", "not_shown", "fewer_than", "no_delivery"]


Margins = tuple[tuple[int, int], tuple[int, int]]
"""The two counts by sex and the two counts by age group of one year, if all are published and nobody's sex or age is unknown."""
Bounds = tuple[int, int]
"""What others published about a figure: minimum, maximum."""
_SMALL_TOTAL, _NOTHING, _LEADING_ONLY, _TOTAL_ONLY, _BOTH = range(5)


@dataclass(frozen=True)
class PublishedTable:
    """A published table.

    cells           name and value of each published cell; the name of merged categories is `a+b`
    limit           the number N if the table only says "fewer than N"
    first_release   release that first published it in this form (column `edition` of the cube)
    source_release  release whose records it counts (column `known` of the cube)
    """

    status: Status
    cells: tuple[tuple[str, int], ...] = ()
    first_release: str = ""
    source_release: str = ""
    limit: int | None = None

    def has_same_content(self, other: PublishedTable) -> bool:
        """Return whether both tables publish the same figures."""
        return (self.status, self.cells, self.limit) == (other.status, other.cells, other.limit)

    def value(self, cell: str) -> int | None:
        """Return the value of a category that is published separately. Return None if the category is not published separately."""
        return dict(self.cells).get(cell)


def publish_year_by_offence(
    rule: MergingRule, cells: tuple[str, ...], counts: tuple[int, ...], total_bounds: Bounds | None = None
) -> tuple[PublishedTable, PublishedTable | None]:
    """Make the published total of a year and its table by offence. The leading group comes first in `cells`. `rule` is the merging rule of
    the other offences.

    Total and table are published if both the leading group and the other offences together reach the minimum total. If only the leading
    group reaches it, the leading group is published and the total is suppressed. If the leading group does not reach it, but the total is
    so large that it reveals little about the leading group, only the total is published, marked as not broken down. If the total is below
    the minimum, only this is published. Otherwise nothing is published. total_bounds: what others published about the total.
    """
    year_total, leading = sum(counts), counts[0]
    total, rest = PublishedTable("published", ((TOTAL, year_total),)), year_total - leading
    form = int(number_tables_by_published_form(rule, np.array([[leading, rest]]), total_bounds)[0])
    if form == _SMALL_TOTAL:
        return PublishedTable("fewer_than", limit=rule.minimum_total), None
    if form == _NOTHING:
        return PublishedTable("not_shown"), None
    if form == _TOTAL_ONLY:
        return total, PublishedTable("not_broken_down")
    if form == _LEADING_ONLY:
        return PublishedTable("not_shown"), PublishedTable("published", ((cells[0], leading),))
    others = publish_breakdown(rule, cells[1:], counts[1:]).cells if len(cells) > 2 else ()
    merged_rest = ((MERGE_SEPARATOR.join(cells[1:]), rest),)
    return total, PublishedTable("published", ((cells[0], leading), *(others or merged_rest)))


def publish_year_as_reported(
    rule: MergingRule,
    cells: tuple[str, ...],
    counts: tuple[int, ...],
    harmonised: tuple[PublishedTable, PublishedTable | None],
    min_difference: int,
) -> tuple[PublishedTable, PublishedTable | None]:
    """Make the published total and table by offence of a year as reported. They are never more detailed than the same two harmonised
    tables, and their published figures differ from the harmonised figures by at least `min_difference`.

    If the harmonised total is published, the total is published; the leading group and the rest are also published if both reach the
    minimum total and the harmonised table by offence is published. If only the harmonised leading group is published, only the leading
    group is published.
    """
    year_total, leading = sum(counts), counts[0]
    harmonised_total, harmonised_offences = harmonised
    if harmonised_total.status != "published":
        published = harmonised_offences.value(LEADING) if harmonised_offences else None
        differs = published is not None and leading >= rule.minimum_total and abs(leading - published) >= min_difference
        return PublishedTable("not_shown"), PublishedTable("published", ((cells[0], leading),)) if differs else None
    if year_total < rule.minimum_total:
        return PublishedTable("fewer_than", limit=rule.minimum_total), None
    if abs(year_total - (harmonised_total.value(TOTAL) or 0)) < min_difference:
        return PublishedTable("not_shown"), None
    both_large = min(leading, year_total - leading) >= rule.minimum_total
    if both_large and harmonised_offences is not None and harmonised_offences.status == "published":
        offences = PublishedTable("published", ((cells[0], leading), (cells[1], year_total - leading)))
    else:
        offences = PublishedTable("not_broken_down")
    return PublishedTable("published", ((TOTAL, year_total),)), offences


def number_tables_by_published_form(rule: MergingRule, tables: np.ndarray, total_bounds: Bounds | None = None) -> np.ndarray:
    """Return a number for each table by offence. Two tables get the same number if `publish_year_by_offence` publishes the same categories
    of both.

    tables: the counts, one row for each table and one column for each category. The leading group comes first.
    """
    leading, rest = tables[:, 0], tables[:, 1:].sum(axis=1)
    totals, minimum = leading + rest, rule.minimum_total
    form = np.where((leading >= minimum) & (rest >= minimum), _BOTH, _NOTHING)
    leading_only = (leading >= minimum) & (rest < minimum)
    if total_bounds:  # the leading group together with others' total would bound the rest
        low, high = total_bounds
        largest_total = leading + minimum - 1
        leading_only &= (high < leading) | (low > largest_total) | ((low <= leading) & (high >= largest_total))
    form[leading_only] = _LEADING_ONLY
    # A smaller total would bound the leading group further.
    form[(leading < minimum) & (rest >= minimum) & (totals >= 2 * minimum - 1)] = _TOTAL_ONLY
    form[totals < minimum] = _SMALL_TOTAL
    both = form == _BOTH
    if tables.shape[1] > 2 and both.any():
        form[both] += rule.grouping_numbers(tables[both, 1:])
    return np.asarray(form)


def publish_breakdown(rule: MergingRule, cells: tuple[str, ...], counts: tuple[int, ...]) -> PublishedTable:
    """Make the published table of counts whose total is known to the public."""
    grouping = rule.grouping(counts)
    if len(grouping) == 1:
        return PublishedTable("not_broken_down")
    blocks = ((MERGE_SEPARATOR.join(cells[n] for n in block), sum(counts[n] for n in block)) for block in sorted(grouping))
    return PublishedTable("published", tuple(blocks))


def find_finest_common_grouping(groupings: Iterable[Iterable[frozenset[str]]]) -> tuple[frozenset[str], ...]:
    """Return the finest grouping that can be made from each of `groupings` by merging blocks."""
    merged: list[frozenset[str]] = []
    for block in (b for p in groupings for b in p):
        overlapping = [other for other in merged if other & block]
        merged = [other for other in merged if not other & block] + [frozenset().union(block, *overlapping)]
    return tuple(merged)


def is_safe_revision_of_table(new: PublishedTable, old: PublishedTable, min_difference: int) -> bool:
    """Return whether a new version of a table may replace the old one. It may if no difference between the two versions, or between their
    totals, is from 1 to `min_difference` - 1."""
    if new.status != "published" or old.status != "published":
        return True
    new_values, old_values = ({frozenset(name.split(MERGE_SEPARATOR)): n for name, n in table.cells} for table in (new, old))
    in_both = frozenset().union(*new_values) & frozenset().union(*old_values)
    comparable = [part for part in (*find_finest_common_grouping([new_values, old_values]), in_both) if part and part <= in_both]
    changes = [
        sum(n for block, n in new_values.items() if block <= part) - sum(n for block, n in old_values.items() if block <= part)
        for part in comparable
    ]
    return all(change == 0 or abs(change) >= min_difference for change in changes)


def can_revise_total_without_its_parts(
    new_total: PublishedTable, old_total: PublishedTable, offence_pairs: Sequence[tuple[int, int]], minimum: int, min_difference: int
) -> bool:
    """Return whether the new total of a year may be published while its parts by offence stay unchanged. It may if this leaves at least
    `MIN_POSSIBLE_VALUES` possible values for the leading group.

    If the parts stay unchanged, this reveals that the new leading group, or the new rest, differs by 1 to `min_difference` - 1 from a
    published one. offence_pairs: the published pairs (leading group, rest), at least one. Both parts of the new total reach `minimum`.
    """
    new, old = new_total.value(TOTAL), old_total.value(TOTAL)
    if new is None or old is None or abs(new - old) < min_difference or not offence_pairs:
        return False
    possible = np.arange(minimum, new - minimum + 1)
    leading, rest = zip(*offence_pairs, strict=True)
    near = _are_slightly_different(possible, leading, min_difference) | _are_slightly_different(new - possible, rest, min_difference)
    return int(np.count_nonzero(near)) >= MIN_POSSIBLE_VALUES


def can_leave_reported_figure_unchanged(
    harmonised: int, earlier_values: Collection[int], minimum: int, harmonised_difference: int, min_difference: int
) -> bool:
    """Return whether a published figure as reported may stay although its new value differs from one of `earlier_values` by 1 to
    `min_difference` - 1.

    If the figure stays, this reveals that there is such a difference, and that the new value differs by `harmonised_difference` or more
    from the harmonised figure. So at least `MIN_POSSIBLE_VALUES` values must satisfy both conditions. If there are no earlier values, the
    figure stays because of another part of the table, and nothing is revealed about it.
    """
    possible = np.arange(minimum, max(earlier_values, default=0) + min_difference)
    consistent = _are_slightly_different(possible, earlier_values, min_difference) & (abs(possible - harmonised) >= harmonised_difference)
    return not earlier_values or int(np.count_nonzero(consistent)) >= MIN_POSSIBLE_VALUES


def _are_slightly_different(values: np.ndarray, others: Collection[int], min_difference: int) -> np.ndarray:
    """Return for each value whether it differs by 1 to `min_difference` - 1 from one of the values `others`."""
    change = np.abs(values[:, None] - np.array([*others]))
    return np.asarray(((change > 0) & (change < min_difference)).any(axis=1))


def find_minimum_count_of_sex_age_table(threshold: int, known_persons: int, yearly_margins: Sequence[Margins]) -> int | None:
    """Return the minimum count that every cell must have so that a table of sex × age, summed over the years, is published. Return None if
    the table is never published.

    Since the tables by sex and by age are public, one cell determines all four cells. It has a value from `first` to `last`. The minimum
    count is the smallest number, from the threshold on, for which an intruder who sees that the table is suppressed still has at least
    `MIN_POSSIBLE_VALUES` possible values for this cell. This must also be true for an intruder who knows `known_persons` of the persons;
    each known person excludes at most one value, the lowest or the highest.
    """
    first = sum(max(0, sexes[0] - ages[1]) for sexes, ages in yearly_margins)
    last = sum(min(sexes[0], ages[0]) for sexes, ages in yearly_margins)
    (sex_sum, _), (age_sum, other_age_sum) = (
        tuple(sum(counts) for counts in zip(*margin, strict=True)) for margin in zip(*yearly_margins, strict=True)
    )
    corner = np.arange(first, last + 1)
    smallest_cell = np.minimum.reduce([corner, sex_sum - corner, age_sum - corner, corner - sex_sum + other_age_sum])
    for minimum in range(threshold, int(smallest_cell.max()) + 1):
        suppressed = corner[smallest_cell < minimum]
        possible_values = [
            np.count_nonzero((suppressed >= first + n) & (suppressed <= last - m))
            for n in range(known_persons + 1)
            for m in range(known_persons + 1 - n)
        ]
        if all(n == 0 or n >= MIN_POSSIBLE_VALUES for n in possible_values):
            return minimum
    return None


def publish_table_by_sex_and_age(cells: tuple[str, ...], counts: tuple[int, ...], minimum_count: int | None) -> PublishedTable:
    """Make the published table by sex and age. It is published only if every cell with known sex and age has at least `minimum_count`.
    cells: the names of the cells (`sex|age`), in the order of `counts`."""
    complete = (n for cell, n in zip(cells, counts, strict=True) if UNKNOWN not in cell.split(CROSS_SEPARATOR))
    if minimum_count is None or min(complete) < minimum_count:
        return PublishedTable("not_broken_down")
    return PublishedTable("published", tuple(sorted(zip(cells, counts, strict=True))))
