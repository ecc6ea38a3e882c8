"""Offence groups and forms of exploitation that are written in words.

Belongs here: finding the meaning of the words. The words are data. `schemas/codes/offences.csv` has known wordings. `offence_words.csv` has
rules on parts of words, which are used if no known wording is similar; the first rule that matches applies. `forms.csv` has parts of words
for forms of exploitation (column `parts`). Does not belong here: articles (`articles`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import pandas as pd
from rapidfuzz import fuzz, process

from pipelines.harmonisation import code_lists
from pipelines.harmonisation.letters import fold_text, make_phrase_skeleton, map_values

_LEAST_SIMILARITY = 88.0  # of a text to a known wording, in percent (rapidfuzz token_sort_ratio)


@dataclass(frozen=True)
class _OffenceWordRule:
    """A rule that gives a text an offence group.

    It applies to a text that contains a part of `one_of`, also a part of `and_one_of` unless that is empty, and no part of `none_of`.
    """

    group: str
    one_of: tuple[str, ...]
    and_one_of: tuple[str, ...]
    none_of: tuple[str, ...]

    def is_met_by(self, words: str) -> bool:
        return (
            any(part in words for part in self.one_of)
            and (not self.and_one_of or any(part in words for part in self.and_one_of))
            and not any(part in words for part in self.none_of)
        )


def find_offence_groups(text: pd.Series) -> pd.Series:
    """Return the offence group (`schemas.canonical.OFFENCE_GROUPS`) of each offence in words; null if the words do not show the group.

    The result has the index of `text`.
    """
    return map_values(text, _find_offence_group)


def find_exploitation_forms(text: pd.Series) -> pd.Series:
    """Return the form of exploitation (`schemas.canonical.FORMS`) of each text, which is in words or is a code of the prosecution.

    The result has the index of `text`. It is null if the form is not known, even if the text says so in words; the counting rules count
    null as `unknown`.
    """
    forms = code_lists.find_codes("forms", text)["code"]
    forms_by_words = map_values(text.where(forms.isna()), _find_exploitation_form)
    return forms.fillna(forms_by_words).replace("unknown", None).astype("str")


def _find_offence_group(text: str) -> str | None:
    """Return the offence group of one text: from a known wording, a similar wording, a rule, or a wording that the text contains."""
    key = make_phrase_skeleton(text)
    if not key:
        return None
    if group := _read_known_offence_wordings().get(key):
        return group
    if similar := process.extractOne(
        key, list(_read_known_offence_wordings()), scorer=fuzz.token_sort_ratio, score_cutoff=_LEAST_SIMILARITY
    ):
        return _read_known_offence_wordings()[similar[0]]
    words = f" {fold_text(text)}"
    group_by_rule = next((rule.group for rule in _read_offence_word_rules() if rule.is_met_by(words)), None)
    return group_by_rule or _find_group_of_contained_wording(set(key.split()))


def _find_group_of_contained_wording(words: set[str]) -> str | None:
    """Return the offence group of the longest known wording of which all words are among `words`."""
    inside = [wording for wording in _read_known_offence_wordings() if words.issuperset(wording.split())]
    return _read_known_offence_wordings()[max(inside, key=len)] if inside else None


@cache
def _read_known_offence_wordings() -> dict[str, str]:
    """Map the skeleton of each known wording to its offence group."""
    groups = dict(code_lists.read_code_list("offences")[["code", "group"]].itertuples(index=False, name=None))
    return {make_phrase_skeleton(text): groups[code] for code, texts in code_lists.list_names_by_code("offences").items() for text in texts}


@cache
def _read_offence_word_rules() -> tuple[_OffenceWordRule, ...]:
    rows = code_lists.read_code_list("offence_words").to_dict("records")
    return tuple(
        _OffenceWordRule(str(row["group"]), *(_split_list_cell(row[name]) for name in ("one_of", "and_one_of", "none_of"))) for row in rows
    )


def _split_list_cell(cell: str) -> tuple[str, ...]:
    return tuple(part for part in cell.split("|") if part)


def _find_exploitation_form(text: str) -> str | None:
    words = fold_text(text)
    return next((code for code, parts in _read_word_parts_of_exploitation_forms() if any(part in words for part in parts)), None)


@cache
def _read_word_parts_of_exploitation_forms() -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return each form of exploitation with the parts of words that show it."""
    return tuple((str(row["code"]), _split_list_cell(row["parts"])) for row in code_lists.read_code_list("forms").to_dict("records"))
