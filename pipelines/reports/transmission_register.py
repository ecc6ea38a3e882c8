"""The register of reports: due, sent (to whom and when) and late.

Belongs here: reading and writing the register, in the registry's sealed log. Does not belong here: the reports.
"""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path

from pipelines.audit import entries, note
from pipelines.errors import HarmoniaError
from pipelines.registry import open_registry
from pipelines.registry.ledger import first_run
from pipelines.resources.workplace import Workplace
from schemas.declared import declared
from sources import contract
from sources.periods import last_day
from warehouse.releases.reading import Release

AUDIENCES = ("institution", "coordinator", "government", "public")
_ACTION = "report mark-sent"


@dataclass(frozen=True)
class Sent:
    """A report that was sent. `institution` is set only for reports to institutions."""

    audience: str
    institution: str
    period: str
    to: str
    day: str


@dataclass(frozen=True)
class DueReport:
    """One report of the register: its deadline, and the day on which it was first sent."""

    audience: str
    institution: str
    period: str
    by: date
    sent: str | None

    def state(self, today: date) -> str:
        """`sent`, `sent late`, `due` or `late`."""
        if self.sent:
            return "sent" if self.sent <= self.by.isoformat() else "sent late"
        return "due" if today <= self.by else "late"


@cache
def _rules() -> list[dict[str, str | int]]:
    found: list[dict[str, str | int]] = declared(Path(__file__).with_name("register.yaml"))
    return found


def send(workplace: Workplace, sent: Sent) -> None:
    """Record a report that was sent. Raises `HarmoniaError` for an unknown audience, or an unknown, missing or needless institution."""
    if sent.audience not in AUDIENCES:
        raise HarmoniaError(f"unknown audience {sent.audience!r}: use one of {', '.join(AUDIENCES)}")
    if (sent.audience == "institution") != (sent.institution in contract.institutions()):
        raise HarmoniaError(
            f"audience institution requires --institution, one of {', '.join(contract.institutions())}; other audiences do not allow it"
        )
    with closing(open_registry(workplace.registry)) as registry:
        note(registry, _ACTION, json.dumps(asdict(sent), ensure_ascii=False, sort_keys=True))


def due(workplace: Workplace, release: Release, today: date) -> tuple[list[DueReport], list[DueReport]]:
    """The reports of all past periods of the release, by deadline: those of this system, and unsent ones due before the first run of the
    home."""
    with closing(open_registry(workplace.registry)) as registry:
        found = entries(registry, None)
        begun = first_run(registry)
    sent = [Sent(**json.loads(line)) for line in found.loc[found["what"] == _ACTION, "subject"]]
    first = {}
    for one in sorted(sent, key=lambda s: s.day, reverse=True):
        first[one.audience, one.institution, one.period] = one.day
    out = []
    for period in sorted(release.table("coverage")["period"].unique()):
        end = last_day(period)
        if end >= today:
            continue
        for rule in _rules():
            if rule["cadence"] == ("quarter" if "-Q" in period else "year"):
                out += [_due(str(rule["audience"]), i, period, end + timedelta(days=int(rule["days"])), first) for i in _to(rule)]
    out.sort(key=lambda one: (one.by, one.audience, one.institution))
    before = [one for one in out if not one.sent and begun and one.by < begun.date() <= today]
    return [one for one in out if one not in before], before


def _to(rule: dict[str, str | int]) -> list[str]:
    return list(contract.institutions()) if rule["audience"] == "institution" else [""]


def _due(audience: str, institution: str, period: str, by: date, sent: dict[tuple[str, str, str], str]) -> DueReport:
    return DueReport(audience, institution, period, by, sent.get((audience, institution, period)))
