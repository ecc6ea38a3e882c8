"""The true events, and the events as the files state them, of the victims whom ZMNV (the victim protection office) and the centres for
social work help (counting-rules.md, "Victim protection").

Belongs here: the four indicators, as reported and harmonised, and the two steps of reconciliation. Does not belong here: the events of the
other institutions (`happened.py`, `reported.py`). As in these modules, only what some accepted record states about a person, a form or a
status is known.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from itertools import groupby
from typing import Any

from sources.simulator.codes import find_counted_form_of_exploitation, find_most_serious_group
from sources.simulator.deliveries import Delivery
from sources.simulator.happened import Event, collect_known_persons, find_age_group, find_forms_of_exploitation_of_cases
from sources.simulator.periods import find_quarter_of_day
from sources.simulator.record_statuses import RecordHistory
from sources.simulator.records import CaseRecord, PersonRecord, RecordPart
from sources.simulator.victim_files import BOTH, QPS, ZMNV

INDICATORS = {
    "victims_referred": BOTH,
    "victims_assisted": BOTH,
    "victims_sheltered": (QPS,),
    "victims_represented": (ZMNV,),
}
REPEATED = ("victims_assisted",)  # counted as reported once for each file and period, not for each row
_CasePerson = tuple[str, str]  # case, person


def find_accepted_service_rows(deliveries: list[Delivery]) -> dict[str, RecordPart]:
    """Return the latest accepted state of every row of `sherbimet.csv`, by key. Each of these rows is a record of its own."""
    usable = [each for each in deliveries if each.institution == QPS and not each.missing and each.read != "none"]
    usable.sort(key=lambda delivery: (delivery.period, delivery.version))
    accepted: dict[str, RecordPart] = {}
    for _, versions in groupby(usable, key=lambda delivery: delivery.period):
        month: dict[str, RecordPart] = {}
        for delivery in versions:
            present: set[str] = set()
            for record in delivery.records:
                for part in record.entries:
                    if part.key in record.lost_entries:
                        if part.key in record.short_entries or part.key == record.cut_entry:
                            present.add(part.key)
                        continue
                    present.add(part.key)
                    month[part.key] = part
            if delivery.read == "full":
                for key in [key for key in month if key not in present]:
                    del month[key]
        accepted.update(month)
    return accepted


def _list_accepted_files(history: RecordHistory) -> Iterator[tuple[str, CaseRecord, PersonRecord]]:
    """Yield each accepted file of both institutions, with its institution, case record and person record."""
    for institution in BOTH:
        for person, record, _ in history.list_counted_persons(institution):
            yield institution, record, person


def _list_accepted_entries(
    history: RecordHistory, rows: dict[str, RecordPart], values_as_read: bool
) -> Iterator[tuple[str, CaseRecord | None, PersonRecord | None, RecordPart]]:
    """Yield the accepted entries, each with its institution and with the accepted file and person. File and person are None for an entry of
    a centre whose file is not accepted; such entries are only included if `values_as_read` is true."""
    files: dict[str, tuple[CaseRecord, PersonRecord]] = {}
    for institution, record, person in _list_accepted_files(history):
        files[record.key] = (record, person)
        if institution == ZMNV:
            for part in record.entries:
                yield institution, record, person, part
    for key, part in rows.items():
        found = files.get(key.rpartition("/")[0])
        if found:
            yield QPS, *found, part
        elif values_as_read:
            yield QPS, None, None, part


# -- as reported ----------------------------------------------------------------------------------------------------------------------


def list_reported_victim_events(history: RecordHistory, rows: dict[str, RecordPart]) -> list[Event]:
    """Return an event for each row that counts. `person` contains a key that differs from row to row, except that all services of one file
    have the same key (`REPEATED`)."""
    found = []
    for _, file, victim in _list_accepted_files(history):
        if file.values_as_read["referred"]:
            found.append(_make_event_as_stated_in_file("victims_referred", file.key, file.values_as_read["referred"], file, victim))
    hearings: dict[str, tuple[date, CaseRecord, PersonRecord]] = {}
    for institution, record, person, part in _list_accepted_entries(history, rows, values_as_read=True):
        day, entry = part.values_as_read["day"], part.true["entry"]
        number = record.key if record else part.key.rpartition("/")[0]
        if not day:
            continue
        if entry == "service":
            found.append(_make_event_as_stated_in_file("victims_assisted", f"{institution} {number}", day, record, person))
        elif entry == "stay":
            found.append(_make_event_as_stated_in_file("victims_sheltered", part.key, day, record, person))
        elif (
            entry == "hearing"
            and part.values_as_read["attended"]
            and record
            and person
            and (number not in hearings or day < hearings[number][0])
        ):
            hearings[number] = (day, record, person)
    found += [_make_event_as_stated_in_file("victims_represented", key, day, file, victim) for key, (day, file, victim) in hearings.items()]
    return found


def _make_event_as_stated_in_file(indicator: str, key: str, day: date, record: CaseRecord | None, person: PersonRecord | None) -> Event:
    """Return an event with the offence, form, sex, age group and citizenship that the file itself states."""
    if record is None or person is None:
        return Event(indicator, "", key, day, "other", "unknown", "unknown", "unknown", "unknown")
    values_as_read = person.values_as_read
    sex = {"M": "male", "F": "female"}.get(values_as_read["sex"] or "", "unknown")
    citizenship = "unknown" if not values_as_read["citizenship"] else "domestic" if values_as_read["citizenship"] == "XKX" else "foreign"
    group, form = record.values_as_read["group"] or "other", record.values_as_read["form"] or "unknown"
    return Event(indicator, record.case_id, key, day, group, form, sex, find_age_group(values_as_read["born"], day), citizenship)


# -- harmonised -----------------------------------------------------------------------------------------------------------------------


def list_true_victim_events(history: RecordHistory, rows: dict[str, RecordPart]) -> list[Event]:
    """Return the counted events: one for each person in a case, and for `victims_assisted` one for each day with a service. Victims whose
    status is "not confirmed" are left out."""
    known = collect_known_persons(history)
    forms = {**_find_forms_of_exploitation_of_files(history), **find_forms_of_exploitation_of_cases(history)}
    groups = _find_offence_groups_of_cases(history)
    own: dict[_CasePerson, list[str]] = defaultdict(list)
    statuses: dict[_CasePerson, list[str | None]] = defaultdict(list)
    days: dict[tuple[str, _CasePerson], set[date]] = defaultdict(set)
    for _, file, victim in _list_accepted_files(history):
        key = (file.case_id, victim.person.person_id)
        own[key] += [file.true["group"]] if file.values_as_read["group"] else []
        statuses[key].append(_find_stated_status(file))
        days["victims_referred", key].add(file.true["referred"])
    for _, record, person, part in _list_accepted_entries(history, rows, values_as_read=False):
        if record and person:
            key, entry = (record.case_id, person.person.person_id), part.true["entry"]
            if entry == "service":
                days["victims_assisted", key].add(part.true["day"])
            elif entry == "stay":
                days["victims_sheltered", key].add(part.true["day"])
            elif entry == "hearing" and part.true["attended"] and part.values_as_read["attended"] is not None:
                days["victims_represented", key].add(part.true["day"])
    found = []
    for (indicator, key), happened in days.items():
        if all(status == "not_confirmed" for status in statuses[key]):
            continue
        case_id, person_id = key
        group = groups.get(case_id) or find_most_serious_group(own[key])
        form, about = find_counted_form_of_exploitation(group, forms.get(case_id)), known[person_id]
        for day in sorted(happened) if indicator in REPEATED else [min(happened)]:
            age = find_age_group(about.born, day)
            found.append(Event(indicator, case_id, person_id, day, group, form, about.sex, age, about.citizenship_group))
    order = {name: i for i, name in enumerate(INDICATORS)}
    return sorted(found, key=lambda event: (order[event.indicator], event.day, event.case_id, event.person))


def _find_stated_status(record: CaseRecord) -> str | None:
    """Return the current status as the register states it. For ZMNV this is the last status in the list."""
    if record.institution == QPS:
        stated: str | None = record.values_as_read["status"]
        return stated
    entries = [part for part in record.entries if part.true["entry"] == "status"]
    return entries[-1].values_as_read["kind"] if entries else None


def _find_offence_groups_of_cases(history: RecordHistory) -> dict[str, str]:
    """Return the offence group of each case, as the prosecution sees it. If the prosecution does not know the case, it is the group of the
    police or inspectorate."""
    found: dict[str, str] = {}
    for institutions in (("police", "inspectorate"), ("prosecution",)):
        charged_offence: dict[str, list[str]] = defaultdict(list)
        for institution in institutions:
            for record in history.list_counted_cases(institution):
                charged_offence[record.case_id] += [record.true["group"]] if "group" in record.true else []
            for person, record, _ in history.list_counted_persons(institution):
                if person.true["role"] == "suspect":
                    charged_offence[record.case_id] += [part.true["group"] for part in person.charges]
        found.update({case_id: find_most_serious_group(groups) for case_id, groups in charged_offence.items() if groups})
    return found


def _find_forms_of_exploitation_of_files(history: RecordHistory) -> dict[str, str]:
    return {
        record.case_id: record.true["form"]
        for _, record, _ in _list_accepted_files(history)
        if record.values_as_read["form"] and record.true["form"]
    }


# -- reconciliation -------------------------------------------------------------------------------------------------------------------


def build_victim_reconciliation_rows(history: RecordHistory) -> list[list[str]]:
    """Return the rows of `reconciliation.csv`, one for each person in a case, whatever the status of the victim. The columns are step,
    period, case, person, outcome and detail."""
    reported: dict[str, date] = {}
    for institution in ("police", "inspectorate"):
        for record in history.list_counted_cases(institution):
            reported[record.case_id] = min(reported.get(record.case_id, date.max), record.true["registered"])
    police = {
        (record.case_id, person.person.person_id): reported.get(record.case_id)
        for person, record, _ in history.list_counted_persons("police")
        if person.true["role"] == "victim"
    }
    referred: dict[str, dict[_CasePerson, date | None]] = {ZMNV: {}, QPS: {}}
    for institution, record, person in _list_accepted_files(history):
        key, found = (record.case_id, person.person.person_id), referred[institution]
        found[key] = min(found.get(key) or date.max, record.true["referred"])
    either = {
        key: min(day for day in (referred[ZMNV].get(key), referred[QPS].get(key)) if day) for key in {*referred[ZMNV], *referred[QPS]}
    }
    rows = _build_rows_of_reconciliation_step("police_victim_protection", police, dict(either))
    return rows + _build_rows_of_reconciliation_step("victim_protection_social_work", referred[ZMNV], referred[QPS])


def _build_rows_of_reconciliation_step(step: str, upstream: dict[_CasePerson, Any], downstream: dict[_CasePerson, Any]) -> list[list[str]]:
    rows = []
    for key in sorted({*upstream, *downstream}):
        day = upstream.get(key) or downstream.get(key)
        outcome = "matched" if key in upstream and key in downstream else "missing_downstream" if key in upstream else "missing_upstream"
        rows.append([step, find_quarter_of_day(day) if day else "", *key, outcome, ""])
    return rows
