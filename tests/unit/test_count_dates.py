"""On which day an event counts when its date cannot be right."""

from __future__ import annotations

import pandas as pd
import pytest
from count_world import World
from hypothesis import given, settings
from hypothesis import strategies as st
from volume import examples

from warehouse.count.date_habits import DateEntryHabits, estimate_date_entry_habits
from warehouse.count.dates import METHODS
from warehouse.count.periods import (
    find_first_day_of_periods,
    find_last_day_of_periods,
    find_middle_day_of_periods,
    find_quarter_of_each_day,
)


def row_of(world: World, event: str, key: str = "A") -> pd.Series:
    events = world.model("event")
    return events[(events["event"] == event) & (events["record_key"] == key)].iloc[0]


def day_of(world: World, event: str, key: str = "A") -> tuple[str, str]:
    row = row_of(world, event, key)
    return str(row["day"])[:10], row["method"]


def register(late: int = 0, exchanged: int = 0, year: int = 0, *, of: int = 100) -> World:
    """Police cases of 2013, so many of them entered two to four quarters late, exchanged into the future, or ten years in the future."""
    world = World()
    for n in range(of):
        month, period = f"{3 * (n % 4) + 2:02}", f"2013-Q{n % 4 + 1}"
        world.case("police", f"R{n}", f"r{n}", number=f"2013-PR-{n:05}", reported=f"2013-{month}-{13 + n % 15}", period=period)
    for n in range(late):
        world.case("police", f"L{n}", f"l{n}", number=f"2013-PR-9{n:04}", reported=f"2013-0{1 + n % 3}-{13 + n % 15}", period="2013-Q4")
    for n in range(exchanged):
        world.case("police", f"X{n}", f"x{n}", number=f"2013-PR-8{n:04}", reported=f"2013-{4 + n % 9:02}-0{1 + n % 3}", period="2013-Q1")
    for n in range(year):
        world.case("police", f"Y{n}", f"y{n}", number=f"2013-PR-7{n:04}", reported=f"2023-05-{13 + n % 15}", period="2013-Q2")
    return world


def test_a_date_in_order_and_in_time_counts_as_delivered() -> None:
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


@pytest.mark.parametrize(
    ("reported", "number", "day"),
    [
        ("2013-04-20", "2013-PR-00007", "2013-05-16"),
        ("2012-05-20", "2013-PR-00007", "2012-05-16"),  # before the first delivery; the number is of the year of entry
        ("2012-05-20", "2012-PR-00007", "2013-11-15"),  # a file from before the first delivery, which changed
        ("2013-11-20", "2013-PR-00007", "2013-11-15"),  # entered in time
    ],
)
def test_an_unreadable_date_in_a_file_that_was_entered_late_counts_when_the_file_was_opened(reported: str, number: str, day: str) -> None:
    world = World().case("police", "A", "c", number=number, reported=reported, period="2013-Q4")
    world.person("police", "A/1", "p", file="A", period="2013-Q4", arrested=None)
    assert day_of(world, "arrested", "A/1") == (day, "middle")


def test_an_unreadable_date_is_imputed_within_the_other_dates_of_the_case() -> None:
    world = World().case("police", "A", "c", reported="2013-11-20", sent=None, period="2013-Q4")
    assert day_of(world, "sent") == ("2013-11-20", "middle")
    world = World().case("police", "A", "c", reported="2013-10-04", sent=None, period="2013-Q4")
    world.case("prosecution", "7", "c", received="2013-10-20", period="2013-Q4")
    assert day_of(world, "sent") == ("2013-10-20", "middle")


def test_of_two_dates_out_of_order_the_one_outside_its_quarter_is_wrong() -> None:
    world = World().person("courts", "F/1", "p", file="F", period="2013-Q1", judged="2013-02-11", outcome="convicted", status="superseded")
    world.person("courts", "F/1", "p", file="F", period="2013-Q3", judged="2013-02-11", final="2013-01-07", outcome="convicted")
    assert day_of(world, "judged", "F/1") == ("2013-02-11", "delivered")
    assert day_of(world, "final", "F/1") == ("2013-07-01", "exchanged")


def of_months(**months: str) -> tuple[str, ...]:
    """The days on which the events of a case count whose dates are given as months."""
    world = World().case("police", "A", "c", period="2013-Q4", **{name: f"{month}-15" for name, month in months.items()})
    for row in world.rows["events"]:
        row["date_precision"] = "month"
    known = world.model("event").set_index("event")
    return tuple(str(known.loc[name, "day"])[:10] if known.loc[name, "method"] == "delivered" else "imputed" for name in months)


def test_a_month_contradicts_only_days_outside_it() -> None:
    assert of_months(offence="2013-11", reported="2013-11") == ("2013-11-15", "2013-11-15")
    world = World().case("police", "A", "c", period="2013-Q4", offence="2013-11-28", reported="2013-11-15")
    assert world.model("event")["method"].tolist() != ["delivered"] * 2
    for row in world.rows["events"]:
        row["date_precision"] = "day" if row["event"] == "offence" else "month"
    assert world.model("event")["method"].tolist() == ["delivered"] * 2
    assert "imputed" in of_months(offence="2013-12", reported="2013-10")


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
    events = world.model("event")
    assert set(events["method"]) == {"delivered"}


def test_where_the_delivery_does_not_tell_when_any_possible_day_serves() -> None:
    world = World().case("prosecution", "7", "c", received="2011-10-03", indicted="2011-04-01", period="2012-Q4")
    assert day_of(world, "received", "7") == ("2011-03-10", "exchanged")


def test_in_a_source_that_enters_late_one_digit_of_the_year_may_lead_to_an_earlier_quarter() -> None:
    future = {"number": "2013-PR-00009", "reported": "2022-12-14", "period": "2013-Q4"}
    on_time, late = register(year=3).case("police", "A", "c", **future), register(late=40, year=3).case("police", "A", "c", **future)
    assert day_of(on_time, "reported") == ("2013-11-15", "middle")
    assert day_of(late, "reported") == ("2012-12-14", "year")


def test_of_two_contradicting_dates_the_source_tells_which_mistake_is_likelier() -> None:
    case = {"reported": "2013-03-10", "offence": "2013-05-20", "period": "2013-Q4", "number": "2013-PR-00009"}
    exchanging = register(exchanged=30).case("police", "A", "c", **case)
    assert (day_of(exchanging, "reported"), day_of(exchanging, "offence")) == (("2013-10-03", "exchanged"), ("2013-05-20", "delivered"))
    late = register(late=200, year=40).case("police", "A", "c", **case)
    assert (day_of(late, "reported"), day_of(late, "offence")) == (("2013-03-10", "delivered"), ("2012-05-20", "year"))


def test_where_no_mistake_is_likely_enough_contradicting_dates_stay() -> None:
    world = World().case("police", "A", "c", reported="2013-02-15", sent="2013-03-22", period="2013-Q1")
    world.case("prosecution", "7", "c", received="2013-03-19", period="2013-Q1")
    assert day_of(world, "sent") == ("2013-03-22", "delivered")
    assert day_of(world, "received", "7") == ("2013-03-19", "delivered")


def test_a_register_of_months_keeps_its_late_cases() -> None:
    world = World()
    for n in range(120):
        late = n % 30 == 0
        month, year = 1 + n % 12, 2011 if late else 2013
        period = "2013-Q4" if late else f"2013-Q{(month + 2) // 3}"
        number, day = f"2013-PR-{n:05}", f"{year}-{month:02}-01"
        world.case("police", f"M{n}", f"c{n}", number=number, reported=day, offence=day, period=period)
    world.case("police", "zero", "z", reported="1004-05-01", period="2013-Q2")
    events = world.model("event")
    moved = events[events["method"] != "delivered"]
    assert moved["record_key"].tolist() == ["zero"]
    assert moved["date_problem"].tolist() == ["too_early"]


@pytest.mark.parametrize(
    ("reported", "problem"),
    [
        (None, "missing"),
        ("2023-02-10", "after_delivery"),
        ("1913-02-10", "too_early"),
        ("2013-02-10", None),
        ("1985-02-10", None),
        ("2012-02-10", "before_offence"),
    ],
)
def test_why_a_day_was_imputed_is_reported(reported: str | None, problem: str | None) -> None:
    offence = "1985-01-01" if reported == "1985-02-10" else "2013-01-20"
    dates = {"offence": offence, "reported": reported, "sent": "2013-03-01"}
    world = World().case("police", "A", "c", **dates, period="2013-Q1", number="2013-PR-00009")
    row = row_of(world, "reported")
    assert (None if pd.isna(row["date_problem"]) else row["date_problem"]) == problem
    assert (row["method"] == "delivered") == (problem is None)


def test_habits_are_counted_in_the_sources_own_deliveries() -> None:
    late, slips = (
        estimate_date_entry_habits([world.model("dated_event")]).rates.loc["police"]
        for world in (register(late=40), register(exchanged=20, year=20))
    )
    assert late["lag_2"] > 4 * slips["lag_2"]
    assert slips["exchanged"] > 8 * late["exchanged"]
    assert slips["year"] > 8 * late["year"]
    nothing = DateEntryHabits(
        estimate_date_entry_habits([register(of=0).case("courts", "F", "c", received="2013-02-02").model("dated_event")]).rates
    )
    # expected: one date in a thousand, and nine wrong years
    assert nothing.rates_of(pd.Series(["police"]), ("year",)).tolist() == [[2.0**-13]]


days = st.dates(pd.Timestamp("1995-01-01").date(), pd.Timestamp("2099-12-31").date())


@pytest.mark.slow
@settings(max_examples=5, deadline=None)
@given(st.lists(st.tuples(days, st.sampled_from(["2012-Q4", "2013-Q1", "2013-Q4"])), min_size=1, max_size=40))
def test_every_event_gets_a_day_that_is_not_after_its_delivery(dates: list[tuple[object, str]]) -> None:
    world = World()
    for n, (date, period) in enumerate(dates):
        world.case("police", f"A{n}", f"c{n % 3}", reported=str(date), period=period)
    events = world.model("event")
    shown = world.model("event_day", "dated_event")
    assert events["day"].notna().all()
    assert (shown["day"] <= find_last_day_of_periods(shown["first_same_period"])).all()
    assert set(events["method"]) <= set(METHODS)
    assert (events["day"] == events["day"].dt.normalize()).all()


@settings(max_examples=examples(50), deadline=None)
@given(days)
def test_a_quarter_holds_its_days(date: object) -> None:
    day = pd.Series([pd.Timestamp(str(date))])
    period = find_quarter_of_each_day(day)
    assert (find_first_day_of_periods(period) <= day).all()
    assert (day <= find_last_day_of_periods(period)).all()
    assert (find_quarter_of_each_day(find_middle_day_of_periods(period)) == period).all()


@pytest.mark.parametrize(("referred", "day", "method"), [("2003-04-09", "2013-04-09", "year"), ("2012-09-20", "2012-09-20", "delivered")])
def test_a_victim_is_not_referred_years_before_the_file_is_opened(referred: str, day: str, method: str) -> None:
    world = World().case("victim_protection", "A", "c", period="2013-Q2")
    world.person(
        "victim_protection", "A", "v", file="A", period="2013-Q2", supported="2013-04-10", referred=referred, assisted="2013-04-12"
    )
    assert day_of(world, "referred") == (day, method)
    assert day_of(world, "supported") == ("2013-04-10", "delivered")
