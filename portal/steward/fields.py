"""The fields of two records as a steward reads them: codes in words, days in the format of the language, differing letters marked.

Belongs here: labels of codes, and which fields are compared letter by letter. Does not belong here: which fields are shown
(`harmonia.review.describe`), how letters are marked (`value_differences`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import pandas as pd

from harmonia.review.describe import NAME_FIELDS, list_shown_fields
from portal.steward.value_differences import ComparedField, compare_lists, compare_values
from portal.words import format_day, portal_texts
from schemas.findings import LANGUAGES
from sources import contract
from warehouse.count.dimensions import LABELS, STATIC

Labels = Mapping[str, Mapping[str, str]]
_KIND_OF_LABEL = {
    "offence_group": "offence_group",
    "form": "form",
    "sex": "sex",
    "seat": "seat",
    "municipality": "municipality",
    "citizenship": "country",
    "role": "role",
    "state": "state",
    "source": "institution",
}
"""For each field that contains a code: the kind of label that explains the code."""
_LIST_FIELDS = ("days", "cites", "persons")


def load_code_labels(language: str) -> Labels:
    """Return the labels of codes in one language: for each kind of label, the label of each code."""
    column = LABELS[LANGUAGES.index(language)]
    kinds = ("offence_group", "form", "sex", "event", "seat", "municipality", "country")
    frames = {name: STATIC[f"dim_{name}"]() for name in kinds}
    labels = {name: dict(zip(frame[name].astype(str), frame[column].astype(str), strict=True)) for name, frame in frames.items()}
    labels["institution"] = {name: contract.load(name).publisher[language] for name in contract.institutions()}
    texts = portal_texts(language)["steward"]
    text_keys = {"age_group": "age_groups", "citizenship_group": "citizenship_groups", "role": "roles", "state": "case_states"}
    return {**labels, **{kind: texts[name] for kind, name in text_keys.items()}}


def compare_fields(rows: pd.DataFrame, entity: str, names: bool, labels: Labels, language: str) -> list[ComparedField]:
    """Compare two records field by field. `rows` comes from `ReviewDesk.describe_all_records`.

    A field that neither record has is left out, unless it is part of the name.
    """
    fields = []
    for field in list_shown_fields(entity, names):
        a, b = (label_value(field, str(value), labels, language) for value in rows[field])
        if a or b or field in NAME_FIELDS[entity]:
            fields.append(compare_lists(field, a, b) if field in _LIST_FIELDS else compare_values(field, a, b))
    return fields


def label_value(field: str, value: str, labels: Labels, language: str) -> str:
    """Return a value of `field` with its code in words."""
    if field == "born" and _is_iso_day(value):
        return format_day(date.fromisoformat(value), language)
    if field == "sentence_months":
        return value.removesuffix(".0")
    if field == "days":
        return "; ".join(_label_event(part, labels, language) for part in value.split("; ") if part)
    return labels[_KIND_OF_LABEL[field]].get(value, value) if field in _KIND_OF_LABEL else value


def _is_iso_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _label_event(text: str, labels: Labels, language: str) -> str:
    event, _, when = text.rpartition(" ")
    return f"{labels['event'].get(event, event)} {format_day(date.fromisoformat(when), language)}"
