"""The union of all institutions: one table of each kind with the canonical records, record status and findings of all of them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
import pandas as pd
import pyarrow as pa

from pipelines.asset_helpers import add_counts_to_asset_metadata, make_metadata_table, redact_stage_errors
from pipelines.assets.delivery_frames import ROW_COLUMN, add_record_status, list_delivered_files
from pipelines.assets.versions import versioned_asset
from pipelines.record_status import LINEAGE_COLUMNS, ROW_OUTCOMES
from pipelines.resources import lake, parquet
from pipelines.resources.lake import StoredOutput, Tables
from pipelines.resources.workplace import Workplace
from schemas.canonical import TABLES
from schemas.findings import COLUMNS, NUMBER_COLUMNS


def _concatenate_frames(frames: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Concatenate frames. If all are empty, return the first one, so that the result has its columns."""
    all_frames = list(frames)
    filled = [frame for frame in all_frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else all_frames[0]


class CanonicalTable(parquet.BatchStream):
    """A canonical table of all institutions, which is read one institution at a time.

    `stage_outputs` has the output of the stage `harmonised` for each institution. `status_by_institution` has the record status of each
    institution's rows, by row number (`ROW_COLUMN`).
    """

    def __init__(self, stage_outputs: Mapping[str, Any], status_by_institution: Mapping[str, pd.Series], table_name: str) -> None:
        self._stages, self._status, self._name = stage_outputs, status_by_institution, table_name

    def __iter__(self) -> Iterator[pa.Table]:
        for institution, status in self._status.items():
            yield add_record_status(self._stages[f"{institution}_harmonised"], status, self._name)


def _build_canonical_asset(institutions: Sequence[str]) -> dg.AssetsDefinition:
    @versioned_asset(
        group_name="union",
        ins={f"{name}_{stage}": dg.AssetIn([name, stage]) for name in institutions for stage in ("harmonised", "current")},
        kinds={"pandas", "parquet"},
        description="Records of all institutions in the canonical schema, and successors of records, returns of counts.",
    )
    def canonical(context: dg.AssetExecutionContext, workplace: dg.ResourceParam[Workplace], **stages: Any) -> StoredOutput:
        with redact_stage_errors(workplace, "making the union"):
            current = {name: stages[f"{name}_current"] for name in institutions}
            status = {name: outputs["statuses"].set_index(ROW_COLUMN)["_status"].astype("category") for name, outputs in current.items()}
            output = StoredOutput(workplace.home.lake / "canonical")
            tables: dict[str, Any] = {name: CanonicalTable(stages, status, name) for name in TABLES}
            others = {name: _concatenate_frames(outputs[name] for outputs in current.values()) for name in ("successors", "returns")}
            lake.write_tables(output.folder, {**tables, **others})
        rows = {name: number for name, number in Tables(output.folder).count_rows().items() if name in TABLES}
        add_counts_to_asset_metadata(context, sum(rows.values()), {f"{name} rows": number for name, number in rows.items()})
        return output

    return canonical


class ConcatenatedTable(parquet.BatchStream):
    """A table that several stages have, concatenated.

    The columns in `schemas.findings.NUMBER_COLUMNS` are numbers; all others are texts.
    """

    def __init__(self, stages: Sequence[Tables], table_name: str, columns: Sequence[str]) -> None:
        self._stages, self._name = stages, table_name
        self._schema = pa.schema([(column, pa.int64() if column in NUMBER_COLUMNS else pa.large_string()) for column in columns])

    def __iter__(self) -> Iterator[pa.Table]:
        for stage_tables in self._stages:
            yield stage_tables.select_columns_as_arrow(self._name, self._schema.names).cast(self._schema)


def make_record_status_tables(
    landing_output: Tables, files_of_institutions: Sequence[pd.DataFrame], current_outputs: Sequence[Tables]
) -> dict[str, pd.DataFrame | parquet.BatchStream]:
    """Return the tables of the asset `record_status`, over all deliveries of all institutions.

    - deliveries: institution, delivery, period, version, state
    - files: institution, delivery, file, state (from the parameter `files_of_institutions`)
    - accounting: institution, delivery, file, the number of rows read, and the numbers of rows by record status
    - lineage, quarantined: as described in `pipelines.record_status.RecordStatuses`
    - findings: the findings of all institutions, and those on the inbox
    """
    return {
        "deliveries": _concatenate_frames(outputs["deliveries"] for outputs in current_outputs),
        "files": _concatenate_frames(files_of_institutions),
        "accounting": _concatenate_frames(outputs["accounting"] for outputs in current_outputs),
        "lineage": ConcatenatedTable(current_outputs, "lineage", (*LINEAGE_COLUMNS, "unit", "number")),
        "quarantined": _concatenate_frames(outputs["quarantined"] for outputs in current_outputs),
        "findings": ConcatenatedTable([landing_output, *current_outputs], "findings", COLUMNS),
    }


def _build_record_status_asset(institutions: Sequence[str]) -> dg.AssetsDefinition:
    @versioned_asset(
        group_name="union",
        ins={
            "landing": dg.AssetIn("landing"),
            **{f"{name}_validated": dg.AssetIn([name, "validated"]) for name in institutions},
            **{f"{name}_current": dg.AssetIn([name, "current"]) for name in institutions},
        },
        kinds={"pandas", "parquet"},
        description="Record status of all institutions: lineage of every record, row accounting, findings.",
    )
    def record_status(
        context: dg.AssetExecutionContext, workplace: dg.ResourceParam[Workplace], landing: Tables, **stages: Any
    ) -> StoredOutput:
        with redact_stage_errors(workplace, "gathering the record status"):
            files = [list_delivered_files(name, stages[f"{name}_validated"]) for name in institutions]
            output = StoredOutput(workplace.home.lake / "record_status")
            lake.write_tables(
                output.folder, make_record_status_tables(landing, files, [stages[f"{name}_current"] for name in institutions])
            )
            tables = Tables(output.folder)
        counts = tables["accounting"].groupby("institution")[["read", *ROW_OUTCOMES]].sum().reset_index()
        add_counts_to_asset_metadata(
            context, None, {"deliveries": len(tables["deliveries"]), "rows by institution": make_metadata_table(counts)}
        )
        return output

    return record_status


def build_union_assets(institutions: Sequence[str]) -> list[dg.AssetsDefinition]:
    """Return the assets `canonical` and `record_status`."""
    return [_build_canonical_asset(institutions), _build_record_status_asset(institutions)]
