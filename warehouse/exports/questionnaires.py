"""Read the questionnaires of other organisations, and answer their questions with figures. Each questionnaire is a file in the folder
`questionnaires/` of the domain.

Belongs here: reading the files, answering the questions from a release. Does not belong here: the workbook (`workbook`), exact figures
(`transmission`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from harmonia.errors import HarmoniaError
from schemas import domain_folder
from schemas.yaml_declarations import read_yaml
from warehouse.indicators import LANGUAGES
from warehouse.releases.reading import (
    Release,
    find_label_of_code,
    make_label_of_cell,
    make_text_of_figure_status,
    make_text_of_missing_deliveries,
)

TABLES = ("total", "offence_group", "quarter", "sex", "age_group", "citizenship_group", "form", "sex_age_group")
ANSWERS = ("no", "question", "indicator", "period", "breakdown", "category", "figure", "note", "confidentiality")
FREE, CONFIDENTIAL = "F", "C"
Texts = Mapping[str, str]


@dataclass(frozen=True)
class Question:
    """A question and its answer: either tables of an indicator or, in `not_available`, the organisation that would have the data."""

    number: int
    text: Texts
    indicator: str | None
    tables: tuple[str, ...]
    differs: Texts | None
    not_available: Texts | None


@dataclass(frozen=True)
class Questionnaire:
    """A questionnaire. `source_note` says how much of the original form the authors of the file have read."""

    code: str
    title: Texts
    recipient: str
    source_note: Texts
    questions: tuple[Question, ...]


@cache
def questionnaires() -> dict[str, Questionnaire]:
    """Read the questionnaires of the domain, by code. Raises `HarmoniaError` naming the file and the error."""
    return {path.stem: _load_questionnaire(path) for path in sorted(domain_folder.find_path_in_domain("questionnaires").glob("*.yaml"))}


def _load_questionnaire(path: Path) -> Questionnaire:
    try:
        raw = read_yaml(path)
        questions = tuple(_parse_question(number, question) for number, question in enumerate(raw["questions"], 1))
        questionnaire = Questionnaire(
            path.stem, _parse_texts_by_language(raw["title"]), raw["recipient"], _parse_texts_by_language(raw["known"]), questions
        )
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise HarmoniaError(
            f"{path}: not a questionnaire ({type(error).__name__}: {error}); the format is in docs/reference/exports.md"
        ) from None
    return questionnaire


def _parse_texts_by_language(by_language: Any) -> Texts:
    if set(by_language) != set(LANGUAGES):
        raise ValueError(f"{by_language} is not in {', '.join(LANGUAGES)}")
    return dict(by_language)


def _parse_question(number: int, raw: Mapping[str, Any]) -> Question:
    tables = tuple(raw.get("tables", ()))
    if bool(tables) == ("not_available" in raw) or ("indicator" in raw) != bool(tables) or not set(tables) <= set(TABLES):
        raise ValueError(f"question {number} needs an indicator and its tables ({', '.join(TABLES)}), or not_available")
    return Question(
        number=number,
        text=_parse_texts_by_language(raw["asks"]),
        indicator=raw.get("indicator"),
        tables=tables,
        differs=_parse_texts_by_language(raw["differs"]) if "differs" in raw else None,
        not_available=_parse_texts_by_language(raw["not_available"]) if "not_available" in raw else None,
    )


def answer_questionnaire(questionnaire: Questionnaire, figures: Callable[[str, str], pd.DataFrame], lang: str) -> pd.DataFrame:
    """Return the answers to a questionnaire (columns: `ANSWERS`), one row for each figure.

    figures: a function that returns the figures of an indicator and table, with the columns `period`, `category`, `figure`, `note` and
    `confidentiality`.
    """
    rows = []
    for question in questionnaire.questions:
        for table in question.tables:
            columns: dict[str, Any] = {
                "no": question.number,
                "question": question.text[lang],
                "indicator": question.indicator,
                "breakdown": find_label_of_code("table", table, lang),
            }
            rows.append(figures(str(question.indicator), table).assign(**columns))
    return pd.concat(rows, ignore_index=True)[list(ANSWERS)] if rows else pd.DataFrame(columns=list(ANSWERS))


def make_reader_of_protected_figures(release: Release, lang: str) -> Callable[[str, str], pd.DataFrame]:
    """Return the function from which `answer_questionnaire` gets the figures of a release. A suppressed figure is null; its note is the
    text that the release shows in its place."""

    def figures(indicator: str, table: str) -> pd.DataFrame:
        cube = release.cube
        rows = cube[(cube["indicator"] == indicator) & (cube["table"] == table) & (cube["measure"] == "harmonised")]
        notes = [
            _write_note_on_figure(status, limit, missing, lang)
            for status, limit, missing in zip(rows["status"], rows["limit"], rows["missing"], strict=True)
        ]
        return pd.DataFrame(
            {
                "period": rows["period"],
                "category": [make_label_of_cell(table, cell, lang) for cell in rows["cell"]],
                "figure": rows["value"].astype("Int64"),
                "note": notes,
                "confidentiality": FREE,
            }
        )

    return figures


def _write_note_on_figure(status: str, limit: float | None, missing: str | None, lang: str) -> str:
    notes = [make_text_of_figure_status(status, lang, None if pd.isna(limit) else int(limit or 0))]
    notes += [make_text_of_missing_deliveries(missing, lang)] if isinstance(missing, str) else []
    return " ".join(filter(None, notes))
