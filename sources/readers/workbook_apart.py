"""Sheets of a workbook by calamine, in a process of its own with little memory and time.

The library lays out a sheet from its first to its last cell, and ends the process where memory does not suffice: a small file with a stray
cell far out would end every run. Belongs here: that process, its limits, the plain values that come back. Does not belong here: text of
cells (`workbook`). Run as a script this file is that process, so it imports nothing of ours.
"""

from __future__ import annotations

import io
import pickle
import resource
import sys
from typing import Any, NamedTuple

_MEMORY = 2 << 30  # bytes: a sheet of the old form with a cell in its last corner takes 1.4 GiB
_SECONDS = 120
_OLD = b"\xd0\xcf\x11\xe0"


class Raw(NamedTuple):
    """A sheet: its rows as values from the first row of the sheet on; where `lines` are given only those that hold anything, with their
    numbers from 1. `errors` (row and column from 0 -> the error): cells of the old form that calamine shows as empty."""

    name: str
    visible: bool
    rows: list[list[Any]]
    lines: list[int] | None
    errors: dict[tuple[int, int], str]


def sheets(data: bytes, most_cells: int) -> list[Raw] | None:
    """All sheets; of one that reaches beyond `most_cells` the filled rows. None where calamine cannot read them within the limits."""
    import subprocess  # not in the other process, which starts sooner without

    command = [sys.executable, "-I", __file__, str(most_cells)]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=_SECONDS, check=False)  # noqa: S603 this file
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if done.returncode else [Raw(*sheet) for sheet in pickle.loads(done.stdout)]  # noqa: S301 what this file wrote


def _errors(data: bytes) -> dict[str, dict[tuple[int, int], str]]:
    """Cells of a workbook of the old form that hold an error, by sheet; none where xlrd cannot read it."""
    if not data.startswith(_OLD):
        return {}
    import xlrd

    try:
        book = xlrd.open_workbook(file_contents=data, logfile=io.StringIO())
        return {
            sheet.name: {
                (n, k): xlrd.error_text_from_code.get(sheet.cell_value(n, k), "#")
                for n in range(sheet.nrows)
                for k, kind in enumerate(sheet.row_types(n))
                if kind == xlrd.XL_CELL_ERROR
            }
            for sheet in book.sheets()
        }
    except Exception:  # noqa: BLE001 - whatever xlrd trips over, calamine has read the file
        return {}


def _read(data: bytes, most_cells: int) -> list[tuple[Any, ...]]:
    import python_calamine

    book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
    out, errors = [], _errors(data)
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
        out.append((meta.name, meta.visible == python_calamine.SheetVisibleEnum.Visible, rows, lines, errors.get(meta.name, {})))
    return out


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.stdout.buffer.write(pickle.dumps(_read(sys.stdin.buffer.read(), int(sys.argv[1]))))
