"""The rule of docs/reference/releases.md, written down plainly from that page, against the rule that releases are printed by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import combinations_with_replacement, product

import numpy as np
import pytest

from warehouse.disclosure.merging_rule import MergingRule, select_separately_published_causes
from warehouse.disclosure.published_tables import PublishedTable, can_revise_total_without_its_parts, find_minimum_count_of_sex_age_table

THRESHOLD, KNOWN, FLOOR = 5, 3, 6
Table = tuple[int, ...]
Partition = tuple[Table, ...]


def partitions(cells: Table) -> Iterator[list[list[int]]]:
    if not cells:
        yield []
        return
    for rest in partitions(cells[1:]):
        yield [[cells[0]], *rest]
        for n, block in enumerate(rest):
            yield [*rest[:n], [cells[0], *block], *rest[n + 1 :]]


def in_order(size: int, unknown: int | None) -> list[Partition]:
    every = [tuple(sorted(tuple(sorted(block)) for block in p)) for p in partitions(tuple(range(size)))]
    named = {p: sum(len(block) == 1 and block != (unknown,) for block in p) for p in every}
    return sorted((p for p in every if len(p) > 1), key=lambda p: (-named[p], -len(p), p))


def valid(partition: Partition, table: Table, unknown: int | None) -> bool:
    sums = {block: sum(table[n] for n in block) for block in partition}
    return all(value >= THRESHOLD or (block == (unknown,) and value == 0) for block, value in sums.items())


def safe(group: list[Table], partition: Partition) -> bool:
    joined = [n for block in partition if len(block) > 1 for n in block]
    for persons in combinations_with_replacement(range(len(group[0])), KNOWN):
        known = Counter(persons)
        left = [table for table in group if all(table[n] >= count for n, count in known.items())]
        for n in joined:
            if any(table[n] < THRESHOLD for table in left) and len({table[n] for table in left}) < 3:
                return False
    return True


def printed(size: int, total: int, unknown: int | None) -> dict[Table, Partition]:
    undecided = [table for table in product(range(total + 1), repeat=size) if sum(table) == total]
    out: dict[Table, Partition] = {}
    for partition in in_order(size, unknown):
        groups: dict[Table, list[Table]] = {}
        for table in (t for t in undecided if t not in out and valid(partition, t, unknown)):
            groups.setdefault(tuple(sum(table[n] for n in block) for block in partition), []).append(table)
        for group in groups.values():
            if safe(group, partition):
                out |= dict.fromkeys(group, partition)
    return {table: out.get(table, (tuple(range(size)),)) for table in undecided}


@pytest.mark.parametrize(("size", "unknown", "totals"), [(2, None, (6, 11, 17)), (3, 2, (6, 10, 15)), (3, None, (12,)), (4, 3, (11,))])
def test_one_table_is_printed_as_the_page_says(size, unknown, totals):
    for total in totals:
        for table, partition in printed(size, total, unknown).items():
            assert MergingRule(size, unknown_position=unknown).grouping(table) == partition, table


def least_of(years: list[tuple[Table, Table]]) -> int | None:
    low = sum(max(0, s - a2) for (s, _), (_, a2) in years)
    high = sum(min(s, a) for (s, _), (a, _) in years)
    s, a, a2 = (sum(side) for side in ([y[0][0] for y in years], [y[1][0] for y in years], [y[1][1] for y in years]))
    smallest = {x: min(x, s - x, a - x, a2 - (s - x)) for x in range(low, high + 1)}
    for t in range(THRESHOLD, max(smallest.values()) + 1):
        under = [x for x, n in smallest.items() if n < t]
        counts = (sum(low + m <= x <= high - n for x in under) for m in range(KNOWN + 1) for n in range(KNOWN + 1 - m))
        if all(count == 0 or count >= 3 for count in counts):
            return t
    return None


def test_the_least_count_of_sex_by_age_is_as_the_page_says():
    rng = np.random.default_rng(5)
    for _ in range(300):
        years = []
        for _ in range(int(rng.integers(1, 4))):
            total = int(rng.integers(10, 45))
            first, second = (int(rng.integers(5, total - 4)) for _ in range(2))
            years.append(((first, total - first), (second, total - second)))
        assert find_minimum_count_of_sex_age_table(THRESHOLD, KNOWN, years) == least_of(years), years


def goes_ahead(new: int, old: int, pairs: list[tuple[int, int]]) -> bool:
    left = 0
    for trafficking in range(FLOOR, new - FLOOR + 1):
        rest = new - trafficking
        left += any(abs(trafficking - own) in (1, 2, 3, 4) or abs(rest - other) in (1, 2, 3, 4) for own, other in pairs)
    return abs(new - old) >= 5 and left >= 3


def test_a_total_goes_ahead_of_its_parts_as_the_page_says():
    rng = np.random.default_rng(5)
    seen = Counter[bool]()
    for _ in range(2000):
        pairs = [(int(own), int(rest)) for own, rest in rng.integers(FLOOR, 14, (int(rng.integers(1, 3)), 2))]
        old, new = sum(pairs[-1]), int(rng.integers(2 * FLOOR, 28))
        total = [PublishedTable("published", (("total", value),)) for value in (new, old)]
        seen[found := can_revise_total_without_its_parts(total[0], total[1], pairs, FLOOR, 5)] += 1
        assert found == goes_ahead(new, old, pairs), (new, old, pairs)
    assert min(seen.values()) > 100


def test_the_causes_of_a_bridge_are_apart_as_the_page_says():
    rng = np.random.default_rng(5)
    for counts in rng.integers(-14, 9, (400, 6)).tolist():
        order = sorted(range(6), key=lambda n: (-abs(counts[n]), n))
        apart: set[int] = set()
        for p in range(6):
            others = [counts[n] for n in order[p:]]
            large = all(abs(counts[n]) >= FLOOR for n in order[:p])
            if large and FLOOR <= abs(sum(others)) <= (FLOOR - 1) * (len(others) - 1):
                apart = set(order[:p])
        assert {n for n, own in enumerate(select_separately_published_causes(np.array([counts]), FLOOR)[0]) if own} == apart, counts
