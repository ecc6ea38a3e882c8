"""Helpers of all assets: attaching counts to an asset, and failing with an error of one line."""

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
RETRIES, RETRY_PAUSE = 3, 2.0  # retries of an input or output; seconds before the first, doubled for each further one
WRITER_POOL = "writer"  # pool of assets that write to landing or warehouse: always one slot
_MAX_TABLE_ROWS = 60  # rows of a small table; the rest is in the lake or the warehouse


@contextmanager
def redact_stage_errors(workplace: Workplace, activity: str, context: dg.AssetExecutionContext | None = None) -> Iterator[None]:
    """Reduce an unexpected error in the block to one line without values, which names the log file.

    The line begins with `activity`, for example "police: reading". Assets that do input or output pass their `context`, so that they are
    retried after a `TransientError`. Computations are not retried.
    """
    try:
        with redact_errors(activity, workplace.logs):
            yield
    except TransientError:
        if context is None or context.retry_number >= RETRIES:
            raise
        raise dg.RetryRequested(max_retries=RETRIES, seconds_to_wait=RETRY_PAUSE * 2**context.retry_number) from None


def asset_check(**check_options: Any) -> Callable[[Callable[..., dg.AssetCheckResult]], dg.AssetChecksDefinition]:
    """Return a decorator that makes a Dagster check of a function, as `dg.asset_check(**check_options)` does.

    An error of the decorated function is reduced to one line, as errors of assets are.
    """

    def decorate(function: Callable[..., dg.AssetCheckResult]) -> dg.AssetChecksDefinition:
        @wraps(function)
        def checked(*args: Any, **kwargs: Any) -> dg.AssetCheckResult:
            with redact_errors(f"check {check_options.get('name', function.__name__)}", getattr(kwargs.get("workplace"), "logs", None)):
                return function(*args, **kwargs)

        return dg.asset_check(**check_options)(checked)

    return decorate


def make_metadata_table(frame: pd.DataFrame) -> dg.MetadataValue:
    """Make a small table for Dagster's pages from the first rows of `frame`, which must contain keys, codes and numbers only."""
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
