"""The events that count in the figures as reported: one for each accepted row with the event, read without correction
(docs/reference/counting-rules.md, "As reported").

The institution's own date, article, sex and birth date count; merged, repeated and separated cases are included; nothing is limited to
the first event, or to once. A row whose reference date cannot be read counts nowhere.

Interpretations of rules that two people might read differently:

- the offence of a *case* in the prosecution is the most serious charge of any defendant in the file; its form is that of a charge of
  this group that names one
- a decision without a party applies to the file's defendants at the end of its quarter
- a defendant's row has one outcome, that of its latest judgment
- a file is dismissed if its status says so, or if it went on after a dismissal, on the day of the last such decision
- an article without a delivered day of the offence is not checked against the code in force; if it names no code either, the words come
  first
- of a birth date that does not exist the year is read
- the form is the one that the row states

All of this gives the figures of the samples, row by row.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from sources.simulator.codes import CODES, LAWS, MINOR_OFFENCES, find_code_in_force, find_most_serious_group, find_offence_group
from sources.simulator.happened import Event, find_age_group
from sources.simulator.record_statuses import RecordHistory
from sources.simulator.records import Part, PersonRecord

SECOND_CODE = dict(CODES)["KPRK2012"]


def find_reported_group(said: dict[str, Any]) -> str:
    """Return the offence group of a row: the group of its article, if not known the group of its words, and otherwise `other`."""
    law, article, day, words = said["law"], said["article"], said["offence_day"], said["words"]
    named = law in (*LAWS, "KPRK")
    if day and law != MINOR_OFFENCES:
        fits = not named or law == find_code_in_force(day) or (law == "KPRK" and day >= SECOND_CODE)
        group = find_offence_group(find_code_in_force(day), article) if fits else None
    elif words and not named:
        group = None  # without code and without day nothing says which code is meant, and the words speak
    else:
        codes = (law,) if law in LAWS else ("KPRK2019", "KPRK2012") if law == "KPRK" else LAWS[2::-1] + LAWS[3:]
        group = next((found for code in codes if (found := find_offence_group(code, article))), None)
    return group or words or "other"


def _find_charge_group(part: Part) -> str:
    return find_reported_group({**part.said, "offence_day": None})


def _make_person_event(indicator: str, person: PersonRecord, day: date, group: str, form: str, case_id: str) -> Event:
    said = person.said
    sex = {"M": "male", "F": "female"}.get(said["sex"] or "", "unknown")
    citizenship = "unknown" if not said["citizenship"] else "domestic" if said["citizenship"] == "XKX" else "foreign"
    return Event(indicator, case_id, person.key, day, group, form, sex, find_age_group(said["born"], day), citizenship)


def list_reported_events(history: RecordHistory) -> list[Event]:
    """Return every counted row as an event. `person` has the record key, so that no two rows are one event."""
    return [event for events in group_reported_events_by_institution(history).values() for event in events]


def group_reported_events_by_institution(history: RecordHistory) -> dict[str, list[Event]]:
    """Return the same events by institution."""
    return {
        "police": _list_events_of_police(history),
        "inspectorate": _list_events_of_inspectorate(history),
        "prosecution": _list_events_of_prosecution(history),
        "courts": _list_events_of_courts(history),
        "corrections": _list_events_of_corrections(history),
    }


def _list_events_of_police(history: RecordHistory) -> list[Event]:
    found = []
    for record in history.list_counted_cases("police"):
        said = record.said
        group = find_reported_group(said)
        form = _find_stated_form(group, said["form"])
        for indicator, day in (("cases_registered", said["registered"]), ("cases_referred", said["sent"])):
            if day:
                found.append(Event(indicator, record.case_id, "", day, group, form))
    for person, _, case in history.list_counted_persons("police"):
        said = case.said if case else {"law": None, "article": None, "words": None, "offence_day": None, "registered": None, "form": None}
        group = find_reported_group(said)
        form = _find_stated_form(group, said["form"])
        role, case_id = person.said["role"], case.case_id if case else ""
        if role == "suspect":
            if said["registered"]:
                found.append(_make_person_event("suspects_registered", person, said["registered"], group, form, case_id))
            if person.said["arrested"]:
                found.append(_make_person_event("persons_arrested", person, person.said["arrested"], group, form, case_id))
        elif role == "victim" and said["registered"]:
            found.append(_make_person_event("victims_identified", person, said["registered"], group, form, case_id))
    return found


def _list_events_of_inspectorate(history: RecordHistory) -> list[Event]:
    found = []
    for record in history.list_counted_cases("inspectorate"):
        said = record.said
        group = find_reported_group(said)
        for indicator, day in (("cases_registered", said["registered"]), ("cases_referred", said["sent"])):
            if day:
                found.append(Event(indicator, record.case_id, "", day, group, "unknown"))
    for person, record, _ in history.list_counted_persons("inspectorate"):
        said = record.said
        if said["registered"]:
            group = find_reported_group(said)
            found.append(_make_person_event("suspects_registered", person, said["registered"], group, "unknown", record.case_id))
    return found


def _find_stated_form(group: str, form: str | None) -> str:
    """Return the form that a row states, as it counts; prostitution and other offences have none."""
    return "unknown" if group in ("prostitution", "other") else form or "unknown"


def _find_form_of_charges(parts: list[Part], group: str) -> str:
    stated = [part.said["form"] for part in parts if part.said["form"] and _find_charge_group(part) == group]
    return _find_stated_form(group, stated[0] if stated else None)


def _list_events_of_prosecution(history: RecordHistory) -> list[Event]:
    found = []
    charges: dict[str, list[Part]] = {}
    for person, record, _ in history.list_counted_persons("prosecution"):
        if person.said["role"] == "suspect":
            charges.setdefault(record.key, []).extend(person.charges)
    for record in history.list_counted_cases("prosecution"):
        parts = charges.get(record.key, [])
        group = find_most_serious_group(_find_charge_group(part) for part in parts)
        form = _find_form_of_charges(parts, group)
        if record.said["registered"]:
            found.append(Event("cases_received_prosecution", record.case_id, "", record.said["registered"], group, form))
        days = [part.said["day"] for part in record.decisions if part.said["kind"] == "HUD" and part.said["day"]]
        going_on = record.said["status"] in ("HET", "PEZ") and not any(part.said["kind"] == "AKT" for part in record.decisions)
        if days and (record.said["status"] == "HUD" or going_on):
            found.append(Event("cases_dismissed", record.case_id, "", max(days), group, form))
    for person, record, case in history.list_counted_persons("prosecution"):
        if person.said["role"] != "suspect" or case is None:
            continue
        group = find_most_serious_group(_find_charge_group(part) for part in person.charges)
        form = _find_form_of_charges(person.charges, group)
        if case.said["registered"]:
            found.append(_make_person_event("persons_reported", person, case.said["registered"], group, form, record.case_id))
        days = [part.said["day"] for part in case.decisions if part.said["kind"] == "AKT" and person.key in part.said["covers"]]
        days = [day for day in days if day]
        if days:
            found.append(_make_person_event("persons_indicted", person, min(days), group, form, record.case_id))
    return found


def _list_events_of_courts(history: RecordHistory) -> list[Event]:
    found = []
    charges: dict[str, list[Part]] = {}
    for person, record, _ in history.list_counted_persons("courts"):
        charges.setdefault(record.key, []).extend(person.charges)
        readable = [part.said for part in person.judgments if part.said["day"]]
        unreadable = [part.said for part in person.judgments if not part.said["day"]]
        group = find_most_serious_group(_find_charge_group(part) for part in person.charges)
        for judgment in [max(readable, key=lambda said: said["day"])] if readable else []:
            indicator = "persons_convicted" if judgment["kind"] == "DEN" else "persons_acquitted"
            found.append(_make_person_event(indicator, person, judgment["day"], group, "unknown", record.case_id))
        for judgment in (readable + unreadable)[-1:]:
            if judgment["kind"] == "DEN" and judgment["final"]:
                found.append(_make_person_event("persons_convicted_final", person, judgment["final"], group, "unknown", record.case_id))
    for record in history.list_counted_cases("courts"):
        group = find_most_serious_group(_find_charge_group(part) for part in charges.get(record.key, []))
        if record.said["registered"]:
            found.append(Event("cases_received_court", record.case_id, "", record.said["registered"], group, "unknown"))
    return found


def _list_events_of_corrections(history: RecordHistory) -> list[Event]:
    found = []
    for person, record, _ in history.list_counted_persons("corrections"):
        indicator = "persons_admitted_sentence" if record.said["status"] == "D" else "persons_detained"
        day = record.said["registered"]
        found.append(_make_person_event(indicator, person, day, find_reported_group(record.said), "unknown", record.case_id))
    return found
