"""Letters: repairing mojibake (letters garbled by a wrong encoding), script, diacritics, and the skeleton by which names and words are
compared.

Belongs here: functions for a single text. `map_values` and `map_values_to_frame` apply such a function to each distinct value of a Series,
once. Does not belong here: the meaning of a text (the other modules of this package).

The skeleton removes the differences between Albanian, Serbian and Turkish spelling (sources-of-facts.md, Spelling of names). It is coarse
on purpose: two spellings of one name must have the same skeleton. The linkage model decides how much it means that two skeletons are equal.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import pandas as pd

# Serbian and Macedonian letters, then those of other Cyrillic alphabets, for names of foreigners.
_CYRILLIC = {
    **dict(zip("абвгдезијклмнопрстћуфхцчш", "abvgdezijklmnoprstćufhcčš", strict=True)),
    **dict(zip("ђжљњџѓќѕ", ("đ", "ž", "lj", "nj", "dž", "đ", "ć", "dz"), strict=True)),
    **dict(zip("йяюэыщъьёіїєґ", ("j", "ja", "ju", "e", "i", "šč", "", "", "jo", "i", "ji", "je", "g"), strict=True)),
}
_TO_LATIN = str.maketrans({**_CYRILLIC, **{k.upper(): v.capitalize() for k, v in _CYRILLIC.items()}})

# Letters that Unicode decomposition does not change.
_UNDECOMPOSED = str.maketrans({"ı": "i", "ł": "l", "ø": "o", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d", "ß": "ss"})

# Albanian-Serbian letter pairs, replaced before diacritics are stripped. `dž` and its stripped form `dz` are the same sound here.
_PAIRS = (
    (re.compile("dž|xh|dz"), "x"),
    (re.compile("gj|dj|đ"), "d"),
    (re.compile("sh|š|ş|ș"), "s"),
    (re.compile("zh|ž"), "z"),
    (re.compile("ch|[çčćq]"), "c"),
    (re.compile("th|ț"), "t"),
    (re.compile("dh"), "d"),
    (re.compile("lj"), "l"),
    (re.compile("[jy]"), "i"),
    (re.compile("w"), "v"),
)
_DOUBLED = re.compile(r"(.)\1+")
_MOJIBAKE = re.compile("[ÃÄÅÂĂĹÐÑĐ][\u0080-\u00bf\u0100-\u017f\u02c7-\u02dd\u2013-\u203a\u20ac\u2122]")
_SPACE = re.compile(r"[\s\u00a0\u200b\ufeff]+")


def map_values(text: pd.Series, function: Callable[[str], Any], dtype: str = "str") -> pd.Series:
    """Apply `function` to each distinct value of `text` that is not null.

    Return the results as a Series of type `dtype` with the same index. A null stays null.
    """
    return map_values_to_frame(text, lambda value: (function(value),), {"value": dtype})["value"]


def map_values_to_frame(text: pd.Series, function: Callable[[str], tuple[Any, ...]], columns: Mapping[str, str]) -> pd.DataFrame:
    """Apply `function`, which returns a tuple, to each distinct value of `text` that is not null. Return a frame with the same index.

    `columns` has the name and type of each column of the result, in the order of the tuple.
    """
    codes, values = pd.factorize(text.astype("str"))
    results = [function(str(value)) for value in values]
    out = {}
    for position, (name, dtype) in enumerate(columns.items()):
        column = pd.array([*(result[position] for result in results), None], dtype=dtype)  # type: ignore[call-overload]
        out[name] = column.take(codes)  # -1, the code of a null, takes the last entry
    return pd.DataFrame(out, index=text.index)


@lru_cache(maxsize=65536)
def repair_mojibake(text: str) -> str:
    """Repair a text in UTF-8 that was read in another encoding (`KrasnÃ«qi`, `PejĂ«`). Any other text is returned unchanged."""
    if not _MOJIBAKE.search(text):
        return text
    for encoding in ("cp1252", "cp1250", "latin-1"):
        try:
            return text.encode(encoding).decode("utf-8")
        except UnicodeError:
            continue
    return text


def tidy_text(text: str) -> str:
    """Return a text with mojibake repaired, with each letter and its accent as one character, single spaces, and no spaces at the ends."""
    return _SPACE.sub(" ", unicodedata.normalize("NFC", repair_mojibake(text))).strip()


def convert_to_latin(text: str) -> str:
    """Return a text in which Cyrillic letters are replaced by the Latin letters of Serbian."""
    return text.translate(_TO_LATIN)


def _strip_diacritics(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.translate(_UNDECOMPOSED))
    return "".join(c for c in plain if not unicodedata.combining(c))


@lru_cache(maxsize=65536)
def fold_text(text: str) -> str:
    """Return a text tidied, in Latin script, in lower case, and without diacritics (`đ` becomes `dj`).

    It is used for words and labels. Unlike in a skeleton, letter pairs such as `sh` and `s` stay different.
    """
    return _strip_diacritics(convert_to_latin(tidy_text(text)).lower().replace("đ", "dj"))


@lru_cache(maxsize=262144)
def make_token_skeleton(token: str) -> str:
    """Return the skeleton of one word of a name, which has only the letters a to z; empty if the word has no letter.

    A skeleton is its own skeleton.
    """
    text = convert_to_latin(tidy_text(token)).casefold()
    text = unicodedata.normalize("NFC", text)
    previous = None
    while text != previous:  # folding can create a new pair (`šh`), so repeat until nothing changes
        previous = text
        for pattern, plain in _PAIRS:
            text = pattern.sub(plain, text)
        text = re.sub("[^a-z]", "", _strip_diacritics(text))
        text = _DOUBLED.sub(r"\1", text)
    return text


def make_phrase_skeleton(text: str) -> str:
    """Return the skeletons of the words of a text, in the order of the words, separated by spaces."""
    return " ".join(skeleton for part in _split_text_at_spaces(text) for skeleton in _make_token_skeletons(part))


def split_folded_words(text: str) -> list[str]:
    """Return the folded words of a text, in their order."""
    return [word for part in _split_text_at_spaces(text) for word in fold_text(part).split()]


def _split_text_at_spaces(text: str) -> list[str]:
    """Split a text at spaces, so that each word is processed separately, and a word that occurs often is processed only once.

    A text with mojibake is not split, since a garbled letter may contain a space.
    """
    return [text] if _MOJIBAKE.search(text) else text.split()


@lru_cache(maxsize=65536)
def _make_token_skeletons(text: str) -> tuple[str, ...]:
    words = re.split(r"[^\w]+", convert_to_latin(tidy_text(text)))
    return tuple(s for s in (make_token_skeleton(w) for w in words) if s)
