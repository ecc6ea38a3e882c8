"""The steward's pages: verdicts, undo, stale pages, two stewards, names on demand, search, blind samples."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from typing import Any

import duckdb
import pandas as pd
import pytest
from portal_world import World
from sqlalchemy import delete

from harmonia.registry.tables import Judgement, Sample, SampledPair, SampleStratum

PAIR = ["entity", "institution_a", "key_a", "institution_b", "key_b"]


@pytest.fixture(autouse=True)
def _undecided(world: World) -> Iterator[None]:
    """Each test begins and ends without judgements and samples."""
    from portal.services import registry

    def clear() -> None:
        with registry().write() as session:
            for table in (Judgement, SampledPair, SampleStratum, Sample):
                session.execute(delete(table))

    clear()
    yield
    clear()


def _queue(steward: str = "steward@demo.invalid") -> pd.DataFrame:
    from portal.steward.desk import current_desk

    return current_desk().list_queue(steward)


def _judgements() -> list[tuple[str, str, str]]:
    from harmonia.review.judgements import read_judgements
    from portal.services import registry

    found = read_judgements(registry())
    return list(found[["verdict", "steward", "why"]].itertuples(index=False, name=None))


def _seen(page: Any) -> str:
    return str(page.content.decode().split('name="seen" value="')[1].split('"')[0])


def _decide(client: Any, pair: str, verdict: str, why: str = "two sentences", **more: str) -> Any:
    seen = _seen(client.get(f"/steward/pairs/{pair}"))
    return client.post(f"/steward/decisions/{pair}", {"verdict": verdict, "why": why, "seen": seen, **more})


def _names(world: World) -> set[str]:
    with duckdb.connect(str(world.place.home.identity_store), read_only=True) as identity:
        rows = identity.execute("SELECT coalesce(full_name, surname), personal_number FROM persons").fetchall()
    return {text for row in rows for text in row if text and len(text) > 6}


def test_the_queue_is_that_of_the_command_line_and_groups_pairs_of_one_cluster(world: World) -> None:
    from harmonia.review.queue import list_doubtful_pairs
    from portal.services import registry
    from portal.steward.desk import current_desk

    waiting = _queue()
    assert set(waiting["pair"]) == set(list_doubtful_pairs(current_desk().published_run, registry())["pair"])
    for one in waiting.to_dict("records"):
        same = waiting[(waiting["id_a"].isin([one["id_a"], one["id_b"]])) & (waiting["entity"] == one["entity"])]
        assert set(same["group"]) == {one["group"]}
    most = waiting.groupby("group")["moves"].max()
    assert most.is_monotonic_decreasing
    page = world.client("steward").get("/steward").content.decode()
    assert all(pair.split("-")[1] in page for pair in waiting["pair"].head(10))


def test_a_verdict_goes_to_the_next_pair_and_can_be_undone(world: World) -> None:
    client, waiting = world.client("steward"), _queue()["pair"].tolist()
    answer = _decide(client, waiting[0], "different")
    assert answer.url.endswith(waiting[1])
    assert _judgements() == [("different", "steward@demo.invalid", "two sentences")]
    assert waiting[0] not in set(_queue()["pair"])
    back = client.post("/steward/undo")
    assert back.url.endswith(waiting[0])
    assert [verdict for verdict, _, _ in _judgements()] == ["different", "withdrawn"]
    assert _queue()["pair"].tolist() == waiting
    assert "nothing to undo" in client.post("/steward/undo", follow=True).content.decode()
    assert _decide(client, waiting[-1], "different").url.endswith(waiting[0])  # after the last pair comes the first


def test_a_line_names_the_pair_and_the_reason_is_that_of_one_pair_alone(world: World) -> None:
    client, waiting = world.client("steward"), _queue()["pair"].tolist()
    seen = _seen(client.get(f"/steward/pairs/{waiting[0]}"))
    answer = client.post(
        f"/steward/decisions/{waiting[0]}", {"verdict": "different", "why": "the father of A alone", "seen": seen}, follow=True
    ).content.decode()
    assert f"Pair {waiting[0].split('-')[1]}. Entered: different." in answer
    assert "the father of A alone" not in answer and 'name="why" value="By the evidence shown"' in answer
    back = client.post("/steward/undo", follow=True).content.decode()
    assert f"Pair {waiting[0].split('-')[1]}. Your verdict is withdrawn; the pair waits again." in back


def test_a_pair_above_zero_that_is_kept_apart_says_why(world: World) -> None:
    """Compared with what linkage decided on every such pair; the reason is one with a text."""
    from portal.steward.desk import current_desk

    client, decisions = world.client("steward"), current_desk().decisions
    above = decisions[(decisions["decision"] == "refused") & (decisions["weight"] > 0)]["pair"].tolist()
    below = decisions[(decisions["decision"] == "refused") & (decisions["weight"] < 0)]["pair"].tolist()
    for pair in (*above[:6], *below[:2]):
        page = client.get(f"/steward/pairs/{pair}").content.decode()
        assert ("The weight is above zero, yet the pair is kept apart:" in page) == (pair in above), pair


def test_the_evidence_on_cases_is_in_words_and_names_its_events(world: World) -> None:
    from portal.steward.desk import current_desk

    decisions = current_desk().decisions
    cases = decisions[(decisions["entity"] == "case") & decisions["reasons"].str.contains("police_sent_received")]
    page = world.client("steward").get(f"/steward/pairs/{cases['pair'].iloc[0]}").content.decode()
    rows = page.split('<table class="evidence">')[1].split("<tfoot>")[0]
    assert re.search(r"<td>days between events</td><td>Sent to the prosecution → Received[^<]*: (for|against) joining</td>", rows)
    words = re.findall(r"<tr><td>[^<]*</td><td>([^<]*)</td>", rows)
    assert words and all(words[1:-1]), "in words on every line between the prior odds and the smaller evidence"
    timeline = page.split('aria-labelledby="timeline"')[1].split("</svg>")[0]
    own = cases.iloc[0]
    assert all(f">{mark}</text>" in timeline for mark in "AB"), "the marks are whole, beside the names"
    assert all(f">{own[key][:31]}" in timeline for key in ("key_a", "key_b")), "files of one institution differ by their numbers"


def test_an_unsure_pair_waits_for_another_steward(world: World) -> None:
    pair = _queue()["pair"].iloc[0]
    _decide(world.client("steward"), pair, "unsure")
    assert pair not in set(_queue()["pair"])
    assert pair in set(_queue("second.steward@demo.invalid")["pair"])


def test_a_page_that_is_out_of_date_enters_nothing_and_keeps_the_reason(world: World) -> None:
    first, second = world.client("steward"), _second(world)
    pair = _queue()["pair"].iloc[0]
    seen = _seen(first.get(f"/steward/pairs/{pair}"))
    _decide(second, pair, "different")
    answer = first.post(f"/steward/decisions/{pair}", {"verdict": "same", "why": "my own reason", "seen": seen}, follow=True)
    page = answer.content.decode()
    assert "out of date" in page and 'value="my own reason"' in page
    assert len(_judgements()) == 1


def _second(world: World) -> Any:
    from django.test import Client

    from portal.accounts.models import Account

    client = Client()
    client.force_login(Account.objects.get(email="second.steward@demo.invalid"))
    return client


def _across() -> tuple[str, pd.DataFrame]:
    """A pair of persons of two institutions."""
    from portal.steward.desk import current_desk

    decisions = current_desk().decisions
    own = decisions[(decisions["entity"] == "person") & (decisions["institution_a"] != decisions["institution_b"])]
    return str(own["pair"].iloc[0]), own.head(1)


def test_persons_of_two_institutions_are_joined_by_two_stewards_alone(world: World) -> None:
    from harmonia.review.judgements import combine_judgements, read_judgements
    from portal.services import registry

    pair, _ = _across()
    page = _decide(world.client("steward"), pair, "same")
    assert combine_judgements(read_judgements(registry()))["verdict"].tolist() == ["proposed"]
    _decide(world.client("steward"), pair, "same", why="once more")
    assert combine_judgements(read_judgements(registry()))["verdict"].tolist() == ["proposed"], (
        "one account is one steward, however often it says so"
    )
    shown = _second(world).get(f"/steward/pairs/{pair}").content.decode()
    assert "steward@demo.invalid proposed the same" in shown
    _decide(_second(world), pair, "same")
    assert combine_judgements(read_judgements(registry()))["verdict"].tolist() == ["same"]
    assert page.status_code == 302
    agreed = world.client("steward").get(f"/steward/pairs/{pair}").content.decode()
    assert "Two stewards agreed: same" in agreed and "takes effect once another" not in agreed and "waits for a second" not in agreed
    assert agreed.count("proposed the same") == 3, "each proposal, in the past"
    against = world.client("steward").get(f"/steward/consequences/{pair}").content.decode()
    assert "The pair would be disputed" in against and "Without effect" not in against


def test_a_verdict_against_others_is_entered_with_one_clear_line(world: World) -> None:
    pair = _queue()["pair"].iloc[0]
    _decide(world.client("steward"), pair, "different")
    _decide(_second(world), pair, "same")
    page = _second(world).get(f"/steward/pairs/{pair}").content.decode()
    assert "disputed" in page
    assert len(_judgements()) == 2


def test_whoever_went_on_to_another_pair_waits_for_no_preview() -> None:
    from portal.steward import turn

    ended: list[tuple[str, bool]] = []

    def ask(pair: str) -> None:
        with turn.wait_for_turn("a steward", pair) as mine:
            ended.append((pair, mine))

    first, second = (threading.Thread(target=ask, args=(pair,)) for pair in ("first", "second"))
    with turn.wait_for_turn("another", "first"):
        first.start()
        while turn._latest.get("a steward") != "first":
            pass
        second.start()
        first.join(30)
        assert ended == [("first", False)]
    second.join(30)
    assert ended[1:] == [("second", True)]


def test_the_consequence_on_the_page_is_that_of_the_service(world: World) -> None:
    from portal.steward.desk import current_desk

    client, row = world.client("steward"), _queue().iloc[0]
    verdict = "different" if row["decision"] == "joined" else "same"
    found = current_desk().load_previews().preview_verdict(row[PAIR].to_frame().T.astype("str"), verdict, "steward@demo.invalid")
    page = client.get(f"/steward/consequences/{row['pair']}").content.decode()
    assert f"Published figures that change: {len(found.figures)}" in page or "No published figure changes" in page
    assert page.count("→") >= len(found.figures)
    assert all(key in page for key in (row["key_a"], row["key_b"]))


@pytest.mark.slow
def test_names_are_hidden_until_a_reason_is_given_and_the_look_is_recorded(world: World) -> None:
    client, names = world.client("steward"), _names(world)
    pair, _ = _across()
    hidden = client.get(f"/steward/pairs/{pair}").content.decode()
    assert not any(name in hidden for name in names)
    refused = client.post(f"/steward/names/{pair}", {"reason": "  "}, follow=True).content.decode()
    assert "Give a reason" in refused and not any(name in refused for name in names)
    before = len(world.audit())
    shown = client.post(f"/steward/names/{pair}", {"reason": "two birth dates"}, follow=True).content.decode()
    assert any(name in shown for name in names)
    look = ("steward@demo.invalid", "looked at names for review", pair, "two birth dates")
    assert world.audit()[before:] == [look]
    client.get(f"/steward/pairs/{pair}")
    assert world.audit()[before:] == [look, look], "each page with names"
    other = _queue()["pair"].iloc[-1]
    hidden = client.get(f"/steward/pairs/{other}").content.decode()
    assert not any(name in hidden for name in names), "revealed for one pair alone"


def test_a_search_by_name_needs_a_reason_and_leads_to_a_pair(world: World) -> None:
    client, (pair, row) = world.client("steward"), _across()
    with duckdb.connect(str(world.place.home.identity_store), read_only=True) as identity:
        name = identity.execute(
            "SELECT coalesce(full_name, given_name || ' ' || surname) FROM persons WHERE institution = ? AND record_key = ?",
            [row["institution_a"].iloc[0], row["key_a"].iloc[0]],
        ).fetchone()
    assert name is not None
    without = client.post("/steward/search", {"of": pair, "name": name[0]}).content.decode()
    assert "Give a reason" in without and "Compare with" not in without
    before = len(world.audit())
    found = client.post("/steward/search", {"of": pair, "name": name[0], "reason": "no candidate fits"})
    page = found.content.decode()
    assert row["key_a"].iloc[0] in page
    assert name[0] not in found.request["PATH_INFO"] + found.request["QUERY_STRING"]
    who, action, subject, reason = world.audit()[before]
    assert (who, action, reason) == ("steward@demo.invalid", "searched records by name for review", "no candidate fits")
    assert name[0] not in subject
    by_number = client.post("/steward/search", {"of": pair, "number": row["key_b"].iloc[0]}).content.decode()
    there = by_number.split('href="/steward/pairs/person')[1].split('"')[0]
    assert client.get(f"/steward/pairs/person{there.replace('&amp;', '&')}").status_code == 200
    assert len(world.audit()) == before + 1, "a search by number shows no name"


@pytest.mark.slow
def test_a_blind_sample_shows_neither_weight_nor_decision_and_measures_as_it_grows(world: World) -> None:
    client = world.client("steward")
    answer = client.post("/steward/samples", {"size": "12", "seed": "3"})
    number = int(answer.url.rsplit("/", 1)[1])
    widths = []
    for n in range(12):
        page = client.get(f"/steward/samples/{number}")
        if b"/steward/samples/" not in page.content or b"All pairs are judged" in page.content:
            break
        there = page.content.decode().split(f'href="/steward/samples/{number}/')[1].split('"')[0]
        shown = client.get(f"/steward/samples/{number}/{there}").content.decode()
        assert not any(word in shown for word in ("Why this weight", "What the decision changes", "kept apart", ">joined<", "Cluster"))
        given = {"verdict": "same" if n % 2 else "different", "why": "blind", "seen": shown.split('name="seen" value="')[1].split('"')[0]}
        client.post(f"/steward/decisions/{there}", {**given, "sample": str(number)})
        widths.append(client.get(f"/steward/samples/{number}").content.decode().count("Precision"))
    assert len(_judgements()) == 12
    final = client.get(f"/steward/samples/{number}").content.decode()
    assert "12 of 12" in final and "Precision" in final and "Recall" in final and "%" in final


@pytest.mark.parametrize(
    "path", ["/steward/pairs/case-aaaaaaaaaaaa", "/steward/pairs/nonsense", "/steward/samples/99", "/steward/samples/1/x"]
)
def test_what_is_not_there_is_one_line(world: World, path: str) -> None:
    assert world.client("steward").get(path).status_code == 404


def test_letters_that_differ_are_marked() -> None:
    from portal.steward.value_differences import compare_values

    found = compare_values("name", "Krasniqi, Arben", "Krasnići, Arben")
    assert [piece.text for piece in found.a if piece.differs] == ["q"]
    assert [piece.text for piece in found.b if piece.differs] == ["ć"]
    assert "".join(piece.text for piece in found.b) == "Krasnići, Arben"
    assert compare_values("name", "Arben", "ARBEN").agreement == "equal"
    assert compare_values("name", "Arben", "").agreement == "missing"
    assert compare_values("number", "2012-PE-00029", "PKR.nr.12/2013").agreement == "other"
