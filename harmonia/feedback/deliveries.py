"""Write the feedback reports on all deliveries of a run, except those that are up to date.

Belongs here: gathering the inputs of all reports at once, finding reports that are up to date. Does not belong here: the content of a
report (`report`), storing it (`write`), dividing the work among processes (`pipelines.assets.feedback_batches`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd

from harmonia.feedback import report, up_to_date
from harmonia.feedback.figures import FIGURES, find_affected_figures, find_most_affected_figures
from harmonia.feedback.trend import SHOWN_AS, list_delivery_trends
from harmonia.feedback.write import (
    NOT_LANDED,
    compute_report_key,
    discard_report,
    find_up_to_date_report_files,
    rewrite_feedback,
    write_feedback,
)
from pipelines.landing import LandedDelivery
from pipelines.resources import encoded_texts
from schemas.findings import rules
from sources import contract

_DELIVERY = ["institution", "delivery"]
_STATES = ["new", "remains", "fixed"]
PARTS = ("files", "findings", "figures", "trend")
DeliveryId = tuple[str, str]
"""The institution and the name of a delivery."""
ReportInputs = Mapping[str, pd.DataFrame]
"""The inputs of all reports: maps each of `PARTS` to a frame whose columns include institution and delivery."""


@dataclass(frozen=True)
class ReportToWrite:
    """A report on a delivery that a run must write unless it is up to date.

    received: day on which the delivery was received. key: a hash that changes whenever the report would change.
    """

    institution: str
    delivery: str
    received: date | None
    key: str

    @property
    def language(self) -> str:
        """The language of the institution, in which the report is written."""
        return contract.load(self.institution).language


def gather_report_inputs(
    landed_deliveries: Sequence[LandedDelivery],
    record_status: Mapping[str, pd.DataFrame],
    findings: pd.DataFrame,
    canonical: Mapping[str, pd.DataFrame],
) -> ReportInputs:
    """Gather the inputs of the reports on all deliveries.

    landed_deliveries  the deliveries in the landing store
    record_status      `deliveries`, `files`, `accounting` of `pipelines.record_status`
    findings           the findings, with the columns `harmonia.feedback.finding_states.COLUMNS_WITH_STATE` and `answer`; their texts are
                       encoded (`pipelines.resources.encoded_texts`)
    canonical          the canonical tables, as in `harmonia.feedback.figures.find_affected_figures`
    """
    files, asks = _list_read_files(landed_deliveries, record_status), select_findings_to_report(findings)
    inputs = (files, findings, find_affected_figures(asks, canonical), list_delivery_trends(asks, record_status["accounting"]))
    return dict(zip(PARTS, inputs, strict=True))


def select_findings_to_report(findings: pd.DataFrame) -> pd.DataFrame:
    """Select the findings that reports list one by one: those with a severity of warning or worse, and fixed ones. Decode their texts."""
    return encoded_texts.decode_texts_of_frame(findings[(findings["severity"] != "info") | (findings["state"] == "fixed")])


def list_reports_to_write(
    home: Path,
    landed_deliveries: Sequence[LandedDelivery],
    receipt_days: Mapping[DeliveryId, date],
    today: date,
    deliveries: pd.DataFrame,
    report_inputs: ReportInputs,
) -> list[ReportToWrite]:
    """List the reports to write: one for each delivery in the landing store that this run has read.

    landed_deliveries: the deliveries in the landing store. receipt_days: day of receipt of each delivery. deliveries: the deliveries that
    this run has read, with institution and delivery. report_inputs: from `gather_report_inputs`.
    """
    read = set(deliveries[_DELIVERY].itertuples(index=False, name=None))
    names = [name for one in landed_deliveries if (name := (one.institution, str(one.name))) in read]
    hashes = up_to_date.hash_rows_by_delivery(*report_inputs.values())
    out = []
    for name in names:
        language, day = contract.load(name[0]).language, receipt_days.get(name)
        out.append(ReportToWrite(*name, day, compute_report_key(home, *name, language, day, today, hashes.get(name, ""))))
    return out


def write_listed_reports(home: Path, reports_to_write: Sequence[ReportToWrite], today: date, report_inputs: ReportInputs) -> None:
    """Write these reports, even those that are up to date.

    report_inputs: from `gather_report_inputs`; it must contain at least the rows of these deliveries.
    """
    report_inputs = {**report_inputs, "findings": report.order_findings(report_inputs["findings"])}
    rows = {name: group_rows_by_delivery(report_inputs[name]) for name in PARTS}
    for due_report in reports_to_write:
        delivery = (due_report.institution, due_report.delivery)
        files, findings, accounting, last = (
            report_inputs[name].iloc[rows[name].get(delivery, [])].reset_index(drop=True) for name in PARTS
        )
        rewrite_feedback(
            home,
            *delivery,
            files.drop(columns=_DELIVERY),
            findings,
            due_report.language,
            due_report.received,
            today,
            due_report.key,
            figures=accounting[list(FIGURES)],
            foremost=find_most_affected_figures(accounting),
            trend=last.drop(columns=_DELIVERY).rename(columns=SHOWN_AS),
        )


def group_rows_by_delivery(frame: pd.DataFrame) -> dict[DeliveryId, np.ndarray]:
    """Return for each delivery the positions of its rows in `frame`."""
    return cast("dict[DeliveryId, np.ndarray]", frame.groupby(_DELIVERY).indices)


def find_up_to_date_reports(home: Path, reports: Sequence[ReportToWrite]) -> dict[DeliveryId, int]:
    """Return the deliveries whose report is up to date, each with the number of files of the report."""
    files_by_delivery = {
        (one.institution, one.delivery): find_up_to_date_report_files(home, one.institution, one.delivery, one.key) for one in reports
    }
    return {place: len(files) for place, files in files_by_delivery.items() if files}


def summarise_reports(
    reports: Sequence[ReportToWrite], file_counts: Mapping[DeliveryId, int], written_reports: Collection[DeliveryId], findings: pd.DataFrame
) -> pd.DataFrame:
    """Summarise the reports of a run, one row each.

    file_counts: number of files of each report. written_reports: the deliveries whose report this run wrote. findings: all findings with
    their state. Columns out: institution, delivery, files (their number), written (whether this run wrote the report), and the numbers of
    findings that are new, remain and are fixed.
    """
    rows = [
        (*delivery, file_counts.get(delivery, 0), delivery in written_reports)
        for one in reports
        if (delivery := (one.institution, one.delivery))
    ]
    by = [*_DELIVERY, "state"]
    counted = findings.groupby(by, observed=True).size().rename("findings").reset_index().astype(dict.fromkeys(by, "str"))
    states = counted.set_index(by)["findings"].unstack(fill_value=0).reindex(columns=_STATES, fill_value=0)
    out = pd.DataFrame(rows, columns=[*_DELIVERY, "files", "written"]).merge(states.reset_index(), on=_DELIVERY, how="left")
    return out.fillna(dict.fromkeys(_STATES, 0)).astype(dict.fromkeys(_STATES, "int64"))


def list_received_files(landed_deliveries: Sequence[LandedDelivery]) -> pd.DataFrame:
    """List the files of landed deliveries. Columns out: institution, delivery, file, size (bytes), sha256."""
    rows = [(one.institution, str(one.name), f.name, f.size, f.path.name) for one in landed_deliveries for f in one.files]
    out = pd.DataFrame(rows, columns=[*_DELIVERY, "file", "size", "sha256"])
    return out.astype(dict.fromkeys([*_DELIVERY, "file", "sha256"], "str"))


def _list_read_files(landed_deliveries: Sequence[LandedDelivery], record_status: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """List the files of all deliveries that were read.

    Columns out: institution, delivery, file, state, the numbers of rows by record status, size, sha256, delivery_state.
    """
    by = [*_DELIVERY, "file"]
    states = record_status["deliveries"][[*_DELIVERY, "state"]].rename(columns={"state": "delivery_state"})
    files = (
        record_status["files"]
        .merge(record_status["accounting"], on=by, how="left")
        .merge(list_received_files(landed_deliveries), on=by, how="left")
    )
    return files.merge(states, on=_DELIVERY, how="left")


def write_reports_on_not_landed(home: Path, findings: pd.DataFrame, landed_deliveries: Collection[DeliveryId]) -> None:
    """Write a report to each institution on what it put into the inbox and could not be landed.

    This can be a folder whose name is not that of a delivery, a stray file, or a delivery without usable files (empty folder, links). An
    institution without such problems gets no report; its earlier report, if any, is removed.
    """
    rule_codes = [code for code in rules() if code.startswith(("delivery-", "inbox-"))]
    inbox = encoded_texts.decode_texts_of_frame(findings[findings["rule"].isin(rule_codes) & findings["institution"].notna()])
    nowhere = inbox[
        np.array([place not in landed_deliveries for place in inbox[_DELIVERY].itertuples(index=False, name=None)], dtype="bool")
    ]
    within = nowhere["delivery"].str.cat(nowhere["file"], sep="/").fillna(nowhere["delivery"])  # the page names no delivery
    nowhere = nowhere.assign(file=nowhere["file"].where(nowhere["delivery"].isna(), within))
    for institution in contract.institutions():
        mine = nowhere[nowhere["institution"] == institution]
        if len(mine):
            write_feedback(
                home, institution, NOT_LANDED, pd.DataFrame(columns=["file", "state"]), mine, contract.load(institution).language
            )
        else:
            discard_report(home, institution, NOT_LANDED)
