"""How case numbers are written: what the forms of all institutions have in common.

Belongs here: the parts of a number, and the shape in which an institution declares its own (`FORMS` in `sources/<institution>/numbers.py`).
Does not belong here: any institution's letters, finding numbers in a text (`pipelines.harmonise.numbers`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import NamedTuple

from sources import contract


class Number(NamedTuple):
    """One number as read: `register` with its letters (`PP.I`, `PKR`, `SMIL`), `region` where it bears one; unread parts are null."""

    kind: str
    number: str
    register: str | None
    serial: int | None
    year: int | None
    region: str | None


@dataclass(frozen=True)
class Form:
    """One form of the numbers of an institution.

    normal    pattern of its normal form, whole
    patterns  of its spellings within a text in capitals, looked for in this order; groups `serial` and `year`, others as `build` reads them
    build     the number of a match of any of them
    bare      the number of a serial and a year that stand without letters in a text of this institution's; None: nobody's
    continues whether a serial and a year without letters go on in the register of such a number before them ("PP.I.nr. 3/13 and 4/13")
    regions   the regions that such a number can bear
    first     whether its spellings are looked for before those of all other forms
    """

    normal: str
    patterns: tuple[str, ...]
    build: Callable[[re.Match[str]], Number]
    bare: Callable[[int, int], Number] | None = None
    continues: bool = False
    regions: tuple[str, ...] = ()
    first: bool = False


NR = r"(?:[\s.\-/_]*(?:NUMRI|NUMER|NUMBER|BROJ|NR|NO|BR|N°|№|#))?"
GAP = r"[\s.\-/_:]*"
SERIAL = r"(?P<serial>\d{1,6})"
YEAR = r"\s*[/\-._\\]\s*(?P<year>\d{4}|\d{2})(?!\d)"
TAIL = NR + GAP + SERIAL + YEAR
START = r"(?<![A-Z0-9])(?<![A-Z]\.)"
BEHIND = r"\.nr\.(?P<serial>[1-9][0-9]{0,5})/(?P<year>[1-9][0-9]{3})"


def full_year(year: str) -> int:
    """Four-digit year of a number's year part: two digits up to 30 are 20yy, else 19yy."""
    value = int(year)
    if len(year) > 2:
        return value
    return 2000 + value if value <= 30 else 1900 + value


def registered(kind: str, register: str, serial: int, year: int) -> Number:
    """A number of a register: `PKR.nr.12/2013`."""
    return Number(kind, f"{register}.nr.{serial}/{year}", register, serial, year, None)


@cache
def forms() -> dict[str, tuple[Form, ...]]:
    """The forms of every kind of number, in the order of a case's way; of an institution that declares none, none."""
    found = {}
    for kind, name in contract.bearers().items():
        module = f"sources.{name}.numbers"
        found[kind] = tuple(import_module(module).FORMS) if find_spec(module) else ()
    return found
