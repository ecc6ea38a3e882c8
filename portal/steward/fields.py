"""The fields of two records as a steward reads them: codes in words, days as the language writes them, differing letters marked.

Belongs here: labels of codes, which fields are compared letter by letter. Does not belong here: which fields are shown
(`harmonia.review.describe`), the marking (`differing`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import pandas as pd

from harmonia.review.describe import NAME_FIELDS, fields_of
from portal.steward.differing import Compared, compared, compared_lists
from portal.words import day, words
from schemas.findings import LANGUAGES
from sources import contract
from warehouse.count.dimensions import LABELS, STATIC

Labels = Mapping[str, Mapping[str, str]]
_CODED = {
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
"""Fields with a code -> kind of label."""
_LISTS = ("days", "cites", "persons")


def labels(language: str) -> Labels:
    """The labels of codes by kind."""
    column = LABELS[LANGUAGES.index(language)]
    kinds = ("offence_group", "form", "sex", "event", "seat", "municipality", "country")
    frames = {name: STATIC[f"dim_{name}"]() for name in kinds}
    out = {name: dict(zip(frame[name].astype(str), frame[column].astype(str), strict=True)) for name, frame in frames.items()}
    out["institution"] = {name: contract.load(name).publisher[language] for name in contract.institutions()}
    texts = words(language)["steward"]
    own = {"age_group": "age_groups", "citizenship_group": "citizenship_groups", "role": "roles", "state": "case_states"}
    return {**out, **{kind: texts[name] for kind, name in own.items()}}


def side_by_side(rows: pd.DataFrame, entity: str, names: bool, known: Labels, language: str) -> list[Compared]:
    """The fields of two records (`rows`, of `Desk.describe`) that at least one of them has; names also where neither has."""
    found = []
    for field in fields_of(entity, names):
        a, b = (in_words(field, str(value), known, language) for value in rows[field])
        if a or b or field in NAME_FIELDS[entity]:
            found.append(compared_lists(field, a, b) if field in _LISTS else compared(field, a, b))
    return found


def in_words(field: str, value: str, known: Labels, language: str) -> str:
    """A value of `field` with its code in words."""
    if field == "days":
        return "; ".join(_event(part, known, language) for part in value.split("; ") if part)
    return known[_CODED[field]].get(value, value) if field in _CODED else value


def _event(text: str, known: Labels, language: str) -> str:
    event, _, when = text.rpartition(" ")
    return f"{known['event'].get(event, event)} {day(date.fromisoformat(when), language)}"
