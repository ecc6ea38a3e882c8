"""How well ids hold from run to run, and whether two runs found the same groups.

Belongs here: comparing two sets of memberships, as frames. Does not belong here: giving ids (`identity`), running anything.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

_RECORD = ["institution", "record_key"]


@dataclass(frozen=True)
class IdStability:
    """Of the records that both runs know (`records`): how many have the id they had (`same`), how many an id to which theirs leads
    on (`redirected`)."""

    records: int
    same: int
    redirected: int

    @property
    def share_same(self) -> float:
        """Share of records whose id is letter for letter the one they had; 1 where there are none."""
        return self.same / self.records if self.records else 1.0

    @property
    def share(self) -> float:
        """Share of records that are found under the id they had, be it through a redirect; 1 where there are none."""
        return (self.same + self.redirected) / self.records if self.records else 1.0


def id_stability(before: pd.DataFrame, after: pd.DataFrame, now: pd.Series) -> IdStability:
    """Compare the ids of two runs.

    before, after: institution, record_key, and the id as third column. now: per row of `before` the id that stands for it today
    (`pipelines.registry.identity.resolve`).
    """
    old = before[_RECORD].assign(old=before.iloc[:, 2].to_numpy(), now=now.to_numpy())
    both = old.merge(after.set_axis([*_RECORD, "new"], axis=1), on=_RECORD)
    same = both["old"] == both["new"]
    return IdStability(len(both), int(same.sum()), int((~same & (both["now"] == both["new"])).sum()))


def changed_clusters(one: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Records that stand in one of two partitions only, or in other company: `institution, record_key`. Names of groups do not matter.

    one, other: institution, record_key, and the group as third column.
    """
    both = one.set_axis([*_RECORD, "one"], axis=1).merge(other.set_axis([*_RECORD, "other"], axis=1), on=_RECORD, how="outer")
    size = both.groupby(["one", "other"])["record_key"].transform("size")
    whole = size.eq(both.groupby("one")["record_key"].transform("size")) & size.eq(both.groupby("other")["record_key"].transform("size"))
    return both.loc[~whole, _RECORD].reset_index(drop=True)
