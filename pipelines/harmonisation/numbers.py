"""Case numbers in normal form, however they were typed.

Belongs here: finding numbers in a text and normalising them. Does not belong here: the number forms of an institution
(`sources/<institution>/numbers.py`), the case that a number refers to (`pipelines.linkage`). A number whose label is no institution's
register has the kind `other`: `QPS 420/2019`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache, lru_cache

import numpy as np
import pandas as pd

from pipelines.harmonisation.text import map_values, tidy_text, to_latin
from sources.number_forms import NR, Form, Number, forms, full_year, registered

COLUMNS = ("row", "kind", "number", "register", "serial", "year", "region")

_DIGIT = re.compile("[0-9]")
_DATE = re.compile(r"(?<!\d)(?:[012]?\d|3[01])([./])(?:0?\d|1[012])\1(?:19|20)\d{2}(?!\d)(?![/.\-]\d)")
_LABELLED = re.compile(
    rf"(?P<label>[A-Z](?:[A-Z.]*?[A-Z])?)?{NR}[\s.\-_:]*(?<!\d)(?P<serial>\d{{1,6}})\s*[/\-]\s*(?P<year>\d{{1,4}})(?!\d)"
)
_NO_LABEL = frozenset({"NR", "NO", "BR", "NUMRI", "DHE", "DTE", "I", "ME", "LENDA", "RASTI"})


@cache
def _number_patterns() -> tuple[tuple[re.Pattern[str], Form], ...]:
    """Return every pattern of a case number with its form, in the order in which the patterns are tried."""
    every = [form for of_kind in forms().values() for form in of_kind]
    return tuple((re.compile(p), form) for form in sorted(every, key=lambda form: not form.first) for p in form.patterns)


@cache
def number_regions() -> frozenset[str]:
    """Return the codes of regions that occur in case numbers."""
    return frozenset(region for of_kind in forms().values() for form in of_kind for region in form.regions)


@cache
def _normal_patterns() -> tuple[tuple[re.Pattern[str], Form], ...]:
    """Return the pattern of each normal form. Most delivered texts are in normal form and need no search."""
    return tuple((re.compile(form.normal), form) for of_kind in forms().values() for form in of_kind)


def parse_numbers(text: pd.Series, *, bare: str | None = None) -> pd.DataFrame:
    """Return all case numbers in each text, one row for each, on a fresh index.

    In: text, nulls allowed; `bare`: the kind of an unlabelled `34/2013` (default `other`, unless it follows a labelled number). Out:
    `row` (index label of the text), `kind`, `number` (normal form), `register`, `serial` (Int64), `year` (Int64), `region`. A text
    without a number gives no row.
    """
    which, values = pd.factorize(text.astype("str"))
    found = [_find_numbers(value, bare) for value in values]
    every = pd.DataFrame([number for numbers in found for number in numbers], columns=list(Number._fields))
    count = np.array([len(numbers) for numbers in found], dtype="int64")
    before = count.cumsum() - count  # the first number of each text in `every`
    filled = which >= 0
    of_row = count[which[filled]]
    nth = np.arange(of_row.sum()) - np.repeat(of_row.cumsum() - of_row, of_row)
    out = every.take(np.repeat(before[which[filled]], of_row) + nth).reset_index(drop=True)
    out.insert(0, "row", np.repeat(text.index[filled], of_row))
    return out.astype({"kind": "str", "number": "str", "register": "str", "serial": "Int64", "year": "Int64", "region": "str"})


def holds_number(text: pd.Series) -> pd.Series:
    """Return whether each text contains a case number of any kind."""
    normal = _is_normal(text, forms())
    return normal | map_values(text.mask(normal), lambda value: bool(_find_numbers(value, None)), "boolean").fillna(False).astype(bool)


def normalise_own(text: pd.Series, kind: str) -> pd.Series:
    """Return the normal form of the first number of `kind` in each text, on the same index; null if there is none."""
    normal = _is_normal(text, (kind,))
    other = map_values(text.mask(normal), lambda value: next((n.number for n in _find_numbers(value, kind) if n.kind == kind), None))
    return other.where(~normal, text)


def _is_normal(text: pd.Series, kinds: Iterable[str]) -> pd.Series:
    """Return whether each text is a number of these kinds in its normal form and nothing else."""
    every = "|".join(re.sub(r"\?P<\w+>", "?:", form.normal) for kind in kinds for form in forms().get(kind, ()))
    return text.astype("str").str.fullmatch(every, na=False)


@lru_cache(maxsize=65536)
def _find_numbers(text: str, bare: str | None) -> tuple[Number, ...]:
    """Find the case numbers of one text, in their order."""
    for normal, form in _normal_patterns():
        if whole := normal.fullmatch(text):
            return (form.build(whole),)
    rest = to_latin(tidy_text(text)).upper()
    rest = _DATE.sub(lambda m: " " * len(m[0]), rest)
    found: list[tuple[int, Number]] = []
    for pattern, form in _number_patterns():
        if not _DIGIT.search(rest):
            break
        if matches := list(pattern.finditer(rest)):
            found += [(match.start(), form.build(match)) for match in matches]
            rest = pattern.sub(lambda m: ";" * len(m[0]), rest)
    for match in _LABELLED.finditer(rest):
        before = [pair for pair in found if pair[0] < match.start()]
        found.append((match.start(), _read_labelled(match, bare, max(before, key=_position_in_text)[1] if before else None)))
    return tuple(number for _, number in sorted(found, key=_position_in_text))


def _position_in_text(pair: tuple[int, Number]) -> int:
    return pair[0]


def _register_continues(number: Number) -> bool:
    """Return whether a serial and a year that follow a number belong to its register."""
    others = [form.normal for form in forms().get(number.kind, ()) if not form.continues]
    return any(form.continues for form in forms().get(number.kind, ())) and not any(re.fullmatch(one, number.number) for one in others)


def _read_labelled(match: re.Match[str], bare: str | None, before: Number | None) -> Number:
    """Read a number with or without a label; a number without a label has the kind of the number before it, else the kind `bare`."""
    label = (match["label"] or "").replace(".", "")
    plain = len(match["year"]) in (2, 4)
    year = full_year(match["year"]) if plain else None
    serial = int(match["serial"])
    if (label and label not in _NO_LABEL) or not plain or year is None:
        return Number("other", f"{label} {serial}/{year or match['year']}".strip(), label or None, serial, year, None)
    if before and before.register and _register_continues(before):
        return registered(before.kind, before.register, serial, year)
    kind = before.kind if before else bare
    of_kind = next((form.bare for form in forms().get(kind or "", ()) if form.bare), None)
    return of_kind(serial, year) if of_kind else Number("other", f"{serial}/{year}", None, serial, year, None)
