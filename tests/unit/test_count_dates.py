"""On which day an event counts when its date cannot be right."""

from __future__ import annotations

import pandas as pd
import pytest
from count_world import World
from hypothesis import given, settings
from hypothesis import strategies as st

from warehouse.count.dates import METHODS, candidates, plausible
from warehouse.count.inputs import quarter_end, quarter_middle, quarter_of, quarter_start


def day_of(world: World, event: str, key: str = "A") -> tuple[str, str]:
    events = plausible(world.standing().events)
    row = events[(events["event"] == event) & (events["record_key"] == key)].iloc[0]
    return str(row["day"])[:10], row["method"]


def one(dates: str, low: str, high: str, first: str | None, begins: str = "2012-01-01") -> tuple[str, str]:
    days = [pd.Series([pd.Timestamp(d)]).astype("datetime64[s]") for d in (dates, low, high)]
    out = candidates(*days, pd.Series([first], dtype="str"), pd.Series([pd.Timestamp(begins)])).iloc[0]
    return str(out["day"])[:10], out["method"]


def test_a_date_in_order_and_in_time_counts_where_it_stands() -> None:
    world = World().case("police", "A", "c", reported="2013-01-05", sent="2013-02-01")
    assert day_of(world, "reported") == ("2013-01-05", "delivered")


@pytest.mark.parametrize(
    ("date", "day", "method"),
    [
        ("2023-02-10", "2013-02-10", "year"),  # one digit of the year
        ("2013-10-02", "2013-02-10", "exchanged"),  # day and month
        ("2017-05-31", "2013-02-14", "middle"),  # nothing gives a possible day
    ],
)
def test_a_date_after_the_end_of_the_delivered_quarter_is_put_right(date: str, day: str, method: str) -> None:
    world = World().case("police", "A", "c", offence="2013-01-01", reported=date)
    assert day_of(world, "reported") == (day, method)


def test_a_date_that_cannot_be_read_counts_in_the_middle_of_the_quarter_in_which_it_first_appeared() -> None:
    world = World().case("police", "A", "c", reported=None, period="2013-Q2", status="superseded")
    world.case("police", "A", "c", reported=None, period="2013-Q4")
    assert day_of(world, "reported") == ("2013-05-16", "middle")


def test_of_two_dates_out_of_order_the_one_outside_its_quarter_is_wrong() -> None:
    world = World().person("courts", "F/1", "p", file="F", period="2013-Q1", judged="2013-02-11", outcome="convicted", status="superseded")
    world.person("courts", "F/1", "p", file="F", period="2013-Q3", judged="2013-02-11", final="2013-01-07", outcome="convicted")
    assert day_of(world, "judged", "F/1") == ("2013-02-11", "delivered")
    assert day_of(world, "final", "F/1") == ("2013-07-01", "exchanged")


def test_a_date_before_the_offence_is_exchanged_into_its_quarter() -> None:
    world = World().case("police", "A", "c", reported="2013-05-12", offence="2013-12-02", period="2013-Q4")
    assert day_of(world, "reported") == ("2013-12-05", "exchanged")
    assert day_of(world, "offence") == ("2013-12-02", "delivered")


@pytest.mark.parametrize("late", ["2013-06-10", "2012-11-12", "2012-02-17", "2010-03-03"])
def test_a_date_that_contradicts_only_the_quarter_of_its_delivery_or_the_number_stays(late: str) -> None:
    world = World().case("police", "A", "c", number="2013-PR-00007", reported=late, period="2013-Q4")
    world.case("police", "B", "d", reported="2013-11-05", period="2013-Q4").case("prosecution", "7", "e", received=late, period="2013-Q4")
    assert day_of(world, "reported") == (late, "delivered")
    assert day_of(world, "received", "7") == (late, "delivered")


def test_a_number_of_an_earlier_year_alone_moves_no_date() -> None:
    world = World().case("courts", "F", "c", number="P.nr.12/2012", received="2013-02-04", period="2013-Q1")
    assert day_of(world, "received", "F") == ("2013-02-04", "delivered")


def test_a_case_from_before_the_first_delivery_keeps_its_date_when_it_is_first_seen_later() -> None:
    world = World().case("courts", "F", "c", received="2011-08-01", period="2013-Q2")
    assert day_of(world, "received", "F") == ("2011-08-01", "delivered")


def test_the_year_in_a_files_number_tells_which_of_two_dates_is_wrong() -> None:
    world = World().case("police", "A", "c", number="2013-PR-00609", reported="2012-11-02", offence="2013-10-11", period="2013-Q4")
    world.missing("police", "2013-Q3")  # the quarter of the first appearance says nothing
    assert day_of(world, "reported") == ("2013-11-02", "year")
    assert day_of(world, "offence") == ("2013-10-11", "delivered")


def test_a_file_that_got_a_new_number_later_keeps_its_date() -> None:
    world = World().case("courts", "F", "c", number="PKR.nr.18/2013", received="2012-10-14", period="2013-Q1")
    assert day_of(world, "received", "F") == ("2012-10-14", "delivered")


def test_files_of_one_case_may_follow_each_other() -> None:
    world = World().case("police", "A", "c", reported="2013-02-01", sent="2013-03-01")
    world.case("prosecution", "1", "c", received="2013-01-15").case("prosecution", "2", "c", received="2013-03-03")
    assert day_of(world, "sent") == ("2013-03-01", "delivered")


def test_two_files_of_one_case_are_no_proof_against_a_third() -> None:
    world = World().case("police", "A", "c", reported="2013-01-20", sent="2013-02-11", period="2013-Q1")
    world.case("prosecution", "1", "c", received="2013-02-15", state="merged").case("prosecution", "2", "c", received="2013-01-12")
    assert day_of(world, "received", "2") == ("2013-01-12", "delivered")


def test_what_a_missing_delivery_held_is_seen_later_and_keeps_its_date() -> None:
    world = World().person("corrections", "P-1/x", "p", file="P-1/x", detained="2012-12-17", period="2013-Q4")
    world.missing("corrections", "2012-Q4")
    assert day_of(world, "detained", "P-1/x") == ("2012-12-17", "delivered")


def test_a_new_trial_is_not_bound_to_the_quarter_of_the_first_judgment() -> None:
    world = World().person("courts", "F/1", "p", file="F", period="2013-Q1", judged="2013-02-11", outcome="convicted", status="superseded")
    world.person("courts", "F/1", "p", file="F", period="2013-Q4", judged=("2013-02-11", "2013-11-20"), outcome="convicted")
    events = plausible(world.standing().events)
    assert set(events["method"]) == {"delivered"}


def test_where_the_delivery_does_not_tell_when_any_possible_day_serves() -> None:
    assert one("2011-10-03", "2011-01-01", "2011-04-01", None) == ("2011-03-10", "exchanged")
    assert one("2011-10-03", "2011-01-01", "2011-04-01", "2013-Q1") == ("2011-03-10", "exchanged")  # before the first delivery
    assert one("2012-10-03", "2012-01-01", "2012-04-01", "2013-Q1")[0] == "NaT"


days = st.dates(pd.Timestamp("1995-01-01").date(), pd.Timestamp("2099-12-31").date())


@settings(max_examples=5, deadline=None)
@given(st.lists(st.tuples(days, st.sampled_from(["2012-Q4", "2013-Q1", "2013-Q4"])), min_size=1, max_size=40))
def test_every_event_gets_a_day_that_is_not_after_its_delivery(dates: list[tuple[object, str]]) -> None:
    world = World()
    for n, (date, period) in enumerate(dates):
        world.case("police", f"A{n}", f"c{n % 3}", reported=str(date), period=period)
    events = plausible(world.standing().events)
    assert events["day"].notna().all()
    assert (events["day"] <= quarter_end(events["first_same"])).all()
    assert set(events["method"]) <= set(METHODS)
    assert (events["day"] == events["day"].dt.normalize()).all()


@settings(max_examples=50, deadline=None)
@given(days)
def test_a_quarter_holds_its_days(date: object) -> None:
    day = pd.Series([pd.Timestamp(str(date))])
    period = quarter_of(day)
    assert (quarter_start(period) <= day).all()
    assert (day <= quarter_end(period)).all()
    assert (quarter_of(quarter_middle(period)) == period).all()
