"""Figures from cases and persons: the findings with their state, and the tables of the warehouse."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pandas as pd
import pyarrow as pa

from harmonia import signing
from harmonia.errors import HarmoniaError
from harmonia.feedback.answers import read_answers
from harmonia.registry import open_registry
from pipelines.asset_helpers import add_counts_to_asset_metadata, make_metadata_table, redact_stage_errors
from pipelines.assets.finding_states import write_finding_states
from pipelines.assets.versions import hash_frames, hash_values, versioned_asset
from pipelines.delivery_report import select_yearly_totals
from pipelines.landing.yardsticks import list_yardstick_files
from pipelines.resources import lake, parquet
from pipelines.resources.lake import StoredOutput, Tables
from pipelines.resources.workplace import Workplace
from schemas.texts import texts
from warehouse import tables
from warehouse.count import CountInputs, open_database_of_counting_models, require_complete_bridges
from warehouse.count.inputs import collect_run_inputs
from warehouse.count.table_models import TableModelDatabase
from warehouse.stores import read_pseudonym_key
from warehouse.yardsticks import convert_counts_of_returns_to_yardsticks, read_landed_yardstick_files

ROWS_TABLE = "indicator_row"
"""Name of the table with the records behind every figure. It is stored for `harmonia explain`, and is not published."""
PROBLEMS_TABLE = "yardstick_problem"
"""Name of the table with the yardsticks that could not be compared. It is stored for the console, and is not published."""


def _hash_answers(workplace: Workplace) -> object:
    """Return hashes of what the findings depend on besides other outputs: the institutions' answers, decisions on them, and the pseudonym
    key.
    """
    registry = open_registry(workplace.registry)
    try:
        return [hash_frames(read_answers(registry)), hash_values(read_pseudonym_key(workplace.home.root).hex())]
    finally:
        registry.close()


@versioned_asset(
    other_inputs=_hash_answers,
    group_name="count",
    kinds={"pandas", "parquet"},
    description="Findings of all institutions with their state: new, remaining or fixed.",
)
def findings(
    context: dg.AssetExecutionContext,
    record_status: Tables,
    comparison: Tables,
    workplace: dg.ResourceParam[Workplace],
) -> StoredOutput:
    """Set the state of all findings.

    The output has the table `findings`. Its columns are those of `harmonia.feedback.finding_states.COLUMNS_WITH_STATE`, and the
    institution's answer (`answer`, `answer_id`).
    """
    with redact_stage_errors(workplace, "updating the findings"):
        registry = open_registry(workplace.registry)
        try:
            answers = read_answers(registry)
        finally:
            registry.close()
        output, counts = write_finding_states(workplace, record_status, comparison, answers, read_pseudonym_key(workplace.home.root))
    add_counts_to_asset_metadata(
        context, int(counts["findings"].sum()), {"by institution, severity and state": make_metadata_table(counts)}
    )
    return output


class SqlModelTable(parquet.BatchStream):
    """A table that SQL queries (the table models) compute. It is read in batches."""

    def __init__(self, sql_models: TableModelDatabase, table_name: str) -> None:
        self._models, self._name = sql_models, table_name

    def __iter__(self) -> Iterator[pa.Table]:
        schema = tables.arrow_schema(tables.WAREHOUSE.tables[self._name]) if self._name in tables.WAREHOUSE.tables else None
        yield from self._models.read_batches(self._name, schema)


def read_duckdb_memory_limit() -> str:
    """Return the memory limit of DuckDB for computing the figures, from the setting `HARMONIA_COUNTING_MEMORY` (in MiB).

    This process itself needs some 300 MiB more. Raises `HarmoniaError` if the setting is not a number.
    """
    value = os.environ.get("HARMONIA_COUNTING_MEMORY") or "1024"
    if not value.isascii() or not value.isdigit() or int(value) < 1:
        raise HarmoniaError(f"HARMONIA_COUNTING_MEMORY is {value!r}: give a whole number of MiB, 1 or more")
    return f"{value}MiB"


def _read_signatures(workplace: Workplace) -> pd.DataFrame:
    """Return the quarters that the heads of institutions have signed."""
    registry = open_registry(workplace.registry)
    try:
        return signing.list_signature_states(registry)
    finally:
        registry.close()


def _list_yardstick_files(workplace: Workplace) -> list[tuple[str, Path]]:
    """List the landed files with yardsticks (figures that institutions published). Each has its name and its path in the landing store."""
    registry = open_registry(workplace.registry)
    try:
        return list_yardstick_files(registry, workplace.home)
    finally:
        registry.close()


def _read_signatures_and_yardsticks_version(workplace: Workplace) -> object:
    """Return a hash of the signatures, and the names of the yardstick files. A file in the landing store is named by its hash."""
    return [hash_frames(_read_signatures(workplace)), [(name, path.name) for name, path in _list_yardstick_files(workplace)]]


@versioned_asset(
    other_inputs=_read_signatures_and_yardsticks_version,
    group_name="count",
    kinds={"duckdb", "parquet"},
    description="The published tables: figures as reported and harmonised, the bridge between them, and the facts behind them.",
)
def statistics(
    context: dg.AssetExecutionContext,
    canonical: Tables,
    identities: Tables,
    record_status: Tables,
    findings: Tables,
    workplace: dg.ResourceParam[Workplace],
) -> StoredOutput:
    """Compute the figures. The output has every table of the warehouse, by name, and the tables `ROWS_TABLE` and `PROBLEMS_TABLE`."""
    output, spill_folder = StoredOutput(workplace.home.lake / "statistics"), workplace.home.lake / ".counting"
    with redact_stage_errors(workplace, "counting"):
        try:
            signatures = _read_signatures(workplace)
            published = pd.concat(
                [
                    read_landed_yardstick_files(_list_yardstick_files(workplace)),
                    convert_counts_of_returns_to_yardsticks(canonical["returns"]),
                ],
                ignore_index=True,
            )
            _count_and_write_tables(
                collect_run_inputs(canonical, identities, record_status, findings, signatures, published), output, spill_folder
            )
        finally:
            shutil.rmtree(spill_folder, ignore_errors=True)
    figures = parquet.read_table(output.folder / "statistics.parquet")
    add_counts_to_asset_metadata(
        context, len(figures), {f"yearly totals ({texts('console')['total']})": make_metadata_table(select_yearly_totals(figures))}
    )
    return output


def _count_and_write_tables(inputs: CountInputs, output: StoredOutput, spill_folder: Path) -> None:
    """Compute the figures, and write all tables into `output`. DuckDB writes what does not fit into its memory to `spill_folder`."""
    with open_database_of_counting_models(inputs, spill_folder, read_duckdb_memory_limit()) as models:
        require_complete_bridges(models)
        names = [*(table.name for table in tables.list_declared_tables_except_views(tables.WAREHOUSE)), ROWS_TABLE, PROBLEMS_TABLE]
        lake.write_tables(output.folder, {name: SqlModelTable(models, name) for name in names})
