"""Which small categories of a table are merged: the rule, safe even against an intruder who knows it.

Belongs here: the choice of a partition for one table with a known total, and of the published causes of a bridge. Does not belong here:
which tables there are (`programme`), when they are published (`protect`), attacks (`warehouse/attackers`, which is independent of this
package).
A table with the public total N is published as a partition of its categories with the sum of each block. A block of one category has
`threshold` or more ("not known" may also be 0); a block of several has `threshold` or more together. Partitions are tried in a fixed
order, most single categories first. A partition is used for all tables of N that would be published identically, or for none of them. A
reader who knows the rule can only narrow the table to this set, and the partition is refused unless the set leaves every category under the
threshold at least `VALUES` values, for the public and for anyone who knows any `known` of the persons. So the choice discloses nothing.
Cells above `CAP` are treated as `CAP`: tables of large totals are decided by their capped form (a test compares both).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import combinations

import numpy as np

VALUES = 3
CAP = 10
EXACT = 40
"""Totals up to this, and all about which others published something, are decided exactly; larger ones by their capped form, whose total
is never larger (four categories)."""
Partition = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Rule:
    """How tables of `size` categories are published.

    threshold  minimum separately published count
    known      number of persons whom an intruder may know completely
    unknown    position of "not known", whose 0 may be published; None if there is none
    said       what others published: position, minimum, maximum
    """

    size: int
    threshold: int = 5
    known: int = 3
    unknown: int | None = None
    said: tuple[tuple[int, int, int], ...] = ()

    @property
    def floor(self) -> int:
        """Minimum published total: an intruder who knows `known` persons is left `VALUES` values below it."""
        return max(self.threshold, self.known + VALUES)

    @property
    def partitions(self) -> tuple[Partition, ...]:
        """All partitions in the order in which they are tried; the last is a single block."""
        return _ordered(self.size, self.unknown)

    def choose(self, tables: np.ndarray) -> np.ndarray:
        """Position in `partitions` for each row of `tables` (counts, rows × size; every total at least `floor`)."""
        tables = np.asarray(tables, dtype=np.int64)
        capped = (tables.sum(axis=1, keepdims=True) > EXACT) & (not self.said)
        small = np.where(capped, np.minimum(tables, CAP), tables)
        totals, out = small.sum(axis=1), np.empty(len(tables), dtype=np.int64)
        for total in np.unique(totals):
            at = totals == total
            out[at] = _decided(self, int(total))[_code(small[at], int(total))]
        return out

    def print(self, counts: tuple[int, ...]) -> Partition:
        """The partition under which a table is published."""
        return self.partitions[int(self.choose(np.array([counts]))[0])]


def _code(tables: np.ndarray, total: int) -> np.ndarray:
    """One number per table of that total, from all but its last category."""
    return np.asarray(tables[:, :-1] @ ((total + 1) ** np.arange(tables.shape[1] - 1)))


def set_partitions(size: int) -> Iterator[Partition]:
    """Every partition of the numbers below `size`."""
    if size == 0:
        yield ()
        return
    for rest in set_partitions(size - 1):
        yield (*rest, (size - 1,))
        for n, block in enumerate(rest):
            yield (*rest[:n], (*block, size - 1), *rest[n + 1 :])


@cache
def _ordered(size: int, unknown: int | None) -> tuple[Partition, ...]:
    def rank(partition: Partition) -> tuple[object, ...]:
        singles = [block[0] for block in partition if len(block) == 1]
        named = sum(category != unknown for category in singles)
        return (-named, -len(partition), partition)

    every = [tuple(sorted(tuple(sorted(block)) for block in p)) for p in set_partitions(size)]
    whole: Partition = (tuple(range(size)),)
    fit = [p for p in every if p != whole]
    return (*sorted(fit, key=rank), whole)


def compositions(total: int, size: int) -> np.ndarray:
    """Every table of `size` categories with that total, one per row, sorted by its counts."""
    first = np.indices((total + 1,) * (size - 1)).reshape(size - 1, -1).T
    first = first[first.sum(axis=1) <= total]
    return np.column_stack([first, total - first.sum(axis=1)])


@cache
def _decided(rule: Rule, total: int) -> np.ndarray:
    """For every table of that total, by `_code`: the position of its partition."""
    tables = compositions(total, rule.size)
    chosen = np.full(len(tables), len(rule.partitions) - 1, dtype=np.int64)
    free, public = np.ones(len(tables), dtype=bool), _public(rule, tables)
    # Cells that are already public are published if the rest can be; then everything else is decided together.
    for public_cells in sorted({tuple(np.flatnonzero(row).tolist()) for row in np.unique(public, axis=0)} | {()}, key=len, reverse=True):
        matches = (public[:, public_cells].all(axis=1) & (public.sum(axis=1) == len(public_cells))) if public_cells else True
        for n, partition in enumerate(rule.partitions[:-1]):
            if {(cell,) for cell in public_cells} <= set(partition):
                rows = np.flatnonzero(free & matches & _valid(rule, partition, tables, public_cells))
                safe = rows[_safe(rule, partition, tables[rows])] if len(rows) else rows
                chosen[safe], free[safe] = n, False
    out = np.zeros(int(_code(tables, total).max()) + 1, dtype=np.int64)
    out[_code(tables, total)] = chosen
    return out


def _public(rule: Rule, tables: np.ndarray) -> np.ndarray:
    """Which small cells are already public with their exact value: they are published if the others, at least two, reach the floor."""
    out = np.zeros(tables.shape, dtype=bool)
    for n, least, most in rule.said:
        if least == most < rule.threshold:
            out[:, n] = tables[:, n] == least
    others = np.where(out, 0, tables).sum(axis=1)
    out[(others < rule.floor) | ((~out).sum(axis=1) < 2)] = False
    return out


def _valid(rule: Rule, partition: Partition, tables: np.ndarray, public_cells: Collection[int] = ()) -> np.ndarray:
    ok = np.ones(len(tables), dtype=bool)
    for block in (b for b in partition if b[0] not in public_cells):
        sums = tables[:, list(block)].sum(axis=1)
        ok &= (sums >= rule.threshold) | ((sums == 0) if block == (rule.unknown,) else False)
    return ok


def _safe(rule: Rule, partition: Partition, tables: np.ndarray) -> np.ndarray:
    """Which rows may be published under `partition`: the rows with equal block sums leave every small category enough values.

    This also holds for an intruder who believes any of what others published, if it is true.
    """
    joined = [block for block in partition if len(block) > 1]
    sums = np.stack([tables[:, list(block)].sum(axis=1) for block in partition], axis=1)
    _, print_of = np.unique(sums, axis=0, return_inverse=True)
    bad = np.zeros(int(print_of.max()) + 1, dtype=bool)
    for believed in (b for n in range(len(rule.said) + 1) for b in combinations(rule.said, n)):
        true = np.logical_and.reduce(
            [np.ones(len(tables), dtype=bool), *((tables[:, n] >= a) & (tables[:, n] <= z) for n, a, z in believed)]
        )
        public_cells = {n for n, least, most in believed if most - least + 1 < VALUES}
        for known in compositions(rule.known, rule.size):
            can = true & (tables >= known).all(axis=1)
            rows, alike = tables[can], print_of[can]
            for category in (c for block in joined for c in block if c not in public_cells):
                values = _distinct(alike, rows[:, category], len(bad))
                bad[alike[(rows[:, category] < rule.threshold) & (values[alike] < VALUES)]] = True
    return ~bad[print_of]


def _distinct(group: np.ndarray, value: np.ndarray, groups: int) -> np.ndarray:
    """Number of distinct values of each group."""
    width = int(value.max()) + 1 if len(value) else 1
    seen = np.zeros(groups * width, dtype=bool)
    seen[group * width + value] = True
    return np.asarray(seen.reshape(groups, width).sum(axis=1))


def causes_apart(counts: np.ndarray, floor: int) -> np.ndarray:
    """For each row of `counts` (records per cause, of either sign): which causes are published separately.

    Those of `floor` records and more. Of these the smallest are merged one by one with all other causes, including zeros, until the
    merged causes reach `floor` (fewer would leave two values to an intruder who knows three of these records, also if that is why nothing
    is published), and no more than all but one of them could have below `floor`. None is separate if that takes all of them.
    """
    size, place = np.abs(counts), np.arange(counts.shape[1])
    order = np.argsort(-size, axis=1, kind="stable")
    joined = np.abs(np.cumsum(np.take_along_axis(counts, order, axis=1)[:, ::-1], axis=1)[:, ::-1])  # of the causes from each position on
    large = (size >= floor).sum(axis=1)[:, None]
    may = (place <= large) & (joined >= floor) & (joined <= (floor - 1) * (len(place) - 1 - place))
    first = np.where(may.any(axis=1), len(place) - 1 - np.argmax(may[:, ::-1], axis=1), 0)
    out = np.zeros(counts.shape, dtype=bool)
    np.put_along_axis(out, order, place < first[:, None], axis=1)
    return out
