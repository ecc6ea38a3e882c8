"""One published table, and the comparison of two versions of it.

Belongs here: publishing counts under a partition; whether a new version may replace an old one. Does not belong here: when
(`protect`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from warehouse.disclosure.programme import ACROSS, JOINED, TOTAL, TRAFFICKING, UNKNOWN
from warehouse.disclosure.rule import VALUES, Rule

Status = Literal["printed", "not_broken_down", "not_shown", "fewer_than", "no_delivery"]


Margins = tuple[tuple[int, int], tuple[int, int]]
"""Of one year: counts by sex and by age group, if both are published and nobody is unknown."""
Said = tuple[int, int]
"""What others published about a figure: minimum, maximum."""
_SMALL, _NOTHING, _TRAFFICKING, _TOTAL, _BOTH = range(5)


@dataclass(frozen=True)
class PublishedTable:
    """A published table.

    cells    name (merged categories as `a+b`) and value
    limit    the number of "fewer than"
    edition  release that first published it in this form
    known    release whose records it counts
    """

    status: Status
    cells: tuple[tuple[str, int], ...] = ()
    edition: str = ""
    known: str = ""
    limit: int | None = None

    def same(self, other: PublishedTable) -> bool:
        """Whether both publish the same."""
        return (self.status, self.cells, self.limit) == (other.status, other.cells, other.limit)

    def value(self, cell: str) -> int | None:
        """The value of a separately published category; None if it is not."""
        return dict(self.cells).get(cell)


def print_year(
    rule: Rule, cells: tuple[str, ...], counts: tuple[int, ...], said: Said | None = None
) -> tuple[PublishedTable, PublishedTable | None]:
    """Publish a year's total and its part by offence; trafficking comes first in `cells`, `rule` is that of the other offences.

    Both, if trafficking and the rest reach the floor. Only trafficking, the total suppressed, if the rest does not. Only the total,
    marked as not broken down, if trafficking does not and the total does not bound it. Else only that the total is
    below the floor. said: what others published about the total.
    """
    whole, own = sum(counts), counts[0]
    total, rest = PublishedTable("printed", ((TOTAL, whole),)), whole - own
    form = int(year_codes(rule, np.array([[own, rest]]), said)[0])
    if form == _SMALL:
        return PublishedTable("fewer_than", limit=rule.floor), None
    if form == _NOTHING:
        return PublishedTable("not_shown"), None
    if form == _TOTAL:
        return total, PublishedTable("not_broken_down")
    if form == _TRAFFICKING:
        return PublishedTable("not_shown"), PublishedTable("printed", ((cells[0], own),))
    others = print_table(rule, cells[1:], counts[1:]).cells if len(cells) > 2 else ()
    return total, PublishedTable("printed", ((cells[0], own), *(others or ((JOINED.join(cells[1:]), rest),))))


def print_reported(
    rule: Rule, cells: tuple[str, ...], counts: tuple[int, ...], ours: tuple[PublishedTable, PublishedTable | None], least: int
) -> tuple[PublishedTable, PublishedTable | None]:
    """Publish a year as reported given the harmonised tables `ours` (total, by offence): never finer, and no difference below `least`.

    With the harmonised total: the total, and trafficking and the rest if both reach the floor. With only harmonised trafficking:
    trafficking.
    """
    whole, own, floor = sum(counts), counts[0], rule.floor
    total, offence = ours
    if total.status != "printed":
        printed = offence.value(TRAFFICKING) if offence else None
        far = printed is not None and own >= floor and abs(own - printed) >= least
        return PublishedTable("not_shown"), PublishedTable("printed", ((cells[0], own),)) if far else None
    if whole < floor:
        return PublishedTable("fewer_than", limit=floor), None
    if abs(whole - (total.value(TOTAL) or 0)) < least:
        return PublishedTable("not_shown"), None
    both = offence is not None and offence.status == "printed" and min(own, whole - own) >= floor
    parts = PublishedTable("printed", ((cells[0], own), (cells[1], whole - own))) if both else PublishedTable("not_broken_down")
    return PublishedTable("printed", ((TOTAL, whole),)), parts


def year_codes(rule: Rule, tables: np.ndarray, said: Said | None = None) -> np.ndarray:
    """For tables by offence (rows × categories, trafficking first) one number each: equal if `print_year` publishes the same categories."""
    own, rest = tables[:, 0], tables[:, 1:].sum(axis=1)
    whole, floor = own + rest, rule.floor
    out = np.where((own >= floor) & (rest >= floor), _BOTH, _NOTHING)
    alone = (own >= floor) & (rest < floor)
    if said:  # trafficking together with others' total would bound the rest
        alone &= (said[1] < own) | (said[0] > own + floor - 1) | ((said[0] <= own) & (said[1] >= own + floor - 1))
    out[alone] = _TRAFFICKING
    out[(own < floor) & (rest >= floor) & (whole >= 2 * floor - 1)] = _TOTAL  # or the total would bound trafficking further
    out[whole < floor] = _SMALL
    both = out == _BOTH
    if tables.shape[1] > 2 and both.any():
        out[both] += rule.choose(tables[both, 1:])
    return np.asarray(out)


def print_table(rule: Rule, cells: tuple[str, ...], counts: tuple[int, ...]) -> PublishedTable:
    """Publish counts with a known total."""
    partition = rule.print(counts)
    if len(partition) == 1:
        return PublishedTable("not_broken_down")
    return PublishedTable("printed", _named(partition, cells, counts))


def _named(blocks: Iterable[tuple[int, ...]], cells: tuple[str, ...], counts: tuple[int, ...]) -> tuple[tuple[str, int], ...]:
    return tuple((JOINED.join(cells[n] for n in block), sum(counts[n] for n in block)) for block in sorted(blocks))


def join(partitions: Iterable[Iterable[frozenset[str]]]) -> tuple[frozenset[str], ...]:
    """The finest partition that is coarser than, or equal to, each of `partitions`."""
    out: list[frozenset[str]] = []
    for block in (b for p in partitions for b in p):
        meet = [one for one in out if one & block]
        out = [one for one in out if not one & block] + [frozenset().union(block, *meet)]
    return tuple(out)


def may_replace(new: PublishedTable, old: PublishedTable, step: int) -> bool:
    """Whether no difference between two versions of a table, or of its total, is between 1 and `step` - 1."""
    if new.status != "printed" or old.status != "printed":
        return True
    now, then = ({frozenset(n.split(JOINED)): v for n, v in p.cells} for p in (new, old))
    both = frozenset().union(*now) & frozenset().union(*then)
    common = [part for part in (*join([now, then]), both) if part and part <= both]
    changes = [sum(v for b, v in now.items() if b <= part) - sum(v for b, v in then.items() if b <= part) for part in common]
    return all(change == 0 or abs(change) >= step for change in changes)


def total_may_go_ahead(new: PublishedTable, old: PublishedTable, parts: Sequence[tuple[int, int]], floor: int, step: int) -> bool:
    """Whether a year's new total may be published while its parts by offence stay: if that leaves trafficking `VALUES` values.

    Unchanged parts reveal that trafficking, or the rest, differs by 1 to `step` - 1 from a published pair. parts: those pairs
    (trafficking, rest), at least one. Both parts of the new total reach `floor`.
    """
    now, then = new.value(TOTAL), old.value(TOTAL)
    if now is None or then is None or abs(now - then) < step or not parts:
        return False
    own = np.arange(floor, now - floor + 1)
    printed, rest = zip(*parts, strict=True)
    return int(np.count_nonzero(_near(own, printed, step) | _near(now - own, rest, step))) >= VALUES


def reported_may_stay(ours: int, before: Collection[int], floor: int, apart: int, step: int) -> bool:
    """Whether a figure as reported may stay published since its new value differs from one of `before` by 1 to `step` - 1.

    Leaving it reveals this, and that the new value differs by `apart` or more from the harmonised figure `ours`: at least `VALUES` values
    must satisfy both. Without earlier figures a part keeps the table unchanged, and the figure is open.
    """
    value = np.arange(floor, max(before, default=0) + step)
    return not before or int(np.count_nonzero(_near(value, before, step) & (abs(value - ours) >= apart))) >= VALUES


def _near(values: np.ndarray, others: Collection[int], step: int) -> np.ndarray:
    """Which of `values` differ by 1 to `step` - 1 from one of `others`."""
    change = np.abs(values[:, None] - np.array([*others]))
    return np.asarray(((change > 0) & (change < step)).any(axis=1))


def crossed_least(threshold: int, known: int, years: Sequence[Margins]) -> int | None:
    """The minimum count of a published cell of sex × age over `years`; None if the table is never published.

    With public margins, one cell determines all four. It has `first` to `last` values, and the table is published if the smallest of its
    four cells has the minimum count: the first from the threshold on with which the suppressed tables leave every cell `VALUES` values,
    also for an intruder who knows `known` persons, each of whom removes at most one value at either end.
    """
    first = sum(max(0, sexes[0] - ages[1]) for sexes, ages in years)
    last = sum(min(sexes[0], ages[0]) for sexes, ages in years)
    (rows, _), (columns, right) = (tuple(sum(side) for side in zip(*sides, strict=True)) for sides in zip(*years, strict=True))
    value = np.arange(first, last + 1)
    smallest = np.minimum.reduce([value, rows - value, columns - value, value - rows + right])
    for least in range(threshold, int(smallest.max()) + 1):
        hidden = value[smallest < least]
        left = [np.count_nonzero((hidden >= first + n) & (hidden <= last - m)) for n in range(known + 1) for m in range(known + 1 - n)]
        if all(n == 0 or n >= VALUES for n in left):
            return least
    return None


def crossed(cells: tuple[str, ...], counts: tuple[int, ...], least: int | None) -> PublishedTable:
    """Publish a table of two dimensions without unknown values. cells: names `row|column`, in the order of `counts`."""
    if least is None or min(n for cell, n in zip(cells, counts, strict=True) if UNKNOWN not in cell.split(ACROSS)) < least:
        return PublishedTable("not_broken_down")
    return PublishedTable("printed", tuple(sorted(zip(cells, counts, strict=True))))
