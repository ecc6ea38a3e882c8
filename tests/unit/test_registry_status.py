"""Status: every institution and quarter, what came, what counts, what is late or missing."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from landing_world import World
from rich.console import Console
from sqlalchemy import update

from harmonia.registry.ledger import begin_run, record_state
from harmonia.registry.tables import Delivery, Run
from harmonia.status import STATUS_COLUMNS, list_delivery_states, render_calendar
from pipelines.landing.store import FileUnreadableError
from sources.contract import institutions


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def status_rows(world: World, institution: str, inbox: Path | None = None, today: date = date(2020, 1, 1)) -> list[tuple[str, ...]]:
    frame = list_delivery_states(world.registry, inbox, today)
    assert tuple(frame.columns) == STATUS_COLUMNS
    rows = frame[frame["institution"] == institution].drop(columns=["institution", "period_state"]).fillna("-")
    return [tuple(row) for row in rows.itertuples(index=False)]


def arrived(world: World, day: str, place: str) -> None:
    """Land a delivery as if on `day`."""
    world.put(f"{place}/smil.xml", place)
    world.land()
    institution, name = place.split("/")
    moment = datetime.fromisoformat(day).replace(tzinfo=UTC)
    with world.registry.write() as session:
        session.execute(update(Delivery).where(Delivery.institution == institution, Delivery.name == name).values(first_seen=moment))


def test_every_institution_and_quarter_between_the_first_and_the_last(world: World) -> None:
    world.put("courts/2012-Q4/smil.xml", "a")
    world.put("police/2013-Q2/rastet.csv", "b")
    world.land()
    frame = list_delivery_states(world.registry, world.inbox, date(2013, 7, 1))
    assert sorted(frame["institution"].unique()) == sorted(institutions())
    assert frame.groupby("institution").size().to_dict() == {name: 9 if name == "social_work" else 3 for name in institutions()}
    assert status_rows(world, "courts", today=date(2013, 7, 1)) == [
        ("2012-Q4", "2012-Q4", "received", ""),
        ("2013-Q1", "-", "missing", "was due on 2013-04-15"),
        ("2013-Q2", "-", "expected", "is due on 2013-07-15"),
    ]


def test_the_calendar_goes_on_to_a_day_without_gaps_whoever_delivered(world: World) -> None:
    world.put("courts/2012-Q4/smil.xml", "a")
    world.land()
    frame = list_delivery_states(world.registry, world.inbox, date(2013, 7, 1), until=date(2013, 7, 1))
    quarters = ["2012-Q4", "2013-Q1", "2013-Q2"]
    assert {name: list(rows) for name, rows in frame.groupby("institution")["period"]}["police"] == quarters
    assert frame.loc[frame["institution"] == "courts", "state"].tolist() == ["received", "missing", "expected"]
    before = list_delivery_states(world.registry, world.inbox, date(2013, 7, 1), until=date(2013, 6, 30))
    assert "2013-Q2" not in set(before["period"]), "it has not ended"


def test_an_inbox_not_yet_run_and_no_inbox_at_all(world: World) -> None:
    world.put("courts/2013-Q2/smil.xml", "a")
    world.put("courts/2013-Q2_v2/smil.xml", "b")
    world.put("courts/2013-Q3/.DS_Store")
    assert status_rows(world, "courts", world.inbox) == [
        ("2013-Q2", "2013-Q2_v2", "received", "not landed yet"),
        ("2013-Q2", "2013-Q2", "received", "replaced by 2013-Q2_v2; not landed yet"),
    ]
    frame = list_delivery_states(None, world.inbox)
    assert frame.loc[frame["institution"] == "courts", "period_state"].tolist() == ["received", "received"]
    assert list_delivery_states(world.registry, None).empty
    assert list_delivery_states(None, None).empty


def test_states_of_versions_and_of_their_quarter(world: World) -> None:
    for version in ("2013-Q2", "2013-Q2_v2", "2013-Q2_v3", "2013-Q2_v4"):
        world.put(f"courts/{version}/smil.xml", version)
    world.land()
    record_state(world.registry, "courts", "2013-Q2_v2", "complete", {"read": 9, "accepted": 7, "quarantined": 1})
    record_state(world.registry, "courts", "2013-Q2_v3", "partial")
    record_state(world.registry, "courts", "2013-Q2_v4", "unreadable")
    assert status_rows(world, "courts") == [
        ("2013-Q2", "2013-Q2_v4", "unreadable", "cannot be read, replaces nothing"),
        ("2013-Q2", "2013-Q2_v3", "partial", "partial: records missing from it are not withdrawn"),
        ("2013-Q2", "2013-Q2_v2", "complete", "counts for records not in 2013-Q2_v3; 9 rows read, 7 accepted, 1 quarantined"),
        ("2013-Q2", "2013-Q2", "received", "replaced by 2013-Q2_v2"),
    ]
    frame = list_delivery_states(world.registry, None)
    assert set(frame.loc[frame["institution"] == "courts", "period_state"]) == {"partial"}
    world.put("courts/2013-Q2_v5/smil.xml", "healed")
    world.land()
    record_state(world.registry, "courts", "2013-Q2_v5", "complete")
    frame = list_delivery_states(world.registry, None)
    assert set(frame.loc[frame["institution"] == "courts", "period_state"]) == {"complete"}
    shown = io.StringIO()
    Console(width=160, file=shown).print(render_calendar(frame))
    assert "2013-Q2_v3" not in shown.getvalue()


def test_a_folder_of_which_nothing_could_be_landed_is_missing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.put("courts/2013-Q2/smil.xml", "a")

    def refuse(*_: object) -> None:
        raise FileUnreadableError("Permission denied")

    monkeypatch.setattr("pipelines.landing.ingest._InboxPass._stage_file", refuse)
    assert [row[2] for row in status_rows(world, "courts", world.inbox)] == ["received"]
    world.land()
    assert status_rows(world, "courts", world.inbox) == [
        ("2013-Q2", "2013-Q2", "missing", "no file could be landed: see the feedback to the institution")
    ]


def test_a_delivery_whose_content_was_exchanged_is_received_until_it_is_read_again(world: World) -> None:
    world.put("courts/2013-Q2/smil.xml", "a")
    world.land()
    record_state(world.registry, "courts", "2013-Q2", "partial")
    assert [row[2] for row in status_rows(world, "courts")] == ["partial"]
    world.put("courts/2013-Q2/smil.xml", "b")
    world.land()
    assert [row[2] for row in status_rows(world, "courts")] == ["received"]


def test_a_delivery_gone_from_the_inbox_is_still_received(world: World) -> None:
    path = world.put("courts/2013-Q2/smil.xml", "a")
    world.land()
    path.unlink()
    path.parent.rmdir()
    world.land()
    assert status_rows(world, "courts", world.inbox) == [("2013-Q2", "2013-Q2", "received", "no longer in the inbox")]


def test_late_is_what_came_after_its_day_in_a_home_already_in_use(world: World) -> None:
    begin_run(world.registry)
    arrived(world, "2013-07-20", "courts/2013-Q2")
    assert status_rows(world, "courts")[0][3] == ""  # the home was first run years later: arrival means nothing
    with world.registry.write() as session:
        session.execute(update(Run).values(started=datetime(2013, 1, 1, tzinfo=UTC)))
    assert status_rows(world, "courts") == [("2013-Q2", "2013-Q2", "received", "came on 2013-07-20, was due on 2013-07-15")]
    arrived(world, "2013-09-01", "courts/2013-Q2_v2")
    late = ["came on 2013-07-20, was due on 2013-07-15", "replaced by 2013-Q2_v2"]
    assert [row[3] for row in status_rows(world, "courts")] == late  # a correction does not excuse a late delivery, and is not itself late


def test_late_is_what_came_after_a_later_quarter(world: World) -> None:
    arrived(world, "2013-10-05", "courts/2013-Q3")
    arrived(world, "2013-11-01", "courts/2013-Q2")
    assert status_rows(world, "courts") == [
        ("2013-Q2", "2013-Q2", "received", "came on 2013-11-01, after 2013-Q3"),
        ("2013-Q3", "2013-Q3", "received", ""),
    ]


def test_the_table_shows_states_and_what_needs_attention(world: World) -> None:
    world.put("courts/2013-Q2/smil.xml", "a")
    world.put("courts/2013-Q2_v2/smil.xml", "b")
    world.put("police/2013-Q3/rastet.csv", "c")
    world.land()
    record_state(world.registry, "courts", "2013-Q2_v2", "unreadable")
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(render_calendar(list_delivery_states(world.registry, world.inbox, date(2020, 1, 1))))
    shown = console.export_text()
    assert "State of the deliveries" in shown
    assert "replaces nothing" in shown
    assert "was due on 2013-10-15" in shown
    console.print(render_calendar(list_delivery_states(None, None)))
    assert "No deliveries yet" in console.export_text()
