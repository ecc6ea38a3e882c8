"""Form clusters from weighted pairs by agglomeration: the best pair is joined first.

Belongs here: agglomeration with vetoes. Does not belong here: the meaning of a weight.

The nearness of two groups is `best_share` times their best pair, plus the rest times the average of their pairs. It is computed part by
part (a part is, for example, a field), and only over the pairs in which that part is known: a record without a number must not bridge two
records with different numbers, and a chain of chance agreements must not join strangers. The nearest groups are joined first, until no
nearness is above zero.

Members that positive pairs do not connect can never be joined. So every connected component joins its nearest two groups at the same time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pipelines.linkage.constraints import ClusterConstraints
from pipelines.resources.integer_arrays import is_first_of_equal_numbers


@dataclass(frozen=True)
class WeightedPairs:
    """Pairs of members, each at most once.

    - `weight`: evidence and prior odds together
    - `odds`: the prior odds in the weight; between two groups the best odds count
    - `parts`: the evidence of each kind in one column, NaN if it is unknown
    - `strong`: whether the pair may join two groups with spine members
    - `veto`: whether the pair keeps the groups of its members apart
    """

    left: np.ndarray
    right: np.ndarray
    weight: np.ndarray
    parts: np.ndarray
    odds: np.ndarray
    strong: np.ndarray
    veto: np.ndarray


def build_weighted_pairs(left: np.ndarray, right: np.ndarray, weight: np.ndarray) -> WeightedPairs:
    """Build `WeightedPairs` from weights only: without parts, odds or vetoes."""
    none, every = np.zeros(len(left), dtype=bool), np.ones(len(left), dtype=bool)
    return WeightedPairs(left, right, weight, weight.reshape(-1, 1).astype("float64"), np.zeros(len(left)), every, none)


@dataclass(frozen=True)
class JoiningRules:
    """Rules for joining groups. Spine members are those of certain kinds, of which a group normally has one each.

    - `best_share`: the share of the best pair in the nearness of two groups, as the module explains
    - `spine`: the weight that the best strong pair needs if both groups have a spine member and no pair of one kind supports them
    - `occupied`: the penalty for each spine kind that both groups already have, unless a pair of one kind reaches `waived`
    """

    best_share: float
    spine: float = -np.inf
    occupied: float = 0.0
    waived: float = 0.0


def form_clusters_by_agglomeration(
    member_count: int,
    weighted_pairs: WeightedPairs,
    joining_rules: JoiningRules,
    kind_of_member: np.ndarray | None = None,
    constraints: ClusterConstraints | None = None,
) -> np.ndarray:
    """Return the group number of each member 0..`member_count`-1. Groups are numbered in the order of their first member.

    kind_of_member: the kind of each spine member as a number from 0, and -1 for all other members (see `JoiningRules`). constraints:
    members that must, or must not, be in one group, whatever the weights and vetoes. The result does not depend on the order of the pairs.
    """
    constraints = constraints or ClusterConstraints()
    kind = np.full(member_count, -1) if kind_of_member is None else kind_of_member
    component = find_components_of_positive_pairs(
        member_count, weighted_pairs.left, weighted_pairs.right, weighted_pairs.weight, constraints
    )
    group = _find_first_member_of_each_group(find_connected_components(member_count, constraints.same[:, 0], constraints.same[:, 1]))
    bits = np.zeros(member_count, dtype="int64")  # the spine kinds in a group
    np.bitwise_or.at(bits, group, np.where(kind >= 0, 1 << np.maximum(kind, 0), 0))
    links = _convert_pairs_to_group_links(weighted_pairs, kind, constraints).combine_links_of_merged_groups(group)
    links = links.select_links(component[links.a] == component[links.b])
    while len(links.a):
        a, b = links.choose_nearest_groups_in_each_component(component, joining_rules, bits)
        group[b] = a
        bits[a] |= bits[b]
        joined = np.zeros(member_count, dtype=bool)
        joined[component[a]] = True
        links = links.select_links(joined[component[links.a]]).combine_links_of_merged_groups(group)
    while (group != group[group]).any():
        group = group[group]
    return assign_group_numbers(group)


def find_components_of_positive_pairs(
    member_count: int, left: np.ndarray, right: np.ndarray, weight: np.ndarray, constraints: ClusterConstraints
) -> np.ndarray:
    """Return, for each member, the number of its connected component over the pairs above zero and `constraints.same`.

    No group extends beyond its component.
    """
    positive = weight > 0
    return find_connected_components(
        member_count, np.concatenate([left[positive], constraints.same[:, 0]]), np.concatenate([right[positive], constraints.same[:, 1]])
    )


def find_connected_components(member_count: int, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return, for each member, the number of its connected component. Components are numbered in the order of their first member."""
    root = np.arange(member_count)
    while len(left):
        a, b = root[left], root[right]
        apart = a != b
        left, right, a, b = left[apart], right[apart], a[apart], b[apart]
        np.minimum.at(root, np.maximum(a, b), np.minimum(a, b))
        while (root != root[root]).any():
            root = root[root]
    return assign_group_numbers(root)


def assign_group_numbers(representatives: np.ndarray) -> np.ndarray:
    """Number the groups of `representatives` from 0, in the order of their first member.

    representatives: one member that represents the group, for each member.
    """
    _, first, inverse = np.unique(representatives, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[inverse], dtype="int64")


def _find_first_member_of_each_group(group_of_member: np.ndarray) -> np.ndarray:
    """Return, for each member, the first member of its group."""
    return np.unique(group_of_member, return_index=True)[1][group_of_member]


@dataclass(frozen=True)
class _LinksBetweenGroups:
    """All pairs between two groups `a` < `b`, each identified by its first member.

    best, odds: the best weight and odds. strong: the best strong pair. alike: the best pair of one spine kind. sums, counts: by kind of
    evidence. veto: whether the groups must not be joined.
    """

    a: np.ndarray
    b: np.ndarray
    best: np.ndarray
    odds: np.ndarray
    strong: np.ndarray
    alike: np.ndarray
    sums: np.ndarray
    counts: np.ndarray
    veto: np.ndarray

    def select_links(self, rows: np.ndarray) -> _LinksBetweenGroups:
        return _LinksBetweenGroups(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    def combine_links_of_merged_groups(self, group_of_member: np.ndarray) -> _LinksBetweenGroups:
        """Combine the links of groups that were merged. group_of_member: the group of each member."""
        a, b = group_of_member[self.a], group_of_member[self.b]
        apart = a != b
        a, b = np.minimum(a, b)[apart], np.maximum(a, b)[apart]
        codes, place = np.unique(a * len(group_of_member) + b, return_inverse=True)
        order = np.argsort(place, kind="stable")
        starts = np.searchsorted(place[order], np.arange(len(codes)))
        rows = np.flatnonzero(apart)[order]
        if len(codes) == len(rows):
            return replace(self.select_links(rows), a=a[order], b=b[order])
        maxima = {name: np.maximum.reduceat(getattr(self, name)[rows], starts) for name in ("best", "odds", "strong", "alike", "veto")}
        sums, counts = (np.add.reduceat(getattr(self, name)[rows], starts, axis=0) for name in ("sums", "counts"))
        return _LinksBetweenGroups(codes // len(group_of_member), codes % len(group_of_member), sums=sums, counts=counts, **maxima)

    def choose_nearest_groups_in_each_component(
        self, component_of_member: np.ndarray, joining_rules: JoiningRules, kinds_in_group: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Choose, in each component, the two groups that are joined next."""
        average = (self.sums / np.maximum(self.counts, 1)).sum(axis=1) + self.odds
        occupied = np.where(self.alike < joining_rules.waived, np.bitwise_count(kinds_in_group[self.a] & kinds_in_group[self.b]), 0)
        near = joining_rules.best_share * self.best + (1 - joining_rules.best_share) * average - joining_rules.occupied * occupied
        both = (kinds_in_group[self.a] > 0) & (kinds_in_group[self.b] > 0)
        rows = np.flatnonzero((near > 0) & ~self.veto & (~both | (self.strong >= joining_rules.spine) | (self.alike > 0)))
        group_component = component_of_member[self.a[rows]]
        # Group numbers break ties, so that the order of input does not matter.
        order = np.lexsort((self.b[rows], self.a[rows], -near[rows], group_component))
        first = rows[order[is_first_of_equal_numbers(group_component[order])]]
        return self.a[first], self.b[first]


def _convert_pairs_to_group_links(
    weighted_pairs: WeightedPairs, kind_of_member: np.ndarray, constraints: ClusterConstraints
) -> _LinksBetweenGroups:
    """Convert each pair to a link. Members that must not be in one group become links with a veto."""
    known = ~np.isnan(weighted_pairs.parts)
    alike = (kind_of_member[weighted_pairs.left] == kind_of_member[weighted_pairs.right]) & (kind_of_member[weighted_pairs.left] >= 0)
    apart, width = len(constraints.apart), weighted_pairs.parts.shape[1]
    no_weight = np.full(apart, -np.inf)
    return _LinksBetweenGroups(
        a=np.concatenate(
            [np.minimum(weighted_pairs.left, weighted_pairs.right), constraints.apart.min(axis=1, initial=len(kind_of_member))]
        ).astype("int64"),
        b=np.concatenate([np.maximum(weighted_pairs.left, weighted_pairs.right), constraints.apart.max(axis=1, initial=-1)]).astype(
            "int64"
        ),
        best=np.concatenate([weighted_pairs.weight, no_weight]),
        odds=np.concatenate([weighted_pairs.odds, no_weight]),
        strong=np.concatenate([np.where(weighted_pairs.strong, weighted_pairs.weight, -np.inf), no_weight]),
        alike=np.concatenate([np.where(alike, weighted_pairs.weight, -np.inf), no_weight]),
        sums=np.vstack([np.where(known, weighted_pairs.parts, 0.0), np.zeros((apart, width))]),
        counts=np.vstack([known, np.zeros((apart, width), dtype=bool)]).astype("int64"),
        veto=np.concatenate([weighted_pairs.veto, np.ones(apart, dtype=bool)]),
    )
