"""A record of a simulated delivery, in three forms: true values, written cells, and values as read.

`true` has the values of the world. `cells` has the delivered cells by column. `values_as_read` has the values that a reader gets from these
cells if it corrects nothing; the figures as reported are counted from them. Without defects, `values_as_read` equals `true`.

Belongs here: the data structure. Does not belong here: how records are made (`register_records.py`).
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
    """A row that belongs to a record: a charge, a decision or a judgment. `key` identifies it, if it has a number."""

    key: str
    true: Cells
    cells: Cells
    values_as_read: Cells


@dataclass(slots=True, eq=False)
class PersonRecord:
    """A person in a case record. `slot`: the name under which defects of the person are remembered, if the key is only a position in a
    list."""

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
    """A case record with its persons, as it is in the register on the day `as_of`, mostly the end of a period."""

    institution: str
    key: str
    case_id: str
    as_of: date
    true: Cells
    cells: Cells
    values_as_read: Cells
    persons: list[PersonRecord] = field(default_factory=list)
    decisions: list[RecordPart] = field(default_factory=list)
    entries: list[RecordPart] = field(default_factory=list)  # for a victim's file: statuses, services, stays, hearings
    charged_offence: Offence | None = None  # the offence that the record itself names
    upstream: str = ""  # the true number of the file that the record refers to
    lost_persons: set[str] = field(default_factory=set)  # keys of persons whose rows cannot be read in this delivery
    lost_entries: set[str] = field(default_factory=set)  # keys of entries that this delivery lacks or whose rows cannot be read in it
    short_entries: set[str] = field(default_factory=set)  # keys of those lost entries whose rows end after the key
    cut_entry: str = ""  # key of the lost entry in whose row the file ends
    unread: bool = False  # the case's own row cannot be read in this delivery
    absent: bool = False  # the row of the case is not in this delivery, but those of its persons are
    cancelled: bool = False
    reopened: bool = False
    numbered_by_position: bool = False  # the keys of its persons are positions in a list, and the latest list counts
    former_key: str = ""  # the key in the former system
    doubtful: bool = False  # it follows a damaged place in the file; a reader may read it or not
