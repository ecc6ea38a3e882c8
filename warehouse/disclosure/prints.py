"""One table as printed, and the comparing of two prints of it.

Belongs here: printing counts under a partition; whether a new print may take the place of an old one. Does not belong here: when
(`protect`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np

from warehouse.disclosure.programme import ACROSS, JOINED, TOTAL, UNKNOWN
from warehouse.disclosure.rule import Partition, Rule, set_partitions

Status = Literal["printed", "not_broken_down", "not_shown", "fewer_than", "no_delivery"]


Form = tuple[tuple[frozenset[str], ...], tuple[frozenset[str], ...]]
"""How a table of two dimensions is printed: its rows, its columns."""
_SMALL, _NOTHING, _TRAFFICKING, _TOTAL, _BOTH = range(5)


@dataclass(frozen=True)
class Print:
    """A printed table: `cells` (name, with joined categories `a+b`, and value); `limit` of `fewer_than`.

    edition  release that first printed it so
    known    release whose records it counts
    """

    status: Status
    cells: tuple[tuple[str, int], ...] = ()
    edition: str = ""
    known: str = ""
    limit: int | None = None

    def same(self, other: Print) -> bool:
        """Whether both say the same."""
        return (self.status, self.cells, self.limit) == (other.status, other.cells, other.limit)

    def value(self, cell: str) -> int | None:
        """The value of a category printed on its own; None where it is not."""
        return dict(self.cells).get(cell)


def print_year(rule: Rule, cells: tuple[str, ...], counts: tuple[int, ...], declared: Mapping[str, int]) -> tuple[Print, Print | None]:
    """Print a year's total and its part by offence; trafficking comes first in `cells`, `rule` is that of the other offences.

    Both, where trafficking and the rest reach the floor. Trafficking alone, the total not shown, where the rest does not. The total
    alone, said not to be broken down, where trafficking does not and the total does not bound it. Else nothing but that a total is
    below the floor.
    """
    whole, own = sum(counts), counts[0]
    total, rest = Print("printed", ((TOTAL, whole),)), whole - own
    form = int(year_codes(rule, np.array([[own, rest]]))[0])
    if form == _SMALL:
        return Print("fewer_than", limit=rule.floor), None
    if form == _NOTHING:
        return Print("not_shown"), None
    if form == _TOTAL:
        return total, Print("not_broken_down")
    if form == _TRAFFICKING:
        return Print("not_shown"), Print("printed", ((cells[0], own),))
    others = print_table(rule, cells[1:], counts[1:], declared) if len(cells) > 2 else Print("not_broken_down")
    return total, Print("printed", ((cells[0], own), *(others.cells or ((JOINED.join(cells[1:]), rest),))))


def year_codes(rule: Rule, tables: np.ndarray) -> np.ndarray:
    """For tables by offence (rows × categories, trafficking first) a number each: equal where `print_year` keeps the same apart."""
    own, rest = tables[:, 0], tables[:, 1:].sum(axis=1)
    whole, floor = own + rest, rule.floor
    out = np.where((own >= floor) & (rest >= floor), _BOTH, _NOTHING)
    out[(own >= floor) & (rest < floor)] = _TRAFFICKING
    out[(own < floor) & (rest >= floor) & (whole >= 2 * floor - 1)] = _TOTAL  # or the total would say that trafficking is smaller still
    out[whole < floor] = _SMALL
    both = out == _BOTH
    if tables.shape[1] > 2 and both.any():
        out[both] += rule.choose(tables[both, 1:])
    return np.asarray(out)


def print_table(rule: Rule, cells: tuple[str, ...], counts: tuple[int, ...], declared: Mapping[str, int]) -> Print:
    """Print counts of a known total. `declared`: cells that are public already, printed as they are where ours say the same."""
    free = [n for n, cell in enumerate(cells) if not (counts[n] < rule.threshold and declared.get(cell) == counts[n])]
    if 2 <= len(free) < len(cells) and sum(counts[n] for n in free) >= rule.floor:
        inner = Rule(len(free), rule.threshold, rule.known, free.index(rule.unknown) if rule.unknown in free else None)
        blocks = [tuple(free[n] for n in block) for block in inner.print(tuple(counts[n] for n in free))]
        return Print("printed", _named([*blocks, *((n,) for n in range(len(cells)) if n not in free)], cells, counts))
    partition = rule.print(counts)
    if len(partition) == 1:
        return Print("not_broken_down")
    return Print("printed", _named(partition, cells, counts))


def _named(blocks: Iterable[tuple[int, ...]], cells: tuple[str, ...], counts: tuple[int, ...]) -> tuple[tuple[str, int], ...]:
    return tuple((JOINED.join(cells[n] for n in block), sum(counts[n] for n in block)) for block in sorted(blocks))


def blocks(print_: Print, cells: tuple[str, ...]) -> tuple[frozenset[str], ...]:
    """The categories that a print keeps apart; all in one where it is not broken down."""
    if print_.status != "printed":
        return (frozenset(cells),)
    return tuple(frozenset(name.split(JOINED)) for name, _ in print_.cells)


def join(partitions: Iterable[Iterable[frozenset[str]]]) -> tuple[frozenset[str], ...]:
    """The finest partition that is coarser than, or equal to, each of `partitions`."""
    out: list[frozenset[str]] = []
    for block in (b for p in partitions for b in p):
        meet = [one for one in out if one & block]
        out = [one for one in out if not one & block] + [frozenset().union(block, *meet)]
    return tuple(out)


def may_replace(new: Print, old: Print, step: int) -> bool:
    """Whether no difference between two prints of a table, nor of its total, lies between 1 and `step` - 1."""
    if new.status != "printed" or old.status != "printed":
        return True
    now, then = ({frozenset(n.split(JOINED)): v for n, v in p.cells} for p in (new, old))
    both = frozenset().union(*now) & frozenset().union(*then)
    common = [part for part in (*join([now, then]), both) if part and part <= both]
    changes = [sum(v for b, v in now.items() if b <= part) - sum(v for b, v in then.items() if b <= part) for part in common]
    return all(change == 0 or abs(change) >= step for change in changes)


def crossed(cells: tuple[str, ...], counts: tuple[int, ...], forms: tuple[Form, ...], chosen: int) -> Print:
    """Print a table of two dimensions in one of its forms; -1: not broken down. cells: names `row|column`, in the order of `counts`."""
    if chosen < 0:
        return Print("not_broken_down")
    names = [cell.split(ACROSS) for cell in cells]
    rows, columns = forms[chosen]
    sums = {(a, b): sum(n for (x, y), n in zip(names, counts, strict=True) if x in a and y in b) for a in rows for b in columns}
    return Print("printed", tuple(sorted((f"{_name(a)}{ACROSS}{_name(b)}", n) for (a, b), n in sums.items())))


def forms_of(rows: tuple[frozenset[str], ...], columns: tuple[frozenset[str], ...]) -> tuple[Form, ...]:
    """All ways to print a table of two dimensions no finer than `rows` × `columns`, in the order in which they are tried."""
    every = [(r, c) for r in _coarser(rows) for c in _coarser(columns) if len(r) > 1 and len(c) > 1]
    return tuple(sorted(every, key=lambda form: (-_singles(form), str(_text(form)))))


def crossed_form(threshold: int, cells: tuple[str, ...], tables: np.ndarray, forms: tuple[Form, ...], skip: int = 0) -> np.ndarray:
    """For each table (row, counts of `cells`) the position of the form in which it is printed; -1 where there is none.

    It is the first, after `skip` others, whose every cell holds `threshold` or more, or is empty since nobody's row or column is not known.
    """
    names = [cell.split(ACROSS) for cell in cells]

    def total(rows: frozenset[str] | None, columns: frozenset[str] | None) -> np.ndarray:
        inside = [n for n, (x, y) in enumerate(names) if (rows is None or x in rows) and (columns is None or y in columns)]
        return np.asarray(tables[:, inside].sum(axis=1))

    nobody = frozenset({UNKNOWN})
    empty = {"row": total(nobody, None) == 0, "column": total(None, nobody) == 0}
    left, out = np.full(len(tables), skip), np.full(len(tables), -1)
    for n, (rows, columns) in enumerate(forms):
        ok = (sum((total(a, None) > 0).astype(int) for a in rows) > 1) & (sum((total(None, b) > 0).astype(int) for b in columns) > 1)
        for a, b in product(rows, columns):
            none = (empty["row"] if a == nobody else False) | (empty["column"] if b == nobody else np.zeros(len(tables), dtype=bool))
            ok &= (total(a, b) >= threshold) | ((total(a, b) == 0) & none)
        ok &= out < 0
        out[ok & (left == 0)] = n
        left[ok & (left > 0)] -= 1
    return out


def _coarser(partition: tuple[frozenset[str], ...]) -> list[tuple[frozenset[str], ...]]:
    every: list[Partition] = list(set_partitions(len(partition)))
    return [tuple(frozenset().union(*(partition[n] for n in block)) for block in p) for p in every]


def _name(block: frozenset[str]) -> str:
    return JOINED.join(sorted(block))


def _singles(form: Form) -> int:
    named = [sum(len(block) == 1 and UNKNOWN not in block for block in side) for side in form]
    return named[0] * named[1] * 100 + len(form[0]) * len(form[1])


def _text(form: Form) -> list[list[str]]:
    return [sorted(_name(block) for block in side) for side in form]
