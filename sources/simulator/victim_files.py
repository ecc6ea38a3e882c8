"""The files of the victim protection office (ZMNV) and of the centres for social work (QPS), with the days on which things happened.

Belongs here: plain data with identity, and on which days a file changed. Does not belong here: chance (`victim_life.py`), what a
delivery says of a file (`victim_records.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta

from sources.simulator.model import Case, CourtFile, Person, PoliceFile, ProsecutionFile

ZMNV, QPS = "victim_protection", "social_work"
BOTH = (ZMNV, QPS)


@dataclass(slots=True, eq=False)
class Service:
    """A service to a victim: its kind, its first day and, if it has one, its last day."""

    kind: str
    day: date
    last: date | None = None
    provider: str = ""


@dataclass(slots=True, eq=False)
class ShelterStay:
    """A stay in one shelter. `last` is None while it lasts."""

    shelter: str
    day: date
    last: date | None


@dataclass(slots=True, eq=False)
class Hearing:
    """A court hearing, and whether a victim advocate attended; `hour` of the day in UTC."""

    court: CourtFile
    day: date
    hour: int
    attended: bool


@dataclass(slots=True, eq=False)
class Claim:
    """A claim for compensation; `decided` is None while it is open."""

    requested: date
    amount: int
    decided: date | None = None
    granted: int = 0


@dataclass(slots=True, eq=False)
class VictimFile:
    """A file on one victim in one matter at an office of ZMNV or at a centre.

    - `statuses`: (first day, code) in order
    - `seat`: where the office or centre is
    - `entered`: the day from which the register has the file; it can be later than the day on which the file was opened
    - `again`: the earlier file on the same victim and matter, if this one was opened in error
    - `cites_since`: the day on which a reference became known, for `police`, `prosecution` and `other`
    """

    institution: str
    person: Person
    case: Case
    office: str
    seat: str
    opened: date
    referred: date
    referred_by: str
    group: str
    form: str | None
    entered: date
    statuses: list[tuple[date, str]] = field(default_factory=list)
    services: list[Service] = field(default_factory=list)
    stays: list[ShelterStay] = field(default_factory=list)
    hearings: list[Hearing] = field(default_factory=list)
    claim: Claim | None = None
    police: PoliceFile | None = None
    prosecution: ProsecutionFile | None = None
    other: VictimFile | None = None
    cites_since: dict[str, date] = field(default_factory=dict)  # `police`, `prosecution`, `other`: the day a reference became known
    again: VictimFile | None = None
    number: str = ""

    def list_change_days(self) -> list[date]:
        """Return the days on which the file changed. A change before the file was entered counts on the day of its entry."""
        days = [self.entered, *(day for day, _ in self.statuses), *self.cites_since.values()]
        days += [day for service in self.services for day in (service.day, service.last) if day]
        days += [day for stay in self.stays for day in (stay.day, stay.last) if day]
        days += [hearing.day for hearing in self.hearings]
        if self.claim:
            days += [day for day in (self.claim.requested, self.claim.decided) if day]
        return [max(day, self.entered) for day in days]

    def cites_number_of_institution(self, what: str, as_of: date) -> bool:
        """Return whether the file cites `what` (`police`, `prosecution`, `other`) on a day."""
        since = self.cites_since.get(what)
        return since is not None and max(since, self.entered) <= as_of


@dataclass(slots=True, eq=False)
class VictimWorld:
    """All files of both institutions, the persons and matters that only they know."""

    files: list[VictimFile]
    persons: list[Person]
    cases: list[Case]


def add_days(day: date, days: int) -> date:
    """Return the day that is `days` days after `day`."""
    return day + timedelta(days=days)
