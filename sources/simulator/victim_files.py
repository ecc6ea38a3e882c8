"""The files of the victim protection office (ZMNV) and of the centres for social work (QPS), with the days on which things happened.

Belongs here: plain data with identity, and the days on which a file changed. Does not belong here: chance (`victim_life.py`), what a
delivery says about a file (`victim_records.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta

from sources.simulator.model import Case, CourtFile, Person, PoliceFile, ProsecutionFile

ZMNV, QPS = "victim_protection", "social_work"
BOTH = (ZMNV, QPS)


@dataclass(slots=True, eq=False)
class Service:
    """A service for a victim, with its kind and first day and, if it has one, its last day."""

    kind: str
    day: date
    last: date | None = None
    provider: str = ""


@dataclass(slots=True, eq=False)
class ShelterStay:
    """A stay in one shelter. `last` is None as long as the stay goes on."""

    shelter: str
    day: date
    last: date | None


@dataclass(slots=True, eq=False)
class Hearing:
    """A court hearing. `attended`: whether a victim advocate was present. `hour`: the hour of the day, in UTC."""

    court: CourtFile
    day: date
    hour: int
    attended: bool


@dataclass(slots=True, eq=False)
class Claim:
    """A claim for compensation. `decided` is None as long as the claim is open."""

    requested: date
    amount: int
    decided: date | None = None
    granted: int = 0


@dataclass(slots=True, eq=False)
class VictimFile:
    """A file on one victim in one matter, at an office of ZMNV or at a centre.

    - `statuses`: the first day and the code of each status, in order
    - `seat`: the place of the office or centre
    - `entered`: the day from which the register has the file; it can be later than the day on which the file was opened
    - `again`: the earlier file on the same victim and matter, if this file was opened in error
    - `cites_since`: the day from which the file cites a number of `police`, `prosecution` or `other` (the other of the two institutions)
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
    cites_since: dict[str, date] = field(default_factory=dict)  # by `police`, `prosecution`, `other`
    again: VictimFile | None = None
    number: str = ""

    def list_change_days(self) -> list[date]:
        """Return the days on which the file changed. A change before the file was entered counts on the day on which it was entered."""
        days = [self.entered, *(day for day, _ in self.statuses), *self.cites_since.values()]
        days += [day for service in self.services for day in (service.day, service.last) if day]
        days += [day for stay in self.stays for day in (stay.day, stay.last) if day]
        days += [hearing.day for hearing in self.hearings]
        if self.claim:
            days += [day for day in (self.claim.requested, self.claim.decided) if day]
        return [max(day, self.entered) for day in days]

    def cites_number_of_institution(self, what: str, as_of: date) -> bool:
        """Return whether the file cites a number of `what` (`police`, `prosecution` or `other`) on the day `as_of`."""
        since = self.cites_since.get(what)
        return since is not None and max(since, self.entered) <= as_of


@dataclass(slots=True, eq=False)
class VictimWorld:
    """All files of both institutions, and the persons and matters that only these two know."""

    files: list[VictimFile]
    persons: list[Person]
    cases: list[Case]


def add_days(day: date, days: int) -> date:
    """Return the day that is `days` days after `day`."""
    return day + timedelta(days=days)
