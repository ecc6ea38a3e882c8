"""What a run changed: its new deliveries with their state, and the yearly totals that differ from the previous publication.

Belongs here: selecting both from the outputs of a run, as frames, tags and one line. Does not belong here: the state of a delivery
(`sources.states`), where the report is shown (`assets.publishing`, `summary`, `sensors`). Counts and codes only.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pandas as pd

from harmonia.errors import HarmoniaError
from harmonia.status import shorten_list
from sources.states import COMPLETE
from warehouse.indicators import DIMENSIONS
from warehouse.reading import open_publication

_BY = ["institution", "delivery"]
_TOTAL = ["indicator", "period"]
_PREFIX = "harmonia/"
NOT_COMPLETE = f"{_PREFIX}not_complete"
"""The tag of a run that names its new deliveries that are partial or unreadable; only there where there is one."""


NO_TOTALS = pd.DataFrame({"indicator": [], "period": [], "harmonised": []}).astype({"indicator": "str", "period": "str"})


def yearly_totals(statistics: pd.DataFrame) -> pd.DataFrame:
    """Return the grand totals by year, over all offence groups. Columns: indicator, period, as_reported, harmonised."""
    grand = (statistics[list(DIMENSIONS)] == "total").all(axis=1) & (statistics["period"].str.len() == 4)
    return statistics.loc[grand, [*_TOTAL, "as_reported", "harmonised"]]


def read_published_totals(home: Path) -> pd.DataFrame | None:
    """Return the published grand totals by year; None if nothing is published, or another version of the program published it."""
    with suppress(HarmoniaError), open_publication(home) as warehouse:
        return yearly_totals(warehouse.sql("FROM statistics").df())
    return None


def changed_totals(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Return the harmonised yearly totals that differ. Columns: indicator, period, before, after."""
    both = before[[*_TOTAL, "harmonised"]].merge(after[[*_TOTAL, "harmonised"]], on=_TOTAL, how="outer", suffixes=("_before", "_after"))
    both = both.rename(columns={"harmonised_before": "before", "harmonised_after": "after"}).astype({"before": "Int64", "after": "Int64"})
    same = (both["before"] == both["after"]).fillna(False) | (both["before"].isna() & both["after"].isna())
    return both[~same.astype("bool")].sort_values(_TOTAL, ignore_index=True)


def new_deliveries(landed: pd.DataFrame, states: pd.DataFrame, accounting: pd.DataFrame) -> pd.DataFrame:
    """Return the new deliveries. Columns: institution, delivery, state, and the number of rows: read, accepted, quarantined.

    landed: institution, delivery, new; states: institution, delivery, state; accounting: rows by file (`pipelines.record_status`).
    """
    rows = accounting.groupby(_BY)[["read", "accepted", "quarantined"]].sum().reset_index()
    new = landed.loc[landed["new"], _BY].merge(states[[*_BY, "state"]], on=_BY, how="left").merge(rows, on=_BY, how="left")
    return new.fillna({"read": 0, "accepted": 0, "quarantined": 0}).astype({"read": "int64", "accepted": "int64", "quarantined": "int64"})


def describe_incomplete(new: pd.DataFrame) -> str:
    """Return the new deliveries that are not complete, with their state, as text; empty if all are complete."""
    odd = new[new["state"] != COMPLETE]
    return shorten_list(list(odd["institution"] + " " + odd["delivery"] + " " + odd["state"].astype("str")))


def run_tags(new: pd.DataFrame, changed: pd.DataFrame) -> Mapping[str, str]:
    """Return the report as tags of a run, for Dagster's list of runs."""
    odd = describe_incomplete(new)
    counts = {f"{_PREFIX}new_deliveries": str(len(new)), f"{_PREFIX}changed_yearly_totals": str(len(changed))}
    return counts | ({NOT_COMPLETE: odd} if odd else {})
