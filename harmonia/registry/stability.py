"""Stability of ids from run to run, and comparison of two partitions.

Does not belong here: assigning ids (`identity`).
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

_RECORD = ["institution", "record_key"]


@dataclass(frozen=True)
class IdStability:
    """Of the records known to both runs (`records`): how many have the same id (`same`), how many an id to which the old one redirects
    (`redirected`)."""

    records: int
    same: int
    redirected: int

    @property
    def share_same(self) -> float:
        """Share of records with the same id; 1 if there are no records."""
        return self.same / self.records if self.records else 1.0

    @property
    def share(self) -> float:
        """Share of records that can be found under their old id, directly or through a redirect; 1 if there are no records."""
        return (self.same + self.redirected) / self.records if self.records else 1.0


def id_stability(before: pd.DataFrame, after: pd.DataFrame, now: pd.Series) -> IdStability:
    """Compare the ids of two runs.

    before, after: institution, record_key, and the id as third column. now: current id per row of `before`
    (`harmonia.registry.identity.resolve_ids`).
    """
    old = before[_RECORD].assign(old=before.iloc[:, 2].to_numpy(), now=now.to_numpy())
    both = old.merge(after.set_axis([*_RECORD, "new"], axis=1), on=_RECORD)
    same = both["old"] == both["new"]
    return IdStability(len(both), int(same.sum()), int((~same & (both["now"] == both["new"])).sum()))


def changed_clusters(one: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Records in only one of two partitions, or in a different cluster: `institution, record_key`. Cluster names are ignored.

    one, other: institution, record_key, and the cluster as third column.
    """
    both = one.set_axis([*_RECORD, "one"], axis=1).merge(other.set_axis([*_RECORD, "other"], axis=1), on=_RECORD, how="outer")
    size = both.groupby(["one", "other"])["record_key"].transform("size")
    whole = size.eq(both.groupby("one")["record_key"].transform("size")) & size.eq(both.groupby("other")["record_key"].transform("size"))
    return both.loc[~whole, _RECORD].reset_index(drop=True)
