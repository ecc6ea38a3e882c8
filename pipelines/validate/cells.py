"""From delivered text to typed cells, with a finding for every cell that is not what its column declares.

Belongs here: parsing by declared type. One function per type; each returns the typed columns and the findings of the column as
(rule, mask). Rules that look at more than one cell are in `schemas/exports`, at more than one table in `cross`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pandas as pd

from pipelines.harmonise import articles, codes, dates, numbers, offence_words, personal_numbers, sentences
from pipelines.harmonise.text import fold, map_values
from sources.contract import ColumnSpec

CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f�]"
_MOJIBAKE = r"Ã[\x80-\xbf«§‡–]|Å[\x80-\xbf¡¾]|Ä[\x80-\xbf‡‘]|Ð[\x80-\xbf]"


@dataclass(frozen=True)
class Typed:
    """One column, typed: its columns (`name`, `name:…`) and what was found as rule -> mask over the rows."""

    columns: dict[str, pd.Series]
    found: dict[str, pd.Series]


def trimmed(text: pd.Series) -> pd.Series:
    """Text without surrounding or repeated white space, empty as null. Line breaks inside a cell count as white space."""
    out = text.astype("str").str.replace(r"\s+", " ", regex=True).str.strip()
    return out.where(out != "", None)


def typed(spec: ColumnSpec, text: pd.Series, period_end: pd.Series) -> Typed:
    """Parse a delivered column as its contract declares (`spec.type`).

    In: text as delivered; the last day of the quarter of each row. Out: `name` typed (date -> datetime64[s], integer -> Int64,
    code -> canonical value, else trimmed text), `name:given` (bool, something was delivered), and for dates `name:year`,
    `name:precision`, `name:unreadable`; for codes `name:argument`.
    """
    clean = trimmed(text)
    out = _BY_TYPE.get(spec.type, _text)(spec, clean, period_end)
    columns = {**out.columns, f"{spec.name}:given": clean.notna()}
    found = {**out.found, "cell-control-characters": text.str.contains(CONTROL, regex=True, na=False)}
    return Typed(columns, found)


def findings_of(column: str, typed_column: Typed) -> Iterator[tuple[str, str, pd.Index]]:
    """(rule, field, index of the rows) for each rule that some row of the column breaks."""
    for rule, mask in typed_column.found.items():
        hit = mask.fillna(False).astype(bool)
        if hit.any():
            yield rule, column, hit.index[hit]


def _text(spec: ColumnSpec, text: pd.Series, _: pd.Series) -> Typed:
    return Typed({spec.name: text}, {})


def _name(spec: ColumnSpec, text: pd.Series, _: pd.Series) -> Typed:
    initial = text.str.contains(r"^\w\.?$|^\w\. |(?: \w\.)$", regex=True, na=False)
    return Typed(
        {spec.name: text},
        {"cell-name-mojibake": text.str.contains(_MOJIBAKE, regex=True, na=False), "cell-name-initial": initial},
    )


def _integer(spec: ColumnSpec, text: pd.Series, _: pd.Series) -> Typed:
    digits = text.str.replace(r"\.0+$", "", regex=True)
    good = digits.str.fullmatch(r"[+-]?\d{1,18}", na=False)
    value = pd.to_numeric(digits.where(good), errors="coerce").astype("Int64")
    return Typed({spec.name: value}, {"cell-integer-unreadable": text.notna() & ~good})


def _code(spec: ColumnSpec, text: pd.Series, _: pd.Series) -> Typed:
    exact = text.map(spec.codes).astype("str")
    folded = dict(zip(_fold(pd.Series(list(spec.codes), dtype="str")), spec.codes.values(), strict=True))
    keys = _fold(text)
    value = exact.where(exact.notna(), keys.map(folded).astype("str"))
    argument = pd.Series(None, index=text.index, dtype="str")
    for prefix, meaning in spec.prefixes.items():
        hit = keys.str.startswith(_fold(pd.Series([prefix]))[0], na=False) & value.isna()
        value = value.mask(hit, meaning)
        argument = argument.mask(hit, text.str.split().str[len(prefix.split()) :].str.join(" "))
    spelled = exact.isna() & value.notna() & argument.isna()
    return Typed(
        {spec.name: value, f"{spec.name}:argument": argument.where(argument != "", None)},
        {"cell-code-unknown": text.notna() & value.isna(), "cell-code-spelling": spelled},
    )


def _fold(text: pd.Series) -> pd.Series:
    """Case, diacritics, script, punctuation and spaces folded; letters and digits stay."""
    return map_values(text, lambda value: re.sub(r"[\W_]+", " ", fold(value)).strip())


def _date(spec: ColumnSpec, text: pd.Series, period_end: pd.Series) -> Typed:
    parsed = dates.parse_dates(text, format=spec.format, year_only=spec.year_only)
    short = parsed["problem"] == "two_digit_year"
    for end, rows in text[short].groupby(period_end[short]):  # few: the century of a short year depends on the quarter
        parsed.loc[rows.index] = dates.parse_dates(rows, format=spec.format, year_only=spec.year_only, latest=end)
    first = spec.personal & (parsed["date"].dt.month == 1) & (parsed["date"].dt.day == 1)
    problem = parsed["problem"]
    found = {
        "cell-date-impossible": problem == "impossible",
        "cell-date-unreadable": problem.isin(["unreadable", "not_permitted_year"]),
        "cell-date-two-digit-year": problem == "two_digit_year",
        "cell-date-other-format": problem == "other_format",
        "cell-birth-date-first-of-january": first & (parsed["precision"] == "day"),
    }
    return Typed(
        {
            spec.name: parsed["date"].astype("datetime64[s]"),
            f"{spec.name}:year": parsed["year"].astype("Int64"),
            f"{spec.name}:precision": parsed["precision"].astype("str"),
            f"{spec.name}:unreadable": text.notna() & parsed["date"].isna() & (parsed["precision"] != "year").fillna(True),
        },
        found,
    )


def _own_number(spec: ColumnSpec, text: pd.Series, _: pd.Series) -> Typed:
    found = numbers.parse_numbers(text)
    return Typed({spec.name: text}, {"cell-number-unreadable": text.notna() & ~text.index.isin(found["row"])})


def _reference(spec: ColumnSpec, text: pd.Series, _: pd.Series) -> Typed:
    found = numbers.parse_numbers(text)
    first = found.drop_duplicates("row").set_index("row")["number"].reindex(text.index)
    return Typed(
        {spec.name: text},
        {
            "cell-reference-unreadable": text.notna() & first.isna(),
            "cell-reference-spelling": first.notna() & (first != text),
        },
    )


def _personal_number(spec: ColumnSpec, text: pd.Series, _: pd.Series) -> Typed:
    parsed = personal_numbers.parse(text)
    repair = parsed["repair"]
    formed = parsed["number"].str.fullmatch(r"\d{10}", na=False)
    return Typed(
        {spec.name: text},
        {
            "cell-personal-number-repaired": repair.isin(["spaces", "float", "lost_zero"]),
            "cell-personal-number-invalid": repair.isin(["too_short", "too_long", "not_digits", "placeholder"]),
            "cell-personal-number-check-digit": formed & ~parsed["valid"].fillna(False).astype(bool),
        },
    )


def _article(spec: ColumnSpec, text: pd.Series, _: pd.Series) -> Typed:
    parsed = articles.parse_articles(text)
    plain = text.str.fullmatch(r"\d{1,3}(/\d{1,2})?( [A-Z]{3,4})?", na=False)
    return Typed(
        {spec.name: text},
        {
            "cell-article-unknown": text.notna() & parsed["article"].isna(),
            "cell-article-spelling": text.notna() & parsed["article"].notna() & ~plain,
        },
    )


def _words(spec: ColumnSpec, text: pd.Series, _: pd.Series) -> Typed:
    known = offence_words.form(text) if spec.type == "form_words" else offence_words.words_group(text)
    return Typed({spec.name: text}, {"cell-words-unknown": text.notna() & known.isna()})


def _listed(rule: str, name: str) -> Callable[[ColumnSpec, pd.Series, pd.Series], Typed]:
    def parse(spec: ColumnSpec, text: pd.Series, _: pd.Series) -> Typed:
        return Typed({spec.name: text}, {rule: text.notna() & codes.lookup(name, text)["code"].isna()})

    return parse


def _sentence(spec: ColumnSpec, text: pd.Series, _: pd.Series) -> Typed:
    return Typed({spec.name: text}, {"cell-sentence-unreadable": text.notna() & sentences.sentence_days(text).isna()})


_BY_TYPE: dict[str, Callable[[ColumnSpec, pd.Series, pd.Series], Typed]] = {
    "name": _name,
    "integer": _integer,
    "code": _code,
    "date": _date,
    "number": _own_number,
    "reference": _reference,
    "personal_number": _personal_number,
    "article": _article,
    "offence_words": _words,
    "form_words": _words,
    "country": _listed("cell-country-unknown", "countries"),
    "municipality": _listed("cell-place-unknown", "municipalities"),
    "seat": _listed("cell-place-unknown", "seats"),
    "sentence": _sentence,
}
