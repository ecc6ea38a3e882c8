"""Figures from cases and persons: findings with their state, and the published tables."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pyarrow as pa

from harmonia.errors import HarmoniaError
from harmonia.feedback.answers import read
from harmonia.registry import open_registry
from pipelines.assets.following import follow_all
from pipelines.assets.versions import content, hashed, stage
from pipelines.delivery_report import totals
from pipelines.describing import redact_stage_errors, say, table
from pipelines.resources import lake, parquet
from pipelines.resources.lake import StoredOutput, Tables
from pipelines.resources.workplace import Workplace
from warehouse import tables
from warehouse.count import CountInputs, counting, require_bridges
from warehouse.count.inputs import run_inputs
from warehouse.count.models import Models
from warehouse.stores import secret

ROWS = "indicator_row"
"""The rows behind every figure, kept beside the published tables for whoever explains one."""


def _answered(workplace: Workplace) -> object:
    """What institutions answered and was decided on it."""
    registry = open_registry(workplace.registry)
    try:
        return [content(read(registry)), hashed(secret(workplace.home.root).hex())]
    finally:
        registry.close()


@stage(
    also=_answered,
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
    """`findings`: `harmonia.feedback.life.LIVED`, and what was answered (`answer`, `answer_id`)."""
    with redact_stage_errors(workplace, "updating the findings"):
        registry = open_registry(workplace.registry)
        try:
            answers = read(registry)
        finally:
            registry.close()
        made, counts = follow_all(workplace, record_status, comparison, answers, secret(workplace.home.root))
    say(context, int(counts["findings"].sum()), {"by institution, severity and state": table(counts)})
    return made


class Published(parquet.Stream):
    """A table of the models, some rows at a time."""

    def __init__(self, models: Models, name: str) -> None:
        self._models, self._name = models, name

    def __iter__(self) -> Iterator[pa.Table]:
        schema = tables.arrow_schema(tables.WAREHOUSE.tables[self._name]) if self._name in tables.WAREHOUSE.tables else None
        yield from self._models.parts(self._name, schema)


def memory() -> str:
    """How much memory DuckDB may take while it counts, beside some 300 MiB of this process: `HARMONIA_COUNTING_MEMORY`, in MiB.

    Raises `HarmoniaError` where that is no number.
    """
    given = os.environ.get("HARMONIA_COUNTING_MEMORY") or "1024"
    if not given.isascii() or not given.isdigit() or int(given) < 1:
        raise HarmoniaError(f"HARMONIA_COUNTING_MEMORY is {given!r}: give a whole number of MiB, 1 or more")
    return f"{given}MiB"


@stage(
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
    """Every table of the warehouse by its name, and `ROWS`."""
    made, spill = StoredOutput(workplace.home.lake / "statistics"), workplace.home.lake / ".counting"
    with redact_stage_errors(workplace, "counting"):
        try:
            _write(run_inputs(canonical, identities, record_status, findings), made, spill)
        finally:
            shutil.rmtree(spill, ignore_errors=True)
    figures = parquet.read_table(made.folder / "statistics.parquet")
    say(context, len(figures), {"yearly totals (trafficking and related offences)": table(totals(figures))})
    return made


def _write(given: CountInputs, made: StoredOutput, spill: Path) -> None:
    with counting(given, spill, memory()) as models:
        require_bridges(models)
        names = [*(one.name for one in tables.stored(tables.WAREHOUSE)), ROWS]
        lake.write(made.folder, {name: Published(models, name) for name in names})
