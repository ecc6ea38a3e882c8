"""Names of persons: the skeletons of a name, and the name of the parent if it is written as a part of the name.

Belongs here: splitting names into words, and folding them. Does not belong here: comparing names, nicknames (`pipelines.linkage`).
"""

from __future__ import annotations

import re
from functools import cache

import pandas as pd

from pipelines.harmonisation import code_lists
from pipelines.harmonisation.letters import (
    convert_to_latin,
    fold_text,
    make_phrase_skeleton,
    make_token_skeleton,
    map_values,
    map_values_to_frame,
    tidy_text,
)

COLUMNS = ("name_tokens", "given_skeleton", "surname_skeleton", "parent_skeleton")

# Titles before a name; `z.` is also an initial and counts as a title only before two full tokens.
_TITLES = frozenset(
    re.findall(
        r"\w+",
        "z zt znj zot zoti zoteri zonja zonjusha g gdin gospodin gospodja gdja gdjica mr mrs ms dr prof ing av mag "
        "kapiten kapetan toger nentoger rreshter reshter oficer policie polic major kolonel nenkolonel",
    )
)
_AMBIGUOUS_TITLES = frozenset({"z", "g"})
# Words around a name that are not part of it: alias, born. Single words for an unknown person are added by `_list_words_that_are_no_names`.
_AROUND = frozenset({"alias", "zvani", "lindur", "lindura", "rodj", "rodjen", "rodjena"})
_PARENT_BRACKET = re.compile(r"[(\[{]\s*(?P<parent>[^)\]}]*)[)\]}]?")
_PARENT_WORDS = re.compile(
    r"[,\s]+"
    r"(?:i biri [ie]|e bija [ie]|djali i|vajza e|emri i babait|babai|sin|k[ćc]i|k[ćc]erka|od oca|ime oca)"
    r"[:\s]+(?P<parent>[^\W\d_]+),?",
    re.IGNORECASE,
)
_SPLIT = re.compile(r"[^\w'’`]+|_")


def make_name_skeletons(names: pd.Series) -> pd.Series:
    """Return the skeleton of each text of `names`: the skeletons of its words in their order, separated by spaces.

    See `pipelines.harmonisation.letters`.
    """
    return map_values(names, lambda text: make_phrase_skeleton(text) or None)


def parse_names(frame: pd.DataFrame) -> pd.DataFrame:
    """Return skeletons of the names of persons, with the index of `frame`.

    `frame` has the text columns `given_name`, `surname`, `full_name` and `parent_name`; each of them may be null or missing. The person's
    names are taken from `full_name` only if given name and surname are missing. Columns of the result:

    - `name_tokens`: the skeletons of all words of the name, sorted, without duplicates, separated by spaces
    - `given_skeleton`, `surname_skeleton`: null if the institution delivers the whole name in one column
    - `parent_skeleton`: from the column of the parent; otherwise the name that is written in brackets, after words such as "i biri i", or
      as an initial after the first word (in a full name, between two words). An initial at another position is a word of one letter

    All are null if the text has no name, or has the words for an unknown person (`schemas/codes/person_kinds.csv`).
    """
    column = {name: _get_text_column(frame, name) for name in ("given_name", "surname", "full_name", "parent_name")}
    unknown = _are_unknown_person_words(column["given_name"], column["surname"])
    column |= {name: column[name].mask(unknown) for name in ("given_name", "surname")}
    given = map_values_to_frame(column["given_name"], lambda text: _parse_name(text, is_full_name=False), {"own": "str", "parent": "str"})
    surname = map_values_to_frame(column["surname"], lambda text: _parse_name(text, is_full_name=False), {"own": "str", "parent": "str"})
    full = map_values_to_frame(column["full_name"], lambda text: _parse_name(text, is_full_name=True), {"own": "str", "parent": "str"})
    parent = map_values_to_frame(
        column["parent_name"], lambda text: _parse_name(text, is_full_name=False), {"own": "str", "parent": "str"}
    )["own"]

    both = given["own"].fillna("") + " " + surname["own"].fillna("")
    tokens = both.where(both.str.strip() != "", full["own"])
    out = pd.DataFrame(index=frame.index)
    out["name_tokens"] = map_values(tokens, lambda text: " ".join(sorted(set(text.split()))) or None)
    out["given_skeleton"] = given["own"]
    out["surname_skeleton"] = surname["own"]
    out["parent_skeleton"] = parent.fillna(given["parent"]).fillna(surname["parent"]).fillna(full["parent"])
    return out


def classify_person_kinds(frame: pd.DataFrame, has_identifying_value: pd.Series) -> pd.Series:
    """Return `natural`, `legal` or `unknown` for each row of `frame`, which has the columns `full_name` and `name_tokens`.

    `has_identifying_value` says whether the row identifies the person by something other than the name. A row with neither a name nor such
    a value is an unknown person.
    """
    words = code_lists.list_names_by_code("person_kinds")
    listed = code_lists.read_code_list("person_kinds")
    forms = frozenset("|".join(listed.loc[listed["code"] == "legal", "parts"]).split("|"))
    called = frozenset(map(_extract_folded_letters, words["legal"]))
    company = map_values(
        frame["full_name"],
        lambda text: _extract_folded_letters(text) in called or not forms.isdisjoint(map(_extract_folded_letters, text.split())),
        "boolean",
    )
    out = pd.Series("natural", index=frame.index, dtype="str").mask(company.fillna(False).astype(bool), "legal")
    return out.mask(frame["name_tokens"].isna() & ~has_identifying_value, "unknown")


def _are_unknown_person_words(given: pd.Series, surname: pd.Series) -> pd.Series:
    """Return for each row whether given name and surname together, in either order, are the words for an unknown person."""
    first, last = given.fillna(""), surname.fillna("")
    both = pd.DataFrame({"straight": first + " " + last, "turned": last + " " + first})
    return both.apply(lambda text: map_values(text, _is_unknown_person, "bool")).any(axis=1)


def _is_unknown_person(text: str) -> bool:
    """Return whether a text consists of the words for an unknown person, written once or twice (as given name and as surname)."""
    letters = _extract_folded_letters(text)
    half = letters[: len(letters) // 2]
    return letters in _list_unknown_person_words() or (half * 2 == letters and half in _list_unknown_person_words())


@cache
def _list_unknown_person_words() -> frozenset[str]:
    """Return the words for an unknown person, reduced to folded letters."""
    return frozenset(map(_extract_folded_letters, code_lists.list_names_by_code("person_kinds")["unknown"]))


@cache
def _list_words_that_are_no_names() -> frozenset[str]:
    """Return single words that may stand beside a name but are not a part of it."""
    return _AROUND | {fold_text(text) for text in code_lists.list_names_by_code("person_kinds")["unknown"] if " " not in text}


def _extract_folded_letters(text: str) -> str:
    """Return only the letters of a folded text."""
    return re.sub(r"[\W\d_]", "", fold_text(text))


def _get_text_column(frame: pd.DataFrame, name: str) -> pd.Series:
    return frame[name].astype("str") if name in frame else pd.Series(None, index=frame.index, dtype="str")


def _parse_name(text: str, *, is_full_name: bool) -> tuple[str | None, str | None]:
    """Return the skeletons of the words of a name, in their order, and the skeleton of the parent's name if the text contains it."""
    if _is_unknown_person(text):
        return None, None
    text = convert_to_latin(tidy_text(text))
    parents: list[str] = []
    for pattern in (_PARENT_BRACKET, _PARENT_WORDS):
        match = pattern.search(text)
        if match:
            text = f"{text[: match.start()]} {text[match.end() :]}"
            if not _is_unknown_person(match["parent"]):
                parents.append(match["parent"])
    words = _drop_titles([word for word in _SPLIT.split(text) if word])
    tokens = [s for s in (make_token_skeleton(word) for word in words) if s]
    if not tokens and parents:  # the whole text is in brackets, so they contain the name itself
        tokens, parents = make_phrase_skeleton(parents[0]).split(), []
    inner = [i for i in range(1, len(tokens) - 1 if is_full_name else len(tokens)) if len(tokens[i]) == 1]
    if len(inner) == 1 and len(words) == len(tokens):
        parents.append(tokens.pop(inner[0]))
    parent = make_phrase_skeleton(parents[0]) if parents else ""
    return " ".join(tokens) or None, parent or None


def _drop_titles(words: list[str]) -> list[str]:
    """Return the words of a name without titles, and without other words that are not a part of it."""
    keep = [word for word in words if _fold_word(word) not in _list_words_that_are_no_names()]
    if len(keep) < len(words):  # "e lindur Gashi", "i panjohur": the particle is dropped with its word
        keep = [word for word in keep if word.lower() not in ("i", "e")]
    while len(keep) > 1 and _fold_word(keep[0]) in _TITLES:
        full = [word for word in keep[1:] if len(word) > 1]
        if _fold_word(keep[0]) in _AMBIGUOUS_TITLES and len(full) < 2:
            break
        keep = keep[1:]
    return keep


def _fold_word(word: str) -> str:
    return fold_text(word)
