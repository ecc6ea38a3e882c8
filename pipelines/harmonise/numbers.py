"""Case numbers of the five institutions in one normal form each, however they were typed.

Belongs here: finding numbers in a text and writing them one way. Does not belong here: which case a number means (`pipelines.linkage`).

| kind | normal form | read from, for example |
|---|---|---|
| police | `2013-PR-00276` | `2013PR276`, `2013/PR/00276`, `Rasti 2013-PR-276`, `PR 276/13` |
| inspectorate | `IPK-015/2011` | `I.P.K. 15/11`, `ipk.nr.15/2011` |
| prosecution | `PP.I.nr.34/2013`, `PPS.nr.425/2009`; register unknown: `PP.?.nr.34/2013` | `PPI-34-2013`, `PP/1 nr. 34/13` |
| court | `PKR.nr.12/2013`, SMIL `2022:19820` | `P.K.R. nr. 12/13`, `PKR-12-2013` |
| other | `QPS 420/2019` | a label that is nobody's register, number and year |

Register letters and spellings: domain/FACTS.md 4.6.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd

from pipelines.harmonise.text import map_values, tidy, to_latin

REGIONS = ("PR", "PZ", "PE", "GL", "MJ", "MV", "FE", "GJ")
COLUMNS = ("row", "kind", "number", "register", "serial", "year", "region")


class Number(NamedTuple):
    """One number as read: `register` with its letters (`PP.I`, `PKR`, `SMIL`), `region` for the police; unread parts are null."""

    kind: str
    number: str
    register: str | None
    serial: int | None
    year: int | None
    region: str | None


_NR = r"(?:[\s.\-/_]*(?:NUMRI|NUMER|NUMBER|BROJ|NR|NO|BR|N°|№|#))?"
_GAP = r"[\s.\-/_:]*"
_SERIAL = r"(?P<serial>\d{1,6})"
_YEAR = r"\s*[/\-._\\]\s*(?P<year>\d{4}|\d{2})(?!\d)"
_TAIL = _NR + _GAP + _SERIAL + _YEAR
_START = r"(?<![A-Z0-9])(?<![A-Z]\.)"
_REGION = "(?P<region>" + "|".join(REGIONS) + ")"

_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("smil", re.compile(r"(?<![\d:])(?P<year>20\d{2})\s*:\s*(?P<serial>\d{1,7})(?![\d:])")),
    ("police", re.compile(rf"(?<!\d)(?P<year>\d{{4}}){_GAP}{_REGION}{_GAP}(?P<serial>\d{{1,6}})(?!\d)")),
    ("police", re.compile(r"(?<!\d)(?P<year>\d{4})-(?P<region>(?!NR|NO|BR)[A-Z]{2})-(?P<serial>\d{1,6})(?!\d)")),
    ("police", re.compile(rf"{_START}{_REGION}{_TAIL}")),
    ("inspectorate", re.compile(rf"{_START}I\.?\s?P\.?\s?K{_TAIL}")),
    ("inspectorate", re.compile(rf"{_START}I\.?\s?P\.?\s?K{_NR}{_GAP}(?P<year>(?:19|20)\d{{2}})[/\-](?P<serial>\d{{1,4}})(?!\d)")),
    (
        "prosecution",
        re.compile(rf"{_START}P\.?\s?P(?:{_GAP}(?P<roman>[IL1|]{{1,3}}|[2-9?])(?=[\s./\-_N]+\D*\d)|\.?(?P<letter>[SMNP]))?{_TAIL}"),
    ),
    (
        "court",
        re.compile(
            rf"{_START}(?P<register>P\.?A\.?K\.?R|P\.?K\.?R(?:\.?\s?P)?|P\.?K|PML(?:\.?\s?KZZ)?|PA\s?(?:II|I|1)|PN1|PN|P|\?){_TAIL}"
        ),
    ),
)
_DIGIT = re.compile("[0-9]")
_BEHIND = r"\.nr\.(?P<serial>[1-9][0-9]{0,5})/(?P<year>[1-9][0-9]{3})"
_NORMAL: dict[str, str] = {
    "police": f"(?P<year>[0-9]{{4}})-{_REGION}-(?P<serial>[0-9]{{5}}|[1-9][0-9]{{5}})",
    "inspectorate": "IPK-(?P<serial>[0-9]{3}|[1-9][0-9]{3,5})/(?P<year>[1-9][0-9]{3})",
    "prosecution": rf"PP(?:\.(?P<roman>I{{1,3}}|\?)|(?P<letter>[SMNP])){_BEHIND}",
    "court": f"(?P<register>PAKR|PKR|PK|PML|PN1|PN|P){_BEHIND}",
    "smil": "(?P<year>20[0-9]{2}):(?P<serial>[1-9][0-9]{0,6})",
}  # a text that is nothing but a number in its normal form, as most of what is delivered: read at once
_AS_NORMAL = {name: re.compile(pattern) for name, pattern in _NORMAL.items()}
_OF_KIND = {"police": ("police",), "inspectorate": ("inspectorate",), "prosecution": ("prosecution",), "court": ("court", "smil")}
_DATE = re.compile(r"(?<!\d)(?:[012]?\d|3[01])([./])(?:0?\d|1[012])\1(?:19|20)\d{2}(?!\d)(?![/.\-]\d)")
_LABELLED = re.compile(
    rf"(?P<label>[A-Z](?:[A-Z.]*?[A-Z])?)?{_NR}[\s.\-_:]*(?<!\d)(?P<serial>\d{{1,6}})\s*[/\-]\s*(?P<year>\d{{1,4}})(?!\d)"
)
_NO_LABEL = frozenset({"NR", "NO", "BR", "NUMRI", "DHE", "DTE", "I", "ME", "LENDA", "RASTI"})
_BARE: dict[str, str] = {"prosecution": "PP.?", "court": "?"}


def parse_numbers(text: pd.Series, *, bare: str | None = None) -> pd.DataFrame:
    """All case numbers in each text, one row each, on a fresh index.

    In: text, nulls allowed; `bare` (a kind) says whose an unlabelled `34/2013` is (else `other`, unless it follows a labelled one).
    Out: `row` (index label of the text), `kind`, `number` (normal form), `register`, `serial` (Int64), `year` (Int64), `region`.
    A text without a number gives no row.
    """
    which, values = pd.factorize(text.astype("str"))
    found = [_numbers(value, bare) for value in values]
    every = pd.DataFrame([number for numbers in found for number in numbers], columns=list(Number._fields))
    count = np.array([len(numbers) for numbers in found], dtype="int64")
    before = count.cumsum() - count  # where the numbers of a text begin in `every`
    given = which >= 0
    of_row = count[which[given]]
    nth = np.arange(of_row.sum()) - np.repeat(of_row.cumsum() - of_row, of_row)
    out = every.take(np.repeat(before[which[given]], of_row) + nth).reset_index(drop=True)
    out.insert(0, "row", np.repeat(text.index[given], of_row))
    return out.astype({"kind": "str", "number": "str", "register": "str", "serial": "Int64", "year": "Int64", "region": "str"})


def holds_number(text: pd.Series) -> pd.Series:
    """Whether each text holds a case number of any kind."""
    normal = _normal(text, _NORMAL)
    return normal | map_values(text.mask(normal), lambda value: bool(_numbers(value, None)), "boolean").fillna(False).astype(bool)


def normalise_own(text: pd.Series, kind: str) -> pd.Series:
    """Normal form of the first number of `kind` in each text, on the same index; null where there is none."""
    normal = _normal(text, _OF_KIND[kind])
    other = map_values(text.mask(normal), lambda value: next((n.number for n in _numbers(value, kind) if n.kind == kind), None))
    return other.where(~normal, text)


def _normal(text: pd.Series, names: Iterable[str]) -> pd.Series:
    """Whether each text is a number of these in its normal form and nothing else."""
    every = "|".join(re.sub(r"\?P<\w+>", "?:", _NORMAL[name]) for name in names)
    return text.astype("str").str.fullmatch(every, na=False)


@lru_cache(maxsize=65536)
def _numbers(text: str, bare: str | None) -> tuple[Number, ...]:
    """Numbers of one text in the order in which they stand."""
    for name, normal in _AS_NORMAL.items():
        if whole := normal.fullmatch(text):
            return (_BUILD[name](whole),)
    rest = to_latin(tidy(text)).upper()
    rest = _DATE.sub(lambda m: " " * len(m[0]), rest)
    found: list[tuple[int, Number]] = []
    for name, pattern in _PATTERNS:
        if not _DIGIT.search(rest):
            break
        if matches := list(pattern.finditer(rest)):
            found += [(match.start(), _BUILD[name](match)) for match in matches]
            rest = pattern.sub(lambda m: ";" * len(m[0]), rest)
    for match in _LABELLED.finditer(rest):
        before = [pair for pair in found if pair[0] < match.start()]
        found.append((match.start(), _labelled(match, bare, max(before, key=_position)[1] if before else None)))
    return tuple(number for _, number in sorted(found, key=_position))


def _position(pair: tuple[int, Number]) -> int:
    return pair[0]


def full_year(year: str) -> int:
    """Four-digit year of a number's year part: two digits up to 30 are 20yy, else 19yy."""
    value = int(year)
    if len(year) > 2:
        return value
    return 2000 + value if value <= 30 else 1900 + value


def _police(match: re.Match[str]) -> Number:
    year, serial, region = full_year(match["year"]), int(match["serial"]), match["region"]
    return Number("police", f"{year:04d}-{region}-{serial:05d}", None, serial, year, region)


def _inspectorate(match: re.Match[str]) -> Number:
    return _inspectorate_number(int(match["serial"]), full_year(match["year"]))


def _inspectorate_number(serial: int, year: int) -> Number:
    return Number("inspectorate", f"IPK-{serial:03d}/{year}", "IPK", serial, year, None)


def _prosecution(match: re.Match[str]) -> Number:
    register = f"PP{match['letter']}" if match["letter"] else f"PP.{_roman(match['roman'])}"
    return _registered("prosecution", register, match)


def _roman(text: str | None) -> str:
    """`I`, `II`, `III` from Roman or Arabic digits and letters mistaken for them; `?` where the register is not said or unknown."""
    if not text:
        return "?"
    if text in ("2", "3"):
        return "I" * int(text)
    return "I" * len(text) if set(text) <= set("IL1|") else "?"


def _court(match: re.Match[str]) -> Number:
    register = re.sub(r"[\s.]", "", match["register"])
    register = {"PKRP": "PKR", "PA1": "PAI", "PMLKZZ": "PML"}.get(register, register)
    return _registered("court", register, match)


def _smil(match: re.Match[str]) -> Number:
    year, serial = int(match["year"]), int(match["serial"])
    return Number("court", f"{year}:{serial}", "SMIL", serial, year, None)


def _registered(kind: str, register: str, match: re.Match[str]) -> Number:
    serial, year = int(match["serial"]), full_year(match["year"])
    return Number(kind, f"{register}.nr.{serial}/{year}", register, serial, year, None)


def _labelled(match: re.Match[str], bare: str | None, before: Number | None) -> Number:
    """A number with a label of its own, or with none: then it is of the kind of the number before it, else of the kind `bare`."""
    label = (match["label"] or "").replace(".", "")
    plain = len(match["year"]) in (2, 4)
    year = full_year(match["year"]) if plain else None
    serial = int(match["serial"])
    if (label and label not in _NO_LABEL) or not plain or year is None:
        return Number("other", f"{label} {serial}/{year or match['year']}".strip(), label or None, serial, year, None)
    if before and before.kind in ("prosecution", "court") and before.register != "SMIL":
        return Number(before.kind, f"{before.register}.nr.{serial}/{year}", before.register, serial, year, None)
    kind = before.kind if before else bare
    if kind == "inspectorate":
        return _inspectorate_number(serial, year)
    if kind in _BARE:
        return Number(kind, f"{_BARE[kind]}.nr.{serial}/{year}", _BARE[kind], serial, year, None)
    return Number("other", f"{serial}/{year}", None, serial, year, None)


_BUILD: dict[str, Callable[[re.Match[str]], Number]] = {
    "smil": _smil,
    "police": _police,
    "inspectorate": _inspectorate,
    "prosecution": _prosecution,
    "court": _court,
}
