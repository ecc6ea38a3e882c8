"""Reads the sheets of a workbook by calamine (xls files: xlrd) in a separate process with limited memory and time.

Calamine allocates memory for a sheet from its first to its last cell, and aborts the process if memory runs out. So a small file with one
cell far outside the table would abort every run. Belongs here: that process, its limits, and the plain values that it returns. Does not
belong here: converting cells to text (`workbook`). The process runs this file as a script, so the file imports nothing from Harmonia.
"""

from __future__ import annotations

import contextlib
import io
import pickle
import resource
import sys
from typing import Any, NamedTuple

_MEMORY = 2 << 30  # bytes: an xls sheet with a cell in its last corner takes 1.4 GiB
_SECONDS = 120
_XLS_START = b"\xd0\xcf\x11\xe0"
_LAST_DAY = 2_958_466  # last day of the year 9999


class RawSheet(NamedTuple):
    """The values of a sheet. `rows` has the rows. `lines` is None if `rows` has all rows from the first on; if only filled rows are kept,
    it has their numbers, from 1. `errors` has the errors in cells of an xls file, by row and column, from 0."""

    name: str
    visible: bool
    rows: list[list[Any]]
    lines: list[int] | None
    errors: dict[tuple[int, int], str]


def read_sheets_in_separate_process(data: bytes, most_cells: int) -> list[RawSheet] | None:
    """Read all sheets of a workbook in a separate process. If a sheet has more than `most_cells` cells, only its filled rows are returned.
    Return None if the workbook cannot be read within the limits."""
    import subprocess  # not needed in the child process, which starts faster without it

    command = [sys.executable, "-I", __file__, str(most_cells)]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=_SECONDS, check=False)  # noqa: S603 this file
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if done.returncode else [RawSheet(*sheet) for sheet in pickle.loads(done.stdout)]  # noqa: S301 what this file wrote


def _read_xls(data: bytes, most_cells: int) -> list[tuple[Any, ...]]:
    """Return all sheets of an xls workbook, read by xlrd, as tuples of the fields of `RawSheet`. Errors of xlrd are not caught."""
    import xlrd

    def value(kind: int, cell: Any) -> Any:
        if kind == xlrd.XL_CELL_DATE and 0 <= cell < _LAST_DAY:
            moment = xlrd.xldate_as_datetime(cell, book.datemode)
            return moment.time() if cell < 1 else moment
        return "" if kind == xlrd.XL_CELL_ERROR else bool(cell) if kind == xlrd.XL_CELL_BOOLEAN else cell

    book = xlrd.open_workbook(file_contents=data, logfile=io.StringIO(), ragged_rows=True)
    out: list[tuple[Any, ...]] = []
    for sheet in book.sheets():
        errors = {}
        rows: list[list[Any]] = []
        for n in range(sheet.nrows):
            cells = list(zip(sheet.row_types(n), sheet.row_values(n), strict=True))
            errors.update(
                {(n, k): xlrd.error_text_from_code.get(v, "#") for k, (kind, v) in enumerate(cells) if kind == xlrd.XL_CELL_ERROR}
            )
            rows.append([value(*cell) for cell in cells])
        width = max(map(len, rows), default=0)
        lines = None
        if len(rows) * width > most_cells:
            lines = [n for n, row in enumerate(rows, 1) if any(cell != "" for cell in row)]
            rows = [rows[n - 1] for n in lines]
        else:
            rows = [row + [""] * (width - len(row)) for row in rows]
        out.append((sheet.name, sheet.visibility == 0, rows, lines, errors))
    return out


def _read_sheets(data: bytes, most_cells: int) -> list[tuple[Any, ...]]:
    """Return all sheets of a workbook as tuples of the fields of `RawSheet`. An xls file is read by xlrd if xlrd can read it; every other
    file is read by calamine."""
    if data.startswith(_XLS_START):
        with contextlib.suppress(Exception):  # calamine may read what xlrd cannot
            return _read_xls(data, most_cells)
    import python_calamine

    book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
    out: list[tuple[Any, ...]] = []
    for meta in book.sheets_metadata:
        if meta.typ != python_calamine.SheetTypeEnum.WorkSheet:
            continue
        sheet = book.get_sheet_by_name(meta.name)
        lines = None
        if sheet.end and (sheet.end[0] + 1) * (sheet.end[1] + 1) > most_cells:
            left = [""] * (sheet.start or (0, 0))[1]  # columns before the first filled one, which are not streamed
            filled = [(n, [*left, *row]) for n, row in enumerate(sheet.iter_rows(), 1) if any(cell != "" for cell in row)]
            lines, rows = [n for n, _ in filled], [row for _, row in filled]
        else:
            rows = sheet.to_python(skip_empty_area=False)
        out.append((meta.name, meta.visible == python_calamine.SheetVisibleEnum.Visible, rows, lines, {}))
    return out


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.stdout.buffer.write(pickle.dumps(_read_sheets(sys.stdin.buffer.read(), int(sys.argv[1]))))
