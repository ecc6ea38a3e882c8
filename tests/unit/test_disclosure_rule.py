"""The rule of joining, checked by a plain reading of it: whoever knows the rule is left three values, also knowing three persons."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations_with_replacement, product

import numpy as np
import pytest

from warehouse.disclosure import merging_rule as module
from warehouse.disclosure.merging_rule import MAX_UNCAPPED_TOTAL, MergingRule, list_tables_with_total, select_separately_published_causes
from warehouse.disclosure.published_tables import find_minimum_count_of_sex_age_table, publish_year_as_reported, publish_year_by_offence

RULES = [MergingRule(2), MergingRule(3), MergingRule(3, unknown_position=2), MergingRule(4), MergingRule(4, unknown_position=3)]


def published_blocks(rule: MergingRule, table: tuple[int, ...]):
    return tuple((block, sum(table[n] for n in block)) for block in rule.grouping(table))


def plain_check(rule: MergingRule, total: int, believed: dict[int, tuple[int, int]] | None = None) -> list[str]:
    """Every table of a total, grouped by what is published; every small hidden category, for everyone who knows up to three persons.

    believed: what others published of categories, if it is true and believed; a category known to be one of two values is no secret.
    """
    said = believed or {}
    tables = [t for t in product(range(total + 1), repeat=rule.category_count) if sum(t) == total]
    tables = [t for t in tables if all(a <= t[n] <= z for n, (a, z) in said.items())]
    alike: dict[object, list[tuple[int, ...]]] = {}
    for table in tables:
        alike.setdefault(published_blocks(rule, table), []).append(table)
    wrong = []
    knowns = [k for n in range(rule.known_persons + 1) for k in product(range(n + 1), repeat=rule.category_count) if sum(k) == n]
    for printed, behind in alike.items():
        hidden = [n for block, _ in printed if len(block) > 1 for n in block if n not in said or said[n][1] - said[n][0] > 1]
        for table, known in product(behind, knowns):
            if all(a >= b for a, b in zip(table, known, strict=True)):
                left = [t for t in behind if all(a >= b for a, b in zip(t, known, strict=True))]
                wrong += [f"{table} {known} {n}" for n in hidden if table[n] < rule.threshold and len({t[n] for t in left}) < 3]
    return wrong


@pytest.mark.parametrize("rule", [MergingRule(2), MergingRule(3), MergingRule(3, unknown_position=2)])
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
    for total in range(rule.minimum_total, MAX_UNCAPPED_TOTAL + 1, 1 if rule.category_count < 4 else 7):
        tables = list_tables_with_total(total, rule.category_count)
        left = tables[rule.grouping_numbers(tables) == len(rule.groupings) - 1]
        if len(left):
            assert module._is_grouping_safe(rule, rule.groupings[-1], left).all(), f"{rule} {total}"


@pytest.mark.parametrize("rule", RULES)
def test_every_block_holds_the_threshold(rule):
    for total in (6, 17, 33):
        for table in list_tables_with_total(total, rule.category_count)[:: 1 if rule.category_count < 4 else 5]:
            for block in rule.grouping(tuple(table.tolist())):
                value = int(table[list(block)].sum())
                assert value >= rule.threshold or (block == (rule.unknown_position,) and value == 0)


def test_a_large_table_is_printed_as_its_capped_form():
    """Decided with all its cells, a table of more than `MAX_UNCAPPED_TOTAL` persons comes out as with its cells cut off at `COUNT_CAP`."""
    for rule in (MergingRule(3), MergingRule(3, unknown_position=2)):
        for total in (MAX_UNCAPPED_TOTAL + 1, MAX_UNCAPPED_TOTAL + 20):
            assert_capped(rule, total)


@pytest.mark.slow
@pytest.mark.parametrize("rule", [MergingRule(4), MergingRule(4, unknown_position=3)])
@pytest.mark.parametrize("total", [MAX_UNCAPPED_TOTAL + 1, MAX_UNCAPPED_TOTAL + 7, MAX_UNCAPPED_TOTAL + 20])
def test_a_large_table_of_four_categories_too(rule, total):
    assert_capped(rule, total)


def assert_capped(rule: MergingRule, total: int) -> None:
    tables = list_tables_with_total(total, rule.category_count)
    assert (rule.grouping_numbers(tables) == decided_whole(rule, tables)).all()


def decided_whole(rule: MergingRule, tables: np.ndarray) -> np.ndarray:
    chosen = np.full(len(tables), len(rule.groupings) - 1)
    free = np.ones(len(tables), dtype=bool)
    for n, grouping in enumerate(rule.groupings[:-1]):
        rows = np.flatnonzero(free & module._are_merged_categories_large_enough(rule, grouping, tables))
        if len(rows):
            safe = rows[module._is_grouping_safe(rule, grouping, tables[rows])]
            chosen[safe], free[safe] = n, False
    return chosen


def test_zeros_are_joined_like_any_small_number_and_not_known_zero_may_stand():
    assert published_blocks(MergingRule(3, unknown_position=2), (20, 9, 0)) == (((0,), 20), ((1,), 9), ((2,), 0))
    assert published_blocks(MergingRule(3), (20, 9, 0)) == (((0,), 20), ((1, 2), 9))
    assert published_blocks(MergingRule(3, unknown_position=2), (30, 0, 0)) == (((0, 1), 30), ((2,), 0)), "all in one: not disclosed"


SAID = {1: (4, 4), 0: (9, 9)}


@pytest.mark.parametrize("total", [9, 13, 16])
@pytest.mark.parametrize("believed", [{}, {1: (4, 4)}, {0: (9, 9)}, SAID])
def test_nobody_learns_by_believing_what_others_published(total, believed):
    rule = MergingRule(3, external_bounds=tuple((n, a, z) for n, (a, z) in SAID.items()))
    wrong = plain_check(rule, total, believed)
    whole = ((0, 1, 2),)
    # What others published may give the rest away whatever is printed: then nothing is kept apart.
    assert [w for w in wrong if rule.grouping(tuple(map(int, w[1 : w.index(")")].split(",")))) != whole] == []


def test_a_small_figure_that_is_public_already_is_printed_where_ours_is_the_same():
    rule = MergingRule(4, external_bounds=((3, 4, 4),))
    assert published_blocks(rule, (9, 7, 5, 4)) == (((0,), 9), ((1,), 7), ((2,), 5), ((3,), 4))
    assert published_blocks(rule, (9, 7, 6, 3)) == (((0,), 9), ((1,), 7), ((2, 3), 9))


def test_figures_of_others_do_not_make_large_totals_slow():
    """What is decided grows with the total, not with its square: 20,000 cases a year took 19 minutes and 9 GB."""
    rule = MergingRule(3, external_bounds=((0, 27, 27), (2, 4, 4)))
    codes, _ = module._find_groupings_of_tables_with_small_count(rule, 3000)
    assert len(codes) <= 3 * rule.threshold * 3001
    assert published_blocks(rule, (2969, 27, 4)) == (((0,), 2969), ((1,), 27), ((2,), 4)), "4 is public already"
    assert published_blocks(rule, (2970, 29, 1)) == (((0,), 2970), ((1, 2), 30))


def year(rule: MergingRule, own: int, rest: int, said: tuple[int, int] | None = None):
    total, offence = publish_year_by_offence(rule, ("trafficking", "other"), (own, rest), said)
    return (total.status, total.cells, offence and (offence.status, offence.cells))


def worlds(rule: MergingRule, said: tuple[int, int] | None = None):
    """Every year of up to 36, and those with few of either, by what is printed of it."""
    found: dict[object, list[tuple[int, ...]]] = {}
    for own, rest in ((a, b) for a, b in product(range(37), repeat=2) if a + b <= 36 or min(a, b) < 6):
        found.setdefault(year(rule, own, rest, said), []).append((own, rest))
    return found


def narrow(alike: Iterable[tuple[int, ...]], hidden: Sequence[int], knowns: Iterable[tuple[int, ...]]) -> list[str]:
    """Hidden counts under 5 of which the public, or one who knows persons (so many of each category), is left fewer than three values."""
    tables, wrong = np.array(list(alike)), []
    for known in knowns:
        left = tables[(tables >= known).all(axis=1)]
        wrong += [f"{known} {n}" for n in hidden if (left[:, n] < 5).any() and len(np.unique(left[:, n])) < 3]
    return wrong


def knowing(places: int, persons: int = 3) -> list[tuple[int, ...]]:
    """Every way to know so many persons, or fewer, of so many categories."""
    chosen = (c for n in range(persons + 1) for c in combinations_with_replacement(range(places), n))
    return [tuple(c.count(place) for place in range(places)) for c in chosen]


@pytest.mark.parametrize("said", [None, (33, 33), (20, 24)])
def test_nobody_learns_the_parts_of_a_year(said):
    for printed, alike in worlds(MergingRule(1), said).items():
        if (printed[0] != "published" or printed[2][0] == "not_broken_down") and dict(printed[1]).get("total", 0) <= 36:
            assert narrow(alike, (0, 1), knowing(2)) == [], printed
            true = [t for t in alike if said is None or said[0] <= sum(t) <= said[1]]
            assert not true or narrow(true, (0, 1), knowing(2)) == [], f"{printed} to one who believes a total of {said}"


@pytest.mark.parametrize("ours", [(20, 10), (20, 3), (3, 20)])
def test_nobody_learns_the_parts_of_a_year_as_reported(ours):
    """Nor a difference to the harmonised figures of less than six."""
    rule, harmonised = MergingRule(1), publish_year_by_offence(MergingRule(1), ("trafficking", "other"), ours)
    found: dict[object, list[tuple[int, ...]]] = {}
    for counts in product(range(41), repeat=2):
        total, offence = publish_year_as_reported(rule, ("trafficking", "rest"), counts, harmonised, 6)
        found.setdefault((total.status, total.cells, offence and (offence.status, offence.cells)), []).append(counts)
    for printed, alike in found.items():
        shown = dict(printed[1]) | dict(printed[2][1] if printed[2] else ())
        if shown.get("total", 0) <= 36:
            assert narrow(alike, [n for n, cell in enumerate(("trafficking", "rest")) if cell not in shown], knowing(2)) == [], printed
        against = {"total": sum(ours)} if harmonised[0].cells else {"trafficking": ours[0]}
        assert all(abs(shown[cell] - n) >= 6 for cell, n in against.items() if cell in shown), printed


YEARS = [((20, 9), (17, 12)), ((12, 6), (6, 12)), ((15, 5), (11, 9))]


@pytest.mark.parametrize("years", [YEARS, YEARS[:1], YEARS[1:], [((9, 9), (9, 9)), ((5, 20), (20, 5)), ((5, 20), (20, 5))]])
def test_nobody_learns_from_sex_by_age(years):
    """Every way to fill the years between their margins; everyone who knows up to three persons of any of them."""
    yearly = [[(x, a - x, c - x, b - c + x) for x in range(max(0, c - b), min(a, c) + 1)] for (a, b), (c, _) in years]
    least = find_minimum_count_of_sex_age_table(5, 3, years)
    worlds = np.array([(*sum(world, ()), *map(sum, zip(*world, strict=True))) for world in product(*yearly)])
    hidden = worlds[(worlds[:, -4:].min(axis=1) < least) if least else np.ones(len(worlds), dtype=bool)]
    cells = range(4 * len(years), 4 * len(years) + 4)
    assert narrow(hidden, cells, [(*known, 0, 0, 0, 0) for known in knowing(4 * len(years))]) == []


def test_sex_by_age_is_printed_where_every_cell_is_large_enough():
    """Years that differ leave few tables with a small cell: six are asked for then."""
    assert find_minimum_count_of_sex_age_table(5, 3, [((40, 20), (35, 25))]) == 5
    assert find_minimum_count_of_sex_age_table(5, 3, [((30, 10), (20, 20)), ((10, 20), (20, 10))]) == 6


FOUR = [t for t in product(range(15), repeat=4) if sum(t) in (6, 7, 11, 15, 19)]
MIXED = [t for t in product(range(-8, 9), repeat=4) if sum(t) in (6, 7, 11, 15, 19)]


@pytest.mark.parametrize(
    ("tables", "mixed"), [(FOUR, False), (MIXED, True), (list_tables_with_total(21, 6), False)], ids=["four", "mixed", "six"]
)
def test_nobody_learns_the_causes_of_a_difference(tables, mixed):
    """Every bridge of four or six causes with some differences; also where causes only take away, to one who knows three records."""
    tables = np.array(tables)
    size = tables.shape[1]
    found: dict[object, list[tuple[int, ...]]] = {}
    for table, own in zip(tables.tolist(), select_separately_published_causes(tables, 6).tolist(), strict=True):
        assert not any(alone and abs(n) < 6 for n, alone in zip(table, own, strict=True))
        found.setdefault((sum(table), tuple(n if alone else None for n, alone in zip(table, own, strict=True))), []).append(tuple(table))
    for (total, printed), alike in found.items():
        joined = [n for n, value in enumerate(printed) if value is None]
        wrong = narrow(np.abs(alike), joined, [(0,) * size]) if mixed else narrow(alike, joined, knowing(size))
        assert wrong == [], (total, printed)
