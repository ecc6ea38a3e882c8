"""Form clusters of members (records) from weighted pairs: the two nearest groups of members are joined again and again (agglomeration).

Belongs here: joining groups, with pairs that forbid it (vetoes). Does not belong here: the meaning of a weight.

The nearness of two groups is `best_share` times the weight of their best pair, plus (1 - `best_share`) times the average weight of their
pairs. The average is computed separately for each kind of evidence (for example each compared field), over the pairs in which it is known,
and then added up. So a record without a number does not bridge two records with different numbers, and a chain of chance agreements does
not join strangers. Joining ends when no two groups have a nearness above zero.

Only members that are connected by pairs with a positive weight can be joined. Therefore each connected component is clustered separately;
in each step, every component joins its two nearest groups.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pipelines.linkage.constraints import ClusterConstraints
from pipelines.resources.integer_arrays import is_first_of_equal_numbers


@dataclass(frozen=True)
class WeightedPairs:
    """Pairs of members, each at most once.

    - `left`, `right`: the two members
    - `weight`: the sum of evidence and prior odds, in bits
    - `odds`: the prior odds that the weight contains; between two groups the highest odds count
    - `parts`: the evidence, with one column for each kind; NaN if a kind is not known for the pair
    - `strong`: whether the pair counts for joining two groups that both have spine members (see `JoiningRules`)
    - `veto`: whether the two members must stay in different groups
    """

    left: np.ndarray
    right: np.ndarray
    weight: np.ndarray
    parts: np.ndarray
    odds: np.ndarray
    strong: np.ndarray
    veto: np.ndarray


def build_weighted_pairs(left: np.ndarray, right: np.ndarray, weight: np.ndarray) -> WeightedPairs:
    """Build `WeightedPairs` from weights only: with one kind of evidence, and without prior odds or vetoes."""
    none, every = np.zeros(len(left), dtype=bool), np.ones(len(left), dtype=bool)
    return WeightedPairs(left, right, weight, weight.reshape(-1, 1).astype("float64"), np.zeros(len(left)), every, none)


@dataclass(frozen=True)
class JoiningRules:
    """Rules for joining groups.

    Some members are spine members. Each has a kind (for case files, the institution), and a group normally has one spine member of a kind.

    - `best_share`: the share of the best pair in the nearness of two groups, as the module explains
    - `spine`: if both groups have spine members, their best strong pair must weigh at least this, unless two of their spine members of the
      same kind form a pair above zero
    - `occupied`, `waived`: `occupied` is subtracted from the nearness for each kind of which both groups have spine members, unless two
      spine members of the same kind form a pair that weighs at least `waived`
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
    """Form groups of the members 0 to `member_count` - 1. Return the number of the group of each member.

    Groups are numbered in the order of their first member. The result does not depend on the order of the pairs. kind_of_member: the kind
    of each spine member as a number from 0, and -1 for all other members (see `JoiningRules`). constraints: members that must be in one
    group, and members that must not, whatever the weights and vetoes are.
    """
    constraints = constraints or ClusterConstraints()
    kind = np.full(member_count, -1) if kind_of_member is None else kind_of_member
    component = find_components_of_positive_pairs(
        member_count, weighted_pairs.left, weighted_pairs.right, weighted_pairs.weight, constraints
    )
    group = _find_first_member_of_each_group(find_connected_components(member_count, constraints.same[:, 0], constraints.same[:, 1]))
    bits = np.zeros(member_count, dtype="int64")  # the kinds of the spine members in a group, as binary digits
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
    """Return, for each member, the number of its connected component. Members are connected by pairs that weigh more than zero, and by
    `constraints.same`.

    No group can extend beyond a component.
    """
    positive = weight > 0
    return find_connected_components(
        member_count, np.concatenate([left[positive], constraints.same[:, 0]]), np.concatenate([right[positive], constraints.same[:, 1]])
    )


def find_connected_components(member_count: int, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return, for each member, the number of its connected component, if the pairs `left`, `right` connect members.

    Components are numbered in the order of their first member.
    """
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
    """Number groups from 0 in the order of their first member. Return the number of the group of each member.

    representatives: a value for each member, which is the same for all members of one group.
    """
    _, first, inverse = np.unique(representatives, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[inverse], dtype="int64")


def _find_first_member_of_each_group(group_of_member: np.ndarray) -> np.ndarray:
    """Return, for each member, the first member of its group."""
    return np.unique(group_of_member, return_index=True)[1][group_of_member]


@dataclass(frozen=True)
class _LinksBetweenGroups:
    """Links between groups: a link combines all pairs of members between two groups `a` < `b`. A group is identified by its first member.

    - `best`, `odds`: the highest weight and the highest prior odds of these pairs
    - `strong`: the highest weight of a strong pair
    - `alike`: the highest weight of a pair of two spine members of the same kind
    - `sums`, `counts`: the sum of the evidence and the number of pairs with it, in one column for each kind of evidence
    - `veto`: whether the two groups must not be joined
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
        """Return the links at `rows`."""
        return _LinksBetweenGroups(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    def combine_links_of_merged_groups(self, group_of_member: np.ndarray) -> _LinksBetweenGroups:
        """Return the links between the groups that remain after some groups were joined. group_of_member: the new group of each member."""
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
        """Choose, in each component, the two nearest groups that may be joined. Components without such groups are left out.

        kinds_in_group: the kinds of spine members in each group, as binary digits.
        """
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
    """Convert each pair to a link between two groups of one member. Members that must not be in one group get a link with a veto."""
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
