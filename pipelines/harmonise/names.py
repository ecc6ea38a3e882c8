"""Names of persons: one skeleton per name, tokens, and the parent's name where it stands inside the name.

Belongs here: splitting and folding of names. Does not belong here: comparison or nicknames (`pipelines.linkage`).
"""

from __future__ import annotations

import re

import pandas as pd

from pipelines.harmonise.text import fold, map_frame, map_values, phrase_skeleton, tidy, to_latin, token_skeleton

COLUMNS = ("name_tokens", "given_skeleton", "surname_skeleton", "parent_skeleton")

# What stands before a name without being one; `z.` is also an initial and counts as a title only before two full tokens.
_TITLES = frozenset(
    re.findall(
        r"\w+",
        "z zt znj zot zoti zoteri zonja zonjusha g gdin gospodin gospodja gdja gdjica mr mrs ms dr prof ing av mag "
        "kapiten kapetan toger nentoger rreshter reshter oficer policie polic major kolonel nenkolonel",
    )
)
_AMBIGUOUS_TITLES = frozenset({"z", "g"})
# Words around a name that are no part of it: alias, born, unknown.
_NO_NAME = frozenset(
    {"alias", "zvani", "lindur", "lindura", "rodj", "rodjen", "rodjena", "nn", "panjohur", "nepoznat", "nepoznata", "unknown"}
)
_PARENT_BRACKET = re.compile(r"[(\[{]\s*(?P<parent>[^)\]}]*)[)\]}]?")
_PARENT_WORDS = re.compile(
    r"[,\s]+"
    r"(?:i biri [ie]|e bija [ie]|djali i|vajza e|emri i babait|babai|sin|k[ćc]i|k[ćc]erka|od oca|ime oca)"
    r"[:\s]+(?P<parent>[^\W\d_]+),?",
    re.IGNORECASE,
)
_SPLIT = re.compile(r"[^\w'’`]+|_")


def skeleton(names: pd.Series) -> pd.Series:
    """Skeleton of each text of `names`, its tokens in their order with one space between (see `pipelines.harmonise.text`)."""
    return map_values(names, lambda text: phrase_skeleton(text) or None)


def parse_names(frame: pd.DataFrame) -> pd.DataFrame:
    """Skeletons of names, on the index of `frame`.

    In: text columns `given_name`, `surname`, `full_name`, `parent_name`; any may be null or absent. `full_name` is read only
    where neither given name nor surname is there. Out: `name_tokens` (sorted distinct skeletons of given name and surname,
    space-separated), `given_skeleton`, `surname_skeleton` (null where the source has one field), `parent_skeleton` (the parent's
    column, else what stands in brackets, after "i biri i", or as an initial between two tokens). An initial elsewhere is a token
    of one letter. Null where nothing is left.
    """
    column = {name: _column(frame, name) for name in ("given_name", "surname", "full_name", "parent_name")}
    given = map_frame(column["given_name"], lambda text: _parse(text, one_field=False), {"own": "str", "parent": "str"})
    surname = map_frame(column["surname"], lambda text: _parse(text, one_field=False), {"own": "str", "parent": "str"})
    full = map_frame(column["full_name"], lambda text: _parse(text, one_field=True), {"own": "str", "parent": "str"})
    parent = map_frame(column["parent_name"], lambda text: _parse(text, one_field=False), {"own": "str", "parent": "str"})["own"]

    both = given["own"].fillna("") + " " + surname["own"].fillna("")
    tokens = both.where(both.str.strip() != "", full["own"])
    out = pd.DataFrame(index=frame.index)
    out["name_tokens"] = map_values(tokens, lambda text: " ".join(sorted(set(text.split()))) or None)
    out["given_skeleton"] = given["own"]
    out["surname_skeleton"] = surname["own"]
    out["parent_skeleton"] = parent.fillna(given["parent"]).fillna(surname["parent"]).fillna(full["parent"])
    return out


def _column(frame: pd.DataFrame, name: str) -> pd.Series:
    return frame[name].astype("str") if name in frame else pd.Series(None, index=frame.index, dtype="str")


def _parse(text: str, *, one_field: bool) -> tuple[str | None, str | None]:
    """Skeletons of the name's own tokens in their order, and of a parent's name found inside."""
    text = to_latin(tidy(text))
    parents: list[str] = []
    for pattern in (_PARENT_BRACKET, _PARENT_WORDS):
        found = pattern.search(text)
        if found:
            text = f"{text[: found.start()]} {text[found.end() :]}"
            parents.append(found["parent"])
    words = _drop_titles([word for word in _SPLIT.split(text) if word])
    tokens = [s for s in (token_skeleton(word) for word in words) if s]
    if tokens == ["n", "n"]:  # nomen nescio
        tokens = []
    if not tokens and parents:  # only brackets: that is the name itself
        tokens, parents = phrase_skeleton(parents[0]).split(), []
    inner = [i for i in range(1, len(tokens) - 1 if one_field else len(tokens)) if len(tokens[i]) == 1]
    if len(inner) == 1 and len(words) == len(tokens):
        parents.append(tokens.pop(inner[0]))
    parent = phrase_skeleton(parents[0]) if parents else ""
    return " ".join(tokens) or None, parent or None


def _drop_titles(words: list[str]) -> list[str]:
    keep = [word for word in words if _plain(word) not in _NO_NAME]
    if len(keep) < len(words):  # "e lindur Gashi", "i panjohur": the article goes with its word
        keep = [word for word in keep if word.lower() not in ("i", "e")]
    while len(keep) > 1 and _plain(keep[0]) in _TITLES:
        full = [word for word in keep[1:] if len(word) > 1]
        if _plain(keep[0]) in _AMBIGUOUS_TITLES and len(full) < 2:
            break
        keep = keep[1:]
    return keep


def _plain(word: str) -> str:
    return fold(word)
