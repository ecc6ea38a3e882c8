"""The rule of joining, checked by a plain reading of it: whoever knows the rule is left three values, also knowing three persons."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from warehouse.disclosure import rule as module
from warehouse.disclosure.rule import EXACT, Rule, compositions

RULES = [Rule(2), Rule(3), Rule(3, unknown=2), Rule(4), Rule(4, unknown=3)]


def prints(rule: Rule, table: tuple[int, ...]):
    return tuple((block, sum(table[n] for n in block)) for block in rule.print(table))


def plain_check(rule: Rule, total: int) -> list[str]:
    """Every table of a total, grouped by its print; every small hidden category, for everyone who knows up to three persons."""
    tables = [t for t in product(range(total + 1), repeat=rule.size) if sum(t) == total]
    alike: dict[object, list[tuple[int, ...]]] = {}
    for table in tables:
        alike.setdefault(prints(rule, table), []).append(table)
    wrong = []
    knowns = [k for n in range(rule.known + 1) for k in product(range(n + 1), repeat=rule.size) if sum(k) == n]
    for printed, behind in alike.items():
        hidden = [n for block, _ in printed if len(block) > 1 for n in block]
        for table, known in product(behind, knowns):
            if all(a >= b for a, b in zip(table, known, strict=True)):
                left = [t for t in behind if all(a >= b for a, b in zip(t, known, strict=True))]
                wrong += [f"{table} {known} {n}" for n in hidden if table[n] < rule.threshold and len({t[n] for t in left}) < 3]
    return wrong


@pytest.mark.parametrize("rule", [Rule(2), Rule(3), Rule(3, unknown=2)])
@pytest.mark.parametrize("total", [6, 9, 13])
def test_nobody_learns_by_knowing_the_rule(rule, total):
    assert plain_check(rule, total) == []


@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("total", [6, 8, 11, 14])
def test_nobody_learns_by_knowing_the_rule_whatever_the_categories(rule, total):
    assert plain_check(rule, total) == []


@pytest.mark.parametrize("rule", RULES)
def test_what_is_left_whole_is_safe_too(rule):
    for total in range(rule.floor, EXACT + 1, 1 if rule.size < 4 else 7):
        tables = compositions(total, rule.size)
        left = tables[rule.choose(tables) == len(rule.partitions) - 1]
        if len(left):
            assert module._safe(rule, rule.partitions[-1], left).all(), f"{rule} {total}"


@pytest.mark.parametrize("rule", RULES)
def test_every_block_holds_the_threshold(rule):
    for total in (6, 17, 33):
        for table in compositions(total, rule.size)[:: 1 if rule.size < 4 else 5]:
            for block in rule.print(tuple(table.tolist())):
                value = int(table[list(block)].sum())
                assert value >= rule.threshold or (block == (rule.unknown,) and value == 0)


def test_a_large_table_is_printed_as_its_capped_form():
    """Decided with all its cells, a table of more than `EXACT` persons comes out as with its cells cut off at `CAP`."""
    for rule in (Rule(3), Rule(3, unknown=2)):
        for total in (EXACT + 1, EXACT + 20):
            assert_capped(rule, total)


@pytest.mark.slow
@pytest.mark.parametrize("rule", [Rule(4), Rule(4, unknown=3)])
@pytest.mark.parametrize("total", [EXACT + 1, EXACT + 7, EXACT + 20])
def test_a_large_table_of_four_categories_too(rule, total):
    assert_capped(rule, total)


def assert_capped(rule: Rule, total: int) -> None:
    tables = compositions(total, rule.size)
    assert (rule.choose(tables) == decided_whole(rule, tables)).all()


def decided_whole(rule: Rule, tables: np.ndarray) -> np.ndarray:
    chosen = np.full(len(tables), len(rule.partitions) - 1)
    free = np.ones(len(tables), dtype=bool)
    for n, partition in enumerate(rule.partitions[:-1]):
        rows = np.flatnonzero(free & module._valid(rule, partition, tables))
        if len(rows):
            safe = rows[module._safe(rule, partition, tables[rows])]
            chosen[safe], free[safe] = n, False
    return chosen


def test_zeros_are_joined_like_any_small_number_and_not_known_zero_may_stand():
    assert prints(Rule(3, unknown=2), (20, 9, 0)) == (((0,), 20), ((1,), 9), ((2,), 0))
    assert prints(Rule(3), (20, 9, 0)) == (((0,), 20), ((1, 2), 9))
    assert prints(Rule(3, unknown=2), (30, 0, 0)) == (((0, 1), 30), ((2,), 0)), "all in one category: that is not told"
