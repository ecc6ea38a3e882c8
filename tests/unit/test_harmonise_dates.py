"""Dates: every usual way of writing a day is read, its precision kept, and what was wrong with it said."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from volume import examples

from pipelines.harmonisation.dates import COLUMNS, PROBLEMS, find_first_possible_day, find_last_possible_day, parse_dates

DAY = pd.Timestamp("2012-09-03")


def one(text: str, **options: object) -> tuple[object, object, object, object]:
    row = parse_dates(pd.Series([text]), **options).iloc[0]  # type: ignore[arg-type]
    return tuple(None if pd.isna(row[name]) else row[name] for name in COLUMNS)  # type: ignore[return-value]


@pytest.mark.parametrize("text", ["03.09.2012", "3.9.2012", " 03.09.2012. ", "03. 09. 2012", "03.09.2012 00:00"])
def test_the_agreed_form_has_no_problem(text: str) -> None:
    assert one(text) == (DAY, 2012, "day", None)


@pytest.mark.parametrize("text", ["2012-09-03", "2012-09-03T10:11:12", "2012-09-03 00:00:00", "2012-09-03+02:00", "2012-09-03T00:00:00Z"])
def test_iso_is_agreed_where_the_column_is_iso(text: str) -> None:
    assert one(text, format="iso") == (DAY, 2012, "day", None)
    assert one(text) == (DAY, 2012, "day", "other_format")


@pytest.mark.parametrize(
    "text",
    [
        *["03/09/2012", "03-09-2012", "2012/09/03", "41155", "41155.0", "20120903", "03092012", "3 shtator 2012", "3. septembra 2012."],
        *["3 Sep 2012", "September 3, 2012", "3 септембар 2012", "3-sht-2012"],
    ],
)
def test_other_forms_are_read_and_said(text: str) -> None:
    assert one(text) == (DAY, 2012, "day", "other_format")


@pytest.mark.parametrize("month", range(1, 13))
def test_months_in_three_languages(month: int) -> None:
    names = [
        "janar shkurt mars prill maj qershor korrik gusht shtator tetor nëntor dhjetor",
        "januar februar mart april maj jun jul avgust septembar oktobar novembar decembar",
        "January February March April May June July August September October November December",
    ]
    for language in names:
        assert one(f"3 {language.split()[month - 1]} 2012")[0] == pd.Timestamp(2012, month, 3)


@pytest.mark.parametrize(("text", "year"), [("31.02.2012", 2012), ("07.13.2012", 2012), ("00.00.1979", 1979), ("2012-31-02", 2012)])
def test_an_impossible_day_keeps_its_year(text: str, year: int) -> None:
    assert one(text) == (None, year, None, "impossible")


def test_a_year_alone_where_it_is_permitted_and_where_not() -> None:
    assert one("1971", year_only=True) == (None, 1971, "year", None)
    assert one("1971.0", year_only=True) == (None, 1971, "year", None)
    assert one("1971", format="year") == (None, 1971, "year", None)
    assert one("12.11.1971", format="year")[3] == "other_format"
    assert one("1971") == (None, 1971, None, "not_permitted_year")


@pytest.mark.parametrize(
    ("text", "form", "problem"),
    [
        *[("05.2013", "dmy", None), (" 5.2013.", "dmy", None), ("05/2013", "dmy", "other_format"), ("2013-05", "dmy", "other_format")],
        *[("2013-05", "iso", None), ("05.2013", "iso", "other_format")],
    ],
)
def test_a_month_where_it_is_permitted(text: str, form: str, problem: str | None) -> None:
    assert one(text, format=form, month_only=True) == (pd.Timestamp("2013-05-15"), 2013, "month", problem)
    assert one(text, format=form) == (None, 2013, None, "unreadable")


def test_a_month_that_is_none_and_a_day_where_a_month_is_permitted() -> None:
    assert one("13.2013", month_only=True) == (None, 2013, None, "impossible")
    assert one("03.09.2012", month_only=True) == (DAY, 2012, "day", None)


def test_a_month_can_mean_each_of_its_days() -> None:
    days, precision = pd.Series(pd.to_datetime(["2012-02-15", "2012-02-15", None])), pd.Series(["month", "day", None])
    assert find_first_possible_day(days, precision).tolist()[:2] == [pd.Timestamp("2012-02-01"), pd.Timestamp("2012-02-15")]
    assert find_last_possible_day(days, precision).tolist()[:2] == [pd.Timestamp("2012-02-29"), pd.Timestamp("2012-02-15")]


def test_two_digit_years_are_not_after_the_latest_day() -> None:
    end = pd.Timestamp("2013-06-30")
    assert one("06.07.76", latest=end) == (pd.Timestamp("1976-07-06"), 1976, "day", "two_digit_year")
    assert one("30.06.13", latest=end)[0] == pd.Timestamp("2013-06-30")
    assert one("01.07.13", latest=end)[0] == pd.Timestamp("1913-07-01")
    assert one("01.07.30")[0] == pd.Timestamp("2030-07-01")
    assert one("01.07.31")[0] == pd.Timestamp("1931-07-01")


@pytest.mark.parametrize("text", ["", "  ", "."])
def test_nothing_is_no_problem(text: str) -> None:
    assert one(text) == (None, None, None, None)


@pytest.mark.parametrize("text", ["nuk dihet", "12.09.201", "x", "1.2.3.4", "99999999999"])
def test_what_is_no_date_is_unreadable(text: str) -> None:
    assert one(text)[0::3] == (None, "unreadable")


@settings(max_examples=examples(40), deadline=None)
@given(st.dates(dt.date(1900, 3, 1), dt.date(2100, 12, 31)))
def test_every_day_comes_back_from_both_forms(day: dt.date) -> None:
    assert one(day.strftime("%d.%m.%Y")) == (pd.Timestamp(day), day.year, "day", None)
    assert one(day.isoformat(), format="iso") == (pd.Timestamp(day), day.year, "day", None)


@settings(max_examples=examples(40), deadline=None)
@given(st.lists(st.none() | st.text(max_size=20) | st.from_regex(r"[0-9 ./-]{1,12}", fullmatch=True), max_size=6))
def test_any_text_gives_a_row(texts: list[str | None]) -> None:
    out = parse_dates(pd.Series(texts, dtype="str"), latest=pd.Timestamp("2013-06-30"))
    assert out.dtypes.astype(str).to_dict() == COLUMNS
    assert set(out["problem"].dropna()) <= set(PROBLEMS)
    assert (out["date"].isna() | (out["precision"] == "day")).all()
