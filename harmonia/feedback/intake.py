"""Reads a filled workbook: the answers that can be entered, and for every other row the reason why not.

Belongs here: reading the workbook that `workbook` wrote, saved as xlsx or ods by any program, and validating its rows. Does not belong
here: writing it, the effect of an answer on a finding (`answers`).

Sheets are recognised by their headers, in any of the three languages, and rows by their finding id: both may be sorted, filtered or
left out. A workbook with formulas is refused.
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from lxml import etree

from harmonia.errors import HarmoniaError
from harmonia.feedback.answers import VERDICTS
from harmonia.feedback.texts import texts
from harmonia.feedback.workbook import ABOUT, ANSWERS, FORMAT
from pipelines.resources import bounded
from pipelines.resources.bounded import Bounds, ExceededError
from schemas.findings import LANGUAGES
from sources.readers import workbook_apart

MOST_BYTES = 400_000_000  # unpacked
_FINDING = re.compile("[0-9a-f]{16}")
_LONGEST = 2000  # characters of a reason
_NEEDED = (*ANSWERS, "id")
_HEAD_ROWS = 12
_WAY_OUT = "use the findings.xlsx that Harmonia wrote for the delivery, filled in and saved as .xlsx or .ods"
_ODS = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_CELLS, _ROWS = ("c", "table-cell"), ("row", "table-row")  # in xlsx and ods
_MOST_CELLS = 5_000_000  # of a larger sheet only the filled rows are read
_BOUNDS = Bounds(seconds=60, memory=1024)

Line = tuple[int, list[str]]  # number of a row of a sheet, its cells


@dataclass(frozen=True)
class FilledWorkbook:
    """A returned workbook. `rows`: sheet, row (number in the sheet), `ANSWERS`, id; `origin`: SHA-256 of the file."""

    institution: str
    delivery: str
    mark: str
    rows: pd.DataFrame
    origin: str


def read_workbook(path: Path) -> FilledWorkbook:
    """Read a workbook in a process with limited time and memory.

    Raises `HarmoniaError` where Harmonia did not write it, its columns were changed, or it contains formulas.
    """
    try:
        return bounded.run_one_task(_read_in_process, path, _BOUNDS)
    except ExceededError as ended:
        why = ended.detail or "the reader stopped"
        raise HarmoniaError(f"{path}: is too large for a feedback workbook ({why}); nothing was imported: {_WAY_OUT}") from None


def _read_in_process(path: Path) -> FilledWorkbook:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise HarmoniaError(f"{path}: cannot be read ({error.strerror}): check the path") from error
    sheets = _filled_sheets(path, content)
    about = {row[0]: row[1] for _, row in sheets.pop(ABOUT, []) if len(row) > 1}
    if about.get("format") != FORMAT:
        raise HarmoniaError(f"{path}: was not made by this version of Harmonia (sheet {ABOUT} is missing or differs): {_WAY_OUT}")
    formulas = _find_formulas(path, content)
    if formulas:
        shown = ", ".join(formulas[:5]) + (" …" if len(formulas) > 5 else "")
        raise HarmoniaError(f"{path}: contains formulas ({shown}); nothing was imported: replace them by plain answers and save again")
    parts = [
        _filled_rows(path, name, lines) for name, lines in sheets.items() if any(_is_header_line(line) for _, line in lines[:_HEAD_ROWS])
    ]
    if not parts:
        raise HarmoniaError(f"{path}: no sheet has the answer columns ({_header_names('answer')}, …, {_header_names('id')}): {_WAY_OUT}")
    origin = hashlib.sha256(content).hexdigest()
    return FilledWorkbook(
        about.get("institution", ""), about.get("delivery", ""), about.get("mark", ""), pd.concat(parts, ignore_index=True), origin
    )


def _filled_sheets(path: Path, content: bytes) -> dict[str, list[Line]]:
    """Read the filled rows of every sheet with their numbers.

    Uses the reader of deliveries, in which a stray cell far out costs no memory.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            size = sum(part.file_size for part in parts.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise HarmoniaError(f"{path}: is not a readable workbook ({type(error).__name__}): {_WAY_OUT}") from None
    if size > MOST_BYTES:
        raise HarmoniaError(f"{path}: unpacks to {size:,} bytes, too large for a feedback workbook: {_WAY_OUT}")
    found = workbook_apart.read_apart(content, _MOST_CELLS)
    if found is None:
        far = "if it is one, delete the stray cells far below or beside the tables"
        raise HarmoniaError(f"{path}: is not a readable workbook; {far}. {_WAY_OUT}")
    out = {}
    for sheet in found:
        numbered = zip(sheet.lines or range(1, len(sheet.rows) + 1), sheet.rows, strict=True)
        out[sheet.name] = [(number, [_cell_text(cell) for cell in row]) for number, row in numbered]
    return out


def _cell_text(cell: object) -> str:
    if cell is None:
        return ""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else " ".join(str(cell).split())


def _column_by_header() -> dict[str, str]:
    """Return the name of the column by its header in any language."""
    return {texts(language)[name]: name for language in LANGUAGES for name in _NEEDED}


def _header_names(name: str) -> str:
    return " / ".join(dict.fromkeys(texts(language)[name] for language in LANGUAGES))


def _is_header_line(line: list[str]) -> bool:
    return len({_column_by_header()[cell] for cell in line if cell in _column_by_header()}) >= 2


def _filled_rows(path: Path, name: str, lines: list[Line]) -> pd.DataFrame:
    at = next(n for n, (_, line) in enumerate(lines) if _is_header_line(line))
    places: dict[str, list[int]] = {}
    for n, cell in enumerate(lines[at][1]):
        if cell in _column_by_header():
            places.setdefault(_column_by_header()[cell], []).append(n)
    wrong = [_header_names(column) for column in _NEEDED if len(places.get(column, [])) != 1]
    if wrong:
        raise HarmoniaError(
            f"{path}: sheet [{name}], row {lines[at][0]}: the columns were changed; missing or repeated: {'; '.join(wrong)}. Nothing "
            "was imported: enter the answers in a fresh copy of the workbook"
        )
    out = [
        [name, number, *(line[places[column][0]] if places[column][0] < len(line) else "" for column in _NEEDED)]
        for number, line in lines[at + 1 :]
        if any(line)
    ]
    return pd.DataFrame(out, columns=["sheet", "row", *_NEEDED])


def _find_formulas(path: Path, content: bytes) -> list[str]:
    """Where a workbook contains formulas: sheet (or part) and cell. Every part of the package is searched, whatever its name: readers may
    resolve the relationships that declare a sheet differently. Raises `HarmoniaError` where cells are damaged."""
    found = []
    with zipfile.ZipFile(io.BytesIO(content)) as parts:
        for part in parts.infolist():
            cells = False
            try:
                for _, element in etree.iterparse(parts.open(part), resolve_entities=False, no_network=True, load_dtd=False):
                    cells |= etree.QName(element).localname in _CELLS
                    parent = element.getparent()
                    if etree.QName(element).localname == "f" and parent is not None and etree.QName(parent).localname == "c":
                        found.append(f"{Path(part.filename).stem} {parent.get('r') or ''}".strip())
                    elif element.get(f"{_ODS}formula") is not None:
                        found.append(str(next(element.iterancestors(f"{_ODS}table")).get(f"{_ODS}name")))
                    if etree.QName(element).localname in _ROWS:
                        element.clear()
            except (etree.XMLSyntaxError, zipfile.BadZipFile, zlib.error, StopIteration):
                if cells:
                    raise HarmoniaError(f"{path}: part {part.filename} is damaged; nothing was imported: {_WAY_OUT}") from None
    return list(dict.fromkeys(found))


def validate_answers(filled: FilledWorkbook, known: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """Which rows can be entered.

    filled: of a workbook, or answers given one by one (`given`). known: the findings of the institution in all deliveries: delivery,
    finding, state, severity, …
    Returns the rows to enter (finding, verdict, reason, person), the refused rows (sheet, row, finding, problem, about: `refusal` makes a
    sentence of the last two; why_not, that sentence in English) and the number of rows without an answer.
    """
    rows = filled.rows
    blank = (rows[list(ANSWERS)] == "").all(axis=1)
    labels = {texts(language)["answers"][verdict].casefold(): verdict for language in LANGUAGES for verdict in VERDICTS}
    verdict = rows["answer"].str.casefold().map(labels).astype("str")
    own = known[known["delivery"] == filled.delivery].drop_duplicates("finding", keep="last").set_index("finding")
    elsewhere = known.drop_duplicates("finding", keep="last").set_index("finding")["delivery"]
    there, severity = rows["id"].isin(own.index), rows["id"].map(own["severity"])
    problem, about = pd.Series("", index=rows.index, dtype="str"), pd.Series("", index=rows.index, dtype="str")

    def refuse(wrong: pd.Series, why: str, what: pd.Series | str = "") -> None:
        nonlocal problem, about
        fresh = (problem == "") & wrong & ~blank
        problem, about = problem.mask(fresh, why), about.mask(fresh, what)

    here = f"{filled.institution} {filled.delivery}"
    refuse(~rows["id"].map(lambda text: bool(_FINDING.fullmatch(text))), "no_id")
    refuse(~there & rows["id"].isin(elsewhere.index), "other_delivery", rows["id"].map(elsewhere) + "|" + filled.delivery)
    refuse(~there, "unknown", here)
    refuse(rows["answer"] == "", "no_answer")
    refuse(verdict.isna(), "no_such_answer", rows["answer"].str[:60])
    refuse(rows["person"] == "", "no_person")
    refuse((rows["reason"] == "") & verdict.isin(["accepted", "no_error"]), "no_reason")
    refuse(rows["reason"].str.len() > _LONGEST, "long_reason", str(_LONGEST))
    refuse((verdict == "no_error") & (severity == "reject"), "unreadable_row")
    refuse(rows["id"].map(own["state"]) == "fixed", "fixed")
    refuse(rows.duplicated("id", keep=False) & (problem == ""), "twice")
    good = ~blank & (problem == "")
    entered = pd.DataFrame({"finding": rows["id"], "verdict": verdict, "reason": rows["reason"], "person": rows["person"]})[good]
    refused = rows[["sheet", "row"]].assign(finding=rows["id"], problem=problem, about=about)[problem != ""]
    why_not = [refusal(one, what, "en") for one, what in zip(refused["problem"], refused["about"], strict=True)]
    refused = refused.assign(why_not=pd.Series(why_not, index=refused.index, dtype="str"))
    return entered.reset_index(drop=True), refused.reset_index(drop=True), int(blank.sum())


def refusal(problem: str, about: str, language: str) -> str:
    """Why a row was refused, in a language. problem, about: as `validate_answers` returns them."""
    first, _, second = about.partition("|")
    return str(texts(language)["refusals"][problem]).format(about=first, delivery=second)


def given(institution: str, delivery: str, answers: Mapping[str, str], reason: str, person: str) -> FilledWorkbook:
    """Answers that were not given in a workbook, in its form. answers: finding -> verdict; all with one reason, by one person."""
    labels = texts("en")["answers"]
    rows = [("", n, labels.get(verdict, verdict), reason, person, finding) for n, (finding, verdict) in enumerate(answers.items(), 1)]
    frame = pd.DataFrame(rows, columns=["sheet", "row", *_NEEDED], dtype="str").astype({"row": "int64"})
    return FilledWorkbook(institution, delivery, "", frame, "")
