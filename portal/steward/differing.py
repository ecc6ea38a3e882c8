"""Two values with the differing letters marked. Does not belong here: which values are compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby

ALIKE = 0.55
"""Share of letters in common from which marking those that differ helps."""


@dataclass(frozen=True)
class Piece:
    """Part of a value; `differs`: the other value does not have it."""

    text: str
    differs: bool


@dataclass(frozen=True)
class Compared:
    """A field of two records: pieces of both values; `agreement`: equal, differs, other (few letters in common), missing (on a side)."""

    field: str
    a: tuple[Piece, ...]
    b: tuple[Piece, ...]
    agreement: str


def compared(field: str, a: str, b: str) -> Compared:
    """The values `a` and `b` of a field. Upper and lower case count as equal."""
    if not a or not b:
        return Compared(field, _whole(a), _whole(b), "missing")
    if a.casefold() == b.casefold():
        return Compared(field, _whole(a), _whole(b), "equal")
    lower = a.lower(), b.lower()
    if (len(lower[0]), len(lower[1])) != (len(a), len(b)):  # a letter whose small form is longer
        lower = a, b
    matcher = SequenceMatcher(None, *lower, autojunk=False)
    if matcher.ratio() < ALIKE:
        return Compared(field, _whole(a), _whole(b), "other")
    steps = matcher.get_opcodes()
    own = (
        _pieces(a, [(i, j, tag != "equal") for tag, i, j, _, _ in steps]),
        _pieces(b, [(i, j, tag != "equal") for tag, _, _, i, j in steps]),
    )
    return Compared(field, *own, "differs")


def compared_lists(field: str, a: str, b: str) -> Compared:
    """Two lists, separated by semicolons: no letters are marked, since items come in any order."""
    if not a or not b:
        return Compared(field, _whole(a), _whole(b), "missing")
    return Compared(field, _whole(a), _whole(b), "equal" if a == b else "other")


def _whole(text: str) -> tuple[Piece, ...]:
    return (Piece(text, False),) if text else ()


def _pieces(text: str, parts: list[tuple[int, int, bool]]) -> tuple[Piece, ...]:
    def cut() -> Iterator[Piece]:
        for differs, run in groupby((part for part in parts if part[1] > part[0]), key=lambda part: part[2]):
            ends = list(run)
            yield Piece(text[ends[0][0] : ends[-1][1]], differs)

    return tuple(cut())
