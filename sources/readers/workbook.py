"""Reads workbooks: the cells of all sheets become text. They are read by python-calamine, or by openpyxl if calamine fails; xls files by
xlrd.

Belongs here: sheets, converting cells to text, merged cells and hidden rows. Does not belong here: the zip archive (`workbook_parts`),
kinds of rows (`tabular`).
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from typing import Any, NamedTuple

import openpyxl
import pandas as pd
from openpyxl.utils.cell import column_index_from_string

from sources.contract import Contract, FileSpec, TableSpec
from sources.readers import files, headers, tabular, workbook_apart, workbook_parts
from sources.readers.file_reading import FileReading
from sources.readers.result import SourceFile
from sources.readers.workbook_parts import Overlay

_MOST_CELLS = 5_000_000  # a larger used range is caused by a stray cell far from the table
_MOST_COLUMNS = 60  # columns read by openpyxl; agreed sheets have fewer than a third of them
_MOST_BLANK = 10_000
_MOST_LETTERS = 256 << 20  # characters of all cells; a text stored once can fill every cell


class Sheet(NamedTuple):
    """A sheet as text. `rows` has rows of equal width, and `lines` the number of each row in the sheet (from 1)."""

    name: str
    visible: bool
    rows: list[list[str]]
    lines: Sequence[int]


def convert_cell_to_text(value: Any) -> str:
    """Return the value of a cell as text: dates in ISO form, integers as digits, text unchanged."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time(0) else value.isoformat()
    return value.isoformat() if isinstance(value, (date, time)) else str(value)


def _read_by_calamine(workbook_bytes: bytes, overlays: dict[str, Overlay]) -> list[Sheet] | None:
    """Read all sheets by calamine, or by xlrd for an xls file. Return None if the library cannot read the file or a sheet is too large.
    Errors in cells of an xls file are added to `overlays`."""
    if any(overlay.area > _MOST_CELLS for overlay in overlays.values()):
        return None
    read = workbook_apart.read_sheets_in_separate_process(workbook_bytes, _MOST_CELLS)
    if read is None:
        return None
    out = []
    for raw in read:
        if raw.errors:
            overlays.setdefault(raw.name, Overlay()).errors.update(raw.errors)
        if raw.lines is not None:
            out.append(_make_sheet(raw.name, raw.visible, zip(raw.lines, raw.rows, strict=True)))
            continue
        overlay = overlays.get(raw.name)
        overlaid = [row for row, _ in (*overlay.errors, *overlay.formulas)] if overlay else []  # calamine returns these as empty
        rows = _drop_trailing_blank_rows([[convert_cell_to_text(v) for v in row] for row in raw.rows], max(overlaid, default=-1) + 1)
        out.append(Sheet(raw.name, raw.visible, rows, range(1, len(rows) + 1)))
    return out


def _read_by_openpyxl(workbook_bytes: bytes) -> list[Sheet] | None:
    """Read the first columns of all sheets by openpyxl, as a stream. Return None if openpyxl cannot read the file."""
    try:
        with warnings.catch_warnings(action="ignore"):
            book = openpyxl.load_workbook(io.BytesIO(workbook_bytes), read_only=True, data_only=True, keep_links=False)
        out = []
        for sheet in book.worksheets:
            sheet.reset_dimensions()  # the stated dimensions may be wrong
            rows = enumerate(sheet.iter_rows(values_only=True, max_col=_MOST_COLUMNS), 1)
            out.append(_make_sheet(sheet.title, sheet.sheet_state == "visible", rows))
    except Exception:  # noqa: BLE001 - openpyxl raises many types on damaged files
        return None
    return out


def _make_sheet(name: str, visible: bool, rows: Iterable[tuple[int, Sequence[Any]]]) -> Sheet:
    """Make a sheet without trailing blank rows from a stream of numbered rows.

    Long runs of blank rows are skipped: there can be a million between a table and a stray cell at the end of the sheet.
    """
    kept: dict[int, list[str]] = {}
    for line, row in rows:
        if line < _MOST_BLANK or row.count(None) + row.count("") < len(row):
            cells = [convert_cell_to_text(v) for v in row]
            last = max((k + 1 for k, v in enumerate(cells) if v), default=0)
            if line < _MOST_BLANK or not tabular.is_blank(cells):
                kept[line] = cells[:last]
    width = max(map(len, kept.values()), default=0)
    out = _drop_trailing_blank_rows([row + [""] * (width - len(row)) for row in kept.values()])
    return Sheet(name, visible, out, list(kept)[: len(out)])


def _drop_trailing_blank_rows(rows: list[list[str]], minimum_rows: int = 0) -> list[list[str]]:
    """Return the rows up to the last one that is not blank, but at least the first `minimum_rows` rows."""
    last = len(rows)
    while last > minimum_rows and tabular.is_blank(rows[last - 1]):
        last -= 1
    return rows[:last]


def read(file: SourceFile, spec: FileSpec, contract: Contract, other_contracts: Sequence[Contract] = ()) -> FileReading:
    """Read the table of `spec` from all visible sheets that have its header. The column `_part` contains the name of the sheet, and `_line`
    the row of the sheet."""
    reading = FileReading(spec.name)
    data = files.load_file_bytes(file, reading)
    if data is None:
        return reading
    kind = workbook_parts.detect_workbook_type(data)
    if kind == "damaged":
        rebuilt = workbook_parts.rebuild_damaged_zip(data)
        if rebuilt:
            data, kind = rebuilt, workbook_parts.detect_workbook_type(rebuilt)
            reading.state = "partial"
            reading.add_finding("file-damaged")
    if kind in ("unsafe", "encrypted"):
        return reading.mark_unreadable(f"file-{kind}")
    if kind not in ("xlsx", "xls"):
        files.quarantine_all_lines(reading, data, "file-wrong-form")
        return reading.mark_unreadable("file-wrong-form", kind)
    sheets = read_sheets(data, kind, reading)
    if sheets is None:
        return reading.mark_unreadable("file-wrong-form", kind)
    if sum(len(cell) for sheet in sheets for row in sheet.rows for cell in row) > _MOST_LETTERS:
        return reading.mark_unreadable("file-unsafe")
    if kind != "xlsx":
        reading.add_finding("file-form-assumed", detail=kind)
    if workbook_parts.counts_days_from_1904(data):
        reading.add_finding("workbook-dates-1904")
    tables = [contract.tables[t] for t in spec.tables]
    sheets.sort(key=lambda sheet: sheet.name == spec.options.get("sheet"))  # the declared sheet last: its rows replace those of a copy
    took = sum([_read_sheet(sheet, tables, spec, reading) for sheet in sheets])
    if not took:
        _quarantine_all_sheets(sheets, reading, other_contracts)
    return reading


def read_sheets(workbook_bytes: bytes, kind: str, reading: FileReading) -> list[Sheet] | None:
    """Return all sheets of a workbook as text. In visible sheets, formulas, errors and merged cells are resolved. `kind`: xlsx or xls.
    Return None if no library can read the workbook."""
    overlays = workbook_parts.read_overlays(workbook_bytes) if kind == "xlsx" else {}
    sheets = _read_by_calamine(workbook_bytes, overlays)
    if sheets is None:
        sheets = _read_by_openpyxl(workbook_bytes)
    for sheet in sheets or ():
        overlay = overlays.get(sheet.name)
        if overlay and overlay.damaged and sheet.visible:
            reading.state = "partial"
            reading.add_finding("file-damaged", part=sheet.name)
        if overlay and sheet.visible and sheet.rows:
            _apply_overlay(sheet, overlay, reading)
    return sheets


def _quarantine_all_sheets(sheets: list[Sheet], reading: FileReading, other_contracts: Sequence[Contract]) -> None:
    """Quarantine all rows of a workbook in which no sheet has the agreed columns."""
    owner = files.find_institution_with_header([r for sheet in sheets for r in sheet.rows[:50]], list(other_contracts))
    rule = "file-foreign" if owner else "file-header-not-found"
    reading.structure.clear()
    reading.findings.clear()
    reading.unreadable.clear()
    for sheet in sheets:
        _quarantine_sheet(sheet, rule, reading)
    reading.rows = len(reading.unreadable)
    reading.mark_unreadable(rule, owner)


def _read_sheet(sheet: Sheet, tables: Sequence[TableSpec], spec: FileSpec, reading: FileReading) -> bool:
    """Read one sheet, and return whether it contains data."""
    name, rows = sheet.name, sheet.rows
    if not sheet.visible:
        reading.add_finding("sheet-hidden", part=name)
        return _record_sheet_as_structural(sheet, reading)
    if not rows:
        return False
    grid = tabular.CellGrid(rows, sheet.lines, lambda i: "\t".join(rows[i]).encode("utf-8", "replace"), part=name)
    grid.earlier = spec.options.get("earlier")
    if not tabular.read_grid(grid, tables, reading):
        return _classify_sheet_without_header(sheet, tables, reading)
    _add_column_names_to_findings(sheet, reading)
    declared = spec.options.get("sheet")
    if declared and declared != name:
        reading.add_finding("sheet-name", part=name, detail=declared)
    if spec.options.get("total") and not any(s["kind"] == "total" and s["part"] == name for s in reading.structure):
        _report_missing_total(name, reading)
    return True


def _report_missing_total(part: str, reading: FileReading) -> None:
    """Report that no total line was read, so that nothing confirms that the sheet is complete. The line is absent, or it is a formula
    without a stored value."""
    unread = (str(f.get("value")) for f in reading.findings if f["rule"] == "cell-formula-unread" and f.get("part") == part)
    if any(tabular.TOTAL.search(headers.normalise_name(formula)) for formula in unread):
        reading.add_finding("file-total-unreadable", part=part)
        return
    reading.state = "partial"
    reading.add_finding("file-total-missing", part=part)


def _classify_sheet_without_header(sheet: Sheet, tables: Sequence[TableSpec], reading: FileReading) -> bool:
    """Handle a sheet without the agreed header. If its rows are wide enough for records, they are quarantined; otherwise the sheet is a
    summary, a list or notes, and its rows are recorded as structural. Return False, since no data was read."""
    filled = pd.Series([sum(1 for c in row if c and not c.isspace()) for row in sheet.rows], dtype="int64")
    if filled[filled > 0].median() * 2 < min(len(t.columns) for t in tables):
        reading.add_finding("sheet-no-data", part=sheet.name)
        return _record_sheet_as_structural(sheet, reading)
    reading.state = "partial"
    reading.add_finding("file-header-not-found", part=sheet.name)
    _quarantine_sheet(sheet, "file-header-not-found", reading)
    reading.rows += len(sheet.rows)
    return False


def _quarantine_sheet(sheet: Sheet, rule: str, reading: FileReading) -> None:
    """Quarantine all rows of a sheet under `rule`."""
    for line, row in zip(sheet.lines, sheet.rows, strict=True):
        raw = "\t".join(row).encode("utf-8", "replace")
        where = {"part": sheet.name, "line": line, "table": None, "record_key": None}
        reading.unreadable.append({"file": reading.file, "rule": rule, "raw": raw, **where})


def _record_sheet_as_structural(sheet: Sheet, reading: FileReading) -> bool:
    """Record the rows of a sheet as structural, since they are not data. Return False, since no data was read."""
    reading.rows += len(sheet.rows)
    for line, row in zip(sheet.lines, sheet.rows, strict=True):
        reading.record_structural_row(line, "blank" if tabular.is_blank(row) else "sheet", sheet.name)
    return False


def _apply_overlay(sheet: Sheet, overlay: Overlay, reading: FileReading) -> None:
    """Add to a sheet what its stored values do not show (formulas without a value, errors, merged cells, hidden rows), with findings."""
    rows, width = sheet.rows, len(sheet.rows[0])
    place = {line - 1: i for i, line in enumerate(sheet.lines)}
    cached = 0
    for (row, column), formula in overlay.formulas.items():
        if row not in place or column >= width:
            continue
        if rows[place[row]][column]:
            cached += 1
            continue
        value = workbook_parts.evaluate_joined_literals(formula)
        rows[place[row]][column] = value or ""
        rule = "cell-formula-unread" if value is None else "cell-formula-evaluated"
        reading.add_finding(
            rule, part=sheet.name, line=row + 1, value=f"={formula}", detail=workbook_parts.write_cell_reference(row, column)
        )
    if cached:
        reading.add_finding("sheet-formulas", part=sheet.name, detail=str(cached))
    for (row, column), error in overlay.errors.items():
        if row in place and column < width:
            reading.add_finding(
                "cell-error", part=sheet.name, line=row + 1, value=error, detail=workbook_parts.write_cell_reference(row, column)
            )
    _fill_merged_cells(sheet, overlay, place, reading)
    if overlay.hidden_rows:
        reading.add_finding("rows-hidden", part=sheet.name, detail=", ".join(map(str, overlay.hidden_rows[:20])))


def _add_column_names_to_findings(sheet: Sheet, reading: FileReading) -> None:
    """Set the field of each finding on a single cell to the delivered name of its column. The `detail` of such a finding is the reference
    of the cell."""
    heads = [row["line"] for row in reading.structure if row["part"] == sheet.name and row["kind"] == "header"]
    header = sheet.rows[list(sheet.lines).index(heads[0])] if heads else []
    for finding in reading.findings:
        letters = re.match(r"[A-Z]{1,3}(?=\d+$)", str(finding.get("detail")))
        if finding["rule"].startswith("cell-") and finding.get("part") == sheet.name and letters:
            at = column_index_from_string(letters[0]) - 1
            finding["field"] = header[at].strip() if at < len(header) else None


def _fill_merged_cells(sheet: Sheet, overlay: Overlay, place: dict[int, int], reading: FileReading) -> None:
    """Copy the value of a cell that is merged over several rows of one column to each of these rows that is not blank."""
    rows, width = sheet.rows, len(sheet.rows[0])
    for top, left, bottom, right in overlay.merged:
        if top == bottom or left != right or left >= width or top not in place or not rows[place[top]][left]:
            continue
        for line in range(top + 1, min(bottom + 1, top + len(rows))):
            row = rows[place[line]] if line in place else []
            if row and not row[left] and not tabular.is_blank(row):
                row[left] = rows[place[top]][left]
                reading.add_finding("cell-merged", part=sheet.name, line=line + 1, detail=workbook_parts.write_cell_reference(line, left))
