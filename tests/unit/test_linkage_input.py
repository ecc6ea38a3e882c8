"""Linkage on anything: nothing there, nothing known, any order; and what it says of itself."""

from __future__ import annotations

import pandas as pd
import pytest
from linkage_world import World, background, person

from pipelines.linkage import link_records
from pipelines.linkage.decisions import DECISION_COLUMNS
from schemas.canonical import TABLES, conform
from sources.contract import institutions

STATE = ("institution", "delivery", "status", "record_key", "case_key", "entity")


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    world = background(8)
    world.file("corrections", "P-1/2013-04-01", [person(3, register_id="P-1")], person_days={"detained": "2013-04-01"})
    world.file("inspectorate", "IPK-001/2013", [person(77)], own="IPK-001/2013")
    return world.tables


@pytest.mark.parametrize("given", [{}, {name: conform(name, pd.DataFrame()) for name in TABLES}], ids=["no tables", "empty tables"])
def test_nothing_gives_nothing(given):
    linked = link_records(given)
    assert len(linked.persons) == len(linked.cases) == len(linked.decisions) == 0
    assert list(linked.decisions.columns) == list(DECISION_COLUMNS)
    assert linked.persons["cluster"].dtype == linked.cases["cluster"].dtype == "int64"


def test_one_record():
    world = World()
    world.file("police", "2013-PR-00001", [person(1)])
    linked = link_records(world.tables)
    assert linked.persons.to_dict("records") == [{"institution": "police", "record_key": "2013-PR-00001/1", "cluster": 0}]
    assert linked.cases.to_dict("records") == [{"institution": "police", "record_key": "2013-PR-00001", "cluster": 0}]


@pytest.mark.parametrize("absent", institutions())
def test_an_institution_is_absent(tables, absent):
    kept = {name: frame[frame["institution"] != absent] for name, frame in tables.items()}
    linked = link_records(kept)
    assert absent not in set(linked.persons["institution"])
    assert len(linked.persons) == kept["person_records"]["record_key"].nunique()


def test_all_values_missing(tables):
    bare = {name: conform(name, frame[[c for c in frame.columns if c in STATE]]) for name, frame in tables.items()}
    linked = link_records(bare)
    assert linked.persons["cluster"].is_unique
    assert linked.cases["cluster"].is_unique


def test_every_record_gets_a_cluster_also_the_withdrawn_and_those_without_a_case(tables):
    lost = tables["case_records"]["record_key"] == "1003"
    changed = {**tables, "case_records": tables["case_records"][~lost]}
    changed["person_records"] = tables["person_records"].assign(status="withdrawn")
    linked = link_records(changed)
    assert set(linked.persons["record_key"]) == set(tables["person_records"]["record_key"])
    assert "1003" in set(linked.cases["record_key"])
    assert not linked.persons.duplicated(["institution", "record_key"]).any()
    assert not linked.cases.duplicated(["institution", "record_key"]).any()


def test_the_order_of_rows_does_not_matter(tables):
    shuffled = {name: frame.sample(frac=1.0, random_state=5).reset_index(drop=True) for name, frame in tables.items()}
    one, other = link_records(tables), link_records(shuffled)
    for name in ("persons", "cases", "decisions"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name))


def test_clusters_are_numbered_by_first_record(tables):
    linked = link_records(tables)
    for frame in (linked.persons, linked.cases):
        first = frame.drop_duplicates("cluster")["cluster"].tolist()
        assert first == list(range(len(first)))


def test_decisions_and_statistics_hold_no_names(tables):
    linked = link_records(tables)
    names = set(tables["person_records"][["given_skeleton", "surname_skeleton", "personal_number"]].to_numpy().ravel()) - {None}
    words = set(" ".join(linked.decisions["reasons"]).split()) | {str(v) for v in linked.statistics.values()}
    assert not words & names
    assert set(linked.decisions["decision"]) <= {"joined", "refused"}
    assert linked.statistics["person_records"] == len(linked.persons)


def test_a_crowd_in_one_file_is_no_blow_up():
    world = World()
    crowd = [person(n) for n in range(400)]
    world.file("police", "2013-PR-00001", crowd, own="2013-PR-00001", cites=[("prosecution", "PP.I.nr.1/2013")])
    world.file("prosecution", "1001", crowd, own="PP.I.nr.1/2013", cites=[("police", "2013-PR-00001")])
    linked = link_records(world.tables)
    assert linked.cases["cluster"].nunique() == 1
    assert linked.persons["cluster"].nunique() == 400
