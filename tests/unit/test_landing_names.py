"""Names of deliveries and files: what a folder says, and how any name can be shown."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from landing_world import World
from volume import examples

from pipelines.landing.file_names import classify_file_name, make_printable_name, needs_escaping
from sources.contract import DeliveryName
from sources.periods import cadence_of, first_day, last_day, periods_between, quarters_of, running_number_of_period

names = st.builds(
    DeliveryName,
    st.one_of(
        st.builds("{}-Q{}".format, st.integers(1900, 2099), st.integers(1, 4)),
        st.builds("{}-{:02}".format, st.integers(1900, 2099), st.integers(1, 12)),
        st.builds("{}-H{}".format, st.integers(1900, 2099), st.integers(1, 2)),
        st.builds(str, st.integers(1900, 2099)),
    ),
    st.integers(1, 999),
)
raw_names = (
    st.binary(min_size=1, max_size=60).filter(lambda b: b not in (b".", b"..") and b"/" not in b and b"\0" not in b).map(os.fsdecode)
)


@given(names)
def test_a_delivery_name_says_itself(name: DeliveryName) -> None:
    assert DeliveryName.parse(str(name)) == name


@given(st.one_of(st.text(max_size=14), names.map(lambda n: f"{n}\n"), st.from_regex(r"20\d\d-Q[1-4](_v\d+)?")))
def test_a_folder_is_a_delivery_only_letter_for_letter(text: str) -> None:
    parsed = DeliveryName.parse(text)
    assert parsed is None or str(parsed) == text


@given(names, names)
def test_deliveries_are_in_the_order_of_period_then_version(a: DeliveryName, b: DeliveryName) -> None:
    assert (a < b) == ((last_day(a.period), a.version) < (last_day(b.period), b.version))


@pytest.mark.parametrize(
    "text",
    [
        "213",
        "2013-13",
        "2013-00",
        "2013-H3",
        "2013-4",
        "2013-Q5",
        "2013-Q0",
        "2013-q2",
        "2013-Q2_v1",
        "2013-Q2_v0",
        "2013-Q2_v02",
        "2013-Q2_V2",
        " 2013-Q2",
        "2013-Q2_v99999999999",
    ],
)
def test_what_is_no_delivery(text: str) -> None:
    assert DeliveryName.parse(text) is None


def test_a_folder_is_a_delivery_only_of_the_agreed_cadence() -> None:
    assert DeliveryName.parse("2013-04_v2", "monthly") == DeliveryName("2013-04", 2)
    assert DeliveryName.parse("2013-04", "quarterly") is None


@given(names)
def test_periods_follow_each_other_without_a_gap(name: DeliveryName) -> None:
    first, last, cadence = first_day(name.period), last_day(name.period), cadence_of(name.period)
    assume(last.year < 2099)  # names of deliveries end with the century
    assert periods_between(first, last, cadence) == [name.period]
    following = periods_between(last, last + timedelta(days=1), cadence)[1]
    assert first_day(following) == last + timedelta(days=1)
    assert running_number_of_period(following) == running_number_of_period(name.period) + 1
    assert all(first <= last_day(quarter) and first_day(quarter) <= last for quarter in quarters_of(name.period))


@given(raw_names)
def test_any_name_can_be_printed_and_stored(name: str) -> None:
    form = make_printable_name(name)
    assert form.isprintable()
    assert form.encode("utf-8")


@given(raw_names, raw_names)
def test_two_names_never_look_the_same(a: str, b: str) -> None:
    assert (make_printable_name(a) == make_printable_name(b)) == (a == b)


def test_ordinary_names_are_shown_as_they_are() -> None:
    assert make_printable_name("rastet çë šđ.csv") == "rastet çë šđ.csv"
    assert not needs_escaping("rastet çë šđ.csv")
    assert make_printable_name("a\nb\x1b[31m") == "a\\u000ab\\u001b[31m"
    assert needs_escaping("x" * 200)


def test_what_a_name_says_about_a_file() -> None:
    assert {classify_file_name(n) for n in ("a.csv.part", "psh.sqlite-journal", "psh.sqlite-WAL", "~$raporti.xlsx", "x.TMP")} == {
        "leftover"
    }
    assert {classify_file_name(n) for n in (".DS_Store", "Thumbs.db", "desktop.ini", "._rastet.csv")} == {"system"}
    assert {classify_file_name(n) for n in ("rastet.csv", ".hidden", "part", "psh.url")} == {"file"}


@settings(max_examples=examples(12), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(institution=raw_names, delivery=raw_names, file=raw_names, known=st.booleans())
def test_no_name_stops_a_landing(tmp_path_factory: pytest.TempPathFactory, institution: str, delivery: str, file: str, known: bool) -> None:
    world = World(tmp_path_factory.mktemp("any"))
    place = f"police/2013-Q2/{file}" if known else f"{institution}/{delivery}/{file}"
    world.put(place, "x")
    world.land()
    assert all(f["file"] is None or f["file"].isprintable() for f in world.land().findings)
    if known and classify_file_name(file) != "system":
        assert list(world.landed_files()[("police", "2013-Q2")].values()) == [b"x"]
    world.registry.close()


def test_names_that_cannot_be_shown_are_landed_and_reported(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.put("police/2013-Q2/" + os.fsdecode(b"r\xe9st\x07.csv"), "x")
    assert world.list_findings() == [("delivery-file-name", "police", "2013-Q2", "r\\xe9st\\u0007.csv")]
    assert world.landed_files() == {("police", "2013-Q2"): {"r\\xe9st\\u0007.csv": b"x"}}
