"""Code lists of the domain (those that Harmonia contains are in `schemas/codes`), and finding the code of a delivered text.

Belongs here: loading the lists, comparing texts with labels and aliases. Does not belong here: the lists themselves (data), offences in
words (`offence_words`), articles (`articles`).

Every list has the columns `code`, `valid_from`, `valid_to`, `label_sq`, `label_sr`, `label_en` and `aliases` (separated by `|`). Some have
further columns.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Literal

import pandas as pd
from rapidfuzz import process
from rapidfuzz.distance import OSA

from pipelines.harmonisation.letters import fold_text, make_phrase_skeleton, map_values_to_frame, tidy_text
from schemas import domain_folder

MatchKind = Literal["exact", "alias", "fuzzy"]
NAMED_LISTS = tuple(name for name in domain_folder.CODE_LISTS if name != "offence_words")

_MAX_CODE_LETTERS = 3  # shorter texts are codes: compared exactly, never by skeleton or similarity
_MIN_LETTERS_ONE_ERROR, _MIN_LETTERS_TWO_ERRORS = 5, 9  # letters that a text must have so that one or two typing errors are tolerated
_MARGIN = 1  # the name of any other code must differ from a misspelt text by more errors than this

# Words around the name of a place or a country that do not help to identify it.
_JOINING = "ne|u|of|te|se|e|i"
_AROUND_PLACES = re.compile(
    r"\b(?:gjykata|gjykates|themelore|themelor|qarkut|komunale|prokuroria|prokurorise|dega|osnovni|osnovno|sud|tuzilastvo|ogranak"
    r"|odeljenje|basic|court|prosecution|office|branch"
    r"|komuna|komunes|opstina|opstine|municipality|qyteti|grad|city|stacioni|policor|policijska|stanica|drejtoria|rajonale|policise"
    rf"|{_JOINING})\b"
)
_AROUND_COUNTRIES = re.compile(
    rf"\b(?:shtetas|shtetase|drzavljanin|drzavljanka|citizen|republika|republikes|republike|republic|{_JOINING})\b"
)


@dataclass(frozen=True)
class CodeListIndex:
    """The lookup tables of one code list.

    `exact` maps labels and codes, without differences of case, to codes. `alias` maps the skeletons of labels and aliases to codes.
    `around` finds words that may stand beside a name and do not identify it.
    """

    exact: dict[str, str]
    alias: dict[str, str]
    around: re.Pattern[str]

    def remove_surrounding_words(self, text: str) -> str:
        """Fold a text, and remove the words beside the name that do not identify it."""
        return self.around.sub(" ", fold_text(text))


@cache
def read_code_list(list_name: str) -> pd.DataFrame:
    """Return a code list with texts in all columns; an empty cell is an empty text. Raises `KeyError` if there is no such list."""
    path = domain_folder.find_path_in_domain(f"codes/{list_name}.csv")
    if not path.is_file():
        raise KeyError(f"no code list {list_name!r} in schemas/codes; the lists are {', '.join(NAMED_LISTS)}")
    rows = pd.read_csv(path, dtype="str", keep_default_na=False, encoding="utf-8")
    return rows.fillna("")  # lines may lack the last columns


def list_names_by_code(name: str) -> dict[str, list[str]]:
    """Return the names of every code of a list: first its labels, then its aliases, without duplicates."""
    rows = read_code_list(name)
    out: dict[str, list[str]] = {}
    for row in rows.to_dict("records"):
        texts = [row["label_sq"], row["label_sr"], row["label_en"], *row["aliases"].split("|")]
        out[row["code"]] = list(dict.fromkeys(text for text in texts if text))
    return out


def find_codes(list_name: str, text: pd.Series) -> pd.DataFrame:
    """Find the code of each text in the list `list_name`.

    The result has the index of `text`. The column `code` is null if no code is found. The column `how` says how it was found: `exact` (the
    text is the code or label, in any case), `alias` (the text is another name, script, spelling or form, or has words beside the name),
    `fuzzy` (the text is misspelt, and one code is clearly nearest), or null.
    """
    index = _build_code_index(list_name)
    return map_values_to_frame(text, lambda value: _find_code_of_text(value, index), {"code": "str", "how": "str"})


@cache
def _build_code_index(list_name: str) -> CodeListIndex:
    """Build the lookup tables of a code list."""
    exact: dict[str, str] = {}
    alias: dict[str, str] = {}
    index = CodeListIndex(exact, alias, _AROUND_COUNTRIES if list_name == "countries" else _AROUND_PLACES)
    labels_of = read_code_list(list_name).set_index("code")[["label_sq", "label_sr", "label_en"]].T.to_dict("list")
    for code, texts in list_names_by_code(list_name).items():
        labels = labels_of[code]
        exact.setdefault(_fold_case(code), code)
        for text in texts:
            if text in labels or not _make_skeleton_key(text):
                exact.setdefault(_fold_case(text), code)
            alias.setdefault(_make_skeleton_key(text), code)
            alias.setdefault(_make_skeleton_key(index.remove_surrounding_words(text)), code)
    if list_name == "seats":  # any municipality of the district also names the seat
        towns = read_code_list("municipalities").set_index("code")["seat"]
        for code, texts in list_names_by_code("municipalities").items():
            for text in texts:
                alias.setdefault(_make_skeleton_key(text), towns[code])
    alias.pop("", None)
    return index


def _find_code_of_text(text: str, index: CodeListIndex) -> tuple[str | None, MatchKind | None]:
    """Return the code of one text and how it was found, as `find_codes` describes."""
    value = tidy_text(text)
    if code := index.exact.get(_fold_case(value)):
        return code, "exact"
    if _is_short_text(value):
        return (code, "alias") if (code := index.exact.get(_fold_case(value.strip(" .,;")))) else (None, None)
    for key in _make_skeletons_for_lookup(value, index):
        if code := index.alias.get(key):
            return code, "alias"
    return _find_nearest_code(value, index)


def _make_skeletons_for_lookup(value: str, index: CodeListIndex) -> list[str]:
    """Return the skeletons by which a text is looked up: those of the whole text, of the text without the words beside the name, and of
    each part between separators.
    """
    parts = [part for part in re.split(r"[/,;()]|\s-\s", value) if not _is_short_text(part)]
    keys = [
        _make_skeleton_key(value),
        _make_skeleton_key(index.remove_surrounding_words(value)),
        *(_make_skeleton_key(index.remove_surrounding_words(part)) for part in parts),
    ]
    return [key for key in dict.fromkeys(keys) if key]


def _find_nearest_code(value: str, index: CodeListIndex) -> tuple[str | None, MatchKind | None]:
    """Return the code whose name differs from the text by at most one typing error (two in a long name).

    None is returned if the name of another code is nearly as similar. The words beside the name are not compared.
    """
    key = _make_skeleton_key(index.remove_surrounding_words(value))
    errors = (len(key) >= _MIN_LETTERS_ONE_ERROR) + (len(key) >= _MIN_LETTERS_TWO_ERRORS)
    near = process.extract(key, list(index.alias), scorer=OSA.distance, score_cutoff=errors + _MARGIN, limit=None) if errors else []
    least = min((distance for _, distance, _ in near), default=0)
    codes = {index.alias[name] for name, distance, _ in near if distance <= least + _MARGIN}
    return (codes.pop(), "fuzzy") if len(codes) == 1 and least <= errors else (None, None)


def _fold_case(text: str) -> str:
    return tidy_text(text).casefold()


def _is_short_text(text: str) -> bool:
    """Return whether a text has so few letters that it must be a code, not a name."""
    return len(re.sub(r"\W", "", text)) <= _MAX_CODE_LETTERS


def _make_skeleton_key(text: str) -> str:
    """Return the skeleton of a text that has more than `_MAX_CODE_LETTERS` letters.

    The result is empty for a shorter text, and for a text with digits, since a skeleton consists of letters only.
    """
    return "" if _is_short_text(text) or re.search(r"\d", text) else make_phrase_skeleton(text)
