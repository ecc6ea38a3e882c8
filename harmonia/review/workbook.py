"""Write the workbook in which stewards judge pairs.

Belongs here: its sheets and columns, the checksum of a row, writing it. Does not belong here: which pairs it contains, reading it
(`intake`).

The workbook has one row per pair. The columns that identify the pair are protected. A checksum over the shown fields of a row reveals
changes when the workbook is imported. Stewards fill in the columns verdict (chosen from a list), why and steward. Delivered texts are
written as text, never as formulas. A workbook for a blind sample shows no weight and no decision.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from openpyxl import Workbook
from openpyxl.cell.cell import Cell
from openpyxl.styles import Alignment, Font, PatternFill, Protection
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from harmonia.errors import HarmoniaError, convert_storage_errors
from harmonia.review.judgements import VERDICTS
from harmonia.review.pairs import PAIR
from schemas.yaml_declarations import read_yaml

PAIRS, ABOUT = "Pairs", "About"
FORMAT = "harmonia-review-1"
ID_COLUMNS = ["pair", *PAIR, "checksum"]
ANSWERS = ["verdict", "why", "steward"]
SHOWN = ["weight", "decision", "contradiction", "moves"]
INSTRUCTIONS = Path(__file__).parent / "instructions.yaml"
_PRIVATE = 0o600
_MAX_CELL_LENGTH = 32_000
_OPEN_FILL = PatternFill("solid", fgColor="FFF2CC")
_HEAD_FILL = PatternFill("solid", fgColor="D9E1F2")
_WIDTHS = {"pair": 22, "entity": 8, "checksum": 10, "why": 40, "steward": 18, "verdict": 12}


@dataclass(frozen=True)
class WorkbookOrigin:
    """The origin of a workbook.

    `mark` identifies the registry of the home, `run` is the published run, and `model` is the version of the linkage model. `sample` is
    the number of the blind sample, or 0 if the pairs are not from a sample.
    """

    mark: str
    run: int
    model: str
    sample: int


def compute_row_checksums(rows: pd.DataFrame, columns: Sequence[str]) -> pd.Series:
    """Compute a short checksum of each row over `columns`. It reveals accidental changes, but does not protect against forgery."""
    joined = (
        "\0".join(f"{c}={'' if v is None else v}" for c, v in zip(columns, row, strict=True))
        for row in rows[list(columns)].itertuples(index=False, name=None)
    )
    return pd.Series([hashlib.sha256(text.encode("utf-8")).hexdigest()[:8] for text in joined], index=rows.index, dtype="str")


def write_workbook(path: Path, rows: pd.DataFrame, fields: Sequence[str], about: WorkbookOrigin) -> None:
    """Write a workbook with one row for each pair to the new file `path` (mode 0600).

    `rows` has the columns pair (id), `PAIR`, `<field> a` and `<field> b` for each of `fields`, and those columns of `SHOWN` that stewards
    may see. Raises `HarmoniaError` if the file exists already or cannot be written.
    """
    if path.suffix.lower() != ".xlsx":
        raise HarmoniaError(f"{path}: the file name must end in .xlsx")
    sides = [f"{field} {side}" for field in fields for side in "ab"]
    shown = [c for c in SHOWN if c in rows.columns]
    rows = rows.assign(**{side: rows[side].map(flatten_text).astype("str") for side in sides})
    frame = rows.assign(checksum=compute_row_checksums(rows, ["pair", *PAIR, *sides]), **dict.fromkeys(ANSWERS, ""))
    book = Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    sheet.title = PAIRS
    _write_pairs_into_sheet(sheet, frame[["pair", *ANSWERS, *sides, *shown, *PAIR, "checksum"]])
    _write_instructions(book)
    _write_origin(book, about)
    content = io.BytesIO()
    book.save(content)
    with convert_storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
        except FileExistsError:
            raise HarmoniaError(f"{path}: exists already and may contain a steward's work: name another file, or remove it") from None
        with os.fdopen(file, "wb") as out:
            out.write(content.getvalue())


def _write_cell_as_text(sheet: Worksheet, row: int, column: int, value: Any) -> Cell:
    """Write `value` into a cell and return the cell. A text that looks like a formula is stored as text."""
    cell = sheet.cell(row, column)
    assert isinstance(cell, Cell)
    cell.value = value
    if isinstance(value, str):
        cell.data_type, cell.number_format = "s", "@"
    return cell


def flatten_text(text: str) -> str:
    """Return `text` on one line, without unprintable characters, cut to the maximum length of a cell."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())[:_MAX_CELL_LENGTH]


def _write_pairs_into_sheet(sheet: Worksheet, frame: pd.DataFrame) -> None:
    answers = [n for n, c in enumerate(frame.columns, start=1) if c in ANSWERS]
    for n, name in enumerate(frame.columns, start=1):
        head = _write_cell_as_text(sheet, 1, n, str(name))
        head.font, head.fill, head.alignment = Font(bold=True), _HEAD_FILL, Alignment(wrap_text=True, vertical="top")
        sheet.column_dimensions[get_column_letter(n)].width = _WIDTHS.get(str(name), 20)
    for number, row in enumerate(frame.itertuples(index=False, name=None), start=2):
        for n, value in enumerate(row, start=1):
            cell = _write_cell_as_text(sheet, number, n, None if value is None or value != value else value)
            if n in answers:
                cell.fill, cell.protection = _OPEN_FILL, Protection(locked=False)
    last = max(len(frame) + 1, 2)
    column = get_column_letter(list(frame.columns).index("verdict") + 1)
    choice = DataValidation(type="list", formula1=f'"{",".join(VERDICTS)}"', allow_blank=True, showErrorMessage=True)
    choice.error, choice.errorTitle = f"one of: {', '.join(VERDICTS)}", "verdict"
    sheet.add_data_validation(choice)
    choice.add(f"{column}2:{column}{last}")
    sheet.freeze_panes = "E2"
    sheet.auto_filter.ref = f"A1:{get_column_letter(frame.shape[1])}{last}"
    sheet.protection.sheet = True
    sheet.protection.formatColumns = sheet.protection.autoFilter = sheet.protection.sort = False  # False: allowed


def _write_instructions(book: Workbook) -> None:
    texts: dict[str, list[str]] = read_yaml(INSTRUCTIONS)
    sheet = book.create_sheet("Udhëzime – Uputstvo – Help")
    sheet.column_dimensions["A"].width = 120
    row = 1
    for lines in texts.values():
        for n, line in enumerate(lines):
            cell = _write_cell_as_text(sheet, row, 1, line)
            cell.alignment, cell.font = Alignment(wrap_text=True, vertical="top"), Font(bold=n == 0)
            row += 1
        row += 1
    sheet.protection.sheet = True


def _write_origin(book: Workbook, about: WorkbookOrigin) -> None:
    sheet = book.create_sheet(ABOUT)
    values = {"format": FORMAT, "home": about.mark, "run": str(about.run), "model": about.model, "sample": str(about.sample)}
    for row, (name, value) in enumerate(values.items(), start=1):
        _write_cell_as_text(sheet, row, 1, name)
        _write_cell_as_text(sheet, row, 2, value)
    sheet.protection.sheet = True
    sheet.sheet_state = "hidden"
