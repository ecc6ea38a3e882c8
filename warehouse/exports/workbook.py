"""Write the answers to a questionnaire as a workbook. It also shows how the questions correspond to Harmonia's definitions, which data are
not available, and metadata.

Belongs here: sheets and their format. Does not belong here: figures (`questionnaires`, `transmission`). The same input gives the same
bytes.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import xlsxwriter

from schemas.texts import merge_texts
from schemas.texts import texts as domain_texts
from schemas.yaml_declarations import read_yaml
from warehouse.exports import territory
from warehouse.exports.questionnaires import Questionnaire
from warehouse.releases.reading import Release

ANSWERS = ("no", "question", "period", "breakdown", "category", "figure", "note", "confidentiality")
CROSSWALK = ("no", "question", "indicator", "definition", "differs")
_WIDTHS = {"no": 5, "question": 44, "period": 12, "breakdown": 22, "category": 44, "figure": 9, "note": 52, "confidentiality": 16}
_DEFAULT_WIDTH = 60


@cache
def load_workbook_texts() -> dict[str, Any]:
    """Load the texts of the workbooks, by language."""
    return merge_texts(read_yaml(Path(__file__).with_suffix(".yaml")), domain_texts("exports")["workbook"])


def make_workbook(
    questionnaire: Questionnaire, answers: pd.DataFrame, release: Release, lang: str, manifest_hash: str, approval: str | None = None
) -> bytes:
    """Make the workbook of `answers` (columns: `questionnaires.ANSWERS`). approval: who approved a full transmission, when, and for
    whom."""
    sink = io.BytesIO()
    book = xlsxwriter.Workbook(sink, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    book.set_properties({"title": questionnaire.title[lang], "created": datetime.fromisoformat(release.name)})
    _add_about_sheet(book, lang, _make_rows_of_about_sheet(questionnaire, release, lang, manifest_hash, approval))
    _add_table_sheet(book, "answers", ANSWERS, answers[list(ANSWERS)], lang)
    _add_table_sheet(book, "crosswalk", CROSSWALK, _make_rows_comparing_questions_with_definitions(questionnaire, release, lang), lang)
    missing = [(q.number, q.text[lang], q.not_available[lang]) for q in questionnaire.questions if q.not_available]
    _add_table_sheet(book, "not_available", ("no", "question", "who"), pd.DataFrame(missing, columns=["no", "question", "who"]), lang)
    book.close()
    return sink.getvalue()


def _make_rows_of_about_sheet(
    questionnaire: Questionnaire, release: Release, lang: str, manifest_hash: str, approval: str | None
) -> list[tuple[str, str]]:
    labels = load_workbook_texts()
    values = {
        "title": questionnaire.title[lang],
        "recipient": questionnaire.recipient,
        "area": territory.make_territory_name(lang),
        "release": release.name,
        "manifest": manifest_hash,
        "kind": labels["kinds"]["full" if approval else "public"][lang],
        "approval": approval or "",
        "known": questionnaire.source_note[lang],
        "unit": labels["counts"][lang],
        "citizenship": labels["citizenship"][lang],
        "status": territory.find_footnote_on_territory_status(lang),
    }
    return [(labels["about"][key][lang], text) for key, text in values.items() if text]


def _make_rows_comparing_questions_with_definitions(questionnaire: Questionnaire, release: Release, lang: str) -> pd.DataFrame:
    definitions = release.table("definitions").set_index("indicator")
    rows = [
        (
            q.number,
            q.text[lang],
            definitions.loc[q.indicator, f"title_{lang}"],
            definitions.loc[q.indicator, f"definition_{lang}"],
            q.differs[lang] if q.differs else "",
        )
        for q in questionnaire.questions
        if q.indicator
    ]
    return pd.DataFrame(rows, columns=list(CROSSWALK))


def _add_about_sheet(book: xlsxwriter.Workbook, lang: str, rows: list[tuple[str, str]]) -> None:
    sheet = book.add_worksheet(load_workbook_texts()["sheets"]["about"][lang])
    bold, wrapped = book.add_format({"bold": True, "valign": "top"}), book.add_format({"text_wrap": True, "valign": "top"})
    sheet.set_column(0, 0, 30)
    sheet.set_column(1, 1, 110)
    for line, (name, text) in enumerate(rows):
        sheet.write_string(line, 0, name, bold)
        sheet.write_string(line, 1, text, wrapped)
    _set_page_layout(sheet)


def _add_table_sheet(book: xlsxwriter.Workbook, name: str, columns: Sequence[str], rows: pd.DataFrame, lang: str) -> None:
    labels = load_workbook_texts()
    sheet = book.add_worksheet(labels["sheets"][name][lang])
    header = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "bg_color": "#E8ECF1"})
    wrapped = book.add_format({"text_wrap": True, "valign": "top"})
    for position, column in enumerate(columns):
        sheet.set_column(position, position, _WIDTHS.get(column, _DEFAULT_WIDTH))
        sheet.write_string(0, position, labels["columns"][column][lang], header)
    for line, row in enumerate(rows.itertuples(index=False, name=None), 1):
        for position, value in enumerate(row):
            if pd.isna(value):
                sheet.write_blank(line, position, None, wrapped)
            elif isinstance(value, str):
                sheet.write_string(line, position, value, wrapped)
            else:
                sheet.write_number(line, position, int(value), wrapped)
    sheet.freeze_panes(1, 0)
    if len(rows):
        sheet.autofilter(0, 0, len(rows), len(columns) - 1)
    sheet.repeat_rows(0)
    _set_page_layout(sheet)


def _set_page_layout(sheet: xlsxwriter.worksheet.Worksheet) -> None:
    sheet.set_landscape()
    sheet.set_paper(9)  # A4
    sheet.fit_to_pages(1, 0)
