"""The state of a delivery: a part never passes for the whole, whatever the damage; what is whole stays complete."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from reader_world import PERSONA, PERSONAT, RASTET, SHERBIMET, deliver, lendet, read, shkk, text

from pipelines.validation import validate
from sources import contract
from sources.completeness_states import calendar_state, delivery_state, period_state

MAIN = {
    "police": "rastet.csv",
    "inspectorate": "raporti.xlsx",
    "prosecution": "psh.sqlite",
    "courts": "smil.xml",
    "corrections": "shkk.xlsx",
    "victim_protection": "zmnv.json",
    "social_work": "persona.csv",
}


def judged(institution: str, folder: Path) -> tuple[str, dict[str, str], set[str]]:
    """State of the delivery in a folder, states of its files, rules of the findings."""
    found = validate(institution, {"2013-Q2": read(institution, folder)})
    return found.deliveries["state"][0], dict(zip(found.files["file"], found.files["state"], strict=True)), set(found.findings["rule"])


@pytest.mark.parametrize("institution", contract.institutions())
@pytest.mark.parametrize("damage", ["third", "noise", "empty", "forgotten"])
def test_a_damaged_file_is_never_complete(institution: str, damage: str, tmp_path: Path) -> None:
    deliver(institution, tmp_path)
    path = tmp_path / MAIN[institution]
    held = path.read_bytes()
    if damage == "forgotten":
        path.unlink()
    else:
        path.write_bytes({"third": held[: len(held) // 3], "noise": bytes(range(1, 256)) * 80, "empty": b""}[damage])
    state, files, _ = judged(institution, tmp_path)
    assert state == ("partial" if institution in ("police", "social_work") else state)  # its other file was read
    assert state in ("partial", "unreadable")
    assert files.get(path.name) in ("partial", "unreadable", "missing")


@pytest.mark.parametrize("institution", contract.institutions())
def test_a_good_delivery_is_complete_also_with_its_file_twice(institution: str, tmp_path: Path) -> None:
    deliver(institution, tmp_path)
    assert judged(institution, tmp_path)[0] == "complete"
    path = tmp_path / MAIN[institution]
    path.with_name(f"kopje e {path.name}").write_bytes(path.read_bytes())
    assert judged(institution, tmp_path)[0] == "complete"


def _only_header(institution: str, folder: Path) -> None:
    path = folder / MAIN[institution]
    if institution == "police":
        path.write_text(text(RASTET[:1]), "windows-1250")
        (folder / "personat.csv").write_text(text(PERSONAT[:1]), "windows-1250")
    elif institution == "social_work":
        path.write_text(text(PERSONA[:1]), "utf-8-sig")
        (folder / "sherbimet.csv").write_text(text(SHERBIMET[:1]), "utf-8-sig")
    elif institution == "victim_protection":
        path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), "viktimat": []}), "utf-8")
    elif institution == "courts":
        path.write_text(re.sub(r"<lenda.*</lenda>", "", path.read_text("utf-8"), flags=re.DOTALL), "utf-8")
    elif institution == "prosecution":
        with sqlite3.connect(path) as db:
            db.executescript("DELETE FROM lenda; DELETE FROM pala; DELETE FROM akuza; DELETE FROM vendimi")
    else:
        (lendet if institution == "inspectorate" else shkk)(path, lambda book: [s.delete_rows(6 if "L" in s.title else 2, 9) for s in book])


@pytest.mark.parametrize("institution", contract.institutions())
def test_a_delivery_without_any_record_is_unreadable(institution: str, tmp_path: Path) -> None:
    deliver(institution, tmp_path)
    _only_header(institution, tmp_path)
    state, _, rules = judged(institution, tmp_path)
    assert (state, "file-no-records" in rules) == ("unreadable", True)


def _sheet(change: Callable[[openpyxl.worksheet.worksheet.Worksheet], None]) -> Callable[[Path], None]:
    return lambda folder: lendet(folder / "raporti.xlsx", lambda book: change(book["Lëndët"]))


def _sql(statement: str) -> Callable[[Path], None]:
    def run(folder: Path) -> None:
        with sqlite3.connect(folder / "psh.sqlite") as db:
            db.execute(statement)

    return run


def _police(cases: tuple[str, ...], persons: tuple[str, ...]) -> Callable[[Path], None]:
    def run(folder: Path) -> None:
        (folder / "rastet.csv").write_text(text(cases), "windows-1250")
        (folder / "personat.csv").write_text(text(persons), "windows-1250")

    return run


def _json(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def run(folder: Path) -> None:
        document = json.loads((folder / "zmnv.json").read_text("utf-8"))
        document["viktimat"] = [{**document["viktimat"][0], "nr_zmnv": f"ZM-PR-2013-{n:04}"} for n in range(20)]
        change(document)
        (folder / "zmnv.json").write_text(json.dumps(document), "utf-8")

    return run


def _xml(old: str, new: str) -> Callable[[Path], None]:
    def run(folder: Path) -> None:
        path = folder / "smil.xml"
        path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")

    return run


def _set_lists(n: int, value: object) -> Callable[[Path], None]:
    return _json(lambda document: [record.update(sherbimet=value) for record in document["viktimat"][:n]])


WITHOUT_DATE = tuple(";".join(line.split(";")[:1] + line.split(";")[2:]) for line in RASTET)
SPOILED = tuple("x" + line if n else line for n, line in enumerate(RASTET))
MANY = tuple(f"2013-PR-{n:05};04.01.2013;;;;;;;;Nën hetim;" for n in range(100, 130))
CUT = tuple(line[:20] for line in MANY[26:])
OF_MANY = tuple(f"2013-PR-{n:05};1;I dyshuar;A;B;;;;;;M;;" for n in range(100, 130))
NEW_CODES = tuple(line.replace("I dyshuar", "DYSH") for line in OF_MANY)


@pytest.mark.parametrize(
    ("institution", "damage", "state", "rule"),
    [
        ("police", _police(WITHOUT_DATE, PERSONAT), "partial", "file-column-missing"),
        ("police", _police(SPOILED, PERSONAT), "partial", "file-no-records"),
        ("police", _police(RASTET[:1], PERSONAT), "partial", "file-no-records"),
        ("police", _police(RASTET, PERSONAT[:1]), "partial", "file-no-records"),
        ("police", _police((*RASTET[:1], *MANY[:10]), (*PERSONAT[:1], *OF_MANY)), "partial", "file-records-missing"),
        ("police", _police((*RASTET[:1], *MANY), (*PERSONAT[:1], *OF_MANY[:10])), "partial", "file-persons-missing"),
        (
            "police",
            _police((*RASTET[:1], *MANY[:26], *(line[:20] for line in MANY[26:])), PERSONAT[:1] + OF_MANY),
            "partial",
            "file-rows-lost",
        ),
        ("police", _police((*RASTET[:1], *MANY[:28]), (*PERSONAT[:1], *OF_MANY)), "complete", "cross-parent-missing"),
        ("police", _police((*RASTET, *RASTET[1:]), PERSONAT), "complete", "cross-duplicate-identical"),
        ("police", _police((*RASTET[:1], *MANY), (*PERSONAT[:1], *NEW_CODES[:4], *OF_MANY[4:])), "partial", "file-codes-unknown"),
        ("police", _police((*RASTET[:1], *MANY), (*PERSONAT[:1], *NEW_CODES[:16], *OF_MANY[16:])), "unreadable", "file-codes-unknown"),
        ("police", _police((*RASTET[:1], *MANY), (*PERSONAT[:1], *NEW_CODES[:16], *OF_MANY[16:])), "unreadable", "cell-code-unknown"),
        ("police", _police((*RASTET[:1], *MANY), (*PERSONAT[:1], *NEW_CODES[:3], *OF_MANY[3:])), "complete", "cell-code-unknown"),
        ("prosecution", _sql("DROP TABLE vendimi"), "partial", "db-table-missing"),
        ("prosecution", _sql("DELETE FROM lenda"), "partial", "file-no-records"),
        ("prosecution", _sql("DELETE FROM pala"), "partial", "file-no-records"),
        ("prosecution", _sql("DELETE FROM akuza"), "partial", "file-no-records"),
        ("prosecution", _sql("DELETE FROM vendimi"), "complete", None),  # a quarter can have no decision
        ("inspectorate", _sheet(lambda s: s.cell(8, 1, "Gjithsej: 4")), "partial", "file-total-wrong"),
        ("inspectorate", _sheet(lambda s: s.cell(8, 1, "Gjithsej: 3")), "complete", "file-total-wrong"),
        ("inspectorate", _sheet(lambda s: s.cell(8, 1, "Gjithsej: 1")), "complete", "file-total-wrong"),
        ("inspectorate", _sheet(lambda s: s.delete_rows(8)), "partial", "file-total-missing"),
        ("inspectorate", _sheet(lambda s: (s.delete_rows(6, 2), s.cell(6, 1, "Gjithsej: 0"))), "complete", None),  # none, and it says so
        ("victim_protection", _set_lists(20, []), "complete", None),
        ("victim_protection", _set_lists(20, None), "partial", "json-list-missing"),
        ("victim_protection", _set_lists(20, {}), "partial", "json-list-missing"),
        ("victim_protection", _set_lists(3, None), "partial", "json-list-missing"),
        ("victim_protection", _set_lists(2, None), "complete", "json-list-absent"),
        ("victim_protection", _json(lambda d: d.update(viktimat=[], Gjithsej=0)), "complete", None),
        ("victim_protection", _json(lambda d: d.update(viktimat={})), "unreadable", "json-value-kind"),
        ("victim_protection", _json(lambda d: d["eksporti"].update(periudha="2013-Q1")), "complete", "file-origin-other"),
        ("victim_protection", _json(lambda d: d["eksporti"].update(institucioni="PK")), "complete", "file-origin-other"),
        ("victim_protection", _json(lambda d: d.pop("eksporti")), "complete", "file-origin-missing"),
        ("courts", _xml('periudha="2013-Q2"', 'periudha="2013-Q1"'), "complete", "file-origin-other"),
        ("courts", _xml('periudha="2013-Q2"', ""), "complete", "file-origin-missing"),
    ],
)
def test_what_makes_a_delivery_partial_and_what_does_not(
    institution: str, damage: Callable[[Path], None], state: str, rule: str | None, tmp_path: Path
) -> None:
    deliver(institution, tmp_path)
    damage(tmp_path)
    found, _, rules = judged(institution, tmp_path)
    assert found == state
    assert rule is None or rule in rules


def test_a_document_twice_in_one_file_is_complete_and_cut_the_second_time_partial(tmp_path: Path) -> None:
    deliver("courts", tmp_path)
    path = tmp_path / "smil.xml"
    whole = path.read_bytes()
    path.write_bytes(whole * 2)
    state, _, rules = judged("courts", tmp_path)
    assert state == "complete"
    assert {"xml-broken", "cross-duplicate-identical"} <= rules
    path.write_bytes(whole + whole[: len(whole) // 2])
    assert judged("courts", tmp_path)[0] == "partial"


def test_a_delivery_that_was_not_received_whole_is_partial(tmp_path: Path) -> None:
    deliver("courts", tmp_path)
    found = validate("courts", {"2013-Q2": read("courts", tmp_path)}, incomplete_deliveries=["2013-Q2"])
    assert found.deliveries["state"][0] == "partial"


def test_states_follow_from_those_below() -> None:
    assert delivery_state([]) == "unreadable"
    assert delivery_state(["missing", "undeclared"]) == "unreadable"
    assert delivery_state(["complete", "missing"]) == delivery_state(["complete", "unreadable"]) == "partial"
    assert delivery_state(["complete", "foreign", "leftover"]) == "complete"
    assert period_state([]) == "missing"
    assert period_state(["complete", "partial", "unreadable"]) == "partial"
    assert period_state(["partial", "unreadable", "complete", "unreadable"]) == "complete"
    assert calendar_state(["complete", "complete", "complete", "missing"]) == "partial"
    assert calendar_state(["unreadable", "missing", "missing", "missing"]) == "unreadable"
