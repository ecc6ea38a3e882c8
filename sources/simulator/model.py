"""The world: persons, criminal matters, and the files that institutions keep on them, with the days on which things happened.

Belongs here: plain data with identity. A file knows its days; `register_records.py` decides what a delivery says about it at the end of a
period. Does not belong here: chance (`people.py`, `life.py`), spellings, defects.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from sources.simulator.codes import Offence


@dataclass(slots=True, eq=False)
class Person:
    """An invented human being. `citizenship` is a code of ISO 3166 alpha-3 (Kosovo: XKX). `number` is the personal number; it is empty if
    the person has none."""

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
    unknown: bool = False  # nobody knows who the person is: the names are words such as `N.N.`, or empty


@dataclass(slots=True, eq=False)
class PolicePerson:
    """A person in a police case: role `S` suspect, `V` victim, `W` witness."""

    person: Person
    role: str
    since: date
    arrested: date | None = None
    seq: int = 0
    left: date | None = None  # the day on which a person entered by mistake was taken out of the list


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
    since: date | None = None  # first day under this number, if the case had another number before
    until: date | None = None  # last day under this number, if the case got another after a transfer
    former: PoliceFile | None = None
    again: PoliceFile | None = None  # the file that this one repeats, if the matter was registered twice
    entered: date | None = None  # the day on which the file was entered, if that was late
    cancelled: date | None = None
    reopened: date | None = None
    numbered_by_position: bool = False  # `Nr_rendor` is the position in the list of persons, and identifies no person
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
    """A charge against a party or defendant. It is in the file from the day `since` up to the day before `until`."""

    offence: Offence
    form: str | None
    principal: bool
    since: date
    until: date | None = None
    charge_id: int = 0


@dataclass(slots=True, eq=False)
class Party:
    """A person in a prosecution file, as a defendant (`D`) or a victim (`V`)."""

    person: Person
    role: str
    since: date
    charges: list[Charge] = field(default_factory=list)
    party_id: int = 0


@dataclass(slots=True, eq=False)
class Decision:
    """A prosecutor's decision. If `party` is None, it applies to all defendants who are in the file at the end of the quarter in which it
    was taken, or of the longer period that delivers it."""

    kind: str
    day: date
    party: Party | None = None
    indictment: str | None = None
    decision_id: int = 0


@dataclass(slots=True, eq=False)
class ProsecutionFile:
    """A file of the prosecution. `statuses` has the first day and the code of each status, in order."""

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
    """A judgment: conviction (`DEN`), acquittal (`LIR`) or rejection (`REF`). `final` is the day from which no appeal is possible.
    `sentences` has pairs of kind and amount; the amount is in months or euro."""

    kind: str
    day: date
    final: date | None = None
    sentences: list[tuple[str, int]] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Defendant:
    """A defendant in a court file. `replaces`: whether a new judgment on appeal takes the place of the old one in the export."""

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
    since: date | None = None  # the day on which the file got this number, if that was after its receipt
    number: str = ""
    taken_over: bool = False  # from a court that was closed; the former number is part of the number

    @property
    def entered(self) -> date:
        """The day from which the register has the file under this number."""
        return self.since or self.received

    @property
    def cited(self) -> str:
        """The number as other institutions cite it, without the former number in brackets."""
        return self.number.split(" (")[0]


@dataclass(slots=True, eq=False)
class PrisonStay:
    """A row of the prisons' register: a stay of a person in one facility, either detained (`P`) or serving a sentence (`D`)."""

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
    commitment: int = 0  # rows with the same commitment have the same number in the register
    register_id: str = ""


@dataclass(slots=True, eq=False)
class Case:
    """One criminal matter with every file on it, whatever numbers the institutions give to these files."""

    opened: date
    offence_day: date
    kind: str
    form: str | None
    municipality: str
    lost: bool = False  # sent to the prosecution, but never received there
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
    mistakes: int = 0  # records registered in error so far (`mistaken_records.py`)
