"""Write the workbook with the findings of a delivery, in which the institution enters its answers.

Belongs here: its sheets, columns and layout. Does not belong here: the content of the report (`report`), reading the answers (`intake`).

The workbook has one sheet per unit of the institution (such as a station), in the language of the unit, with one row per finding;
consequences of other findings come last. Information findings are counted per column. Text from the delivery is written as text, never as
a formula, link or number. The last column contains the id of the finding, so that the institution may sort the rows.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import pandas as pd
import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from harmonia.feedback.answers import VERDICTS
from harmonia.feedback.report import COUNTS, Report, convert_to_plain_values, make_details_readable
from harmonia.feedback.texts import load_feedback_texts, make_visible
from pipelines.units import find_language_of_unit
from schemas.findings import list_cells_and_rows, rules
from sources import contract as contracts
from warehouse.indicators import indicators

FORMAT = "harmonia-feedback-1"
ABOUT = "About"
HEADER = 4  # rows above the header of a sheet: title, confidentiality, how to send it, how to answer
ANSWERS = ("answer", "reason", "person")
LATEST = "answers"  # line of the sheet `ABOUT`
COLUMNS = {  # key of `texts.yaml` -> width
    "severity": 10,
    "finding": 36,
    "action": 36,
    "own_number": 18,
    "field": 14,
    "value": 17,
    "detail": 13,
    "where": 20,
    "state": 13,
    "figures": 27,
    "deadline": 10,
    "contact": 18,
    "answer": 18,
    "reason": 24,
    "person": 14,
    "id": 18,
}
_SHOWN = (
    *("rule", "severity", "origin", "follows", "number", "record_key", "file", "part", "cell", "line", "field", "value", "detail"),
    *("state", "since", "answer", "finding"),
)
_MAX_NAME_LENGTH = 31  # characters of a sheet name
_MAX_ROWS = 1_000_000  # per sheet
_MAX_IN_MEMORY = 10_000  # findings; a larger workbook is written by way of temporary files, which is slower and needs less memory
_NOT_IN_NAMES = str.maketrans(dict.fromkeys("[]:*?/\\'", " "))
_BEGINNING = datetime(2000, 1, 1)  # noqa: DTZ001 (the same report gives the same bytes)


def compute_workbook_mark(key: bytes, institution: str, delivery: str) -> str:
    """Return a keyed hash (128 bits, hexadecimal) which proves that this home made the workbook for this delivery.

    key: the secret key of the home.
    """
    return hmac.new(key, f"workbook\0{institution}\0{delivery}".encode(), hashlib.sha256).hexdigest()[:32]


def is_workbook_unchanged(content: bytes) -> bool:
    """Return whether the workbook is as Harmonia wrote it.

    This is read from its time of modification, which any program changes when it saves the workbook.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            properties = parts.read("docProps/core.xml")
    except (KeyError, zipfile.BadZipFile):
        return False
    return f"{_BEGINNING:%Y-%m-%dT%H:%M:%SZ}</dcterms:modified>".encode() in properties


@dataclass(frozen=True)
class EarlierAnswers:
    """The answers that an institution gave before the workbook is made, and which the workbook shows.

    by_finding: maps a finding to verdict, reason and person. latest: number of the institution's newest answer; from it, an import can
    tell which answers were given after the workbook was made.
    """

    by_finding: Mapping[str, tuple[str, str, str]]
    latest: int


def write_workbook(report: Report, key: bytes, earlier_answers: EarlierAnswers | None = None) -> bytes:
    """Write the findings of a report as an xlsx workbook and return its bytes.

    earlier_answers: for a workbook that the portal offers, the earlier answers; such a workbook is completely in the language of the
    report and is sent back in the portal. None for a workbook that is stored with the report; its sheets are in the languages of the
    units.
    """
    content = io.BytesIO()
    small = len(report.findings) <= _MAX_IN_MEMORY
    options = {
        "in_memory": small,
        "constant_memory": not small,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    with xlsxwriter.Workbook(content, options) as book:
        book.set_properties({"title": f"{report.institution} {report.delivery}", "author": "Harmonia", "created": _BEGINNING})
        looks = _make_cell_formats(book)
        asks = _select_findings_to_answer(report)
        sheets = [
            (name, unit, report.language if earlier_answers else language, rows)
            for name, unit, language, rows in _list_sheets_of_organisational_units(report, asks)
        ]
        answers = earlier_answers.by_finding if earlier_answers else {}
        how_to_send = "send_portal" if earlier_answers else "send"
        shown = {
            language: _make_cell_texts_of_findings(asks, report, language, answers)
            for language in {language for _, _, language, _ in sheets}
        }
        _write_cover_sheet(
            book.add_worksheet(_choose_unused_sheet_name(load_feedback_texts(report.language)["cover"], set())),
            report,
            sheets,
            looks,
            how_to_send,
        )
        for name, unit, language, rows in sheets:
            _write_findings_sheet(
                book.add_worksheet(name), unit, [shown[language][row] for row in rows], report, language, looks, how_to_send
            )
        _write_information_sheet(book, report, looks)
        about = book.add_worksheet(ABOUT)
        about.hide()
        identity = {"format": FORMAT, "institution": report.institution, "delivery": report.delivery}
        identity |= {"mark": compute_workbook_mark(key, report.institution, report.delivery)} | (
            {LATEST: str(earlier_answers.latest)} if earlier_answers else {}
        )
        for row, (name, value) in enumerate(identity.items()):
            about.write_string(row, 0, name)
            about.write_string(row, 1, value)
    return content.getvalue()


def _make_cell_formats(book: xlsxwriter.Workbook) -> dict[str, Format]:
    cell: dict[str, Any] = {"valign": "top", "text_wrap": True, "num_format": "@", "font_size": 9, "border": 1, "border_color": "#CFD7DF"}
    return {
        "cell": book.add_format({**cell, "quote_prefix": True}),
        "reject": book.add_format({**cell, "bold": True, "font_color": "#8C1D18"}),
        "error": book.add_format({**cell, "bold": True, "font_color": "#A33B00"}),
        "warning": book.add_format({**cell, "font_color": "#735200"}),
        "info": book.add_format({**cell, "font_color": "#1D4F80"}),
        "open": book.add_format({**cell, "bg_color": "#FFF2CC", "locked": False}),
        "id": book.add_format({**cell, "font_color": "#51606F", "text_wrap": False}),
        "head": book.add_format({**cell, "bold": True, "bg_color": "#16365C", "font_color": "#FFFFFF"}),
        "title": book.add_format({"bold": True, "font_size": 14, "font_color": "#16365C"}),
        "plain": book.add_format({"text_wrap": True, "valign": "top"}),
        "bold": book.add_format({"bold": True, "text_wrap": True, "valign": "top"}),
        "red": book.add_format({"bold": True, "font_color": "#8C1D18", "text_wrap": True, "valign": "top"}),
        "red_line": book.add_format({"bold": True, "font_color": "#8C1D18"}),
    }


def _select_findings_to_answer(report: Report) -> pd.DataFrame:
    """Select the findings that the institution should answer, causes before consequences. The result has a new index."""
    asks = report.open_findings[report.open_findings["listed"]]
    return asks.assign(_follows=asks["origin"] == "consequence").sort_values("_follows", kind="stable", ignore_index=True)


def _list_sheets_of_organisational_units(report: Report, findings_to_answer: pd.DataFrame) -> Iterator[tuple[str, str, str, Sequence[int]]]:
    """Yield the sheets of the workbook, each with its name, unit, language, and the row numbers of its findings in `findings_to_answer`.

    The findings that belong to no unit come first.
    """
    taken: set[str] = {
        ABOUT.casefold(),
        *(_choose_unused_sheet_name(load_feedback_texts(report.language)[word], set()).casefold() for word in ("cover", "information")),
    }
    contract = contracts.load(report.institution) if report.institution in contracts.institutions() else None
    units: dict[str, list[int]] = {}
    for row, unit in enumerate(convert_to_plain_values(findings_to_answer["unit"])):
        units.setdefault(unit or "", []).append(row)
    for unit, rows in sorted(units.items()):
        language = find_language_of_unit(unit, contract) if contract and unit else report.language
        title = make_visible(unit) or load_feedback_texts(report.language)["throughout"]
        for start in range(0, len(rows), _MAX_ROWS):
            yield _choose_unused_sheet_name(title, taken), title, language, rows[start : start + _MAX_ROWS]


def _choose_unused_sheet_name(title: str, taken_names: set[str]) -> str:
    plain = " ".join(title.translate(_NOT_IN_NAMES).split())[:_MAX_NAME_LENGTH].strip() or "?"
    name, n = plain, 2
    while name.casefold() in taken_names:
        number = f" ({n})"
        name, n = plain[: _MAX_NAME_LENGTH - len(number)] + number, n + 1
    taken_names.add(name.casefold())
    return name


def _write_cover_sheet(
    sheet: Worksheet,
    report: Report,
    sheets: list[tuple[str, str, str, Sequence[int]]],
    cell_formats: dict[str, Format],
    sending_text_key: str,
) -> None:
    words = load_feedback_texts(report.language)
    sheet.set_column(0, 0, 34)
    sheet.set_column(1, 1, 90)
    day = words["date_format"]
    facts = {
        "institution": report.publisher[report.language],
        "delivery": report.delivery,
        "received": report.received.strftime(day) if report.received else "–",
        "delivery_state": ". ".join(filter(None, (words["states"][report.state], words["state_note"].get(report.state)))),
        "deadline": report.deadline.strftime(day) if report.deadline else "–",
        "delete_on": report.delete_on.strftime(day) if report.delete_on else "–",
        "contact": report.contact or "–",
    }
    lines = [("title", words["title"], ""), ("red", words["confidential"], words[sending_text_key]), ("plain", "", "")]
    lines += [("bold", words[name], make_visible(str(value))) for name, value in facts.items()]
    lines += [("plain", "", ""), *(("plain", words["cover"] if not n else "", f"{n + 1}. {line}") for n, line in enumerate(words["how"]))]
    counts = {words["severities"][s]: report.finding_counts[s] for s in ("reject", "error", "warning")}
    counts[words["severities"]["info"]] = sum(
        n for *_, n in _count_information_findings_by_column(_select_information_findings(report))
    )  # as their sheet says
    counts |= {words["to_check"]: report.finding_counts["to_check"]}
    counts |= {words["consequences"]: report.finding_counts["consequences"], words["fixed"]: report.finding_counts["fixed"]}
    counts |= {words["accepted_title"]: report.finding_counts["accepted_as_is"], words["no_error_note"]: report.no_error}
    lines += [("plain", "", ""), *(("bold", label, str(n)) for label, n in counts.items()), ("plain", "", "")]
    lines += [("bold", words["unit"], words["sheet"]), *(("plain", unit, f"{name}: {len(rows)}") for name, unit, _, rows in sheets)]
    for row, (look, left, right) in enumerate(lines):
        sheet.write_string(row, 0, left, cell_formats[look])
        sheet.write_string(row, 1, right, cell_formats["red" if look == "red" else "plain"])
    sheet.protect(options={"format_columns": True})
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)


def _write_findings_sheet(
    sheet: Worksheet,
    unit: str,
    findings: Sequence[tuple[str, ...]],
    report: Report,
    language: str,
    cell_formats: dict[str, Format],
    sending_text_key: str,
) -> None:
    """Write the findings of a unit into a sheet, one per row, with a list from which to choose the answer.

    findings: from `_make_cell_texts_of_findings`.
    """
    words = load_feedback_texts(language)
    labels = [words["answers"][verdict] for verdict in VERDICTS]
    for n, width in enumerate(COLUMNS.values()):
        sheet.set_column(n, n, width)
    sheet.write_string(0, 0, f"{words['title']} – {report.publisher[language]} – {report.delivery} – {unit}", cell_formats["title"])
    sheet.write_string(1, 0, words["confidential"], cell_formats["red_line"])
    sheet.write_string(2, 0, words[sending_text_key], cell_formats["red_line"])
    sheet.write_string(3, 0, words["how"][1])
    for n, name in enumerate(COLUMNS):
        sheet.write_string(HEADER, n, words[name], cell_formats["head"])
    last = HEADER + len(findings)
    formats = [cell_formats["open" if name in ANSWERS else "id" if name == "id" else "cell"] for name in COLUMNS]
    coloured = list(COLUMNS).index("severity")
    for row, (*shown, severity) in enumerate(findings, start=HEADER + 1):
        formats[coloured] = cell_formats[severity]
        for n, (look, value) in enumerate(zip(formats, shown, strict=True)):
            if value:
                sheet.write_string(row, n, value, look)
            else:
                sheet.write_blank(row, n, None, look)
    answer_column = list(COLUMNS).index("answer")
    choice = {"validate": "list", "source": labels, "error_title": words["answer"], "error_message": words["choose"]}
    sheet.data_validation(HEADER + 1, answer_column, last, answer_column, choice)
    sheet.autofilter(HEADER, 0, last, len(COLUMNS) - 1)
    sheet.freeze_panes(HEADER + 1, 1)
    _set_up_printing(sheet, report, unit, last)


def _set_up_printing(sheet: Worksheet, report: Report, unit: str, last_row: int) -> None:
    sheet.set_landscape()
    sheet.set_paper(8)  # A3
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(HEADER)
    sheet.print_area(0, 0, last_row, len(COLUMNS) - 2)
    sheet.set_footer(f"&L{report.institution} {report.delivery} – {unit.replace('&', '&&')}&R&P / &N")


def _make_cell_texts_of_findings(
    findings: pd.DataFrame, report: Report, language: str, answers: Mapping[str, tuple[str, str, str]]
) -> list[tuple[str, ...]]:
    """Return, for each finding, the texts of its cells (`COLUMNS`), and at the end its severity, which determines a colour."""
    words, known_rules = load_feedback_texts(language), rules()
    of = {name: convert_to_plain_values(findings[name]) for name in _SHOWN} | {
        "detail": convert_to_plain_values(make_details_readable(findings, language))
    }
    free = cache(lambda text: make_visible(str(text)))  # for delivered text
    rule_texts = {code: known_rules[code].text[language] for code in {*of["rule"], *of["follows"]} if code is not None}
    consequence, line = f" ({words['consequence_one']})", words["line"].lower()
    figures = {finding: _format_figure_titles(pairs, language) for finding, pairs in report.figures_by_finding.items()}
    cells = {name: [free(cell) if cell else "" for cell in of[name]] for name in ("value", "detail", "field")}
    cells |= {
        "severity": [
            words["severity_one"][severity] + (consequence if origin == "consequence" else "")
            for severity, origin in zip(of["severity"], of["origin"], strict=True)
        ],
        "finding": [
            rule_texts[code] + (f"\n← {rule_texts[cause]}" if cause is not None else "")
            for code, cause in zip(of["rule"], of["follows"], strict=True)
        ],
        "action": [known_rules[code].action[language] for code in of["rule"]],
        "own_number": [
            free(key if number is None else number) if key or number else ""
            for number, key in zip(of["number"], of["record_key"], strict=True)
        ],
        "where": [
            free(_format_file_and_cell(file, part, cell or (f"{line} {n}" if n is not None else None)))
            for file, part, cell, n in zip(of["file"], of["part"], of["cell"], of["line"], strict=True)
        ],
        "state": [
            f"{words['life'][state]}\n{since}" + (f"\n{words['answered'][answer]}" if answer is not None else "")
            for state, since, answer in zip(of["state"], of["since"], of["answer"], strict=True)
        ],
        "figures": [figures.get(finding, "") for finding in of["finding"]],
        "id": of["finding"],
    }
    day = report.deadline.strftime(words["date_format"]) if report.deadline else ""
    given = [answers.get(finding, ("", "", "")) for finding in of["finding"]]
    cells |= {
        "answer": [words["answers"].get(verdict, "") for verdict, _, _ in given],
        "reason": [reason for _, reason, _ in given],
        "person": [person for _, _, person in given],
    }
    same = {"deadline": day, "contact": report.contact or ""}
    return list(zip(*(cells.get(name) or [same[name]] * len(findings) for name in COLUMNS), of["severity"], strict=True))


def _format_file_and_cell(file: str | None, part: str | None, cell: str | None) -> str:
    return (file or "") + (f" · {part}" if part is not None else "") + (f" · {cell}" if cell is not None else "")


def _format_figure_titles(indicator_periods: list[tuple[str, str]], language: str) -> str:
    by_period: dict[str, list[str]] = {}
    for indicator, period in indicator_periods:
        by_period.setdefault(period, []).append(indicators()[indicator].title[language])
    return "; ".join(f"{period}: {', '.join(names)}" for period, names in sorted(by_period.items()))


def _count_information_findings_by_column(findings: pd.DataFrame) -> list[tuple[str | None, str | None, str, int]]:
    """Count findings by file, field and rule.

    Returns file, field, rule and number, sorted; findings without a file or field come last.
    """
    counted: Counter[tuple[str | None, str | None, str]] = Counter()
    for *column, (cells, _) in zip(
        *(convert_to_plain_values(findings[name]) for name in ("file", "field", "rule")), list_cells_and_rows(findings), strict=True
    ):
        counted[tuple(column)] += cells
    order = sorted(counted, key=lambda one: [(cell is None, cell or "") for cell in one])
    return [(*one, counted[one]) for one in order]


def _select_information_findings(report: Report) -> pd.DataFrame:
    """Select the information findings that have no row of their own but are counted by column."""
    return report.open_findings[~report.open_findings["listed"]]


def _write_information_sheet(book: xlsxwriter.Workbook, report: Report, cell_formats: dict[str, Format]) -> None:
    """Write the sheet that counts information findings and fixed findings by rule and column, and lists the files of the delivery."""
    words = load_feedback_texts(report.language)
    sheet = book.add_worksheet(_choose_unused_sheet_name(words["information"], set()))
    sheet.set_column(0, 2, 20)
    sheet.set_column(3, 3, 70)
    sheet.set_column(4, 9, 12)
    folded = _count_information_findings_by_column(_select_information_findings(report))
    fixed = _count_information_findings_by_column(report.findings[report.findings["state"] == "fixed"])
    row = 0
    for title, note, table in (
        (words["severities"]["info"], words["severity_note"]["info"], folded),
        (words["fixed"], words["fixed_note"], fixed),
    ):
        sheet.write_string(row, 0, f"{title} ({sum(n for *_, n in table)})", cell_formats["title"])
        sheet.write_string(row + 1, 0, note)
        for n, name in enumerate(("file", "field", "count", "finding")):
            sheet.write_string(row + 2, n, words[name], cell_formats["head"])
        row += 3
        for file, field, rule, count in table:
            position = ["" if text is None else make_visible(text) for text in (file, field)]
            for n, value in enumerate([*position, str(count), rules()[rule].text[report.language]]):
                sheet.write_string(row, n, value, cell_formats["cell"])
            row += 1
        row += 1
    heads = [words["file"], words["state"], *(words["counts"][name] for name in COUNTS)]
    for n, head in enumerate(heads):
        sheet.write_string(row, n, head, cell_formats["head"])
    for cells in report.files[["file", "state", *COUNTS]].itertuples(index=False, name=None):
        row += 1
        shown = [make_visible(str(cells[0])), words["states"].get(cells[1], str(cells[1])), *(str(n) for n in cells[2:])]
        for n, text in enumerate(shown):
            sheet.write_string(row, n, text, cell_formats["cell"])
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
