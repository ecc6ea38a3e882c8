"""Offences and forms of exploitation in words, to the canonical groups.

Belongs here: what words mean. The words are data: `schemas/codes/offences.csv` (known wordings), `offence_words.csv` (parts of words that
decide where no wording is near: the first rule that fits), `forms.csv` (`parts`: likewise). Does not belong here: articles (`articles`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import pandas as pd
from rapidfuzz import fuzz, process

from pipelines.harmonise import codes
from pipelines.harmonise.text import fold, map_values, phrase_skeleton

_LIKE = 88.0  # least likeness of word sets (rapidfuzz token_sort_ratio) at which misspelt words still count


@dataclass(frozen=True)
class _Rule:
    """A group, and the parts of words of which each set must have one in the text (`none_of`: must have none)."""

    group: str
    one_of: tuple[str, ...]
    and_one_of: tuple[str, ...]
    none_of: tuple[str, ...]

    def fits(self, words: str) -> bool:
        return (
            any(part in words for part in self.one_of)
            and (not self.and_one_of or any(part in words for part in self.and_one_of))
            and not any(part in words for part in self.none_of)
        )


def words_group(text: pd.Series) -> pd.Series:
    """Offence group (`schemas.canonical.OFFENCE_GROUPS`) of an offence in words, on the same index; null where the words say none."""
    return map_values(text, _group)


def form(text: pd.Series) -> pd.Series:
    """Form of exploitation (`schemas.canonical.FORMS`) of words or of the prosecution's code, on the same index; null where unknown.

    Words that say that the form is not known give null as well: the counting rules make `unknown` of it.
    """
    found = codes.lookup("forms", text)["code"]
    guessed = map_values(text.where(found.isna()), _form)
    return found.fillna(guessed).replace("unknown", None).astype("str")


def _group(text: str) -> str | None:
    key = phrase_skeleton(text)
    if not key:
        return None
    if group := _wordings().get(key):
        return group
    if found := process.extractOne(key, list(_wordings()), scorer=fuzz.token_sort_ratio, score_cutoff=_LIKE):
        return _wordings()[found[0]]
    words = f" {fold(text)}"
    ruled = next((rule.group for rule in _rules() if rule.fits(words)), None)
    return ruled or _contained(set(key.split()))


def _contained(words: set[str]) -> str | None:
    """Group of the longest known wording all of whose words are among `words`."""
    inside = [wording for wording in _wordings() if words.issuperset(wording.split())]
    return _wordings()[max(inside, key=len)] if inside else None


@cache
def _wordings() -> dict[str, str]:
    groups = dict(codes.table("offences")[["code", "group"]].itertuples(index=False, name=None))
    return {phrase_skeleton(text): groups[code] for code, texts in codes.names_of("offences").items() for text in texts}


@cache
def _rules() -> tuple[_Rule, ...]:
    rows = codes.table("offence_words").to_dict("records")
    return tuple(_Rule(str(row["group"]), *(_parts(row[name]) for name in ("one_of", "and_one_of", "none_of"))) for row in rows)


def _parts(cell: str) -> tuple[str, ...]:
    return tuple(part for part in cell.split("|") if part)


def _form(text: str) -> str | None:
    words = fold(text)
    return next((code for code, parts in _form_parts() if any(part in words for part in parts)), None)


@cache
def _form_parts() -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple((str(row["code"]), _parts(row["parts"])) for row in codes.table("forms").to_dict("records"))
