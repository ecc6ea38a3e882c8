"""Which case files are one case: references, persons, dates, seats and offences together."""

from __future__ import annotations

import pandas as pd
import pytest
from linkage_world import World, background, person, together

from pipelines.linkage import compute_detailed_linkage_result, link_records, load_linkage_model
from pipelines.linkage.certain_pairs import find_certain_case_file_pairs
from pipelines.linkage.references import (
    do_case_files_cite_different_numbers,
    find_citations_between_case_files,
    find_uninformative_case_numbers,
)
from pipelines.linkage.standardise import build_linkage_records, find_stay_starts, remove_impossible_days

POLICE, PROSECUTION, COURT = "2013-PZ-00777", "1777", "PKR.nr.777/2013"
WHO = 701


def police(world: World, persons: list, key: str = POLICE, *, cites: list | None = None, day: str = "2013-03-01", **more) -> None:
    world.file("police", key, persons, own=key, cites=cites or [], days={"reported": day, "sent": str(pd.Timestamp(day).date())}, **more)


def test_the_background_is_linked_as_it_cites():
    linked = link_records(background(20).tables)
    assert linked.cases["cluster"].nunique() == 20
    assert linked.persons["cluster"].nunique() == 40


def test_a_reference_links_without_persons():
    world = background(30)
    police(world, [], cites=[("prosecution", "PP.I.nr.777/2013")])
    world.file("prosecution", PROSECUTION, [], own="PP.I.nr.777/2013", days={"received": "2013-03-09"})
    assert together(link_records(world.tables), POLICE, PROSECUTION, entity="case")


def test_a_reference_that_a_later_state_no_longer_holds_still_links():
    world = background(30)
    police(world, [], cites=[("prosecution", "PP.I.nr.777/2013")], delivery="2013-Q1", status="superseded")
    police(world, [])
    world.file("prosecution", PROSECUTION, [], own="PP.I.nr.777/2013", days={"received": "2013-03-09"})
    assert together(link_records(world.tables), POLICE, PROSECUTION, entity="case")


def test_a_reference_without_register_links():
    world = background(30)
    police(world, [], cites=[("prosecution", "PP.?.nr.777/2013")])
    world.file("prosecution", PROSECUTION, [], own="PP.II.nr.777/2013", days={"received": "2013-03-09"})
    assert together(link_records(world.tables), POLICE, PROSECUTION, entity="case")


@pytest.mark.parametrize("whose", ["person", "seat"])
def test_a_number_with_several_bearers_means_the_one_with_the_person_or_the_seat(whose):
    world = background(30)
    who = [person(WHO)] if whose == "person" else []
    police(world, who, cites=[("prosecution", "PP.I.nr.777/2013")], seat="peje" if whose == "seat" else "prishtine")
    for key, seat in (("1771", "gjilan"), (PROSECUTION, "peje"), ("1779", "ferizaj")):
        mine = who if key == PROSECUTION else []
        world.file("prosecution", key, mine, own="PP.I.nr.777/2013", seat=seat, days={"received": "2013-03-07"})
    linked = link_records(world.tables)
    assert together(linked, POLICE, PROSECUTION, entity="case")
    assert not together(linked, POLICE, "1771", entity="case")
    assert not together(linked, POLICE, "1779", entity="case")


def test_a_reference_to_another_case_is_outweighed_by_the_persons():
    world = background(30)
    people = [person(WHO), person(WHO + 1)]
    police(world, people, cites=[("prosecution", "PP.I.nr.5/2012")], seat="peje")
    world.file("prosecution", PROSECUTION, people, own="PP.I.nr.777/2013", seat="peje", days={"received": "2013-03-09"})
    linked = link_records(world.tables)
    assert together(linked, POLICE, PROSECUTION, entity="case")
    assert not together(linked, POLICE, "1005", entity="case")


def test_a_number_one_digit_off_links_with_the_person():
    world = background(30)
    police(world, [person(WHO)], cites=[("prosecution", "PP.I.nr.877/2013")])
    world.file("prosecution", PROSECUTION, [person(WHO)], own="PP.I.nr.777/2013", days={"received": "2013-03-09"})
    assert together(link_records(world.tables), POLICE, PROSECUTION, entity="case")
    found = find_citations_between_case_files(build_linkage_records(world.tables))
    assert found["near"].sum() == 1


def test_prisoners_who_cite_one_undelivered_number_are_one_case():
    world = background(30)
    for n in range(3):
        cites = [("court", "PKR.nr.777/2011")]
        world.file("corrections", f"P-{n}/2013-04-0{n + 1}", [person(WHO + n, register_id=f"P-{n}")], cites=cites, seat="peje")
    assert together(link_records(world.tables), *[f"P-{n}/2013-04-0{n + 1}" for n in range(3)], entity="case")


def test_a_case_registered_twice_is_one():
    world = background(30)
    people = [person(WHO), person(WHO + 1)]
    for key, day in ((POLICE, "2013-03-01"), ("2013-GJ-00321", "2013-03-08")):
        world.file("police", key, people, own=key, days={"reported": day, "offence": "2013-02-11"})
    assert together(link_records(world.tables), POLICE, "2013-GJ-00321", entity="case")


def test_a_repeated_offenders_cases_stay_two():
    world = background(30)
    known = person(WHO)
    world.matter(60, [known, person(WHO + 1)])
    world.matter(200, [known, person(WHO + 2)])
    linked = link_records(world.tables)
    assert together(linked, "2012-PZ-00060/1", "2012-PZ-00200/1")
    assert not together(linked, "2012-PZ-00060", "2012-PZ-00200", entity="case")
    assert not together(linked, "1060", "PKR.nr.200/2012", entity="case")


def test_merged_and_separated_files_stay_one_case():
    world = background(30)
    first, second = person(WHO), person(WHO + 1)
    police(world, [first, second])
    world.file(
        "prosecution", PROSECUTION, [first, second], own="PP.I.nr.777/2013", cites=[("police", POLICE)], days={"received": "2013-03-09"}
    )
    world.file("prosecution", "1778", [second], own="PP.I.nr.778/2013", cites=[("police", POLICE)], days={"received": "2013-05-02"})
    world.file("prosecution", "1779", [], own="PP.I.nr.779/2013", merged_into="PP.I.nr.777/2013", days={"received": "2013-03-20"})
    assert together(link_records(world.tables), POLICE, PROSECUTION, "1778", "1779", entity="case")


@pytest.mark.parametrize("named", ["PP.I.nr.778/2013", "PP.I.nr.777/2013", "PP.I.nr.779/2013"])
def test_a_merger_means_the_file_with_its_persons(named):
    """A wrong digit often gives the number of another file (778), or of none (779); a right number is not changed for a near one."""
    world = background(30)
    merged, first, second = [person(WHO), person(WHO + 3)], person(WHO + 1), person(WHO + 2)
    for key, own, who in ((PROSECUTION, "777", [first, *merged]), ("1778", "778", [second])):
        world.file("prosecution", key, who, own=f"PP.I.nr.{own}/2013", days={"received": "2013-03-09"})
    world.file("prosecution", "1801", merged, own="PP.I.nr.801/2013", merged_into=named, days={"received": "2013-03-20"})
    linked = link_records(world.tables)
    assert together(linked, PROSECUTION, "1801", entity="case")
    assert not together(linked, "1778", "1801", entity="case")


def test_a_person_of_two_files_goes_with_the_right_merger():
    world = background(30)
    merged, second = person(WHO), person(WHO + 1)
    for key, own, who in ((PROSECUTION, "777", [merged]), ("1778", "778", [merged, second])):
        world.file("prosecution", key, who, own=f"PP.I.nr.{own}/2013", days={"received": "2013-03-09"})
    world.file("prosecution", "1801", [merged], own="PP.I.nr.801/2013", merged_into="PP.I.nr.777/2013", days={"received": "2013-03-20"})
    linked = link_records(world.tables)
    assert together(linked, PROSECUTION, "1801", entity="case")
    assert not together(linked, "1778", "1801", entity="case")


def test_a_party_separated_on_the_day_a_file_came_is_one_case():
    world = background(30)
    who = [person(WHO)]
    days, separated = {"received": "2013-03-09"}, {"separated": "2013-05-02"}
    world.file("prosecution", PROSECUTION, who, own="PP.I.nr.777/2013", days=days, person_days=separated)
    world.file("prosecution", "1778", who, own="PP.I.nr.778/2013", days={"received": "2013-05-02"})
    assert together(link_records(world.tables), PROSECUTION, "1778", entity="case")


def test_a_prisoner_without_reference_goes_to_the_case_with_seat_and_days():
    world = background(30)
    known = person(WHO)
    world.matter(60, [known], seat="gjilan")
    world.matter(250, [known], seat="peje")
    final = pd.Timestamp("2012-02-01") + pd.Timedelta(days=250 * 5 + 340)
    key = f"P-9/{(final + pd.Timedelta(days=30)).date()}"
    days = {"imprisoned": str((final + pd.Timedelta(days=30)).date())}
    world.file("corrections", key, [person(WHO, register_id="P-9")], seat="peje", person_days=days, delivery="2016-Q4")
    linked = link_records(world.tables)
    assert together(linked, key, "PKR.nr.250/2012", entity="case")
    assert not together(linked, key, "PKR.nr.60/2012", entity="case")


def test_rows_of_one_stay_share_its_start():
    rows = pd.DataFrame(
        {
            "register_id": ["P-1", "P-1", "P-1", "P-2"],
            "detained": pd.to_datetime(["2013-01-05", "2013-02-01", None, "2013-02-01"]),
            "imprisoned": pd.to_datetime([None, None, "2013-06-10", None]),
            "released": pd.to_datetime(["2013-02-01", "2013-06-10", None, None]),
        }
    )
    found = find_stay_starts(rows.assign(admitted=rows["detained"].fillna(rows["imprisoned"])))
    assert found["stay_detained"].dt.strftime("%m-%d").tolist() == ["01-05"] * 3 + ["02-01"]
    assert found["stay_imprisoned"].notna().tolist() == [True, True, True, False]


def test_days_after_the_delivered_quarter_are_set_right_or_left_out():
    events = pd.DataFrame(
        {
            "date": pd.to_datetime(["2012-10-02", "2028-04-13", "2012-03-30", "2012-09-01"]),
            "end": pd.to_datetime(["2012-03-31", "2018-09-30", "2012-03-31", None]),
        }
    )
    found = remove_impossible_days(events).dt.strftime("%Y-%m-%d").tolist()
    assert found[0] == "2012-02-10"
    assert pd.isna(found[1])
    assert found[2:] == ["2012-03-30", "2012-09-01"]


def test_a_number_that_everybody_cites_and_many_bear_says_nothing():
    world = background(3)
    for n in range(70):
        police(world, [], key=f"2013-PR-{n:05d}", cites=[("prosecution", "PP.I.nr.1/2013")])
        world.file("prosecution", f"{3000 + n}", [], own="PP.I.nr.1/2013")
    records = build_linkage_records(world.tables)
    assert find_uninformative_case_numbers(records).tolist() == ["PP.I.nr.1/2013"]
    assert link_records(world.tables).statistics["numbers_refused"] == 1


def test_windows_are_read_off_the_data():
    """Where files usually take long from one institution to the next, long gaps stop speaking against a case."""
    slow = World()
    for n in range(1, 60):
        who, key, day = [person(2 * n), person(2 * n + 1)], f"2012-PZ-{n:05d}", pd.Timestamp("2010-01-01") + pd.Timedelta(days=n * 9)
        slow.file("police", key, who, own=key, days={"reported": str(day.date()), "sent": str(day.date())}, delivery="2013-Q4")
        late = str((day + pd.Timedelta(days=500)).date())
        slow.file(
            "prosecution", f"{1000 + n}", who, own=f"PP.I.nr.{n}/2012", cites=[("police", key)], days={"received": late}, delivery="2013-Q4"
        )
    decided = link_records(slow.tables).decisions
    sent = decided[(decided["entity"] == "case") & (decided["decision"] == "joined")]["reasons"].str.extract(r"sent_received ([+-][\d.]+)")[
        0
    ]
    assert sent.dropna().astype(float).median() > 0


def test_model_has_evidence_for_every_pair_of_neighbours():
    between = {e.between for e in load_linkage_model().evidence}
    assert {"police-prosecution", "prosecution-courts", "courts-corrections", "police-corrections", "inspectorate-prosecution"} <= between


def stay(world: World, key: str, who: dict, day: str, seat: str = "peje") -> None:
    world.file("corrections", key, [{**who, "register_id": key}], seat=seat, person_days={"detained": day})


def test_stays_begun_together_are_one_case_where_nothing_else_is_known():
    world = background(30)
    for n, day in enumerate(["2013-03-02", "2013-03-03", "2013-03-20"]):
        stay(world, f"P-{n}", person(WHO + n), day)
    linked = link_records(world.tables)
    assert together(linked, "P-0", "P-1", entity="case")
    assert not together(linked, "P-0", "P-2", entity="case")


def test_a_stay_begun_with_one_of_a_police_file_is_not_of_that_case_where_the_file_does_not_know_the_person():
    world = background(30)
    police(world, [person(WHO), person(WHO + 1)], seat="peje")
    stay(world, "P-0", person(WHO), "2013-03-02")
    stay(world, "P-9", person(WHO + 9), "2013-03-02")
    linked = link_records(world.tables)
    assert together(linked, POLICE, "P-0", entity="case")
    assert not together(linked, POLICE, "P-9", entity="case")


def bits(world: World, kind: str) -> dict[frozenset[str], float]:
    """What pairs of files weigh by `kind` of evidence, by their keys."""
    solved = compute_detailed_linkage_result(world.tables)
    key, pairs = solved.records.files["record_key"], solved.cases.pairs
    return {frozenset((key[a], key[b])): found for a, b, found in zip(pairs["a"], pairs["b"], pairs[kind], strict=True)}


def surely_two(world: World) -> set[frozenset[str]]:
    """Pairs of files that are taken for two cases of one person."""
    solved = compute_detailed_linkage_result(world.tables)
    key = solved.records.files["record_key"]
    again = find_certain_case_file_pairs(solved.records, solved.cases.pairs).again
    return {frozenset((key[a], key[b])) for a, b in zip(again["a"], again["b"], strict=True)}


def test_two_matters_of_one_person_are_surely_two():
    world = background(30)
    world.matter(60, [person(WHO), person(WHO + 1)])
    world.matter(200, [person(WHO), person(WHO + 2)])
    assert frozenset(("2012-PZ-00060", "2012-PZ-00200")) in surely_two(world)


def test_files_that_complete_each_other_are_not_taken_for_two_cases():
    """A police and a prosecution file, a court file and a stay: nothing says that they are one case, and nothing that they are two."""
    world = background(30)
    who = [person(WHO, register_id="P-7")]
    police(world, who, cites=[("prosecution", "PP.I.nr.777/2013")])
    world.file("prosecution", PROSECUTION, who, own="PP.I.nr.777/2013", cites=[("police", POLICE)], days={"received": "2013-03-09"})
    world.file("courts", COURT, who, own=COURT, days={"received": "2013-06-09"})
    world.file("corrections", "P-7/2013-03-02", who, cites=[("court", COURT)], person_days={"detained": "2013-03-02"})
    mine = {POLICE, PROSECUTION, COURT, "P-7/2013-03-02"}
    assert not [pair for pair in surely_two(world) if pair <= mine]


@pytest.mark.parametrize(("other", "apart"), [("PP.I.nr.1/2015", True), ("PP.II.nr.23/2014", False), ("PP.?.nr.23/2014", False)])
def test_a_number_without_register_agrees_with_those_of_its_serial_and_year(other, apart):
    world = World()
    for key, number in (("PKR.nr.1/2015", "PP.?.nr.23/2014"), ("PKR.nr.2/2015", other)):
        world.file("courts", key, [], own=key, cites=[("prosecution", number)])
    assert do_case_files_cite_different_numbers(build_linkage_records(world.tables), pd.DataFrame({"a": [0], "b": [1]})).tolist() == [apart]


def test_of_two_numbers_that_a_stay_names_the_one_with_the_person_counts():
    world = background(30)
    world.matter(60, [person(WHO), person(WHO + 1)], seat="peje")
    world.matter(67, [person(WHO + 2), person(WHO + 3)], seat="peje")
    cites = [("court", "PKR.nr.60/2012"), ("court", "PKR.nr.67/2012")]
    days = {"imprisoned": "2013-11-20"}
    world.file("corrections", "P-7", [person(WHO, register_id="P-7")], seat="peje", cites=cites, person_days=days)
    linked = link_records(world.tables)
    assert together(linked, "P-7", "PKR.nr.60/2012", entity="case")
    assert not together(linked, "PKR.nr.60/2012", "PKR.nr.67/2012", entity="case")
    assert bits(world, "weight")[frozenset(("P-7", "PKR.nr.67/2012"))] < 0


def test_files_of_the_prosecution_that_state_no_separation_are_rather_two_cases():
    world = background(30)
    for key, day, separated in (
        ("1777", "2013-03-09", None),
        ("1778", "2013-04-20", None),
        ("1779", "2013-05-20", {"separated": "2013-05-21"}),
    ):
        person_days = separated or {}
        world.file("prosecution", key, [person(WHO)], own=f"PP.I.nr.{key}/2013", days={"received": day}, person_days=person_days)
    apart = bits(world, "apart")
    assert apart[frozenset(("1777", "1778"))] < 0
    assert apart[frozenset(("1777", "1779"))] == 0
