"""The life of a finding over an institution's deliveries: new, remains, reopened, fixed.

Belongs here: which findings of two deliveries are the same, and what became of each.
Does not belong here: what the institution answered (`answers`).

A finding is the same in two deliveries when institution, record key, field and rule agree, and the table where a part is one (tables may
number their rows alike). The line never counts: rows move. Where there is no record key, file and part count, and the delivered text
(not for findings on a whole file or delivery, whose text may vary). Several of one identity in one delivery are told apart by their order.

A delivery *shows* a finding to be gone where it could have held it and does not: it replaced the version before and is complete, or holds
the record again, or, for a whole file, is complete. So a record that does not come in a quarter says nothing, and its finding remains.
Everything is worked out anew from all deliveries in the order of quarter and version: the order of arrival does not matter.
"""

from __future__ import annotations

import hashlib

import pandas as pd

from schemas.findings import COLUMNS, NUMBERS, rules
from sources import contract as contracts
from sources.contract import DeliveryName

STATES = ("new", "remains", "reopened", "fixed", "accepted_as_is")
LIVED = (*COLUMNS, "state", "finding", "since")
_IDENTITY = ["institution", "_file", "_part", "record_key", "_text", "field", "rule"]
_KEPT = 16  # hex digits of a finding's name


def life(findings: pd.DataFrame, deliveries: pd.DataFrame, records: pd.DataFrame | None = None) -> pd.DataFrame:
    """The findings with their state, and a row for each that is gone (`LIVED`).

    findings    `schemas.findings.COLUMNS`, all deliveries of any number of institutions
    deliveries  `institution`, `delivery`, and `state` (complete, partial, unreadable; complete where the column is absent), every
                delivery that came
    records     `institution`, `delivery`, `part`, `record_key`, `status`: the lineage. Without it only replacing a version fixes a
                finding on a record.

    Returns the findings in their order with `state`: `new`; `remains` (there when the record was last seen); `reopened` (there before, but
    gone when the record was last seen); `finding`, its name over all deliveries; `since`, the delivery since which it is there. Then rows
    with state `fixed`: a warning or worse that is gone, in the first delivery that shows it, without line.
    Source: STATISTICS.md, `findings`.
    """
    order = _in_order(deliveries)
    marked = _marked(findings.reset_index(drop=True), order)
    events = _events(marked, order, records)
    by = events.groupby("_same", sort=False)
    was = by["_there"].shift()
    events["state"] = "new"
    events["state"] = events["state"].mask(was.eq(True), "remains").mask(was.eq(False), "reopened")
    begins = events["_turn"].where(events["_there"] & ~was.eq(True))
    events["_since"] = begins.groupby(events["_same"], sort=False).ffill()
    there = events[events["_there"]].set_index(["_same", "_turn"])
    at = pd.MultiIndex.from_frame(marked[["_same", "_turn"]])
    told = there[["state", "_since"]].reindex(at)
    marked = marked.assign(state=told["state"].fillna("new").array, _since=told["_since"].array)
    gone = events[~events["_there"] & was.eq(True)].assign(_before=by["_turn"].shift())
    columns = list(LIVED)
    fixed = _fixed(marked, gone, order)
    out = pd.concat([_named(marked, order)[columns], _named(fixed, order)[columns]], ignore_index=True)
    return out.astype({column: "Int64" if column in NUMBERS else "str" for column in columns})


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
    """The findings with `_turn` (-1 where the delivery is unknown), `_whole`, `_part`, `_same` (one number per identity) and `finding`."""
    turn = findings[["institution", "delivery"]].merge(order, on=["institution", "delivery"], how="left")["_turn"]
    whole = findings["rule"].map({code: rule.whole for code, rule in rules().items()}).astype(bool)
    keyed = findings["record_key"].notna()
    tables = {table for name in contracts.institutions() for table in contracts.load(name).tables}
    marked = findings.assign(
        _turn=turn.fillna(-1).astype("int64").to_numpy(),
        _whole=whole & ~keyed,
        _file=findings["file"].mask(keyed, None),
        _part=findings["part"].where(findings["part"].isin(tables) | ~keyed, None),
        _text=findings["value"].where(~keyed & ~whole, None),
    )
    in_place = marked.sort_values(["line", "value"], kind="stable")
    nth = in_place.groupby(["delivery", *_IDENTITY], dropna=False, sort=False).cumcount()
    marked["_nth"] = nth.reindex(marked.index).astype("str")
    key = [*_IDENTITY, "_nth"]
    marked["_same"] = marked.groupby(key, dropna=False, sort=False).ngroup().astype("int64")
    one = marked.drop_duplicates("_same")
    rows = zip(*(one[c].fillna("").tolist() for c in key), strict=True)
    names = [hashlib.sha256("\0".join(row).encode("utf-8", "surrogatepass")).hexdigest()[:_KEPT] for row in rows]
    marked["finding"] = marked["_same"].map(dict(zip(one["_same"], names, strict=True))).astype("str")
    return marked


def _events(marked: pd.DataFrame, order: pd.DataFrame, records: pd.DataFrame | None) -> pd.DataFrame:
    """In the order of turns per identity: `_same`, `_turn`, `_there` (found in that delivery, or shown to be gone by it)."""
    there = marked.loc[marked["_turn"] >= 0, ["_same", "_turn"]].drop_duplicates().assign(_there=True)
    one = marked[marked["_turn"] >= 0].sort_values("_turn").drop_duplicates("_same")
    complete = order[order["state"] == "complete"]
    parts = [there]
    whole = one[one["_whole"]][["_same", "institution", "file"]]
    parts.append(whole.merge(complete[["institution", "_turn"]], on="institution"))
    parts.append(whole[whole["file"].isna()].merge(order[["institution", "_turn"]], on="institution"))
    replaced = complete.loc[complete["_replaces"], ["institution", "_turn"]].assign(_next=lambda f: f["_turn"] - 1)
    seen = marked.loc[marked["_turn"] >= 0, ["_same", "institution", "_turn"]].rename(columns={"_turn": "_next"})
    parts.append(seen.merge(replaced, on=["institution", "_next"]))
    parts.append(_held_again(one, order, records))
    every = pd.concat([part[[c for c in ("_same", "_turn", "_there") if c in part]] for part in parts], ignore_index=True)
    every = every[every["_turn"] >= every["_same"].map(one.set_index("_same")["_turn"])]
    every["_there"] = every["_there"].eq(True)
    every = every.sort_values(["_same", "_turn", "_there"], ascending=[True, True, False], kind="stable", ignore_index=True)
    return every.drop_duplicates(["_same", "_turn"], ignore_index=True)


def _held_again(one: pd.DataFrame, order: pd.DataFrame, records: pd.DataFrame | None) -> pd.DataFrame:
    """Deliveries that hold the record of an identity and can read it. A part without records (charges) is looked up by key alone."""
    if records is None or one.empty:
        return pd.DataFrame({"_same": pd.Series(dtype="int64"), "_turn": pd.Series(dtype="int64")})
    held = records.loc[records["status"] != "quarantined", ["institution", "delivery", "part", "record_key"]]
    held = held.merge(order[["institution", "delivery", "_turn"]], on=["institution", "delivery"])
    asked = one.loc[one["record_key"].notna(), ["_same", "institution", "_part", "record_key"]]
    numbered = held[["institution", "part"]].drop_duplicates().rename(columns={"part": "_part"}).assign(_own=True)
    asked = asked.merge(numbered, on=["institution", "_part"], how="left")
    by_key = asked.merge(held.drop_duplicates(["institution", "record_key", "_turn", "part"]), on=["institution", "record_key"])
    return by_key.loc[by_key["_own"].isna() | by_key["_part"].isna() | (by_key["part"] == by_key["_part"]), ["_same", "_turn"]]


def _fixed(marked: pd.DataFrame, gone: pd.DataFrame, order: pd.DataFrame) -> pd.DataFrame:
    """The findings that are gone, under the name of the first delivery that shows it."""
    last = marked[marked["severity"] != "info"].drop_duplicates(["_same", "_turn"]).drop(columns=["delivery", "state", "_since"])
    shown = gone[["_same", "_turn", "_before", "_since"]]
    rows = shown.merge(last.rename(columns={"_turn": "_before"}), on=["_same", "_before"])
    rows = rows.merge(order[["institution", "delivery", "_turn"]], on=["institution", "_turn"]).sort_values(["_turn", "_same"])
    blank = pd.Series(pd.NA, index=rows.index, dtype="Int64")
    return rows.assign(state="fixed", line=blank, column=blank, detail=None)


def _named(rows: pd.DataFrame, order: pd.DataFrame) -> pd.DataFrame:
    """With `since` as the name of a delivery; the finding's own where it is unknown."""
    names = order.set_index(["institution", "_turn"])["delivery"]
    asked = pd.MultiIndex.from_arrays([rows["institution"], rows["_since"].astype("float64").fillna(-1).astype("int64")])
    since = pd.Series(names.reindex(asked).array, index=rows.index, dtype="str")
    return rows.assign(since=since.fillna(rows["delivery"]))
