"""Groups out of weighted pairs, joined best first.

Belongs here: agglomeration with vetoes. Does not belong here: what a weight means.

Two groups are as near as `best_share` times their best pair plus the rest times what their pairs say on average, part by part
(a field, say) and only over the pairs that know that part: a record without a number must not bridge two that bear different
ones, and a chain of lucky pairs must not join strangers. The nearest are joined first, until nothing is above zero.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np

from pipelines.linkage.judged import Held


@dataclass(frozen=True)
class Pairs:
    """Pairs of members, each at most once. `weight`: all that speaks for the pair; `odds`: the share of it that is no evidence,
    but odds before (the best counts between groups); `parts`: the evidence part by part, NaN where a part is unknown.
    `strong`: pairs that may tie two groups with spine members; `veto`: pairs that keep their groups apart."""

    left: np.ndarray
    right: np.ndarray
    weight: np.ndarray
    parts: np.ndarray
    odds: np.ndarray
    strong: np.ndarray
    veto: np.ndarray

    def at(self, rows: np.ndarray) -> Pairs:
        """The pairs in `rows`."""
        return Pairs(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def plain(left: np.ndarray, right: np.ndarray, weight: np.ndarray) -> Pairs:
    """Pairs whose weight is all there is to them."""
    none, every = np.zeros(len(left), dtype=bool), np.ones(len(left), dtype=bool)
    return Pairs(left, right, weight, weight.reshape(-1, 1).astype("float64"), np.zeros(len(left)), every, none)


@dataclass(frozen=True)
class Rules:
    """How groups are joined: `best_share`, see above; `spine`, the weight that the best strong pair needs where both groups hold a
    spine member and no pair of one kind speaks for them; `occupied`, what each spine kind costs that both groups hold already,
    unless a pair of one kind reaches `waived`."""

    best_share: float
    spine: float = -np.inf
    occupied: float = 0.0
    waived: float = 0.0


def agglomerate(size: int, pairs: Pairs, rules: Rules, spine: np.ndarray | None = None, held: Held | None = None) -> np.ndarray:
    """Group number per member 0..`size`-1, numbered in the order of their first member.

    `spine`: kind of each member as a number from 0, or -1 where it is no spine member. `held`: what must be one group, whatever
    weights and vetoes say, and what must not. The result does not depend on the order of the pairs.
    """
    held = held or Held()
    roots = connected(size, pairs.left, pairs.right, pairs.weight, held)
    reachable = np.flatnonzero(roots[pairs.left] == roots[pairs.right])
    state = _Groups(size, pairs.at(reachable), rules, np.full(size, -1) if spine is None else spine)
    state.hold(held)
    state.run()
    return numbered(np.array([state.root(n) for n in range(size)], dtype="int64"))


def connected(size: int, left: np.ndarray, right: np.ndarray, weight: np.ndarray, held: Held) -> np.ndarray:
    """Number of the component per member that pairs above zero, and what must be one group, connect: no group can reach beyond."""
    positive = weight > 0
    return components(size, np.concatenate([left[positive], held.same[:, 0]]), np.concatenate([right[positive], held.same[:, 1]]))


def components(size: int, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Number of the connected component per member, in the order of their first member."""
    parent = list(range(size))
    for a, b in zip(left.tolist(), right.tolist(), strict=True):
        while parent[a] != a:
            parent[a] = a = parent[parent[a]]
        while parent[b] != b:
            parent[b] = b = parent[parent[b]]
        parent[max(a, b)] = min(a, b)
    for n in range(size):  # a root is never greater than its members
        parent[n] = parent[parent[n]]
    return numbered(np.array(parent, dtype="int64"))


def numbered(roots: np.ndarray) -> np.ndarray:
    """Numbers from 0 for the groups that `roots` name, in the order of their first member."""
    _, first, inverse = np.unique(roots, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[inverse], dtype="int64")


class _Link:
    """All pairs between two groups: the best weight and odds, the best strong pair, the best pair of one spine kind, sums by part."""

    __slots__ = ("alike", "best", "counts", "odds", "strong", "sums")

    def __init__(self, weight: float, odds: float, strong: float, alike: float, sums: np.ndarray, counts: np.ndarray) -> None:
        self.best, self.odds, self.strong, self.alike = weight, odds, strong, alike
        self.sums, self.counts = sums, counts

    def add(self, other: _Link) -> None:
        self.best, self.odds = max(self.best, other.best), max(self.odds, other.odds)
        self.strong, self.alike = max(self.strong, other.strong), max(self.alike, other.alike)
        self.sums, self.counts = self.sums + other.sums, self.counts + other.counts

    def average(self) -> float:
        return float((self.sums / np.maximum(self.counts, 1)).sum()) + self.odds


class _Groups:
    def __init__(self, size: int, pairs: Pairs, rules: Rules, spine: np.ndarray) -> None:
        self.rules = rules
        self.parent = list(range(size))
        self.spine = [0 if kind < 0 else 1 << int(kind) for kind in spine]  # the spine kinds that a group holds, as bits
        self.links: list[dict[int, _Link]] = [{} for _ in range(size)]
        self.vetoes: list[set[int]] = [set() for _ in range(size)]
        self.heap: list[tuple[float, int, int]] = []
        known = ~np.isnan(pairs.parts)
        sums = np.where(known, pairs.parts, 0.0)
        alike = (spine[pairs.left] == spine[pairs.right]) & (spine[pairs.left] >= 0)
        strong = np.where(pairs.strong, pairs.weight, -np.inf)
        same = np.where(alike, pairs.weight, -np.inf)
        numbers = (pairs.left.tolist(), pairs.right.tolist(), pairs.weight.tolist(), pairs.odds.tolist(), strong.tolist(), same.tolist())
        for n, (a, b, weight, odds, s, k) in enumerate(zip(*numbers, strict=True)):
            self.links[a][b] = self.links[b][a] = _Link(weight, odds, s, k, sums[n], known[n].astype("int64"))
        for a, b in zip(pairs.left[pairs.veto].tolist(), pairs.right[pairs.veto].tolist(), strict=True):
            self.vetoes[a].add(b)
            self.vetoes[b].add(a)

    def root(self, n: int) -> int:
        while self.parent[n] != n:
            self.parent[n] = self.parent[self.parent[n]]
            n = self.parent[n]
        return n

    def nearness(self, a: int, b: int) -> float:
        link, share = self.links[a][b], self.rules.best_share
        taken = (self.spine[a] & self.spine[b]).bit_count() if link.alike < self.rules.waived else 0
        return share * link.best + (1 - share) * link.average() - self.rules.occupied * taken

    def allowed(self, a: int, b: int) -> bool:
        if b in self.vetoes[a]:
            return False
        link = self.links[a][b]
        return not (self.spine[a] and self.spine[b]) or link.strong >= self.rules.spine or link.alike > 0

    def offer(self, a: int, b: int) -> None:
        near = self.nearness(a, b)
        if near > 0 and self.allowed(a, b):
            # The numbers of the groups settle ties, so that the order of input does not.
            heapq.heappush(self.heap, (-near, min(a, b), max(a, b)))

    def hold(self, held: Held) -> None:
        """Join what must be one group, and keep apart what must not be."""
        for a, b in held.same.tolist():
            one, other = sorted((self.root(a), self.root(b)))
            if one != other:
                self.join(one, other)
        for a, b in held.apart.tolist():
            one, other = self.root(a), self.root(b)
            self.vetoes[one].add(other)
            self.vetoes[other].add(one)

    def run(self) -> None:
        for a in range(len(self.links)):
            for b in self.links[a]:
                if a < b:
                    self.offer(a, b)
        while self.heap:
            near, a, b = heapq.heappop(self.heap)
            current = self.parent[a] == a and self.parent[b] == b and b in self.links[a]
            if current and self.allowed(a, b) and self.nearness(a, b) == -near:
                self.join(a, b)

    def join(self, a: int, b: int) -> None:
        """Put group `b` into `a` (`a` < `b`), with its links and vetoes."""
        self.parent[b] = a
        self.spine[a] |= self.spine[b]
        self.links[a].pop(b, None)
        self.links[b].pop(a, None)
        self.vetoes[a].discard(b)
        self.vetoes[b].discard(a)
        for other, link in self.links[b].items():
            known = self.links[a].get(other)
            if known is None:
                self.links[a][other] = self.links[other][a] = link
            else:
                known.add(link)
            del self.links[other][b]
        for other in self.vetoes[b]:
            self.vetoes[a].add(other)
            self.vetoes[other].discard(b)
            self.vetoes[other].add(a)
        self.links[b], self.vetoes[b] = {}, set()
        for other in self.links[a]:
            self.offer(a, other)
