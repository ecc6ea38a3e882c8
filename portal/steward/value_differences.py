"""The comparison of two values of a field, with the differing letters marked. Does not belong here: which values are compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby

MIN_SIMILARITY = 0.55
"""The share of common letters from which differing letters are marked. If two values have less in common, marking letters does not help."""


@dataclass(frozen=True)
class ValuePart:
    """A part of a value. `differs` says that the other value does not contain it."""

    text: str
    differs: bool


@dataclass(frozen=True)
class ComparedField:
    """A field of two records, with each value split into parts. `agreement` is `equal`, `differs` (some letters differ), `other` (few
    letters are the same), or `missing` (one of the records has no value)."""

    field: str
    a: tuple[ValuePart, ...]
    b: tuple[ValuePart, ...]
    agreement: str


def compare_values(field: str, a: str, b: str) -> ComparedField:
    """Compare the values `a` and `b` of a field, regardless of upper and lower case."""
    if not a or not b:
        return ComparedField(field, _make_unmarked_parts(a), _make_unmarked_parts(b), "missing")
    if a.casefold() == b.casefold():
        return ComparedField(field, _make_unmarked_parts(a), _make_unmarked_parts(b), "equal")
    lower = a.lower(), b.lower()
    if (len(lower[0]), len(lower[1])) != (len(a), len(b)):  # some letter has a longer form in lower case
        lower = a, b
    matcher = SequenceMatcher(None, *lower, autojunk=False)
    if matcher.ratio() < MIN_SIMILARITY:
        return ComparedField(field, _make_unmarked_parts(a), _make_unmarked_parts(b), "other")
    steps = matcher.get_opcodes()
    own = (
        _split_value(a, [(i, j, tag != "equal") for tag, i, j, _, _ in steps]),
        _split_value(b, [(i, j, tag != "equal") for tag, _, _, i, j in steps]),
    )
    return ComparedField(field, *own, "differs")


def compare_lists(field: str, a: str, b: str) -> ComparedField:
    """Compare two lists whose items are separated by semicolons. No letters are marked, since the items may be in any order."""
    if not a or not b:
        return ComparedField(field, _make_unmarked_parts(a), _make_unmarked_parts(b), "missing")
    return ComparedField(field, _make_unmarked_parts(a), _make_unmarked_parts(b), "equal" if a == b else "other")


def _make_unmarked_parts(text: str) -> tuple[ValuePart, ...]:
    return (ValuePart(text, False),) if text else ()


def _split_value(text: str, parts: list[tuple[int, int, bool]]) -> tuple[ValuePart, ...]:
    """Split a value into parts. `parts` has the start, the end and whether it differs, for each piece of the value; neighbouring pieces are
    joined if they agree in this."""

    def cut() -> Iterator[ValuePart]:
        for differs, run in groupby((part for part in parts if part[1] > part[0]), key=lambda part: part[2]):
            ends = list(run)
            yield ValuePart(text[ends[0][0] : ends[-1][1]], differs)

    return tuple(cut())
