"""Read a review workbook that stewards filled in. Decide which of its rows can be entered, and why others cannot.

Belongs here: reading a workbook that `workbook` wrote and that any program saved; validating its rows. Does not belong here: writing the
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
from harmonia.review.judgements import VERDICTS, normalise_steward_names, normalise_steward_or_reason
from harmonia.review.pairs import ENTITIES, PAIR, compute_pair_ids, order_pairs
from harmonia.review.workbook import ABOUT, ANSWERS, FORMAT, ID_COLUMNS, PAIRS, WorkbookOrigin, compute_row_checksums, flatten_text

MAX_BYTES = 50_000_000
_REMEDY = "use the workbook that `harmonia review export` wrote, saved as .xlsx"


@dataclass(frozen=True)
class FilledReview:
    """The content of a filled workbook.

    `about` says from which home, run and sample the workbook was exported. `rows` has the columns row (its number in the sheet),
    `ID_COLUMNS`, `ANSWERS` and `shown`, all but the first as text. `shown` names the columns with fields of the two records. `origin` is
    the SHA-256 of the file. `formulas` has row and column of each cell that contains a formula.
    """

    about: WorkbookOrigin
    rows: pd.DataFrame
    shown: list[str]
    origin: str
    formulas: pd.DataFrame


def read_workbook(path: Path) -> FilledReview:
    """Read a filled workbook. Raises `HarmoniaError` if `write_workbook` did not write the file, or if its columns were changed."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise HarmoniaError(f"{path}: cannot be read ({error.strerror}): check the path") from error
    book = _load_workbook(path, content)
    for name in (PAIRS, ABOUT):
        if name not in book.sheetnames:
            raise HarmoniaError(f"{path}: has no sheet {name}, so it is not a review workbook: {_REMEDY}")
    about = _read_workbook_origin(path, book[ABOUT])
    lines = [[_convert_cell_to_text(c.value) for c in row] for row in book[PAIRS].iter_rows()]
    header = [flatten_text(name) for name in lines.pop(0)] if lines else []
    absent = [c for c in (*ID_COLUMNS, *ANSWERS) if c not in header]
    if absent or len({h for h in header if h}) != len([h for h in header if h]):
        raise HarmoniaError(
            f"{path}: the columns were changed ({', '.join(absent) or 'one is repeated'}): export again and copy the verdicts over"
        )
    columns = [n for n, name in enumerate(header) if name]
    rows = pd.DataFrame([[line[n] for n in columns] for line in lines], columns=[header[n] for n in columns], dtype="str")
    for column in rows.columns.difference(PAIR):
        rows[column] = rows[column].map(flatten_text).astype("str")
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


def _read_workbook_origin(path: Path, sheet: Any) -> WorkbookOrigin:
    values = {
        _convert_cell_to_text(row[0].value): _convert_cell_to_text(row[1].value) for row in sheet.iter_rows(max_col=2) if len(row) == 2
    }
    numbers = [values.get(name, "") for name in ("run", "sample")]
    if values.get("format") != FORMAT or not all(number.isascii() and number.isdigit() for number in numbers):
        raise HarmoniaError(f"{path}: was not made by this version of Harmonia (sheet {ABOUT}): export again and copy the verdicts over")
    return WorkbookOrigin(values.get("home", ""), int(numbers[0]), values.get("model", ""), int(numbers[1]))


def _convert_cell_to_text(value: Any) -> str:
    """Convert the value of a cell to text; a whole number that a program stored as a float loses its decimal point."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def validate_verdicts(filled_review: FilledReview, now: pd.DataFrame, missing: pd.Series) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """Decide which rows of a filled workbook can be entered.

    `now` has, for each row of `filled_review.rows`, the fields of the two records as they are now, in the columns `filled_review.shown`;
    they are null if the pair is unknown. `missing` has, for each row, the name of a record of the pair that is no longer delivered; it is
    empty if both records are delivered.
    Returns the judgements to enter (`PAIR`, verdict, steward, why), the refused rows (row, pair, why_not) and the number of rows without
    a verdict.
    """
    rows = filled_review.rows
    verdict = rows["verdict"].str.casefold()
    blank = verdict == ""
    why_not = pd.Series("", index=rows.index, dtype="str")

    def refuse_rows(wrong: pd.Series, text: pd.Series | str) -> None:
        nonlocal why_not
        why_not = why_not.mask((why_not == "") & wrong, text)

    formulas = filled_review.formulas.groupby("row")["column"].agg(", ".join)
    changed = _find_changed_rows(filled_review)
    refuse_rows(
        rows["row"].isin(formulas.index),
        "contains a formula (" + rows["row"].map(formulas).astype("str").fillna("") + "): enter the plain value",
    )
    refuse_rows(changed, "the pair or its fields were changed in the file: export again and enter the verdict there")
    refuse_rows(
        ~blank & ~verdict.isin(VERDICTS), "verdict [" + rows["verdict"].str[:40] + f"] is unknown: use one of {', '.join(VERDICTS)}"
    )
    refuse_rows(~blank & (rows["steward"] == ""), "the column steward is empty: enter who judged")
    refuse_rows(blank & ((rows["why"] != "") | (rows["steward"] != "")), "has a reason or a steward but no verdict: choose one")
    refuse_rows(~blank & (missing != ""), missing + " is no longer delivered: nothing to judge")
    stale = (now[filled_review.shown].fillna("") != rows[filled_review.shown]).any(axis=1)
    refuse_rows(
        ~blank & stale,
        f"the records have changed since run {filled_review.about.run}, from which the file was made: export again and review the pair",
    )
    for column in ("steward", "why"):
        wrong = pd.Series([_describe_text_error(column, value) for value in rows[column]], index=rows.index, dtype="str")
        refuse_rows(~blank & (wrong != ""), wrong)
    twice = rows.assign(who=normalise_steward_names(rows["steward"])).duplicated(["pair", "who"], keep=False) & ~blank & (why_not == "")
    refuse_rows(twice, "the pair is in the file more than once: keep one row")
    good = ~blank & (why_not == "")
    entered = order_pairs(rows.loc[good, PAIR]).assign(verdict=verdict[good], why=rows.loc[good, "why"], steward=rows.loc[good, "steward"])
    refused = rows.loc[why_not != "", ["row", "pair"]].assign(why_not=why_not[why_not != ""])
    return entered, refused, int((blank & (why_not == "")).sum())


def _find_changed_rows(filled_review: FilledReview) -> pd.Series:
    """Return for each row whether its pair, or the fields of its records, were changed in the file."""
    rows = filled_review.rows
    is_unchanged = compute_row_checksums(rows, ["pair", *PAIR, *filled_review.shown]) == rows["checksum"]
    is_pair = rows["entity"].isin(ENTITIES) & (compute_pair_ids(rows) == rows["pair"])
    return ~(is_unchanged & is_pair)


def _describe_text_error(column: str, value: str) -> str:
    """Return what is wrong with the value of the column `why` or `steward`. The text is empty if the value is right or missing."""
    try:
        normalise_steward_or_reason(column, value)
    except HarmoniaError as error:
        return str(error) if value else ""
    return ""
