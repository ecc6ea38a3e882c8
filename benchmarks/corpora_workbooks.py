"""Does the reader of workbooks crash, stall, lose rows or misread cells? Goal: none.

    python -m benchmarks corpora_workbooks DIR...

Each DIR contains workbooks; the corpora are `test-data/spreadsheet` of github.com/apache/poi (commit a528d43: 812 files of every format,
encrypted, damaged, hostile) and `tests` of github.com/tafia/calamine (commit 263762c). They are not part of this repository. Each file is
read as the inspectorate's and as the correctional service's delivery, in a process limited to 2 GiB and 60 s.
"""

from __future__ import annotations

import io
import json
import math
import multiprocessing
import re
import resource
import sys
import warnings
from collections import Counter
from datetime import date, time, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import openpyxl
import xlrd

from sources.readers import workbook, workbook_parts
from sources.readers.file_reading import FileReading
from sources.readers.result import SourceFile, count_rows_by_file
from sources.reading import read_delivery

FORMS = {"inspectorate": "raporti.xlsx", "corrections": "shkk.xlsx"}
SUFFIXES = {".xlsx", ".xlsm", ".xltx", ".xls", ".xlsb", ".ods", ".bin", ".xml"}
MEMORY, SECONDS = 2 << 30, 60
MOST_CELLS = 50_000_000
MOST_COMPARED = 500_000  # cells of a sheet
BAD = ("lost", "failed", "slow", "raised", "died", "silent")


def filled(path: Path) -> int | None:
    """Rows with a value, over all sheets, as openpyxl reads them; None where it cannot, or not in a minute."""
    try:
        with warnings.catch_warnings(action="ignore"):
            book = openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
            if any((sheet.max_row or 0) * (sheet.max_column or 0) > MOST_CELLS for sheet in book.worksheets):
                return None  # openpyxl would walk through every one of them
            return sum(
                any(v is not None and str(v).strip() for v in row) for sheet in book.worksheets for row in sheet.iter_rows(values_only=True)
            )
    except BaseException:  # noqa: BLE001 - whatever it trips over
        return None


Cells = dict[tuple[str, int, int], Any]
"""Values by sheet, row and column, both from 0."""


def by_openpyxl(path: Path) -> Cells | None:
    """The filled cells of the visible sheets of an xlsx file; None where openpyxl cannot read it."""
    out: Cells = {}
    try:
        with warnings.catch_warnings(action="ignore"):
            book = openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
            for sheet in book.worksheets:
                sheet.reset_dimensions()  # what the file says of its size may be wrong
                if sheet.sheet_state != "visible" or (sheet.max_row or 0) * (sheet.max_column or 0) > MOST_COMPARED:
                    continue
                for n, row in enumerate(sheet.iter_rows(values_only=True)):
                    out.update({(sheet.title, n, k): v for k, v in enumerate(row) if v is not None and str(v).strip()})
    except BaseException:  # noqa: BLE001 - whatever it trips over
        return None
    return out


def by_xlrd(path: Path) -> Cells | None:
    """The filled cells of the visible sheets of an xls file; None where xlrd cannot read it."""
    out: Cells = {}
    try:
        book = xlrd.open_workbook(path, logfile=io.StringIO(), formatting_info=False)
        for sheet in (s for s in book.sheets() if s.visibility == 0):
            for n in range(sheet.nrows):
                for k, cell in enumerate(sheet.row(n)):
                    value = cell.value
                    if cell.ctype == xlrd.XL_CELL_DATE:
                        value = xlrd.xldate_as_datetime(value, book.datemode)
                    elif cell.ctype == xlrd.XL_CELL_BOOLEAN:
                        value = bool(value)
                    elif cell.ctype == xlrd.XL_CELL_ERROR:
                        value = xlrd.error_text_from_code.get(value, "#")
                    if cell.ctype not in (xlrd.XL_CELL_EMPTY, xlrd.XL_CELL_BLANK) and str(value).strip():
                        out[sheet.name, n, k] = value
    except BaseException:  # noqa: BLE001 - whatever it trips over
        return None
    return out


def agrees(text: str, value: Any) -> bool:
    """Whether a cell as text says what the oracle read."""
    text = text.strip()
    if isinstance(value, bool):
        return text == str(int(value))
    if isinstance(value, (int, float)):
        try:
            return math.isclose(float(text), float(value), rel_tol=1e-12, abs_tol=1e-300) or (math.isnan(value) and math.isnan(float(text)))
        except ValueError:
            return False
    if isinstance(value, (date, time, timedelta)):
        return _moment(text) == _moment(str(value))
    unescaped = re.sub("_x([0-9A-Fa-f]{4})_", lambda m: chr(int(m[1], 16)), str(value))  # openpyxl leaves `_x000d_`, which is a line end
    return " ".join(text.split()) in (" ".join(str(value).split()), " ".join(unescaped.split()))


def _moment(text: str) -> str:
    """A day, time or span in one form, to the second; a whole day without its time, a time without the day from which days are counted."""
    day, _, clock = re.sub(r"[.]\d+$", "", text.replace("T", " ")).partition(" ")
    if re.fullmatch("1899-12-(29|3[01])|1900-01-0[01]|1904-01-01", day):
        return clock or "00:00:00"
    return day if clock == "00:00:00" else f"{day} {clock}".strip()


def compared(path: Path) -> tuple[Counter[str], list[str]]:
    """How many cells agree, differ with a finding, and differ without one; and which."""
    data = path.read_bytes()
    kind = workbook_parts.detect_workbook_type(data)
    expected = {"xlsx": by_openpyxl, "xls": by_xlrd}.get(kind, lambda _: None)(path)
    reading = FileReading(path.name)
    sheets = workbook.read_sheets(data, kind, reading) if kind in ("xlsx", "xls") else None
    if expected is None or sheets is None:
        return Counter({"files that one of the two cannot read": 1}), []
    counted, unreported = Counter({"files compared": 1}), []
    told = {(f.get("part"), f.get("detail")) for f in reading.findings}
    sizes = {sheet.name: len(sheet.rows) * len(sheet.rows[0]) if sheet.rows else 0 for sheet in sheets if sheet.visible}
    found = {
        (sheet.name, line - 1, k): cell
        for sheet in sheets
        if sizes.get(sheet.name, MOST_COMPARED + 1) <= MOST_COMPARED
        for line, row in zip(sheet.lines, sheet.rows, strict=True)
        for k, cell in enumerate(row)
        if cell.strip()
    }
    both = {name for name, *_ in found} & {name for name, *_ in expected}
    for place in sorted({p for p in (*found, *expected) if p[0] in both}):
        text, value = found.get(place, ""), expected.get(place)
        if agrees(text, "" if value is None else value):
            counted["cells that agree"] += 1
        elif (place[0], workbook_parts.write_cell_reference(*place[1:])) in told:
            counted["cells that differ, told"] += 1
        else:
            counted["cells that differ unreported"] += 1
            unreported.append(f"{place[0]}!{workbook_parts.write_cell_reference(*place[1:])} {type(value).__name__}")
    return counted, unreported


def verdicts(path: str) -> dict[str, str]:
    """The outcome of one file, by institution."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    there = filled(Path(path)) if Path(path).suffix.lower() in (".xlsx", ".xlsm", ".xltx") else None
    return {institution: _verdict(path, institution, there) for institution in FORMS}


def values(path: str) -> tuple[Counter[str], list[str]]:
    """`compared`, within the limits of a file."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    return compared(Path(path))


def _verdict(path: str, institution: str, there: int | None) -> str:
    begun = monotonic()
    try:
        result = read_delivery(institution, [SourceFile(FORMS[institution], Path(path))])
    except BaseException as error:  # noqa: BLE001 - the point of it
        return f"raised {type(error).__name__}"
    seconds = monotonic() - begun
    book = count_rows_by_file(result)
    if (book["rows_read"] != book["data"] + book["structural"] + book["unreadable"]).any():
        return "lost"
    failed = [f["detail"] for f in result.findings if f["rule"] == "file-failed"]
    if failed:
        return f"failed {failed}"
    state = result.files[FORMS[institution]]
    if not result.findings:
        return "silent: nothing is said of a file that is none of this institution"
    looked = state != "unreadable" or "file-header-not-found" in {f["rule"] for f in result.findings}
    if there and looked and int(book["rows_read"].sum()) < there:
        return f"lost {there - int(book['rows_read'].sum())} of {there} rows"
    return f"{state} in {'time' if seconds < SECONDS else 'slow'}"


def main() -> int:
    """Judge every file; exit 1 where one is bad, or a cell differs unreported."""
    counted: Counter[str] = Counter()
    cells: Counter[str] = Counter()
    paths = [p for folder in sys.argv[1:] for p in sorted(Path(folder).rglob("*")) if p.is_file() and p.suffix.lower() in SUFFIXES]
    pool = multiprocessing.Pool(1)
    for path in paths:
        try:
            said = pool.apply_async(verdicts, (str(path),)).get(SECONDS + 30)
            number, unreported = pool.apply_async(values, (str(path),)).get(SECONDS + 30)
        except multiprocessing.TimeoutError:  # stalls, or the process died
            pool.terminate()
            pool = multiprocessing.Pool(1)
            said, number, unreported = {"both": "died or stalls"}, Counter(), []
        cells += number
        if unreported:
            print(path.name, len(unreported), "cells differ unreported:", *unreported[:4], flush=True)
        for institution, told in said.items():
            counted[" ".join(told.split()[:3])] += 1
            if told.startswith(BAD) or told.endswith("slow") or "-v" in sys.argv:
                print(path.name, institution, told, flush=True)
    pool.terminate()
    print(json.dumps({"deliveries": counted, "values": cells}, indent=1, sort_keys=True))
    return int(bool(cells["cells that differ unreported"]) or any(name.startswith(BAD) or name.endswith("slow") for name in counted))


if __name__ == "__main__":
    sys.exit(main())
