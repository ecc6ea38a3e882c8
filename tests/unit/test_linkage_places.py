"""Keys that are places in a list: each state is of the person in that row, whatever was there before."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest
from linkage_world import World, background, number, person

from harmonia.comparison.duplicates import find_reassigned_list_positions
from harmonia.registry import open_registry
from harmonia.registry.identity import assign_ids
from harmonia.review.following import update_keys_of_moved_persons
from pipelines.assets.linkage import _assign_person_ids
from pipelines.crosswalk import SUCCESSOR_COLUMNS
from pipelines.linkage import link_records, load_linkage_model
from pipelines.linkage.list_positions import find_keys_of_listed_persons
from pipelines.linkage.standardise import read_linkage_columns

FILE = "2014-PR-00412"
ANNA, BEN, CARL, DINA = (person(n) for n in (101, 102, 103, 104))
NAMELESS = {**dict.fromkeys(person(1)), "citizenship": "XKX"}


def day(month: int) -> datetime:
    return datetime(2014, month, 5, tzinfo=UTC)


def lists(*states: tuple[str, list[dict[str, Any]]], world: World | None = None) -> World:
    """A police case as deliveries list it, the last one accepted, earlier places superseded."""
    world = world or World()
    for n, (delivery, people) in enumerate(states):
        placed = [{**one, "place": str(k)} for k, one in enumerate(people, start=1)]
        status = "accepted" if n == len(states) - 1 else "superseded"
        world.file("police", FILE, placed, own=FILE, delivery=delivery, status=status)
    return world


def keys(world: World) -> dict[tuple[str, int], str]:
    """(delivery, place) -> key of the person, of the lists in which something moved."""
    found = find_keys_of_listed_persons(read_linkage_columns(world.tables)["person_records"], load_linkage_model())
    return {(r.delivery, int(r.record_key.rsplit("/")[-1])): r.person_key for r in found.itertuples()}


def test_a_list_that_stays_as_it_is_or_grows_has_nothing_to_tell() -> None:
    assert keys(lists(("2014-Q1", [ANNA, BEN]), ("2014-Q2", [ANNA, BEN, CARL]))) == {}


def test_a_person_put_in_between_moves_the_others_who_stay_themselves() -> None:
    found = keys(lists(("2014-Q1", [ANNA, BEN]), ("2014-Q2", [ANNA, CARL, BEN])))
    assert found["2014-Q1", 2] == found["2014-Q2", 3] == f"{FILE}/3"
    assert found["2014-Q2", 2] == f"{FILE}/2"
    assert found["2014-Q1", 1] == found["2014-Q2", 1] == f"{FILE}/1"


def test_a_person_taken_out_has_a_key_of_the_delivery_that_held_the_place() -> None:
    found = keys(lists(("2014-Q1", [ANNA, BEN, CARL]), ("2014-Q2", [ANNA, CARL])))
    assert found["2014-Q1", 2] == f"{FILE}/2@2014-Q1"
    assert found["2014-Q1", 3] == found["2014-Q2", 2] == f"{FILE}/2"


@pytest.mark.parametrize(
    "changed",
    [
        {"given_skeleton": "arbem"},
        {"personal_number": None, "number_valid": None},
        {"surname_skeleton": "hoxa", "parent_skeleton": None},
        {"birth_date": None, "birth_precision": None},
        {"personal_number": number(999)},
    ],
)
def test_a_value_corrected_at_a_place_is_the_same_person(changed: dict[str, Any]) -> None:
    assert keys(lists(("2014-Q1", [ANNA, BEN]), ("2014-Q2", [{**ANNA, **changed}, BEN]))) == {}


def test_nameless_persons_are_distinguished_by_the_values_of_their_rows_and_never_found_at_another_place() -> None:
    man, woman = NAMELESS | {"sex": "male"}, NAMELESS | {"sex": "female"}
    found = keys(lists(("2014-Q1", [man, woman]), ("2014-Q2", [woman, woman])))
    assert found["2014-Q1", 1] != found["2014-Q2", 1]
    assert found["2014-Q1", 2] == found["2014-Q2", 2]
    assert len({found["2014-Q2", 1], found["2014-Q2", 2], found["2014-Q1", 1]}) == 3


def test_the_persons_of_a_place_are_linked_each_to_their_own() -> None:
    world = lists(("2014-Q1", [ANNA, BEN]), ("2014-Q2", [CARL, ANNA]), world=background(20))
    world.file("prosecution", "1900", [ANNA], own="PP.I.nr.900/2014", cites=[("police", FILE)])
    world.file("prosecution", "1901", [CARL], own="PP.I.nr.901/2014", cites=[("police", FILE)])
    linked = link_records(world.tables)
    clusters = linked.persons.set_index("record_key")["cluster"]
    assert clusters[f"{FILE}/2"] == clusters["1900/1"]
    assert clusters[f"{FILE}/1"] == clusters["1901/1"]
    assert clusters[f"{FILE}/2@2014-Q1"] not in set(clusters.drop(f"{FILE}/2@2014-Q1"))


def test_an_unknown_person_at_a_place_who_gets_a_name_later_is_no_other_persons_past() -> None:
    nobody = {**dict.fromkeys(person(1)), "kind": "unknown"}
    world = lists(("2014-Q1", [nobody, ANNA]), ("2014-Q2", [BEN, ANNA]), world=background(20))
    assert keys(world) == {}
    assert {f"{FILE}/1", f"{FILE}/2"} <= set(link_records(world.tables).persons["record_key"])


def test_a_person_keeps_the_id_when_the_place_changes_hands(tmp_path) -> None:
    registry = open_registry(f"sqlite:///{tmp_path / 'r.sqlite'}")
    try:
        ids = []
        for states in (
            [("2014-Q1", [ANNA, BEN])],
            [("2014-Q1", [ANNA, BEN]), ("2014-Q2", [CARL, ANNA, BEN])],
            [("2014-Q1", [ANNA, BEN]), ("2014-Q2", [CARL, ANNA, BEN]), ("2014-Q3", [ANNA, DINA])],
        ):
            linked = link_records(lists(*states).tables)
            found = _assign_person_ids(
                linked, pd.DataFrame(columns=SUCCESSOR_COLUMNS), lambda partition: assign_ids(registry, "person", partition)
            )
            ids.append(found.set_index("record_key")["person_id"].to_dict())
    finally:
        registry.close()
    anna, ben = ids[0][f"{FILE}/1"], ids[0][f"{FILE}/2"]
    assert (ids[1][f"{FILE}/2"], ids[1][f"{FILE}/3"]) == (anna, ben)
    carl = ids[1][f"{FILE}/1"]
    assert ids[2] == {f"{FILE}/1": anna, f"{FILE}/2": ids[2][f"{FILE}/2"], f"{FILE}/3": ben, f"{FILE}/1@2014-Q2": carl}
    assert ids[2][f"{FILE}/2"] not in (anna, ben, carl)


def test_a_judgement_stays_with_the_person() -> None:
    places = find_keys_of_listed_persons(
        read_linkage_columns(lists(("2014-Q1", [ANNA, BEN]), ("2014-Q2", [CARL, ANNA])).tables)["person_records"], load_linkage_model()
    )
    received = {("police", "2014-Q1"): day(4), ("police", "2014-Q2"): day(7)}
    pair = {"entity": "person", "institution_a": "police", "key_a": f"{FILE}/1", "institution_b": "courts", "key_b": "K/1"}
    said = pd.DataFrame([{**pair, "decided_at": at} for at in (day(5), day(8))])
    assert update_keys_of_moved_persons(said, places, received)["key_a"].tolist() == [f"{FILE}/2", f"{FILE}/1"]
    assert update_keys_of_moved_persons(said, places, received)["key_b"].tolist() == ["K/1", "K/1"]


def test_another_person_at_a_place_is_a_finding_of_the_delivery_that_brings_it() -> None:
    places = find_keys_of_listed_persons(
        read_linkage_columns(lists(("2014-Q1", [ANNA, BEN]), ("2014-Q2", [ANNA, CARL, BEN])).tables)["person_records"], load_linkage_model()
    )
    deliveries = pd.DataFrame({"institution": "police", "delivery": ["2014-Q1", "2014-Q2"], "period": ["2014-Q1", "2014-Q2"], "version": 1})
    found = find_reassigned_list_positions(places, deliveries)
    assert found[["delivery", "record_key", "field", "detail"]].to_numpy().tolist() == [["2014-Q2", f"{FILE}/2", "Nr_rendor", "2014-Q1"]]
