"""Parse delivered texts to typed values, with a finding for every cell that does not conform to the declaration of its column.

Belongs here: parsing by the declared type. There is one function for each type. It returns the typed columns and, for each rule, which rows
break it. Rules on several cells of a row are in `schemas/exports`, and rules on several tables in `relations`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from pipelines.harmonisation import articles, case_numbers, code_lists, dates, offence_words, personal_numbers, sentences
from pipelines.harmonisation.letters import fold_text, map_values
from sources.contract import ColumnSpec

CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f�]"
_MOSTLY_DISTINCT = 0.5  # if the share of distinct texts is larger, every row is parsed by itself
_INITIAL = 2  # characters of a name that consists of a letter and a point
_OLDEST_REFERENCE = 1999
_ODD_SPACE = r"^ | $|  |[\t-\r\x1c-\x1f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
_MOJIBAKE = r"Ã[\x80-\xbf«§‡–]|Å[\x80-\xbf¡¾]|Ä[\x80-\xbf‡‘]|Ð[\x80-\xbf]"


@dataclass(frozen=True)
class TypedColumn:
    """A delivered column after parsing.

    `columns` has the typed columns that were made from it (`name`, and `name:…`). `found` says for each rule which rows break it.
    """

    columns: dict[str, pd.Series]
    found: dict[str, pd.Series]


def trim_text(text: pd.Series) -> pd.Series:
    """Remove white space around each text, and replace white space inside it by single spaces. An empty text becomes null.

    Line breaks inside a cell count as white space.
    """
    text = text.astype("str")
    odd = text.str.contains(_ODD_SPACE, regex=True, na=False)
    if odd.any():
        text = text.where(~odd, text[odd].map(lambda value: " ".join(value.split())))
    return text.where(text != "", None)


def parse_column(spec: ColumnSpec, text: pd.Series, period_end: pd.Series) -> TypedColumn:
    """Parse a delivered column as its contract declares it (`spec.type`). Each distinct text of a quarter is parsed once.

    `text` has the delivered texts, and `period_end` the last day of each row's quarter. Columns of the result:

    - `name`: the typed value: datetime64[s] for a date, Int64 for an integer, the meaning of a code, trimmed text for all other types
    - `name:given`: whether the cell was filled
    - `name:year`, `name:precision`, `name:unreadable`: only for dates
    - `name:argument`: only for codes: the text after a code that is a prefix
    """
    text_number, texts = pd.factorize(text, use_na_sentinel=False)
    end_number, ends = pd.factorize(period_end)
    distinct, position = np.unique(text_number * max(len(ends), 1) + end_number, return_inverse=True)
    if len(distinct) > _MOSTLY_DISTINCT * len(text):
        return _parse_distinct_texts(spec, text, period_end)
    of_text, of_end = np.divmod(distinct, len(ends))
    parsed = _parse_distinct_texts(spec, pd.Series(texts.take(of_text), dtype=text.dtype), pd.Series(ends.take(of_end)))

    def spread(columns: Mapping[str, pd.Series]) -> dict[str, pd.Series]:
        return {name: pd.Series(series.array.take(position), index=text.index) for name, series in columns.items()}

    return TypedColumn(spread(parsed.columns), spread(parsed.found))


def _parse_distinct_texts(spec: ColumnSpec, text: pd.Series, period_end: pd.Series) -> TypedColumn:
    """Parse a column whose texts are distinct in each quarter. Also find the faults that cells of any type can have."""
    clean = trim_text(text)
    out = _BY_TYPE.get(spec.type, _parse_text)(spec, clean, period_end)
    columns = {**out.columns, f"{spec.name}:given": clean.notna()}
    broken = text.str.contains(r"[\r\n]", regex=True, na=False)
    masks = {
        **out.found,
        "cell-control-characters": text.str.contains(CONTROL, regex=True, na=False),
        "cell-line-break": broken,
        "cell-white-space": clean.notna() & ~broken & (text != clean),
    }
    if spec.expected:
        unknown = out.columns[spec.name] == "unknown" if spec.type == "code" else False
        masks["cell-empty"] = clean.isna() | unknown
    return TypedColumn(columns, masks)


def find_broken_rules(column: str, typed_column: TypedColumn) -> Iterator[tuple[str, str, pd.Index]]:
    """Yield each rule that cells of a column break, with the name of the column and the index of the rows that break it."""
    for rule, mask in typed_column.found.items():
        hit = mask.fillna(False).astype(bool)
        if hit.any():
            yield rule, column, hit.index[hit]


def _parse_text(spec: ColumnSpec, text: pd.Series, _: pd.Series) -> TypedColumn:
    return TypedColumn({spec.name: text}, {})


def _parse_name(spec: ColumnSpec, text: pd.Series, _: pd.Series) -> TypedColumn:
    initial = text.str.contains(r"^\w\.?$|^\w\. |(?: \w\.)$", regex=True, na=False)
    return TypedColumn(
        {spec.name: text},
        {
            "cell-name-mojibake": text.str.contains(_MOJIBAKE, regex=True, na=False),
            "cell-name-initial": initial,
            "cell-name-capitals": text.str.isupper().fillna(False).astype(bool) & (text.str.len() > _INITIAL),
            "cell-name-several": text.str.contains(r"[(]|\S+ \S+ \S", regex=True, na=False),
        },
    )


def _parse_integer(spec: ColumnSpec, text: pd.Series, _: pd.Series) -> TypedColumn:
    digits = text.str.replace(r"\.0+$", "", regex=True)
    good = digits.str.fullmatch(r"[+-]?\d{1,18}", na=False)
    value = pd.to_numeric(digits.where(good), errors="coerce").astype("Int64")
    return TypedColumn({spec.name: value}, {"cell-integer-unreadable": text.notna() & ~good})


def _parse_code(spec: ColumnSpec, text: pd.Series, period_end: pd.Series) -> TypedColumn:
    """Parse codes. If the code list changed in some period, the list that was valid at the end of each row's period is used."""
    if not spec.codes_from:
        return _parse_with_code_list(spec, spec.codes, text)
    parts = [_parse_with_code_list(spec, spec.codes_for_period_ending_on(end.date()), rows) for end, rows in text.groupby(period_end)]

    def joined(series: list[pd.Series]) -> pd.Series:
        return pd.concat(series).reindex(text.index)

    columns, found = (
        {name: joined([getattr(p, which)[name] for p in parts]) for name in getattr(parts[0], which)} if parts else {}
        for which in ("columns", "found")
    )
    return TypedColumn(columns, found) if parts else _parse_with_code_list(spec, spec.codes, text)


def _parse_with_code_list(spec: ColumnSpec, code_list: Mapping[str, str | None], text: pd.Series) -> TypedColumn:
    """Parse the cells of a column by one code list. If several codes have the same meaning, the first of them is the agreed one."""
    exact = text.map(code_list).astype("str")
    folded = dict(zip(_fold_text(pd.Series(list(code_list), dtype="str")), code_list.values(), strict=True))
    keys = _fold_text(text)
    value = exact.where(exact.notna(), keys.map(folded).astype("str"))
    argument = pd.Series(None, index=text.index, dtype="str")
    for prefix, meaning in spec.prefixes.items():
        hit = keys.str.startswith(_fold_text(pd.Series([prefix]))[0], na=False) & value.isna()
        value = value.mask(hit, meaning)
        argument[hit] = [" ".join(cell.split()[len(prefix.split()) :]) for cell in text[hit]]
    agreed = {meaning: key for key, meaning in reversed(list(code_list.items()))}  # the first listed of several
    spelled = value.notna() & argument.isna() & (text != value.map(agreed))
    return TypedColumn(
        {spec.name: value, f"{spec.name}:argument": argument.where(argument != "", None)},
        {"cell-code-unknown": text.notna() & value.isna(), "cell-code-spelling": spelled},
    )


def _fold_text(text: pd.Series) -> pd.Series:
    """Return texts without differences of case, diacritics, script, punctuation and spaces."""
    return map_values(text, lambda value: re.sub(r"[\W_]+", " ", fold_text(value)).strip())


def _parse_date(spec: ColumnSpec, text: pd.Series, period_end: pd.Series) -> TypedColumn:
    read = partial(dates.parse_dates, format=spec.format, year_only=spec.year_only, month_only=spec.month_only)
    parsed = read(text)
    short = parsed["problem"] == "two_digit_year"
    for end, rows in text[short].groupby(period_end[short]):  # the century of a two-digit year depends on the quarter
        parsed.loc[rows.index] = read(rows, latest=end)
    first = spec.personal & (parsed["date"].dt.month == 1) & (parsed["date"].dt.day == 1)
    problem = parsed["problem"]
    timed = text.str.contains(r"\d[T ]\d{1,2}:", regex=True, na=False) & (spec.format != "utc")
    masks = {
        "cell-date-impossible": problem == "impossible",
        "cell-date-unreadable": problem.isin(["unreadable", "not_permitted_year"]),
        "cell-date-two-digit-year": problem == "two_digit_year",
        "cell-date-other-format": (problem == "other_format") | timed,
        "cell-date-year-only": (parsed["precision"] == "year") & problem.isna() & (spec.format != "year"),
        "cell-birth-date-first-of-january": first & (parsed["precision"] == "day"),
    }
    return TypedColumn(
        {
            spec.name: parsed["date"].astype("datetime64[s]"),
            f"{spec.name}:year": parsed["year"].astype("Int64"),
            f"{spec.name}:precision": parsed["precision"].astype("str"),
            f"{spec.name}:unreadable": text.notna() & parsed["date"].isna() & (parsed["precision"] != "year").fillna(True),
        },
        masks,
    )


def _parse_own_case_number(spec: ColumnSpec, text: pd.Series, _: pd.Series) -> TypedColumn:
    """Check that each cell contains a case number of the institution itself."""
    return TypedColumn({spec.name: text}, {"cell-number-unreadable": text.notna() & ~case_numbers.contains_case_number(text)})


def _parse_referenced_case_numbers(spec: ColumnSpec, text: pd.Series, period_end: pd.Series) -> TypedColumn:
    """Check that each cell contains plausible case numbers of other institutions."""
    parsed = case_numbers.parse_case_numbers(text)
    first = parsed.drop_duplicates("row").set_index("row").reindex(text.index)
    implausible = parsed.loc[_are_case_numbers_implausible(parsed, text, period_end), "row"]
    return TypedColumn(
        {spec.name: text, f"{spec.name}:kind": first["kind"]},
        {
            "cell-reference-unreadable": text.notna() & first["number"].isna(),
            "cell-reference-spelling": first["number"].notna() & (first["number"] != text),
            "cell-reference-implausible": pd.Series(text.index.isin(implausible), index=text.index),
        },
    )


def _are_case_numbers_implausible(parsed: pd.DataFrame, text: pd.Series, period_end: pd.Series) -> pd.Series:
    """Return for each case number whether its year is in the future or too early, or whether its register or region does not exist."""
    year, typed_in = parsed["year"], text.reindex(parsed["row"]).reset_index(drop=True)
    no_year = (parsed["kind"] != "other") & (
        (year > period_end.reindex(parsed["row"]).dt.year.reset_index(drop=True)) | (year < _OLDEST_REFERENCE)
    ).fillna(True)
    no_register = (parsed["register"] == "PP.?") & typed_in.str.contains(r"(?i)P\W*P\W*[04-9]\W+(?:nr\W*)?\d+\s*[/-]", regex=True, na=False)
    no_region = parsed["region"].notna() & ~parsed["region"].isin(case_numbers.list_regions_of_case_numbers())
    return (no_year | no_register | no_region).astype(bool)


def _parse_personal_number(spec: ColumnSpec, text: pd.Series, _: pd.Series) -> TypedColumn:
    parsed = personal_numbers.parse_personal_numbers(text)
    repair = parsed["repair"]
    formed = parsed["number"].str.fullmatch(r"\d{10}", na=False)
    return TypedColumn(
        {spec.name: text},
        {
            "cell-personal-number-repaired": repair.isin(["spaces", "float", "lost_zero"]),
            "cell-personal-number-invalid": repair.isin(["too_short", "too_long", "not_digits", "placeholder"]),
            "cell-personal-number-check-digit": formed & ~parsed["valid"].fillna(False).astype(bool),
        },
    )


def _parse_article(spec: ColumnSpec, text: pd.Series, _: pd.Series) -> TypedColumn:
    parsed = articles.parse_articles(text)
    plain = text.str.fullmatch(r"(?:\D+, )?\d{1,3}/\d{1,2} [A-Z]{3,4}" if spec.agreed == "full" else r"\d{1,3}", na=False)
    return TypedColumn(
        {spec.name: text},
        {
            "cell-article-unknown": text.notna() & parsed["article"].isna(),
            "cell-article-spelling": text.notna() & parsed["article"].notna() & ~plain,
        },
    )


def _parse_offence_words(spec: ColumnSpec, text: pd.Series, _: pd.Series) -> TypedColumn:
    of_form = spec.type == "form_words"
    known = offence_words.find_exploitation_forms(text) if of_form else offence_words.find_offence_groups(text)
    usual = code_lists.read_code_list("forms" if of_form else "offences")["label_sq"]
    spelled = known.notna() & ~text.isin(usual) & (spec.agreed != "any")
    return TypedColumn({spec.name: text}, {"cell-words-unknown": text.notna() & known.isna(), "cell-words-spelling": spelled})


def _make_code_list_parser(
    unknown_rule: str, spelling_rule: str, list_name: str
) -> Callable[[ColumnSpec, pd.Series, pd.Series], TypedColumn]:
    """Return a function that checks the cells of a column against the code list `list_name`.

    `unknown_rule` is the rule for texts that are not in the list, and `spelling_rule` the rule for texts that are not spelled as agreed.
    """

    def parse(spec: ColumnSpec, text: pd.Series, _: pd.Series) -> TypedColumn:
        code = code_lists.find_codes(list_name, text)["code"]
        agreed = code if spec.agreed == "code" else code.map(code_lists.read_code_list(list_name).set_index("code")["label_sq"])
        return TypedColumn(
            {spec.name: text},
            {unknown_rule: text.notna() & code.isna(), spelling_rule: code.notna() & (text != agreed) & (spec.agreed != "any")},
        )

    return parse


def _parse_prison_sentence_column(spec: ColumnSpec, text: pd.Series, _: pd.Series) -> TypedColumn:
    return TypedColumn(
        {spec.name: text}, {"cell-sentence-unreadable": text.notna() & sentences.parse_prison_sentences_in_days(text).isna()}
    )


_BY_TYPE: dict[str, Callable[[ColumnSpec, pd.Series, pd.Series], TypedColumn]] = {
    "name": _parse_name,
    "integer": _parse_integer,
    "code": _parse_code,
    "date": _parse_date,
    "number": _parse_own_case_number,
    "reference": _parse_referenced_case_numbers,
    "personal_number": _parse_personal_number,
    "article": _parse_article,
    "offence_words": _parse_offence_words,
    "form_words": _parse_offence_words,
    "country": _make_code_list_parser("cell-country-unknown", "cell-country-spelling", "countries"),
    "municipality": _make_code_list_parser("cell-place-unknown", "cell-place-spelling", "municipalities"),
    "seat": _make_code_list_parser("cell-place-unknown", "cell-place-spelling", "seats"),
    "sentence": _parse_prison_sentence_column,
}
