"""What analysts see: no exact day, place, age or line, no number and no order that leads to a record, and the same groups all the same."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import BigInteger, Date, Table
from test_star_build import world

from pipelines.resources import lake
from warehouse import tables
from warehouse.analysts import ANALYSTS, COARSE, IDS, describe_replacement_for_analysts, is_altered_for_analysts
from warehouse.count import compute_published_tables
from warehouse.loading import convert_rows_to_frame
from warehouse.stores import arrange_stores

SPEAKING = [
    table for table in tables.list_declared_tables_except_views(tables.WAREHOUSE) if {*IDS, "record_key"} & set(table.columns.keys())
]
"""Tables with a row for a record, a case or a person."""
COUNTED = {"bridge_records.sign", "fact_sentence.months", "fact_sentence.euros", "fact_stay.months"}
COUNTED |= {f"fact_case.{name}" for name in ("files", "suspects", "victims", "defendants")}
"""Numbers of which analysts see the values: measures, none of them a running one."""


def seen(published: dict[str, pd.DataFrame], key: bytes = bytes(32)) -> dict[str, pd.DataFrame]:
    rows = arrange_stores(published, tables.conform_frame(tables.PERSONS, pd.DataFrame()), key)["analysts"]
    return {name: tables.conform_frame(ANALYSTS.tables[name], convert_rows_to_frame(rows[name])) for name in rows}


@pytest.fixture(scope="module")
def exact() -> dict[str, pd.DataFrame]:
    return compute_published_tables(world().inputs())


@pytest.fixture(scope="module")
def coarse(exact: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    return seen(exact)


@pytest.mark.parametrize("table", SPEAKING, ids=lambda table: table.name)
def test_whatever_could_lead_to_a_record_is_changed(table: Table) -> None:
    assert is_altered_for_analysts(table)
    for column in table.columns:
        if isinstance(column.type, Date | BigInteger) and str(column) not in COUNTED:
            assert describe_replacement_for_analysts(table, column), f"{column}: say what analysts see (`coarse`), or name it in COUNTED"
        if column.info.get("of", "") in ("dim_municipality.municipality", "dim_seat.seat", "dim_country.country", "dim_age.age"):
            assert describe_replacement_for_analysts(table, column), column
        assert not column.info.get("coarse") or column.info["coarse"] in COARSE


def test_every_day_is_the_first_of_its_quarter(exact: dict[str, pd.DataFrame], coarse: dict[str, pd.DataFrame]) -> None:
    known = set(exact["dim_time"]["day"])
    for table in SPEAKING:
        for column in (c.name for c in table.columns if isinstance(c.type, Date) and not c.info.get("coarse")):
            days = coarse[table.name][column].dropna()
            assert set(days.dt.day) <= {1} and set(days.dt.month) <= {1, 4, 7, 10}
            assert set(days) <= known, f"{table.name}.{column} cannot be joined with dim_time"
            assert len(days) == len(exact[table.name][column].dropna())


def test_ids_are_other_texts_that_group_the_same_rows(exact: dict[str, pd.DataFrame], coarse: dict[str, pd.DataFrame]) -> None:
    for name in IDS:
        whole = [pd.concat([frames[t.name][name] for t in SPEAKING if name in t.columns]).value_counts() for frames in (exact, coarse)]
        assert sorted(whole[0]) == sorted(whole[1])
        assert not set(whole[0].index) & set(whole[1].index)
        assert whole[1].index.str.fullmatch("[0-9a-f]{32}").all()
    other = seen(exact, bytes(range(32)))
    assert not set(other["fact_case"]["case_id"]) & set(coarse["fact_case"]["case_id"])


def test_of_shelters_only_the_totals_of_years_are_seen(exact: dict[str, pd.DataFrame]) -> None:
    """A cell of a quarter or a category, the weight of a centre's only record or a cohort of one would tell who was in a shelter."""
    step = pd.DataFrame({"indicator": "victims_sheltered", "institution": "social_work", "cause": "shelter_changed", "n": -1}, index=[0, 1])
    bridge = tables.conform_frame(tables.WAREHOUSE.tables["bridge"], step.assign(period=["2013", "2013-Q2"]))
    found = seen({**exact, "statistics": exact["statistics"].assign(indicator="victims_sheltered"), "bridge": bridge})
    dimensions = ["offence_group", "form", "sex", "age_group", "citizenship_group"]
    for name in ("statistics", "every_statistic", "bridge"):
        rows = found[name][found[name]["indicator"] == "victims_sheltered"]
        assert len(rows) and set(rows["period"].str.len()) == {4}, name
        assert set(rows.filter(dimensions).stack()) <= {"total"}, name
    assert found["flow_victims"]["sheltered"].isna().all()
    assert len(found["quality"]) and found["quality"][["weight", "weight_faulty"]].isna().all(axis=None)
    assert len(found["every_statistic"]) > len(rows), "other indicators stay"


def test_the_order_of_rows_and_of_numbers_tells_nothing(exact: dict[str, pd.DataFrame], coarse: dict[str, pd.DataFrame]) -> None:
    """Rows that came in another order, under other running numbers, are the same to analysts."""
    shuffled = {name: frame.sample(frac=1, random_state=7).reset_index(drop=True) for name, frame in exact.items()}
    shuffled["fact_event"]["event_id"] = shuffled["fact_event"]["event_id"] * 3 + 11
    shuffled["fact_stay"]["chain"] = shuffled["fact_stay"]["chain"] * 3 + 11
    again = seen(shuffled)
    for table in SPEAKING:
        pd.testing.assert_frame_equal(again[table.name], coarse[table.name])


def test_places_lines_and_rare_citizenships_are_gone(coarse: dict[str, pd.DataFrame]) -> None:
    assert coarse["lineage"][["file", "part", "line"]].isna().all(axis=None)
    assert coarse["findings"][["file", "part", "line"]].isna().all(axis=None)
    assert coarse["fact_case"][["municipality", "seat"]].isna().all(axis=None)
    assert set(coarse["fact_person"]["citizenship"].dropna()) <= {"XKX"}
    assert set(coarse["fact_person"]["age_at_offence"].dropna()) <= {0, 18}


def test_views_are_answered_from_exact_rows(exact: dict[str, pd.DataFrame], coarse: dict[str, pd.DataFrame]) -> None:
    case = exact["fact_case"].iloc[0]
    days = (case["referred"] - case["registered"]).days
    steps = coarse["flow_durations"]
    assert steps.loc[(steps["step"] == "report to referral") & (steps["cases"] == 1), "median_days"].tolist() == [days]


def test_rows_that_lie_in_the_lake_are_seen_as_those_that_are_held(
    exact: dict[str, pd.DataFrame], coarse: dict[str, pd.DataFrame], tmp_path: Path
) -> None:
    lake.write_tables(tmp_path, exact)
    there = lake.Tables(tmp_path)
    again = seen({name: there.open_for_duckdb(name) for name in there})  # type: ignore[misc]
    for name, frame in coarse.items():
        pd.testing.assert_frame_equal(again[name], frame)
