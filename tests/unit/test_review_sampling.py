"""Blind samples: drawn by strata with known probabilities; what their labels say holds in 95 of 100 cases."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from volume import examples

from harmonia.review.estimating import estimate_accuracy
from harmonia.review.strata import allocate_sample_to_strata, draw_stratified_sample_of_pairs, stratify_pairs


def pairs(seed: int = 0, joined: int = 900, refused: int = 3000, wrong: float = 0.02) -> pd.DataFrame:
    """Pairs with weights of which a share is decided wrongly, more often near zero."""
    chance = np.random.default_rng(seed)
    decided = np.repeat([True, False], [joined, refused])
    weight = np.where(decided, chance.gamma(2, 6, len(decided)), -chance.gamma(2, 8, len(decided)))
    mistaken = chance.random(len(decided)) < np.where(decided, wrong, wrong / 5) * np.where(np.abs(weight) < 8, 3, 0.5)
    frame = pd.DataFrame({"entity": "person", "joined": decided, "weight": weight, "true": decided ^ mistaken, "key": range(len(decided))})
    frame.loc[frame.index[:20], "weight"] = np.nan
    return frame


def labels(taken: pd.DataFrame, strata: pd.DataFrame, verdict: str = "true") -> pd.DataFrame:
    counts = pd.crosstab(taken["stratum"], taken[verdict]).reindex(columns=[True, False], fill_value=0)
    counts = counts.set_axis(["same", "different"], axis=1).reset_index()
    return strata.merge(counts, on="stratum").assign(unsure=0)


def test_every_pair_is_in_one_stratum():
    found = stratify_pairs(pairs())
    assert found["stratum"].notna().all()
    assert found.groupby("stratum")["joined"].nunique().eq(1).all()
    assert "person joined, through others" in set(found["stratum"])


@settings(max_examples=examples(40))
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 5000), st.floats(0.004, 0.5)), min_size=1, max_size=8), st.integers(1, 600))
def test_as_many_are_drawn_as_were_asked_for(strata, size):
    frame = pd.DataFrame(strata, columns=["joined", "pairs", "doubt"]).assign(entity="case")
    drawn = allocate_sample_to_strata(frame, size)
    assert drawn.sum() == min(size, frame["pairs"].sum())
    assert (drawn <= frame["pairs"]).all()
    assert (drawn >= 0).all()


def test_the_same_seed_draws_the_same_and_another_does_not():
    first, second, other = (draw_stratified_sample_of_pairs(pairs(), 200, seed)[0]["key"].tolist() for seed in (1, 1, 2))
    assert first == second
    assert first != other
    assert len(set(first)) == 200


def test_the_order_of_a_sample_tells_nothing():
    taken, _ = draw_stratified_sample_of_pairs(pairs(), 200, 1)
    assert not taken["stratum"].is_monotonic_increasing
    assert (taken["stratum"] != taken["stratum"].shift()).sum() > 50


def test_probabilities_are_those_of_the_draw():
    population = pairs(joined=60, refused=200)
    stratum = stratify_pairs(population)["stratum"]
    times = pd.concat([draw_stratified_sample_of_pairs(population, 60, seed)[0] for seed in range(60)])
    seen = times["key"].value_counts().reindex(population["key"], fill_value=0) / 60
    given = times.groupby("stratum")["probability"].first()
    assert seen.groupby(stratum.to_numpy()).mean().to_dict() == pytest.approx(given.to_dict())
    assert seen.max() <= 1


@pytest.mark.parametrize("wrong", [0.02, pytest.param(0.0, marks=pytest.mark.slow), pytest.param(0.15, marks=pytest.mark.slow)])
def test_intervals_hold_the_truth_as_often_as_they_say(wrong):
    population = pairs(wrong=wrong)
    right = population["joined"] & population["true"]
    truth = {"precision": right.sum() / population["joined"].sum(), "recall": right.sum() / population["true"].sum()}
    held = dict.fromkeys(truth, 0)
    for seed in range(40):
        for row in estimate_accuracy(labels(*draw_stratified_sample_of_pairs(population, 300, seed))).itertuples():
            held[row.measure] += row.low <= truth[row.measure] + 1e-12 and truth[row.measure] <= row.high + 1e-12
    assert min(held.values()) >= 36


def test_a_sample_of_everything_is_the_truth_without_an_interval():
    population = pairs(joined=50, refused=80, wrong=0.1)
    found = estimate_accuracy(labels(*draw_stratified_sample_of_pairs(population, 1000, 1))).set_index("measure")
    right = (population["joined"] & population["true"]).sum()
    assert found.loc["precision", ["estimate", "low", "high"]].tolist() == pytest.approx([right / 50] * 3)
    assert found.loc["recall", ["estimate", "low", "high"]].tolist() == pytest.approx([right / population["true"].sum()] * 3)


def test_unsure_widens_the_interval_and_moves_no_estimate():
    one = pd.DataFrame({"entity": ["case"], "joined": [True], "pairs": [500], "same": [90], "different": [0], "unsure": [0]})
    sure, unsure = (estimate_accuracy(frame).set_index("measure").loc["precision"] for frame in (one, one.assign(unsure=10)))
    assert sure["estimate"] == unsure["estimate"] == 1.0
    assert unsure["low"] < sure["low"]
    assert (unsure["labelled"], unsure["unsure"]) == (90, 10)


def test_nothing_labelled_says_nothing():
    one = pd.DataFrame({"entity": ["case"], "joined": [True], "pairs": [5], "same": [0], "different": [0], "unsure": [0]})
    found = estimate_accuracy(one).set_index("measure")
    assert np.isnan(found.loc["precision", "estimate"])


def test_a_missed_match_in_a_large_stratum_weighs_as_much_as_the_pairs_that_it_represents():
    strata = pd.DataFrame(
        {"entity": "case", "joined": [True, False], "pairs": [100, 1000], "same": [100, 1], "different": [0, 99], "unsure": 0}
    )
    found = estimate_accuracy(strata).set_index("measure")
    assert found.loc["recall", "estimate"] == pytest.approx(100 / 110)
    assert found.loc["precision", "high"] == found.loc["precision", "low"] == 1.0
