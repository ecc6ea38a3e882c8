"""Link constraints: pairs of records with a verdict, which keep the links between records unchanged after names are erased.

Does not belong here: linkage itself. The pairs are stored as judgements of a steward named after the erasure, so that every later run
obeys them and stewards see them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import combinations

import pandas as pd

from harmonia.errors import HarmoniaError
from harmonia.review.pairs import PAIR, order_pairs

RECORD = ["institution", "record_key"]
COLUMNS = [*PAIR, "verdict"]
_MAX_ITERATIONS = 8
Partition = Mapping[str, pd.DataFrame]  # entity -> institution, record_key, cluster


def find_link_constraints(
    clusters_before: Partition, link_records: Callable[[pd.DataFrame], Partition], judgements: pd.DataFrame
) -> pd.DataFrame:
    """Find pairs of records that, if they are added to `judgements`, make `link_records` return the clusters `clusters_before` again.

    The result has the columns `COLUMNS`. Raises `HarmoniaError` if no such pairs are found.
    """
    constraints = pd.DataFrame(columns=COLUMNS, dtype="str")
    for _ in range(_MAX_ITERATIONS):
        after = link_records(pd.concat([judgements, constraints], ignore_index=True))
        changed = [pair for entity, partition in clusters_before.items() for pair in _find_changed_pairs(entity, partition, after[entity])]
        if not changed:
            return constraints
        constraints = pd.concat([constraints, order_pairs(pd.DataFrame(changed, columns=COLUMNS))]).drop_duplicates(PAIR, ignore_index=True)
    raise HarmoniaError("the links of other records cannot be preserved without this person's names: nothing was removed")


def _find_changed_pairs(entity: str, clusters_before: pd.DataFrame, clusters_after: pd.DataFrame) -> Iterator[tuple[str, ...]]:
    """Yield the pairs whose link changed, with a verdict that restores it.

    The verdict is `same` if the two records were linked before and no longer are, and `different` in the reverse case.
    """
    merged = clusters_before.merge(clusters_after, on=RECORD, suffixes=("_before", "_after"))
    for group, subgroup, verdict in (("cluster_before", "cluster_after", "same"), ("cluster_after", "cluster_before", "different")):
        subgroups = merged.drop_duplicates([group, subgroup])
        split = subgroups[subgroups.duplicated(group, keep=False)]
        for _, representatives in split.groupby(group):
            keys = list(representatives[RECORD].astype("str").itertuples(index=False, name=None))
            for a, b in combinations(keys, 2) if verdict == "different" else ((keys[0], other) for other in keys[1:]):
                yield (entity, *a, *b, verdict)
