"""Write the feedback of a run in batches, so that several processes can share the work.

Belongs here: the size of a batch, and reading its data from the lake. Does not belong here: which reports are due and what they contain
(`harmonia.feedback.deliveries`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from harmonia.feedback.deliveries import (
    DeliveryId,
    DueReport,
    Parts,
    find_up_to_date_reports,
    gather_report_inputs,
    group_rows_by_delivery,
    list_due_reports,
    summarise_reports,
    write_due_reports,
    write_reports_on_not_landed,
)
from pipelines.asset_helpers import redact_stage_errors
from pipelines.landing import LandedDelivery
from pipelines.resources import encoded_texts, lake
from pipelines.resources.processes import run_in_processes
from pipelines.resources.workplace import Workplace

_MAX_FINDINGS = 30_000  # per batch


@dataclass(frozen=True)
class ReportBatch:
    """Some reports that are due, and the folder of the lake with their content."""

    workplace: Workplace
    due: tuple[DueReport, ...]
    today: date
    folder: Path


def write_reports(
    workplace: Workplace,
    landed: Sequence[LandedDelivery],
    received: Mapping[DeliveryId, date],
    record_status: Mapping[str, pd.DataFrame],
    findings: pd.DataFrame,
    canonical: Mapping[str, pd.DataFrame],
) -> pd.DataFrame:
    """Write the report of every delivery that has none, or whose report would differ from the existing one.

    The parameters are those of `harmonia.feedback.deliveries.gather_report_inputs` and `list_due_reports`. Columns of the result:
    institution, delivery, files (of the report), written (whether in this run), and the numbers of findings new, remains, fixed.
    """
    home, today = workplace.home.root, datetime.now(UTC).date()
    parts = gather_report_inputs(landed, record_status, findings, canonical)
    reports = list_due_reports(home, landed, received, today, record_status["deliveries"], parts)
    up_to_date = find_up_to_date_reports(home, reports)
    due = [report for report in reports if (report.institution, report.delivery) not in up_to_date]
    write_reports_in_batches(workplace, due, today, parts)
    write_reports_on_not_landed(home, findings, {(delivery.institution, str(delivery.name)) for delivery in landed})
    return summarise_reports(
        reports, find_up_to_date_reports(home, reports), {(report.institution, report.delivery) for report in due}, findings
    )


def write_reports_in_batches(workplace: Workplace, due: Sequence[DueReport], today: date, parts: Parts) -> None:
    """Write the reports `due`.

    Their content is passed to the processes in the folder of `feedback` in the lake, which each run replaces.
    """
    rows = {name: group_rows_by_delivery(frame) for name, frame in parts.items()}
    sizes = {(report.institution, report.delivery): len(rows["findings"].get((report.institution, report.delivery), [])) for report in due}
    batches = []
    for number, group in enumerate(_group_by_size(due, sizes)):
        batch = ReportBatch(workplace, group, today, workplace.home.lake / "feedback" / "pieces" / f"{number:04}")
        parts_of_group = {name: frame.iloc[_row_numbers(group, rows[name])].reset_index(drop=True) for name, frame in parts.items()}
        lake.write_tables(batch.folder, {**parts_of_group, "findings": encoded_texts.decode_frame(parts_of_group["findings"])})
        batches.append(batch)
    run_in_processes(_write_batch, batches, sum(sizes.values()))


def _row_numbers(group: Sequence[DueReport], rows: Mapping[DeliveryId, np.ndarray]) -> np.ndarray:
    """Return the row numbers of the deliveries in `group`, in ascending order."""
    nothing = np.empty(0, "int64")
    return np.concatenate([rows.get((report.institution, report.delivery), nothing) for report in group])


def _group_by_size(due: Sequence[DueReport], sizes: dict[tuple[str, str], int]) -> Iterator[tuple[DueReport, ...]]:
    """Yield groups of consecutive reports with at most `_MAX_FINDINGS` findings together."""
    group: list[DueReport] = []
    group_size = 0
    for report in due:
        size = sizes[report.institution, report.delivery]
        if group and group_size + size > _MAX_FINDINGS:
            yield tuple(group)
            group, group_size = [], 0
        group.append(report)
        group_size += size
    if group:
        yield tuple(group)


def _write_batch(batch: ReportBatch) -> None:
    with redact_stage_errors(batch.workplace, "feedback"):
        write_due_reports(batch.workplace.home.root, batch.due, batch.today, lake.read_tables(batch.folder))
