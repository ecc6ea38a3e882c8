"""What goes wrong with workbooks, and that no row is lost over it."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.comments import Comment
from openpyxl.utils.datetime import CALENDAR_MAC_1904
from reader_world import LENDET, SHKK, cells, deliver, lendet, read, rules, shkk

from sources.readers import workbook
from sources.readers.workbook import convert_cell_to_text
from sources.readers.workbook_parts import counts_days_from_1904, evaluate_joined_literals

Change = Callable[[Any], None]


def _lendet(folder: Path, change: Change | None = None) -> Any:
    folder.mkdir(exist_ok=True)
    lendet(folder / "raporti.xlsx", change)
    return read("inspectorate", folder)


def _shkk(folder: Path, change: Change | None = None) -> Any:
    folder.mkdir(exist_ok=True)
    shkk(folder / "shkk.xlsx", change)
    return read("corrections", folder)


def test_a_sheet_that_breaks_off_is_said_though_the_library_reads_on(tmp_path: Path) -> None:
    """Its rows are gone without a word; the other sheets are read."""
    deliver("corrections", tmp_path)
    book = tmp_path / "shkk.xlsx"
    with zipfile.ZipFile(book) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    open_rows = b"<sheetData>" + b'<row r="1">' * 3 + b"</sheetData>"
    parts["xl/worksheets/sheet1.xml"] = re.sub(rb"<sheetData>.*</sheetData>", open_rows, parts["xl/worksheets/sheet1.xml"], flags=re.DOTALL)
    with zipfile.ZipFile(book, "w") as new:
        for name, data in parts.items():
            new.writestr(name, data)
    result = read("corrections", tmp_path)
    assert result.files["shkk.xlsx"] == "partial"
    assert [(f["rule"], f["part"]) for f in result.findings if f["rule"] == "file-damaged"] == [("file-damaged", "QK Dubravë")]


def test_cells_are_text_as_delivered(tmp_path: Path) -> None:
    frame = _lendet(tmp_path).tables["lendet"]
    assert frame["Data e pranimit"].tolist() == ["2013-04-01", "02.05.2013"]
    assert frame["Nr. personal"].tolist() == ["1000000011", "1000000003"]
    assert frame["Nr."].tolist() == ["1", "2"]
    assert frame["_line"].tolist() == [6, 7]
    assert frame["_part"].tolist() == ["Lëndët", "Lëndët"]


@pytest.mark.parametrize(
    ("total", "expected"), [("Gjithsej: 2", {"sheet-earlier-period"}), ("Gjithsej: 3", {"sheet-earlier-period", "file-total-wrong"})]
)
def test_last_year_s_table_below_this_year_s_is_no_data(total: str, expected: set[str], tmp_path: Path) -> None:
    def last_year(book: Any) -> None:
        sheet = book.active
        sheet.cell(11, 1, "Viti i kaluar")
        for n in (5, 6, 7):
            for k in range(1, 12):
                sheet.cell(n + 7, k, sheet.cell(n, k).value)
        sheet.cell(13, 2, "IPK-009/2012")
        sheet.cell(15, 1, total)

    result = _lendet(tmp_path, last_year)
    assert result.tables["lendet"]["Nr. i lëndës"].tolist() == ["IPK-001/2013", "IPK-002/2013"]
    assert rules(result) == expected
    kinds = result.structure.set_index("line")["kind"]
    assert kinds.loc[9:].tolist() == ["earlier"] * 7


@pytest.mark.parametrize("by_openpyxl", [False, True])
def test_days_counted_from_1904_are_the_days_that_were_entered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_openpyxl: bool) -> None:
    if by_openpyxl:
        monkeypatch.setattr(workbook, "_read_by_calamine", lambda *_: None)
    result = _lendet(tmp_path, lambda book: setattr(book, "epoch", CALENDAR_MAC_1904))
    with zipfile.ZipFile(tmp_path / "raporti.xlsx") as archive:
        assert b'date1904="1"' in archive.read("xl/workbook.xml")
    assert result.tables["lendet"]["Data e pranimit"].tolist() == ["2013-04-01", "02.05.2013"]
    assert [f["rule"] for f in result.findings] == ["workbook-dates-1904"]


@pytest.mark.parametrize(("mode", "so"), [(1, True), (0, False), (None, False)])
def test_an_old_workbook_says_its_date_system_in_a_record(mode: int | None, so: bool) -> None:
    record = lambda kind, *words: b"".join(n.to_bytes(2, "little") for n in (kind, 2 * len(words), *words))  # noqa: E731
    records = [record(0x0809, 0x0600, 0x0005, 0, 0, 0, 0, 0, 0), record(0x0042, 0x04B0)]
    records += [] if mode is None else [record(0x0022, mode)]
    assert counts_days_from_1904(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".ljust(512, b"\0") + b"".join([*records, record(0x000A)])) is so


def test_each_facility_is_a_part_and_lines_are_rows_of_the_sheet(tmp_path: Path) -> None:
    frame = _shkk(tmp_path).tables["te_burgosurit"]
    assert frame[["_part", "_line", "Data e pranimit"]].values.tolist() == [
        ["QK Dubravë", 2, "2013-05-02"],
        ["QP Prishtinë", 2, "2013-04-02"],
        ["QP Prishtinë", 3, "05.06.2013"],
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [(1234567890.0, "1234567890"), ("1440509416.0", "1440509416.0"), (1.5, "1.5"), (True, "1"), ("  Gashi ", "  Gashi "), (None, "")],
)
def test_a_number_is_digits_and_text_is_text(value: object, text: str) -> None:
    assert convert_cell_to_text(value) == text


@pytest.mark.parametrize("state", ["hidden", "veryHidden"])
def test_a_hidden_copy_is_no_data(state: str, tmp_path: Path) -> None:
    def hide(book: Any) -> None:
        copy = book.copy_worksheet(book["QP Prishtinë"])
        copy.title, copy.sheet_state = "Kopje", state

    result = _shkk(tmp_path, hide)
    assert len(result.tables["te_burgosurit"]) == 3
    assert rules(result) == {"sheet-hidden"}
    assert (result.structure["part"] == "Kopje").sum() == 3


def test_a_summary_or_a_code_list_is_no_data(tmp_path: Path) -> None:
    def add(book: Any) -> None:
        sheet = book.create_sheet("Përmbledhje", 0)
        for row in (["Institucioni", "Numri"], ["QK Dubravë", 1], ["QP Prishtinë", 2]):
            sheet.append(row)

    result = _shkk(tmp_path, add)
    assert (len(result.tables["te_burgosurit"]), rules(result)) == (3, {"sheet-no-data"})


def test_titles_may_shift_and_blank_rows_and_headers_repeat(tmp_path: Path) -> None:
    def shift(book: Any) -> None:
        sheet = book["Lëndët"]
        sheet.insert_rows(7)
        for k, name in enumerate(LENDET, 1):
            sheet.cell(7, k, name)
        sheet.insert_rows(7, 2)
        sheet.insert_rows(1, 2)

    result = _lendet(tmp_path, shift)
    assert result.tables["lendet"]["_line"].tolist() == [8, 12]
    assert result.structure["kind"].tolist().count("repeated_header") == 1


@pytest.mark.parametrize(
    ("text", "found"), [("Gjithsej: 7", {"file-total-wrong"}), ("Gjithsej:", {"file-total-unreadable"}), (None, {"file-total-missing"})]
)
def test_the_total_line_is_checked(text: str | None, found: set[str], tmp_path: Path) -> None:
    result = _lendet(tmp_path, lambda book: book["Lëndët"].cell(8, 1).__setattr__("value", text))
    assert (len(result.tables["lendet"]), rules(result)) == (2, found)


def test_a_total_row_with_its_number_in_another_column(tmp_path: Path) -> None:
    def total(book: Any) -> None:
        book["QP Prishtinë"].append(["Gjithsej", *[None] * 14, 2])

    result = _shkk(tmp_path, total)
    assert (len(result.tables["te_burgosurit"]), rules(result)) == (3, set())
    assert result.structure["kind"].tolist().count("total") == 1


def test_formulas_without_a_stored_value(tmp_path: Path) -> None:
    def formulas(book: Any) -> None:
        sheet = book["QP Prishtinë"]
        sheet["M2"], sheet["M3"], sheet["B3"] = '=CONCATENATE(8," muaj")', '=3&" vjet"', "=B2"

    result = _shkk(tmp_path, formulas)
    frame = result.tables["te_burgosurit"]
    assert frame["Dënimi"].tolist()[1:] == ["8 muaj", "3 vjet"]
    assert frame["Emri"].isna().tolist() == [False, False, True]
    assert [(f["rule"], f["part"], f["line"]) for f in result.findings] == [
        ("cell-formula-evaluated", "QP Prishtinë", 2),
        ("cell-formula-unread", "QP Prishtinë", 3),
        ("cell-formula-evaluated", "QP Prishtinë", 3),
    ]


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        ('CONCATENATE(3," vjet e ",6," muaj")', "3 vjet e 6 muaj"),
        ('"a ""b"""', 'a "b"'),
        ('1&" ditë"', "1 ditë"),
        ("A1", None),
        ('CONCATENATE(A1," muaj")', None),
        ("SUM(1,2)", None),
        ('HYPERLINK("http://x")', None),
        ("", None),
    ],
)
def test_only_joined_literals_are_evaluated(formula: str, value: str | None) -> None:
    assert evaluate_joined_literals(formula) == value


def test_error_cells_and_hidden_rows_are_said(tmp_path: Path) -> None:
    def damage(book: Any) -> None:
        sheet = book["QP Prishtinë"]
        sheet["L3"] = "#REF!"
        sheet.row_dimensions[2].hidden = True

    result = _shkk(tmp_path, damage)
    assert rules(result) == {"cell-error", "rows-hidden"}
    assert len(result.tables["te_burgosurit"]) == 3


def test_a_cell_merged_over_rows_speaks_for_each(tmp_path: Path) -> None:
    def merge(book: Any) -> None:
        sheet = book["Lëndët"]
        sheet["F7"] = None
        sheet.merge_cells("F6:F7")

    result = _lendet(tmp_path, merge)
    assert result.tables["lendet"]["Grada"].tolist() == ["Toger", "Toger"]
    assert rules(result) == {"cell-merged"}


def test_a_stray_cell_far_out_neither_stalls_nor_hides_the_table(tmp_path: Path) -> None:
    result = _lendet(tmp_path, lambda book: book["Lëndët"].cell(1_048_576, 16_384, " "))
    assert len(result.tables["lendet"]) == 2


def test_a_stray_cell_in_a_workbook_that_nobody_can_size_does_not_end_the_process(tmp_path: Path) -> None:
    """Calamine reads such an index, wants half a terabyte for the sheet, and ends its process."""
    book, saved = openpyxl.Workbook(), io.BytesIO()
    book.active["A1"] = book.active["XFD1048576"] = "x"
    book.save(saved)
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(tmp_path / "raporti.xlsx", "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name) + (b"<x" if name == "xl/workbook.xml" else b""))
    result = read("inspectorate", tmp_path)
    assert result.files["raporti.xlsx"] == "unreadable"
    assert rules(result) == {"file-wrong-form"}


def test_notes_beside_the_table_are_kept(tmp_path: Path) -> None:
    def note(book: Any) -> None:
        book["Lëndët"].cell(6, 13, "shih shkresën")
        book["Lëndët"]["B6"].comment = Comment("x", "y")

    result = _lendet(tmp_path, note)
    assert "shih shkresën" in cells(result.tables["lendet"])[0].values()
    assert rules(result) == {"file-column-extra"}


def test_renamed_extra_and_missing_columns(tmp_path: Path) -> None:
    def rename(book: Any) -> None:
        sheet = book["Lëndët"]
        sheet["B5"], sheet["E5"], sheet["H5"], sheet["L5"] = "Numri i lëndës", "Nr personal", "Vepra penale e dyshuar", "Vërejtje"
        sheet.delete_cols(7)

    result = _lendet(tmp_path, rename)
    frame = result.tables["lendet"]
    assert frame["Nr. i lëndës"].tolist() == ["IPK-001/2013", "IPK-002/2013"]
    assert frame["Vepra e dyshuar"].tolist() == ["171/1 KPRK", "neni 422"]
    assert frame["Njësia"].isna().all()
    assert rules(result) == {"file-column-renamed", "file-column-extra", "file-column-missing"}


def test_a_sheet_without_header_whose_rows_are_plainly_records(tmp_path: Path) -> None:
    result = _shkk(tmp_path, lambda book: book["QP Prishtinë"].delete_rows(1))
    assert (len(result.tables["te_burgosurit"]), rules(result)) == (3, {"file-header-missing"})


def _rewrite(path: Path, change: Callable[[str, bytes], bytes]) -> None:
    with zipfile.ZipFile(path) as old:
        parts = {name: change(name, old.read(name)) for name in old.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name, data in parts.items():
            new.writestr(name, data)


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    deliver("corrections", tmp_path)
    with zipfile.ZipFile(tmp_path / "shkk.xlsx", "a", zipfile.ZIP_DEFLATED) as book:
        book.writestr("xl/worksheets/sheet99.xml", b"0" * (64 << 20))
    assert rules(read("corrections", tmp_path)) == {"file-unsafe"}


def test_entities_inside_a_workbook_are_refused(tmp_path: Path) -> None:
    deliver("corrections", tmp_path)
    entity = b'<!DOCTYPE a [<!ENTITY b "c">]>'
    _rewrite(tmp_path / "shkk.xlsx", lambda name, data: entity + data if name == "xl/workbook.xml" else data)
    assert rules(read("corrections", tmp_path)) == {"file-unsafe"}


@pytest.mark.parametrize(
    "part", ["xl/workbook.xml", "xl/worksheets/sheet1.xml", "xl/styles.xml", "[Content_Types].xml", "xl/_rels/workbook.xml.rels"]
)
def test_a_broken_part_ends_in_a_finding_or_in_data(part: str, tmp_path: Path) -> None:
    deliver("corrections", tmp_path)
    _rewrite(tmp_path / "shkk.xlsx", lambda name, data: data[: len(data) // 2] if name == part else data)
    result = read("corrections", tmp_path)
    assert result.findings or len(result.tables["te_burgosurit"]) == 3


def test_an_encrypted_workbook(tmp_path: Path) -> None:
    (tmp_path / "shkk.xlsx").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600 + "EncryptedPackage".encode("utf-16-le"))
    assert rules(read("corrections", tmp_path)) == {"file-encrypted"}


def test_a_zip_of_something_else(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "shkk.xlsx", "w") as archive:
        archive.writestr("rastet.csv", ";".join(SHKK))
    assert rules(read("corrections", tmp_path)) == {"file-wrong-form"}


@pytest.mark.parametrize(("name", "value"), [("sys.executable", "/bin/false"), ("_SECONDS", 0)], ids=["dies", "stalls"])
def test_where_the_other_process_fails_openpyxl_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: Any) -> None:
    monkeypatch.setattr(f"sources.readers.workbook_apart.{name}", value)
    assert len(_shkk(tmp_path).tables["te_burgosurit"]) == 3


def test_openpyxl_gives_the_same_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fast = _shkk(tmp_path / "a")
    monkeypatch.setattr("sources.readers.workbook._read_by_calamine", lambda *_: None)
    slow = _shkk(tmp_path / "b")
    assert cells(slow.tables["te_burgosurit"]) == cells(fast.tables["te_burgosurit"])


def test_an_empty_book(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    openpyxl.Workbook().save(buffer)
    (tmp_path / "shkk.xlsx").write_bytes(buffer.getvalue())
    result = read("corrections", tmp_path)
    assert (result.state, rules(result)) == ("unreadable", {"file-header-not-found"})


def test_a_workbook_without_its_directory_is_read_from_its_parts(tmp_path: Path) -> None:
    deliver("corrections", tmp_path)
    path = tmp_path / "shkk.xlsx"
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"PK\x01\x02") + 10])
    result = read("corrections", tmp_path)
    assert (result.state, rules(result)) == ("partial", {"file-damaged"})
    assert len(result.tables["te_burgosurit"]) == 3


def test_a_bomb_that_lies_about_its_size_is_not_unpacked(tmp_path: Path) -> None:
    deliver("corrections", tmp_path)
    path = tmp_path / "shkk.xlsx"
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as book:
        book.writestr("xl/worksheets/sheet99.xml", b"0" * (64 << 20))
    size = (64 << 20).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(size, (100).to_bytes(4, "little")))
    assert rules(read("corrections", tmp_path)) == {"file-damaged"}


def test_wide_rows_under_unknown_headers_are_set_aside_not_taken_for_notes(tmp_path: Path) -> None:
    def rename(book: Any) -> None:
        sheet = book["QP Prishtinë"]
        for k in range(1, len(SHKK) + 1):
            sheet.cell(1, k, f"K{k}")
        sheet["A2"], sheet["A3"] = "njëri", "tjetra"

    result = _shkk(tmp_path, rename)
    assert (result.state, len(result.tables["te_burgosurit"]), len(result.unreadable)) == ("partial", 1, 3)
    assert rules(result) == {"file-header-not-found"}


def test_the_agreed_sheet_is_preferred_to_a_visible_copy(tmp_path: Path) -> None:
    def copy(book: Any) -> None:
        book.copy_worksheet(book["Lëndët"]).title = "Kopje"

    frame = _lendet(tmp_path, copy).tables["lendet"]
    assert frame["_part"].tolist() == ["Kopje", "Kopje", "Lëndët", "Lëndët"]


def test_a_sheet_that_reaches_far_keeps_its_lines_and_its_width() -> None:
    rows = [(1, ["a", None, ""]), (2, [None]), (3, ["", 2.0]), (20_000, ["", ""]), (60_000, [None, None, "x"])]
    sheet = workbook._make_sheet("s", True, rows)
    assert sheet.rows == [["a", "", ""], ["", "", ""], ["", "2", ""], ["", "", "x"]]
    assert sheet.lines == [1, 2, 3, 60_000]


def test_a_last_row_of_nothing_but_errors_is_reported(tmp_path: Path) -> None:
    def wrong(book: Any) -> None:
        sheet = book.active
        for column in range(1, 12):
            cell = sheet.cell(9, column, "#REF!")
            cell.data_type = "e"

    result = _lendet(tmp_path, wrong)
    assert {f["line"] for f in result.findings if f["rule"] == "cell-error"} == {9}


def test_a_workbook_with_two_parts_of_one_name_is_not_read(tmp_path: Path) -> None:
    _lendet(tmp_path)
    with zipfile.ZipFile(tmp_path / "raporti.xlsx", "a") as parts:
        parts.writestr("XL/worksheets/SHEET1.xml", "<worksheet/>")
    result = read("inspectorate", tmp_path)
    assert result.files["raporti.xlsx"] == "unreadable"
    assert "file-unsafe" in rules(result)


def test_a_part_without_a_name_does_not_stop_the_rebuilding(tmp_path: Path) -> None:
    _lendet(tmp_path)
    good = bytearray((tmp_path / "raporti.xlsx").read_bytes())
    good[10:10] = b"\xc3\xab"
    good[29:32] = b"\x00"
    (tmp_path / "raporti.xlsx").write_bytes(good)
    assert "file-failed" not in rules(read("inspectorate", tmp_path))
