"""The disclosure-risk test finds what is known to leak, and nothing in what is published of small simulated populations."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from benchmarks import disclosure_replay
from benchmarks.disclosure_attack import attack, release_population, simulated_programme
from benchmarks.disclosure_populations import World
from warehouse.disclosure_risk import enumeration, integer_programme
from warehouse.disclosure_risk.intruder import IntruderKnowledge, ObservedTableName

VICTIMS = "victims_identified"
CELLS = {"total": ("total",), "offence_group": ("trafficking", "other"), "sex": ("female", "male", "unknown")}
CELLS["sex_age_group"] = tuple(f"{s}|{a}" for s in CELLS["sex"] for a in ("adult", "child", "unknown"))
CELLS["age_group"] = ("adult", "child", "unknown")


def cube(*rows: tuple[str, str, str, int | None, str]) -> pd.DataFrame:
    """Rows: table, of, cell, value, edition."""
    columns = ["table", "of", "cell", "value", "edition"]
    frame = pd.DataFrame(rows, columns=columns).assign(indicator=VICTIMS, measure="harmonised", limit=None)
    return frame.assign(known=frame["edition"], status=np.where(frame["value"].isna(), "not_broken_down", "shown"))


def outsider(*cubes: pd.DataFrame) -> IntruderKnowledge:
    return IntruderKnowledge(
        cubes=cubes,
        categories=lambda name: CELLS[name.table],
        leading="trafficking",
        threshold={VICTIMS: 5},
        known_persons={VICTIMS: 3},
        publication_numbers=lambda table, cells, tables: np.zeros(len(tables), dtype=np.int64),
    )


def year(total: int, day: str = "2014-06-30", own: int | None = None, of: str = "2013"):
    own = total - 10 if own is None else own
    parts = [("trafficking", own), ("other", total - own)]
    return [("total", of, "total", total, day), *(("offence_group", of, cell, value, day) for cell, value in parts)]


def test_a_single_hole_is_closed_by_the_total():
    known = outsider(cube(*year(50), ("sex", "2013", "female", 30, "2014-06-30"), ("sex", "2013", "unknown", 7, "2014-06-30")))
    truth = {ObservedTableName(VICTIMS, "harmonised", "sex", "2013"): {"female": 30, "male": 3, "unknown": 7}}
    learnt = integer_programme.find_disclosures_by_integer_programme(known, truth, [VICTIMS])
    assert ("male", 1, "public") in {(one.cell, one.possible_values, one.intruder) for one in learnt}


def test_a_remainder_of_three_is_too_small_for_one_who_knows_three():
    known = outsider(cube(*year(43, own=33), ("sex", "2013", "female", 30, "2014-06-30"), ("sex", "2013", "male+unknown", 3, "2014-06-30")))
    truth = {ObservedTableName(VICTIMS, "harmonised", "sex", "2013"): {"female": 30, "male": 3, "unknown": 0}}
    for learnt in (
        integer_programme.find_disclosures_by_integer_programme(known, truth, [VICTIMS]),
        enumeration.find_disclosures_by_enumeration(known, truth),
    ):
        assert {one.intruder for one in learnt} == {"knows"}


def test_revised_breakdowns_give_a_difference_away():
    first = cube(*year(50, "2014-06-30", 40))
    second = cube(*year(52, "2014-12-31", 42))
    learnt = integer_programme.find_disclosures_by_integer_programme(outsider(first, second), {}, [VICTIMS])
    assert {(one.cell, one.intruder) for one in learnt} == {("total", "difference"), ("trafficking", "difference")}


def test_one_who_knows_the_rule_learns_what_a_fixed_remainder_tells():
    """Joined only where male is 1 to 4: a rule that keeps no other table beside them leaves two values to one who knows three."""
    known = outsider(cube(*year(43, own=33), ("sex", "2013", "female", 27, "2014-06-30"), ("sex", "2013", "male+unknown", 6, "2014-06-30")))
    naive = IntruderKnowledge(**{**known.__dict__, "publication_numbers": lambda table, cells, tables: (tables[:, 1] < 5).astype(int)})
    truth = {ObservedTableName(VICTIMS, "harmonised", "sex", "2013"): {"female": 27, "male": 3, "unknown": 3}}
    assert {one.cell for one in enumeration.find_disclosures_by_enumeration(known, truth)} == set()
    assert ("male", "knows") in {(one.cell, one.intruder) for one in enumeration.find_disclosures_by_enumeration(naive, truth)}


def test_tables_by_year_undo_a_crossed_window():
    """Women known by year, women adult and child known over the window: the women of unknown age follow."""
    day, shown = "2015-06-30", {"female|adult": 40, "female|child": 18}
    rows = [row for of in ("2012", "2013", "2014") for row in year(40, day, 30, of)]
    rows += [("sex", of, cell, n, day) for of in ("2012", "2013", "2014") for cell, n in (("female", 20), ("male+unknown", 10))]
    known = outsider(cube(*rows, *(("sex_age_group", "2012/2014", cell, value, day) for cell, value in shown.items())))
    counts = {**dict.fromkeys(CELLS["sex_age_group"], 9), **shown, "female|unknown": 2}
    learnt = integer_programme.find_disclosures_by_integer_programme(
        known, {ObservedTableName(VICTIMS, "harmonised", "sex_age_group", "2012/2014"): counts}, [VICTIMS]
    )
    assert ("female|unknown", 1) in {(one.cell, one.possible_values) for one in learnt}


@pytest.mark.parametrize("seed", [6, 17])
def test_nothing_is_learnt_from_releases_of_small_populations(seed):
    """Years of one victim, and of few: the small version of benchmarks/disclosure_attack.py; the next test has all kinds."""
    assert_nothing(seed)


@pytest.mark.slow
def test_nothing_is_learnt_by_running_the_whole_program_on_other_tables():
    assert_nothing(6, again=True)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 3, 4])
def test_nothing_is_learnt_by_running_the_whole_program_on_other_tables_of_larger_populations(seed):
    assert_nothing(seed, again=True)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 40, 10))
def test_nothing_is_learnt_from_releases_of_more_populations(first):
    for seed in range(first, first + 10):
        assert_nothing(seed)


def assert_nothing(seed: int, again: bool = False) -> None:
    tally: Counter[str] = Counter()
    done = release_population(World(seed), simulated_programme())
    assert (len(done.history), done.refused) == (4, 0)
    attack(done, tally, recompute=again)
    assert {kind: n for kind, n in tally.items() if (n and "(" in kind) or kind == "differences"} == {"differences": 0}


@pytest.mark.slow
def test_a_second_solver_finds_the_same_bounds():
    from benchmarks.disclosure_attack import compare_solvers

    tally: Counter[str] = Counter()
    done = release_population(World(3), simulated_programme())
    compare_solvers(attack(done, tally), tally)
    assert tally["second solver: intervals"] == tally["second solver: agree"] > 100


def test_one_who_reruns_a_program_that_answers_to_a_test_learns_what_the_test_hides():
    """A table that is not printed where men are few: of those that are not, men are few."""
    known = outsider(cube(*year(43, own=33), ("sex", "2013", "", None, "2014-06-30")))
    truth = {ObservedTableName(VICTIMS, "harmonised", "sex", "2013"): {"female": 30, "male": 1, "unknown": 2}}
    learnt = disclosure_replay.find_disclosures(known, truth, lambda name, counts: bool(counts[1] in (1, 2)))
    assert {(one.cell, one.possible_values, one.intruder) for one in learnt} >= {("male", 2, "public"), ("male", 2, "knows")}
    assert disclosure_replay.find_disclosures(known, truth, lambda name, counts: bool(counts[1] < 5 or counts[2] < 5)) == []


def bridge(*lines: tuple[str, int | None, str]) -> pd.DataFrame:
    rows = [(VICTIMS, "2013", *line, "2014-06-30", "2014-06-30") for line in lines]
    return pd.DataFrame(rows, columns=["indicator", "period", "cause", "n", "status", "edition", "known"])


@pytest.mark.parametrize(
    ("steps", "lines"),
    [
        ({"merged": -3, "same_person": 0, "separated": 0}, []),
        ({"merged": -4, "same_person": -4, "separated": -9}, [("separated", -9, "shown"), ("merged+same_person", -8, "joined")]),
    ],
)
def test_a_small_cause_follows_from_the_totals_beside_it(steps, lines):
    """A single small one; two that are named and come to eight, where each is known to be under five."""
    reported = cube(("total", "2013", "total", 40 - sum(steps.values()), "2014-06-30")).assign(measure="as_reported")
    known = outsider(pd.concat([cube(*year(40)), reported]))

    def named(table: ObservedTableName, cells: tuple[str, ...], tables: np.ndarray) -> np.ndarray:
        return np.array([tuple(0 if n == 0 else 1 + (abs(n) >= 5) for n in row) for row in tables.tolist()]) @ [1, 3, 9]

    lines_of_bridge = bridge(*lines or [("merged", None, "not_broken_down")])
    knowing = IntruderKnowledge(**{**known.__dict__, "publication_numbers": named, "bridge": lines_of_bridge})
    learnt = enumeration.find_bridge_disclosures(knowing, {ObservedTableName(VICTIMS, "harmonised", "bridge", "2013"): steps})
    assert {(one.cell, one.possible_values) for one in learnt if one.intruder == "public"} >= {("merged", 1)}


def test_replay_weighs_the_worlds_that_print_alike():
    known = outsider(cube(*year(43, own=33), ("sex", "2013", "female", 27, "2014-06-30"), ("sex", "2013", "male+unknown", 6, "2014-06-30")))
    truth = {ObservedTableName(VICTIMS, "harmonised", "sex", "2013"): {"female": 27, "male": 4, "unknown": 2}}
    (world,) = disclosure_replay.candidate_tables(known, truth)
    assert len(world.rows) == 7
    assert set(disclosure_replay.best_guesses(world, np.array([0.8, 0.19, 0.01]))) == {"male", "unknown"}
    share, _ = disclosure_replay.best_guesses(world, np.array([0.8, 0.19, 0.01]))["male"]
    assert 0.5 < share < 1
    assert disclosure_replay.values_left_to_institution(world, {"male": 3, "unknown": 2}) == {"male": 2, "unknown": 2}
