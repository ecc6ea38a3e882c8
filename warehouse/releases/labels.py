"""Make the labels of a release in Albanian, Serbian and English.

Belongs here: labels of codes and of merged codes, texts in place of suppressed figures. Does not belong here: definitions of indicators
(`warehouse/indicators`).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pandas as pd

from harmonia.errors import HarmoniaError
from schemas.texts import merge_texts
from schemas.texts import texts as domain_texts
from schemas.yaml_declarations import read_yaml
from sources import contract
from warehouse.count.dimensions import build_offence_group_dimension
from warehouse.disclosure.programme import MERGE_SEPARATOR, QUARTER, SEX_AGE, TOTAL
from warehouse.indicators import LANGUAGES, indicators


@cache
def read_labels() -> dict[str, dict[str, dict[str, str]]]:
    """Return the labels, by dimension, code and language."""
    by_dimension = merge_texts(read_yaml(Path(__file__).with_suffix(".yaml")), domain_texts("labels"))
    return {d: {code: dict(zip(LANGUAGES, labels, strict=True)) for code, labels in codes.items()} for d, codes in by_dimension.items()}


def require_language(code: str) -> str:
    """Return `code` if it is a language of releases. Raises `HarmoniaError` otherwise."""
    if code not in LANGUAGES:
        raise HarmoniaError(f"language {code!r} is not known: one of {', '.join(LANGUAGES)}")
    return code


def find_label_of_code(dimension: str, code: str, lang: str) -> str:
    """Return the label of a code, or of several codes that are merged (`male+unknown`: "Male or sex not known"). Raises `HarmoniaError` for
    an unknown language."""
    require_language(lang)
    parts = [read_labels()[dimension][part][lang] for part in code.split(MERGE_SEPARATOR)]
    return read_labels()["note"]["joined"][lang].join([parts[0], *(part[:1].lower() + part[1:] for part in parts[1:])])


@cache
def find_labels_of_offence_groups(lang: str) -> dict[str, str]:
    """Return the label of the total and of every offence group, including the groups that a release shows only as one merged category."""
    groups = build_offence_group_dimension()
    return {
        TOTAL: find_label_of_code("offence_group", TOTAL, lang),
        **dict(zip(groups["offence_group"], groups[f"label_{lang}"], strict=True)),
    }


def make_label_of_cell(table: str, cell: str, lang: str) -> str:
    """Return the label of a cell of a table, such as "Male, 18 to 24" or, for merged quarters, "Q1, Q2". The label is empty for the total,
    and for a table that is not broken down."""
    if table == QUARTER:
        return cell.replace(MERGE_SEPARATOR, ", ")
    if table == TOTAL or not cell:
        return ""
    if table == SEX_AGE:
        sex, age = (
            find_label_of_code(dimension, code, lang) for dimension, code in zip(("sex", "age_group"), cell.split("|"), strict=True)
        )
        return f"{sex}, {age[:1].lower()}{age[1:]}"
    return find_label_of_code(table, cell, lang)


def make_text_of_figure_status(status: str, lang: str, limit: int | None = None) -> str:
    """Return the text that is shown in place of a suppressed figure, or beside a merged one."""
    return read_labels()["status"][status][require_language(lang)].format(limit=limit)


def make_text_of_missing_deliveries(missing: str | None, lang: str) -> str:
    """Return the text about the missing deliveries of a figure; it is empty if nothing is missing. missing: the deliveries as codes, such
    as `police 2013-Q2 partial, courts 2013-Q3 missing`."""
    if not missing:
        return ""
    note, institutions = read_labels()["note"], contract.institutions()
    deliveries = []
    for delivery in missing.split(","):
        institution, period, state = delivery.split()
        publisher = contract.load(institution).publisher[require_language(lang)] if institution in institutions else institution
        quarter = note["quarter"][lang].format(n=period[-1], year=period[:4])
        deliveries.append(
            note["delivery"][lang].format(institution=publisher, period=quarter, state=find_label_of_code("delivery_state", state, lang))
        )
    return note["incomplete"][lang].format(missing="; ".join(dict.fromkeys(deliveries)))


def make_table_of_labels() -> pd.DataFrame:
    """Return all labels as rows with the columns dimension, code, sq, sr, en."""
    return pd.DataFrame(
        [(d, code, *labels.values()) for d, codes in read_labels().items() for code, labels in codes.items()],
        columns=["dimension", "code", *LANGUAGES],
    )


def make_table_of_indicator_definitions() -> pd.DataFrame:
    """Return the definitions of the indicators, with the columns indicator, position, unit, reference, institutions, and `title_…` and
    `definition_…` for each language."""
    return pd.DataFrame(
        [
            {
                "indicator": i.code,
                "position": i.order,
                "unit": i.unit,
                "reference": i.reference,
                "institutions": ",".join(i.institutions),
                **{f"title_{n}": i.title[n] for n in LANGUAGES},
                **{f"definition_{n}": i.definition[n] for n in LANGUAGES},
            }
            for i in indicators().values()
        ]
    )
