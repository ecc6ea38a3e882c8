"""The life of a finding over an institution's deliveries: new, remains, reopened, fixed.

Belongs here: which findings of two deliveries are the same, and what became of each.
Does not belong here: reasons to accept a finding as it is.

A finding is the same in two deliveries when institution, file, part, record key, field and rule agree; where there is no record
key, the delivered text stands in its place (not for findings on a whole file or delivery, whose text may vary). The line never
counts: rows move. Several findings of one identity in one delivery are told apart by their order.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from schemas.findings import COLUMNS, rules
from sources.contract import DeliveryName

STATES = ("new", "remains", "reopened", "fixed", "accepted_as_is")
_IDENTITY = ["institution", "file", "part", "record_key", "_text", "field", "rule"]
_WHOLE = ("file", "delivery")  # levels of findings that speak of no row


def life(findings: pd.DataFrame, deliveries: pd.DataFrame, records: pd.DataFrame | None = None) -> pd.DataFrame:
    """The findings with `state`, relative to the institution's preceding delivery by quarter and version, and a row for each fixed one.

    findings    `schemas.findings.COLUMNS`, all deliveries of any number of institutions
    deliveries  `institution`, `delivery`, and `state` (complete, partial, unreadable; complete where the column is absent), every
                delivery that came
    records     `institution`, `delivery`, `part`, `record_key`, `status`: the lineage. Without it only replacing a version fixes a
                finding on a record.

    Returns the findings in their order with `state`: `new`, `remains` (in the preceding delivery too), `reopened` (in an earlier one,
    not in the preceding); then rows with state `fixed`: a warning or worse of the preceding delivery that is gone, under the name of
    the delivery in which it is gone, without line. Gone counts only where the delivery could show it: it replaced that version and is
    complete, or holds the record again, or, for a whole file, is complete. Source: STATISTICS.md, `findings`.
    """
    order = _in_order(deliveries)
    marked = _marked(findings.reset_index(drop=True), order)
    known = marked["_turn"] >= 0
    span = len(order) + 1  # more than any turn, so that the codes of two findings never touch
    code = marked["_same"] * span + marked["_turn"]
    seen = code[known].to_numpy()
    before = known & np.isin((code - 1).to_numpy(), seen)
    first = marked[known].groupby("_same")["_turn"].min()
    earlier = known & (marked["_same"].map(first) < marked["_turn"])
    state = np.select([before, earlier], ["remains", "reopened"], "new")
    gone = marked[known & ~np.isin((code + 1).to_numpy(), seen)]
    columns = [*COLUMNS, "state"]
    out = pd.concat([marked.assign(state=state)[columns], _fixed(gone, order, records)[columns]], ignore_index=True)
    return out.astype({column: "Int64" if column == "line" else "str" for column in columns})


def _in_order(deliveries: pd.DataFrame) -> pd.DataFrame:
    """Deliveries with a readable name: institution, delivery, state, `_turn` (0, 1, …), `_replaces` (quarter of the one before)."""
    frame = deliveries.drop_duplicates(["institution", "delivery"]).reset_index(drop=True)
    frame = frame.assign(state=frame.get("state", "complete")).astype({"institution": "str", "delivery": "str", "state": "str"})
    names = {text: name for text in frame["delivery"].unique() if (name := DeliveryName.parse(text))}
    frame = frame[frame["delivery"].isin(list(names))]
    frame = frame.assign(
        _period=frame["delivery"].map({text: name.period for text, name in names.items()}),
        _version=frame["delivery"].map({text: name.version for text, name in names.items()}),
    ).sort_values(["institution", "_period", "_version"], ignore_index=True)
    by = frame.groupby("institution")
    frame["_turn"] = by.cumcount().astype("int64")
    frame["_replaces"] = by["_period"].shift() == frame["_period"]
    return frame[["institution", "delivery", "state", "_turn", "_replaces"]]


def _marked(findings: pd.DataFrame, order: pd.DataFrame) -> pd.DataFrame:
    """The findings with `_turn` (-1 where the delivery is unknown), `_whole`, and `_same`: one number per identity and occurrence."""
    turn = findings[["institution", "delivery"]].merge(order, on=["institution", "delivery"], how="left")["_turn"]
    level = findings["rule"].map({code: rule.level for code, rule in rules().items()})
    whole = level.isin(_WHOLE) & findings["record_key"].isna()
    marked = findings.assign(
        _turn=turn.fillna(-1).astype("int64").to_numpy(),
        _whole=whole,
        _text=findings["value"].where(findings["record_key"].isna() & ~whole, None),
    )
    in_place = marked.sort_values(["line", "value"], kind="stable")
    marked["_nth"] = in_place.groupby(["delivery", *_IDENTITY], dropna=False, sort=False).cumcount()
    marked["_same"] = marked.groupby([*_IDENTITY, "_nth"], dropna=False, sort=False).ngroup().astype("int64")
    return marked


def _fixed(gone: pd.DataFrame, order: pd.DataFrame, records: pd.DataFrame | None) -> pd.DataFrame:
    """Of findings that the next delivery does not hold: those that it could show to be fixed, under its name."""
    following = order.assign(_turn=order["_turn"] - 1)
    rows = gone[gone["severity"] != "info"].drop(columns="delivery").merge(following, on=["institution", "_turn"], how="inner")
    complete = rows["state"] == "complete"
    replaced = rows["_replaces"].astype(bool) & complete
    speaks_of_all = rows["_whole"] & (complete | rows["file"].isna())
    fixed = rows[replaced | speaks_of_all | _present(rows, records)]
    return fixed.assign(state="fixed", line=pd.Series(pd.NA, index=fixed.index, dtype="Int64"), detail=None)


def _present(rows: pd.DataFrame, records: pd.DataFrame | None) -> pd.Series:
    """Whether the delivery holds the record again and can read it. A part that holds no records (charges) is looked up by key alone."""
    if records is None or rows.empty:
        return pd.Series(False, index=rows.index)
    readable = records[records["status"] != "quarantined"].fillna({"part": ""})
    rows = rows.fillna({"part": ""})
    parts = readable[["institution", "part"]].drop_duplicates()
    has_part = pd.MultiIndex.from_frame(rows[["institution", "part"]]).isin(pd.MultiIndex.from_frame(parts))
    key = ["institution", "delivery", "record_key"]
    by_part = pd.MultiIndex.from_frame(rows[[*key, "part"]]).isin(pd.MultiIndex.from_frame(readable[[*key, "part"]].drop_duplicates()))
    by_key = pd.MultiIndex.from_frame(rows[key]).isin(pd.MultiIndex.from_frame(readable[key].drop_duplicates()))
    return rows["record_key"].notna() & np.where(has_part, by_part, by_key)
