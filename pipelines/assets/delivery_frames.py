"""Frames in which each row names its delivery, so that the output of a stage can be stored and loaded by delivery.

Belongs here: adding the delivery to each row that reading, validation and harmonising return, and converting such frames back. Does not
belong here: storing the frames (`pipelines.resources.delivery_store`), the stages (`institution_stages`).
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from pipelines import own_past, returned_counts
from pipelines.harmonisation.stage import harmonise
from pipelines.life_findings import list_case_state_columns
from pipelines.resources import lake
from pipelines.resources.delivery_store import DELIVERY, DeliveryStore
from pipelines.resources.lake import Frames
from pipelines.resources.workplace import Workplace
from pipelines.validation import ValidatedDeliveries, validate
from schemas.canonical import arrow_schema
from sources import contract
from sources.contract import TableSpec
from sources.readers.delivery import combine_readings
from sources.readers.file_reading import FileReading
from sources.readers.result import ReadResult

ROW_COLUMN = "_row"  # number of the delivered row from which a canonical row was made; both rows have the same record status
_TABLE_PREFIX = "tables."


@dataclass
class RawDelivery(ReadResult):
    """A delivery as it was read, with its name.

    `incomplete` is true if a file was still being written when the delivery was received. Then a record that it lacks does not count as
    withdrawn.
    """

    delivery: str = ""
    incomplete: bool = False


def make_refused_delivery(institution: str, delivery: str, files: Iterable[str], rule: str, detail: str) -> RawDelivery:
    """Return a refused delivery: all its files are unreadable, and a finding of `rule` with `detail` gives the reason."""
    spec = contract.load(institution)
    readings = [FileReading(file, state="unreadable") for file in files]
    result = combine_readings(readings, spec)
    result.findings = [{"file": None, "rule": rule, "detail": detail or None}]
    return RawDelivery(**vars(result), delivery=delivery, incomplete=True)


def get_stage_folder(workplace: Workplace, institution: str, stage: str) -> Path:
    """Return the folder of the lake with the output of a stage of an institution."""
    return workplace.home.lake / institution / stage


def convert_deliveries_to_frames(deliveries: list[RawDelivery]) -> Frames:
    """Convert deliveries that were read to frames in which each row names its delivery.

    The frame `row_counts` has the numbers of rows that the asset's page in Dagster shows.
    """
    names = pd.Series([delivery.delivery for delivery in deliveries], dtype="str")
    frames = lake.convert_value_to_frames(deliveries)
    items = frames.pop(lake.ITEMS_FRAME).assign(**{DELIVERY: names})
    out = {name: frame.assign(**{DELIVERY: names.to_numpy()[frame[lake.ITEM_COLUMN].to_numpy()]}) for name, frame in frames.items()}
    row_counts = [
        (delivery.delivery, sum(map(len, delivery.tables.values())), len(delivery.unreadable), len(delivery.structure))
        for delivery in deliveries
    ]
    counts = pd.DataFrame(row_counts, columns=[DELIVERY, "rows", "unreadable", "structural"])
    return {**out, lake.ITEMS_FRAME: items, "row_counts": counts.astype({DELIVERY: "str"})}


def convert_frames_to_deliveries(frames: Frames) -> list[RawDelivery]:
    """Convert frames made by `convert_deliveries_to_frames` back to deliveries."""
    index_by_delivery = {name: n for n, name in enumerate(frames[lake.ITEMS_FRAME][DELIVERY])}
    numbered = {name: frame.assign(**{lake.ITEM_COLUMN: frame[DELIVERY].map(index_by_delivery)}) for name, frame in frames.items()}
    deliveries: list[RawDelivery] = lake.convert_frames_to_value(list[RawDelivery], numbered)
    return deliveries


def load_validated_deliveries(institution: str, store: DeliveryStore) -> ValidatedDeliveries:
    """Load the validated rows of all deliveries of an institution, with only the columns that the stage "record status" reads."""
    if not store.manifest:
        return deepcopy(_make_empty_validation_result(institution))
    declared = contract.load(institution)
    columns_by_frame = {f"{_TABLE_PREFIX}{name}": _list_columns_that_decide_record_status(spec) for name, spec in declared.tables.items()}
    if units := declared.units:
        columns_by_frame[f"{_TABLE_PREFIX}{units.table}"] |= {*units.columns, f"{units.number}:text"}
    frames = store.load_frames(selects_column=lambda name, c: name not in columns_by_frame or c in columns_by_frame[name])
    tables = {name.removeprefix(_TABLE_PREFIX): frames.pop(name) for name in list(frames) if name.startswith(_TABLE_PREFIX)}
    return ValidatedDeliveries(institution=institution, tables=tables, **frames)


@cache
def _make_empty_validation_result(institution: str) -> ValidatedDeliveries:
    """Return the result of validation for an institution without deliveries. The caller must not modify it."""
    return validate(institution, {})


def count_validated_rows(store: DeliveryStore) -> tuple[int, int, pd.DataFrame]:
    """Count the readable rows and the quarantined rows of all validated deliveries.

    Also return the columns `severity` and `rule` of all findings.
    """
    frames = store.load_frames(selects_column=lambda _, column: column in ("_delivery", "delivery", "severity", "rule"))
    rows = sum(len(frame) for name, frame in frames.items() if name.startswith(_TABLE_PREFIX))
    nothing = pd.DataFrame(columns=["severity", "rule"], dtype="str")
    return rows, len(frames.get("quarantined", nothing)), frames.get("findings", nothing)[["severity", "rule"]]


def _list_columns_that_decide_record_status(spec: TableSpec) -> set[str]:
    """List the columns of a validated table on which the record status depends, or which are compared between deliveries."""
    position_columns = {"_row", "_delivery", "_file", "_part", "_line", "_key", "_parent", "_record", "_case", "_period", "_version"}
    filled_columns = {f"{column.name}:given" for column in spec.columns}
    argument_columns = {f"{column.name}:argument" for column in spec.columns if column.prefixes and column.type == "code"}
    keys = {spec.crosswalk.table, spec.crosswalk.old, spec.crosswalk.new} if spec.crosswalk else set()
    return (
        position_columns
        | filled_columns
        | argument_columns
        | keys
        | returned_counts.list_count_columns(spec)
        | list_case_state_columns(spec)
        | own_past.list_columns_compared_with_past(spec)
        | ({"_content"} if spec.entity else set())
    )


def list_delivered_files(institution: str, store: DeliveryStore) -> pd.DataFrame:
    """List the files of all deliveries of an institution. Columns of the result: institution, delivery, file, state."""
    files = store.load_frames({"files"}.__contains__)["files"] if store.manifest else _make_empty_validation_result(institution).files
    return files[["delivery", "file", "state"]].assign(institution=institution)


def convert_validated_deliveries_to_frames(validated: ValidatedDeliveries) -> Frames:
    """Convert the result of validation to frames in which each row names its delivery."""
    tables = {f"{_TABLE_PREFIX}{name}": frame.assign(**{DELIVERY: frame["_delivery"]}) for name, frame in validated.tables.items()}
    others = {name: getattr(validated, name) for name in ("deliveries", "files", "quarantined", "structure", "findings")}
    return {**tables, **{name: frame.assign(**{DELIVERY: frame["delivery"]}) for name, frame in others.items()}}


def make_canonical_rows(institution: str, frames: Frames) -> Frames:
    """Convert validated rows to canonical rows. Each has the columns `ROW_COLUMN` and `DELIVERY`, but not yet a record status.

    The mapping of an institution copies the status of each row unchanged. It is given the number of the row in place of the status, so that
    the status can be looked up later.
    """
    tables = {name.removeprefix(_TABLE_PREFIX): frame for name, frame in frames.items() if name.startswith(_TABLE_PREFIX)}
    canonical_tables = harmonise(
        institution, {name: frame.assign(_status=frame[ROW_COLUMN].astype("str")) for name, frame in tables.items()}
    )
    rows = {name: frame["status"].astype("int64") for name, frame in canonical_tables.items()}
    return {
        name: frame.drop(columns="status").assign(**{ROW_COLUMN: rows[name], DELIVERY: frame["delivery"]})
        for name, frame in canonical_tables.items()
    }


def add_record_status(harmonised: DeliveryStore, status_by_row: pd.Series, table_name: str) -> pa.Table:
    """Return a canonical table of one institution, with all versions of each record, and with the record status of every row.

    `status_by_row` has the record status (as a category) of each delivered row, by the number of the row (`ROW_COLUMN`).
    """
    rows, schema = harmonised.load_table(table_name), arrow_schema(table_name)
    if rows is None:
        return schema.empty_table()
    codes = np.append(status_by_row.cat.codes, -1)[status_by_row.index.get_indexer(rows[ROW_COLUMN].to_numpy())]
    status_column = pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), pa.array(status_by_row.cat.categories, pa.string()))
    columns = {**dict(zip(rows.column_names, rows.columns, strict=True)), "status": status_column}
    return pa.table([columns[field.name].cast(field.type) for field in schema], schema=schema)
