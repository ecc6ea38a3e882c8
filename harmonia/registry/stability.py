"""How many records keep their id from one run to the next, and which records two partitions put into different clusters.

Does not belong here: assigning ids (`identity`).
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

_RECORD = ["institution", "record_key"]


@dataclass(frozen=True)
class IdStability:
    """Counts of the records that two runs have in common.

    records: all of them. same: with the same id in both. redirected: with an id to which the earlier id redirects.
    """

    records: int
    same: int
    redirected: int

    @property
    def share_same(self) -> float:
        """Return the share of records with the same id; 1 if there are no records."""
        return self.same / self.records if self.records else 1.0

    @property
    def share(self) -> float:
        """Return the share of records that can be found by their earlier id, directly or by its redirect; 1 if there are no records."""
        return (self.same + self.redirected) / self.records if self.records else 1.0


def id_stability(before: pd.DataFrame, after: pd.DataFrame, now: pd.Series) -> IdStability:
    """Compare the ids of records in two runs.

    before, after: institution, record_key, and the id as third column. now: for each row of `before`, its id with redirects followed
    (`harmonia.registry.identity.resolve_ids`).
    """
    old = before[_RECORD].assign(old=before.iloc[:, 2].to_numpy(), now=now.to_numpy())
    both = old.merge(after.set_axis([*_RECORD, "new"], axis=1), on=_RECORD)
    same = both["old"] == both["new"]
    return IdStability(len(both), int(same.sum()), int((~same & (both["now"] == both["new"])).sum()))


def changed_clusters(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Find the records that are in only one of two partitions, or in a cluster with different records. The names of clusters are ignored.

    before, after: institution, record_key, and the cluster as third column. Columns out: institution, record_key.
    """
    both = before.set_axis([*_RECORD, "one"], axis=1).merge(after.set_axis([*_RECORD, "other"], axis=1), on=_RECORD, how="outer")
    size = both.groupby(["one", "other"])["record_key"].transform("size")
    is_unchanged = size.eq(both.groupby("one")["record_key"].transform("size")) & size.eq(
        both.groupby("other")["record_key"].transform("size")
    )
    return both.loc[~is_unchanged, _RECORD].reset_index(drop=True)
