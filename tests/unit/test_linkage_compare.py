"""Tests of pairs of texts: what is never held side by side is never what the test looks for."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rapidfuzz.distance import OSA, JaroWinkler

from pipelines.linkage.compare import FieldValues, ValuePairs, are_equal, are_similar, are_within_edits, find_levels_of_value_pairs
from pipelines.linkage.model import ComparedField, ComparisonLevel

TEXTS = st.lists(st.text(alphabet="abcë 019", min_size=1, max_size=12), min_size=1, max_size=12)


def every_pair(texts: list[str]) -> tuple[ValuePairs, list[tuple[str, str]]]:
    rows = np.array(list(itertools.product(range(len(texts)), repeat=2)))
    return ValuePairs(FieldValues([np.array(texts, dtype=object)]), rows[:, 0], rows[:, 1]), [(texts[a], texts[b]) for a, b in rows]


@given(TEXTS)
@example(["0000000000", "00000000000", "0000000001", "1000000000"])
def test_edits_and_equality_are_those_of_pairs_held_side_by_side(texts: list[str]) -> None:
    sides, pairs = every_pair(texts)
    assert are_equal(sides).tolist() == [a == b for a, b in pairs]
    for most in (1, 2):
        assert are_within_edits(sides, most, length=1).tolist() == [OSA.distance(a, b) <= most for a, b in pairs]


@given(TEXTS, st.sampled_from([0.7, 0.85, 0.9, 0.95]))
@example(["martha", "marhta", "dixon", "dicksonx", "a", "aaaaa"], 0.9)
def test_likeness_is_that_of_pairs_held_side_by_side(texts: list[str], least: float) -> None:
    sides, pairs = every_pair(texts)
    assert are_similar(sides, least).tolist() == [JaroWinkler.similarity(a, b) >= least for a, b in pairs]


@pytest.mark.parametrize("tests", list(itertools.permutations(["equal", "edits", "jaro_winkler"])))
def test_the_first_test_that_holds_wins_and_sees_no_pair_that_another_took(tests: tuple[str, ...]) -> None:
    args: dict[str, dict[str, float]] = {"equal": {}, "edits": {"most": 1, "length": 1}, "jaro_winkler": {"least": 0.9}}
    field = ComparedField(
        "name",
        ("name",),
        (*(ComparisonLevel(test, test, 0.3, 0.1, args[test]) for test in tests), ComparisonLevel("else", "else", 0.1, 0.7)),
    )
    sides, pairs = every_pair(["agim", "agimi", "agmi", "besa", "besart", "besarta", "b"])
    holds = {
        "equal": lambda a, b: a == b,
        "edits": lambda a, b: OSA.distance(a, b) <= 1,
        "jaro_winkler": lambda a, b: JaroWinkler.similarity(a, b) >= 0.9,
    }
    expected = [next((n for n, test in enumerate(tests) if holds[test](a, b)), len(tests)) for a, b in pairs]
    assert find_levels_of_value_pairs(field, sides).tolist() == expected
