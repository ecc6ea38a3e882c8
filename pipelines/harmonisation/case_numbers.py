"""Case numbers in normal form, however they are written.

Belongs here: finding case numbers in a text, and bringing them into normal form. Does not belong here: the forms of an institution's
numbers (`sources/<institution>/numbers.py`), the case to which a number refers (`pipelines.linkage`). A number whose label is not the
register of an institution, such as `QPS 420/2019`, has the kind `other`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache, lru_cache

import numpy as np
import pandas as pd

from pipelines.harmonisation.letters import convert_to_latin, map_values, tidy_text
from sources.number_forms import NR, CaseNumber, NumberForm, build_registered_number, full_year, number_forms

COLUMNS = ("row", "kind", "number", "register", "serial", "year", "region")

_DIGIT = re.compile("[0-9]")
_DATE = re.compile(r"(?<!\d)(?:[012]?\d|3[01])([./])(?:0?\d|1[012])\1(?:19|20)\d{2}(?!\d)(?![/.\-]\d)")
_LABELLED = re.compile(
    rf"(?P<label>[A-Z](?:[A-Z.]*?[A-Z])?)?{NR}[\s.\-_:]*(?<!\d)(?P<serial>\d{{1,6}})\s*[/\-]\s*(?P<year>\d{{1,4}})(?!\d)"
)
_NO_LABEL = frozenset({"NR", "NO", "BR", "NUMRI", "DHE", "DTE", "I", "ME", "LENDA", "RASTI"})


@cache
def _list_number_patterns() -> tuple[tuple[re.Pattern[str], NumberForm], ...]:
    """Return every pattern of a case number together with its form, in the order in which the patterns are tried."""
    forms = [form for of_kind in number_forms().values() for form in of_kind]
    return tuple((re.compile(p), form) for form in sorted(forms, key=lambda form: not form.first) for p in form.patterns)


@cache
def list_regions_of_case_numbers() -> frozenset[str]:
    """Return the codes of regions that occur in case numbers."""
    return frozenset(region for of_kind in number_forms().values() for form in of_kind for region in form.regions)


@cache
def _list_normal_form_patterns() -> tuple[tuple[re.Pattern[str], NumberForm], ...]:
    """Return the pattern of each normal form, together with the form. Most delivered texts are in normal form and need no search."""
    return tuple((re.compile(form.normal), form) for of_kind in number_forms().values() for form in of_kind)


def parse_case_numbers(text: pd.Series, *, kind_without_label: str | None = None) -> pd.DataFrame:
    """Return all case numbers in each text, one row for each number. A text without a number has no row.

    `text` may contain nulls. `kind_without_label` is the kind of a number without a label, such as `34/2013`, that does not follow a
    labelled number; the default is `other`. Columns of the result: `row` (the index of the text), `kind`, `number` (in normal form),
    `register`, `serial` (Int64), `year` (Int64), `region`.
    """
    text_number, values = pd.factorize(text.astype("str"))
    numbers_by_text = [_find_case_numbers(value, kind_without_label) for value in values]
    all_numbers = pd.DataFrame([number for numbers in numbers_by_text for number in numbers], columns=list(CaseNumber._fields))
    count = np.array([len(numbers) for numbers in numbers_by_text], dtype="int64")
    before = count.cumsum() - count  # position in `all_numbers` of the first number of each text
    filled = text_number >= 0
    of_row = count[text_number[filled]]
    nth = np.arange(of_row.sum()) - np.repeat(of_row.cumsum() - of_row, of_row)
    out = all_numbers.take(np.repeat(before[text_number[filled]], of_row) + nth).reset_index(drop=True)
    out.insert(0, "row", np.repeat(text.index[filled], of_row))
    return out.astype({"kind": "str", "number": "str", "register": "str", "serial": "Int64", "year": "Int64", "region": "str"})


def contains_case_number(text: pd.Series) -> pd.Series:
    """Return whether each text contains a case number of any kind."""
    normal = _is_in_normal_form(text, number_forms())
    return normal | map_values(text.mask(normal), lambda value: bool(_find_case_numbers(value, None)), "boolean").fillna(False).astype(bool)


def normalise_case_numbers(text: pd.Series, kind: str) -> pd.Series:
    """Return the normal form of the first number of `kind` in each text, on the same index; null if there is none."""
    normal = _is_in_normal_form(text, (kind,))
    other = map_values(text.mask(normal), lambda value: next((n.number for n in _find_case_numbers(value, kind) if n.kind == kind), None))
    return other.where(~normal, text)


def _is_in_normal_form(text: pd.Series, kinds: Iterable[str]) -> pd.Series:
    """Return for each text whether it consists of exactly one number, which has one of the kinds `kinds` and is in normal form."""
    pattern = "|".join(re.sub(r"\?P<\w+>", "?:", form.normal) for kind in kinds for form in number_forms().get(kind, ()))
    return text.astype("str").str.fullmatch(pattern, na=False)


@lru_cache(maxsize=65536)
def _find_case_numbers(text: str, kind_without_label: str | None) -> tuple[CaseNumber, ...]:
    """Return the case numbers of one text, in the order in which they appear."""
    for normal, form in _list_normal_form_patterns():
        if match_of_text := normal.fullmatch(text):
            return (form.build(match_of_text),)
    rest = convert_to_latin(tidy_text(text)).upper()
    rest = _DATE.sub(lambda m: " " * len(m[0]), rest)
    numbers_by_position: list[tuple[int, CaseNumber]] = []
    for pattern, form in _list_number_patterns():
        if not _DIGIT.search(rest):
            break
        if matches := list(pattern.finditer(rest)):
            numbers_by_position += [(match.start(), form.build(match)) for match in matches]
            rest = pattern.sub(lambda m: ";" * len(m[0]), rest)
    for match in _LABELLED.finditer(rest):
        before = [pair for pair in numbers_by_position if pair[0] < match.start()]
        numbers_by_position.append(
            (match.start(), _read_case_number(match, kind_without_label, max(before, key=_get_position_in_text)[1] if before else None))
        )
    return tuple(number for _, number in sorted(numbers_by_position, key=_get_position_in_text))


def _get_position_in_text(pair: tuple[int, CaseNumber]) -> int:
    return pair[0]


def _do_following_numbers_share_register(number: CaseNumber) -> bool:
    """Return whether a serial and year without a label that follow this case number form another number of the same register."""
    others = [form.normal for form in number_forms().get(number.kind, ()) if not form.continues]
    return any(form.continues for form in number_forms().get(number.kind, ())) and not any(
        re.fullmatch(pattern, number.number) for pattern in others
    )


def _read_case_number(match: re.Match[str], kind_without_label: str | None, previous_number: CaseNumber | None) -> CaseNumber:
    """Read a case number with or without a label.

    A number without a label has the kind of the number before it in the text. If there is none, it has the kind `kind_without_label`.
    """
    label = (match["label"] or "").replace(".", "")
    plain = len(match["year"]) in (2, 4)
    year = full_year(match["year"]) if plain else None
    serial = int(match["serial"])
    if (label and label not in _NO_LABEL) or not plain or year is None:
        return CaseNumber("other", f"{label} {serial}/{year or match['year']}".strip(), label or None, serial, year, None)
    if previous_number and previous_number.register and _do_following_numbers_share_register(previous_number):
        return build_registered_number(previous_number.kind, previous_number.register, serial, year)
    kind = previous_number.kind if previous_number else kind_without_label
    of_kind = next((form.bare for form in number_forms().get(kind or "", ()) if form.bare), None)
    return of_kind(serial, year) if of_kind else CaseNumber("other", f"{serial}/{year}", None, serial, year, None)
