"""Compare two runs: how many records keep their id, and which records are in different clusters.

Does not belong here: assigning ids (`identity`).
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

_RECORD = ["institution", "record_key"]


@dataclass(frozen=True)
class IdStability:
    """Numbers of the records that two runs have in common.

    `records` counts all of them, `same` those with the same id in both runs, and `redirected` those whose earlier id redirects to the new
    one.
    """

    records: int
    same: int
    redirected: int

    @property
    def share_with_same_id(self) -> float:
        """The share of records with the same id; 1 if there are no records."""
        return self.same / self.records if self.records else 1.0

    @property
    def share_with_known_id(self) -> float:
        """The share of records that can be found by their earlier id, directly or by its redirect; 1 if there are no records."""
        return (self.same + self.redirected) / self.records if self.records else 1.0


def compare_record_ids(ids_before: pd.DataFrame, ids_after: pd.DataFrame, current_ids: pd.Series) -> IdStability:
    """Compare the ids of records in two runs.

    `ids_before` and `ids_after` have the columns institution and record_key, and the id as third column. `current_ids` has, for each row of
    `ids_before`, its id after redirects (`harmonia.registry.identity.resolve_ids`).
    """
    old = ids_before[_RECORD].assign(old=ids_before.iloc[:, 2].to_numpy(), now=current_ids.to_numpy())
    both = old.merge(ids_after.set_axis([*_RECORD, "new"], axis=1), on=_RECORD)
    same = both["old"] == both["new"]
    return IdStability(len(both), int(same.sum()), int((~same & (both["now"] == both["new"])).sum()))


def find_records_in_changed_clusters(clusters_before: pd.DataFrame, clusters_after: pd.DataFrame) -> pd.DataFrame:
    """Find the records that are in only one of the two runs, or whose cluster contains different records.

    The names of clusters do not matter. `clusters_before` and `clusters_after` have the columns institution and record_key, and the
    cluster as third column. The result has the columns institution and record_key.
    """
    both = clusters_before.set_axis([*_RECORD, "one"], axis=1).merge(
        clusters_after.set_axis([*_RECORD, "other"], axis=1), on=_RECORD, how="outer"
    )
    size = both.groupby(["one", "other"])["record_key"].transform("size")
    is_unchanged = size.eq(both.groupby("one")["record_key"].transform("size")) & size.eq(
        both.groupby("other")["record_key"].transform("size")
    )
    return both.loc[~is_unchanged, _RECORD].reset_index(drop=True)
