"""Findings and answers: what a clerk sees, what is entered, what is refused and why."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from portal_world import World

POLICE = "/police/deliveries/2013-Q1"


def report(world: World, institution: str = "police", delivery: str = "2013-Q1") -> dict[str, Any]:
    path = world.place.home.feedback / institution / delivery / "findings.json"
    return json.loads(path.read_text("utf-8"))  # type: ignore[no-any-return]


def asks(world: World) -> list[dict[str, Any]]:
    found = report(world)["findings"]
    return [
        one for one in found if one["severity"] != "info" and one["origin"] == "cause" and one["state"] not in ("fixed", "accepted_as_is")
    ]


def total(page: Any) -> int:
    match = re.search(r'<p role="status">[^<]*<strong>([\d\u2009]+)</strong>', page.content.decode())
    assert match
    return int(match[1].replace("\u2009", ""))


@pytest.fixture
def clerk(world: World) -> Any:
    return world.client("clerk", "police")


def test_the_list_has_what_the_report_has_under_any_filter(world: World, clerk: Any) -> None:
    every, ours = report(world)["findings"], asks(world)
    assert len(ours) > 3
    assert total(clerk.get(f"{POLICE}/findings?kind=all")) == len(every)
    assert total(clerk.get(f"{POLICE}/findings?kind=to_do")) == len(ours)
    for column in ("rule", "severity", "unit"):
        value = ours[0][column]
        expected = sum(one[column] == value for one in ours)
        assert total(clerk.get(f"{POLICE}/findings", {"kind": "to_do", column: value})) == expected, column
    value = next(one["value"] for one in ours if one["value"])
    expected = sum(value.casefold() in json.dumps(one, ensure_ascii=False).casefold() for one in ours)
    assert 0 < total(clerk.get(f"{POLICE}/findings", {"kind": "to_do", "text": value})) <= expected
    assert total(clerk.get(f"{POLICE}/findings", {"kind": "all", "text": "100%_!"})) == 0, "no wildcard"


def test_who_reads_findings_is_recorded_once_a_session(world: World) -> None:
    client = world.client("head", "police")
    before = len(world.audit())
    for _ in range(3):
        client.get(f"{POLICE}/findings")
    assert [line[1:3] for line in world.audit()[before:]] == [("read findings", "police 2013-Q1")]


def test_an_answer_counts_and_two_clerks_do_not_overwrite_each_other(world: World, clerk: Any) -> None:
    from harmonia.feedback import answers
    from portal.services import registry

    finding = next(one["finding"] for one in asks(world) if one["severity"] == "error")
    other = world.client("clerk", "police")
    page = other.get(f"{POLICE}/findings").content.decode()
    assert f'value="{finding}:0"' in page
    given = {"finding": f"{finding}:0", "verdict": "accepted", "reason": "seen in the file", "query": "kind=waiting"}
    after = clerk.post(f"{POLICE}/answer", given, follow=True).content.decode()
    assert "Answers entered: 1" in after and f'value="{finding}:0"' not in after
    late = other.post(f"{POLICE}/answer", {**given, "verdict": "announced"}, follow=True).content.decode()
    assert "another answer was entered meanwhile (clerk.police@demo.invalid)" in late
    latest = answers.select_latest_answers(answers.read_answers(registry()))
    latest = latest[latest["finding"] == finding]
    assert latest["verdict"].tolist() == ["accepted"] and latest["person"].tolist() == ["clerk.police@demo.invalid"]
    number = int(latest["id"].iloc[0])
    changed = other.post(f"{POLICE}/answer", {**given, "finding": f"{finding}:{number}", "verdict": "announced"}, follow=True)
    assert "Answers entered: 1" in changed.content.decode(), "who saw the answer may change it"


def test_a_missing_reason_and_a_foreign_finding_are_refused_in_the_clerks_language(world: World, clerk: Any) -> None:
    finding = next(one["finding"] for one in asks(world) if one["severity"] == "warning")
    clerk.post("/language", {"language": "sr"})
    page = clerk.post(f"{POLICE}/answer", {"finding": f"{finding}:0", "verdict": "no_error", "reason": " "}, follow=True)
    assert "ovaj odgovor traži obrazloženje" in page.content.decode()
    courts = report(world, "courts")["findings"][0]["finding"]
    page = clerk.post(f"{POLICE}/answer", {"finding": f"{courts}:0", "verdict": "announced"}, follow=True)
    assert "nije nalaz od police 2013-Q1" in page.content.decode()


def test_all_that_a_filter_shows_is_answered_at_once(world: World, clerk: Any) -> None:
    ours = asks(world)
    rule = max({one["rule"] for one in ours}, key=lambda code: sum(one["rule"] == code for one in ours))
    page = clerk.post(f"{POLICE}/answer", {"all": "1", "kind": "waiting", "rule": rule, "verdict": "announced"}, follow=True)
    assert "Answers entered" in page.content.decode()
    assert total(clerk.get(f"{POLICE}/findings", {"kind": "waiting", "rule": rule})) == 0
    assert total(clerk.get(f"{POLICE}/findings", {"kind": "answered", "rule": rule})) > 0


def options(page: str, name: str) -> dict[str, int]:
    """The choices of a filter with their numbers."""
    select = page[page.index(f'<select id="{name}"') :]
    found = re.findall(r'<option value="([^"]+)"[^>]*>[^<]*\(([\d\u2009]+)\)</option>', select[: select.index("</select>")])
    return {value: int(number.replace("\u2009", "")) for value, number in found}


def test_the_numbers_beside_the_choices_are_those_of_the_state(world: World, clerk: Any) -> None:
    from portal.institution.findings import KINDS

    for kind in KINDS:
        page = clerk.get(f"{POLICE}/findings", {"kind": kind})
        for name in ("severity", "rule"):
            assert sum(options(page.content.decode(), name).values()) == total(page), (kind, name)
    changed = clerk.post(
        f"{POLICE}/findings", {"kind": "information"}, headers={"HX-Request": "true", "HX-Trigger-Name": "kind"}
    ).content.decode()
    assert changed.count('hx-swap-oob="true"') == 3 and set(options(changed, "severity")) == {"info"}
    typed = clerk.post(f"{POLICE}/findings", {"text": "x"}, headers={"HX-Request": "true", "HX-Trigger-Name": "text"})
    assert "hx-swap-oob" not in typed.content.decode(), "the field that somebody types into stays"


def test_what_could_not_be_entered_stays_in_the_form(world: World) -> None:
    client = world.client("clerk", "police")
    place = "/police/deliveries/2013-Q3_v2"
    first, second = re.findall(r'name="finding" value="([^"]+)"', client.get(f"{place}/findings").content.decode())[:2]
    page = client.post(f"{place}/answer", {"finding": [first, second], "verdict": "no_error", "reason": "", "kind": "waiting"})
    shown = page.content.decode()
    assert page.status_code == 422 and "this answer needs a reason" in shown
    assert 'value="no_error" checked' in shown
    assert [f'value="{one}" checked' in shown for one in (first, second)] == [True, True]
    without = client.post(f"{place}/answer", {"finding": first, "reason": "by the file", "kind": "waiting"}).content.decode()
    assert 'value="by the file"' in without and f'value="{first}" checked' in without


def test_all_are_answered_only_after_a_question(world: World) -> None:
    from harmonia.feedback import answers
    from portal.services import registry

    client, place = world.client("clerk", "police"), "/police/deliveries/2013-Q3_v3"
    before = len(answers.read_answers(registry()))
    waiting = total(client.get(f"{place}/findings"))
    given = {"kind": "waiting", "verdict": "announced", "reason": ""}
    asked = client.post(f"{place}/answer", {**given, "all": "ask"}).content.decode()
    assert f"This answer will be given to all findings in the list: <strong>{waiting}</strong>" in asked
    assert len(answers.read_answers(registry())) == before, "nothing is entered yet"
    seen = re.search(r'name="answers_to" value="(\d+)"', asked)
    finding = re.search(r'name="finding" value="([^":]+):0"', asked)
    assert seen and finding
    world.client("clerk", "police").post(f"{place}/answer", {"finding": f"{finding[1]}:0", "verdict": "accepted", "reason": "mine"})
    done = client.post(f"{place}/answer", {**given, "kind": "to_do", "all": "1", "answers_to": seen[1]}).content.decode()
    assert "another answer was entered meanwhile" in done, "between question and answer somebody else answered one"
    assert answers.read_current_answers(registry(), "police")[finding[1]].verdict == "accepted"


def test_a_refused_answer_waits_again_and_a_countersigned_one_does_not_say_that_it_waits(world: World) -> None:
    from types import SimpleNamespace

    from harmonia.feedback import answers
    from portal.institution import views
    from portal.services import registry

    client, place = world.client("clerk", "prosecution"), "/prosecution/deliveries/2013-Q3"
    before = total(client.get(f"{place}/findings"))
    first, second = re.findall(r'name="finding" value="([^":]+):0"', client.get(f"{place}/findings").content.decode())[:2]
    client.post(f"{place}/answer", {"finding": [f"{first}:0", f"{second}:0"], "verdict": "accepted", "reason": "seen"})
    assert total(client.get(f"{place}/findings")) == before - 2
    numbers = {finding: one.id for finding, one in answers.read_current_answers(registry(), "prosecution").items()}
    answers.decide_on_answers(registry(), [numbers[first]], "refused", "coordinator@demo.invalid", reason="the file shows another day")
    answers.decide_on_answers(registry(), [numbers[second]], "countersigned", "coordinator@demo.invalid", date(2099, 12, 31))
    page = client.get(f"{place}/findings")
    assert total(page) == before - 1 and "answer refused" in page.content.decode()
    assert "the file shows another day" in page.content.decode()
    answered = client.get(f"{place}/findings?kind=answered").content.decode()
    assert "countersigned, valid until 31.12.2099" in answered and "awaits countersignature" not in answered
    again = {"finding": f"{first}:{numbers[first]}", "verdict": "accepted", "reason": "seen in the file of the case"}
    client.post(f"{place}/answer", again)
    assert total(client.get(f"{place}/findings")) == before - 2
    accepted = SimpleNamespace(verdict="accepted", decision="countersigned")
    closed = {"answer": "accepted", "life": "accepted_as_is"}
    assert views._find_answer_state(closed, accepted) is None, "its own state says that it is accepted"  # type: ignore[arg-type]
    assert views._find_answer_state(closed, None) is None
    assert views._find_answer_state({**closed, "life": "new"}, None) == "accepted"


def fill_row(path: Path, finding: str, **cells: str) -> dict[str, str]:
    """Fill cells of the row of a finding in an English workbook; return what its answer was."""
    from harmonia.feedback.texts import load_feedback_texts
    from harmonia.feedback.workbook import ANSWERS, COLUMNS

    book, at = openpyxl.load_workbook(path), {name: n for n, name in enumerate(COLUMNS)}
    for sheet in book.worksheets:
        for row in sheet.iter_rows():
            if len(row) > at["id"] and row[at["id"]].value == finding:
                before = {name: row[at[name]].value or "" for name in ANSWERS}
                for name, value in cells.items():
                    row[at[name]].value = load_feedback_texts("en")["answers"][value] if name == "answer" else value
                book.save(path)
                return before
    raise AssertionError(finding)


def test_a_workbook_shows_earlier_answers_and_replaces_none_that_came_later(world: World, tmp_path: Path) -> None:
    from harmonia.feedback import answers
    from portal.services import registry

    client, place = world.client("clerk", "prosecution"), "/prosecution/deliveries/2013-Q3"
    finding = re.findall(r'name="finding" value="([^":]+):0"', client.get(f"{place}/findings").content.decode())[0]
    path = tmp_path / "findings.xlsx"

    def download() -> None:
        path.write_bytes(b"".join(client.post(f"{place}/workbook").streaming_content))

    def send() -> str:
        with path.open("rb") as file:
            return client.post(f"{place}/answered", {"workbook": file}).content.decode()  # type: ignore[no-any-return]

    download()
    client.post(f"{place}/answer", {"finding": f"{finding}:0", "verdict": "announced", "reason": "next week"})
    assert fill_row(path, finding, answer="no_error", reason="it is right", person="A clerk")["answer"] == ""
    sent = send()
    assert "Answers entered: 0" in sent and "Refused: 1" in sent
    assert "another answer was entered meanwhile (clerk.prosecution@demo.invalid)" in sent
    assert answers.read_current_answers(registry(), "prosecution")[finding].verdict == "announced"
    download()
    shown = fill_row(path, finding)
    assert shown == {"answer": "Correction will be delivered", "reason": "next week", "person": "clerk.prosecution@demo.invalid"}
    sent = send()
    assert "Answers entered: 0" in sent and "Refused: 0" in sent, "what was not changed is known"
    fill_row(path, finding, answer="no_error", reason="it is right", person="A clerk")
    assert "Answers entered: 1" in send(), "who saw the answer may change it"


def test_the_head_reads_what_the_signature_does(world: World) -> None:
    from portal.words import portal_texts

    for language in ("sq", "sr", "en"):
        words = portal_texts(language)
        head = world.client("head", "police", language).get(POLICE).content.decode()
        clerk = world.client("clerk", "police", language).get(POLICE).content.decode()
        assert words["sign_effect"] in head and words["sign_others"] in head and words["answer_by"] in head
        assert f"{words['look_at_findings']} (" in head and f"{words['answer_findings']} (" not in head
        assert f"{words['answer_findings']} (" in clerk and words["sign_effect"] not in clerk


def test_the_workbook_goes_out_and_comes_back_with_its_refusals(world: World, clerk: Any, tmp_path: Path) -> None:
    from harmonia.feedback.texts import load_feedback_texts

    sent = clerk.post("/police/deliveries/2013-Q2/workbook")
    content = b"".join(sent.streaming_content)
    assert content[:2] == b"PK" and world.audit()[-1][1] == "download the workbook"
    path = tmp_path / "findings.xlsx"
    path.write_bytes(content)
    book = openpyxl.load_workbook(path)
    labels, filled = load_feedback_texts("en"), 0
    for sheet in book.worksheets:
        head = next((row for row in sheet.iter_rows(max_row=12) if labels["answer"] in [cell.value for cell in row]), None)
        for row in sheet.iter_rows(min_row=head[0].row + 1) if head else ():
            cells = {first.value: cell for first, cell in zip(head, row, strict=False)}
            if filled < 2 and cells[labels["id"]].value:
                cells[labels["answer"]].value = labels["answers"]["announced" if filled == 0 else "no_error"]
                cells[labels["person"]].value = "A clerk"
                filled += 1
    assert filled == 2
    book.save(path)
    with path.open("rb") as file:
        page = clerk.post("/police/deliveries/2013-Q2/answered", {"workbook": file}).content.decode()
    assert "Answers entered: 1" in page and "Refused: 1" in page and "this answer needs a reason" in page
    courts = world.client("clerk", "courts")
    with path.open("rb") as file:
        page = courts.post("/courts/deliveries/2013-Q2/answered", {"workbook": file})
    assert page.status_code == 422 and "This workbook is not of this institution" in page.content.decode()
    with (world.place.inbox / "police" / "2013-Q1" / "rastet.csv").open("rb") as file:
        page = clerk.post("/police/deliveries/2013-Q2/answered", {"workbook": file})
    assert page.status_code == 422 and "is not the workbook" in page.content.decode()


def test_the_head_signs_what_was_seen_and_a_later_delivery_reopens_it(world: World) -> None:
    from harmonia import signing
    from harmonia.errors import HarmoniaError
    from portal.services import registry

    head = world.client("head", "courts")
    page = head.get("/courts/deliveries/2013-Q2").content.decode()
    seen = re.search(r'name="seen" value="([0-9a-f]{64})"', page)
    assert seen and signing.read_signature_states(registry(), "courts")["courts", "2013-Q2"].state == "unsigned"
    stale = head.post("/courts/quarters/2013-Q2/sign", {"seen": "0" * 64, "delivery": "2013-Q2"}, follow=True)
    assert "Not signed" in stale.content.decode()
    head.post("/courts/quarters/2013-Q2/sign", {"seen": seen[1], "delivery": "2013-Q2"})
    state = signing.read_signature_states(registry(), "courts")["courts", "2013-Q2"]
    assert (state.state, state.by) == ("signed", "head.courts@demo.invalid")
    assert world.audit()[-1][:3] == ("head.courts@demo.invalid", "sign a quarter", "courts 2013-Q2")
    with pytest.raises(HarmoniaError, match="nothing to sign"):
        signing.sign_quarter(registry(), "courts", "2099-Q1", "x", "")
