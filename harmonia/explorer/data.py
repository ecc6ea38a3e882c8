"""The data of the explorer's page: the published figures of a release with their labels. Only the protected figures are read.

Belongs here: the structure of the data. Does not belong here: the page (`site/`), unpublished figures.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from harmonia.reports.figures import PublishedFigures
from harmonia.reports.texts import LANGUAGES, ReportTexts
from schemas.texts import merge_texts, texts
from schemas.topic import topic
from schemas.yaml_declarations import read_yaml
from warehouse.releases.reading import Release, find_label_of_code, make_text_of_figure_status

Translations = list[str]


def collect_page_data(release: Release) -> dict[str, Any]:
    """Return the data of the page, with every text in all languages.

    Its keys are `release`, `languages`, `words`, `leading` (the leading offence group), `indicators`, `tables`, `measures` and `rows`. A
    row is a list: indicator, measure, table, offence group (`of`), label of the category, value (null if suppressed), notes, code of the
    category.
    """
    figures = [PublishedFigures(release, ReportTexts(lang)) for lang in LANGUAGES]
    cube = release.cube
    definitions = release.table("definitions").sort_values("position")
    definitions = definitions[definitions["indicator"].isin(cube["indicator"])]
    leading = topic().leading
    return {
        "release": release.name,
        "languages": list(LANGUAGES),
        "words": merge_texts(read_yaml(Path(__file__).with_name("words.yaml")), texts("explorer")),
        "indicators": {
            str(row["indicator"]): {
                "title": _list_translated_labels(row, "title"),
                "definition": _list_translated_labels(row, "definition"),
            }
            for _, row in definitions.iterrows()
        },
        "tables": {table: [find_label_of_code("table", table, lang) for lang in LANGUAGES] for table in cube["table"].unique()},
        "measures": {measure: [find_label_of_code("measure", measure, lang) for lang in LANGUAGES] for measure in cube["measure"].unique()},
        "leading": {"code": leading, "label": [find_label_of_code("offence_group", leading, lang) for lang in LANGUAGES]},
        "rows": [_make_figure_row(row, figures) for row in cube.to_dict("records")],
    }


def _list_translated_labels(row: pd.Series, name: str) -> Translations:
    return [str(row[f"{name}_{lang}"]) for lang in LANGUAGES]


def _make_figure_row(row: dict[Any, Any], figures: list[PublishedFigures]) -> list[Any]:
    value = None if pd.isna(row["value"]) else int(row["value"])
    category = [_find_category_label(figures_, row["table"], row["cell"]) for figures_ in figures]
    notes = [_write_notes_on_figure(figures_, row) for figures_ in figures]
    return [row["indicator"], row["measure"], row["table"], row["of"], category, value, notes, row["cell"]]


def _find_category_label(figures: PublishedFigures, table: str, cell: str) -> str:
    if table == "total" or not cell:
        return find_label_of_code("offence_group", "total", figures.texts.lang)
    return figures.label_category(table, cell)


def _write_notes_on_figure(figures: PublishedFigures, row: dict[Any, Any]) -> str:
    """Return the notes on a figure: whether it is suppressed or merged, and which deliveries are incomplete."""
    limit = None if pd.isna(row["limit"]) else int(row["limit"])
    missing = row["missing"] if isinstance(row["missing"], str) else None
    texts = [make_text_of_figure_status(row["status"], figures.texts.lang, limit), figures.texts.describe_missing_deliveries(missing)]
    return " ".join(filter(None, texts))
