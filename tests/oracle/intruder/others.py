"""The rule for one table where others published figures of the same cells, and an attack on it.

Belongs here: `public_already` as the page tells it, every table of a total.
Does not belong here: tables of which nobody published anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain, combinations
from typing import Any

import numpy as np

from tests.oracle.intruder.rule import VALUES, Figures, Partition, compositions, knowings, partitions

Statement = tuple[int, int, int]
"""A category, at least and at most so many."""
NO_END = 10**6


def statements(policy: Mapping[str, Any], names: tuple[str, ...], indicator: str, period: str, table: str) -> tuple[Statement, ...]:
    """What the policy lists of one table."""
    out = []
    for said in policy["public_already"]:
        if (said["indicator"], str(said["period"]), said["table"]) == (indicator, period, table) and said["category"] in names:
            low = said.get("value", said.get("at_least", 0))
            out.append((names.index(said["category"]), low, said.get("value", said.get("at_most", NO_END))))
    return tuple(out)


class Believed:
    """Tables of one total, each with the partition in which it is printed, where some statements were published."""

    def __init__(self, size: int, unknown: int | None, figures: Figures, said: tuple[Statement, ...]) -> None:
        self.size, self.unknown, self.figures, self.said = size, unknown, figures, said
        self.subsets = [s for r in range(len(said) + 1) for s in combinations(said, r)]

    def decide(self, total: int) -> tuple[np.ndarray, list[Partition | None]]:
        tables = compositions(total, self.size)
        decided: list[Partition | None] = [None] * len(tables)
        left = np.ones(len(tables), bool)
        own = {c: v for c, v, most in self.said if v == most and v < self.figures.threshold}
        for kind in sorted((k for r in range(1, len(own) + 1) for k in combinations(own, r)), key=len, reverse=True):
            consistent = left & np.logical_and.reduce([tables[:, c] == own[c] for c in kind])
            consistent &= np.logical_and.reduce([tables[:, c] != own[c] for c in own if c not in kind] or [np.ones(len(tables), bool)])
            others = tuple(c for c in range(self.size) if c not in kind)
            consistent &= tables[:, list(others)].sum(axis=1) >= self.figures.floor
            if len(others) >= 2:
                ways = [
                    *partitions(len(others), others.index(self.unknown) if self.unknown in others else None),
                    (tuple(range(len(others))),),
                ]
                for way in ways:
                    partition = tuple(sorted((*(tuple(others[i] for i in b) for b in way), *((c,) for c in kind))))
                    self._take(tables, consistent & left, partition, decided, left, total, kind)
        for partition in partitions(self.size, self.unknown):
            self._take(tables, left.copy(), partition, decided, left, total, ())
        return tables, decided

    def _take(
        self,
        tables: np.ndarray,
        among: np.ndarray,
        partition: Partition,
        decided: list[Partition | None],
        left: np.ndarray,
        total: int,
        declared: tuple[int, ...],
    ) -> None:
        valid = among.copy()
        for block in partition:
            sums = tables[:, list(block)].sum(axis=1)
            fine = sums >= self.figures.threshold
            if block == (self.unknown,):
                fine |= sums == 0
            if len(block) == 1 and block[0] in declared:
                fine[:] = True
            valid &= fine
        rows = np.flatnonzero(valid)
        if not len(rows):
            return
        worst = self.left(tables[rows], partition, total, False)
        _, group = np.unique(self._code(tables[rows], partition, total), return_inverse=True)
        bad = np.zeros(group.max() + 1, bool)
        np.logical_or.at(bad, group, worst < VALUES)
        for row in rows[~bad[group]].tolist():
            decided[row] = partition
            left[row] = False

    def _code(self, tables: np.ndarray, partition: Partition, total: int) -> np.ndarray:
        code = np.zeros(len(tables), np.int64)
        for block in partition:
            code = code * (total + 1) + tables[:, list(block)].sum(axis=1)
        return code

    def left(self, tables: np.ndarray, partition: Partition, total: int, all_ways: bool) -> np.ndarray:
        """For each table the fewest values of a joined count under the threshold, to believers who know some persons."""
        _, group = np.unique(self._code(tables, partition, total), return_inverse=True)
        groups = int(group.max()) + 1
        worst = np.full(len(tables), 99)
        joined = list(chain.from_iterable(b for b in partition if len(b) > 1))
        for believed in self.subsets:
            narrowed = {c for c, low, high in believed if high - low < 2}
            true = np.logical_and.reduce([np.ones(len(tables), bool), *((tables[:, c] >= u) & (tables[:, c] <= v) for c, u, v in believed)])
            for ways in knowings(self.size, self.figures.known):
                if not all_ways and sum(ways) != self.figures.known:
                    continue
                held = true & (tables >= np.array(ways)).all(axis=1)
                if not held.any():
                    continue
                for c in (c for c in joined if c not in narrowed):
                    seen = np.zeros((groups, total + 1), bool)
                    seen[group[held], tables[held, c]] = True
                    small = held & (tables[:, c] < self.figures.threshold)
                    worst[small] = np.minimum(worst[small], seen.sum(axis=1)[group][small])
        return worst


def attack(policy: Mapping[str, Any], most: int, figures: Figures) -> Iterator[tuple[str, int, int, list[str]]]:
    """Each table of the policy with statements: name, tables, protected tables, and what is learnt."""
    every = tuple(policy["categories"]["offence_group"])
    for indicator, period, table in sorted({(s["indicator"], str(s["period"]), s["table"]) for s in policy["public_already"]}):
        names = every[1:] if table == "offence_group" else tuple(policy["categories"][table])
        said = statements(policy, names, indicator, period, table)
        rule = Believed(len(names), names.index("unknown") if "unknown" in names else None, figures, said)
        count, protected, leaks = 0, 0, []
        for total in range(figures.floor, most + 1):
            tables, decided = rule.decide(total)
            count += len(tables)
            for partition in set(decided):
                rows = np.array([p == partition for p in decided])
                worst = rule.left(tables[rows], partition or (tuple(range(len(names))),), total, True)
                protected += int((worst < 99).sum())
                for at in np.flatnonzero(worst < VALUES)[:3].tolist():
                    leaks.append(f"{indicator} {period} {table} {tables[rows][at].tolist()} printed as {partition}: {worst[at]} left")
        yield f"{indicator} {period} {table} {said}", count, protected, leaks
