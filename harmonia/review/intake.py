"""Read a review workbook that stewards filled in, and decide which of its rows can be entered, and why the others cannot.

Belongs here: reading a workbook that `workbook` wrote and any program saved, validating its rows. Does not belong here: writing the
workbook, linkage.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd

from harmonia.errors import HarmoniaError
from harmonia.review.judgements import VERDICTS, normalise_text, steward_key
from harmonia.review.pairs import ENTITIES, PAIR, order_pairs, pair_ids
from harmonia.review.workbook import ABOUT, ANSWERS, FORMAT, ID_COLUMNS, PAIRS, WorkbookOrigin, flat_text, row_checksums

MAX_BYTES = 50_000_000
_REMEDY = "use the workbook that `harmonia review export` wrote, saved as .xlsx"


@dataclass(frozen=True)
class FilledReview:
    """The content of a filled workbook.

    about: from which home, run and sample it was exported. rows: row (its number in the sheet), `ID_COLUMNS`, `ANSWERS` and the columns
    `shown`, all text. shown: the columns with fields of the two records. origin: SHA-256 of the file. formulas: row and column of the cells
    with formulas.
    """

    about: WorkbookOrigin
    rows: pd.DataFrame
    shown: list[str]
    origin: str
    formulas: pd.DataFrame


def read_workbook(path: Path) -> FilledReview:
    """Read a filled workbook. Raises `HarmoniaError` if it is not one that `write_workbook` wrote, or its columns were changed."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise HarmoniaError(f"{path}: cannot be read ({error.strerror}): check the path") from error
    book = _load_workbook(path, content)
    for name in (PAIRS, ABOUT):
        if name not in book.sheetnames:
            raise HarmoniaError(f"{path}: has no sheet {name}, so it is not a review workbook: {_REMEDY}")
    about = _read_about(path, book[ABOUT])
    lines = [[_cell_text(c.value) for c in row] for row in book[PAIRS].iter_rows()]
    header = [flat_text(name) for name in lines.pop(0)] if lines else []
    absent = [c for c in (*ID_COLUMNS, *ANSWERS) if c not in header]
    if absent or len({h for h in header if h}) != len([h for h in header if h]):
        raise HarmoniaError(
            f"{path}: the columns were changed ({', '.join(absent) or 'one is repeated'}): export again and copy the verdicts over"
        )
    columns = [n for n, name in enumerate(header) if name]
    rows = pd.DataFrame([[line[n] for n in columns] for line in lines], columns=[header[n] for n in columns], dtype="str")
    for column in rows.columns.difference(PAIR):
        rows[column] = rows[column].map(flat_text).astype("str")
    rows.insert(0, "row", range(2, len(rows) + 2))
    shown = [c for c in rows.columns if c.endswith((" a", " b"))]
    cells = (
        (row, name, cell) for row, line in enumerate(book[PAIRS].iter_rows(min_row=2), 2) for name, cell in zip(header, line, strict=True)
    )
    formulas = [(row, name) for row, name, cell in cells if cell.data_type == "f"]
    rows = rows[(rows.drop(columns="row") != "").any(axis=1)].reset_index(drop=True)
    return FilledReview(about, rows, shown, hashlib.sha256(content).hexdigest(), pd.DataFrame(formulas, columns=["row", "column"]))


def _load_workbook(path: Path, content: bytes) -> openpyxl.Workbook:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            size = sum(part.file_size for part in parts.infolist())
        if max(size, len(content)) > MAX_BYTES * 4:
            raise HarmoniaError(f"{path}: unpacks to {size:,} bytes, too large for a review workbook: {_REMEDY}")
        return openpyxl.load_workbook(io.BytesIO(content))
    except HarmoniaError:
        raise
    except Exception as error:  # noqa: BLE001 - openpyxl raises many kinds of errors on damaged files
        raise HarmoniaError(f"{path}: is not a readable workbook ({type(error).__name__}): {_REMEDY}") from None


def _read_about(path: Path, sheet: Any) -> WorkbookOrigin:
    values = {_cell_text(row[0].value): _cell_text(row[1].value) for row in sheet.iter_rows(max_col=2) if len(row) == 2}
    numbers = [values.get(name, "") for name in ("run", "sample")]
    if values.get("format") != FORMAT or not all(number.isascii() and number.isdigit() for number in numbers):
        raise HarmoniaError(f"{path}: was not made by this version of Harmonia (sheet {ABOUT}): export again and copy the verdicts over")
    return WorkbookOrigin(values.get("home", ""), int(numbers[0]), values.get("model", ""), int(numbers[1]))


def _cell_text(value: Any) -> str:
    """Convert the value of a cell to text; whole numbers lose the decimal point that some programs add."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def validate_verdicts(filled: FilledReview, now: pd.DataFrame, missing: pd.Series) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """Decide which rows of a filled workbook can be entered.

    now: for each row of `filled.rows`, the fields of the pair as they are now (columns `filled.shown`; null if the pair is unknown).
    missing: for each row, the record of the pair that is no longer delivered; empty if both are.
    Returns the judgements to enter (`PAIR`, verdict, steward, why), the refused rows (row, pair, why_not) and the number of rows without a
    verdict.
    """
    rows = filled.rows
    verdict = rows["verdict"].str.casefold()
    blank = verdict == ""
    why_not = pd.Series("", index=rows.index, dtype="str")

    def refuse(wrong: pd.Series, text: pd.Series | str) -> None:
        nonlocal why_not
        why_not = why_not.mask((why_not == "") & wrong, text)

    formulas = filled.formulas.groupby("row")["column"].agg(", ".join)
    changed = _changed_rows(filled)
    refuse(
        rows["row"].isin(formulas.index),
        "contains a formula (" + rows["row"].map(formulas).astype("str").fillna("") + "): enter the plain value",
    )
    refuse(changed, "the pair or its fields were changed in the file: export again and enter the verdict there")
    refuse(~blank & ~verdict.isin(VERDICTS), "verdict [" + rows["verdict"].str[:40] + f"] is unknown: use one of {', '.join(VERDICTS)}")
    refuse(~blank & (rows["steward"] == ""), "the column steward is empty: enter who judged")
    refuse(blank & ((rows["why"] != "") | (rows["steward"] != "")), "has a reason or a steward but no verdict: choose one")
    refuse(~blank & (missing != ""), missing + " is no longer delivered: nothing to judge")
    stale = (now[filled.shown].fillna("") != rows[filled.shown]).any(axis=1)
    refuse(
        ~blank & stale,
        f"the records have changed since run {filled.about.run}, from which the file was made: export again and review the pair",
    )
    for column in ("steward", "why"):
        wrong = pd.Series([_text_error(column, value) for value in rows[column]], index=rows.index, dtype="str")
        refuse(~blank & (wrong != ""), wrong)
    twice = rows.assign(who=steward_key(rows["steward"])).duplicated(["pair", "who"], keep=False) & ~blank & (why_not == "")
    refuse(twice, "the pair is in the file more than once: keep one row")
    good = ~blank & (why_not == "")
    entered = order_pairs(rows.loc[good, PAIR]).assign(verdict=verdict[good], why=rows.loc[good, "why"], steward=rows.loc[good, "steward"])
    refused = rows.loc[why_not != "", ["row", "pair"]].assign(why_not=why_not[why_not != ""])
    return entered, refused, int((blank & (why_not == "")).sum())


def _changed_rows(filled: FilledReview) -> pd.Series:
    """Return for each row whether it was changed in the file, in the pair or in the fields of its records."""
    rows = filled.rows
    is_unchanged = row_checksums(rows, ["pair", *PAIR, *filled.shown]) == rows["checksum"]
    is_pair = rows["entity"].isin(ENTITIES) & (pair_ids(rows) == rows["pair"])
    return ~(is_unchanged & is_pair)


def _text_error(column: str, value: str) -> str:
    """Describe what is wrong with the value of the column `why` or `steward`; empty if it is right or missing."""
    try:
        normalise_text(column, value)
    except HarmoniaError as error:
        return str(error) if value else ""
    return ""
