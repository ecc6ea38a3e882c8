"""The workbook that an institution fills in, and what becomes of it when it comes back."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from harmonia.errors import HarmoniaError
from harmonia.feedback import intake, report, workbook
from harmonia.feedback.finding_states import determine_finding_states
from harmonia.feedback.texts import load_feedback_texts
from harmonia.feedback.write import write_feedback
from schemas import findings
from sources import contract

KEY = b"k" * 32
FIRST = workbook.HEADER + 2  # row of the first finding
NASTY = ["=HYPERLINK('http://x')", "+1", "-2", "@SUM(A1)", "=cmd|' /C calc'!A0", "\t=1", "http://example.org", "\x00\x1b[31m\ufffe"]
FILES = pd.DataFrame([{"file": "rastet.csv", "state": "complete"}])


def lived(count: int = 4, **more: object) -> pd.DataFrame:
    base = {
        "institution": "police",
        "delivery": "2012-Q4",
        "file": "rastet.csv",
        "field": "Data_raportimit",
        "rule": "cell-date-impossible",
    }
    rows = [
        {**base, "line": n + 2, "record_key": f"2012-PR-{n:05}", "value": f"31.02.{n}", "unit": "SP Pejë", **more} for n in range(count)
    ]
    return determine_finding_states(findings.build_findings(rows), pd.DataFrame({"institution": ["police"], "delivery": ["2012-Q4"]}))


def made(found: pd.DataFrame, **more: object) -> openpyxl.Workbook:
    said = report.make_report("police", "2012-Q4", FILES, found, "sq", date(2013, 1, 14), **more)  # type: ignore[arg-type]
    return openpyxl.load_workbook(io.BytesIO(workbook.write_workbook(said, KEY)))


def filled(folder: Path, found: pd.DataFrame, fill: Callable[[openpyxl.Workbook], None]) -> Path:
    book = made(found)
    fill(book)
    book.save(folder / "filled.xlsx")
    return folder / "filled.xlsx"


def answer(
    book: openpyxl.Workbook, row: int = FIRST, said: str = "Nuk është gabim", reason: str = "sipas dosjes", person: str = "Drita"
) -> None:
    sheet = book["SP Pejë"]
    head = [cell.value for cell in sheet[workbook.HEADER + 1]]
    for name, value in (("answer", said), ("reason", reason), ("person", person)):
        sheet.cell(row, head.index(load_feedback_texts("sq")[name]) + 1).value = value


def judged(path: Path, found: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    return intake.validate_answers(intake.read_workbook(path), found)


def test_every_finding_is_a_row_with_number_place_and_name() -> None:
    found = lived(300)
    sheet = made(found)["SP Pejë"]
    rows = list(sheet.iter_rows(min_row=workbook.HEADER + 2, values_only=True))
    assert len(rows) == 300
    at = {name: n for n, name in enumerate(workbook.COLUMNS)}
    assert {row[at["id"]] for row in rows} == set(found["finding"])
    assert rows[0][at["own_number"]] == "2012-PR-00000"
    assert rows[0][at["where"]] == "rastet.csv · rreshti 2"
    assert rows[0][at["deadline"]] == "13.02.2013"


def test_what_the_form_permits_is_folded_and_units_have_sheets_in_their_language() -> None:
    plain = lived(2)
    north = lived(3, unit="Stacioni Policor Mitrovicë e Veriut").assign(finding=["a" * 16, "b" * 16, "c" * 16])
    permitted = lived(5, rule="cell-reference-spelling", severity="info")
    book = made(pd.concat([plain, north, permitted], ignore_index=True))
    assert book.sheetnames == ["Udhëzime", "SP Pejë", "Stacioni Policor Mitrovicë e Ve", "Informata", "About"]
    assert load_feedback_texts("sr")["answer"] in [cell.value for cell in book["Stacioni Policor Mitrovicë e Ve"][workbook.HEADER + 1]]
    assert [row[2] for row in book["Informata"].iter_rows(values_only=True)][3] == "5"


def test_a_report_read_from_its_json_makes_the_same_workbook() -> None:
    found = pd.concat([lived(3), lived(5, rule="cell-reference-spelling", severity="info", unit=None)], ignore_index=True)
    moved_figures = pd.DataFrame({"finding": found["finding"][:1], "indicator": "cases_registered", "period": "2012-Q4"})
    said = report.make_report("police", "2012-Q4", FILES, found, "sq", date(2013, 1, 14), figures=moved_figures)
    again = report.read_report_from_json(report.convert_to_json(said), "sq")
    assert workbook.write_workbook(again, KEY) == workbook.write_workbook(said, KEY)
    assert again.figures_by_finding == said.figures_by_finding != {}


def test_the_portals_workbook_has_earlier_answers_and_the_language_of_its_reader(tmp_path: Path) -> None:
    found = lived(3, unit="Stacioni Policor Mitrovicë e Veriut")
    said = report.read_report_from_json(
        report.convert_to_json(report.make_report("police", "2012-Q4", FILES, found, "sq", date(2013, 1, 14))), "en"
    )
    given = workbook.EarlierAnswers({found["finding"][1]: ("no_error", "by the file", "Drita")}, 7)
    path = tmp_path / "findings.xlsx"
    path.write_bytes(workbook.write_workbook(said, KEY, given))
    taken = intake.read_workbook(path)
    assert taken.latest == 7
    assert taken.rows.set_index("id").loc[found["finding"][1], list(workbook.ANSWERS)].tolist() == ["Not an error", "by the file", "Drita"]
    assert (taken.rows["answer"] == "").sum() == 2
    cover = [cell for row in openpyxl.load_workbook(path).worksheets[0].iter_rows(values_only=True) for cell in row]
    assert load_feedback_texts("en")["send_portal"] in cover and load_feedback_texts("en")["send"] not in cover
    path.write_bytes(workbook.write_workbook(said, KEY))
    assert intake.read_workbook(path).latest is None, "a workbook given out with the report"


def test_the_cover_counts_information_as_its_sheet_and_a_foreign_file_by_its_owners_name() -> None:
    permitted = lived(5, rule="cell-reference-spelling", severity="info")
    foreign = lived(1, rule="file-foreign", detail="courts", unit=None)
    book = made(pd.concat([permitted, foreign], ignore_index=True))
    counted = dict(row[:2] for row in book.worksheets[0].iter_rows(values_only=True))
    assert counted[load_feedback_texts("sq")["severities"]["info"]] == "5"
    row = next(book[load_feedback_texts("sq")["throughout"]].iter_rows(min_row=FIRST, values_only=True))
    assert row[list(workbook.COLUMNS).index("detail")] == contract.load("courts").publisher["sq"]


def test_many_units_whose_names_begin_alike_have_sheets_of_their_own() -> None:
    units = [f"Njësia Rajonale kundër Trafikimit, {n}" for n in range(12)]
    found = pd.concat([lived(1, unit=unit).assign(finding=f"{n:016}") for n, unit in enumerate(units)], ignore_index=True)
    names = made(found).sheetnames
    assert len(set(names)) == len(names) > len(units)
    assert max(map(len, names)) <= 31


@pytest.mark.parametrize("value", NASTY)
def test_delivered_text_is_never_a_formula_or_a_link(value: str) -> None:
    found = lived(2, value=value, unit=value, number=value, detail=value, field=value, file=value, part=value)
    for sheet in made(found):
        for row in sheet.iter_rows():
            for cell in row:
                assert cell.data_type in ("s", "n"), "text or empty"
                assert cell.value is None or isinstance(cell.value, str)
                assert cell.hyperlink is None


def test_answers_are_read_in_any_order_of_rows_and_columns(tmp_path: Path) -> None:
    found = lived(4)

    def sort(book: openpyxl.Workbook) -> None:
        answer(book, FIRST, "Not an error")
        answer(book, FIRST + 1, "Ispravka će biti dostavljena", reason="")
        sheet = book["SP Pejë"]
        rows = [[cell.value for cell in row][::-1] for row in sheet.iter_rows(min_row=workbook.HEADER + 1)]
        for n, row in enumerate([rows[0], *rows[:0:-1]], start=workbook.HEADER + 1):
            for k, value in enumerate(row, start=1):
                sheet.cell(n, k).value = value

    entered, refused, blank = judged(filled(tmp_path, found, sort), found)
    by = entered.set_index("finding")["verdict"].to_dict()
    assert by == {found["finding"][0]: "no_error", found["finding"][1]: "announced"}
    assert (len(refused), blank) == (0, 2)


@pytest.mark.parametrize(
    ("said", "reason", "person", "why"),
    [
        ("Kein Fehler", "x", "Drita", "in any language"),
        ("Nuk është gabim", "", "Drita", "needs a reason"),
        ("Pranohet siç është", "x", "", "does not name who answered"),
        ("", "x", "Drita", "but no answer"),
        ("Pranohet siç është", "x" * 2001, "Drita", "longer than"),
    ],
)
def test_a_row_that_cannot_be_taken_says_why(tmp_path: Path, said: str, reason: str, person: str, why: str) -> None:
    found = lived(2)
    entered, refused, _ = judged(filled(tmp_path, found, lambda book: answer(book, FIRST, said, reason, person)), found)
    assert entered.empty
    assert refused["row"].tolist() == [FIRST]
    assert why in refused["why_not"][0]


def test_a_row_of_another_delivery_or_of_nobody_is_refused(tmp_path: Path) -> None:
    found = lived(3)

    def strange(book: openpyxl.Workbook) -> None:
        for n, name in enumerate(("a" * 16, "b" * 16, "moved")):
            answer(book, FIRST + n)
            book["SP Pejë"].cell(FIRST + n, len(workbook.COLUMNS)).value = name

    other = found.assign(delivery="2012-Q3", finding="a" * 16)
    _, refused, _ = judged(filled(tmp_path, found, strange), pd.concat([found, other]))
    assert "of 2012-Q3, not of 2012-Q4" in refused["why_not"][0]
    assert "comes from another workbook" in refused["why_not"][1]
    assert "cells were moved" in refused["why_not"][2]


def test_a_finding_answered_twice_and_a_row_set_aside_are_refused(tmp_path: Path) -> None:
    found = lived(2).assign(severity=["error", "reject"])

    def twice(book: openpyxl.Workbook) -> None:
        sheet = book["SP Pejë"]
        for row in (FIRST, FIRST + 1, FIRST + 2):
            answer(book, row)
        sheet.cell(FIRST + 2, len(workbook.COLUMNS)).value = sheet.cell(FIRST + 1, len(workbook.COLUMNS)).value

    entered, refused, _ = judged(filled(tmp_path, found, twice), found)
    assert entered.empty
    assert sorted(refused["why_not"].str[:20]) == ["an unreadable row is", "the finding is answe", "the finding is answe"]


def test_a_column_that_is_gone_or_there_twice_is_one_clear_line(tmp_path: Path) -> None:
    def drop(book: openpyxl.Workbook) -> None:
        book["SP Pejë"].delete_cols(list(workbook.COLUMNS).index("person") + 1)

    with pytest.raises(HarmoniaError, match=r"sheet \[SP Pejë\], row 5: the columns were changed.*Answered by"):
        intake.read_workbook(filled(tmp_path, lived(2), drop))


def test_a_formula_anywhere_is_refused_with_its_cell(tmp_path: Path) -> None:
    with pytest.raises(HarmoniaError, match=r"contains formulas \(sheet2 M6\)"):
        intake.read_workbook(filled(tmp_path, lived(2), lambda book: answer(book, FIRST, "=A1")))


def moved(path: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """A workbook whose parts were changed, as by a program that writes them in its own way."""
    with zipfile.ZipFile(path) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    change(parts)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name, data in parts.items():
            new.writestr(name, data)
    return path


def test_a_formula_is_found_wherever_its_sheet_lies(tmp_path: Path) -> None:
    def elsewhere(parts: dict[str, bytes]) -> None:
        parts["data/second.part"] = parts.pop("xl/worksheets/sheet2.xml")
        for name in ("xl/_rels/workbook.xml.rels", "[Content_Types].xml"):
            parts[name] = re.sub(rb'"/?(xl/)?worksheets/sheet2\.xml"', b'"/data/second.part"', parts[name])

    path = filled(tmp_path, lived(2), lambda book: answer(book, FIRST, "=A1"))
    with pytest.raises(HarmoniaError, match=r"contains formulas \(second M6\)"):
        intake.read_workbook(moved(path, elsewhere))


def test_a_cell_in_the_last_corner_stops_no_import(tmp_path: Path) -> None:
    """47 kB that would take 137 GB to lay out."""

    def corner(parts: dict[str, bytes]) -> None:
        far = b'<row r="1048576"><c r="XFD1048576" t="n"><v>1</v></c></row></sheetData>'
        parts["xl/worksheets/sheet2.xml"] = re.sub(rb"<dimension[^>]*/>", b"", parts["xl/worksheets/sheet2.xml"]).replace(
            b"</sheetData>", far
        )

    path = moved(filled(tmp_path, lived(2), answer), corner)
    with pytest.raises(HarmoniaError, match=r"filled\.xlsx: .*stray cells far below or beside the tables"):
        intake.read_workbook(path)


def test_what_is_no_workbook_of_ours_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").write_bytes(b"PK\x03\x04nothing")
    with pytest.raises(HarmoniaError, match="not a readable workbook"):
        intake.read_workbook(tmp_path / "a.xlsx")
    openpyxl.Workbook().save(tmp_path / "b.xlsx")
    with pytest.raises(HarmoniaError, match="was not made by this version"):
        intake.read_workbook(tmp_path / "b.xlsx")
    with pytest.raises(HarmoniaError, match="cannot be read"):
        intake.read_workbook(tmp_path / "c.xlsx")


def test_a_workbook_filled_in_where_it_lay_is_kept(tmp_path: Path) -> None:
    folder = write_feedback(tmp_path, "police", "2012-Q4", FILES, lived(2), "sq")[0].parent
    path = folder / "findings.xlsx"
    book = openpyxl.load_workbook(path)
    answer(book)
    book.save(path)
    write_feedback(tmp_path, "police", "2012-Q4", FILES, lived(2), "sq")
    kept = list(folder.glob("findings.answered-*.xlsx"))
    assert len(kept) == 1
    assert len(judged(kept[0], lived(2))[0]) == 1
