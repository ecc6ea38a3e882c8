"""Which periods are published and covered, and the lineage with its ids."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pandas as pd
import pytest
from count_world import World

from sources import contract
from sources.periods import Cadence
from warehouse.count import open_database_of_counting_models
from warehouse.count.coverage import (
    compute_coverage_of_periods,
    count_quarantined_rows,
    list_deliveries_that_figures_lack,
    list_years_and_quarters_with_deliveries,
)
from warehouse.indicators import indicators


def deliveries(*rows: tuple[str, str, int, str]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["institution", "period", "version", "state"])
    return frame.assign(delivery=frame["period"] + frame["version"].map(lambda v: "" if v == 1 else f"_v{v}"))


def state(frame: pd.DataFrame, institution: str, period: str) -> str:
    return compute_coverage_of_periods(frame).set_index(["institution", "period"])["state"].loc[institution, period]


def test_published_are_the_years_and_quarters_for_which_a_delivery_came() -> None:
    assert list_years_and_quarters_with_deliveries(
        deliveries(("police", "2013-Q2", 1, "complete"), ("courts", "2012-Q4", 1, "unreadable"))
    ) == [
        "2012",
        "2013",
        "2012-Q4",
        "2013-Q2",
    ]


@pytest.mark.parametrize(
    ("versions", "quarter"),
    [
        (["complete"], "complete"),
        (["partial"], "partial"),
        (["unreadable"], "unreadable"),
        (["complete", "unreadable"], "complete"),  # replaces nothing
        (["complete", "partial"], "partial"),
        (["complete", "partial", "unreadable"], "partial"),
        (["partial", "complete"], "complete"),  # healed
        (["unreadable", "complete"], "complete"),
        (["unreadable", "partial", "unreadable"], "partial"),
        (["unreadable", "unreadable"], "unreadable"),
    ],
)
def test_the_state_of_a_quarter_is_that_of_what_counts(versions: list[str], quarter: str) -> None:
    frame = deliveries(*(("police", "2013-Q1", n, one) for n, one in enumerate(versions, 1)))
    shuffled = frame.sort_values("version", ascending=False, ignore_index=True)
    assert state(frame, "police", "2013-Q1") == state(shuffled, "police", "2013-Q1") == quarter


@pytest.mark.parametrize(
    ("cadence", "delivered", "states"),
    [
        ("monthly", {"2013-04": "complete", "2013-05": "complete", "2013-06": "complete"}, ("complete", "partial")),
        ("monthly", {"2013-04": "complete", "2013-06": "complete"}, ("partial", "partial")),
        ("monthly", {f"2013-{n:02}": "complete" for n in range(1, 13)}, ("complete", "complete")),
        ("monthly", {}, ("missing", "missing")),
        ("half_yearly", {"2013-H1": "partial"}, ("partial", "partial")),
        ("yearly", {"2013": "complete"}, ("complete", "complete")),
    ],
)
def test_a_quarter_is_covered_by_the_periods_of_the_cadence(
    cadence: Cadence, delivered: dict[str, str], states: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    declared = {name: contract.load(name) for name in contract.institutions()}
    declared["courts"] = replace(declared["courts"], cadence=cadence)
    monkeypatch.setattr(contract, "load", declared.__getitem__)
    frame = deliveries(("police", "2013-Q2", 1, "complete"), *(("courts", period, 1, one) for period, one in delivered.items()))
    assert {"2013", "2013-Q2"} <= set(list_years_and_quarters_with_deliveries(frame))
    assert (state(frame, "courts", "2013-Q2"), state(frame, "courts", "2013")) == states
    assert state(frame, "police", "2013-Q2") == "complete"


def test_a_delivery_that_was_not_due_is_not_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    declared = {name: contract.load(name) for name in contract.institutions()}
    declared["inspectorate"] = replace(declared["inspectorate"], delivers_from=date(2013, 5, 1), delivers_until=date(2013, 9, 30))
    monkeypatch.setattr(contract, "load", declared.__getitem__)
    quarters = [("police", f"2013-Q{q}", 1, "complete") for q in (1, 2, 3, 4)]
    frame = deliveries(*quarters, ("police", "2012-Q4", 1, "complete"), ("inspectorate", "2013-Q2", 1, "complete"))
    covered = compute_coverage_of_periods(frame)
    own = covered[covered["institution"] == "inspectorate"]
    assert own[["period", "state"]].to_numpy().tolist() == [["2013", "partial"], ["2013-Q2", "complete"], ["2013-Q3", "missing"]]
    found = list_deliveries_that_figures_lack(dict(indicators()), covered, list_years_and_quarters_with_deliveries(frame)).set_index(
        ["indicator", "period"]
    )
    missing = found["missing"]["cases_registered"]
    assert missing[["2013", "2013-Q3"]].tolist() == ["inspectorate 2013-Q3 missing"] * 2
    assert missing[["2012-Q4", "2013-Q1", "2013-Q2", "2013-Q4"]].isna().all()
    courts = replace(declared["courts"], delivers_from=date(2014, 1, 1))
    declared["courts"] = courts  # nobody had to deliver what the figure counts: it is null all the same, and says why
    found = list_deliveries_that_figures_lack(dict(indicators()), compute_coverage_of_periods(frame), ["2013-Q1"]).set_index(
        ["indicator", "period"]
    )
    assert found.loc[("persons_convicted", "2013-Q1"), ["missing", "silent"]].tolist() == ["courts 2013-Q1 missing", True]


@pytest.mark.parametrize(
    ("quarters", "year"),
    [
        (["complete"] * 4, "complete"),
        (["complete"] * 3 + ["partial"], "partial"),
        (["complete"] * 3, "partial"),
        (["unreadable"] * 2, "unreadable"),
        (["unreadable", "partial"], "partial"),
        ([], "missing"),
    ],
)
def test_the_state_of_a_year_follows_from_its_quarters(quarters: list[str], year: str) -> None:
    other = [("courts", f"2013-Q{q}", 1, "complete") for q in (1, 2, 3, 4)]
    frame = deliveries(*other, *(("police", f"2013-Q{q}", 1, one) for q, one in enumerate(quarters, 1)))
    assert state(frame, "police", "2013") == year


def test_a_figure_is_incomplete_in_quarter_and_year_by_a_delivery_read_in_part_and_null_where_nothing_was_read() -> None:
    quarters = [(name, f"2013-Q{q}", 1, "complete") for name in ("police", "courts") for q in (1, 2, 3)]
    frame = deliveries(*quarters, ("police", "2013-Q4", 1, "partial"), ("courts", "2013-Q4", 1, "unreadable"))
    found = list_deliveries_that_figures_lack(
        dict(indicators()), compute_coverage_of_periods(frame), list_years_and_quarters_with_deliveries(frame)
    ).set_index(["indicator", "period"])
    for period in ("2013", "2013-Q4"):
        assert found.loc[("persons_arrested", period), "missing"] == "police 2013-Q4 partial"
        assert found.loc[("persons_convicted", period), "missing"] == "courts 2013-Q4 unreadable"
    assert pd.isna(found.loc[("persons_arrested", "2013-Q3"), "missing"])
    silent = found["silent"]
    assert silent["persons_convicted", "2013-Q4"]
    assert not silent["persons_convicted", "2013"]
    assert not silent["persons_arrested", "2013-Q4"]


def test_a_figure_names_what_is_missing_behind_it() -> None:
    frame = deliveries(*(("police", f"2013-Q{q}", 1, "complete") for q in (1, 2, 3, 4)), ("inspectorate", "2013-Q1", 1, "complete"))
    found = list_deliveries_that_figures_lack(
        dict(indicators()), compute_coverage_of_periods(frame), list_years_and_quarters_with_deliveries(frame)
    ).set_index(["indicator", "period"])
    assert pd.isna(found.loc[("cases_registered", "2013-Q1"), "missing"])
    absent = ", ".join(f"inspectorate 2013-Q{q} missing" for q in (2, 3, 4))
    assert found.loc[("cases_registered", "2013"), "missing"] == absent
    assert found.loc[("persons_convicted", "2013"), "silent"]
    assert not found.loc[("cases_registered", "2013-Q2"), "silent"]


def test_quarantined_rows_are_summed_over_institutions_versions_and_the_year() -> None:
    frame = deliveries(
        ("police", "2013-Q1", 1, "complete"), ("police", "2013-Q1", 2, "complete"), ("inspectorate", "2013-Q2", 1, "complete")
    )
    rows = pd.DataFrame(
        [("police", "2013-Q1", 1), ("police", "2013-Q1_v2", 2), ("inspectorate", "2013-Q2", 4)], columns=["institution", "delivery", "rows"]
    )
    found = count_quarantined_rows(dict(indicators()), frame, rows).set_index(["indicator", "period"])["quarantined"]
    assert found["cases_registered", "2013-Q1"] == 3
    assert found["cases_registered", "2013"] == 7
    assert found["persons_arrested", "2013"] == 3


def test_lineage_names_case_and_person_of_every_state_and_of_quarantined_rows_by_their_key() -> None:
    world = World().case("courts", "PKR.nr.1/2013", "c").person("courts", "PKR.nr.1/2013/1", "p", file="PKR.nr.1/2013", status="withdrawn")
    world.person("prosecution", "7", "q", file="5").case("prosecution", "5", "c2")
    inputs = world.inputs()
    lost = {"institution": "courts", "entity": "person", "record_key": "PKR.nr.1/2013/2", "delivery": "2013-Q1", "status": "quarantined"}
    lineage = pd.concat([inputs.lineage, pd.DataFrame([lost])], ignore_index=True)
    with open_database_of_counting_models(replace(inputs, lineage=lineage)) as models:
        found = models.read_frame("lineage").set_index("record_key")
    assert found["case_id"].to_dict() == {
        "PKR.nr.1/2013": "c",
        "PKR.nr.1/2013/1": "c",
        "PKR.nr.1/2013/2": "c",
        "7": "c2",
        "5": "c2",
    }
    assert found.loc["PKR.nr.1/2013/1", "person_id"] == "p"
    assert pd.isna(found.loc["PKR.nr.1/2013", "person_id"])
    assert pd.isna(found.loc["PKR.nr.1/2013/2", "person_id"])
