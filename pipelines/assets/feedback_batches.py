"""Write the feedback of a run in batches, so that several processes can share the work.

Belongs here: the size of a batch, and passing its data to a process through the lake. Does not belong here: which reports must be written
and what they contain (`harmonia.feedback.deliveries`).
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
    ReportInputs,
    ReportToWrite,
    find_up_to_date_reports,
    gather_report_inputs,
    group_rows_by_delivery,
    list_reports_to_write,
    summarise_reports,
    write_listed_reports,
    write_reports_on_not_landed,
)
from pipelines.asset_helpers import redact_stage_errors
from pipelines.landing import LandedDelivery
from pipelines.resources import encoded_texts, lake
from pipelines.resources.processes import run_in_processes
from pipelines.resources.workplace import Workplace

_MAX_FINDINGS = 30_000  # findings in a batch


@dataclass(frozen=True)
class ReportBatch:
    """Some reports that must be written, and the folder of the lake with the data for them."""

    workplace: Workplace
    due: tuple[ReportToWrite, ...]
    today: date
    folder: Path


def write_feedback_reports(
    workplace: Workplace,
    landed_deliveries: Sequence[LandedDelivery],
    receipt_dates: Mapping[DeliveryId, date],
    record_status: Mapping[str, pd.DataFrame],
    findings: pd.DataFrame,
    canonical: Mapping[str, pd.DataFrame],
) -> pd.DataFrame:
    """Write the report on every delivery that has no report yet, or whose report has changed.

    The parameters are those of `harmonia.feedback.deliveries.gather_report_inputs` and `list_reports_to_write`. The result has one row for
    each delivery: institution, delivery, files (of the report), written (whether this run wrote it), and the numbers of findings that are
    new, that remain and that are fixed.
    """
    home, today = workplace.home.root, datetime.now(UTC).date()
    report_inputs = gather_report_inputs(landed_deliveries, record_status, findings, canonical)
    reports = list_reports_to_write(home, landed_deliveries, receipt_dates, today, record_status["deliveries"], report_inputs)
    up_to_date = find_up_to_date_reports(home, reports)
    due = [report for report in reports if (report.institution, report.delivery) not in up_to_date]
    write_due_reports_in_batches(workplace, due, today, report_inputs)
    write_reports_on_not_landed(home, findings, {(delivery.institution, str(delivery.name)) for delivery in landed_deliveries})
    return summarise_reports(
        reports, find_up_to_date_reports(home, reports), {(report.institution, report.delivery) for report in due}, findings
    )


def write_due_reports_in_batches(
    workplace: Workplace, due_reports: Sequence[ReportToWrite], today: date, report_inputs: ReportInputs
) -> None:
    """Write the reports `due_reports`, in several processes.

    The data for the reports are passed to the processes in the lake folder `feedback`, which each run replaces.
    """
    rows = {name: group_rows_by_delivery(frame) for name, frame in report_inputs.items()}
    sizes = {
        (report.institution, report.delivery): len(rows["findings"].get((report.institution, report.delivery), []))
        for report in due_reports
    }
    batches = []
    for number, group in enumerate(_group_reports_by_size(due_reports, sizes)):
        batch = ReportBatch(workplace, group, today, workplace.home.lake / "feedback" / "pieces" / f"{number:04}")
        parts_of_group = {
            name: frame.iloc[_find_rows_of_reports(group, rows[name])].reset_index(drop=True) for name, frame in report_inputs.items()
        }
        lake.write_tables(batch.folder, {**parts_of_group, "findings": encoded_texts.decode_texts_of_frame(parts_of_group["findings"])})
        batches.append(batch)
    run_in_processes(_write_report_batch, batches, sum(sizes.values()))


def _find_rows_of_reports(reports: Sequence[ReportToWrite], rows_by_delivery: Mapping[DeliveryId, np.ndarray]) -> np.ndarray:
    """Return the numbers of the rows that concern the deliveries of these reports. `rows_by_delivery` has the row numbers by delivery."""
    nothing = np.empty(0, "int64")
    return np.concatenate([rows_by_delivery.get((report.institution, report.delivery), nothing) for report in reports])


def _group_reports_by_size(
    due_reports: Sequence[ReportToWrite], finding_counts: dict[tuple[str, str], int]
) -> Iterator[tuple[ReportToWrite, ...]]:
    """Yield groups of consecutive reports. The reports of a group have at most `_MAX_FINDINGS` findings together."""
    group: list[ReportToWrite] = []
    group_size = 0
    for report in due_reports:
        size = finding_counts[report.institution, report.delivery]
        if group and group_size + size > _MAX_FINDINGS:
            yield tuple(group)
            group, group_size = [], 0
        group.append(report)
        group_size += size
    if group:
        yield tuple(group)


def _write_report_batch(batch: ReportBatch) -> None:
    """Write the reports of a batch. This runs in a separate process."""
    with redact_stage_errors(batch.workplace, "feedback"):
        write_listed_reports(batch.workplace.home.root, batch.due, batch.today, lake.read_tables(batch.folder))
