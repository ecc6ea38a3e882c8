"""A questionnaire as a workbook: answers, crosswalk to our definitions, unavailable data, and metadata.

Belongs here: sheets and their format. Does not belong here: figures (`questionnaires`, `transmission`). Output is deterministic.
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

from schemas.declared import declared
from warehouse.exports import area
from warehouse.exports.questionnaires import Form
from warehouse.releases.reading import Release

ANSWERS = ("no", "question", "period", "breakdown", "category", "figure", "note", "confidentiality")
_WIDTHS = {"no": 5, "question": 44, "period": 12, "breakdown": 22, "category": 44, "figure": 9, "note": 52, "confidentiality": 16}
_WIDE = 60


@cache
def words() -> dict[str, Any]:
    """The texts of the workbooks by language."""
    found: dict[str, Any] = declared(Path(__file__).with_name("words.yaml"))
    return found


def workbook(form: Form, answers: pd.DataFrame, release: Release, lang: str, manifest: str, approved: str | None = None) -> bytes:
    """The workbook of `answers` (columns: `questionnaires.ANSWERS`). approved: by whom and when, for a full transmission."""
    sink = io.BytesIO()
    book = xlsxwriter.Workbook(sink, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    book.set_properties({"title": form.title[lang], "created": datetime.fromisoformat(release.name)})
    _pairs(book, lang, _about(form, release, lang, manifest, approved))
    _table(book, "answers", ANSWERS, answers[list(ANSWERS)], lang)
    _table(book, "crosswalk", ("no", "question", "indicator", "definition", "differs"), _crosswalk(form, release, lang), lang)
    missing = [(q.no, q.asks[lang], q.not_available[lang]) for q in form.questions if q.not_available]
    _table(book, "not_available", ("no", "question", "who"), pd.DataFrame(missing, columns=["no", "question", "who"]), lang)
    book.close()
    return sink.getvalue()


def _about(form: Form, release: Release, lang: str, manifest: str, approved: str | None) -> list[tuple[str, str]]:
    labels = words()
    values = {
        "title": form.title[lang],
        "recipient": form.recipient,
        "area": area.name(lang),
        "release": release.name,
        "manifest": manifest,
        "kind": labels["kinds"]["full" if approved else "public"][lang],
        "approval": approved or "",
        "known": form.known[lang],
        "unit": labels["counts"][lang],
        "citizenship": labels["citizenship"][lang],
        "status": area.note(lang),
    }
    return [(labels["about"][key][lang], text) for key, text in values.items() if text]


def _crosswalk(form: Form, release: Release, lang: str) -> pd.DataFrame:
    labels = release.table("definitions").set_index("indicator")
    rows = [
        (
            q.no,
            q.asks[lang],
            labels.loc[q.indicator, f"title_{lang}"],
            labels.loc[q.indicator, f"definition_{lang}"],
            q.differs[lang] if q.differs else "",
        )
        for q in form.questions
        if q.indicator
    ]
    return pd.DataFrame(rows, columns=["no", "question", "indicator", "definition", "differs"])


def _pairs(book: xlsxwriter.Workbook, lang: str, rows: list[tuple[str, str]]) -> None:
    sheet = book.add_worksheet(words()["sheets"]["about"][lang])
    bold, wrapped = book.add_format({"bold": True, "valign": "top"}), book.add_format({"text_wrap": True, "valign": "top"})
    sheet.set_column(0, 0, 30)
    sheet.set_column(1, 1, 110)
    for at, (name, text) in enumerate(rows):
        sheet.write_string(at, 0, name, bold)
        sheet.write_string(at, 1, text, wrapped)
    _for_print(sheet)


def _table(book: xlsxwriter.Workbook, name: str, columns: Sequence[str], rows: pd.DataFrame, lang: str) -> None:
    labels = words()
    sheet = book.add_worksheet(labels["sheets"][name][lang])
    head = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "bg_color": "#E8ECF1"})
    wrapped = book.add_format({"text_wrap": True, "valign": "top"})
    for at, column in enumerate(columns):
        sheet.set_column(at, at, _WIDTHS.get(column, _WIDE))
        sheet.write_string(0, at, labels["columns"][column][lang], head)
    for line, row in enumerate(rows.itertuples(index=False, name=None), 1):
        for at, value in enumerate(row):
            if pd.isna(value):
                sheet.write_blank(line, at, None, wrapped)
            elif isinstance(value, str):
                sheet.write_string(line, at, value, wrapped)
            else:
                sheet.write_number(line, at, int(value), wrapped)
    sheet.freeze_panes(1, 0)
    if len(rows):
        sheet.autofilter(0, 0, len(rows), len(columns) - 1)
    sheet.repeat_rows(0)
    _for_print(sheet)


def _for_print(sheet: xlsxwriter.worksheet.Worksheet) -> None:
    sheet.set_landscape()
    sheet.set_paper(9)  # A4
    sheet.fit_to_pages(1, 0)
