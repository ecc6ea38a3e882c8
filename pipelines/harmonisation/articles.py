"""Articles of law as institutions write them, and the offence group of an article.

Belongs here: finding the law, the article and the paragraph in a text, and the rule "Principal offence" of `counting-rules.md`. The laws,
with their names and the time in which they were in force, are data in `schemas/codes/laws.csv`; the articles of each offence group are data
in `offences.csv`.

An article is unknown in the sense of `counting-rules.md` in three cases: the text has no article; the code that it names is not in the list
(`KPPK`); or the article is not among the offences of the code (from `first_article` to `last_article` in `laws.csv`; for example 999, or 4
of a criminal code). Every other article of a code in force is known. If no group in `offences.csv` contains it, its group is `other`,
whatever the words say. There is one exception: a number without a code (`139` in 2014) that only another code lists in a group other than
`other`. It refers to that code, which was not in force.

If a text names no law, the column `unnamed_by` of `laws.csv` says which laws can be meant: the criminal codes of the country, by the day of
the offence (`date`), and other laws of the country if only they list the article (`article`). A law with an empty `unnamed_by` (another
country's code, or a special law) is meant only if the text names it. So adding such a law does not change how any other text is read.
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
    """Find the law, the article, the paragraph and the words in each text. If a text has several articles, the first one counts.

    The result has the index of `text` and these columns:

    - `law`: the code in `laws.csv`. A law that is not in the list is returned as written (`KPPK`). Null if the text names no law, or only a
      family of laws
    - `law_family`: `KPK`, `KPRK` or `LRQP`, or null
    - `article`, `paragraph`: their numbers as text, or null
    - `words`: all other words of the text, folded; null if there are none
    - `problem`: `no_article` if the text has no article, `unknown_code` if its law is not in the list, otherwise null
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
    """Find the offence group of each article, by the law that is named, otherwise by the law that was in force on `date`.

    All parameters and the result have the same index. `law`, `law_family` and `article` are columns from `parse_articles`; `law` may be any
    text. `date` is the day of the offence. `words_group` is the offence group that the words show (`offence_words`).
    `latest_day_of_writing` is the latest day on which the row can have been written (the end of the delivered period; null if unknown); a
    law that came into force later cannot be meant. Columns of the result:

    - `law`: the law by which the article was classified; null if none is known
    - `article_group`: the offence group of the article; null if the article is unknown or its law was not in force. A law that is not in
      the list is ignored: then the law in force, or the only law that lists the article, can still put it into a group
    - `offence_group`: `article_group`; if it is null, `words_group`; if that is null too, `other`
    - `problem`: one of `PROBLEMS`, or null

    Without a date, it is not checked whether a law was in force. If no single law is named either, the law that lists the article applies
    (no article in a group is listed by two laws).
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
    # If neither date nor law is known, an article that no list contains is some other offence; its law remains open.
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
    """Return the code in `laws.csv` that the text `law` means (such as `kprk 2012`). If it means none, return it unchanged."""
    plain = re.sub(r"[\s.-]", "", law).upper()
    return plain if plain in _map_laws_to_families() else law


@cache
def _list_laws_by_age() -> pd.DataFrame:
    """Return the laws, oldest first.

    Raises `HarmoniaError` if two laws would apply on the same day to an article whose law is not named.
    """
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
    return rows.assign(first_article=first.fillna(0), last_article=last.fillna(np.inf))  # a law without these limits has any article


@cache
def _list_laws_for_unnamed_articles() -> pd.DataFrame:
    """Return the laws that can apply to an article although the text does not name the law, or names only its family."""
    return _list_laws_by_age().query("unnamed_by != ''")


def _find_law_in_force(family: pd.Series, date: pd.Series) -> pd.Series:
    """Return, for each row, the law that was in force on the date.

    If a family is named, only laws of this family are considered; otherwise only laws that apply by date. If no law of the named family was
    in force yet, its first law is returned.
    """
    out = pd.Series(None, index=date.index, dtype="str")
    for row in _list_laws_for_unnamed_articles().to_dict("records"):
        in_force = _is_date_between(date, str(row["valid_from"]), str(row["valid_to"])) & date.notna()
        applies = family.eq(row["family"]).fillna(False) | (family.isna() & (row["unnamed_by"] == "date"))
        out = out.mask(in_force & applies, str(row["code"]))
    first = _list_laws_for_unnamed_articles().drop_duplicates("family").set_index("family")["code"]
    return out.fillna(family.map(first).where(date.notna()))


def _find_only_law_that_lists_article(family: pd.Series, article: pd.Series) -> pd.Series:
    """Return the only law that lists the article in a group other than `other`; null if no law or several laws list it.

    Only laws that can apply without being named are considered, and if a family is named, only laws of this family.
    """
    return _look_up_pairs_of_texts(family, article, _map_articles_to_laws())


def _look_up_pairs_of_texts(first_texts: pd.Series, second_texts: pd.Series, value_by_pair: Mapping[Any, str]) -> pd.Series:
    """Return, for each row, the value of its pair of texts in `value_by_pair`; null if there is none.

    Each distinct pair is looked up once.
    """
    (a, firsts), (b, seconds) = pd.factorize(first_texts), pd.factorize(second_texts)
    left, right = [*firsts, None], [*seconds, None]  # a null has the code -1
    distinct, position = np.unique(a % len(left) * len(right) + b % len(right), return_inverse=True)
    values = pd.array([value_by_pair.get((left[pair // len(right)], right[pair % len(right)])) for pair in distinct], dtype="str")
    return pd.Series(values.take(position), index=first_texts.index)


@cache
def _map_articles_to_laws() -> dict[tuple[str | None, str], str]:
    """Map each pair of family and article to the only law that lists the article in a group other than `other`.

    The family None stands for texts that name no family. Articles that several laws list are omitted.
    """
    families = _list_laws_for_unnamed_articles().set_index("code")["family"]
    laws_by_key: dict[tuple[str | None, str], set[str]] = {}
    for (code, number), group in _map_articles_to_groups().items():
        if group != "other" and code in families.index:
            for key in (families[code], None):
                laws_by_key.setdefault((key, number), set()).add(code)
    return {key: next(iter(laws)) for key, laws in laws_by_key.items() if len(laws) == 1}


def _does_article_exist(family: pd.Series, number: pd.Series) -> pd.Series:
    """Return whether a law of the family has an offence with that number. If no family is named, all laws that apply by date are tried."""
    out = pd.Series(False, index=number.index)
    for row in _list_laws_for_unnamed_articles().to_dict("records"):
        applies = family.eq(row["family"]).fillna(False) | (family.isna() & (row["unnamed_by"] == "date"))
        out |= (number >= row["first_article"]) & (number <= row["last_article"]) & applies
    return out


def _is_law_in_force(law: pd.Series, date: pd.Series) -> pd.Series:
    """Return whether the law was in force on the date; true if the law or the date is unknown."""
    out = law.isna() | date.isna()
    for row in _list_laws_by_age().to_dict("records"):
        out |= law.eq(row["code"]).fillna(False) & _is_date_between(date, str(row["valid_from"]), str(row["valid_to"]))
    return out


def _is_date_between(date: pd.Series, start: str, end: str) -> pd.Series:
    """Return whether each date lies between two days in ISO form, both included. An empty `start` or `end` means no limit."""
    low = date >= pd.Timestamp(start) if start else date.notna()
    high = date < pd.Timestamp(end) + pd.Timedelta(days=1) if end else date.notna()
    return low & high


@cache
def _map_articles_to_groups() -> dict[tuple[str, str], str]:
    """Map each pair of law and article in `offences.csv` to its offence group."""
    out: dict[tuple[str, str], str] = {}
    for row in code_lists.read_code_list("offences").to_dict("records"):
        for entry in filter(None, str(row["articles"]).split("|")):
            law, article = entry.split(":")
            out[law, article] = str(row["group"])
    return out


@cache
def _map_families_to_only_law() -> dict[str, str]:
    """Map each family that has only one law to this law."""
    return {str(family): rows["code"].iloc[0] for family, rows in _list_laws_for_unnamed_articles().groupby("family") if len(rows) == 1}


@cache
def _map_names_to_laws() -> dict[str, str]:
    """Map each name of a law, reduced to letters and digits, to the law. If two laws have the same name, it means the older one."""
    names = code_lists.list_names_by_code("laws")
    out: dict[str, str] = {}
    for code in _list_laws_by_age()["code"]:
        for name in (code, *names[code]):
            out.setdefault(re.sub(r"[\s-]", "", fold_text(name)), code)
    return out


@cache
def _make_pattern_of_laws_that_must_be_named() -> re.Pattern[str]:
    """Return a pattern that finds the names of laws that apply only if they are named. A slash may stand between law and article."""
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
    """Map each law to its family."""
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
    """Return the law and the family that a folded text names, and the text without the names of laws."""
    law, family = _find_named_law(text)
    for pattern in (_make_pattern_of_laws_that_must_be_named(), _LAW_NUMBER, _UNMIK, _LAW_NAME, *(pattern for _, pattern in _IN_FULL)):
        text = pattern.sub(" ; ", text)
    law = law or _map_families_to_only_law().get(str(family))
    return law, _map_laws_to_families().get(law, None) if law else family, text


def _find_named_law(text: str) -> tuple[str | None, str | None]:
    """Return (law, None) if the text names a law, and (None, family) if it names only a family. An unknown law is returned as written."""
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
    """Return the folded words that remain without law and article; None if they only connect an article with its law."""
    tokens = re.findall(r"[a-z]+", text_without_law)
    while tokens and _FILLER.fullmatch(tokens[0]):
        tokens = tokens[1:]
    while tokens and _FILLER.fullmatch(tokens[-1]):
        tokens = tokens[:-1]
    return " ".join(tokens) if any(len(token) > 2 for token in tokens) else None
