"""Read a feedback workbook that an institution filled in. Decide which of its answers can be entered, and why others cannot.

Belongs here: reading a workbook that `workbook` wrote and that any program saved as xlsx or ods; validating its rows. Does not belong
here: writing the workbook, the effect of an answer on a finding (`answers`).

Sheets are recognised by their column headers, in any of the three languages, and rows by the id of their finding. So sheets and rows may
be sorted, filtered or removed. A workbook with formulas is refused.
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
from harmonia.feedback.texts import load_feedback_texts
from harmonia.feedback.workbook import ABOUT, ANSWERS, FORMAT, LATEST
from pipelines.resources import bounded
from pipelines.resources.bounded import Bounds, LimitExceededError
from schemas.findings import LANGUAGES
from sources.readers import workbook_apart

MAX_BYTES = 400_000_000  # unpacked
_FINDING = re.compile("[0-9a-f]{16}")
_MAX_REASON_LENGTH = 2000  # characters of a reason
_REQUIRED_COLUMNS = (*ANSWERS, "id")
_HEAD_ROWS = 12
_REMEDY = "use the findings.xlsx that Harmonia wrote for the delivery, filled in and saved as .xlsx or .ods"
_ODS = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_CELLS, _ROWS = ("c", "table-cell"), ("row", "table-row")  # in xlsx and ods
_MAX_CELLS = 5_000_000  # of a larger sheet only the filled rows are read
_BOUNDS = Bounds(seconds=60, memory=1024)

Line = tuple[int, list[str]]  # number of a row of a sheet, its cells


@dataclass(frozen=True)
class FilledWorkbook:
    """The content of a filled workbook.

    institution, delivery, mark: what `workbook` wrote into it (see `compute_workbook_mark`). rows: the filled rows, with the columns
    sheet, row (its number in the sheet), `ANSWERS` and id (of the finding). origin: SHA-256 of the file. latest: number of the newest
    answer that existed when the workbook was made; None if the workbook does not say.
    """

    institution: str
    delivery: str
    mark: str
    rows: pd.DataFrame
    origin: str
    latest: int | None = None


def read_workbook(path: Path) -> FilledWorkbook:
    """Read a filled workbook, in a process with limited time and memory.

    Raises `HarmoniaError` if the workbook was not written by Harmonia, has changed columns, contains formulas, or is too large.
    """
    try:
        return bounded.run_bounded_task(_read_filled_workbook, path, _BOUNDS)
    except LimitExceededError as ended:
        why = ended.detail or "the reader stopped"
        raise HarmoniaError(f"{path}: is too large for a feedback workbook ({why}); nothing was imported: {_REMEDY}") from None


def _read_filled_workbook(path: Path) -> FilledWorkbook:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise HarmoniaError(f"{path}: cannot be read ({error.strerror}): check the path") from error
    sheets = _read_filled_sheets(path, content)
    about = {row[0]: row[1] for _, row in sheets.pop(ABOUT, []) if len(row) > 1}
    if about.get("format") != FORMAT:
        raise HarmoniaError(f"{path}: was not made by this version of Harmonia (sheet {ABOUT} is missing or differs): {_REMEDY}")
    formulas = _find_formulas(path, content)
    if formulas:
        shown = ", ".join(formulas[:5]) + (" …" if len(formulas) > 5 else "")
        raise HarmoniaError(f"{path}: contains formulas ({shown}); nothing was imported: replace them by plain answers and save again")
    parts = [
        _read_filled_rows(path, name, lines)
        for name, lines in sheets.items()
        if any(_is_header_line(line) for _, line in lines[:_HEAD_ROWS])
    ]
    if not parts:
        raise HarmoniaError(
            f"{path}: no sheet has the answer columns "
            f"({_list_translated_headers('answer')}, …, {_list_translated_headers('id')}): {_REMEDY}"
        )
    origin = hashlib.sha256(content).hexdigest()
    latest = about.get(LATEST, "")
    return FilledWorkbook(
        about.get("institution", ""),
        about.get("delivery", ""),
        about.get("mark", ""),
        pd.concat(parts, ignore_index=True),
        origin,
        int(latest) if latest.isdecimal() and len(latest) < 19 else None,
    )


def _read_filled_sheets(path: Path, content: bytes) -> dict[str, list[Line]]:
    """Read the filled rows of every sheet. The result maps the name of a sheet to its rows, each with its number and its cells.

    The reader of deliveries is used, with which a stray cell far below or beside the table costs no memory.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            size = sum(part.file_size for part in parts.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise HarmoniaError(f"{path}: is not a readable workbook ({type(error).__name__}): {_REMEDY}") from None
    if size > MAX_BYTES:
        raise HarmoniaError(f"{path}: unpacks to {size:,} bytes, too large for a feedback workbook: {_REMEDY}")
    sheets = workbook_apart.read_sheets_in_separate_process(content, _MAX_CELLS)
    if sheets is None:
        far = "if it is one, delete the stray cells far below or beside the tables"
        raise HarmoniaError(f"{path}: is not a readable workbook; {far}. {_REMEDY}")
    out = {}
    for sheet in sheets:
        numbered = zip(sheet.lines or range(1, len(sheet.rows) + 1), sheet.rows, strict=True)
        out[sheet.name] = [(number, [_format_cell(cell) for cell in row]) for number, row in numbered]
    return out


def _format_cell(cell: object) -> str:
    if cell is None:
        return ""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else " ".join(str(cell).split())


def _map_headers_to_columns() -> dict[str, str]:
    """Return for each column header, in each language, the name of its column."""
    return {load_feedback_texts(language)[name]: name for language in LANGUAGES for name in _REQUIRED_COLUMNS}


def _list_translated_headers(name: str) -> str:
    return " / ".join(dict.fromkeys(load_feedback_texts(language)[name] for language in LANGUAGES))


def _is_header_line(line: list[str]) -> bool:
    return len({_map_headers_to_columns()[cell] for cell in line if cell in _map_headers_to_columns()}) >= 2


def _read_filled_rows(path: Path, name: str, lines: list[Line]) -> pd.DataFrame:
    header = next(n for n, (_, line) in enumerate(lines) if _is_header_line(line))
    positions: dict[str, list[int]] = {}
    for n, cell in enumerate(lines[header][1]):
        if cell in _map_headers_to_columns():
            positions.setdefault(_map_headers_to_columns()[cell], []).append(n)
    wrong = [_list_translated_headers(column) for column in _REQUIRED_COLUMNS if len(positions.get(column, [])) != 1]
    if wrong:
        raise HarmoniaError(
            f"{path}: sheet [{name}], row {lines[header][0]}: the columns were changed; missing or repeated: {'; '.join(wrong)}. Nothing "
            "was imported: enter the answers in a fresh copy of the workbook"
        )
    out = [
        [name, number, *(line[positions[column][0]] if positions[column][0] < len(line) else "" for column in _REQUIRED_COLUMNS)]
        for number, line in lines[header + 1 :]
        if any(line)
    ]
    return pd.DataFrame(out, columns=["sheet", "row", *_REQUIRED_COLUMNS])


def _find_formulas(path: Path, content: bytes) -> list[str]:
    """List the places of the formulas in a workbook. A place is a sheet, if possible with the cell.

    Every file inside the workbook is searched, whatever its name, since programs may disagree about which of these files are sheets.
    Raises `HarmoniaError` if a file with cells is damaged.
    """
    formulas = []
    with zipfile.ZipFile(io.BytesIO(content)) as parts:
        for part in parts.infolist():
            cells = False
            try:
                for _, element in etree.iterparse(parts.open(part), resolve_entities=False, no_network=True, load_dtd=False):
                    cells |= etree.QName(element).localname in _CELLS
                    parent = element.getparent()
                    if etree.QName(element).localname == "f" and parent is not None and etree.QName(parent).localname == "c":
                        formulas.append(f"{Path(part.filename).stem} {parent.get('r') or ''}".strip())
                    elif element.get(f"{_ODS}formula") is not None:
                        formulas.append(str(next(element.iterancestors(f"{_ODS}table")).get(f"{_ODS}name")))
                    if etree.QName(element).localname in _ROWS:
                        element.clear()
            except (etree.XMLSyntaxError, zipfile.BadZipFile, zlib.error, StopIteration):
                if cells:
                    raise HarmoniaError(f"{path}: part {part.filename} is damaged; nothing was imported: {_REMEDY}") from None
    return list(dict.fromkeys(formulas))


def validate_answers(filled_workbook: FilledWorkbook, findings: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """Decide which answers can be entered.

    filled_workbook: from `read_workbook` or `convert_answers_to_workbook`. findings: the findings of the institution in all its
    deliveries, with delivery, finding, state and severity.
    Returns the answers to enter (finding, verdict, reason, person); the refused rows (sheet, row, finding, problem, about, why_not); and
    the number of rows without an answer. Of a refused row's problem and about, `explain_refusal` makes a sentence; why_not is this
    sentence in English.
    """
    rows = filled_workbook.rows
    blank = (rows[list(ANSWERS)] == "").all(axis=1)
    labels = {load_feedback_texts(language)["answers"][verdict].casefold(): verdict for language in LANGUAGES for verdict in VERDICTS}
    verdict = rows["answer"].str.casefold().map(labels).astype("str")
    findings_of_delivery = (
        findings[findings["delivery"] == filled_workbook.delivery].drop_duplicates("finding", keep="last").set_index("finding")
    )
    elsewhere = findings.drop_duplicates("finding", keep="last").set_index("finding")["delivery"]
    is_finding, severity = rows["id"].isin(findings_of_delivery.index), rows["id"].map(findings_of_delivery["severity"])
    problem, about = pd.Series("", index=rows.index, dtype="str"), pd.Series("", index=rows.index, dtype="str")

    def refuse_rows(is_wrong: pd.Series, problem_code: str, problem_details: pd.Series | str = "") -> None:
        nonlocal problem, about
        newly_refused = (problem == "") & is_wrong & ~blank
        problem, about = problem.mask(newly_refused, problem_code), about.mask(newly_refused, problem_details)

    delivery_name = f"{filled_workbook.institution} {filled_workbook.delivery}"
    refuse_rows(~rows["id"].map(lambda text: bool(_FINDING.fullmatch(text))), "no_id")
    refuse_rows(
        ~is_finding & rows["id"].isin(elsewhere.index), "other_delivery", rows["id"].map(elsewhere) + "|" + filled_workbook.delivery
    )
    refuse_rows(~is_finding, "unknown", delivery_name)
    refuse_rows(rows["answer"] == "", "no_answer")
    refuse_rows(verdict.isna(), "no_such_answer", rows["answer"].str[:60])
    refuse_rows(rows["person"] == "", "no_person")
    refuse_rows((rows["reason"] == "") & verdict.isin(["accepted", "no_error"]), "no_reason")
    refuse_rows(rows["reason"].str.len() > _MAX_REASON_LENGTH, "long_reason", str(_MAX_REASON_LENGTH))
    refuse_rows((verdict == "no_error") & (severity == "reject"), "unreadable_row")
    refuse_rows(rows["id"].map(findings_of_delivery["state"]) == "fixed", "fixed")
    refuse_rows(rows.duplicated("id", keep=False) & (problem == ""), "twice")
    good = ~blank & (problem == "")
    entered = pd.DataFrame({"finding": rows["id"], "verdict": verdict, "reason": rows["reason"], "person": rows["person"]})[good]
    refused = rows[["sheet", "row"]].assign(finding=rows["id"], problem=problem, about=about)[problem != ""]
    why_not = [explain_refusal(one, what, "en") for one, what in zip(refused["problem"], refused["about"], strict=True)]
    refused = refused.assign(why_not=pd.Series(why_not, index=refused.index, dtype="str"))
    return entered.reset_index(drop=True), refused.reset_index(drop=True), int(blank.sum())


def explain_refusal(problem: str, about: str, language: str) -> str:
    """Say in a sentence why a row was refused. problem, about: from `validate_answers`."""
    first, _, second = about.partition("|")
    return str(load_feedback_texts(language)["refusals"][problem]).format(about=first, delivery=second)


def convert_answers_to_workbook(institution: str, delivery: str, answers: Mapping[str, str], reason: str, person: str) -> FilledWorkbook:
    """Return answers that were not given in a workbook in the form of a filled workbook.

    answers: maps a finding to a verdict. reason, person: the same for all answers.
    """
    labels = load_feedback_texts("en")["answers"]
    rows = [("", n, labels.get(verdict, verdict), reason, person, finding) for n, (finding, verdict) in enumerate(answers.items(), 1)]
    frame = pd.DataFrame(rows, columns=["sheet", "row", *_REQUIRED_COLUMNS], dtype="str").astype({"row": "int64"})
    return FilledWorkbook(institution, delivery, "", frame, "")
