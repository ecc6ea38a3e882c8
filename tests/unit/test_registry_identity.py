"""Ids are minted once and kept; merges and splits leave a redirect; nothing is forgotten."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from volume import examples

from harmonia.registry import Registry, open_registry
from harmonia.registry.identity import assign_ids, resolve_ids
from harmonia.registry.tables import Entity, Membership


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return open_registry(f"sqlite:///{tmp_path / 'r.sqlite'}")


def partition(*clusters: str) -> pd.DataFrame:
    """Each argument is a cluster, each letter a record."""
    rows = [("police", key, n) for n, cluster in enumerate(clusters) for key in cluster]
    return pd.DataFrame(rows, columns=["institution", "record_key", "cluster"])


def given_ids(registry: Registry, *clusters: str) -> dict[str, str]:
    out = assign_ids(registry, "case", partition(*clusters))
    assert list(out.columns) == ["institution", "record_key", "entity_id"]
    return {str(i): "".join(sorted(g)) for i, g in out.groupby("entity_id")["record_key"].agg("".join).items()}


def resolved(registry: Registry, ids: Sequence[str]) -> list[str]:
    return resolve_ids(registry, pd.Series(list(ids))).tolist()


def test_ids_are_counted_in_the_order_of_the_partition(registry: Registry) -> None:
    assert given_ids(registry, "zy", "a", "mb") == {"C0000001": "yz", "C0000002": "a", "C0000003": "bm"}
    persons = assign_ids(registry, "person", partition("a"))
    assert persons["entity_id"].tolist() == ["P0000001"]


def test_the_same_again_changes_nothing(registry: Registry) -> None:
    first = given_ids(registry, "ab", "c")
    with registry.read() as session:
        before = session.execute(select(Membership.sequence, Membership.since, Membership.until)).all()
    assert given_ids(registry, "c", "ba") == first
    with registry.read() as session:
        assert session.execute(select(Membership.sequence, Membership.since, Membership.until)).all() == before


def test_a_cluster_that_grows_keeps_its_id(registry: Registry) -> None:
    given_ids(registry, "a", "b")
    assert given_ids(registry, "xyza", "b") == {"C0000001": "axyz", "C0000002": "b"}


def test_on_a_merge_the_older_id_stays_and_the_other_points_to_it(registry: Registry) -> None:
    given_ids(registry, "a", "bcd", "e")
    assert given_ids(registry, "e", "dabc") == {"C0000001": "abcd", "C0000003": "e"}
    assert resolved(registry, ["C0000002", "C0000001", "C0000003", "C9999999"]) == ["C0000001", "C0000001", "C0000003", "C9999999"]


def test_on_a_split_the_larger_part_keeps_the_id(registry: Registry) -> None:
    given_ids(registry, "abcde")
    assert given_ids(registry, "ab", "cde") == {"C0000001": "cde", "C0000002": "ab"}
    assert resolved(registry, ["C0000001"]) == ["C0000001"]


def test_of_equal_parts_the_one_with_the_earliest_member_keeps_the_id(registry: Registry) -> None:
    given_ids(registry, "ab")
    given_ids(registry, "abcd")
    assert given_ids(registry, "cd", "ab") == {"C0000001": "ab", "C0000002": "cd"}


def test_a_split_and_a_merge_at_once(registry: Registry) -> None:
    given_ids(registry, "ab", "cdefg")
    assert given_ids(registry, "abcde", "fg") == {"C0000001": "abcde", "C0000003": "fg"}
    assert resolved(registry, ["C0000002"]) == ["C0000001"]


def test_chains_of_redirects_lead_to_the_end(registry: Registry) -> None:
    given_ids(registry, "a", "b", "c", "d")
    given_ids(registry, "a", "b", "cd")
    given_ids(registry, "a", "bcd")
    given_ids(registry, "abcd")
    assert set(resolved(registry, ["C0000001", "C0000002", "C0000003", "C0000004"])) == {"C0000001"}


def test_a_merge_undone_and_made_again(registry: Registry) -> None:
    given_ids(registry, "ab", "c")
    given_ids(registry, "abc")
    assert given_ids(registry, "ab", "c") == {"C0000001": "ab", "C0000003": "c"}
    assert given_ids(registry, "abc") == {"C0000001": "abc"}
    assert set(resolved(registry, ["C0000002", "C0000003"])) == {"C0000001"}


def test_records_left_out_keep_their_id_and_follow_a_merge(registry: Registry) -> None:
    given_ids(registry, "a", "bx")
    given_ids(registry, "ab")
    assert given_ids(registry, "x") == {"C0000001": "x"}


def test_history_is_kept(registry: Registry) -> None:
    given_ids(registry, "a", "b")
    given_ids(registry, "ab")
    with registry.read() as session:
        rows = session.execute(select(Membership.entity_id, Membership.until.is_(None)).where(Membership.record_key == "b")).all()
    assert sorted(map(tuple, rows)) == [("C0000001", True), ("C0000002", False)]


def test_the_same_key_of_two_institutions_are_two_records(registry: Registry) -> None:
    frame = pd.DataFrame({"institution": ["police", "courts"], "record_key": ["1", "1"], "cluster": ["x", "y"]})
    assert assign_ids(registry, "case", frame)["entity_id"].tolist() == ["C0000001", "C0000002"]


def test_an_empty_partition_is_one(registry: Registry) -> None:
    assert given_ids(registry) == {}
    assert resolved(registry, []) == []


def test_partitions_that_are_none_are_refused_and_nothing_is_minted(registry: Registry) -> None:
    with pytest.raises(ValueError, match="1 records occur more than once"):
        assign_ids(registry, "case", partition("ab", "a"))
    with pytest.raises(ValueError, match="1 records without"):
        assign_ids(registry, "case", pd.DataFrame({"institution": ["police"], "record_key": [None], "cluster": [1]}))
    with registry.read() as session:
        assert session.scalar(select(func.count()).select_from(Entity)) == 0


@settings(max_examples=examples(12), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.integers(0, 4), min_size=7, max_size=7), min_size=1, max_size=6))
def test_whatever_happens_ids_follow_the_partition(tmp_path_factory: pytest.TempPathFactory, history: list[list[int]]) -> None:
    registry = open_registry(f"sqlite:///{tmp_path_factory.mktemp('r') / 'r.sqlite'}")
    old: set[str] = set()
    for clusters in history:
        frame = pd.DataFrame({"institution": "police", "record_key": list("abcdefg"), "cluster": clusters})
        out = assign_ids(registry, "person", frame)
        pairs = set(zip(out["entity_id"], clusters, strict=True))
        assert len(pairs) == out["entity_id"].nunique() == len(set(clusters))  # one id a cluster, one cluster an id
        assert resolve_ids(registry, out["entity_id"]).equals(out["entity_id"])  # what is given out is no redirect
        assert set(resolved(registry, sorted(old))) <= old | set(out["entity_id"])
        old |= set(out["entity_id"])
    registry.close()


@pytest.mark.slow
def test_a_hundred_thousand_records_take_seconds(registry: Registry) -> None:
    n = 100_000
    frame = pd.DataFrame({"institution": "police", "record_key": pd.Series(range(n)).astype("str"), "cluster": [i // 2 for i in range(n)]})
    started = time.process_time()
    first = assign_ids(registry, "person", frame)
    merged = assign_ids(registry, "person", frame.assign(cluster=frame["cluster"] // 2))
    assert time.process_time() - started < 15
    assert first["entity_id"].nunique() == 50_000
    assert resolve_ids(registry, first["entity_id"]).equals(merged["entity_id"])
