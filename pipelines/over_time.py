"""Findings that show only between deliveries of one institution: columns that went blank, corrections that replace nothing or lose records.

Belongs here: what an institution can be told about its deliveries as a series. The states themselves are decided in `current`.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pandas as pd

from schemas import findings
from sources.contract import Contract

_ENOUGH_ROWS = 5
_USUALLY_FILLED = 0.5


def findings_of(
    institution: str,
    contract: Contract,
    tables: dict[str, pd.DataFrame],
    deliveries: pd.DataFrame,
    lineage: pd.DataFrame,
) -> pd.DataFrame:
    """Findings in `schemas.findings.COLUMNS` from the stacked tables, the deliveries and the lineage of one institution."""
    found: list[dict[str, Any]] = []
    for name, spec in contract.tables.items():
        if len(tables[name]):
            found += _blank_columns(tables[name], [c.name for c in spec.columns])
    found += _merged_into_nothing(tables, contract)
    found += _corrections(deliveries)
    found += _never_delivered(deliveries)
    withdrawn = _withdrawn(lineage, deliveries)
    every = [f for f in (findings.frame(found), findings.complete(withdrawn)) if len(f)]
    out = pd.concat(every, ignore_index=True) if every else findings.frame()
    return out.assign(institution=institution)


def _blank_columns(frame: pd.DataFrame, columns: list[str]) -> list[dict[str, Any]]:
    given = frame[[f"{c}:given" for c in columns]].astype(float).set_axis(columns, axis=1)
    by = [frame["_delivery"], frame["_file"]]
    share, rows = given.groupby(by).mean(), given.groupby(by).size()
    usual = given.mean()
    blank = share.eq(0) & (usual >= _USUALLY_FILLED)
    hits = blank[rows >= _ENOUGH_ROWS].stack()
    return [{"delivery": d, "file": f, "field": c, "rule": "cross-column-blank"} for d, f, c in hits.index[hits.to_numpy(bool)]]


def _merged_into_nothing(tables: dict[str, pd.DataFrame], contract: Contract) -> list[dict[str, Any]]:
    out: list[dict[str, Any]] = []
    for name, spec in contract.tables.items():
        frame = tables[name]
        for column in spec.columns:
            if not column.prefixes or column.type != "code" or frame.empty:
                continue
            target = frame[f"{column.name}:argument"].dropna()
            held = frame.loc[frame["_key"].isin(target.unique()), "_key"].unique()
            rows = frame.loc[target.index[~target.isin(held)]]
            out += [
                {"delivery": d, "file": f, "part": p, "line": n, "record_key": k, "field": column.name, "rule": "cross-merged-into-nothing"}
                for d, f, p, n, k in zip(rows["_delivery"], rows["_file"], rows["_part"], rows["_line"], rows["_key"], strict=True)
            ]
    return out


def _withdrawn(lineage: pd.DataFrame, deliveries: pd.DataFrame) -> pd.DataFrame:
    """Records that a correction no longer holds: told to the delivery that left them out."""
    complete = deliveries[deliveries["state"] == "complete"].drop_duplicates("period", keep="last").set_index("period")["delivery"]
    gone = lineage[lineage["status"] == "withdrawn"].drop_duplicates(["record_key", "delivery"])
    period = gone["delivery"].map(deliveries.set_index("delivery")["period"])
    return pd.DataFrame({"delivery": period.map(complete), "record_key": gone["record_key"], "rule": "cross-withdrawn"})


def _never_delivered(deliveries: pd.DataFrame) -> list[dict[str, Any]]:
    """Quarters between the first and the last delivered one that never came: told to the next delivery that did."""
    first = deliveries.drop_duplicates("period").sort_values("period", ignore_index=True)
    out = []
    for (_, before), (delivery, period) in pairwise(zip(first["delivery"], first["period"], strict=True)):
        out += [{"delivery": delivery, "rule": "delivery-missing-quarter", "detail": gap} for gap in _between(before, period)]
    return out


def _between(before: str, after: str) -> list[str]:
    """The quarters after one and before another."""
    quarters = pd.period_range(before.replace("-", ""), after.replace("-", ""), freq="Q")[1:-1]
    return [f"{quarter.year}-Q{quarter.quarter}" for quarter in quarters]


def _corrections(deliveries: pd.DataFrame) -> list[dict[str, Any]]:
    later = deliveries[deliveries["version"] > 1]
    rules = {"partial": "cross-partial-withdraws-nothing", "unreadable": "cross-unreadable-replaces-nothing"}
    return [{"delivery": d, "rule": rules[s]} for d, s in zip(later["delivery"], later["state"], strict=True) if s in rules]
