"""The report of a run: its new deliveries with their state, and the yearly totals that differ from the previous publication.

Belongs here: selecting both from the outputs of a run, and expressing them as frames, as tags and as one line of text. Does not belong
here: the state of a delivery (`sources.completeness_states`), showing the report (`assets.publication`, `summary`, `sensors`). The report
contains only counts and codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pandas as pd

from harmonia.errors import HarmoniaError
from harmonia.status import shorten_list
from sources.completeness_states import COMPLETE
from warehouse.indicators import DIMENSIONS
from warehouse.reading import open_publication

_DELIVERY_KEY = ["institution", "delivery"]
_TOTAL_KEY = ["indicator", "period"]
_PREFIX = "harmonia/"
NOT_COMPLETE = f"{_PREFIX}not_complete"
"""Name of the tag of a run that lists its new deliveries that are not complete. If all are complete, the run has no such tag."""


EMPTY_TOTALS = pd.DataFrame({"indicator": [], "period": [], "harmonised": []}).astype({"indicator": "str", "period": "str"})


def select_yearly_totals(statistics: pd.DataFrame) -> pd.DataFrame:
    """Return the figures of whole years that are totals over all dimensions. Columns: indicator, period, as_reported, harmonised."""
    grand = (statistics[list(DIMENSIONS)] == "total").all(axis=1) & (statistics["period"].str.len() == 4)
    return statistics.loc[grand, [*_TOTAL_KEY, "as_reported", "harmonised"]]


def read_published_totals(home: Path) -> pd.DataFrame | None:
    """Return the yearly totals of the published warehouse (see `select_yearly_totals`).

    Return None if nothing is published, or if it was published by another version of the program.
    """
    with suppress(HarmoniaError), open_publication(home) as warehouse:
        return select_yearly_totals(warehouse.sql("FROM statistics").df())
    return None


def find_changed_totals(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Return the yearly totals whose harmonised figure differs between two publications. Columns: indicator, period, before, after."""
    both = before[[*_TOTAL_KEY, "harmonised"]].merge(
        after[[*_TOTAL_KEY, "harmonised"]], on=_TOTAL_KEY, how="outer", suffixes=("_before", "_after")
    )
    both = both.rename(columns={"harmonised_before": "before", "harmonised_after": "after"}).astype({"before": "Int64", "after": "Int64"})
    same = (both["before"] == both["after"]).fillna(False) | (both["before"].isna() & both["after"].isna())
    return both[~same.astype("bool")].sort_values(_TOTAL_KEY, ignore_index=True)


def list_new_deliveries(landed_deliveries: pd.DataFrame, states: pd.DataFrame, accounting: pd.DataFrame) -> pd.DataFrame:
    """Return the new deliveries. Columns: institution, delivery, state, and the numbers of rows read, accepted and quarantined.

    `landed_deliveries` has the columns institution, delivery and new. `states` has the columns institution, delivery and state.
    `accounting` has the numbers of rows of each file (`pipelines.record_status`).
    """
    rows = accounting.groupby(_DELIVERY_KEY)[["read", "accepted", "quarantined"]].sum().reset_index()
    new = (
        landed_deliveries.loc[landed_deliveries["new"], _DELIVERY_KEY]
        .merge(states[[*_DELIVERY_KEY, "state"]], on=_DELIVERY_KEY, how="left")
        .merge(rows, on=_DELIVERY_KEY, how="left")
    )
    return new.fillna({"read": 0, "accepted": 0, "quarantined": 0}).astype({"read": "int64", "accepted": "int64", "quarantined": "int64"})


def describe_incomplete_deliveries(new_deliveries: pd.DataFrame) -> str:
    """Describe in words the new deliveries that are not complete. The text is empty if all are complete.

    `new_deliveries` comes from `list_new_deliveries`.
    """
    incomplete = new_deliveries[new_deliveries["state"] != COMPLETE]
    return shorten_list(list(incomplete["institution"] + " " + incomplete["delivery"] + " " + incomplete["state"].astype("str")))


def make_run_tags(new_deliveries: pd.DataFrame, changed_totals: pd.DataFrame) -> Mapping[str, str]:
    """Return the report as tags, which Dagster shows beside the run in its list of runs.

    `new_deliveries` comes from `list_new_deliveries`, and `changed_totals` from `find_changed_totals`.
    """
    incomplete = describe_incomplete_deliveries(new_deliveries)
    counts = {f"{_PREFIX}new_deliveries": str(len(new_deliveries)), f"{_PREFIX}changed_yearly_totals": str(len(changed_totals))}
    return counts | ({NOT_COMPLETE: incomplete} if incomplete else {})
