"""The star: built from any records, also none; every value is in its dimension; nothing personal."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pandas as pd
import pytest
from count_world import World

from warehouse import tables
from warehouse.count import compute_published_tables
from warehouse.publish import build_store_file


def world() -> World:
    found = World()
    found.case("police", "2013-PR-00001", "c", reported="2013-01-05", sent="2013-02-01", offence="2012-12-30", group="trafficking")
    found.person("police", "2013-PR-00001/1", "p", file="2013-PR-00001", arrested="2013-01-06", born="1995-01-06", sex="male")
    found.person("police", "2013-PR-00001/2", "v", file="2013-PR-00001", role="victim", born="1999", sex="female", citizenship="HRV")
    found.case("prosecution", "7", "c", received="2013-02-03", number="PP.I.nr.7/2013")
    found.person("prosecution", "71", "p", file="7", charges=("trafficking",), form="sexual", indicted="2013-03-01")
    found.case("courts", "PKR.nr.1/2013", "c", period="2013-Q3", received="2013-07-10")
    judged = {"judged": "2013-08-01", "outcome": "convicted", "charges": ("trafficking",)}
    found.person("courts", "PKR.nr.1/2013/1", "p", file="PKR.nr.1/2013", period="2013-Q3", **judged)
    found.case("corrections", "1/2013-01-08", "c")
    found.person("corrections", "1/2013-01-08", "p", file="1/2013-01-08", detained="2013-01-08", charges=("trafficking",))
    return found


@pytest.fixture(scope="module")
def built() -> dict[str, pd.DataFrame]:
    return compute_published_tables(world().inputs())


def test_every_published_table_is_made_with_exactly_its_columns(built: dict[str, pd.DataFrame]) -> None:
    assert set(built) == {table.name for table in tables.list_declared_tables_except_views(tables.WAREHOUSE)}
    for name, frame in built.items():
        assert list(frame.columns) == [column.name for column in tables.WAREHOUSE.tables[name].columns], name


@pytest.mark.parametrize("periods", [(), ("2013-Q1",)])
def test_a_star_of_nothing_is_empty_and_whole(periods: tuple[str, ...]) -> None:
    made = compute_published_tables(World(periods).inputs())
    assert not any(len(frame) for name, frame in made.items() if name.startswith("fact_"))


def test_every_value_is_in_its_dimension(built: dict[str, pd.DataFrame]) -> None:
    for name, frame in built.items():
        for column in tables.WAREHOUSE.tables[name].columns:
            if column.info.get("of"):
                table, key = column.info["of"].split(".")
                held = frame[column.name].dropna()
                assert held[~held.isin(built[table][key])].empty, column


def test_a_person_has_the_age_of_the_day_and_of_the_offence_and_no_birth_date(built: dict[str, pd.DataFrame]) -> None:
    events = built["fact_event"]
    arrest = events[(events["event"] == "arrested") & (events["subject"] == "person")].iloc[0]
    assert (arrest["age"], arrest["age_group"], arrest["age_at_offence"]) == (18, "adult", 17)
    assert not any("birth" in column.name for table in tables.WAREHOUSE.tables.values() for column in table.columns)


def test_a_person_has_the_roles_of_the_person_own_records() -> None:
    found = World().case("police", "N1", "c", reported="2013-01-05")
    for key, person, role in (("N1/1", "z", "victim"), ("N1/2", "a", "suspect"), ("N1/3", "m", "witness"), ("N1/4", "a", "victim")):
        found.person("police", key, person, file="N1", role=role)
    persons = compute_published_tables(found.inputs())["fact_person"].set_index("person_id")
    roles = {person: {role for role in ("suspect", "victim", "witness") if persons.loc[person, role]} for person in ("a", "m", "z")}
    assert roles == {"a": {"suspect", "victim"}, "m": {"witness"}, "z": {"victim"}}


def test_citizenship_is_of_the_union_from_the_day_of_accession_on() -> None:
    found = World()
    for period, day in (("2013-Q2", "2013-06-30"), ("2013-Q3", "2013-07-01")):
        found.case("police", day, f"c{day}", period=period, reported=day, group="trafficking")
        found.person("police", f"{day}/1", "v", file=day, period=period, role="victim", citizenship="HRV")
    events = compute_published_tables(found.inputs())["fact_event"]
    seen = events[(events["subject"] == "person") & (events["scope"] == "file")].sort_values("day")
    assert seen["citizenship_region"].tolist() == ["other", "eu"]


def test_a_case_has_the_days_of_its_way_and_its_state_at_every_quarters_end(built: dict[str, pd.DataFrame]) -> None:
    case = built["fact_case"].iloc[0]
    days = [
        str(case[name].date()) for name in ("registered", "referred", "received_prosecution", "indicted", "received_court", "convicted")
    ]
    assert days == ["2013-01-05", "2013-02-01", "2013-02-03", "2013-03-01", "2013-07-10", "2013-08-01"]
    assert (case["stage"], bool(case["open"]), str(case["closed"].date())) == ("courts", False, "2013-08-01")
    states = built["fact_case_snapshot"].set_index("quarter")
    assert states["open"].to_dict() == {"2013-Q1": True, "2013-Q2": True, "2013-Q3": False}


def test_a_judgment_that_an_appeal_rewrote_is_kept() -> None:
    found = World().case("courts", "P.nr.1/2013", "c", received="2013-01-10")
    first = {"charges": ("trafficking",), "judged": "2013-02-01", "outcome": "convicted"}
    found.person("courts", "P.nr.1/2013/1", "p", file="P.nr.1/2013", status="superseded", **first)
    second = {"charges": ("trafficking",), "judged": "2013-05-01", "outcome": "acquitted"}
    found.person("courts", "P.nr.1/2013/1", "p", file="P.nr.1/2013", period="2013-Q2", **second)
    events = compute_published_tables(found.inputs())["fact_event"]
    own = events[(events["subject"] == "person") & events["event"].str.startswith("judged")].set_index("event")["outcome"]
    assert own.to_dict() == {"judged": "acquitted", "judged_before": "convicted"}


def test_a_quarter_without_a_delivery_is_null_and_flagged_in_every_view(tmp_path: Path) -> None:
    found = world()
    gone = {("police", "2013-Q2"), ("inspectorate", "2013-Q2"), ("inspectorate", "2013-Q1"), ("courts", "2013-Q4")}
    found.deliveries = [d for d in found.deliveries if (d["institution"], d["period"]) not in gone]
    build_store_file(tmp_path / "w.duckdb", tables.WAREHOUSE.sorted_tables, compute_published_tables(found.inputs()))
    with duckdb.connect(str(tmp_path / "w.duckdb"), read_only=True) as connection:
        cases = connection.sql("FROM flow_cases SELECT cohort, registered, incomplete WHERE offence_group = 'trafficking'").fetchall()
        persons = connection.sql("FROM flow_persons SELECT cohort, registered, incomplete WHERE offence_group = 'trafficking'").fetchall()
        steps = connection.sql("FROM flow_durations SELECT cohort, cases, incomplete WHERE step = 'report to referral'").fetchall()
        still = connection.sql("FROM flow_open SELECT quarter, stage, open, incomplete WHERE quarter = '2013-Q4'").fetchall()
    expected = [("2012-Q4", 0, False), ("2013-Q1", 1, True), ("2013-Q2", None, True), ("2013-Q3", 0, False), ("2013-Q4", 0, False)]
    assert cases == persons == steps == expected
    assert still == [
        ("2013-Q4", "registration", 0, False),
        ("2013-Q4", "prosecution", 0, False),
        ("2013-Q4", "courts", None, True),
    ]
