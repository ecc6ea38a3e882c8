"""Which small categories of a table are joined: the rule, safe also against one who knows it.

Belongs here: the choice of a partition for one table with a known total. Does not belong here: which tables there are (`programme`), when
they are published (`protect`), attacks (`warehouse/attackers`, which knows nothing of this package).

A table with the public total N is printed as a partition of its categories with the sum of each block. A block of one category holds
`threshold` or more ("not known" may also hold 0); a block of several holds `threshold` or more together. Partitions are tried in one fixed
order, most single categories first. A partition is used for all tables of N that would print alike, or for none of them: those that would
print alike are all that the reader can tell apart by knowing the rule, and the print is refused unless they leave every category under the
threshold at least `VALUES` values, for the public and for one who knows any `known` of the persons. So nobody learns from a choice.

Cells beyond `CAP` behave as `CAP` does: tables of large totals are decided by their capped form (a test compares both).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

VALUES = 3
CAP = 10
EXACT = 40
"""Totals up to this are decided as they are; larger ones by their capped form, whose total is never larger (four categories)."""
Partition = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Rule:
    """How tables of `size` categories are printed.

    threshold  least count that is printed on its own
    known      of how many persons someone may know everything
    unknown    position of "not known", whose 0 may be printed; None where there is none
    """

    size: int
    threshold: int = 5
    known: int = 3
    unknown: int | None = None

    @property
    def floor(self) -> int:
        """Least total that is printed: one who knows `known` persons is left `VALUES` values below it."""
        return max(self.threshold, self.known + VALUES)

    @property
    def partitions(self) -> tuple[Partition, ...]:
        """All partitions in the order in which they are tried; the last is the whole in one."""
        return _ordered(self.size, self.unknown)

    def choose(self, tables: np.ndarray) -> np.ndarray:
        """Position in `partitions` for each row of `tables` (counts, rows × size; every total at least `floor`)."""
        tables = np.asarray(tables, dtype=np.int64)
        small = np.where(tables.sum(axis=1, keepdims=True) > EXACT, np.minimum(tables, CAP), tables)
        totals, code = small.sum(axis=1), _code(small)
        out = np.empty(len(tables), dtype=np.int64)
        for total in np.unique(totals):
            at = totals == total
            out[at] = _decided(self, int(total))[code[at]]
        return out

    def print(self, counts: tuple[int, ...]) -> Partition:
        """The partition under which one table is printed."""
        return self.partitions[int(self.choose(np.array([counts]))[0])]


def _code(tables: np.ndarray) -> np.ndarray:
    """One number a table, from all but its last category."""
    return tables[:, :-1] @ ((EXACT + 1) ** np.arange(tables.shape[1] - 1))


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
    """Every table of `size` categories with that total, one a row, in the order of its counts."""
    first = np.indices((total + 1,) * (size - 1)).reshape(size - 1, -1).T
    first = first[first.sum(axis=1) <= total]
    return np.column_stack([first, total - first.sum(axis=1)])


@cache
def _decided(rule: Rule, total: int) -> np.ndarray:
    """For every table of that total, by `_code`: the position of its partition."""
    tables = compositions(total, rule.size)
    chosen = np.full(len(tables), len(rule.partitions) - 1, dtype=np.int64)
    free = np.ones(len(tables), dtype=bool)
    for n, partition in enumerate(rule.partitions[:-1]):
        rows = np.flatnonzero(free & _valid(rule, partition, tables))
        if len(rows):
            safe = rows[_safe(rule, partition, tables[rows])]
            chosen[safe], free[safe] = n, False
    out = np.zeros(int(_code(tables).max()) + 1, dtype=np.int64)
    out[_code(tables)] = chosen
    return out


def _valid(rule: Rule, partition: Partition, tables: np.ndarray) -> np.ndarray:
    ok = np.ones(len(tables), dtype=bool)
    for block in partition:
        sums = tables[:, list(block)].sum(axis=1)
        ok &= (sums >= rule.threshold) | ((sums == 0) if block == (rule.unknown,) else False)
    return ok


def _safe(rule: Rule, partition: Partition, tables: np.ndarray) -> np.ndarray:
    """Which rows may be printed under `partition`: those whose alikes (same sums of blocks) leave every small category enough values."""
    joined = [block for block in partition if len(block) > 1]
    sums = np.stack([tables[:, list(block)].sum(axis=1) for block in partition], axis=1)
    _, print_of = np.unique(sums, axis=0, return_inverse=True)
    bad = np.zeros(int(print_of.max()) + 1, dtype=bool)
    for known in compositions(rule.known, rule.size):
        can = (tables >= known).all(axis=1)
        rows, alike = tables[can], print_of[can]
        for category in (c for block in joined for c in block):
            values = _distinct(alike, rows[:, category], len(bad))
            bad[alike[(rows[:, category] < rule.threshold) & (values[alike] < VALUES)]] = True
    return ~bad[print_of]


def _distinct(group: np.ndarray, value: np.ndarray, groups: int) -> np.ndarray:
    """How many different values each group holds."""
    width = int(value.max()) + 1 if len(value) else 1
    seen = np.zeros(groups * width, dtype=bool)
    seen[group * width + value] = True
    return np.asarray(seen.reshape(groups, width).sum(axis=1))
