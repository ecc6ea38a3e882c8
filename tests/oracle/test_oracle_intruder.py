"""An intruder who knows the page of releases and the policy learns nothing; planted leaks he finds."""

from __future__ import annotations

import numpy as np
import pytest

from tests.oracle.intruder import attack as attacking
from tests.oracle.intruder.__main__ import attack
from tests.oracle.intruder.attack import Address, Cube, Printed, learn
from tests.oracle.intruder.populations import the_policy
from tests.oracle.intruder.rule import Figures, OneTable, ahead_values, bridged, harmonised, one_table
from tests.oracle.intruder.score import Score, score_all

ONE, TWO = "2014-06-30", "2015-06-30"
VICTIMS = "victims_identified"
CAUSES = ("same_person", "registered_twice", "merged")


def _printed(known: str, *cells: tuple[str, int], status: str = "not_broken_down", edition: str = "") -> Printed:
    return Printed("printed" if cells else status, tuple((tuple(c.split("+")), v) for c, v in cells), edition or known, known)


def _at(table: str, measure: str = "harmonised") -> Address:
    return VICTIMS, measure, table, "2012"


def _year(known: str, own: int, other: int) -> Cube:
    return {
        _at("total"): _printed(known, ("total", own + other)),
        _at("offence_group"): _printed(known, ("trafficking", own), ("other", other)),
    }


def _score(
    cubes: list[tuple[str, Cube]], truths: dict[tuple[str, str], tuple[int, ...]], bridge: list[dict[str, object]] | None = None
) -> Score:
    policy = the_policy()
    learnt = learn(cubes, bridge or [], policy, CAUSES)
    return score_all(cubes, learnt, lambda _i, measure, table, _y, release: truths.get((measure + " " + table, release)), policy, "made up")


@pytest.mark.parametrize("seed", [3, 17])
def test_nothing_is_learnt_of_populations(seed: int) -> None:
    score = attack(seed)
    assert not score.mismatches  # the page says how each year is printed
    assert not score.leaks
    assert sum(score.cells.values()) > 50


def test_a_category_that_a_sum_tells_is_found() -> None:
    cube = _year(ONE, 21, 9) | {_at("sex"): _printed(ONE, ("female", 20), ("male+unknown", 1))}
    score = _score([(ONE, cube)], {("harmonised offence_group", ONE): (21, 9), ("harmonised sex", ONE): (20, 1, 0)})
    assert {(x.attacker, x.cell) for x in score.leaks} >= {("joint: sums", "male"), ("joint: sums", "unknown")}


def test_who_knows_three_persons_of_a_table_joined_without_care_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    cube = _year(ONE, 25, 9) | {_at("sex"): _printed(ONE, ("female", 20), ("male+unknown", 5))}
    truth = {("harmonised offence_group", ONE): (25, 9), ("harmonised sex", ONE): (20, 4, 1)}

    class Careless(OneTable):
        def _safe(self, tables: np.ndarray, partition: object, total: int) -> np.ndarray:
            return np.ones(len(tables), bool)

    careless = Careless(3, 2, Figures())
    monkeypatch.setattr(
        attacking, "one_table", lambda size, unknown, figures: careless if unknown == 2 and size == 3 else one_table(size, unknown, figures)
    )
    found = [x for x in _score([(ONE, cube)], truth).leaks if x.attacker == "rule"]
    assert [(x.cell, x.left, x.public) for x in found] == [("male", 2, False), ("unknown", 2, False)]


def test_a_difference_between_two_releases_is_found() -> None:
    cubes = [(ONE, _year(ONE, 20, 30)), (TWO, _year(TWO, 22, 30))]
    score = _score(cubes, {("harmonised offence_group", ONE): (20, 30), ("harmonised offence_group", TWO): (22, 30)})
    assert {(x.cell, x.true) for x in score.leaks if x.attacker == "difference between releases"} == {("(0,)", 2), ("(0, 1)", 2)}


def test_a_total_that_goes_ahead_too_soon_tells_its_parts() -> None:
    first = _year(ONE, 7, 10)
    ahead = first | {_at("total"): _printed(TWO, ("total", 12), edition=TWO)}
    truth = {("harmonised offence_group", ONE): (7, 10), ("harmonised offence_group", TWO): (6, 6)}
    found = [(x.cell, x.true) for x in _score([(ONE, first), (TWO, ahead)], truth).leaks if x.attacker == "difference between releases"]
    assert ("(0,)", -1) in found or ahead_values(12, [harmonised((7, 10), Figures())], Figures()) < 3
    assert learn([(ONE, first), (TWO, ahead)], [], the_policy()).states[1].outcome == "ahead"


def test_a_revision_as_reported_that_is_not_made_tells_the_figure() -> None:
    """Of seed 73: figures as reported that stay though they are near the harmonised ones printed since."""

    def own_alone(own: int, known: str) -> Cube:
        return {_at("total"): _printed(known, status="not_shown"), _at("offence_group"): _printed(known, ("trafficking", own))}

    actual = {
        _at("total", "as_reported"): _printed(ONE, status="not_shown"),
        _at("offence_group", "as_reported"): _printed(ONE, ("trafficking", 48)),
    }
    truth = {
        ("harmonised offence_group", ONE): (41, 3),
        ("harmonised offence_group", TWO): (46, 3),
        ("as_reported offence_group", ONE): (48, 3),
        ("as_reported offence_group", TWO): (52, 3),
    }
    score = _score([(ONE, own_alone(41, ONE) | actual), (TWO, own_alone(46, TWO) | actual)], truth)
    said = [x for x in score.mismatches if "not as expected" not in x]  # the hand-made cubes have no breakdowns
    assert "printed stays" in said[0], "the page shows nothing as reported here"
    assert [(x.attacker, x.cell, x.true, x.left) for x in score.leaks] == [("difference between releases", "(0,)", 4, 1)]


def test_a_bridge_of_few_causes_tells_them() -> None:
    shown = {"indicator": VICTIMS, "period": "2012", "edition": ONE, "known": ONE}
    bridge = [
        shown | {"cause": "same_person", "n": -12, "status": "shown"},
        shown | {"cause": "registered_twice+merged", "n": -9, "status": "joined"},
    ]
    reported = {_at("total", "as_reported"): _printed(ONE, ("total", 71)), _at("offence_group", "as_reported"): _printed(ONE)}
    cube = _year(ONE, 20, 30) | reported
    truths = {
        ("harmonised offence_group", ONE): (20, 30),
        ("as_reported offence_group", ONE): (31, 40),
        ("bridge bridge", ONE): (-12, -5, -4),
    }
    leaks = [x for x in _score([(ONE, cube)], truths, bridge).leaks if x.attacker == "bridge"]
    assert [(x.cell, x.left, x.public) for x in leaks] == [("merged", 2, True)]
    assert bridged((-12, -5, -4), Figures()) == ()
