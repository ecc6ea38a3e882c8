"""Splink on Spark weighs the same pairs with the same model file as the engine does. Skips without PySpark or Java."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_linkage_splink import not_exchanged, some_persons

from pipelines.linkage.blocking import block
from pipelines.linkage.model import load_model
from pipelines.linkage.score import frequencies, likelihoods
from pipelines.linkage.spark import WEIGHT, session, weighed, write
from pipelines.linkage.splink_export import UNIQUE_ID, splink_settings

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def spark():
    pytest.importorskip("pyspark", reason="PySpark is not installed: the extra `spark`")
    if shutil.which("java") is None:
        pytest.skip("no Java on this machine")
    with session("local[2]") as running:
        yield running


def test_every_pair_has_the_engines_weight(spark) -> None:
    persons, model = some_persons(), load_model()
    known = frequencies(persons, model)
    left, right = np.triu_indices(len(persons), 1)
    pairs = pd.DataFrame({"join_key_l": left, "join_key_r": right})
    found = weighed(spark, persons, model, known, pairs).select(f"{UNIQUE_ID}_l", f"{UNIQUE_ID}_r", WEIGHT).toPandas()
    assert len(found) == len(left)
    left, right = (found[f"{UNIQUE_ID}_{side}"].to_numpy("int64") for side in ("l", "r"))
    ours = likelihoods(persons, left, right, model, known)
    prior = splink_settings(model, len(persons))["probability_two_random_records_match"]
    theirs = found[WEIGHT].to_numpy() - np.log2(prior / (1 - prior))
    straight = not_exchanged(persons, left, right, model)
    np.testing.assert_allclose(theirs[straight], (ours.same - ours.strangers)[straight], atol=1e-6, rtol=0)


def test_the_same_keys_give_the_same_pairs_and_only_keys_are_written(spark, tmp_path: Path) -> None:
    persons, model = some_persons().assign(institution="police"), load_model()
    persons["record_key"] = [f"K{n}" for n in range(len(persons))]
    count = write(spark, persons, model, frequencies(persons, model), tmp_path / "pairs")
    found = pd.read_parquet(tmp_path / "pairs")
    assert list(found) == ["institution_a", "key_a", "institution_b", "key_b", WEIGHT]
    ours = block(persons)
    expected = {frozenset((f"K{a}", f"K{b}")) for a, b in zip(ours.left.tolist(), ours.right.tolist(), strict=True)}
    assert {frozenset(pair) for pair in zip(found["key_a"], found["key_b"], strict=True)} == expected
    assert count == len(found)
