"""Findings across deliveries of one institution: columns that became blank, an unusual number of records, corrections that replace
nothing or lose records.

Does not belong here: the record status (`current`).
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pandas as pd

from schemas import findings
from sources import periods
from sources.contract import Contract
from sources.states import COMPLETE

_ENOUGH_ROWS = 5
_USUALLY_FILLED = 0.5
_FEWEST, _MOST = 0.1, 10.0  # times the usual number of records
_ENOUGH_PERIODS = 3


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
    for name, spec in contract.tables.items():
        if spec.entity and len(tables[name]):
            found += _unusual_volume(name, tables[name], deliveries)
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


def _unusual_volume(name: str, frame: pd.DataFrame, deliveries: pd.DataFrame) -> list[dict[str, Any]]:
    """Complete deliveries with a tenth or ten times the records of the institution's earlier complete periods (their median)."""
    whole = deliveries[deliveries["state"] == COMPLETE].sort_values(["period", "version"])
    rows = whole["delivery"].map(frame["_delivery"].value_counts()).fillna(0).astype("int64")
    counted = whole.assign(rows=rows)
    of_periods = counted.drop_duplicates("period", keep="last").set_index("period")["rows"]
    usual = of_periods.expanding(_ENOUGH_PERIODS).median().shift().reindex(counted["period"]).to_numpy()
    counted = counted.assign(usual=usual)
    few = (counted["usual"] >= 1 / _FEWEST) & (counted["rows"] <= counted["usual"] * _FEWEST)  # below that, a tenth is less than one record
    odd = counted[few | (counted["rows"] >= counted["usual"].clip(lower=1) * _MOST)]
    file = frame.drop_duplicates("_delivery").set_index("_delivery")["_file"]
    return [
        {"delivery": d, "file": file.get(d), "rule": "cross-volume-unusual", "detail": f"{name}: {n} ≠ {u:g}"}
        for d, n, u in zip(odd["delivery"], odd["rows"], odd["usual"], strict=True)
    ]


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
    """Records missing from a correction: a finding of the delivery that omits them."""
    complete = deliveries[deliveries["state"] == "complete"].drop_duplicates("period", keep="last").set_index("period")["delivery"]
    gone = lineage[lineage["status"] == "withdrawn"].drop_duplicates(["record_key", "delivery"])
    period = gone["delivery"].map(deliveries.set_index("delivery")["period"])
    return pd.DataFrame({"delivery": period.map(complete), "record_key": gone["record_key"], "rule": "cross-withdrawn"})


def _never_delivered(deliveries: pd.DataFrame) -> list[dict[str, Any]]:
    """Periods between the first and the last delivered one that never came: a finding of the next delivery."""
    first = deliveries.drop_duplicates("period").sort_values("period", ignore_index=True)
    out = []
    for (_, before), (delivery, period) in pairwise(zip(first["delivery"], first["period"], strict=True)):
        gaps = periods.between(periods.last_day(before), periods.first_day(period), periods.cadence_of(period))[1:-1]
        out += [{"delivery": delivery, "rule": "delivery-missing-quarter", "detail": gap} for gap in gaps]
    return out


def _corrections(deliveries: pd.DataFrame) -> list[dict[str, Any]]:
    later = deliveries[deliveries["version"] > 1]
    rules = {"partial": "cross-partial-withdraws-nothing", "unreadable": "cross-unreadable-replaces-nothing"}
    return [{"delivery": d, "rule": rules[s]} for d, s in zip(later["delivery"], later["state"], strict=True) if s in rules]
