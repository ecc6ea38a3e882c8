"""Cells that were read against the same files as Python's csv module and openpyxl read them: nothing of ours makes an expected value.

Every cell of every accepted row must be the cell of the file at that line and column; a broken row must be set aside, never shifted.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime, time
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from reader_world import PERSONAT, RASTET, lendet, police, read, shkk, text

from sources.readers.result import ReadResult, SourceFile
from sources.reading import read_delivery

SETS = (pytest.param("sample-2012", marks=pytest.mark.slow), "life-2014")
CODE_PAGES = {"2014-Q4": "utf-8", "2015-Q3": "cp852"}  # of life-2014, where another than windows-1250 or UTF-8 (README of the deliveries)


def rows_of(frame: pd.DataFrame) -> Iterator[tuple[str, int, dict[str, str]]]:
    """Part, line and cells by column of each accepted row."""
    columns = [c for c in frame.columns if not c.startswith("_")]
    for part, line, *cells in frame[["_part", "_line", *columns]].itertuples(index=False, name=None):
        yield part, int(line), {c: "" if pd.isna(v) else str(v) for c, v in zip(columns, cells, strict=True)}


def by_csv(data: bytes, encoding: str) -> dict[int, dict[str, str]]:
    """Physical line -> cells by header name, of rows with as many fields as the header; the header is the first row."""
    reader = csv.reader(io.StringIO(data.decode(encoding), newline=""), delimiter=";")
    head, out, line = next(reader), {}, reader.line_num
    for row in reader:
        if len(row) == len(head):
            out[line + 1] = dict(zip(head, row, strict=True))
        line = reader.line_num
    return out


def plain(cell: object) -> str:
    """A workbook's value as the contract says that it is delivered: days in ISO form, whole numbers as digits, text as it was delivered."""
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time(0) else cell.isoformat()
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def by_openpyxl(path: Path) -> dict[tuple[str, int], list[str]]:
    """Sheet and row -> cells."""
    book = openpyxl.load_workbook(path, data_only=True)
    return {(s.title, n): [plain(v) for v in row] for s in book.worksheets for n, row in enumerate(s.iter_rows(values_only=True), 1)}


def wrong_cells(result: ReadResult, path: Path) -> list[tuple[str, int, str]]:
    """Cells of a workbook's accepted rows that are otherwise and that no finding names."""
    sheet = by_openpyxl(path)
    actual = {(f.get("part"), f.get("line"), f.get("field")) for f in result.findings}
    places = {(p, f): c - 1 for p, f, c in result.layout[["part", "field", "column"]].itertuples(index=False, name=None)}
    return [
        (part, line, column)
        for frame in result.tables.values()
        for part, line, cells in rows_of(frame)
        for column, value in cells.items()
        if (part, column) in places and value != sheet[part, line][places[part, column]] and (part, line, column) not in actual
    ]


@pytest.mark.parametrize("name", SETS)
def test_every_cell_of_the_samples_police_files_is_the_file_s(name: str, shared: Path) -> None:
    compared = 0
    for folder in sorted((shared / "deliveries" / name / "inbox" / "police").iterdir()):
        result = read_delivery("police", [SourceFile(f.name, f) for f in sorted(folder.iterdir())])
        repaired = {
            (f.get("file"), f.get("line"), f.get("field")) for f in result.findings if "misread" in f["rule"] or "twice" in f["rule"]
        }
        for file in ("rastet.csv", "personat.csv"):
            data, frame = (folder / file).read_bytes(), result.tables[file.removesuffix(".csv")]
            code_page = CODE_PAGES.get(folder.name, "windows-1250") if name == "life-2014" else "windows-1250"
            try:
                clear = data.decode("utf-8-sig")
            except UnicodeDecodeError:
                clear = data.decode(code_page, errors="replace")
            if folder.name == "2014-Q4" and name == "life-2014":  # windows-1250 that was read as Latin-1
                clear = clear.encode("latin-1").decode("windows-1250")
            expected = by_csv(clear.encode("utf-8"), "utf-8")
            for _, line, cells in rows_of(frame[frame["_file"] == file]):
                for column, value in cells.items():
                    if column in expected.get(line, {}) and (file, line, column) not in repaired:
                        assert value == expected[line][column], (folder.name, file, line, column)
                        compared += 1
    assert compared > 10_000


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("institution", ["inspectorate", "corrections"])
def test_every_cell_of_the_samples_workbooks_is_the_sheet_s(institution: str, name: str, shared: Path) -> None:
    for folder in sorted((shared / "deliveries" / name / "inbox" / institution).iterdir()):
        for path in folder.glob("*.xlsx"):
            result = read_delivery(institution, [SourceFile(f.name, f) for f in sorted(folder.iterdir())])
            assert result.files[path.name] == "unreadable" or wrong_cells(result, path) == [], folder.name


@pytest.mark.parametrize(("institution", "write", "file"), [("inspectorate", lendet, "raporti.xlsx"), ("corrections", shkk, "shkk.xlsx")])
def test_every_cell_of_a_good_workbook_is_the_sheet_s(institution: str, write: object, file: str, tmp_path: Path) -> None:
    write(tmp_path / file)  # type: ignore[operator]
    assert wrong_cells(read(institution, tmp_path), tmp_path / file) == []


@pytest.mark.parametrize(("file", "lines"), [("rastet", RASTET), ("personat", PERSONAT)])
def test_no_broken_row_is_accepted_with_cells_in_other_columns(file: str, lines: tuple[str, ...], tmp_path: Path) -> None:
    """A delimiter too many, one too few, a quote before or behind a cell: in every place of one row."""
    good = list(by_csv(text(lines).encode("utf-8"), "utf-8").values())
    head, row = lines[0].split(";"), lines[2].split(";")
    broken = [";".join([*row[:k], "", *row[k:]]) for k in range(len(row) + 1)]
    broken += [";".join([*row[: k - 1], row[k - 1] + row[k], *row[k + 1 :]]) for k in range(1, len(row))]
    broken += [";".join([*row[:k], '"' + row[k], *row[k + 1 :]]) for k in range(len(row))]
    broken += [";".join([*row[:k], row[k] + '"', *row[k + 1 :]]) for k in range(len(row))]
    for n, line in enumerate(broken):
        data = text([*lines[:2], line, *lines[3:]]).encode("windows-1250")
        result = police(tmp_path / str(n), **{file: data})
        read_rows = [{c: cells[c].replace('"', "") for c in head} for _, _, cells in rows_of(result.tables[file])]
        kept = good if len(read_rows) == len(good) else [good[0], *good[2:]]
        assert read_rows == kept, line
        assert len(result.unreadable) == len(good) - len(read_rows)
