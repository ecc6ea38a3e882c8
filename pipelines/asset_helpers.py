"""Helpers for all assets: adding counts to an asset's page in Dagster, and reducing an error to one line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any

import dagster as dg
import pandas as pd

from harmonia.errors import TransientError
from pipelines.failures import redact_errors
from pipelines.resources.workplace import Workplace

ROW_COUNT = "dagster/row_count"  # Dagster plots it over runs
RETRIES, RETRY_PAUSE = 3, 2.0  # how often an asset is repeated; seconds before the first repetition, doubled before each further one
WRITER_POOL = "writer"  # Dagster pool of the assets that write to the landing store or the warehouse: one of them runs at a time
_MAX_TABLE_ROWS = 60  # rows shown on a page of Dagster; the lake or the warehouse has all rows


@contextmanager
def redact_stage_errors(workplace: Workplace, activity: str, context: dg.AssetExecutionContext | None = None) -> Iterator[None]:
    """Reduce an unexpected error in the `with` block to one line, which contains no delivered value and names the log file.

    The line begins with `activity`, for example "police: reading". Assets that read or write files or databases pass their `context`, so
    that Dagster repeats them after a `TransientError`. Assets that only compute are not repeated.
    """
    try:
        with redact_errors(activity, workplace.logs):
            yield
    except TransientError:
        if context is None or context.retry_number >= RETRIES:
            raise
        raise dg.RetryRequested(max_retries=RETRIES, seconds_to_wait=RETRY_PAUSE * 2**context.retry_number) from None


def asset_check(**check_options: Any) -> Callable[[Callable[..., dg.AssetCheckResult]], dg.AssetChecksDefinition]:
    """Return a decorator that turns a function into a Dagster check, as `dg.asset_check(**check_options)` does.

    An error that the function raises is reduced to one line, like the errors of assets.
    """

    def decorate(function: Callable[..., dg.AssetCheckResult]) -> dg.AssetChecksDefinition:
        @wraps(function)
        def checked(*args: Any, **kwargs: Any) -> dg.AssetCheckResult:
            with redact_errors(f"check {check_options.get('name', function.__name__)}", getattr(kwargs.get("workplace"), "logs", None)):
                return function(*args, **kwargs)

        return dg.asset_check(**check_options)(checked)

    return decorate


def make_metadata_table(frame: pd.DataFrame) -> dg.MetadataValue:
    """Make a small table for Dagster's pages from the first rows of `frame`. The frame must contain only keys, codes and numbers."""
    first_rows = frame.head(_MAX_TABLE_ROWS)
    records = [
        dg.TableRecord({str(k): (None if pd.isna(v) else v if isinstance(v, int | float | str | bool) else str(v)) for k, v in row.items()})
        for row in first_rows.astype(object).to_dict("records")
    ]
    columns = [dg.TableColumn(str(name)) for name in first_rows.columns]
    return dg.MetadataValue.table(records, dg.TableSchema(columns=columns))


def add_counts_to_asset_metadata(context: dg.AssetExecutionContext, rows: int | None, counts: Mapping[str, Any]) -> None:
    """Add the number of rows and other counts to the metadata that Dagster shows for the asset."""
    metadata = dict(counts)
    if rows is not None:
        metadata[ROW_COUNT] = int(rows)
    context.add_output_metadata(metadata)
