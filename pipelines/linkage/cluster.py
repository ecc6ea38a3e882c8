"""Groups out of weighted pairs, joined best first.

Belongs here: agglomeration with vetoes. Does not belong here: what a weight means.

Two groups are as near as `best_share` times their best pair plus the rest times the mean of their pairs; the nearest are
joined first, until nothing is above zero. A mean over groups keeps a chain of lucky pairs from joining strangers.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np


@dataclass
class _Link:
    """Pairs between two groups: best weight, sum and number of weights, best of the strong pairs, best pair of one spine kind."""

    best: float
    total: float
    count: int
    strong: float
    alike: float

    def add(self, other: _Link) -> None:
        self.best = max(self.best, other.best)
        self.total += other.total
        self.count += other.count
        self.strong = max(self.strong, other.strong)
        self.alike = max(self.alike, other.alike)


@dataclass(frozen=True)
class Rules:
    """How groups are joined: `best_share`; `unscored`, the weight of a pair that was not compared; `veto`, a pair at or below
    this weight keeps its groups apart; `spine`, the weight that the best strong pair needs where both groups hold a spine member
    and no pair of one kind speaks for them; `occupied`, what each spine kind costs that both groups hold already."""

    best_share: float = 0.7
    unscored: float = 0.0
    veto: float = -np.inf
    spine: float = -np.inf
    occupied: float = 0.0


def agglomerate(
    size: int,
    left: np.ndarray,
    right: np.ndarray,
    weight: np.ndarray,
    rules: Rules,
    spine: np.ndarray | None = None,
    strong: np.ndarray | None = None,
) -> np.ndarray:
    """Group number per member 0..`size`-1, numbered in the order of their first member.

    `left`, `right`, `weight`: pairs, each at most once; `spine`: kind of each member as a number from 0, or -1 where it is no
    spine member; `strong`: which pairs may tie two groups with spine members. The result does not depend on the order of the
    pairs.
    """
    kind = np.full(size, -1) if spine is None else spine
    state = _Groups(size, left, right, weight, rules, kind, np.ones(len(left), dtype=bool) if strong is None else strong)
    state.run()
    roots = np.array([state.root(n) for n in range(size)], dtype="int64")
    _, first, inverse = np.unique(roots, return_index=True, return_inverse=True)
    order = np.argsort(np.argsort(first))
    return np.asarray(order[inverse], dtype="int64")


class _Groups:
    def __init__(
        self,
        size: int,
        left: np.ndarray,
        right: np.ndarray,
        weight: np.ndarray,
        rules: Rules,
        spine: np.ndarray,
        strong: np.ndarray,
    ) -> None:
        self.rules = rules
        self.parent = list(range(size))
        self.members = [1] * size
        self.spine = [0 if kind < 0 else 1 << int(kind) for kind in spine]  # the spine kinds that a group holds, as bits
        self.links: list[dict[int, _Link]] = [{} for _ in range(size)]
        self.vetoes: list[set[int]] = [set() for _ in range(size)]
        self.heap: list[tuple[float, int, int, float]] = []
        alike = (spine[left] == spine[right]) & (spine[left] >= 0)
        for a, b, w, s, k in zip(left.tolist(), right.tolist(), weight.tolist(), strong.tolist(), alike.tolist(), strict=True):
            link = _Link(w, w, 1, w if s else -np.inf, w if k else -np.inf)
            self.links[a][b] = self.links[b][a] = link
            if w <= rules.veto:
                self.vetoes[a].add(b)
                self.vetoes[b].add(a)
        for a in range(size):
            for b in self.links[a]:
                if a < b:
                    self.offer(a, b)

    def root(self, n: int) -> int:
        while self.parent[n] != n:
            self.parent[n] = self.parent[self.parent[n]]
            n = self.parent[n]
        return n

    def nearness(self, a: int, b: int) -> float:
        link, rules = self.links[a][b], self.rules
        pairs = self.members[a] * self.members[b]
        mean = (link.total + rules.unscored * (pairs - link.count)) / pairs
        taken = (self.spine[a] & self.spine[b]).bit_count() if link.alike <= 0 else 0
        return rules.best_share * link.best + (1 - rules.best_share) * mean - rules.occupied * taken

    def allowed(self, a: int, b: int) -> bool:
        if b in self.vetoes[a]:
            return False
        link = self.links[a][b]
        return not (self.spine[a] and self.spine[b]) or link.strong >= self.rules.spine or link.alike > 0

    def offer(self, a: int, b: int) -> None:
        near = self.nearness(a, b)
        if near > 0 and self.allowed(a, b):
            # The numbers of the groups settle ties, so that the order of input does not.
            heapq.heappush(self.heap, (-near, min(a, b), max(a, b), near))

    def run(self) -> None:
        while self.heap:
            _, a, b, near = heapq.heappop(self.heap)
            current = self.parent[a] == a and self.parent[b] == b and b in self.links[a]
            if current and self.allowed(a, b) and self.nearness(a, b) == near:
                self.join(a, b)

    def join(self, a: int, b: int) -> None:
        """Put group `b` into `a` (`a` < `b`), with its links and vetoes."""
        self.parent[b] = a
        self.members[a] += self.members[b]
        self.spine[a] |= self.spine[b]
        del self.links[a][b]
        del self.links[b][a]
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
