"""Articles as typed, and the offence group that an article gives.

Belongs here: reading law, article and paragraph from a text; the rule of `counting-rules.md`, "Principal offence". Laws with their
time in force and known names are data in `schemas/codes/laws.csv`, articles of the groups in `offences.csv`.

What `counting-rules.md` calls an unknown article is taken to be: no article; a code that is none of ours (`KPPK`); an article that the code
does not have among its offences (`first_article` to `last_article` of `laws.csv`: 999, or 4 of a criminal code). Every other article
of a code in force is known; where it is in no group of `offences.csv` its group is `other`, whatever the words say. One exception: a
number typed without its code (`139` in 2014) that another code has in a group of its own speaks of that code, which was not in force.

A law applies to an article that does not name it only where `unnamed_by` of `laws.csv` says so: the criminal codes of the country by the
day of the offence (`date`), its other laws where they alone list the article (`article`). A law added to the list (another country's
code, a special law) with `unnamed_by` empty is found where it is named, and changes the reading of nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from pipelines.errors import HarmoniaError
from pipelines.harmonise import codes
from pipelines.harmonise.text import fold, map_frame, map_values, tidy, to_latin

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
# Words that only join an article to its law.
_FILLER = re.compile(
    r"nen\w*|clan\w*|cl|art|article|par\w*|para|stav\w*|st|pika|kodi\w*|penal\w*|ligj\w*|zakon\w*|nr|no|br|law"
    r"|l|te|se|i|e|nga|me|sipas|po|of|the"
)


def parse_articles(text: pd.Series) -> pd.DataFrame:
    """Read law, article, paragraph and words from each text, on the index of `text`.

    Out: `law` (code of `laws.csv`; an unknown name as it was typed, `KPPK`; null where none is named or only the family is),
    `law_family` (`KPK`, `KPRK`, `LRQP`, null), `article`, `paragraph`, `words` (what else stands there, folded; null where nothing),
    `problem`: null, `no_article` (a text without a number of an article), `unknown_code`. Where several articles stand, the first.
    """
    return map_frame(text, _parse, COLUMNS)


def classify(law: pd.Series, law_family: pd.Series, article: pd.Series, date: pd.Series, words_group: pd.Series) -> pd.DataFrame:
    """Judge each article by the code that is named, or else by the code in force on `date`.

    In: `law`, `law_family`, `article` as `parse_articles` gives them (`law` may be any text), `date` of the offence, `words_group` of
    `offence_words`; all on one index. Out, on that index:

    - `law`: the code that was applied, null where none is known;
    - `article_group`: null where the article is unknown or was not in force. A code that nobody knows is as if none were named: an
      article that the code in force, or the only list that has it, puts in a group is known;
    - `offence_group`: that, else `words_group`, else `other`;
    - `problem`: one of `PROBLEMS` or null.

    Without a date nothing is checked for being in force, and where no single code is named the one whose list has the article decides
    (no article of a group stands in two lists).
    """
    named = map_values(law, _spelled_law)
    number = pd.to_numeric(article, errors="coerce")
    laws = _laws().set_index("code")
    applied = named.where(named.isin(laws.index))
    derived = _by_date(law_family, date).fillna(_by_article(law_family, article).where(date.isna()))
    applied = applied.fillna(derived.where(article.notna() | law_family.notna()))

    unknown_code = named.notna() & ~named.isin(laws.index)
    no_article = article.isna()
    first, last = (applied.map(laws[name]).astype("float64") for name in ("first_article", "last_article"))
    unlisted = ~unknown_code & ~no_article & ~((number >= first) & (number <= last))
    # Without date and law an article outside all lists is some other offence, of whichever code.
    undecided = applied.isna() & date.isna() & ~unknown_code & _possible(law_family, number)
    unlisted &= ~undecided
    listed = _of_pairs(applied, article, _groups())
    meant = _by_article(law_family, article)
    of_another = ~unknown_code & named.isna() & listed.isna() & meant.notna() & (meant != applied).fillna(False)
    out_of_force = ~unknown_code & (of_another | ~_in_force(applied, date))

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


def _spelled_law(law: str) -> str:
    """A code of `laws.csv` in its own spelling (`kprk 2012`); any other text as it is."""
    plain = re.sub(r"[\s.-]", "", law).upper()
    return plain if plain in _families() else law


@cache
def _laws() -> pd.DataFrame:
    """The laws, oldest first. Raises `HarmoniaError` where two of them would apply by the day to one article."""
    rows = codes.table("laws").sort_values("valid_from", kind="stable")
    by_date = rows[rows["unnamed_by"] == "date"]
    overlap = (by_date["valid_to"].shift() >= by_date["valid_from"]) | by_date["valid_to"].shift().eq("")
    if overlap.any():
        code = by_date.loc[overlap, "code"].iloc[0]
        raise HarmoniaError(
            f"schemas/codes/laws.csv: {code} applies to articles without a code on days on which another code does; end the other by "
            "valid_to, or empty unnamed_by where articles of the law always name it"
        )
    first, last = (pd.to_numeric(rows[name], errors="coerce") for name in ("first_article", "last_article"))
    return rows.assign(first_article=first.fillna(0), last_article=last.fillna(np.inf))  # a law without them: any article may be of it


@cache
def _unnamed() -> pd.DataFrame:
    """The laws that an article can be of without naming one: only its family, or nothing."""
    return _laws().query("unnamed_by != ''")


def _by_date(family: pd.Series, date: pd.Series) -> pd.Series:
    """The code in force on each date, of the named family or else of those that apply by date; before a named family was in force, its
    first."""
    out = pd.Series(None, index=date.index, dtype="str")
    for row in _unnamed().to_dict("records"):
        inside = _within(date, str(row["valid_from"]), str(row["valid_to"])) & date.notna()
        mine = family.eq(row["family"]).fillna(False) | (family.isna() & (row["unnamed_by"] == "date"))
        out = out.mask(inside & mine, str(row["code"]))
    first = _unnamed().drop_duplicates("family").set_index("family")["code"]
    return out.fillna(family.map(first).where(date.notna()))


def _by_article(family: pd.Series, article: pd.Series) -> pd.Series:
    """The one code, of the named family or of any, that applies without being named and has the article in a group of its own."""
    return _of_pairs(family, article, _only_laws())


def _of_pairs(first: pd.Series, second: pd.Series, known: Mapping[Any, str]) -> pd.Series:
    """What is known of the two texts of each row, looked up once a pair of texts; null where nothing is."""
    (a, firsts), (b, seconds) = pd.factorize(first), pd.factorize(second)
    left, right = [*firsts, None], [*seconds, None]  # a null has the code -1
    once, place = np.unique(a % len(left) * len(right) + b % len(right), return_inverse=True)
    found = pd.array([known.get((left[pair // len(right)], right[pair % len(right)])) for pair in once], dtype="str")
    return pd.Series(found.take(place), index=first.index)


@cache
def _only_laws() -> dict[tuple[str | None, str], str]:
    """The one code that has an article in a group of its own, by family (null: none is named) and article; none where there are several."""
    families = _unnamed().set_index("code")["family"]
    found: dict[tuple[str | None, str], set[str]] = {}
    for (code, number), group in _groups().items():
        if group != "other" and code in families.index:
            for key in (families[code], None):
                found.setdefault((key, number), set()).add(code)
    return {key: next(iter(laws)) for key, laws in found.items() if len(laws) == 1}


def _possible(family: pd.Series, number: pd.Series) -> pd.Series:
    """Whether some code of the family, or of those that apply by date where none is named, has an offence of that number."""
    out = pd.Series(False, index=number.index)
    for row in _unnamed().to_dict("records"):
        mine = family.eq(row["family"]).fillna(False) | (family.isna() & (row["unnamed_by"] == "date"))
        out |= (number >= row["first_article"]) & (number <= row["last_article"]) & mine
    return out


def _in_force(law: pd.Series, date: pd.Series) -> pd.Series:
    """Whether the law was in force on the date; true where either is unknown."""
    out = law.isna() | date.isna()
    for row in _laws().to_dict("records"):
        out |= law.eq(row["code"]).fillna(False) & _within(date, str(row["valid_from"]), str(row["valid_to"]))
    return out


def _within(date: pd.Series, start: str, end: str) -> pd.Series:
    """Whether the day lies between two ISO days, both included; an empty one is no limit."""
    low = date >= pd.Timestamp(start) if start else date.notna()
    high = date < pd.Timestamp(end) + pd.Timedelta(days=1) if end else date.notna()
    return low & high


@cache
def _groups() -> dict[tuple[str, str], str]:
    """Offence group of each article of `offences.csv`, by law and article."""
    out: dict[tuple[str, str], str] = {}
    for row in codes.table("offences").to_dict("records"):
        for entry in filter(None, str(row["articles"]).split("|")):
            law, article = entry.split(":")
            out[law, article] = str(row["group"])
    return out


@cache
def _single_laws() -> dict[str, str]:
    """The law of each family that has one alone."""
    return {str(family): rows["code"].iloc[0] for family, rows in _unnamed().groupby("family") if len(rows) == 1}


@cache
def _law_names() -> dict[str, str]:
    """The law of each name, in letters and digits; a name that two laws have is the older one's."""
    names = codes.names_of("laws")
    out: dict[str, str] = {}
    for code in _laws()["code"]:
        for name in (code, *names[code]):
            out.setdefault(re.sub(r"[\s-]", "", fold(name)), code)
    return out


@cache
def _listed_names() -> re.Pattern[str]:
    """Names, as they stand in a folded text, of laws that apply only where they are named; a slash can join one to its article."""
    named = _laws().query("unnamed_by == ''")["code"]
    every = {fold(name): code for code, names in codes.names_of("laws").items() for name in (code, *names)}
    own = [name for name, code in every.items() if code in set(named) and _law_names()[re.sub(r"[\s-]", "", name)] == code]
    spelled = [r"[\s-]*".join(map(re.escape, re.split(r"[\s-]+", name))) for name in sorted(own, key=len, reverse=True)]
    return re.compile(rf"(?<!\w)(?P<name>{'|'.join(spelled)})(?!\w)(?:\s*/(?=\s*\d))?" if spelled else r"(?!)")


@cache
def _families() -> dict[str, str]:
    return dict(_laws()[["code", "family"]].itertuples(index=False, name=None))


def _parse(text: str) -> tuple[str | None, str | None, str | None, str | None, str | None, str | None]:
    value = fold(to_latin(tidy(text)))
    if not value:
        return (None,) * 6
    law, family, rest = _law(value)
    main = _CONNECTED.split(rest)[0]
    found = _NAMED.search(main) or _BARE.search(main)
    words = _words(f"{main[: found.start()]} {main[found.end() :]}" if found else main)
    problem = "unknown_code" if law and family is None else None if found else "no_article"
    return law, family, found["article"] if found else None, found["paragraph"] if found else None, words, problem


def _law(value: str) -> tuple[str | None, str | None, str]:
    """Law and family that a folded text names, and the text without their names."""
    law, family = _named_law(value)
    for pattern in (_listed_names(), _LAW_NUMBER, _UNMIK, _LAW_NAME, *(pattern for _, pattern in _IN_FULL)):
        value = pattern.sub(" ; ", value)
    law = law or _single_laws().get(str(family))
    return law, _families().get(law, None) if law else family, value


def _named_law(value: str) -> tuple[str | None, str | None]:
    """(law, null) or (null, family) as the text names it; an unknown law by the name that stands there."""
    if listed := _listed_names().search(value):
        return _law_names()[re.sub(r"[\s-]", "", listed["name"])], None
    if number := _LAW_NUMBER.search(value):
        plain = f"{number[1]}/l{number[2]}"
        return _law_names().get(plain, f"{number[1]}/L-{number[2]}"), None
    if _UNMIK.search(value):
        return "KPK2003", None
    if name := _LAW_NAME.search(value):
        short = _FAMILY_ALIAS.get(name[1], name[1].upper())
        if name[2]:
            return _law_names().get(f"{short.lower()}{name[2]}", f"{short}{name[2]}"), None
        return (None, short) if short in FAMILIES else (_law_names().get(short.lower(), short), None)
    return None, next((family for family, pattern in _IN_FULL if pattern.search(value)), None)


def _words(rest: str) -> str | None:
    """What is left beside law and article, folded; null where that is only joining words."""
    tokens = re.findall(r"[a-z]+", rest)
    while tokens and _FILLER.fullmatch(tokens[0]):
        tokens = tokens[1:]
    while tokens and _FILLER.fullmatch(tokens[-1]):
        tokens = tokens[:-1]
    return " ".join(tokens) if any(len(token) > 2 for token in tokens) else None
