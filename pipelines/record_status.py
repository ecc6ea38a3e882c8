"""The record status over all deliveries of one institution (`docs/reference/counting-rules.md`, "Record status").

Belongs here: the status of every row, the lineage of records, and the row accounting, which proves that no row is lost. Deliveries are
ordered by quarter, then by version, never by the time of arrival.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from harmonia.errors import HarmoniaError
from pipelines import crosswalk, over_time
from pipelines import returned_counts as counts
from pipelines.life_findings import find_cancelled_reopened_and_late_cases
from pipelines.resources.encoded_texts import number_equal_rows
from pipelines.root_causes import add_root_causes
from pipelines.units import UnitIndex
from pipelines.validation import ValidatedDeliveries
from pipelines.validation.keys import order_tables_parents_first
from schemas import findings
from sources import contract as contracts
from sources.contract import Contract, TableSpec

LINEAGE_COLUMNS = ("institution", "entity", "record_key", "delivery", "file", "part", "line", "status")
ROW_OUTCOMES = ("accepted", "superseded", "withdrawn", "quarantined", "structural")


@dataclass
class RecordStatuses:
    """All deliveries of one institution, in which each row has a record status.

    - tables: the typed rows of each table, over all deliveries, with the columns `_delivery`, `_period` and `_status`
    - quarantined: the quarantined rows (columns: `pipelines.validation.QUARANTINE_COLUMNS`)
    - lineage: one row for each record with a readable key in each delivery that has it (columns: `LINEAGE_COLUMNS`, and `unit` and
      `number`, see `pipelines.units`)
    - accounting: the numbers of rows in each file: institution, delivery, file, read (rows that the reader counted), and one column for
      each of `ROW_OUTCOMES`
    - findings: the findings of validation and of this stage (columns: `schemas.findings.COLUMNS`)
    - deliveries: institution, delivery, period, version, state
    - successors: the records that continue replaced records (columns: `pipelines.crosswalk.SUCCESSOR_COLUMNS`)
    - returns: the figures that the institution delivered (columns: `pipelines.returned_counts.RETURNED_COUNT_COLUMNS`)
    """

    tables: dict[str, pd.DataFrame]
    quarantined: pd.DataFrame
    lineage: pd.DataFrame
    accounting: pd.DataFrame
    findings: pd.DataFrame
    deliveries: pd.DataFrame
    successors: pd.DataFrame
    returns: pd.DataFrame


def resolve_record_statuses(validated: ValidatedDeliveries) -> RecordStatuses:
    """Set the record status of every row.

    Raises `HarmoniaError`, which names the file, if the numbers of rows of a file do not add up.
    """
    contract = contracts.load(validated.institution)
    deliveries, quarantined = validated.deliveries, validated.quarantined
    tables = {name: frame.assign(_status=pd.Series(None, index=frame.index, dtype="str")) for name, frame in validated.tables.items()}
    quarantined_keys, later_findings = _list_quarantined_keys(quarantined, deliveries), list[pd.DataFrame]()
    for name, spec in contract.tables.items():
        if spec.entity or spec.own_states:
            tables[name]["_status"] = _determine_record_status(tables[name], deliveries, quarantined_keys.get(name, pd.DataFrame()))
        if spec.place:
            left_out = _find_rows_missing_from_later_list(tables[name], validated.files, quarantined_keys.get(name, pd.DataFrame()))
            tables[name].loc[left_out.index, "_status"] = "superseded"
            later_findings.append(
                findings.complete_columns(left_out.assign(field=spec.place, rule="cross-place-left-out", institution=validated.institution))
            )
    replaced, new_findings = _apply_crosswalk(contract, tables, deliveries)
    later_findings.append(new_findings)
    old_cases = replaced[replaced["table"].isin([name for name, spec in contract.tables.items() if spec.entity in ("case", "both")])]
    for name, spec in order_tables_parents_first(contract):
        if spec.crosswalk or spec.counts:
            tables[name]["_status"] = "structural"
            continue
        if not spec.entity and not spec.own_states:
            tables[name]["_status"] = _copy_parent_status(tables[name], spec, tables)
        belongs_to_old_case = tables[name]["_case"].isin(old_cases["old"]) & (tables[name]["_status"] == "accepted")
        tables[name].loc[belongs_to_old_case, "_status"] = "superseded"
    lineage = _build_lineage(validated.institution, contract.tables, tables, quarantined)
    accounting = _count_rows_by_outcome(validated, tables)
    later = over_time.find_changes_over_time(validated.institution, contract, tables, deliveries, lineage)
    later_findings.append(find_cancelled_reopened_and_late_cases(contract, tables, deliveries))
    reported = _drop_findings_explained_by_blank_columns(validated.findings, later)
    new_findings = pd.concat([f for f in (reported, later, *later_findings) if len(f)] or [later], ignore_index=True)
    units = UnitIndex(tables, contract)
    new_findings = findings.combine_findings_with_same_text(
        add_root_causes(units.add_units(new_findings[list(findings.COLUMNS)]), tables), lineage
    )
    successors = crosswalk.list_successors_of_records(contract, tables, replaced)
    returns = counts.select_current_counts(contract, tables)
    return RecordStatuses(tables, quarantined, units.add_units(lineage), accounting, new_findings, deliveries, successors, returns)


def _apply_crosswalk(contract: Contract, tables: dict[str, pd.DataFrame], deliveries: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the records that were replaced according to a crosswalk, and the findings on the crosswalk.

    See `pipelines.crosswalk.find_replaced_records`.
    """
    entries = crosswalk.collect_crosswalk_rows(contract, tables, deliveries)
    records = {name: tables[name] for name, spec in contract.tables.items() if spec.entity}
    accepted = {name: frame.loc[frame["_status"] == "accepted", "_key"] for name, frame in records.items()}
    replaced = crosswalk.find_replaced_records(entries, accepted)
    new_findings = [crosswalk.find_crosswalk_faults(entries, accepted)]
    if len(entries) and contract.units and contract.units.number:
        cases = tables[contract.units.table]
        cases = cases[~cases["_key"].isin(replaced.loc[replaced["table"] == contract.units.table, "old"])]
        new_findings.append(crosswalk.find_cases_missing_from_crosswalk(cases, contract.units))
    return replaced, pd.concat(new_findings, ignore_index=True).assign(institution=contract.institution)


def _drop_findings_explained_by_blank_columns(findings_of_validation: pd.DataFrame, findings_over_time: pd.DataFrame) -> pd.DataFrame:
    """Drop the findings of validation on empty cells of a column if another finding reports that the whole column is blank."""
    columns = ["delivery", "file", "field"]
    blank = findings_over_time.loc[findings_over_time["rule"] == "cross-column-blank", columns]
    is_empty_cell = (findings_of_validation["rule"] == "cell-empty") & findings_of_validation["delivery"].isin(blank["delivery"])
    dropped = is_empty_cell.to_numpy(dtype=bool, copy=True)
    dropped[dropped] = pd.MultiIndex.from_frame(findings_of_validation.loc[is_empty_cell, columns]).isin(pd.MultiIndex.from_frame(blank))
    return findings_of_validation[~dropped]


def _list_quarantined_keys(quarantined: pd.DataFrame, deliveries: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the keys of the quarantined rows of each table. Columns: period, version, record_key.

    A record with such a key is not withdrawn, since the delivery does contain it, although only in a quarantined row.
    """
    if quarantined.empty:
        return {}
    known = quarantined[quarantined["record_key"].notna()].merge(deliveries[["delivery", "period", "version"]], on="delivery")
    return {str(t): g[["period", "version", "record_key"]] for t, g in known.groupby("table")}


def _determine_record_status(frame: pd.DataFrame, deliveries: pd.DataFrame, quarantined_keys: pd.DataFrame) -> pd.Series:
    """Return the status of each row of a table of records.

    `frame` has the columns `_key`, `_content`, `_delivery`, `_period` and `_version`, and is in the order of the deliveries.
    `quarantined_keys` has the keys of the quarantined rows of this table (see `_list_quarantined_keys`).
    """
    status = pd.Series("superseded", index=frame.index, dtype="str")
    if frame.empty:
        return status
    survivor = _select_representative_rows(frame)
    states = frame.loc[survivor, ["_key", "_period", "_version"]]
    key, period = pd.factorize(states["_key"])[0], pd.factorize(states["_period"], sort=True)[0]
    corrected = states["_version"].groupby(number_equal_rows(period, key)).transform("max")
    last = states[(states["_version"] == corrected) & (key >= 0)]
    complete = deliveries[deliveries["state"] == "complete"].groupby("period")["version"].max()
    replaced = last["_period"].map(complete).fillna(0) > last["_version"]
    if len(quarantined_keys):
        newest = quarantined_keys[quarantined_keys["version"] == quarantined_keys["period"].map(complete)]
        spared = pd.MultiIndex.from_frame(last[["_period", "_key"]]).isin(pd.MultiIndex.from_frame(newest[["period", "record_key"]]))
        replaced &= ~spared
    status.loc[last.index[replaced]] = "withdrawn"
    remaining = pd.DataFrame({"key": key, "period": period}, index=states.index).loc[last.index[~replaced]]
    newest_period = remaining.groupby("key")["period"].transform("max")
    status.loc[remaining.index[remaining["period"] == newest_period]] = "accepted"
    return status


def _find_rows_missing_from_later_list(frame: pd.DataFrame, files: pd.DataFrame, quarantined_keys: pd.DataFrame) -> pd.DataFrame:
    """Find accepted persons who are missing from a later list of persons of their case. Only the latest list is valid (counting-rules.md).

    `frame` has the columns `_key`, `_case`, `_delivery`, `_file`, `_period`, `_version` and `_status`. The result has one row for each such
    row of `frame`, with the same index, and the columns record_key and delivery (the last delivery that has a list of the case). The list
    for a quarter is the one in the last version whose file was read completely, together with rows that later versions add. A person in a
    quarantined row is not missing.
    """
    complete_files = pd.MultiIndex.from_frame(files.loc[files["state"] == "complete", ["delivery", "file"]])
    rows = frame[frame["_case"].notna() & frame["_key"].notna()]
    complete = pd.MultiIndex.from_frame(rows[["_delivery", "_file"]]).isin(complete_files)
    if not complete.any():
        return pd.DataFrame({"record_key": [], "delivery": []}, index=frame.index[:0], dtype="str")
    least = rows[complete].groupby("_period")["_version"].max()
    lists = rows[rows["_version"] >= rows["_period"].map(least)]
    latest = lists.groupby("_case")["_period"].max()
    last = lists[lists["_period"] == lists["_case"].map(latest)]
    delivery_of_list = last.groupby("_case")["_delivery"].last()
    listed = [last[["_period", "_key"]].set_axis(["period", "key"], axis=1)]
    if len(quarantined_keys):
        listed.append(quarantined_keys[["period", "record_key"]].set_axis(["period", "key"], axis=1))
    accepted = rows[rows["_status"] == "accepted"].assign(latest=lambda f: f["_case"].map(latest))
    accepted = accepted[accepted["_period"] < accepted["latest"]]
    is_listed = pd.MultiIndex.from_frame(accepted[["latest", "_key"]]).isin(pd.MultiIndex.from_frame(pd.concat(listed)))
    left_out = accepted[~is_listed]
    return pd.DataFrame({"record_key": left_out["_key"], "delivery": left_out["_case"].map(delivery_of_list)}, index=left_out.index)


def _select_representative_rows(frame: pd.DataFrame) -> pd.Index:
    """Select, for each key in each delivery, the row that represents the record, and return the index of the selected rows.

    If a delivery has several rows with the same key, the first one is selected if they are identical, otherwise the last one.
    """
    group = pd.Series(number_equal_rows(pd.factorize(frame["_delivery"])[0], pd.factorize(frame["_key"])[0]), index=frame.index)
    if group.is_unique:
        return frame.index
    first, last = (group.drop_duplicates(keep=kept).index for kept in ("first", "last"))
    different = frame.groupby(group)["_content"].transform("nunique") > 1
    return first.difference(frame.index[different]).union(last.intersection(frame.index[different]))


def _copy_parent_status(frame: pd.DataFrame, spec: TableSpec, tables: dict[str, pd.DataFrame]) -> pd.Series:
    """Return the status of child rows (such as the charges of a case). A child row has the status of its parent row.

    If the delivery does not contain the parent row, the child rows of the latest period are accepted. If several accepted rows have the
    same key, only the last one stays accepted.
    """
    parent = tables[str(spec.parent)]
    status = frame["_parent"].map(parent.set_index("_row")["_status"]).astype("str")
    parentless = status.isna()
    if parentless.any():
        owner = frame["_record"].where(frame["_record"].notna(), frame["_key"] if spec.key else "")
        newest = frame[parentless].groupby(owner[parentless])["_period"].transform("max")
        status[parentless] = (frame.loc[parentless, "_period"] == newest).map({True: "accepted", False: "superseded"})
    if spec.key:
        accepted = frame[(status == "accepted") & frame["_key"].notna()]
        status.loc[accepted.index[accepted["_key"].duplicated(keep="last")]] = "superseded"
    return status


def _build_lineage(
    institution: str, specs: Mapping[str, TableSpec], tables: dict[str, pd.DataFrame], quarantined: pd.DataFrame
) -> pd.DataFrame:
    """Build the lineage of all records (columns: `LINEAGE_COLUMNS`). It includes quarantined rows whose key can be read."""
    parts = [pd.DataFrame(columns=list(LINEAGE_COLUMNS), dtype="str")]
    for name, spec in specs.items():
        for entity in _list_entities_of_table(spec):
            frame = tables[name]
            parts.append(
                pd.DataFrame(
                    {
                        "record_key": frame["_key"],
                        "entity": entity,
                        "delivery": frame["_delivery"],
                        "file": frame.get("_file"),
                        "part": frame.get("_part"),
                        "line": frame.get("_line"),
                        "status": frame["_status"],
                    }
                )
            )
            if len(quarantined):
                of_table = quarantined[(quarantined["table"] == name) & quarantined["record_key"].notna()]
                columns = ["record_key", "delivery", "file", "part", "line"]
                parts.append(of_table[columns].assign(entity=entity, status="quarantined"))
    out = pd.concat([p for p in parts if len(p)] or parts[:1], ignore_index=True).assign(institution=institution)
    out = out[list(LINEAGE_COLUMNS)]
    out["line"] = out["line"].astype("Int64")
    return out.drop_duplicates(["entity", "record_key", "delivery", "line", "part", "status"], ignore_index=True)


def _list_entities_of_table(spec: TableSpec) -> tuple[str, ...]:
    """Return what a row of a table is: a case, a person, both or neither."""
    return {"both": ("case", "person"), "case": ("case",), "person": ("person",)}.get(spec.entity or "", ())


def _count_rows_by_outcome(validated: ValidatedDeliveries, tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Count the rows of each file by outcome. `read` is the number that the reader counted; the other numbers come from the record status.

    Raises `HarmoniaError` if they do not add up.
    """
    files = validated.files[["delivery", "file", "read"]]
    statuses = [f[["_delivery", "_file", "_status"]].set_axis(["delivery", "file", "status"], axis=1) for f in tables.values()]
    statuses.append(validated.quarantined[["delivery", "file"]].assign(status="quarantined"))
    statuses.append(validated.structure[["delivery", "file"]].assign(status="structural"))
    rows = pd.concat([f for f in statuses if len(f)] or statuses[:1], ignore_index=True)
    counted = rows.groupby(["delivery", "file", "status"]).size().unstack("status", fill_value=0)
    index = pd.MultiIndex.from_frame(files[["delivery", "file"]])
    counted = counted.reindex(index=index, columns=list(ROW_OUTCOMES), fill_value=0).reset_index(drop=True)
    out = pd.concat([files, counted], axis=1)
    wrong = out[out["read"] != out[list(ROW_OUTCOMES)].sum(axis=1)]
    if len(wrong) or rows["status"].isna().any() or len(rows) != out["read"].sum():
        names = ", ".join(f"{w.delivery} {w.file}" for w in wrong.itertuples()) or "a file not named by the reader"
        raise HarmoniaError(
            f"{validated.institution}: the rows of {names} do not add up (read = accepted + superseded + withdrawn + quarantined + "
            "structural); nothing was published. This is a bug in Harmonia: please report it with the name of the delivery"
        )
    return out.assign(institution=validated.institution)[["institution", "delivery", "file", "read", *ROW_OUTCOMES]]
