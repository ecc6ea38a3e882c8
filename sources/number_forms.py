"""Defines what the case numbers of all institutions have in common.

Belongs here: the parts of a number, and the type of an institution's number forms (`FORMS` in `sources/<institution>/numbers.py`). Does not
belong here: the letters of an institution's numbers, and finding numbers in a text (`pipelines.harmonisation.case_numbers`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import NamedTuple

from schemas.yaml_declarations import display_path, make_value_error
from sources import contract


class CaseNumber(NamedTuple):
    """A case number, split into its parts.

    kind: the kind of number, as `cited_as` of a contract names it. number: the whole number in its normal form. register: the letters of
    the register (`PP.I`, `PKR`, `SMIL`). region: the region, if the number contains one. A part that could not be read is None.
    """

    kind: str
    number: str
    register: str | None
    serial: int | None
    year: int | None
    region: str | None


@dataclass(frozen=True)
class NumberForm:
    """One form of the numbers of an institution.

    normal    pattern of the complete normal form
    patterns  patterns of its spellings in upper-case text, tried in this order; they have the groups `serial`, `year` and others for
    `build`
    build     builds the number from a match
    bare      builds the number from a serial number and a year without letters in a text of this institution; None: ignore such a number
    continues whether a serial number and a year without letters belong to the register of the number before ("PP.I.nr. 3/13 and 4/13")
    regions   the regions that such a number can contain
    first     whether its spellings are tried before those of all other forms
    """

    normal: str
    patterns: tuple[str, ...]
    build: Callable[[re.Match[str]], CaseNumber]
    bare: Callable[[int, int], CaseNumber] | None = None
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
    """Return the year of a case number with four digits. Two digits up to 30 mean 20yy, higher ones 19yy."""
    value = int(year)
    if len(year) > 2:
        return value
    return 2000 + value if value <= 30 else 1900 + value


def build_registered_number(kind: str, register: str, serial: int, year: int) -> CaseNumber:
    """Build a number that has a register, such as `PKR.nr.12/2013`."""
    return CaseNumber(kind, f"{register}.nr.{serial}/{year}", register, serial, year, None)


@cache
def number_forms() -> dict[str, tuple[NumberForm, ...]]:
    """Return the forms of each kind of number, by kind, in the order of the case flow.

    A kind has no forms if the institution that assigns such numbers declares none.
    """
    forms_by_kind = {}
    for kind, name in contract.institution_by_case_number_kind().items():
        module = f"sources.{name}.numbers"
        forms_by_kind[kind] = tuple(import_module(module).FORMS) if find_spec(module) else ()
    return forms_by_kind


def check_columns_of_own_numbers() -> None:
    """Check that an institution with columns of type number declares the forms of its numbers.

    Otherwise every number would be unreadable. Raises `DeclarationError`.
    """
    for name in contract.institutions():
        declared, folder = contract.load(name), contract.folder_by_institution()[name]
        columns = [(t.name, column.name) for t in declared.tables.values() for column in t.columns if column.type == "number"]
        if columns and not number_forms().get(declared.cited_as or ""):
            table, column = columns[0]
            key = f"tables.{table}.columns.{column}.type"
            remedy = f"it needs `cited_as` and the file {display_path(folder / 'numbers.py')}: add them, or make it text"
            raise make_value_error(folder / "contract.yaml", key, "number", remedy)
