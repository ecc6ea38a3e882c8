"""A record of a simulated delivery: true values, written values, and the values that a reader gets without correction.

`true` has the typed values of the world, `cells` the delivered cells by column, and `values_as_read` the values that a reader gets from
these cells without any correction; figures as reported are counted from them. Without defects `values_as_read` equals `true`.

Belongs here: the data structure. Does not belong here: how records come about (`register_records.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sources.simulator.codes import Offence
from sources.simulator.model import Person

Cells = dict[str, Any]


@dataclass(slots=True, eq=False)
class RecordPart:
    """A row inside a record: a charge, a decision, a judgment. `key` names it if it has a number."""

    key: str
    true: Cells
    cells: Cells
    values_as_read: Cells


@dataclass(slots=True, eq=False)
class PersonRecord:
    """A person in a case record. `slot`: the name under which the register's errors about the person are remembered, if the key is a
    position in a list."""

    key: str
    person: Person
    true: Cells
    cells: Cells
    values_as_read: Cells
    charges: list[RecordPart] = field(default_factory=list)
    judgments: list[RecordPart] = field(default_factory=list)
    slot: str = ""


@dataclass(slots=True, eq=False)
class CaseRecord:
    """A case record with its persons, as it is at the end of a period (`as_of`)."""

    institution: str
    key: str
    case_id: str
    as_of: date
    true: Cells
    cells: Cells
    values_as_read: Cells
    persons: list[PersonRecord] = field(default_factory=list)
    decisions: list[RecordPart] = field(default_factory=list)
    entries: list[RecordPart] = field(default_factory=list)  # of a victim's file: statuses, services, stays, hearings
    charged_offence: Offence | None = None  # the offence that the record itself names
    upstream: str = ""  # the number that it rightly refers to
    lost_persons: set[str] = field(default_factory=set)  # keys of persons whose rows cannot be read in this delivery
    lost_entries: set[str] = field(default_factory=set)  # keys of entries that this delivery lacks or whose rows cannot be read in it
    short_entries: set[str] = field(default_factory=set)  # of these, whose rows end after the key
    cut_entry: str = ""  # of these, in whose row the file breaks off
    unread: bool = False  # the case's own row cannot be read in this delivery
    absent: bool = False  # the case's own row is not in this delivery, its persons' rows are
    cancelled: bool = False
    reopened: bool = False
    numbered_by_position: bool = False  # its persons' keys are places in a list: a place that a later list lacks is there no more
    former_key: str = ""  # the key in the former system
    doubtful: bool = False  # it comes after a damaged place of the file: it may be read or not
