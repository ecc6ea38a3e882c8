"""The register of reports: which reports are due, which were sent (to whom and when), and which are late.

Belongs here: reading and writing the register, which is kept in the audit log of the registry. Does not belong here: the reports.
"""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path

from harmonia.audit import list_audit_entries, record_access, record_own_access
from harmonia.errors import HarmoniaError
from harmonia.registry import open_registry
from harmonia.registry.ledger import find_start_of_first_run
from pipelines.resources.workplace import Workplace
from schemas.yaml_declarations import read_yaml
from sources import contract
from sources.periods import last_day
from warehouse.releases.reading import Release

AUDIENCES = ("institution", "coordinator", "government", "public")
_ACTION = "report mark-sent"


@dataclass(frozen=True)
class SentReport:
    """A report that was sent. `institution` is set only for reports to institutions."""

    audience: str
    institution: str
    period: str
    to: str
    day: str


@dataclass(frozen=True)
class DueReport:
    """A report that must be sent, with its deadline and the day on which it was first sent; None if it was not sent."""

    audience: str
    institution: str
    period: str
    deadline: date
    sent: str | None

    def state(self, today: date) -> str:
        """Return the state of the report on a day: `sent`, `sent late`, `due` or `late`."""
        if self.sent:
            return "sent" if self.sent <= self.deadline.isoformat() else "sent late"
        return "due" if today <= self.deadline else "late"


@cache
def _read_transmission_rules() -> list[dict[str, str | int]]:
    log: list[dict[str, str | int]] = read_yaml(Path(__file__).with_name("register.yaml"))
    return log


def record_sent_report(workplace: Workplace, sent_report: SentReport, recording_account: str | None = None) -> None:
    """Record that a report was sent.

    `recording_account` is the account that records it; None for the user of this process. Raises `HarmoniaError` if the audience is
    unknown, if a report to an institution names no known institution, or if another report names one.
    """
    if sent_report.audience not in AUDIENCES:
        raise HarmoniaError(f"unknown audience {sent_report.audience!r}: use one of {', '.join(AUDIENCES)}")
    if (sent_report.audience == "institution") != (sent_report.institution in contract.institutions()):
        raise HarmoniaError(
            f"audience institution requires --institution, one of {', '.join(contract.institutions())}; other audiences do not allow it"
        )
    with closing(open_registry(workplace.registry)) as registry:
        subject = json.dumps(asdict(sent_report), ensure_ascii=False, sort_keys=True)
        if recording_account is None:
            record_own_access(registry, _ACTION, subject)
        else:
            record_access(registry, recording_account, _ACTION, subject)


def list_reports(workplace: Workplace, release: Release, today: date) -> tuple[list[DueReport], list[DueReport]]:
    """List the reports of all past periods of the release, sorted by deadline.

    Returns two lists. The second has the unsent reports that were due before the first run of the home. The first has all other reports.
    """
    with closing(open_registry(workplace.registry)) as registry:
        log = list_audit_entries(registry, None)
        first_run_at = find_start_of_first_run(registry)
    sent = [SentReport(**json.loads(line)) for line in log.loc[log["what"] == _ACTION, "subject"]]
    first_sent = {}
    for report in sorted(sent, key=lambda s: s.day, reverse=True):
        first_sent[report.audience, report.institution, report.period] = report.day
    reports = []
    for period in sorted(release.table("coverage")["period"].unique()):
        end = last_day(period)
        if end >= today:
            continue
        for rule in _read_transmission_rules():
            if rule["cadence"] == ("quarter" if "-Q" in period else "year"):
                reports += [
                    _make_due_report(str(rule["audience"]), i, period, end + timedelta(days=int(rule["days"])), first_sent)
                    for i in _list_recipients_of_rule(rule)
                ]
    reports.sort(key=lambda report: (report.deadline, report.audience, report.institution))
    before = [report for report in reports if not report.sent and first_run_at and report.deadline < first_run_at.date() <= today]
    return [report for report in reports if report not in before], before


def _list_recipients_of_rule(rule: dict[str, str | int]) -> list[str]:
    return list(contract.institutions()) if rule["audience"] == "institution" else [""]


def _make_due_report(audience: str, institution: str, period: str, deadline: date, sent: dict[tuple[str, str, str], str]) -> DueReport:
    return DueReport(audience, institution, period, deadline, sent.get((audience, institution, period)))
