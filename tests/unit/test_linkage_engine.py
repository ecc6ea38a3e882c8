"""The engine on any records: every pair that a key finds once, levels as compared one by one, weights as Fellegi and Sunter have them."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from benchmarks import linkage_estimate as estimating
from benchmarks.linkage_estimate import AS_COUNTED, Estimated, across, estimate, sample
from pipelines.linkage.blocking import BlockingKey, group_records_by_blocking_keys
from pipelines.linkage.compare import compare_field_values, read_column_values
from pipelines.linkage.encoded_values import FieldComparer, encode_values
from pipelines.linkage.model import ComparedField, ComparisonLevel
from pipelines.linkage.score import PairScorer, find_pairs_above_weight

NAME = ComparedField(
    "name",
    ("name",),
    (
        ComparisonLevel("equal", "equal", 0.9, 0.01, {}, 1.0),
        ComparisonLevel("near", "jaro_winkler", 0.08, 0.02, {"least": 0.85}),
        ComparisonLevel("else", "else", 0.02, 0.97),
    ),
)
TOWN = ComparedField("town", ("town",), (ComparisonLevel("equal", "equal", 0.9, 0.3), ComparisonLevel("else", "else", 0.1, 0.7)))
KEYS = (BlockingKey("town", "town"), BlockingKey("names", "string_split(name, ' ')", several=True))


def records() -> pd.DataFrame:
    names = ["agim hoti", "agim hotii", "besa gashi", "hoti agim", None, "", "besa gasi", "zana", "zana"]
    towns = ["A", "A", "B", "B", "B", "C", None, "C", "D"]
    return pd.DataFrame({"name": pd.Series(names, dtype="str"), "town": pd.Series(towns, dtype="str")})


def found(frame: pd.DataFrame) -> set[tuple[int, int]]:
    batches = group_records_by_blocking_keys(frame, KEYS).groups.generate_pairs()
    if "file" in frame:
        batches = across(batches, frame["file"].to_numpy())
    pairs = [pair for left, right in batches for pair in zip(left.tolist(), right.tolist(), strict=True)]
    assert len(pairs) == len(set(pairs)), "a pair came twice"
    return set(pairs)


def test_pairs_share_a_value_of_some_key_and_missing_or_empty_values_make_none() -> None:
    expected = {(0, 1), (0, 3), (1, 3), (2, 3), (2, 4), (3, 4), (2, 6), (5, 7), (7, 8)}
    assert found(records()) == expected


def test_of_two_files_only_pairs_across_are_candidates() -> None:
    frame = records().assign(file=[0, 0, 0, 0, 0, 1, 1, 1, 1])
    assert found(frame) == {(2, 6)}


def test_a_value_that_too_many_share_is_refused_and_reported() -> None:
    limited = group_records_by_blocking_keys(records(), KEYS, max_rows=2)
    pairs = {pair for left, right in limited.groups.generate_pairs() for pair in zip(left.tolist(), right.tolist(), strict=True)}
    report = limited.report.set_index("key")
    assert report.loc["town", "refused_values"] == 1
    assert report.loc["names", "refused_records"] == 3
    assert (2, 4) not in pairs
    assert (0, 3) in pairs, "still found by the other value that both share"


@pytest.mark.parametrize("table", [2, 4096])
def test_levels_are_those_of_comparing_one_by_one(table: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.linkage.encoded_values.TABLE_WIDTH", table)
    frame = records()
    left, right = (np.array(side) for side in zip(*itertools.product(range(len(frame)), repeat=2), strict=True))
    encoded = encode_values(frame, NAME.columns)
    got = FieldComparer(NAME, encoded.values).find_levels_of_codes(encoded.codes[left], encoded.codes[right])
    expected = compare_field_values(NAME, read_column_values(frame, NAME.columns, left), read_column_values(frame, NAME.columns, right))
    np.testing.assert_array_equal(got, expected)


def test_weight_is_odds_and_bits_and_a_frequent_name_weighs_less() -> None:
    frame = pd.DataFrame({"name": ["agim", "agim", "agim", "zana", "zana"], "town": ["A", "A", "B", "A", "A"]})
    left, right, found_ = weighed(frame, (BlockingKey("name", "name"),), -np.inf)
    weight = dict(zip(zip(left.tolist(), right.tolist(), strict=True), found_.tolist(), strict=True))
    agim, town = np.log2(0.9 / 0.6), np.log2(0.9 / 0.3)
    assert weight[0, 1] == pytest.approx(agim + town, abs=1e-5)
    assert weight[3, 4] == pytest.approx(np.log2(0.9 / 0.4) + town, abs=1e-5)
    assert weight[0, 2] == pytest.approx(agim + np.log2(0.1 / 0.7), abs=1e-5)


def weighed(frame: pd.DataFrame, keys: tuple[BlockingKey, ...], least: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    fields = Estimated((NAME, TOWN), 0.0)
    return find_pairs_above_weight(
        PairScorer.make_for_persons(frame, fields, AS_COUNTED), group_records_by_blocking_keys(frame, keys).groups.generate_pairs(), least
    )


def test_only_what_weighs_enough_is_kept() -> None:
    every, some = (weighed(records(), KEYS, least)[2] for least in (-np.inf, 1.0))
    assert len(every) == 9
    assert sorted(some) == sorted(every[every >= 1.0])


def test_shares_are_found_without_truth() -> None:
    draw = np.random.default_rng(3)
    people = pd.DataFrame(
        {c: draw.integers(0, n, 1500).astype(str) for c, n in (("name", 400), ("town", 50), ("trade", 60), ("born", 700))}
    )
    second = people.copy()
    for column in people:
        wrong = draw.random(len(people)) < 0.1
        second.loc[wrong, column] = second.loc[wrong, column] + "x"
    frame = pd.concat([people, second], ignore_index=True).astype("str")
    fields = tuple(ComparedField(c, (c,), TOWN.levels) for c in people)
    found_ = estimate(frame, (BlockingKey("a", "name || '|' || born"), BlockingKey("b", "town || '|' || trade")), fields)
    for field in found_.fields:
        assert field.levels[0].m == pytest.approx(0.9, abs=0.05), field.name
        assert field.levels[0].u == pytest.approx(1 / people[field.name].nunique(), rel=0.3)
    assert found_.odds == pytest.approx(np.log2(1500 / (3000 * 2999 / 2)), abs=0.7)


def test_where_pairs_are_many_some_from_all_over_stand_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimating, "CHUNK_PAIRS", 64)
    frame = pd.DataFrame({"town": np.repeat(np.arange(100), 8).astype(str), "name": ""})
    groups = group_records_by_blocking_keys(frame, KEYS).groups
    pairs, each = sample(groups, 500)
    rows = np.concatenate([left for left, _ in pairs])
    assert len(rows) <= 600
    assert len(rows) * each == pytest.approx(100 * 28, rel=0.1)
    assert np.histogram(rows, bins=4, range=(0, 800))[0].min() > 50
    pairs, each = sample(groups, 100 * 28)
    assert (sum(len(left) for left, _ in pairs), each) == (100 * 28, 1)


def test_of_two_files_people_of_one_household_are_not_taken_for_one_person():
    draw = np.random.default_rng(1)
    home = np.repeat(np.arange(300), 3)
    people = pd.DataFrame({"given": draw.integers(0, 60, 900).astype(str), "surname": home.astype(str), "street": home.astype(str)})
    people = people.assign(born=draw.integers(0, 400, 900).astype(str))
    frame = pd.concat([people.assign(file=0), people.sample(frac=0.9, random_state=1).assign(file=1)], ignore_index=True)
    fields = tuple(
        ComparedField(c, (c,), (ComparisonLevel("equal", "equal", 0.9, 0.1), ComparisonLevel("else", "else", 0.1, 0.9)))
        for c in people.columns
    )
    found = estimate(frame, (BlockingKey("home", "street"), BlockingKey("who", "given || '|' || born")), fields, source="file")
    shares = {field.name: field.levels[0].m for field in found.fields}
    assert min(shares.values()) > 0.95
    assert abs(found.odds - np.log2(810 / (900 * 810))) < 0.5
