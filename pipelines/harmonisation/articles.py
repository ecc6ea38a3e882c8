"""Articles of law as typed, and the offence group of an article.

Belongs here: reading law, article and paragraph from a text; the rule of `counting-rules.md`, "Principal offence". Laws with their names
and the time in which they were in force are data in `schemas/codes/laws.csv`, the articles of the groups in `offences.csv`.

An article is unknown in the sense of `counting-rules.md` if there is no article, if the code is not listed (`KPPK`), or if the article is
not among the offences of the code (`first_article` to `last_article` of `laws.csv`; for example 999, or 4 of a criminal code). Every other
article of a code in force is known. If it is in no group of `offences.csv`, its group is `other`, whatever the words say. There is one
exception: a number typed without its code (`139` in 2014) that only another code lists in a group other than `other` refers to that code,
which was not in force.

A law applies to an article that does not name it only if `unnamed_by` of `laws.csv` says so: the criminal codes of the country by the day
of the offence (`date`), its other laws if only they list the article (`article`). A law with an empty `unnamed_by` (another country's code,
a special law) is found only if it is named. Adding such a law does not change how any other text is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from harmonia.errors import HarmoniaError
from pipelines.harmonisation import code_lists
from pipelines.harmonisation.letters import convert_to_latin, fold_text, map_values, map_values_to_frame, tidy_text

COLUMNS = {"law": "str", "law_family": "str", "article": "str", "paragraph": "str", "words": "str", "problem": "str"}
PROBLEMS = ("unknown_code", "unknown_article", "not_in_force", "no_article")
FAMILIES = ("KPK", "KPRK", "LRQP")

# Names of laws in a folded text, in the order in which they are tried.
_LAW_NUMBER = re.compile(r"\b(?:(?:ligj\w*|zakon\w*|law|l)\b)?\s*\.?\s*(?:nr|no|br)?\.?\s*(0\d)\s*/\s*l\s*-?\s*(\d{2,3})\b")
_UNMIK = re.compile(r"\b(?:unmik\W*(?:reg|rreg)?\w*\W*)?2003\s*/\s*25\b")
_LAW_NAME = re.compile(r"\b(k[pz][a-z]{0,3}|lr[a-z]{1,3}|zjrm|p?cck|ccrk)(?:\s*[-/]?\s*(20\d{2}))?(?:-?s[eë])?\b")
_IN_FULL = (
    ("KPRK", re.compile(r"\b(?:kodi\w*\s+penal|krivicn\w*\s+zakonik\w*)(?:\s+\w+)?\s+republik\w*(?:\s+se)?\s+kosov\w*")),
    ("KPK", re.compile(r"\b(?:kodi\w*\s+(?:\w\s+perkohsh\w*\s+)?penal\s+\w+|krivicn\w*\s+zakon\w*)\s+kosov\w*")),
    ("LRQP", re.compile(r"\b(?:(?:per|o)\s+)?(?:rend\w*(?:\s+dhe\s+qetesi\w*)?\s+publik\w*|javn\w*\s+red\w*(?:\s+i\s+mir\w*)?)")),
)
_FAMILY_ALIAS = {"ccrk": "KPRK", "kzrk": "KPRK", "krzk": "KPRK", "zjrm": "LRQP"}

_PARAGRAPH = r"(?:\s*(?:[/.]|,?\s*(?:par\w*|para|stav\w*|st|al\w*)\.?)\s*(?P<paragraph>[1-9]\d?)\b(?!\d))?"
_NUMBER = r"(?P<article>[1-9]\d{0,3})(?!\d)"
_NAMED = re.compile(r"\b(?:nen(?:eve|it|in|et|i)?|clan\w*|cl|art(?:icle)?)\.?\s*(?:nr\.?\s*)?" + _NUMBER + _PARAGRAPH)
_BARE = re.compile(r"(?<![\w/.-])" + _NUMBER + _PARAGRAPH)
_CONNECTED = re.compile(r"\b(?:ne lidhje|lidhje|lidhur|ne vezi|u vezi|in conjunction)\b")
# Words that only connect an article with its law.
_FILLER = re.compile(
    r"nen\w*|clan\w*|cl|art|article|par\w*|para|stav\w*|st|pika|kodi\w*|penal\w*|ligj\w*|zakon\w*|nr|no|br|law"
    r"|l|te|se|i|e|nga|me|sipas|po|of|the"
)


def parse_articles(text: pd.Series) -> pd.DataFrame:
    """Read law, article, paragraph and words from each text. The first article of a text counts.

    Columns of the result, on the index of `text`: `law` (code of `laws.csv`; an unknown name as typed, `KPPK`; null if the text names no
    law, or only its family), `law_family` (`KPK`, `KPRK`, `LRQP`, null), `article`, `paragraph`, `words` (the rest of the text, folded;
    null if empty), `problem` (null; `no_article`: a text without an article number; `unknown_code`).
    """
    return map_values_to_frame(text, _parse_article, COLUMNS)


def classify_articles(
    law: pd.Series,
    law_family: pd.Series,
    article: pd.Series,
    date: pd.Series,
    words_group: pd.Series,
    latest_day_of_writing: pd.Series | None = None,
) -> pd.DataFrame:
    """Classify each article by the code that is named, else by the code in force on `date`.

    All parameters and the result are on one index. law, law_family, article: as from `parse_articles`; `law` may be any text. date: of the
    offence. words_group: from `offence_words`. latest_day_of_writing: the latest day on which the row can have been written (the end of the
    delivered period; null if unknown); no code that the row means came into force after it. Columns of the result:

    - `law`: the code that was applied, null if none is known
    - `article_group`: null if the article is unknown or was not in force. An unknown code counts as no code: the article is known if the
      code in force, or the only list that has it, puts it in a group
    - `offence_group`: `article_group`, else `words_group`, else `other`
    - `problem`: one of `PROBLEMS` or null

    Without a date, it is not checked whether a law was in force. If then no single code is named, the code whose list has the article
    applies (no article of a group is in two lists).
    """
    named_law = map_values(law, _normalise_law)
    number = pd.to_numeric(article, errors="coerce")
    laws = _list_laws_by_age().set_index("code")
    applied = named_law.where(named_law.isin(laws.index))
    single_listing_law = _find_only_law_that_lists_article(law_family, article)
    if latest_day_of_writing is not None:
        single_listing_law = single_listing_law.mask(
            date.isna() & (pd.to_datetime(single_listing_law.map(laws["valid_from"])) > latest_day_of_writing)
        )
    derived = _find_law_in_force(law_family, date).fillna(single_listing_law.where(date.isna()))
    applied = applied.fillna(derived.where(article.notna() | law_family.notna()))

    unknown_code = named_law.notna() & ~named_law.isin(laws.index)
    no_article = article.isna()
    first, last = (applied.map(laws[name]).astype("float64") for name in ("first_article", "last_article"))
    unlisted = ~unknown_code & ~no_article & ~((number >= first) & (number <= last))
    # Without date and law an article outside all lists is another offence of an undetermined code.
    undecided = applied.isna() & date.isna() & ~unknown_code & _does_article_exist(law_family, number)
    unlisted &= ~undecided
    listed = _look_up_pairs_of_texts(applied, article, _map_articles_to_groups())
    belongs_to_other_law = (
        ~unknown_code & named_law.isna() & listed.isna() & single_listing_law.notna() & (single_listing_law != applied).fillna(False)
    )
    out_of_force = ~unknown_code & (belongs_to_other_law | ~_is_law_in_force(applied, date))

    problem = pd.Series(None, index=law.index, dtype="str")
    for name, mask in (
        ("not_in_force", out_of_force),
        ("unknown_article", unlisted),
        ("unknown_code", unknown_code),
        ("no_article", no_article),
    ):
        problem = problem.mask(mask, name)
    article_group = listed.fillna("other").where(problem.isna(), listed.where(unknown_code)).astype("str")
    return pd.DataFrame(
        {
            "law": applied.astype("str"),
            "article_group": article_group,
            "offence_group": article_group.fillna(words_group).fillna("other").astype("str"),
            "problem": problem,
        }
    )


def _normalise_law(law: str) -> str:
    """Return the code of `laws.csv` that `law` means, as the list spells it (`kprk 2012`); any other text is returned unchanged."""
    plain = re.sub(r"[\s.-]", "", law).upper()
    return plain if plain in _map_laws_to_families() else law


@cache
def _list_laws_by_age() -> pd.DataFrame:
    """Return the laws, oldest first. Raises `HarmoniaError` if two of them apply to unnamed articles on the same day."""
    rows = code_lists.read_code_list("laws").sort_values("valid_from", kind="stable")
    by_date = rows[rows["unnamed_by"] == "date"]
    overlap = (by_date["valid_to"].shift() >= by_date["valid_from"]) | by_date["valid_to"].shift().eq("")
    if overlap.any():
        code = by_date.loc[overlap, "code"].iloc[0]
        raise HarmoniaError(
            f"schemas/codes/laws.csv: {code} and another law apply to articles without a code on the same days; set valid_to of the "
            "other, or empty unnamed_by if articles of the law always name it"
        )
    first, last = (pd.to_numeric(rows[name], errors="coerce") for name in ("first_article", "last_article"))
    return rows.assign(first_article=first.fillna(0), last_article=last.fillna(np.inf))  # without bounds: any article


@cache
def _list_laws_for_unnamed_articles() -> pd.DataFrame:
    """Return the laws that can apply to an article typed without a law, or with only the family of the law."""
    return _list_laws_by_age().query("unnamed_by != ''")


def _find_law_in_force(family: pd.Series, date: pd.Series) -> pd.Series:
    """Return the law that was in force on each date.

    Only laws of the named family are considered. If no family is named, only laws that apply by date are considered. On dates before any
    law of a named family was in force, the first law of the family is returned.
    """
    out = pd.Series(None, index=date.index, dtype="str")
    for row in _list_laws_for_unnamed_articles().to_dict("records"):
        in_force = _is_date_between(date, str(row["valid_from"]), str(row["valid_to"])) & date.notna()
        applies = family.eq(row["family"]).fillna(False) | (family.isna() & (row["unnamed_by"] == "date"))
        out = out.mask(in_force & applies, str(row["code"]))
    first = _list_laws_for_unnamed_articles().drop_duplicates("family").set_index("family")["code"]
    return out.fillna(family.map(first).where(date.notna()))


def _find_only_law_that_lists_article(family: pd.Series, article: pd.Series) -> pd.Series:
    """Return the only law that lists the article in a group other than `other`; null if there is none, or several.

    Only laws of the named family are considered (of any family if none is named), and only those that apply without being named.
    """
    return _look_up_pairs_of_texts(family, article, _map_articles_to_laws())


def _look_up_pairs_of_texts(first_texts: pd.Series, second_texts: pd.Series, value_by_pair: Mapping[Any, str]) -> pd.Series:
    """Return the value of the pair of texts in each row; null if the pair has none. Each distinct pair is looked up once."""
    (a, firsts), (b, seconds) = pd.factorize(first_texts), pd.factorize(second_texts)
    left, right = [*firsts, None], [*seconds, None]  # a null has the code -1
    distinct, position = np.unique(a % len(left) * len(right) + b % len(right), return_inverse=True)
    values = pd.array([value_by_pair.get((left[pair // len(right)], right[pair % len(right)])) for pair in distinct], dtype="str")
    return pd.Series(values.take(position), index=first_texts.index)


@cache
def _map_articles_to_laws() -> dict[tuple[str | None, str], str]:
    """Return the only law that lists an article in a group other than `other`, by family (None: none is named) and article.

    Articles that several laws list are omitted.
    """
    families = _list_laws_for_unnamed_articles().set_index("code")["family"]
    laws_by_key: dict[tuple[str | None, str], set[str]] = {}
    for (code, number), group in _map_articles_to_groups().items():
        if group != "other" and code in families.index:
            for key in (families[code], None):
                laws_by_key.setdefault((key, number), set()).add(code)
    return {key: next(iter(laws)) for key, laws in laws_by_key.items() if len(laws) == 1}


def _does_article_exist(family: pd.Series, number: pd.Series) -> pd.Series:
    """Return whether a law of the family has an offence with that number. If no family is named, all laws that apply by date count."""
    out = pd.Series(False, index=number.index)
    for row in _list_laws_for_unnamed_articles().to_dict("records"):
        applies = family.eq(row["family"]).fillna(False) | (family.isna() & (row["unnamed_by"] == "date"))
        out |= (number >= row["first_article"]) & (number <= row["last_article"]) & applies
    return out


def _is_law_in_force(law: pd.Series, date: pd.Series) -> pd.Series:
    """Return whether the law was in force on the date; true if either is unknown."""
    out = law.isna() | date.isna()
    for row in _list_laws_by_age().to_dict("records"):
        out |= law.eq(row["code"]).fillna(False) & _is_date_between(date, str(row["valid_from"]), str(row["valid_to"]))
    return out


def _is_date_between(date: pd.Series, start: str, end: str) -> pd.Series:
    """Return whether each day is between two ISO days, both included. An empty start or end is no limit."""
    low = date >= pd.Timestamp(start) if start else date.notna()
    high = date < pd.Timestamp(end) + pd.Timedelta(days=1) if end else date.notna()
    return low & high


@cache
def _map_articles_to_groups() -> dict[tuple[str, str], str]:
    """Return the offence group of each article of `offences.csv`, by law and article."""
    out: dict[tuple[str, str], str] = {}
    for row in code_lists.read_code_list("offences").to_dict("records"):
        for entry in filter(None, str(row["articles"]).split("|")):
            law, article = entry.split(":")
            out[law, article] = str(row["group"])
    return out


@cache
def _map_families_to_only_law() -> dict[str, str]:
    """Return the law of each family that has only one law, by family."""
    return {str(family): rows["code"].iloc[0] for family, rows in _list_laws_for_unnamed_articles().groupby("family") if len(rows) == 1}


@cache
def _map_names_to_laws() -> dict[str, str]:
    """Return the law of each name, by the letters and digits of the name. If two laws share a name, the name stands for the older law."""
    names = code_lists.list_names_by_code("laws")
    out: dict[str, str] = {}
    for code in _list_laws_by_age()["code"]:
        for name in (code, *names[code]):
            out.setdefault(re.sub(r"[\s-]", "", fold_text(name)), code)
    return out


@cache
def _make_pattern_of_laws_that_must_be_named() -> re.Pattern[str]:
    """Return a pattern that finds the folded names of laws that apply only if they are named. A slash may connect name and article."""
    codes_named_only = _list_laws_by_age().query("unnamed_by == ''")["code"]
    code_by_name = {fold_text(name): code for code, names in code_lists.list_names_by_code("laws").items() for name in (code, *names)}
    names_of_these = [
        name
        for name, code in code_by_name.items()
        if code in set(codes_named_only) and _map_names_to_laws()[re.sub(r"[\s-]", "", name)] == code
    ]
    spelled = [r"[\s-]*".join(map(re.escape, re.split(r"[\s-]+", name))) for name in sorted(names_of_these, key=len, reverse=True)]
    return re.compile(rf"(?<!\w)(?P<name>{'|'.join(spelled)})(?!\w)(?:\s*/(?=\s*\d))?" if spelled else r"(?!)")


@cache
def _map_laws_to_families() -> dict[str, str]:
    return dict(_list_laws_by_age()[["code", "family"]].itertuples(index=False, name=None))


def _parse_article(text: str) -> tuple[str | None, str | None, str | None, str | None, str | None, str | None]:
    """Return law, family, article, paragraph, words and problem of one text, as `parse_articles` describes them."""
    value = fold_text(convert_to_latin(tidy_text(text)))
    if not value:
        return (None,) * 6
    law, family, rest = _separate_law_from_text(value)
    main = _CONNECTED.split(rest)[0]
    match = _NAMED.search(main) or _BARE.search(main)
    words = _extract_remaining_words(f"{main[: match.start()]} {main[match.end() :]}" if match else main)
    problem = "unknown_code" if law and family is None else None if match else "no_article"
    return law, family, match["article"] if match else None, match["paragraph"] if match else None, words, problem


def _separate_law_from_text(text: str) -> tuple[str | None, str | None, str]:
    """Return the law and the family that a folded text names, and the text without their names."""
    law, family = _find_named_law(text)
    for pattern in (_make_pattern_of_laws_that_must_be_named(), _LAW_NUMBER, _UNMIK, _LAW_NAME, *(pattern for _, pattern in _IN_FULL)):
        text = pattern.sub(" ; ", text)
    law = law or _map_families_to_only_law().get(str(family))
    return law, _map_laws_to_families().get(law, None) if law else family, text


def _find_named_law(text: str) -> tuple[str | None, str | None]:
    """Return (law, None) if the text names a law, (None, family) if it names only a family. An unknown law is returned as it is named."""
    if listed := _make_pattern_of_laws_that_must_be_named().search(text):
        return _map_names_to_laws()[re.sub(r"[\s-]", "", listed["name"])], None
    if number := _LAW_NUMBER.search(text):
        plain = f"{number[1]}/l{number[2]}"
        return _map_names_to_laws().get(plain, f"{number[1]}/L-{number[2]}"), None
    if _UNMIK.search(text):
        return "KPK2003", None
    if name := _LAW_NAME.search(text):
        short = _FAMILY_ALIAS.get(name[1], name[1].upper())
        if name[2]:
            return _map_names_to_laws().get(f"{short.lower()}{name[2]}", f"{short}{name[2]}"), None
        return (None, short) if short in FAMILIES else (_map_names_to_laws().get(short.lower(), short), None)
    return None, next((family for family, pattern in _IN_FULL if pattern.search(text)), None)


def _extract_remaining_words(text_without_law: str) -> str | None:
    """Return the text without law and article, folded; None if only connecting words are left."""
    tokens = re.findall(r"[a-z]+", text_without_law)
    while tokens and _FILLER.fullmatch(tokens[0]):
        tokens = tokens[1:]
    while tokens and _FILLER.fullmatch(tokens[-1]):
        tokens = tokens[:-1]
    return " ".join(tokens) if any(len(token) > 2 for token in tokens) else None
