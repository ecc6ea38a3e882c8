"""What stewards decided holds in linkage: whatever the weights, between whole clusters, through other models."""

from __future__ import annotations

import importlib.util
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from review_world import canonical
from volume import examples

from harmonia.review.pairs import PAIR, make_pair
from pipelines.linkage import link_records, load_linkage_model
from pipelines.linkage.cluster import JoiningRules, build_weighted_pairs, form_clusters_by_agglomeration
from pipelines.linkage.constraints import ClusterConstraints, are_judgements_contradicted


def judgements(*rows: tuple[str, str, str]) -> pd.DataFrame:
    """Verdict and two police person records each, in order."""
    parts = [make_pair("person", "police", a, "police", b).assign(verdict=verdict) for verdict, a, b in rows]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[*PAIR, "verdict"], dtype="str")


def clustered(linked_frame: pd.DataFrame) -> dict[tuple[str, str], int]:
    return {(i, k): int(c) for i, k, c in linked_frame.itertuples(index=False, name=None)}


def constraints(same: list[tuple[int, int]], apart: list[tuple[int, int]]) -> ClusterConstraints:
    return ClusterConstraints(np.array(same, dtype="int64").reshape(-1, 2), np.array(apart, dtype="int64").reshape(-1, 2))


def groups(size: int, weights: dict[tuple[int, int], float], decided: ClusterConstraints) -> list[int]:
    left, right = (np.array([pair[n] for pair in weights], dtype="int64") for n in (0, 1))
    pairs = build_weighted_pairs(left, right, np.array(list(weights.values()), dtype="float64"))
    return form_clusters_by_agglomeration(size, pairs, JoiningRules(0.7), constraints=decided).tolist()


def test_same_joins_what_was_never_compared():
    assert groups(3, {(0, 1): 5.0}, constraints([(1, 2)], [])) == [0, 0, 0]


def test_different_holds_between_whole_clusters():
    weights = {(0, 1): 20.0, (1, 2): 10.0, (0, 2): 10.0, (2, 3): 9.0}
    found = groups(4, weights, constraints([], [(0, 3)]))
    assert found[0] != found[3]
    assert found[0] == found[1]


def test_same_prevails_over_a_veto():
    pairs = build_weighted_pairs(np.array([0]), np.array([1]), np.array([-1000.0]))
    pairs = type(pairs)(**{**vars(pairs), "veto": np.array([True])})
    assert form_clusters_by_agglomeration(2, pairs, JoiningRules(0.7), constraints=constraints([(0, 1)], [])).tolist() == [0, 0]


def test_of_contradicting_judgements_those_that_keep_apart_hold():
    said = judgements(("same", "a", "b"), ("same", "b", "c"), ("different", "a", "c"), ("same", "d", "e"))
    assert are_judgements_contradicted(said).tolist() == [False, True, False, False]


@settings(max_examples=examples(40))
@given(st.lists(st.tuples(st.sampled_from(["same", "different"]), st.sampled_from("abcdef"), st.sampled_from("abcdef")), max_size=25))
def test_what_does_not_clash_can_be_obeyed_all_together(rows):
    said = judgements(*(row for row in rows if row[1] != row[2]))
    obeyed = said[~are_judgements_contradicted(said)]
    names = sorted("abcdef")
    number = {name: n for n, name in enumerate(names)}
    pairs = {
        verdict: [(number[a], number[b]) for v, a, b in obeyed[["verdict", "key_a", "key_b"]].itertuples(index=False) if v == verdict]
        for verdict in ("same", "different")
    }
    found = groups(6, dict.fromkeys(combinations(range(6), 2), 3.0), constraints(pairs["same"], pairs["different"]))
    assert all(found[a] == found[b] for a, b in pairs["same"])
    assert all(found[a] != found[b] for a, b in pairs["different"])


def test_judgements_on_persons_and_cases_take_effect_and_are_reported():
    tables = canonical(12)
    free = link_records(tables)
    persons, cases = clustered(free.persons), clustered(free.cases)
    assert persons["police", "2013-PR-00001/1"] == persons["prosecution", "5001"]
    assert cases["police", "2013-PR-00001"] != cases["police", "2013-PR-00002"]
    said = pd.concat(
        [
            make_pair("person", "police", "2013-PR-00001/1", "prosecution", "5001").assign(verdict="different"),
            make_pair("case", "police", "2013-PR-00001", "police", "2013-PR-00002").assign(verdict="same"),
            make_pair("case", "police", "2013-PR-00003", "prosecution", "1003").assign(verdict="different"),
            make_pair("case", "police", "gone", "prosecution", "1003").assign(verdict="same"),
            make_pair("case", "police", "2013-PR-00004", "prosecution", "1005").assign(verdict="disputed"),
        ],
        ignore_index=True,
    )
    bound = link_records(tables, judgements=said)
    persons, cases = clustered(bound.persons), clustered(bound.cases)
    assert persons["police", "2013-PR-00001/1"] != persons["prosecution", "5001"]
    assert cases["police", "2013-PR-00001"] == cases["police", "2013-PR-00002"]
    assert cases["police", "2013-PR-00003"] != cases["prosecution", "1003"]
    assert bound.judged["outcome"].tolist() == ["holds", "holds", "holds", "record_gone"]
    assert bound.statistics["judgements_holds"] == 3


def test_same_against_a_hard_rule_takes_effect_and_is_reported():
    tables = canonical(6)
    twin = tables["person_records"].iloc[[0]].assign(record_key="2013-PR-00000/2")
    tables["person_records"] = pd.concat([tables["person_records"], twin], ignore_index=True)
    said = judgements(("same", "2013-PR-00000/1", "2013-PR-00000/2"))
    linked = link_records(tables, judgements=said)
    persons = clustered(linked.persons)
    assert persons["police", "2013-PR-00000/1"] == persons["police", "2013-PR-00000/2"]
    assert linked.judged["outcome"].tolist() == ["against_rule"]


@pytest.fixture(scope="module")
def benchmark():
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "review_stability.py"
    spec = importlib.util.spec_from_file_location("review_holds", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_judgements_half_against_the_machine_hold_with_another_model(benchmark, tmp_path):
    from harmonia.review.sampling import list_decided_pairs
    from pipelines.linkage.candidates import list_candidate_pairs

    tables = canonical(48)
    free = link_records(tables)
    clusters = pd.concat([free.cases.assign(entity="case"), free.persons.assign(entity="person")], ignore_index=True)
    said = benchmark.judged(list_decided_pairs(list_candidate_pairs(tables)[0], clusters), clusters, 40, seed=3)
    assert len(said) >= 30
    assert said["against"].sum() >= len(said) // 2 - 2
    for model in (load_linkage_model(), benchmark.perturbed(load_linkage_model(), seed=1)):
        linked = link_records(tables, model, said)
        assert benchmark.broken(linked, said, tmp_path) == 0
        assert set(linked.judged["outcome"]) == {"holds"}
