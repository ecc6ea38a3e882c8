"""Workbooks: every sheet looked at, cells to text, by python-calamine where it can and openpyxl where it cannot.

Belongs here: sheets, cells as text, merged and hidden parts.
Does not belong here: what the zip holds (`workbook_parts`), row kinds (`tabular`).
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

import openpyxl
import python_calamine

from sources.contract import Contract, FileSpec, TableSpec
from sources.readers import files, tabular, workbook_parts
from sources.readers.piece import Piece
from sources.readers.result import SourceFile
from sources.readers.workbook_parts import Overlay

_MOST_CELLS = 20_000_000  # a used range beyond this is a stray cell far out, not a table
_MOST_COLUMNS = 100

Sheet = tuple[str, bool, list[list[str]]]  # name, visible, rows as text


def cell_text(value: Any) -> str:
    """A cell as text: days in ISO form, whole numbers as digits, text exactly as it stands."""
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


def _calamine(data: bytes, overlays: dict[str, Overlay]) -> list[Sheet] | None:
    """All sheets by calamine; None where it cannot read the file or a sheet reaches too far for it."""
    try:
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
        out = []
        for meta in book.sheets_metadata:
            if meta.typ != python_calamine.SheetTypeEnum.WorkSheet:
                continue
            overlay = overlays.get(meta.name)
            if overlay and overlay.area > _MOST_CELLS:
                return None
            sheet = book.get_sheet_by_name(meta.name)
            rows = [[cell_text(v) for v in row] for row in sheet.to_python(skip_empty_area=False)]
            out.append((meta.name, meta.visible == python_calamine.SheetVisibleEnum.Visible, _trim(rows)))
    except BaseException as error:
        # a panic of the library's Rust code is a BaseException of a class of its own
        if isinstance(error, (KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError)):
            raise
        return None
    return out


def _openpyxl(data: bytes) -> list[Sheet] | None:
    """All sheets by openpyxl, streamed, the first columns only; None where it cannot read the file."""
    try:
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
        out = []
        for sheet in book.worksheets:
            rows: list[list[str]] = []
            for row in sheet.iter_rows(values_only=True, max_col=_MOST_COLUMNS):
                rows.append([cell_text(v if not isinstance(v, timedelta) else str(v)) for v in row])
                if len(rows) > 1_048_576:
                    break
            width = max((k + 1 for r in rows for k, v in enumerate(r) if v), default=0)
            out.append((sheet.title, sheet.sheet_state == "visible", _trim([(r + [""] * width)[:width] for r in rows])))
    except Exception:  # noqa: BLE001 - whatever openpyxl trips over, the file cannot be read by it
        return None
    return out


def _trim(rows: list[list[str]]) -> list[list[str]]:
    """Rows up to the last that holds anything."""
    last = len(rows)
    while last and tabular.is_blank(rows[last - 1]):
        last -= 1
    return rows[:last]


def read(file: SourceFile, spec: FileSpec, contract: Contract, others: Sequence[Contract] = ()) -> Piece:
    """Read the table of `spec` from all visible sheets that have its header. `_part` is the sheet, `_line` the row of the sheet."""
    piece = Piece(spec.name)
    data = files.load(file, piece)
    if data is None:
        return piece
    kind = workbook_parts.kind(data)
    if kind == "unsafe":
        return piece.fail("file-unsafe")
    if kind == "encrypted":
        return piece.fail("file-encrypted")
    if kind == "text":
        files.quarantine_lines(piece, data, "file-wrong-form")
        return piece.fail("file-wrong-form", kind)
    overlays = workbook_parts.overlays(data) if kind == "xlsx" else {}
    sheets = _calamine(data, overlays)
    if sheets is None:
        sheets = _openpyxl(data)
    if sheets is None:
        return piece.fail("file-wrong-form", kind)
    if kind != "xlsx":
        piece.find("file-form-assumed", detail=kind)
    tables = [contract.tables[t] for t in spec.tables]
    took = sum([_sheet(sheet, overlays.get(sheet[0]), tables, spec, piece) for sheet in sheets])
    if not took:
        _nothing(sheets, piece, others)
    return piece


def _nothing(sheets: list[Sheet], piece: Piece, others: Sequence[Contract]) -> None:
    """No sheet has the agreed columns: all rows are set aside."""
    owner = files.owner([r for _, _, rows in sheets for r in rows[:50]], list(others))
    rule = "file-foreign" if owner else "file-header-not-found"
    piece.structure.clear()
    piece.findings.clear()
    for name, _, rows in sheets:
        for i, row in enumerate(rows, 1):
            raw = "\t".join(row).encode("utf-8", "replace")
            where = {"part": name, "line": i, "table": None, "record_key": None}
            piece.unreadable.append({"file": piece.file, "rule": rule, "raw": raw, **where})
    piece.rows = len(piece.unreadable)
    piece.fail(rule, owner)


def _sheet(sheet: Sheet, overlay: Overlay | None, tables: Sequence[TableSpec], spec: FileSpec, piece: Piece) -> bool:
    """One sheet into the piece; whether it is a sheet of data."""
    name, visible, rows = sheet
    if not visible:
        piece.find("sheet-hidden", part=name)
        return _no_data(name, rows, piece)
    if not rows:
        return False
    if overlay:
        _overlay(rows, overlay, name, piece)
    grid = tabular.Grid(rows, range(1, len(rows) + 1), lambda i: "\t".join(rows[i]).encode("utf-8", "replace"), part=name)
    if not tabular.read_grid(grid, tables, piece):
        piece.find("sheet-no-data", part=name)
        return _no_data(name, rows, piece)
    declared = spec.options.get("sheet")
    if declared and declared != name:
        piece.find("sheet-name", part=name, detail=declared)
    if spec.options.get("total") and not any(s["kind"] == "total" and s["part"] == name for s in piece.structure):
        piece.find("file-total-missing", part=name)
    return True


def _no_data(name: str, rows: list[list[str]], piece: Piece) -> bool:
    piece.rows += len(rows)
    for i, row in enumerate(rows, 1):
        piece.structural(i, "blank" if tabular.is_blank(row) else "sheet", name)
    return False


def _overlay(rows: list[list[str]], overlay: Overlay, part: str, piece: Piece) -> None:
    """Put in what the stored values do not show: formulas without a value, errors, merged cells, hidden rows."""
    width = len(rows[0])
    for (row, column), formula in overlay.formulas.items():
        if row < len(rows) and column < width and not rows[row][column]:
            value = workbook_parts.literal(formula)
            rows[row][column] = value or ""
            piece.find(
                "cell-formula-unread" if value is None else "cell-formula-evaluated", part=part, line=row + 1, detail=f"={formula}"[:80]
            )
    cached = sum(1 for (r, c), _ in overlay.formulas.items() if r < len(rows) and c < width and rows[r][c])
    if cached:
        piece.find("sheet-formulas", part=part, detail=str(cached))
    for (row, column), error in overlay.errors.items():
        if row < len(rows) and column < width:
            piece.find("cell-error", part=part, line=row + 1, detail=error)
    for top, left, bottom, right in overlay.merged:
        if bottom < len(rows) and top < bottom and left == right < width and rows[top][left]:
            for row in range(top + 1, bottom + 1):
                if not rows[row][left] and not tabular.is_blank(rows[row]):
                    rows[row][left] = rows[top][left]
                    piece.find("cell-merged", part=part, line=row + 1)
    if overlay.hidden_rows:
        piece.find("rows-hidden", part=part, detail=", ".join(map(str, overlay.hidden_rows[:20])))
