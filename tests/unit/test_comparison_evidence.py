"""What speaks against a record: only records that are surely of the same person or case, and never the field that made them one."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from harmonia.comparison.agreements import make_matrix_allowing_all
from harmonia.comparison.collect import collect_evidence
from harmonia.comparison.duplicates import _find_case_files_with_common_person, find_duplicate_registrations
from harmonia.comparison.permitted import select_permitted_evidence
from schemas import canonical
from sources.contract import institutions

DELIVERIES = pd.DataFrame(
    [(name, f"{year}-Q{q}", f"{year}-Q{q}", "complete") for name in institutions() for year in (2012, 2013) for q in (1, 2, 3, 4)],
    columns=["institution", "delivery", "period", "state"],
)


class World:
    """Canonical tables and ids, filled record by record."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {name: [] for name in canonical.TABLES}
        self.ids: dict[str, list[tuple[str, str, str]]] = {"case": [], "person": []}

    def case(self, institution: str, key: str, case: str, **cells: Any) -> None:
        self._put("case_records", institution, key, key, cells)
        self.ids["case"].append((institution, key, case))

    def person(self, institution: str, key: str, case_key: str, person: str, **cells: Any) -> None:
        name = cells.pop("name", "Arben Krasniqi")
        given, surname = name.split()
        skeletons = {"full_name": name, "name_tokens": " ".join(sorted(name.lower().split()))}
        parts = {"given_skeleton": given.lower(), "surname_skeleton": surname.lower()} if institution != "prosecution" else {}
        base = {"role": "suspect", "birth_precision": "day", "birth_date": pd.Timestamp("1980-05-17"), "sex": "male"}
        self._put("person_records", institution, key, case_key, {**skeletons, **parts, **base, **cells})
        self.ids["person"].append((institution, key, person))

    def event(self, institution: str, key: str, event: str, day: str, **cells: Any) -> None:
        self._put(
            "events", institution, key, cells.pop("case_key", key), {"event": event, "date": pd.Timestamp(day), "present": True, **cells}
        )

    def cites(self, institution: str, key: str, kind: str, number: str) -> None:
        self._put("references", institution, key, key, {"kind": kind, "number": number})

    def _put(self, table: str, institution: str, key: str, case_key: str, cells: dict[str, Any]) -> None:
        base = {"institution": institution, "delivery": "2013-Q1", "status": "accepted", "record_key": key, "case_key": case_key}
        self.rows[table].append({**base, **cells})

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        return {name: canonical.conform(name, pd.DataFrame(rows)) for name, rows in self.rows.items()}

    def permitted(self) -> set[tuple[str, str, str]]:
        """Everything that would be disclosed if every agreement were given: institution, record, rule."""
        cases, persons = (
            pd.DataFrame(self.ids[kind], columns=["institution", "record_key", f"{kind}_id"], dtype="str") for kind in ("case", "person")
        )
        found = select_permitted_evidence(collect_evidence(self.tables, cases, persons, DELIVERIES), make_matrix_allowing_all())
        return set(found[["institution", "record_key", "rule"]].itertuples(index=False, name=None))


@pytest.fixture
def world() -> World:
    made = World()
    made.case("police", "2013-PR-00001", "C1", number="2013-PR-00001", state="sent")
    made.case("prosecution", "11", "C1", number="PP.I.nr.4/2013", state="indicted", source="police")
    made.case("courts", "PKR.nr.7/2013", "C1", number="PKR.nr.7/2013")
    return made


def people(
    world: World, police: dict[str, Any], prosecution: dict[str, Any], courts: dict[str, Any] | None = None
) -> set[tuple[str, str, str]]:
    world.person("police", "2013-PR-00001/1", "2013-PR-00001", "P1", personal_number="1000000001", **police)
    world.person("prosecution", "21", "11", "P1", **{"personal_number": "1000000001", **prosecution})
    if courts is not None:
        world.person("courts", "PKR.nr.7/2013/1", "PKR.nr.7/2013", "P1", personal_number="1000000001", **courts)
    return {row for row in world.permitted() if "registered" not in row[2]}


def test_two_records_that_differ_in_birth_date_or_sex_are_both_asked(world: World) -> None:
    found = people(world, {"sex": "female", "birth_date": pd.Timestamp("1980-07-15")}, {})
    asked = {("police", "2013-PR-00001/1"), ("prosecution", "21")}
    assert found == {(*who, rule) for who in asked for rule in ("check-birth-date", "check-sex")}


def test_the_third_that_entered_it_apart_decides(world: World) -> None:
    wrong = {"birth_date": pd.Timestamp("1980-07-15")}
    assert people(world, wrong, {"parent_name": "Hasan"}, {"parent_name": "Hasani"}) == {
        ("police", "2013-PR-00001/1", "comparison-birth-date")
    }


def test_a_copy_is_no_second_source(world: World) -> None:
    found = people(world, {"birth_date": pd.Timestamp("1980-07-15")}, {}, {})
    assert ("police", "2013-PR-00001/1", "check-birth-date") in found
    assert not any(rule.startswith("comparison-") for *_, rule in found)


def test_where_nothing_differs_nothing_is_reported(world: World) -> None:
    assert people(world, {}, {}, {}) == set()


def test_a_year_alone_contradicts_nobody(world: World) -> None:
    assert people(world, {"birth_precision": "year", "birth_date": pd.NaT}, {}) == set()


def test_the_number_of_somebody_else_is_reported_by_name_and_birth_date(world: World) -> None:
    found = people(world, {}, {"personal_number": "1999999998"})
    assert {rule for *_, rule in found} == {"check-personal-number"}


@pytest.mark.parametrize(
    ("name", "rules"), [("Arbem Krasniqi", {"check-name"}), ("Krasniqi Arben", {"check-name"}), ("Arben Gashi", set())]
)
def test_a_letter_wrong_or_names_exchanged_are_reported_another_surname_is_not(world: World, name: str, rules: set[str]) -> None:
    assert {rule for *_, rule in people(world, {"name": name}, {})} == rules


def test_a_reference_that_leads_elsewhere_is_reported_to_who_cites_it(world: World) -> None:
    world.case("prosecution", "12", "C2", number="PP.I.nr.9/2013", state="investigating")
    world.cites("police", "2013-PR-00001", "prosecution", "PP.I.nr.9/2013")
    assert ("police", "2013-PR-00001", "check-reference") in world.permitted()


def test_a_right_reference_or_one_without_its_register_is_not_reported(world: World) -> None:
    world.cites("police", "2013-PR-00001", "prosecution", "PP.?.nr.4/2013")
    world.cites("courts", "PKR.nr.7/2013", "prosecution", "PP.I.nr.4/2013")
    assert not any(rule == "check-reference" for *_, rule in world.permitted())


def test_sent_and_never_received_received_and_never_sent(world: World) -> None:
    world.case("police", "2013-PR-00002", "C3", state="sent")
    world.event("police", "2013-PR-00002", "sent", "2012-10-03", entity="case")
    world.case("prosecution", "13", "C4", state="investigating", source="inspectorate")
    world.event("prosecution", "13", "received", "2012-10-03", entity="case")
    assert {("police", "2013-PR-00002", "check-not-received"), ("prosecution", "13", "check-not-sent")} <= world.permitted()


def test_what_may_still_be_on_its_way_is_not_reported(world: World) -> None:
    world.case("police", "2013-PR-00002", "C3", state="sent")
    world.event("police", "2013-PR-00002", "sent", "2013-12-20", entity="case")
    assert not any(rule == "check-not-received" for *_, rule in world.permitted())


def test_a_prisoner_whom_no_court_convicted_is_reported_to_the_prison(world: World) -> None:
    world.case("corrections", "P-1/2013-02-01", "C1")
    world.person("corrections", "P-1/2013-02-01", "P-1/2013-02-01", "P9", role="prisoner", name="Ilir Gashi")
    world.event("corrections", "P-1/2013-02-01", "imprisoned", "2013-02-01", entity="person")
    assert ("corrections", "P-1/2013-02-01", "check-no-judgment") in world.permitted()


def test_an_empty_world_has_nothing_to_tell() -> None:
    assert World().permitted() == set()


def test_a_case_registered_twice_shows_in_the_register_itself() -> None:
    world = World()
    for key, opened in (("2013-PR-00001", "2013-02-01"), ("2013-GL-00002", "2013-02-09"), ("2013-PE-00003", "2013-02-10")):
        world.case("police", key, "C", state="investigating")
        world.event("police", key, "reported", opened, entity="case")
        offence = "2013-01-30" if key != "2013-PE-00003" else "2012-11-11"
        world.event("police", key, "offence", offence, entity="case")
        world.person("police", f"{key}/1", key, "P1", personal_number="1000000001")
    found = find_duplicate_registrations(world.tables)
    assert found[["record_key", "field", "detail"]].values.tolist() == [["2013-GL-00002", "Nr_rastit", "2013-PR-00001"]]


def test_a_crowd_of_one_name_is_nobody_and_hides_no_other():
    def named(sizes: dict[str, int]) -> pd.DataFrame:
        rows = [("courts", f"{name}-{n}", name, name) for name, size in sizes.items() for n in range(size)]
        return pd.DataFrame(rows, columns=["institution", "case_key", "identifier", "name"])

    few = _find_case_files_with_common_person(named({"a": 2, "b": 3}))
    assert len(few) == 2 + 6
    pd.testing.assert_frame_equal(_find_case_files_with_common_person(named({"crowd": 20_000, "a": 2, "b": 3})), few)
