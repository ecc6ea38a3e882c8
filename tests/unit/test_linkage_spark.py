"""Splink on Spark makes and scores the same pairs with the same model file as the engine does in process."""

from __future__ import annotations

import importlib.util
import shutil

import numpy as np
import pandas as pd
import pytest
from test_linkage_splink import some_persons

from harmonia.errors import HarmoniaError
from pipelines.linkage.blocking import find_person_pairs_by_blocking, group_records_by_blocking_keys
from pipelines.linkage.model import load_linkage_model
from pipelines.linkage.row_groups import group_rows_by_value
from pipelines.linkage.score import PairScorer
from pipelines.linkage.spark import SplinkOnSpark

on_spark = pytest.mark.skipif(
    importlib.util.find_spec("pyspark") is None or shutil.which("java") is None, reason="PySpark is in .venv-spark: make test-spark"
)


@pytest.fixture(scope="module")
def world() -> tuple[pd.DataFrame, PairScorer]:
    persons, model = some_persons(), load_linkage_model()
    return persons, PairScorer.make_for_persons(persons, model)


@pytest.mark.spark
@on_spark
def test_every_pair_is_scored_as_in_process(world: tuple[pd.DataFrame, PairScorer]) -> None:
    persons, scorer = world
    one_block = group_rows_by_value(np.zeros(len(persons), dtype="uint64"), np.arange(len(persons)), len(persons))[0]
    left, right, found = SplinkOnSpark.for_master("local[2]").score_pairs(persons, one_block, load_linkage_model(), scorer)
    expected = np.triu_indices(len(persons), 1)
    assert (left == expected[0]).all()
    assert (right == expected[1]).all()
    ours = scorer.compute_likelihoods_of_pairs(left, right)
    pd.testing.assert_frame_equal(found.levels, ours.levels)
    pd.testing.assert_frame_equal(found.bits, ours.bits, atol=1e-6, rtol=0)
    np.testing.assert_allclose(found.weight, ours.weight, atol=1e-6, rtol=0)


@pytest.mark.spark
@on_spark
def test_the_same_keys_give_the_same_pairs_and_only_those_that_are_asked_for(world: tuple[pd.DataFrame, PairScorer]) -> None:
    persons, scorer = world
    fresh = np.arange(len(persons)) % 5 == 0
    found = SplinkOnSpark.for_master("local[2]").find_pairs_above_weight(
        persons, group_records_by_blocking_keys(persons).groups, load_linkage_model(), scorer, -5.0, fresh
    )
    ours = find_person_pairs_by_blocking(persons)
    weight = scorer.compute_likelihoods_of_pairs(ours.left, ours.right).weight
    kept = (weight >= -5.0) & (fresh[ours.left] | fresh[ours.right])
    expected = pd.DataFrame({"left": ours.left[kept], "right": ours.right[kept], "weight": weight[kept]})
    pd.testing.assert_frame_equal(found, expected.sort_values(["left", "right"], ignore_index=True), atol=1e-6, rtol=0)


@pytest.mark.spark
@on_spark
def test_nobody_in_common_starts_no_session() -> None:
    persons, model = some_persons(), load_linkage_model()
    nothing = group_rows_by_value(np.arange(len(persons)).astype("uint64"), np.arange(len(persons)), len(persons))[0]
    scorer = PairScorer.make_for_persons(persons, model)
    left, _, found = SplinkOnSpark("local[nonsense]").score_pairs(persons, nothing, model, scorer)
    assert len(left) == len(found.levels) == 0


def test_without_pyspark_one_line_says_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.linkage.spark.find_spec", lambda name: None)
    assert SplinkOnSpark.from_environment({}) is None
    with pytest.raises(HarmoniaError, match="extra `spark`"):
        SplinkOnSpark.from_environment({"HARMONIA_SPARK": "local[2]"})
