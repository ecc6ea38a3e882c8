"""The board of an institution: each step of a quarter from its own fact, and every period of the calendar."""

from __future__ import annotations

import re
from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from portal_world import World

from harmonia import signing
from sources import contract


def steps(page: str, heading: str) -> dict[str, bool]:
    """The steps of a quarter, and whether each is filled."""
    card = page[page.index(f"<h2>{heading}</h2>") :]
    listed = re.findall(r"<li([^>]*)>([^<]+)</li>", card[: card.index("</ol>")])
    return {name: "done" in attributes for attributes, name in listed}


def test_each_step_is_filled_by_its_own_fact(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from portal.institution import board
    from portal.services import registry

    published = pd.DataFrame(
        [("police", "2013-Q1", "complete"), ("police", "2013-Q2", "missing"), ("courts", "2013-Q3", "partial")],
        columns=["institution", "period", "state"],
    )
    board._read_newest_releases_by_quarter.cache_clear()
    monkeypatch.setattr(board, "find_newest_releases_by_quarter", lambda: board._read_newest_releases_by_quarter("", ("2026-12-01",)))
    monkeypatch.setattr(board, "open_release", lambda *_: SimpleNamespace(table=lambda _: published))
    quarter = signing.read_signature_states(registry(), "police")["police", "2013-Q3"]
    signing.sign_quarter(registry(), "police", "2013-Q3", "head.police@demo.invalid", quarter.content_hash)
    page = world.client("head", "police").get("/police").content.decode()
    board._read_newest_releases_by_quarter.cache_clear()
    read = {"due": True, "received": True, "read": True, "signed": False, "published": False}
    assert steps(page, "first quarter of 2013") == {**read, "published": True}, "published and never signed"
    assert steps(page, "second quarter of 2013") == read, "the release has nothing of it"
    assert steps(page, "third quarter of 2013") == {**read, "signed": True}, "the release has it of another institution"
    assert page.count("in release 2026-12-01") == 1


def offered(client: Any, institution: str) -> list[str]:
    return [one for one in re.findall(r'<option value="([^"]*)"', client.get(f"/{institution}/new").content.decode()) if one]


def test_every_period_that_has_ended_is_offered_without_gaps(world: World) -> None:
    expected, day = [], date(2013, 1, 1)
    while day < date.today():  # noqa: DTZ011
        expected.append(f"{day.year}-Q{(day.month + 2) // 3}")
        day = date(day.year + day.month // 12, day.month % 12 + 1, 1)
    running = expected[-1]
    assert offered(world.client("clerk", "police"), "police") == sorted(set(expected) - {running}, reverse=True)
    months = offered(world.client("clerk", "social_work"), "social_work")
    assert len(months) == len(set(months)) and months[-1] == "2013-01"
    assert months[0] == f"{date.today().replace(day=1) - timedelta(days=1):%Y-%m}"  # noqa: DTZ011


def test_what_ended_is_owed_by_the_calendar_whoever_delivered(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.test import override_settings

    from portal.institution import board

    asked: list[date | None] = []
    listed = board.list_delivery_states
    monkeypatch.setattr(board, "list_delivery_states", lambda *a, until: (asked.append(until), listed(*a, until=until))[1])
    with override_settings(DEMO=False):
        quarters = board.list_quarters("police")
    assert len({one.period for one in quarters}) > 4 * 10 and quarters[0].late == (quarters[0].due < date.today())  # noqa: DTZ011
    assert {one.period[:4] for one in board.list_quarters("police")} == {"2013"}, "the demonstration ends with what was simulated"
    assert asked[1] is None and asked[0] is not None
    assert {one.institution for one in quarters} == {"police"} <= set(contract.institutions())
