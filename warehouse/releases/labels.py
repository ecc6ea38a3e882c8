"""The labels of a release in Albanian, Serbian and English.

Belongs here: labels of codes, also of merged ones, and of suppressed figures. Does not belong here: definitions of indicators
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
from warehouse.count.dimensions import offence_group_dimension
from warehouse.disclosure.programme import MERGE_SEPARATOR, QUARTER, SEX_AGE, TOTAL
from warehouse.indicators import LANGUAGES, indicators


@cache
def label_texts() -> dict[str, dict[str, dict[str, str]]]:
    """Return the labels: dimension → code → language → label."""
    by_dimension = merge_texts(read_yaml(Path(__file__).with_suffix(".yaml")), domain_texts("labels"))
    return {d: {code: dict(zip(LANGUAGES, labels, strict=True)) for code, labels in codes.items()} for d, codes in by_dimension.items()}


def require_language(code: str) -> str:
    """Return `code` if it is a language of releases. Raises `HarmoniaError` otherwise."""
    if code not in LANGUAGES:
        raise HarmoniaError(f"language {code!r} is not known: one of {', '.join(LANGUAGES)}")
    return code


def label_of_code(dimension: str, code: str, lang: str) -> str:
    """Return the label of a code, also of a merged one (`male+unknown`: "Male or sex not known"). Raises `HarmoniaError` for an unknown
    language."""
    require_language(lang)
    parts = [label_texts()[dimension][part][lang] for part in code.split(MERGE_SEPARATOR)]
    return label_texts()["note"]["joined"][lang].join([parts[0], *(part[:1].lower() + part[1:] for part in parts[1:])])


@cache
def offence_group_labels(lang: str) -> dict[str, str]:
    """Return the label of every offence group and of the total, also of groups that a release shows only together."""
    groups = offence_group_dimension()
    return {TOTAL: label_of_code("offence_group", TOTAL, lang), **dict(zip(groups["offence_group"], groups[f"label_{lang}"], strict=True))}


def category_label(table: str, cell: str, lang: str) -> str:
    """Return the label of a cell of a table ("Male, 18 to 24"; merged quarters "Q1, Q2"); empty for the total and for a table with one
    category."""
    if table == QUARTER:
        return cell.replace(MERGE_SEPARATOR, ", ")
    if table == TOTAL or not cell:
        return ""
    if table == SEX_AGE:
        sex, age = (label_of_code(dimension, code, lang) for dimension, code in zip(("sex", "age_group"), cell.split("|"), strict=True))
        return f"{sex}, {age[:1].lower()}{age[1:]}"
    return label_of_code(table, cell, lang)


def status_text(status: str, lang: str, limit: int | None = None) -> str:
    """Return the text that is shown in place of a suppressed figure, or beside a merged one."""
    return label_texts()["status"][status][require_language(lang)].format(limit=limit)


def missing_text(missing: str | None, lang: str) -> str:
    """Return the text for a figure's `missing` (`police 2013-Q2 partial, courts 2013-Q3 missing`); empty if nothing is missing."""
    if not missing:
        return ""
    note, institutions = label_texts()["note"], contract.institutions()
    deliveries = []
    for delivery in missing.split(","):
        institution, period, state = delivery.split()
        publisher = contract.load(institution).publisher[require_language(lang)] if institution in institutions else institution
        quarter = note["quarter"][lang].format(n=period[-1], year=period[:4])
        deliveries.append(
            note["delivery"][lang].format(institution=publisher, period=quarter, state=label_of_code("delivery_state", state, lang))
        )
    return note["incomplete"][lang].format(missing="; ".join(dict.fromkeys(deliveries)))


def label_table() -> pd.DataFrame:
    """Return all labels as rows: dimension, code, sq, sr, en."""
    return pd.DataFrame(
        [(d, code, *labels.values()) for d, codes in label_texts().items() for code, labels in codes.items()],
        columns=["dimension", "code", *LANGUAGES],
    )


def definition_table() -> pd.DataFrame:
    """Return the definitions of the indicators: indicator, position, unit, reference, institutions, title_*, definition_* by language."""
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
