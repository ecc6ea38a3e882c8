"""Agglomeration: best first, part by part, with vetoes and occupied places."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipelines.linkage.cluster import (
    JoiningRules,
    WeightedPairs,
    build_weighted_pairs,
    find_connected_components,
    form_clusters_by_agglomeration,
)

RULES = JoiningRules(best_share=0.7)


def groups(size: int, weights: dict[tuple[int, int], float], rules: JoiningRules = RULES, **more) -> list[int]:
    left, right = (np.array([pair[n] for pair in weights], dtype="int64") for n in (0, 1))
    return form_clusters_by_agglomeration(
        size, build_weighted_pairs(left, right, np.array(list(weights.values()), dtype="float64")), rules, **more
    ).tolist()


def test_joins_above_zero_only():
    assert groups(4, {(0, 1): 3.0, (2, 3): -1.0}) == [0, 0, 1, 2]


def test_a_chain_of_lucky_pairs_does_not_join_strangers():
    chain = {(0, 1): 9.0, (1, 2): 2.0, (2, 3): 9.0, (0, 2): -9.0, (0, 3): -9.0, (1, 3): -9.0}
    assert groups(4, chain) == [0, 0, 1, 1]


def test_a_part_that_few_pairs_know_counts_in_full():
    """A record without a number does not bridge two that bear different ones."""
    parts = np.array([[4.0, np.nan], [4.0, np.nan], [4.0, -9.0]])
    weight = np.array([4.0, 4.0, -5.0])
    no, yes = np.zeros(3, dtype=bool), np.ones(3, dtype=bool)
    pairs = WeightedPairs(np.array([0, 1, 0]), np.array([1, 2, 2]), weight, parts, np.zeros(3), yes, no)
    found = form_clusters_by_agglomeration(3, pairs, JoiningRules(best_share=0.0)).tolist()
    assert found[0] != found[2]


def test_a_veto_keeps_whole_groups_apart():
    pairs = build_weighted_pairs(np.array([0, 1, 0]), np.array([1, 2, 2]), np.array([5.0, 4.0, -1000.0]))
    pairs = WeightedPairs(**{**{n: getattr(pairs, n) for n in pairs.__dataclass_fields__}, "veto": np.array([False, False, True])})
    assert form_clusters_by_agglomeration(3, pairs, RULES).tolist() == [0, 0, 1]


def test_two_groups_with_files_of_one_institution_need_more():
    spine = np.array([0, 1, 0, -1])
    weights = {(0, 1): 9.0, (2, 3): 9.0, (1, 3): 4.0}
    assert len(set(groups(4, weights, JoiningRules(0.7, occupied=0.0), kind_of_member=spine))) == 1
    assert len(set(groups(4, weights, JoiningRules(0.7, occupied=6.0), kind_of_member=spine))) == 2


def test_members_without_pairs_stay_alone():
    assert groups(3, {}) == [0, 1, 2]
    assert find_connected_components(3, np.array([1]), np.array([2])).tolist() == [0, 1, 1]


WEIGHTS = st.dictionaries(
    st.tuples(st.integers(0, 7), st.integers(0, 7)).filter(lambda p: p[0] < p[1]), st.floats(-10, 10, allow_nan=False), max_size=20
)


@given(WEIGHTS, st.randoms())
def test_the_order_of_pairs_does_not_matter(weights, random):
    items = list(weights.items())
    random.shuffle(items)
    assert groups(8, weights) == groups(8, dict(items))


@given(WEIGHTS)
def test_groups_lie_within_what_positive_pairs_connect(weights):
    positive = [pair for pair, weight in weights.items() if weight > 0]
    reach = find_connected_components(
        8, np.array([a for a, _ in positive], dtype="int64"), np.array([b for _, b in positive], dtype="int64")
    )
    found = groups(8, weights)
    assert all(reach[a] == reach[b] for a in range(8) for b in range(8) if found[a] == found[b])
