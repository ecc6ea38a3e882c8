"""Prison sentences that are written in words.

Belongs here: reading a length of time. Does not belong here: fines and other measures.
"""

from __future__ import annotations

import re

import pandas as pd

from pipelines.harmonisation.letters import fold_text, map_values

DAYS_PER_YEAR = 365.25
DAYS_PER_MONTH = DAYS_PER_YEAR / 12

# A unit is recognised by its first letters, so that typing errors later in the word do not matter (Albanian, Serbian, English).
_UNITS = (
    (re.compile("v|god|g$|y"), DAYS_PER_YEAR),
    (re.compile("m"), DAYS_PER_MONTH),
    (re.compile("jav|ned|nd|w"), 7.0),
    (re.compile("d"), 1.0),
)
_WORDS = {
    word: str(number)
    for number, words in enumerate(
        (
            "nje jedan jedna jednu one",
            "dy dva dve dvije two",
            "tre tri three",
            "kater cetiri four",
            "pese pet five",
            "gjashte sest six",
            "shtate sedam seven",
            "tete osam eight",
            "nente devet nine",
            "dhjete deset ten",
            "njembedhjete jedanaest eleven",
            "dymbedhjete dvanaest twelve",
        ),
        1,
    )
    for word in words.split()
}
_HALF = re.compile(r"\b(?:gjysem|gjysme|gjysm|pola|half)\b")
_YEAR_AND_A_HALF = re.compile(r"\b((?:v|god|year)[a-z]*)\s+(?:e|i|and)\s+(?:a\s+)?0\.5(?!\s*[a-z])")
_LENGTH = re.compile(r"(\d{1,5}(?:[.,]\d+)?)[^\w]*([a-z]+)")


def parse_prison_sentences_in_days(text: pd.Series) -> pd.Series:
    """Return the length of each sentence in days (float), with the index of `text`. A year has 365.25 days, and a month a twelfth of that.

    Examples of texts are `3 vjet e 6 muaj`, `84 muaj` and `60 ditë`. They may be in Albanian, Serbian or English, and have numbers in words
    or typing errors in the units. The result is null if no length of time can be read; a number without a unit does not count.
    """
    return map_values(text, _parse_prison_sentence, "float64")


def parse_prison_sentences_in_months(text: pd.Series) -> pd.Series:
    """Return the length of each sentence in months (float), read in the same way as by `parse_prison_sentences_in_days`."""
    return parse_prison_sentences_in_days(text) / DAYS_PER_MONTH


def _parse_prison_sentence(text: str) -> float | None:
    value = _HALF.sub("0.5", fold_text(text))
    value = _YEAR_AND_A_HALF.sub(r"\1 e 6 muaj", value)
    value = re.sub(r"[a-z]+", lambda word: _WORDS.get(word[0], word[0]), value)
    days = [
        float(number.replace(",", ".")) * unit for number, word in _LENGTH.findall(value) if (unit := _get_days_of_unit(word)) is not None
    ]
    return sum(days) if days else None


def _get_days_of_unit(word: str) -> float | None:
    """Return the number of days in the unit of time `word`; None if the word is not a unit of time."""
    return next((days for pattern, days in _UNITS if pattern.match(word)), None)
