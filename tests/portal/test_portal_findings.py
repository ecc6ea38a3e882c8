"""Findings and answers: what a clerk sees, what is entered, what is refused and why."""

from __future__ import annotations

import json
import re
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
    assert "somebody else answered meanwhile (clerk.police@demo.invalid)" in late
    latest = answers.latest(answers.read(registry()))
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


def test_the_workbook_goes_out_and_comes_back_with_its_refusals(world: World, clerk: Any, tmp_path: Path) -> None:
    from harmonia.feedback.texts import texts

    sent = clerk.post("/police/deliveries/2013-Q2/workbook")
    content = b"".join(sent.streaming_content)
    assert content[:2] == b"PK" and world.audit()[-1][1] == "download the workbook"
    path = tmp_path / "findings.xlsx"
    path.write_bytes(content)
    book = openpyxl.load_workbook(path)
    labels, filled = texts("sq"), 0
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
    assert seen and signing.read_states(registry(), "courts")["courts", "2013-Q2"].state == "unsigned"
    stale = head.post("/courts/quarters/2013-Q2/sign", {"seen": "0" * 64, "delivery": "2013-Q2"}, follow=True)
    assert "Not signed" in stale.content.decode()
    head.post("/courts/quarters/2013-Q2/sign", {"seen": seen[1], "delivery": "2013-Q2"})
    state = signing.read_states(registry(), "courts")["courts", "2013-Q2"]
    assert (state.state, state.by) == ("signed", "head.courts@demo.invalid")
    assert world.audit()[-1][:3] == ("head.courts@demo.invalid", "sign a quarter", "courts 2013-Q2")
    with pytest.raises(HarmoniaError, match="nothing to sign"):
        signing.sign(registry(), "courts", "2099-Q1", "x", "")
