"""Helpers of all assets: reporting counts, and failing with one line."""

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

ROWS = "dagster/row_count"  # Dagster plots it over runs
RETRIES, PAUSE = 3, 2.0  # retries of an input or output; seconds before the first, doubled for each further one
WRITER = "writer"  # pool of assets that write to landing or warehouse: always one slot
_SHOWN = 60  # rows of a small table; the rest is in the lake or the warehouse


@contextmanager
def redact_stage_errors(workplace: Workplace, doing: str, context: dg.AssetExecutionContext | None = None) -> Iterator[None]:
    """Reduce an unexpected error in the block to one line without values, with the path of the log. `doing` reads, for example, "police:
    reading".

    context: passed by assets that do input or output; they are retried on a `TransientError`. Computations are not retried.
    """
    try:
        with redact_errors(doing, workplace.logs):
            yield
    except TransientError:
        if context is None or context.retry_number >= RETRIES:
            raise
        raise dg.RetryRequested(max_retries=RETRIES, seconds_to_wait=PAUSE * 2**context.retry_number) from None


def check(**declared: Any) -> Callable[[Callable[..., dg.AssetCheckResult]], dg.AssetChecksDefinition]:
    """Return a decorator like `dg.asset_check(**declared)`, for functions whose errors are reduced to one line, as those of assets are."""

    def decorate(function: Callable[..., dg.AssetCheckResult]) -> dg.AssetChecksDefinition:
        @wraps(function)
        def checked(*args: Any, **kwargs: Any) -> dg.AssetCheckResult:
            with redact_errors(f"check {declared.get('name', function.__name__)}", getattr(kwargs.get("workplace"), "logs", None)):
                return function(*args, **kwargs)

        return dg.asset_check(**declared)(checked)

    return decorate


def table(frame: pd.DataFrame) -> dg.MetadataValue:
    """Return a small table of counts for Dagster's pages. `frame` contains keys, codes and numbers only."""
    shown = frame.head(_SHOWN)
    records = [
        dg.TableRecord({str(k): (None if pd.isna(v) else v if isinstance(v, int | float | str | bool) else str(v)) for k, v in row.items()})
        for row in shown.astype(object).to_dict("records")
    ]
    columns = [dg.TableColumn(str(name)) for name in shown.columns]
    return dg.MetadataValue.table(records, dg.TableSchema(columns=columns))


def add_counts(context: dg.AssetExecutionContext, rows: int | None, counts: Mapping[str, Any]) -> None:
    """Attach `rows` and other counts to the materialisation."""
    metadata = dict(counts)
    if rows is not None:
        metadata[ROWS] = int(rows)
    context.add_output_metadata(metadata)
