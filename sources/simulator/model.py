"""The world: persons, criminal matters, and the files that institutions keep on them, with the days on which things happened.

Belongs here: plain data with identity. A file knows its days; what an institution's delivery says of it at a quarter's end is in
`register_records.py`. Does not belong here: chance (`people.py`, `life.py`), spellings, defects.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from sources.simulator.codes import Offence


@dataclass(slots=True, eq=False)
class Person:
    """A made-up human being. `citizenship` is a code of ISO 3166 alpha-3 (Kosovo: XKX); `number`, the personal number, is empty if the
    person has none."""

    given: str
    surname: str
    parent: str
    sex: str
    born: date
    citizenship: str
    community: str
    municipality: str
    birthplace: str
    number: str = ""
    maiden: str = ""
    bears_number_of: str = ""  # a parent's number under which a child is registered
    nickname: str = ""
    person_id: str = ""
    unknown: bool = False  # nobody knows who it is: the names are `N.N.` or the like, or empty


@dataclass(slots=True, eq=False)
class PolicePerson:
    """A person in a police case: role `S` suspect, `V` victim, `W` witness."""

    person: Person
    role: str
    since: date
    arrested: date | None = None
    seq: int = 0
    left: date | None = None  # entered by mistake: the day on which it was taken out of the list


@dataclass(slots=True, eq=False)
class PoliceFile:
    """A case in the police register."""

    region: str
    reported: date
    offence_day: date
    station: str
    municipality: str
    offence: Offence
    form: str | None
    people: list[PolicePerson] = field(default_factory=list)
    sent: date | None = None
    closed: date | None = None
    merged_into: PoliceFile | None = None
    merged_on: date | None = None
    since: date | None = None  # first day under this number, where the case had another before
    until: date | None = None  # last day under this number, where it got a new one after a transfer
    former: PoliceFile | None = None
    again: PoliceFile | None = None  # registered twice: the file that this one repeats
    entered: date | None = None  # entered late: the day on which the register got it
    cancelled: date | None = None
    reopened: date | None = None
    numbered_by_position: bool = False  # `Nr_rendor` is the position in the list, whichever person is there
    prosecution_file: ProsecutionFile | None = None
    pp_known: date | None = None
    number: str = ""


@dataclass(slots=True, eq=False)
class InspectorateFile:
    """A case against one police officer."""

    received: date
    officer: Person
    rank: str
    unit: str
    offence: Offence
    offence_day: date
    sent: date | None = None
    closed: date | None = None
    prosecution_file: ProsecutionFile | None = None
    pp_known: date | None = None
    number: str = ""


@dataclass(slots=True, eq=False)
class Charge:
    """A charge against a party or defendant, which is in the file from the day `since` until the day before `until`."""

    offence: Offence
    form: str | None
    principal: bool
    since: date
    until: date | None = None
    charge_id: int = 0


@dataclass(slots=True, eq=False)
class Party:
    """A defendant (`D`) or victim (`V`) in a prosecution file."""

    person: Person
    role: str
    since: date
    charges: list[Charge] = field(default_factory=list)
    party_id: int = 0


@dataclass(slots=True, eq=False)
class Decision:
    """A prosecutor's decision. If `party` is None it applies to all parties in the file at the end of the quarter in which it was taken."""

    kind: str
    day: date
    party: Party | None = None
    indictment: str | None = None
    decision_id: int = 0


@dataclass(slots=True, eq=False)
class ProsecutionFile:
    """A file of the prosecution. `statuses`: (first day, code) in order."""

    register: str
    seat: str
    received: date
    source: str
    sender: PoliceFile | InspectorateFile | None
    source_text: str | None = None
    parties: list[Party] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    statuses: list[tuple[date, str]] = field(default_factory=list)
    merged_into: ProsecutionFile | None = None
    merged_on: date | None = None
    number: str = ""
    file_id: int = 0

    def list_defendants_on(self, day: date) -> list[Party]:
        """Return the defendants in the file on a day."""
        return [party for party in self.parties if party.role == "D" and party.since <= day]


@dataclass(slots=True, eq=False)
class Judgment:
    """A judgment: conviction (`DEN`), acquittal (`LIR`) or rejection (`REF`). `final`: the day from which no appeal is open;
    `sentences`: (kind, amount), the amount in months or euro."""

    kind: str
    day: date
    final: date | None = None
    sentences: list[tuple[str, int]] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Defendant:
    """A defendant in a court file. `replaces`: a new judgment on appeal takes the place of the old one in the export."""

    person: Person
    seq: int
    charges: list[Charge]
    judgments: list[Judgment] = field(default_factory=list)
    replaces: bool = False


@dataclass(slots=True, eq=False)
class CourtFile:
    """A case at a court."""

    register: str
    seat: str
    branch: str
    language: str
    received: date
    prosecution_file: ProsecutionFile
    defendants: list[Defendant] = field(default_factory=list)
    until: date | None = None
    former: CourtFile | None = None
    since: date | None = None  # a new number: the day it was given, where the file keeps the day on which it was received
    number: str = ""
    taken_over: bool = False  # from a court that was closed: the number has the former one behind it

    @property
    def entered(self) -> date:
        """The day from which the register has this number."""
        return self.since or self.received

    @property
    def cited(self) -> str:
        """The number as others cite it, without the former number."""
        return self.number.split(" (")[0]


@dataclass(slots=True, eq=False)
class PrisonStay:
    """A row of the prisons' register: detained (`P`) or serving a sentence (`D`) in one facility."""

    person: Person
    status: str
    facility: str
    seat: str
    offence: Offence
    offence_day: date
    admitted: date
    months: int | None = None
    released: date | None = None
    reason: str = ""
    court: CourtFile | None = None
    commitment: int = 0  # rows of one commitment share the register's number
    register_id: str = ""


@dataclass(slots=True, eq=False)
class Case:
    """One criminal matter with every file on it, whatever number each institution gives to it."""

    opened: date
    offence_day: date
    kind: str
    form: str | None
    municipality: str
    lost: bool = False  # sent, and never received
    police: list[PoliceFile] = field(default_factory=list)
    inspectorate: list[InspectorateFile] = field(default_factory=list)
    prosecution: list[ProsecutionFile] = field(default_factory=list)
    courts: list[CourtFile] = field(default_factory=list)
    stays: list[PrisonStay] = field(default_factory=list)
    case_id: str = ""


@dataclass(slots=True, eq=False)
class World:
    """All matters of the simulated years and the years before, and the persons in them."""

    cases: list[Case]
    persons: list[Person]
    start: int
    years: int
    mistakes: int = 0  # records registered in error so far (`mistaken.py`)
