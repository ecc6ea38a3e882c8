"""Which person records are one person: what speaks for it, what does not, and what must not decide alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from linkage_world import background, number, person, together

from pipelines.linkage import LinkageResult, link_records, load_linkage_model
from pipelines.linkage.blocking import (
    MAX_RECORDS_PER_VALUE,
    MAX_RECORDS_WITHOUT_FURTHER,
    find_person_pairs_by_blocking,
    group_records_by_blocking_keys,
)
from pipelines.linkage.compare import compare_field_values
from pipelines.linkage.score import compute_likelihoods, compute_token_frequencies, encode_persons
from pipelines.linkage.standardise import build_linkage_records, resolve_name_order

WHO = 501
NO_NUMBER = {"personal_number": None, "number_valid": None}
NO_BIRTH = {"birth_date": None, "birth_precision": None}
ONE_FIELD = {"given_skeleton": None, "surname_skeleton": None}
# Two records of one person, the second with something wrong or missing.
SAME = {
    "typo": {"surname_skeleton": "maloky"},
    "no number": NO_NUMBER,
    "no birth date": NO_BIRTH,
    "no parent, no birth date": {"parent_skeleton": None, **NO_BIRTH},
    "number mistyped": {"personal_number": "9999999999", "number_valid": False},
    "surname changed": {"surname_skeleton": "hasani"},
    "one field": ONE_FIELD,
    "exchanged": NO_NUMBER,
    "year only": {**NO_NUMBER, **NO_BIRTH, "birth_precision": "year"},
}
# Two records of two persons who share much.
DIFFERENT = {
    "twins": {"given_skeleton": "luan", "personal_number": number(900)},
    "twins without numbers": {"given_skeleton": "luan", **NO_NUMBER},
    "a parent's number on a child": {"given_skeleton": "petrit", "parent_skeleton": "PARENT", "birth_date": pd.Timestamp(2004, 5, 6)},
    "somebody else's number": "NUMBER",
}


def pairs() -> dict[str, tuple[dict, dict]]:
    found = {}
    for n, (name, changed) in enumerate([*SAME.items(), *DIFFERENT.items()]):
        known = person(WHO + 3 * n)
        if changed == "NUMBER":
            found[name] = (known, person(WHO + 3 * n + 1, personal_number=known["personal_number"]))
            continue
        other = {**known, **changed}
        if name == "one field":
            other["name_tokens"] = " ".join(sorted([known["given_skeleton"], known["surname_skeleton"]]))
        if name == "exchanged":
            other |= {"given_skeleton": known["surname_skeleton"], "surname_skeleton": known["given_skeleton"]}
        if name == "number mistyped":
            other["personal_number"] = "9" + known["personal_number"][1:]
        if name == "year only":
            other["birth_year"] = known["birth_date"].year
        if other["parent_skeleton"] == "PARENT":
            other["parent_skeleton"] = known["given_skeleton"]
        if name == "twins without numbers":
            known = {**known, **NO_NUMBER}
        found[name] = (known, other)
    return found


@pytest.fixture(scope="module")
def linked_pairs() -> LinkageResult:
    """The background, and each record of `pairs` alone in a separate police file, months apart at other seats."""
    world = background()
    for n, (name, two) in enumerate(pairs().items()):
        for k, record in enumerate(two):
            day = f"2013-{1 + (n + 6 * k) % 12:02d}-15"
            world.file("police", f"{name} {k}", [record], seat=["peje", "gjilan"][k], days={"reported": day})
    return link_records(world.tables)


@pytest.mark.parametrize("name", SAME)
def test_one_person_with_something_wrong(linked_pairs, name):
    assert together(linked_pairs, f"{name} 0/1", f"{name} 1/1")


@pytest.mark.parametrize("name", DIFFERENT)
def test_two_persons_who_share_much(linked_pairs, name):
    assert not together(linked_pairs, f"{name} 0/1", f"{name} 1/1")


def test_place_is_read_off_how_names_are_used():
    frame = pd.DataFrame(
        {
            "given_skeleton": ["agim"] * 6 + ["gashi", None, "a"],
            "surname_skeleton": ["gashi"] * 6 + ["agim", None, "gashi"],
            "name_tokens": ["agim gashi"] * 7 + ["agim gashi hoxha", "a gashi"],
        }
    )
    placed = resolve_name_order(frame)
    assert placed["given"].tolist() == ["agim"] * 8 + ["a"]
    assert placed["surname"].tolist() == ["gashi"] * 7 + ["gashi hoxha", "gashi"]


def test_a_number_belonging_to_somebody_else_does_not_part_what_all_else_joins():
    world = background(20)
    known = person(WHO)
    wrong = {**known, "personal_number": number(6)}
    world.matter(90, [known], seat="peje")
    world.rows["person_records"][-1].update(wrong)
    linked = link_records(world.tables)
    assert together(linked, "2012-PZ-00090/1", "1090/1", "PKR.nr.90/2012/1")


def test_a_record_without_number_bridges_no_two_numbers():
    name = {"given_skeleton": "arben", "surname_skeleton": "gashi", "parent_skeleton": None, "birth_date": None, "birth_precision": None}
    first, second = person(WHO, **name), person(WHO + 1, **name)
    bare = {**first, "personal_number": None, "number_valid": None}
    world = background(20)
    for n, record in enumerate((first, bare, second)):
        world.file("police", f"2013-PR-{n:05d}", [record], seat=["peje", "gjilan", "ferizaj"][n])
    assert not together(link_records(world.tables), "2013-PR-00000/1", "2013-PR-00002/1")


@pytest.mark.parametrize("role", ["suspect", "victim"])
def test_two_records_in_one_file_are_two_persons_whatever_their_roles(role: str):
    world = background(20)
    world.file("police", "2013-PR-00001", [person(WHO), person(WHO, role=role)], own="2013-PR-00001")
    assert not together(link_records(world.tables), "2013-PR-00001/1", "2013-PR-00001/2")


def test_nameless_persons_of_one_sex_citizenship_and_year_are_not_joined_within_a_case_either():
    world = background(20)
    nameless = {**dict.fromkeys(person(1)), "sex": "male", "citizenship": "XKX", "birth_year": 1980, "birth_precision": "year"}
    suspect, victim = nameless | {"role": "suspect"}, nameless | {"role": "victim"}
    world.file("police", "2013-PR-00001", [suspect, victim], own="2013-PR-00001", cites=[("prosecution", "PP.I.nr.900/2013")])
    world.file("prosecution", "1900", [nameless | {"role": "defendant"}], own="PP.I.nr.900/2013", cites=[("police", "2013-PR-00001")])
    linked = link_records(world.tables)
    assert together(linked, "2013-PR-00001", "1900", entity="case")
    clusters = linked.persons.set_index("record_key")["cluster"]
    assert clusters[["2013-PR-00001/1", "2013-PR-00001/2", "1900/1"]].is_unique


def test_unknown_and_legal_persons_are_linked_to_nobody_and_leave_their_file():
    world = background(20)
    same = person(WHO, kind="legal")  # even where everything agrees
    world.file("police", "2013-PR-00001", [dict.fromkeys(person(1)) | {"role": "suspect", "kind": "unknown"}, same], own="2013-PR-00001")
    world.rows["case_records"].pop()
    linked = link_records(world.tables)
    assert not linked.persons["record_key"].str.startswith("2013-PR-00001").any()
    assert "2013-PR-00001" in set(linked.cases["record_key"])


def test_foreigners_of_one_country_with_usual_names_are_not_one():
    world = background(20)
    nothing = {"personal_number": None, "number_valid": None, "parent_skeleton": None, "birth_date": None, "birth_precision": None}
    name = {"given_skeleton": "elena", "surname_skeleton": "popescu", "citizenship": "MDA", "sex": "female", "role": "victim"}
    for n in range(12):
        world.file("police", f"2013-PR-{n:05d}", [person(n, **nothing, **name)], own=f"2013-PR-{n:05d}")
    linked = link_records(world.tables)
    assert linked.persons[linked.persons["record_key"].str.startswith("2013-PR")]["cluster"].nunique() == 12


def test_a_record_that_names_nobody_is_a_person_of_its_own():
    world = background(20)
    nobody = dict.fromkeys(person(1)) | {"role": "suspect"}
    world.file("police", "2013-PR-00001", [nobody], own="2013-PR-00001", cites=[("prosecution", "PP.I.nr.900/2013")])
    world.file("prosecution", "1900", [dict(nobody)], own="PP.I.nr.900/2013", cites=[("police", "2013-PR-00001")])
    linked = link_records(world.tables)
    assert together(linked, "2013-PR-00001", "1900", entity="case")
    assert not together(linked, "2013-PR-00001/1", "1900/1")


def test_a_name_that_thousands_bear_is_refused_and_said():
    size = 3_000
    persons = pd.DataFrame({"given": "arben", "surname": "gashi", "parent": "agim", "birth_year": 1980.0}, index=range(size))
    persons = persons.assign(number=None, birth_date=pd.NaT, register_id=None)
    blocked = find_person_pairs_by_blocking(persons)
    assert len(blocked.left) == 0
    refused = blocked.report.set_index("key")
    assert refused.loc["two_names", "refused_pairs"] == size * (size - 1) // 2
    assert size > MAX_RECORDS_PER_VALUE


@pytest.mark.parametrize("surname", ["ksrtati", "hoxha"])
def test_a_mistyped_or_changed_surname_without_birth_date_is_still_compared(surname):
    names = pd.DataFrame({"given": "skender", "surname": ["kastrati", surname], "parent": "bekim"})
    blocked = find_person_pairs_by_blocking(names.assign(number=None, birth_date=pd.NaT, birth_year=np.nan, register_id=None))
    assert list(zip(blocked.left, blocked.right, strict=True)) == [(0, 1)]


def test_of_a_common_value_those_are_compared_that_agree_further():
    size = MAX_RECORDS_WITHOUT_FURTHER + 30
    persons = pd.DataFrame({"given": "arben", "surname": "gashi", "parent": None, "birth_year": None}, index=range(size))
    persons = persons.assign(number=None, birth_date=pd.NaT, register_id=None, municipality=[f"town {n // 2}" for n in range(size)])
    blocked = find_person_pairs_by_blocking(persons)
    assert [(a, b) for a, b in zip(blocked.left, blocked.right, strict=True)] == [(n, n + 1) for n in range(0, size, 2)]
    few = find_person_pairs_by_blocking(persons.head(MAX_RECORDS_WITHOUT_FURTHER))
    assert len(few.left) == MAX_RECORDS_WITHOUT_FURTHER * (MAX_RECORDS_WITHOUT_FURTHER - 1) // 2


def test_what_was_refused_before_and_now_is_not_is_said():
    size = MAX_RECORDS_WITHOUT_FURTHER + 1
    persons = pd.DataFrame({"given": "arben", "surname": "gashi", "parent": None, "birth_year": None}, index=range(size))
    persons = persons.assign(number=[*["1"] * 3, *map(str, range(10, 7 + size))], birth_date=pd.NaT, register_id=None)
    before = group_records_by_blocking_keys(persons)
    assert not group_records_by_blocking_keys(persons, refused=before.refused).moved.any()
    one_less = group_records_by_blocking_keys(persons.iloc[1:].reset_index(drop=True), refused=before.refused)
    assert one_less.moved.all()


def test_missing_weighs_nothing():
    world = background(5)
    records = build_linkage_records(world.tables)
    model = load_linkage_model()
    found = compute_likelihoods(
        records.persons, np.array([0]), np.array([1]), model, compute_token_frequencies(encode_persons(records.persons, model), model)
    )
    assert (found.bits.loc[:, (found.levels == -1).iloc[0]] == 0).all(axis=None)
    assert (found.levels["register"] == -1).all()


def test_a_frequent_name_weighs_less_than_a_rare_one():
    world = background()
    for n, name in enumerate(["gashi"] * 60 + ["rrustemaj"] * 2):
        world.file("police", f"2013-PR-{n:05d}", [person(600 + n, given_skeleton="agim", surname_skeleton=name)], own=f"2013-PR-{n:05d}")
    records = build_linkage_records(world.tables)
    rows = {key: n for n, key in enumerate(records.persons["record_key"])}
    left = np.array([rows["2013-PR-00000/1"], rows["2013-PR-00060/1"]])
    right = np.array([rows["2013-PR-00001/1"], rows["2013-PR-00061/1"]])
    model = load_linkage_model()
    bits = compute_likelihoods(
        records.persons, left, right, model, compute_token_frequencies(encode_persons(records.persons, model), model)
    ).bits["surname"]
    assert bits[1] > bits[0] + 3


def test_it_does_not_matter_which_of_two_records_comes_first():
    names = [("zuri", "fisnik"), ("fisnik", "zuri"), ("fisnik", "salihu zuri"), ("lira", "gashi"), ("ilir", "gashi"), ("a", "zuri")]
    persons, model = build_linkage_records(background().tables).persons, load_linkage_model()
    persons.loc[: len(names) - 1, ["given", "surname"]] = names
    left, right = np.triu_indices(len(names), 1)
    one, other = (
        compute_likelihoods(persons, a, b, model, compute_token_frequencies(encode_persons(persons, model), model))
        for a, b in ((left, right), (right, left))
    )
    pd.testing.assert_frame_equal(one.levels, other.levels)
    pd.testing.assert_frame_equal(one.bits, other.bits)


@pytest.mark.parametrize(
    ("a", "b", "level"),
    [
        ("19800503", "19800305", "swapped"),
        ("19800503", "20800503", "century"),
        ("19800503", "19800508", "one_digit"),
        ("19801231", "19931231", "other_year"),
        ("19800503", "19611122", "different"),
        ("19800503", "", None),
    ],
)
def test_levels_of_birth_dates(a, b, level):
    field = next(f for f in load_linkage_model().fields if f.name == "birth")
    years = [np.array([float(t[:4]) if t else np.nan]) for t in (a, b)]
    found = compare_field_values(field, [np.array([a], dtype=object), years[0]], [np.array([b], dtype=object), years[1]])[0]
    assert (field.levels[found].name if found >= 0 else None) == level


@pytest.mark.parametrize(
    ("a", "b", "level"),
    [
        ("fatmir", "fatmir", "equal"),
        ("fatmir", "fatmr", "one_edit"),
        ("fatmir", "f", "initial"),
        ("fatmir", "miri", "stem"),
        ("arben", "beni", "stem"),
        ("arben", "luan", "different"),
    ],
)
def test_levels_of_given_names(a, b, level):
    field = next(f for f in load_linkage_model().fields if f.name == "given")
    found = compare_field_values(field, [np.array([a], dtype=object)], [np.array([b], dtype=object)])[0]
    assert field.levels[found].name == level
