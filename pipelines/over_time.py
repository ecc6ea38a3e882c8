"""Findings from comparing the deliveries of one institution: columns that became blank, deliveries that are unlike the institution's
earlier ones, and corrections that replace nothing or lack records.

Does not belong here: the record status (`record_status`), the statistical comparison with earlier deliveries (`own_past`).
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pandas as pd

from pipelines import own_past
from schemas import findings
from sources import periods
from sources.contract import Contract

_MIN_ROWS = 5  # rows that a file must have so that a column can count as blank
_MIN_USUAL_SHARE = 0.5  # share of filled cells from which a column counts as usually filled
MANY_WITHDRAWN = "cross-withdrawn-many"
_MIN_WITHDRAWN, _MIN_SHARE_WITHDRAWN = 10, 0.2  # records missing from a correction; their share of all that it corrects


def find_changes_over_time(
    institution: str,
    contract: Contract,
    tables: dict[str, pd.DataFrame],
    deliveries: pd.DataFrame,
    lineage: pd.DataFrame,
) -> pd.DataFrame:
    """Return the findings (columns: `schemas.findings.COLUMNS`) that follow from comparing the deliveries of one institution.

    `tables` has the typed rows of all deliveries. `deliveries` and `lineage` come from `pipelines.record_status`.
    """
    rows: list[dict[str, Any]] = []
    for name, spec in contract.tables.items():
        if len(tables[name]):
            rows += _find_blank_columns(tables[name], [c.name for c in spec.columns])
    rows += own_past.find_deviations_from_past(contract, tables, deliveries)
    rows += _find_mergers_into_unknown_cases(tables, contract)
    rows += _find_incomplete_corrections(deliveries)
    rows += _find_missing_periods(deliveries)
    rows += _find_corrections_that_lack_records(lineage, deliveries)
    withdrawn = _find_withdrawn_records(lineage, deliveries)
    parts = [f for f in (findings.build_findings(rows), findings.complete_columns(withdrawn)) if len(f)]
    out = pd.concat(parts, ignore_index=True) if parts else findings.build_findings()
    return out.assign(institution=institution)


def _find_blank_columns(frame: pd.DataFrame, columns: list[str]) -> list[dict[str, Any]]:
    """Find columns that are empty in a whole file although they are usually filled."""
    is_filled = frame[[f"{c}:given" for c in columns]].astype(float).set_axis(columns, axis=1)
    delivery_file = [frame["_delivery"], frame["_file"]]
    share, rows = is_filled.groupby(delivery_file).mean(), is_filled.groupby(delivery_file).size()
    usual = is_filled.mean()
    blank = share.eq(0) & (usual >= _MIN_USUAL_SHARE)
    hits = blank[rows >= _MIN_ROWS].stack()
    return [{"delivery": d, "file": f, "field": c, "rule": "cross-column-blank"} for d, f, c in hits.index[hits.to_numpy(bool)]]


def _find_mergers_into_unknown_cases(tables: dict[str, pd.DataFrame], contract: Contract) -> list[dict[str, Any]]:
    """Find cases that were merged into a case that was never delivered."""
    out: list[dict[str, Any]] = []
    for name, spec in contract.tables.items():
        frame = tables[name]
        for column in spec.columns:
            if not column.prefixes or column.type != "code" or frame.empty:
                continue
            target = frame[f"{column.name}:argument"].dropna()
            existing_keys = frame.loc[frame["_key"].isin(target.unique()), "_key"].unique()
            rows = frame.loc[target.index[~target.isin(existing_keys)]]
            out += [
                {"delivery": d, "file": f, "part": p, "line": n, "record_key": k, "field": column.name, "rule": "cross-merged-into-nothing"}
                for d, f, p, n, k in zip(rows["_delivery"], rows["_file"], rows["_part"], rows["_line"], rows["_key"], strict=True)
            ]
    return out


def _find_withdrawn_records(lineage: pd.DataFrame, deliveries: pd.DataFrame) -> pd.DataFrame:
    """Find records that are missing from a correction of their delivery. The finding names the correction."""
    withdrawn = lineage[lineage["status"] == "withdrawn"].drop_duplicates(["record_key", "delivery"])
    last = _find_last_complete_delivery_of_period(withdrawn, deliveries)
    return pd.DataFrame({"delivery": last, "record_key": withdrawn["record_key"], "rule": "cross-withdrawn"})


def _find_corrections_that_lack_records(lineage: pd.DataFrame, deliveries: pd.DataFrame) -> list[dict[str, Any]]:
    """Find corrections that lack many records of the deliveries that they correct. The finding names the correction."""
    replaced = lineage.assign(correction=_find_last_complete_delivery_of_period(lineage, deliveries)).dropna(subset=["correction"])
    replaced = replaced[(replaced["delivery"] != replaced["correction"]) & replaced["status"].isin(["superseded", "withdrawn"])]
    gone = replaced["status"].eq("withdrawn").groupby([replaced["correction"], replaced["entity"], replaced["record_key"]]).any()
    counts = gone.groupby("correction").agg(["sum", "size"])
    many = counts[(counts["sum"] >= _MIN_WITHDRAWN) & (counts["sum"] >= _MIN_SHARE_WITHDRAWN * counts["size"])]
    return [{"delivery": d, "rule": MANY_WITHDRAWN, "detail": f"{n} / {size}"} for d, n, size in many.itertuples()]


def _find_last_complete_delivery_of_period(rows: pd.DataFrame, deliveries: pd.DataFrame) -> pd.Series:
    """Return, for each row, the last complete delivery for the same period as the row's delivery; null if there is none."""
    complete = deliveries[deliveries["state"] == "complete"].drop_duplicates("period", keep="last").set_index("period")["delivery"]
    return rows["delivery"].map(deliveries.set_index("delivery")["period"]).map(complete)


def _find_missing_periods(deliveries: pd.DataFrame) -> list[dict[str, Any]]:
    """Find periods for which nothing was delivered although later periods were. The finding names the next delivery."""
    quarters = deliveries.drop_duplicates("period").sort_values("period", ignore_index=True)
    out = []
    for (_, previous), (delivery, period) in pairwise(zip(quarters["delivery"], quarters["period"], strict=True)):
        gaps = periods.periods_between(periods.last_day(previous), periods.first_day(period), periods.cadence_of(period))[1:-1]
        out += [{"delivery": delivery, "rule": "delivery-missing-quarter", "detail": gap} for gap in gaps]
    return out


def _find_incomplete_corrections(deliveries: pd.DataFrame) -> list[dict[str, Any]]:
    """Find corrections that could not be read completely. They do not withdraw records, or replace nothing at all."""
    corrections = deliveries[deliveries["version"] > 1]
    rules = {"partial": "cross-partial-withdraws-nothing", "unreadable": "cross-unreadable-replaces-nothing"}
    return [{"delivery": d, "rule": rules[s]} for d, s in zip(corrections["delivery"], corrections["state"], strict=True) if s in rules]
