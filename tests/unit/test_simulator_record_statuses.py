"""The status of every state over quarters and versions (docs/reference/counting-rules.md, "Record status")."""

from __future__ import annotations

from datetime import date

from sources.simulator.deliveries import Delivery
from sources.simulator.model import Person
from sources.simulator.record_statuses import assign_statuses, build_record_rows
from sources.simulator.records import CaseRecord, PersonRecord


def _record(key: str, **marks: bool) -> CaseRecord:
    person = Person("A", "B", "C", "M", date(1980, 1, 2), "XKX", "Albanian", "Pejë", "Pejë", person_id="P1")
    record = CaseRecord("police", key, "C1", date(2012, 3, 31), {}, {}, {}, **marks)
    record.persons = [PersonRecord(f"{key}/1", person, {}, {}, {})]
    return record


def _delivery(period: str, keys: str, version: int = 1, read: str = "full", unread: str = "", missing: bool = False) -> Delivery:
    records = [_record(key, unread=key in unread) for key in keys]
    return Delivery("police", period, records, version, read=read, missing=missing)


def _statuses(*deliveries: Delivery) -> dict[str, str]:
    """`2012-Q1_v2 A` → status, of case records."""
    return {f"{row[5]} {row[2]}": row[6] for row in build_record_rows(assign_statuses(list(deliveries))) if row[1] == "case"}


def test_the_latest_quarter_is_accepted_whatever_the_order_of_arrival() -> None:
    later, earlier = _delivery("2012-Q2", "A"), _delivery("2012-Q1", "AB")
    assert _statuses(later, earlier) == {"2012-Q1 A": "superseded", "2012-Q1 B": "accepted", "2012-Q2 A": "accepted"}


def test_a_version_replaces_whole_and_what_it_lacks_is_withdrawn() -> None:
    found = _statuses(_delivery("2012-Q1", "AB"), _delivery("2012-Q1", "A", 2))
    assert found == {"2012-Q1 A": "superseded", "2012-Q1 B": "withdrawn", "2012-Q1_v2 A": "accepted"}


def test_of_several_replaced_versions_the_last_holder_is_withdrawn() -> None:
    found = _statuses(_delivery("2012-Q1", "B"), _delivery("2012-Q1", "B", 2), _delivery("2012-Q1", "A", 3))
    assert (found["2012-Q1 B"], found["2012-Q1_v2 B"]) == ("superseded", "withdrawn")


def test_where_a_state_is_withdrawn_the_earlier_quarter_is_accepted_again() -> None:
    found = _statuses(_delivery("2012-Q1", "B"), _delivery("2012-Q2", "AB"), _delivery("2012-Q2", "A", 2))
    assert (found["2012-Q1 B"], found["2012-Q2 B"]) == ("accepted", "withdrawn")


def test_an_unreadable_version_replaces_nothing_and_a_partial_one_withdraws_nothing() -> None:
    none = _statuses(_delivery("2012-Q1", "AB"), _delivery("2012-Q1", "A", 2, read="none"))
    assert none == {"2012-Q1 A": "accepted", "2012-Q1 B": "accepted"}
    part = _statuses(_delivery("2012-Q1", "AB"), _delivery("2012-Q1", "A", 2, read="part"))
    assert part == {"2012-Q1 A": "superseded", "2012-Q1 B": "accepted", "2012-Q1_v2 A": "accepted"}


def test_a_row_that_cannot_be_read_supersedes_nothing_and_is_not_absent() -> None:
    found = _statuses(_delivery("2012-Q1", "A"), _delivery("2012-Q1", "A", 2, unread="A"), _delivery("2012-Q2", "A", unread="A"))
    assert found == {"2012-Q1 A": "accepted", "2012-Q1_v2 A": "unparseable", "2012-Q2 A": "unparseable"}


def test_persons_stand_without_their_case() -> None:
    delivery = Delivery("police", "2012-Q1", [_record("A", absent=True)])
    history = assign_statuses([delivery])
    assert [row[1] for row in build_record_rows(history)] == ["person"]
    assert history.list_counted_persons("police")[0][2] is None


def test_a_delivery_that_never_came_holds_nothing() -> None:
    assert _statuses(_delivery("2012-Q1", "A", missing=True)) == {}
