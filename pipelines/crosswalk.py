"""Crosswalks: which record replaced which, when an institution's new system delivers records under new keys (`crosswalk` of a contract;
counting-rules.md).

Belongs here: which record replaced which, canonical tables in which earlier states have the new keys, findings about a crosswalk. Does
not belong here: record status (`pipelines.record_status`), which person of a file is which if the crosswalk lacks them
(`pipelines.linkage.places`).

A row of `SUCCESSORS` (institution, entity, old_key, new_key) tells the successor of a record. A person of a replaced file whom the
crosswalk lacks has only one of the two keys.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from schemas import findings
from schemas.canonical import ENTITY_OF
from sources.contract import Contract, Units

SUCCESSORS = ("institution", "entity", "old_key", "new_key")
_PLACE = {"_delivery": "delivery", "_file": "file", "_part": "part", "_line": "line"}


def crosswalk_rows(contract: Contract, tables: Mapping[str, pd.DataFrame], deliveries: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the crosswalks in current deliveries. Columns: table, old, new (keys as text), field (the delivered column with
    the new key), delivery, file, part, line.

    tables: typed, in the order of the deliveries. deliveries: period, version, state.
    """
    complete = deliveries[deliveries["state"] == "complete"].groupby("period")["version"].max()
    parts = []
    for name, spec in contract.tables.items():
        if spec.crosswalk is None:
            continue
        rows = tables[name]
        current = rows[rows["_version"] >= rows["_period"].map(complete).astype("float64").fillna(0)]
        keys = {part: current[getattr(spec.crosswalk, part)].astype("str") for part in ("table", "old", "new")}
        parts.append(current[list(_PLACE)].rename(columns=_PLACE).assign(**keys, field=spec.crosswalk.new))
    columns = ["table", "old", "new", "field", *_PLACE.values()]
    return pd.concat(parts, ignore_index=True)[columns].dropna(subset=["table", "old", "new"]) if parts else pd.DataFrame(columns=columns)


def replaced_records(rows: pd.DataFrame, delivered: Mapping[str, pd.Series]) -> pd.DataFrame:
    """Return, for each replaced record, the one that replaced it in the end. Columns: table, old, new. If a key has several rows, the
    last one counts.

    rows: from `crosswalk_rows`. delivered: table -> keys of its accepted records. A key that leads to no accepted record, or in a
    circle, replaces nothing.
    """
    followed, known = _follow_to_end(rows), _keys_as_sets(delivered)
    there = [end in known[table] for table, end in zip(followed["table"], followed["end"], strict=True)]
    return followed.loc[there, ["table", "old", "end"]].rename(columns={"end": "new"}).reset_index(drop=True)


def _follow_to_end(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the last row of each old key, with `end`: the new key after all changes of system; null if the rows lead in a circle."""
    last = rows.drop_duplicates(["table", "old"], keep="last")
    last = last[last["old"] != last["new"]]
    ends = {name: _chain_ends(own.set_index("old")["new"]) for name, own in last.groupby("table")}
    keys = zip(last["table"], last["old"], strict=True)
    return last.assign(end=pd.Series([ends[table][old] for table, old in keys], index=last.index, dtype="str"))


def _chain_ends(then: pd.Series) -> dict[str, str | None]:
    """Return the end of the chain that begins at each key; None for a circle. `then`: the next key by key. Each round doubles the number
    of steps."""
    for _ in range(len(then).bit_length()):
        onward = then.map(then)
        if onward.isna().all():
            break
        then = onward.fillna(then)
    return {str(old): None if new in then.index else new for old, new in then.items()}


def findings_of(rows: pd.DataFrame, delivered: Mapping[str, pd.Series]) -> pd.DataFrame:
    """Return findings (`schemas.findings.COLUMNS`) on rows of a crosswalk that contradict each other, lead to no record, or lead in a
    circle. Parameters as for `replaced_records`."""
    distinct = rows.drop_duplicates(["table", "old", "new"])
    double = distinct.duplicated(["table", "old"], keep=False) | distinct.duplicated(["table", "new"], keep=False)
    onward = pd.MultiIndex.from_frame(distinct[["table", "new"]]).isin(pd.MultiIndex.from_frame(distinct[["table", "old"]]))
    known = np.array(
        [new in keys for new, keys in zip(distinct["new"], distinct["table"].map(_keys_as_sets(delivered)), strict=True)], dtype=bool
    )
    unknown = pd.Series(~onward & ~known, index=distinct.index)
    followed = _follow_to_end(rows)
    parts = [
        distinct[double].assign(rule="cross-crosswalk-double"),
        distinct[unknown].assign(rule="cross-crosswalk-unknown-key"),
        followed[followed["end"].isna()].assign(rule="cross-crosswalk-circle"),
    ]
    found = pd.concat(parts, ignore_index=True)
    return findings.complete(found.assign(record_key=found["new"], value=found["new"], detail=found["old"]))


def _keys_as_sets(delivered: Mapping[str, pd.Series]) -> dict[str, set[str]]:
    return {table: set(keys.dropna()) for table, keys in delivered.items()}


def missing_from_crosswalk(cases: pd.DataFrame, units: Units) -> pd.DataFrame:
    """Return findings on accepted cases of one unit that have the same number but different keys: one on each later case, with the
    earlier key as `detail`."""
    same = [f"{units.number}:text", *units.columns]
    own = cases[(cases["_status"] == "accepted") & cases["_key"].notna()].dropna(subset=same[:1])
    first = own.drop_duplicates(same)[[*same, "_key"]].rename(columns={"_key": "detail"})
    found = own.merge(first, on=same)
    found = found[found["_key"] != found["detail"]].rename(columns={**_PLACE, "_key": "record_key"})
    return findings.complete(found.assign(field=units.number, rule="cross-crosswalk-lacks-record"))


def successors(contract: Contract, tables: Mapping[str, pd.DataFrame], found: pd.DataFrame) -> pd.DataFrame:
    """Return the successors of an institution's records (`SUCCESSORS`). tables: with `_key`, `_case`, `_status`; found: from
    `replaced_records`."""
    parts = []
    for name, spec in contract.tables.items():
        own = found.loc[found["table"] == name, ["old", "new"]].set_axis(["old_key", "new_key"], axis=1)
        entities = {"case": ["case"], "person": ["person"], "both": ["case", "person"]}.get(spec.entity or "", [])
        parts += [own.assign(entity=entity) for entity in entities]
        if spec.entity == "person" and spec.parent:
            files = found[found["table"] == spec.parent]
            parts.append(_unmatched_persons(tables[name], files, own).assign(entity="person"))
    out = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["old_key", "new_key", "entity"])
    return out.assign(institution=contract.institution)[list(SUCCESSORS)].astype("str")


def _unmatched_persons(persons: pd.DataFrame, files: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Return the persons of replaced files whom the crosswalk lacks, if the new file has such a person too. Columns: old_key or new_key."""
    rows = persons[["_key", "_case"]].dropna().drop_duplicates()
    old = rows[rows["_case"].isin(files["old"]) & ~rows["_key"].isin(known["old_key"])]
    old = old.assign(file=old["_case"].map(files.drop_duplicates("old").set_index("old")["new"]))
    new = rows[rows["_case"].isin(files["new"]) & ~rows["_key"].isin(known["new_key"])].assign(file=lambda f: f["_case"])
    both = set(old["file"]) & set(new["file"])
    sides = (old[old["file"].isin(both)], "old_key"), (new[new["file"].isin(both)], "new_key")
    return pd.concat([side[["_key"]].set_axis([name], axis=1) for side, name in sides], ignore_index=True)


def with_new_keys(tables: Mapping[str, pd.DataFrame], successors: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return canonical tables in which replaced records have their new keys. Persons whom the crosswalk lacks get their own key as
    `place`, so that `linkage.places` decides who is who."""
    out = dict(tables)
    if successors.empty:
        return out
    whole = successors.dropna(subset=["old_key", "new_key"]).drop_duplicates(["institution", "entity", "old_key"])
    key_of = {str(entity): rows.set_index(["institution", "old_key"])["new_key"] for entity, rows in whole.groupby("entity")}
    half = successors[successors["old_key"].isna() | successors["new_key"].isna()]
    unmatched = pd.MultiIndex.from_arrays([half["institution"], half["old_key"].fillna(half["new_key"])])
    for name, frame in tables.items():
        changed: dict[str, pd.Series] = {}
        for column, entities in (("record_key", ENTITY_OF[name]), ("case_key", ("case",))):
            for entity in entities if column in frame else ():
                new = key_of.get(entity, pd.Series(dtype="str")).reindex(pd.MultiIndex.from_frame(frame[["institution", column]]))
                there = new.notna().to_numpy()
                if len(entities) > 1:
                    there = there & (frame["entity"] == entity).to_numpy()
                changed[column] = changed.get(column, frame[column]).mask(there, new.array).astype(frame[column].dtype)
        if name == "person_records" and len(half):
            own = pd.MultiIndex.from_frame(frame[["institution", "record_key"]]).isin(unmatched)
            changed["place"] = frame["place"].mask(own, frame["record_key"]).astype(frame["place"].dtype)
        out[name] = frame.assign(**changed)
    return out


def with_old_keys(partition: pd.DataFrame, successors: pd.DataFrame, entity: str) -> pd.DataFrame:
    """Return `partition` (institution, record_key, cluster) with a further row for each replaced record, in the cluster of its
    successor: the register of identities knows the record by its old key."""
    old = successors[successors["entity"] == entity].dropna(subset=["old_key", "new_key"])
    new = partition.rename(columns={"record_key": "new_key"})
    found = old.merge(new, on=["institution", "new_key"]).rename(columns={"old_key": "record_key"})
    found = found.drop_duplicates(["institution", "record_key"])
    there = pd.MultiIndex.from_frame(found[["institution", "record_key"]]).isin(
        pd.MultiIndex.from_frame(partition[["institution", "record_key"]])
    )
    return pd.concat([partition, found.loc[~there, list(partition.columns)]], ignore_index=True)
