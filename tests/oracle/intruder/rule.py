"""The public rule of `docs/reference/releases.md`, re-implemented plainly by somebody who knows nothing else.

Belongs here: what is printed of given counts. Does not belong here: attacks (`attack`), populations (`populations`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import combinations_with_replacement

import numpy as np

CAP_FROM, CAP_AT = 40, 10
VALUES = 3
Partition = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Figures:
    """The numbers of the policy for one indicator."""

    threshold: int = 5
    known: int = 3
    revise_from: int = 5
    differ_from: int = 6

    @property
    def floor(self) -> int:
        return max(self.threshold, self.known + VALUES)


def compositions(total: int, parts: int) -> np.ndarray:
    """All vectors of `parts` counts with a sum."""
    if parts == 1:
        return np.array([[total]], dtype=np.int32)
    axes = np.indices((total + 1,) * (parts - 1), dtype=np.int32).reshape(parts - 1, -1)
    last = total - axes.sum(axis=0)
    kept = last >= 0
    return np.concatenate([axes[:, kept], last[None, kept]]).T.astype(np.int32)


@cache
def knowings(size: int, most: int) -> tuple[tuple[int, ...], ...]:
    """Every way to know up to `most` persons: how many of each category."""
    out = []
    for persons in range(most + 1):
        out += [tuple(np.bincount(c, minlength=size).tolist()) for c in combinations_with_replacement(range(size), persons)]
    return tuple(out) if most else ((0,) * size,)


def _all_partitions(items: tuple[int, ...]) -> Iterator[Partition]:
    if not items:
        yield ()
        return
    first, rest = items[0], items[1:]
    for mask in range(2 ** len(rest)):
        block = (first, *(x for i, x in enumerate(rest) if mask >> i & 1))
        for others in _all_partitions(tuple(x for i, x in enumerate(rest) if not mask >> i & 1)):
            yield tuple(sorted((block, *others)))


@cache
def partitions(size: int, unknown: int | None) -> tuple[Partition, ...]:
    """All partitions but the whole, in the order of the page."""
    found = [p for p in _all_partitions(tuple(range(size))) if len(p) > 1]

    def rank(p: Partition) -> tuple[int, int, Partition]:
        return -sum(len(b) == 1 and b[0] != unknown for b in p), -len(p), p

    return tuple(sorted(found, key=rank))


class OneTable:
    """The rule for one table with a known total, for one number of categories."""

    def __init__(self, size: int, unknown: int | None, figures: Figures) -> None:
        self.size, self.unknown, self.figures = size, unknown, figures
        self.partitions = partitions(size, unknown)
        self._decided: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self._lookup: dict[int, np.ndarray] = {}
        self._groups: dict[tuple[int, int, tuple[int, ...]], np.ndarray] = {}

    def _decide(self, total: int) -> tuple[np.ndarray, np.ndarray]:
        """All tables with a total up to 40, and the partition (-1: none) in which each is printed."""
        if total not in self._decided:
            tables = compositions(total, self.size)
            decision = np.full(len(tables), -1)
            for at, partition in enumerate(self.partitions):
                valid = (decision < 0) & self._valid(tables, partition)
                if valid.any():
                    rows = np.flatnonzero(valid)
                    decision[rows[self._safe(tables[rows], partition, total)]] = at
            self._decided[total] = tables, decision
        return self._decided[total]

    def _valid(self, tables: np.ndarray, partition: Partition) -> np.ndarray:
        out = np.ones(len(tables), bool)
        for block in partition:
            sums = tables[:, list(block)].sum(axis=1)
            fine = sums >= self.figures.threshold
            if block == (self.unknown,):
                fine |= sums == 0
            out &= fine
        return out

    def _safe(self, tables: np.ndarray, partition: Partition, total: int) -> np.ndarray:
        """Of tables printed in a partition: those whose group is safe."""
        code = np.zeros(len(tables), np.int64)
        for block in partition:
            code = code * (total + 1) + tables[:, list(block)].sum(axis=1)
        _, group = np.unique(code, return_inverse=True)
        groups = int(group.max()) + 1
        unsafe = np.zeros(groups, bool)
        joined = [c for block in partition if len(block) > 1 for c in block]
        for ways in (w for w in knowings(self.size, self.figures.known) if sum(w) == self.figures.known):
            held = (tables >= np.array(ways)).all(axis=1)
            if not held.any():
                continue
            for c in joined:
                seen = np.zeros((groups, total + 1), bool)
                seen[group[held], tables[held, c]] = True
                unsafe |= (seen.sum(axis=1) < VALUES) & seen[:, : self.figures.threshold].any(axis=1)
        return ~unsafe[group]

    def decisions(self, tables: np.ndarray, total: int) -> np.ndarray:
        """The partition in which each of some tables of one total is printed; -1: none."""
        if total > CAP_FROM:
            tables = np.minimum(tables, CAP_AT)
        sums = tables.sum(axis=1)
        out = np.empty(len(tables), np.int64)
        for n in np.unique(sums).tolist():
            at = sums == n
            out[at] = self._table_of(n)[tuple(tables[at].T[:-1])]
        return out

    def _table_of(self, total: int) -> np.ndarray:
        if total not in self._lookup:
            tables, decision = self._decide(total)
            lookup = np.full((total + 1,) * (self.size - 1), -2, np.int64)
            lookup[tuple(tables.T[:-1])] = decision
            self._lookup[total] = lookup
        return self._lookup[total]

    def printed(self, table: tuple[int, ...]) -> tuple[Partition | None, tuple[int, ...]]:
        """How one table is printed: the partition and the sums of its blocks."""
        at = int(self.decisions(np.array([table]), sum(table))[0])
        if at < 0:
            return None, ()
        return self.partitions[at], tuple(sum(table[c] for c in b) for b in self.partitions[at])

    def alike(self, total: int, partition: Partition | None, sums: tuple[int, ...]) -> np.ndarray:
        """Every table that would have been printed just so."""
        at = -1 if partition is None else self.partitions.index(partition)
        key = total, at, sums
        if key not in self._groups:
            tables = np.zeros((1, self.size), np.int32)
            blocks = (tuple(range(self.size)),) if partition is None else partition
            for block, held in zip(blocks, (total,) if partition is None else sums, strict=True):
                some = compositions(held, len(block))
                tables = np.repeat(tables, len(some), axis=0)
                tables[:, list(block)] = np.tile(some, (len(tables) // len(some), 1))
            self._groups[key] = tables[self.decisions(tables, total) == at]
        return self._groups[key]


@cache
def one_table(size: int, unknown: int | None, figures: Figures) -> OneTable:
    return OneTable(size, unknown, figures)


# -- a year ------------------------------------------------------------------------------------------------------------------------------

Blocks = tuple[tuple[tuple[int, ...], int], ...]
"""The printed figures of a table: categories joined, and their sum."""


@dataclass(frozen=True)
class Year:
    """The two tables of a year, as printed: table `total`, table `offence_group`."""

    total: str = "none"  # shown, fewer_than, not_shown
    value: int | None = None
    parts: Blocks = ()
    broken: str = "none"  # printed, not_broken_down, none

    def own(self) -> int | None:
        return next((v for cells, v in self.parts if cells == (0,)), None)

    def rest(self) -> int | None:
        others = [v for cells, v in self.parts if 0 not in cells]
        return sum(others) if others else None


def harmonised(counts: tuple[int, ...], figures: Figures) -> Year:
    """What is published of a year when it is computed again: trafficking first, then the other offences."""
    own, rest, floor = counts[0], sum(counts[1:]), figures.floor
    if own + rest < floor:
        return Year("fewer_than")
    if own >= floor and rest >= floor:
        others: Blocks = (((1,), rest),)
        if len(counts) > 2:
            partition, sums = one_table(len(counts) - 1, None, figures).printed(counts[1:])
            blocks = (tuple(range(len(counts) - 1)),) if partition is None else partition
            others = tuple((tuple(c + 1 for c in b), s) for b, s in zip(blocks, sums or (rest,), strict=True))
        return Year("shown", own + rest, (((0,), own), *others), "printed")
    if own >= floor:
        return Year("not_shown", None, (((0,), own),), "printed")
    if rest >= floor and own + rest >= 2 * floor - 1:
        return Year("shown", own + rest, (), "not_broken_down")
    return Year("not_shown")


def reported(counts: tuple[int, int], beside: Year, figures: Figures) -> Year | None:
    """What is printed as reported beside printed harmonised figures; nothing: None."""
    own, rest = counts
    floor, differ = figures.floor, figures.differ_from
    if beside.total == "fewer_than" or (beside.total == "not_shown" and beside.own() is None):
        return None
    theirs = beside.own()
    if beside.value is None:
        if theirs is not None and own >= floor and abs(own - theirs) >= differ:
            return Year("not_shown", None, (((0,), own),), "printed")
        return Year("not_shown")
    if own + rest < floor:
        return Year("fewer_than")
    if abs(own + rest - beside.value) < differ:
        return Year("not_shown")
    if theirs is not None and beside.rest() is not None and own >= floor and rest >= floor:
        return Year("shown", own + rest, (((0,), own), ((1,), rest)), "printed")
    return Year("shown", own + rest, (), "not_broken_down")


def sums_compared(a: Blocks, b: Blocks) -> list[tuple[int, int]]:
    """The sums over each smallest set of categories that both print, and over all that both print."""
    sets: list[tuple[set[int], int, int]] = []
    left = [(set(c), v, 0) for c, v in a] + [(set(c), v, 1) for c, v in b]
    while left:
        cells, value, side = left.pop()
        joined, sums, grown = set(cells), [0, 0], True
        sums[side] += value
        while grown:
            grown = False
            for item in [i for i in left if i[0] & joined]:
                left.remove(item)
                joined |= item[0]
                sums[item[2]] += item[1]
                grown = True
        covered = [set().union(*(set(c) for c, _ in x if set(c) & joined)) if x else set() for x in (a, b)]
        if covered[0] == covered[1] == joined:
            sets.append((joined, sums[0], sums[1]))
    out = [(x, y) for _, x, y in sets]
    return [*out, (sum(x for x, _ in out), sum(y for _, y in out))] if out else []


def total_passes(value: int | None, earlier: list[Year], figures: Figures) -> bool:
    if value is None:
        return True
    return all(e.value is None or not 1 <= abs(value - e.value) < figures.revise_from for e in earlier)


def passes(new: Year, earlier: list[Year], figures: Figures) -> bool:
    """May new tables replace the printed ones?"""
    if not total_passes(new.value, earlier, figures):
        return False
    return all(not 1 <= abs(x - y) < figures.revise_from for e in earlier for x, y in sums_compared(new.parts, e.parts))


def ahead_values(total: int, earlier: list[Year], figures: Figures) -> int:
    """How many values of trafficking differ by 1 to 4 from a printed one, themselves or the total less them."""
    owns = np.array([v for e in earlier if (v := e.own()) is not None])
    rests = np.array([v for e in earlier if (v := e.rest()) is not None])
    tried = np.arange(figures.floor, total - figures.floor + 1)[:, None]
    away, other = np.abs(tried - owns), np.abs(total - tried - rests)
    near = ((away >= 1) & (away < figures.revise_from)).any(axis=1) | ((other >= 1) & (other < figures.revise_from)).any(axis=1)
    return int(near.sum())


def staying_values(earlier: list[Year], beside: Year, figures: Figures) -> int:
    """How many values of a figure as reported would make the printed one stay."""
    theirs = beside.value if beside.value is not None else beside.own()
    olds = {v for e in earlier if (v := e.value if beside.value is not None else e.own()) is not None}
    if theirs is None or not olds:
        return VALUES
    tried = range(figures.floor, max(olds) + figures.revise_from)
    near = [v for v in tried if any(1 <= abs(v - old) < figures.revise_from for old in olds)]
    return sum(abs(v - theirs) >= figures.differ_from for v in near)


def revised(new: Year, earlier: list[Year], figures: Figures, beside: Year | None = None) -> tuple[str, Year]:
    """What becomes of the printed tables in a later release: `replaced`, `ahead` or `stays`. beside: the harmonised ones, of those as
    reported."""
    if not earlier or passes(new, earlier, figures):
        return "replaced", new
    old = earlier[-1]
    both = new.rest() is not None and new.own() is not None and old.rest() is not None and old.own() is not None
    if both and new.value is not None and old.value is not None and total_passes(new.value, earlier, figures):
        far = abs(new.value - old.value) >= figures.revise_from
        if far and ahead_values(new.value, earlier, figures) >= VALUES:
            return "ahead", Year(old.total, new.value, old.parts, old.broken)
    if beside is not None and staying_values(earlier, beside, figures) < VALUES:
        return "replaced", Year("not_shown")
    return "stays", old


# -- sex by age, and the bridge ----------------------------------------------------------------------------------------------------------


def crossed(margins: list[tuple[int, int, int, int]], figures: Figures) -> tuple[int, int, int | None, np.ndarray]:
    """Of the printed margins (first sex, second, first age, second) of each year: L, H, t and the smallest of the four counts by x."""
    low = sum(max(0, s - b) for s, _, _, b in margins)
    high = sum(min(s, a) for s, _, a, _ in margins)
    s, z, a, b = (sum(m[i] for m in margins) for i in range(4))
    x = np.arange(low, high + 1)
    smallest = np.minimum.reduce([x, s - x, a - x, z - (a - x)])
    assert s + z == a + b
    for t in range(figures.threshold, int(smallest.max(initial=0)) + 1):
        hidden = x[smallest < t]
        ways = [(m, n) for m in range(figures.known + 1) for n in range(figures.known + 1 - m)]
        left = [int(((hidden >= low + m) & (hidden <= high - n)).sum()) for m, n in ways]
        if all(k == 0 or k >= VALUES for k in left):
            return low, high, t, smallest
    return low, high, None, smallest


def bridged(causes: tuple[int, ...], figures: Figures) -> tuple[int, ...]:
    """The causes (positions) that are printed by themselves; none: not broken down."""
    order = sorted(range(len(causes)), key=lambda i: (-abs(causes[i]), i))
    best: tuple[int, ...] = ()
    for p in range(1, len(causes)):
        if abs(causes[order[p - 1]]) < figures.floor:
            break
        others = abs(sum(causes[i] for i in order[p:]))
        if figures.floor <= others <= (figures.floor - 1) * (len(causes) - p - 1):
            best = tuple(order[:p])
    return best


def bridged_alike(true: tuple[int, ...], j: int, least: dict[int, int], signs: dict[int, int], figures: Figures) -> set[int]:
    """Values of one joined cause in bridges near a given one that are printed just so: one or two other causes make up for it."""
    alone = bridged(true, figures)
    joined = [i for i in range(len(true)) if i not in alone and i != j]

    def fits(i: int, value: int) -> bool:
        return abs(value) >= least.get(i, 0) and signs.get(i, 0) * value >= 0

    out: set[int] = set()
    for value in range(true[j] - 6, true[j] + 7):
        if not fits(j, value):
            continue
        away = value - true[j]
        ways: list[tuple[tuple[int, int], ...]] = [((i, away),) for i in joined]
        ways += [((i, part), (k, away - part)) for i in joined for k in joined if i < k for part in range(-4, 5)]
        for way in ways:
            some = list(true)
            some[j] = value
            for i, part in way:
                some[i] -= part
            if all(fits(i, some[i]) for i, _ in way) and set(bridged(tuple(some), figures)) == set(alone):
                out.add(value)
                break
    return out
