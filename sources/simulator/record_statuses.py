"""The status that every delivered state of every record should get (docs/reference/counting-rules.md, "Record status").

States are ordered by quarter, then by version, and never by the time of arrival. A later version replaces the whole quarter, with two
exceptions: if only a part of it can be read, it withdraws nothing; if nothing of it can be read, it replaces nothing. A row that cannot be
read supersedes no earlier state, but its record does not count as absent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby

from sources.simulator.deliveries import INSTITUTIONS, Delivery
from sources.simulator.records import CaseRecord, PersonRecord
from sources.simulator.victim_files import BOTH

Key = tuple[str, str, str]  # institution, entity, record key


@dataclass(slots=True, eq=False)
class DeliveredRecordState:
    """A record as one delivery contains it. `person` is None if it is a case record."""

    delivery: Delivery
    record: CaseRecord
    person: PersonRecord | None
    readable: bool
    status: str = ""

    @property
    def key(self) -> Key:
        """The key of the record: institution, entity, record key."""
        if self.person is None:
            return (self.record.institution, "case", self.record.key)
        return (self.record.institution, "person", self.person.key)


@dataclass(slots=True, eq=False)
class RecordHistory:
    """All delivered states of all records. `states` has every state with its status, and `accepted` the accepted state of each record, by
    key."""

    states: list[DeliveredRecordState] = field(default_factory=list)
    accepted: dict[Key, DeliveredRecordState] = field(default_factory=dict)

    def list_counted_cases(self, institution: str) -> list[CaseRecord]:
        """Return the accepted case records of an institution, without cancelled ones, which do not count."""
        return [record for record in self.list_all_accepted_cases(institution) if not record.cancelled]

    def list_all_accepted_cases(self, institution: str) -> list[CaseRecord]:
        """Return the accepted case records of an institution."""
        return [state.record for key, state in self.accepted.items() if key[:2] == (institution, "case")]

    def list_counted_persons(self, institution: str) -> list[tuple[PersonRecord, CaseRecord, CaseRecord | None]]:
        """Return the accepted person records of an institution, without those in cancelled cases. Each comes with the case record with
        which it was delivered, and with the accepted case record, or None."""
        found = []
        for key, state in self.accepted.items():
            if key[:2] == (institution, "person") and state.person is not None:
                case = self.accepted.get((institution, "case", state.record.key))
                if case and case.record.cancelled:
                    continue
                found.append((state.person, state.record, case.record if case else None))
        return found


def _list_delivered_states(delivery: Delivery) -> Iterator[DeliveredRecordState]:
    """Yield the state of each record in a delivery."""
    for record in delivery.records:
        if not record.absent:
            yield DeliveredRecordState(delivery, record, None, not record.unread)
        for person in record.persons:
            lost = person.key in record.lost_persons or (record.unread and record.institution == "courts")
            yield DeliveredRecordState(delivery, record, person, not lost)


def assign_statuses(deliveries: list[Delivery]) -> RecordHistory:
    """Give every delivered state its status. A delivery that never came, or of which nothing can be read, contains no states."""
    result = RecordHistory()
    usable = [delivery for delivery in deliveries if not delivery.missing and delivery.read != "none"]
    usable.sort(key=lambda delivery: (delivery.institution, delivery.period, delivery.version))
    before: dict[Key, DeliveredRecordState] = {}
    for _, versions in groupby(usable, key=lambda delivery: (delivery.institution, delivery.period)):
        quarter: dict[Key, DeliveredRecordState] = {}
        for delivery in versions:
            present = set()
            for state in _list_delivered_states(delivery):
                result.states.append(state)
                present.add(state.key)
                if not state.readable:
                    state.status = "unparseable"
                    continue
                if state.key in quarter:
                    quarter[state.key].status = "superseded"
                quarter[state.key] = state
            if delivery.read == "full":
                for key in [key for key in quarter if key not in present]:
                    quarter.pop(key).status = "withdrawn"
        for key, state in quarter.items():
            if key in before:
                before[key].status = "superseded"
            before[key] = state
            state.status = "accepted"
        _supersede_persons_absent_from_latest_list(before, quarter)
    _supersede_replaced_files(before, usable)
    result.accepted = before
    return result


def _supersede_persons_absent_from_latest_list(before: dict[Key, DeliveredRecordState], quarter: dict[Key, DeliveredRecordState]) -> None:
    """Supersede the persons at those positions that the latest list of their case does not have any more.

    If a file was truncated, it was the file of cases (`faults`), so the list of persons is always complete.
    """
    lists = {state.record.key: state for state in quarter.values() if state.record.numbered_by_position}
    there = {person.key for state in lists.values() for person in state.record.persons}
    for key, state in list(before.items()):
        if key[1] == "person" and state.record.numbered_by_position and state.record.key in lists and key[2] not in there:
            before.pop(key).status = "superseded"


def _supersede_replaced_files(accepted: dict[Key, DeliveredRecordState], usable: list[Delivery]) -> None:
    """Supersede the files whose old id is in the crosswalk of the latest delivery of some period, with all their parties."""
    counting = {(delivery.institution, delivery.period): delivery for delivery in usable}
    new_of = {str(old): str(new) for delivery in counting.values() for table, old, new in delivery.crosswalk if table == "lenda"}
    gone = {old for old, new in new_of.items() if ("prosecution", "case", new) in accepted}
    for key, state in list(accepted.items()):
        if key[0] == "prosecution" and state.record.key in gone:
            accepted.pop(key).status = "superseded"


def build_record_rows(history: RecordHistory) -> list[list[str]]:
    """Return the rows of `records.csv`. The columns are institution, entity, record key, case, person, delivery, expected status, and a
    second status that is accepted as well."""
    order = {name: i for i, name in enumerate((*INSTITUTIONS, *BOTH))}
    rows = []
    for state in history.states:
        institution, entity, key = state.key
        person = state.person.person.person_id if state.person and not state.person.person.unknown else ""
        alternative = "unparseable" if state.record.doubtful and state.readable else ""
        rows.append([institution, entity, key, state.record.case_id, person, state.delivery.name, state.status, alternative])
    return sorted(rows, key=lambda row: (order[row[0]], row[5], row[2], row[1]))
