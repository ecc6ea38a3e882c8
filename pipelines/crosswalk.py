"""Crosswalks: which record replaced which other record, after an institution's new system delivered its records under new keys.

Belongs here: finding the record that replaced another one (`crosswalk` of a contract, counting-rules.md), replacing old keys by new ones,
findings on a crosswalk. Does not belong here: record status (`pipelines.record_status`), matching the persons of a case file who are
missing from the crosswalk (`pipelines.linkage.list_positions`).

A successor is a row with the columns `SUCCESSOR_COLUMNS`: the record with the key `new_key` replaced the one with the key `old_key`. If a
case file was replaced and one of its persons is missing from the crosswalk, the row of this person has only one of the two keys.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from schemas import findings
from schemas.canonical import ENTITY_OF
from sources.contract import Contract, UnitsSpec

SUCCESSOR_COLUMNS = ("institution", "entity", "old_key", "new_key")
_LOCATION_COLUMNS = {"_delivery": "delivery", "_file": "file", "_part": "part", "_line": "line"}


def collect_crosswalk_rows(contract: Contract, tables: Mapping[str, pd.DataFrame], deliveries: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the crosswalks in deliveries that no later complete version replaced.

    Columns: table, old and new (keys as text), field (the delivered column with the new key), delivery, file, part, line. `tables` has
    typed rows in the order of the deliveries. `deliveries` has the columns period, version and state.
    """
    complete = deliveries[deliveries["state"] == "complete"].groupby("period")["version"].max()
    parts = []
    for name, spec in contract.tables.items():
        if spec.crosswalk is None:
            continue
        rows = tables[name]
        current = rows[rows["_version"] >= rows["_period"].map(complete).astype("float64").fillna(0)]
        keys = {part: current[getattr(spec.crosswalk, part)].astype("str") for part in ("table", "old", "new")}
        parts.append(current[list(_LOCATION_COLUMNS)].rename(columns=_LOCATION_COLUMNS).assign(**keys, field=spec.crosswalk.new))
    columns = ["table", "old", "new", "field", *_LOCATION_COLUMNS.values()]
    return pd.concat(parts, ignore_index=True)[columns].dropna(subset=["table", "old", "new"]) if parts else pd.DataFrame(columns=columns)


def find_replaced_records(crosswalk_rows: pd.DataFrame, keys_of_accepted_records: Mapping[str, pd.Series]) -> pd.DataFrame:
    """Find the records that were replaced, and for each of them the newest record that replaced it. Columns: table, old, new.

    `crosswalk_rows` come from `collect_crosswalk_rows`; if several rows have the same old key, the last one counts.
    `keys_of_accepted_records` has the keys of each table's accepted records. A record is not replaced if its new keys lead to no accepted
    record, or lead in a circle.
    """
    followed, accepted_keys = _find_final_keys(crosswalk_rows), _make_sets_of_keys_by_table(keys_of_accepted_records)
    leads_to_record = [end in accepted_keys[table] for table, end in zip(followed["table"], followed["end"], strict=True)]
    return followed.loc[leads_to_record, ["table", "old", "end"]].rename(columns={"end": "new"}).reset_index(drop=True)


def _find_final_keys(crosswalk_rows: pd.DataFrame) -> pd.DataFrame:
    """Return the last crosswalk row of each old key, with the column `end`: the newest key of the record.

    `end` is null if the keys lead in a circle.
    """
    last = crosswalk_rows.drop_duplicates(["table", "old"], keep="last")
    last = last[last["old"] != last["new"]]
    ends = {name: _find_ends_of_key_chains(rows_of_table.set_index("old")["new"]) for name, rows_of_table in last.groupby("table")}
    keys = zip(last["table"], last["old"], strict=True)
    return last.assign(end=pd.Series([ends[table][old] for table, old in keys], index=last.index, dtype="str"))


def _find_ends_of_key_chains(next_keys: pd.Series) -> dict[str, str | None]:
    """Return, for each key, the last key of the chain of new keys that begins at it; None if the chain is a circle.

    `next_keys` has, for each old key, the key that replaced it. Each round of the loop doubles the number of steps that are followed at
    once.
    """
    for _ in range(len(next_keys).bit_length()):
        next_but_one = next_keys.map(next_keys)
        if next_but_one.isna().all():
            break
        next_keys = next_but_one.fillna(next_keys)
    return {str(old): None if new in next_keys.index else new for old, new in next_keys.items()}


def find_crosswalk_faults(crosswalk_rows: pd.DataFrame, keys_of_accepted_records: Mapping[str, pd.Series]) -> pd.DataFrame:
    """Return findings on rows of a crosswalk that contradict each other, lead to no record, or lead in a circle.

    The parameters are those of `find_replaced_records`.
    """
    distinct = crosswalk_rows.drop_duplicates(["table", "old", "new"])
    double = distinct.duplicated(["table", "old"], keep=False) | distinct.duplicated(["table", "new"], keep=False)
    is_replaced_again = pd.MultiIndex.from_frame(distinct[["table", "new"]]).isin(pd.MultiIndex.from_frame(distinct[["table", "old"]]))
    known = np.array(
        [
            new in keys
            for new, keys in zip(distinct["new"], distinct["table"].map(_make_sets_of_keys_by_table(keys_of_accepted_records)), strict=True)
        ],
        dtype=bool,
    )
    unknown = pd.Series(~is_replaced_again & ~known, index=distinct.index)
    followed = _find_final_keys(crosswalk_rows)
    parts = [
        distinct[double].assign(rule="cross-crosswalk-double"),
        distinct[unknown].assign(rule="cross-crosswalk-unknown-key"),
        followed[followed["end"].isna()].assign(rule="cross-crosswalk-circle"),
    ]
    faults = pd.concat(parts, ignore_index=True)
    return findings.complete_columns(faults.assign(record_key=faults["new"], value=faults["new"], detail=faults["old"]))


def _make_sets_of_keys_by_table(keys_by_table: Mapping[str, pd.Series]) -> dict[str, set[str]]:
    """Return the keys of each table as a set, without nulls."""
    return {table: set(keys.dropna()) for table, keys in keys_by_table.items()}


def find_cases_missing_from_crosswalk(cases: pd.DataFrame, units: UnitsSpec) -> pd.DataFrame:
    """Return findings on accepted cases of the same unit that have the same case number but different keys.

    There is a finding on each case except the first one; its `detail` is the key of the first case.
    """
    number_and_unit = [f"{units.number}:text", *units.columns]
    numbered = cases[(cases["_status"] == "accepted") & cases["_key"].notna()].dropna(subset=number_and_unit[:1])
    first = numbered.drop_duplicates(number_and_unit)[[*number_and_unit, "_key"]].rename(columns={"_key": "detail"})
    later = numbered.merge(first, on=number_and_unit)
    later = later[later["_key"] != later["detail"]].rename(columns={**_LOCATION_COLUMNS, "_key": "record_key"})
    return findings.complete_columns(later.assign(field=units.number, rule="cross-crosswalk-lacks-record"))


def list_successors_of_records(contract: Contract, tables: Mapping[str, pd.DataFrame], replaced_records: pd.DataFrame) -> pd.DataFrame:
    """Return the successors of an institution's records (columns: `SUCCESSOR_COLUMNS`).

    `tables` must have the columns `_key`, `_case` and `_status`. `replaced_records` comes from `find_replaced_records`.
    """
    parts = []
    for name, spec in contract.tables.items():
        replaced_keys = replaced_records.loc[replaced_records["table"] == name, ["old", "new"]].set_axis(["old_key", "new_key"], axis=1)
        entities = {"case": ["case"], "person": ["person"], "both": ["case", "person"]}.get(spec.entity or "", [])
        parts += [replaced_keys.assign(entity=entity) for entity in entities]
        if spec.entity == "person" and spec.parent:
            files = replaced_records[replaced_records["table"] == spec.parent]
            parts.append(_find_persons_missing_from_crosswalk(tables[name], files, replaced_keys).assign(entity="person"))
    out = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["old_key", "new_key", "entity"])
    return out.assign(institution=contract.institution)[list(SUCCESSOR_COLUMNS)].astype("str")


def _find_persons_missing_from_crosswalk(
    persons: pd.DataFrame, replaced_case_files: pd.DataFrame, keys_in_crosswalk: pd.DataFrame
) -> pd.DataFrame:
    """Find the persons of replaced case files, old and new, who are missing from the crosswalk.

    They are returned only if both the old case file and the new one have such persons, since only then some of them may be the same. Each
    row has either `old_key` or `new_key`.
    """
    rows = persons[["_key", "_case"]].dropna().drop_duplicates()
    old = rows[rows["_case"].isin(replaced_case_files["old"]) & ~rows["_key"].isin(keys_in_crosswalk["old_key"])]
    old = old.assign(file=old["_case"].map(replaced_case_files.drop_duplicates("old").set_index("old")["new"]))
    new = rows[rows["_case"].isin(replaced_case_files["new"]) & ~rows["_key"].isin(keys_in_crosswalk["new_key"])].assign(
        file=lambda f: f["_case"]
    )
    both = set(old["file"]) & set(new["file"])
    sides = (old[old["file"].isin(both)], "old_key"), (new[new["file"].isin(both)], "new_key")
    return pd.concat([side[["_key"]].set_axis([name], axis=1) for side, name in sides], ignore_index=True)


def replace_old_record_keys(tables: Mapping[str, pd.DataFrame], successors: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the canonical tables, with the new keys of replaced records in place of their old keys.

    A person who is missing from the crosswalk gets the record key as list position (`place`), so that `pipelines.linkage.list_positions`
    decides which of these persons are the same.
    """
    out = dict(tables)
    if successors.empty:
        return out
    replaced = successors.dropna(subset=["old_key", "new_key"]).drop_duplicates(["institution", "entity", "old_key"])
    key_of = {str(entity): rows.set_index(["institution", "old_key"])["new_key"] for entity, rows in replaced.groupby("entity")}
    single_keys = successors[successors["old_key"].isna() | successors["new_key"].isna()]
    unmatched = pd.MultiIndex.from_arrays([single_keys["institution"], single_keys["old_key"].fillna(single_keys["new_key"])])
    for name, frame in tables.items():
        changed: dict[str, pd.Series] = {}
        for column, entities in (("record_key", ENTITY_OF[name]), ("case_key", ("case",))):
            for entity in entities if column in frame else ():
                new = key_of.get(entity, pd.Series(dtype="str")).reindex(pd.MultiIndex.from_frame(frame[["institution", column]]))
                has_new_key = new.notna().to_numpy()
                if len(entities) > 1:
                    has_new_key = has_new_key & (frame["entity"] == entity).to_numpy()
                changed[column] = changed.get(column, frame[column]).mask(has_new_key, new.array).astype(frame[column].dtype)
        if name == "person_records" and len(single_keys):
            is_unmatched = pd.MultiIndex.from_frame(frame[["institution", "record_key"]]).isin(unmatched)
            changed["place"] = frame["place"].mask(is_unmatched, frame["record_key"]).astype(frame["place"].dtype)
        out[name] = frame.assign(**changed)
    return out


def add_rows_for_old_keys(clusters: pd.DataFrame, successors: pd.DataFrame, entity: str) -> pd.DataFrame:
    """Add a row for the old key of each replaced record to `clusters` (columns: institution, record_key, cluster).

    The added row is in the same cluster as the record's successor. It is needed since the register of ids knows the record by its old key.
    """
    old = successors[successors["entity"] == entity].dropna(subset=["old_key", "new_key"])
    new = clusters.rename(columns={"record_key": "new_key"})
    old_records = old.merge(new, on=["institution", "new_key"]).rename(columns={"old_key": "record_key"})
    old_records = old_records.drop_duplicates(["institution", "record_key"])
    is_in_partition = pd.MultiIndex.from_frame(old_records[["institution", "record_key"]]).isin(
        pd.MultiIndex.from_frame(clusters[["institution", "record_key"]])
    )
    return pd.concat([clusters, old_records.loc[~is_in_partition, list(clusters.columns)]], ignore_index=True)
