"""What every asset does in the same way: say what it counted, and fail in one line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any

import dagster as dg
import pandas as pd

from pipelines.errors import TransientError
from pipelines.failures import redact_errors
from pipelines.resources.workplace import Workplace

ROWS = "dagster/row_count"  # Dagster draws it as a line over the runs
TRIES, PAUSE = 3, 2.0  # further tries of an input or output, seconds before the first of them; then twice as long, and again
WRITER = "writer"  # pool of assets that write to landing or warehouse: one slot, whatever the instance allows otherwise
_SHOWN = 60  # rows of a small table; the rest is in the lake or the warehouse


@contextmanager
def redact_stage_errors(workplace: Workplace, doing: str, context: dg.AssetExecutionContext | None = None) -> Iterator[None]:
    """Turn what nobody foresaw into one line without values, with the place of the log. `doing` reads "police: reading".

    context: given by assets that do input or output, which are tried again where that may help (`TransientError`); never a computation.
    """
    try:
        with redact_errors(doing, workplace.logs):
            yield
    except TransientError:
        if context is None or context.retry_number >= TRIES:
            raise
        raise dg.RetryRequested(max_retries=TRIES, seconds_to_wait=PAUSE * 2**context.retry_number) from None


def check(**declared: Any) -> Callable[[Callable[..., dg.AssetCheckResult]], dg.AssetChecksDefinition]:
    """`dg.asset_check(**declared)` over a function that fails in one line, as assets do."""

    def decorate(function: Callable[..., dg.AssetCheckResult]) -> dg.AssetChecksDefinition:
        @wraps(function)
        def checked(*given: Any, **named: Any) -> dg.AssetCheckResult:
            with redact_errors(f"check {declared.get('name', function.__name__)}", getattr(named.get("workplace"), "logs", None)):
                return function(*given, **named)

        return dg.asset_check(**declared)(checked)

    return decorate


def table(frame: pd.DataFrame) -> dg.MetadataValue:
    """A small table of counts for Dagster's pages. `frame` holds keys, codes and numbers only."""
    shown = frame.head(_SHOWN)
    records = [
        dg.TableRecord({str(k): (None if pd.isna(v) else v if isinstance(v, int | float | str | bool) else str(v)) for k, v in row.items()})
        for row in shown.astype(object).to_dict("records")
    ]
    columns = [dg.TableColumn(str(name)) for name in shown.columns]
    return dg.MetadataValue.table(records, dg.TableSchema(columns=columns))


def say(context: dg.AssetExecutionContext, rows: int | None, counts: Mapping[str, Any]) -> None:
    """Attach `rows` and what else was counted to the materialisation."""
    metadata = dict(counts)
    if rows is not None:
        metadata[ROWS] = int(rows)
    context.add_output_metadata(metadata)
