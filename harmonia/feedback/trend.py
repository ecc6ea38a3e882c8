"""The trend of an institution's findings from delivery to delivery.

Belongs here: the numbers of open and fixed findings beside the number of delivered records. Does not belong here: scores (the table
`quality`).
"""

from __future__ import annotations

import pandas as pd

from sources.contract import DeliveryName

_SHOWN = 8  # deliveries, the newest last
SHOWN_AS = {"of": "delivery"}  # as a report names it


def list_delivery_trends(findings: pd.DataFrame, row_counts: pd.DataFrame) -> pd.DataFrame:
    """Return for every delivery a row for each of the last few deliveries up to it, the oldest first.

    findings: `harmonia.feedback.finding_states.COLUMNS_WITH_STATE`. row_counts: rows by file (`pipelines.record_status`). Columns out:
    institution, delivery, of (the delivery that the row describes), records (number of data rows), open (number of findings that are a
    cause and a warning or worse), fixed.
    """
    history = _count_findings_by_delivery(findings, row_counts)
    history = history.assign(_turn=history.groupby("institution").cumcount())
    back = pd.DataFrame({"_back": range(_SHOWN - 1, -1, -1)})
    shown = history[["institution", "delivery", "_turn"]].merge(back, how="cross")
    shown = shown.assign(_turn=shown["_turn"] - shown["_back"]).drop(columns="_back")
    return shown.merge(history.rename(columns={"delivery": "of"}), on=["institution", "_turn"]).drop(columns="_turn")


def _count_findings_by_delivery(findings: pd.DataFrame, row_counts: pd.DataFrame) -> pd.DataFrame:
    """Count the findings of each delivery; the rows are in the order of period and version.

    Columns out: institution, delivery, records, open, fixed.
    """
    by = ["institution", "delivery"]
    rows = row_counts.assign(records=row_counts["read"] - row_counts["structural"]).groupby(by)["records"].sum()
    asks = findings[(findings["severity"] != "info") & (findings["origin"] == "cause")]
    open_ = asks[~asks["state"].isin(["fixed", "accepted_as_is"])].groupby(by).size()
    fixed = findings[findings["state"] == "fixed"].groupby(by).size()
    out = pd.DataFrame({"records": rows, "open": open_, "fixed": fixed}).fillna(0).astype("int64").reset_index()
    names = {name: DeliveryName.parse(name) for name in out["delivery"].unique()}
    out = out[out["delivery"].map({name: one is not None for name, one in names.items()}).astype(bool)]
    order = {name: (one.period, one.version) for name, one in names.items() if one}
    return out.iloc[sorted(range(len(out)), key=lambda n: (out["institution"].iloc[n], *order[out["delivery"].iloc[n]]))]
