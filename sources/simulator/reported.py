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

from sources.simulator.codes import CODES, LAWS, MINOR_OFFENCES, code_in_force, group_of, most_serious
from sources.simulator.happened import Event, age_group
from sources.simulator.record_statuses import RecordHistory
from sources.simulator.records import Part, PersonRecord

SECOND_CODE = dict(CODES)["KPRK2012"]


def reported_group(said: dict[str, Any]) -> str:
    """Return the offence group of a row by its own article, else by its own words, else `other`."""
    law, article, day, words = said["law"], said["article"], said["offence_day"], said["words"]
    named = law in (*LAWS, "KPRK")
    if day and law != MINOR_OFFENCES:
        fits = not named or law == code_in_force(day) or (law == "KPRK" and day >= SECOND_CODE)
        group = group_of(code_in_force(day), article) if fits else None
    elif words and not named:
        group = None  # without code and without day nothing says which code is meant, and the words speak
    else:
        codes = (law,) if law in LAWS else ("KPRK2019", "KPRK2012") if law == "KPRK" else LAWS[2::-1] + LAWS[3:]
        group = next((found for code in codes if (found := group_of(code, article))), None)
    return group or words or "other"


def _charge_group(part: Part) -> str:
    return reported_group({**part.said, "offence_day": None})


def _person_event(indicator: str, person: PersonRecord, day: date, group: str, form: str, case_id: str) -> Event:
    said = person.said
    sex = {"M": "male", "F": "female"}.get(said["sex"] or "", "unknown")
    citizenship = "unknown" if not said["citizenship"] else "domestic" if said["citizenship"] == "XKX" else "foreign"
    return Event(indicator, case_id, person.key, day, group, form, sex, age_group(said["born"], day), citizenship)


def reported_events(history: RecordHistory) -> list[Event]:
    """Return every counted row as an event. `person` has the record key, so that no two rows are one event."""
    return [event for events in reported_by_institution(history).values() for event in events]


def reported_by_institution(history: RecordHistory) -> dict[str, list[Event]]:
    """Return the same events by institution."""
    return {
        "police": _reported_by_police(history),
        "inspectorate": _reported_by_inspectorate(history),
        "prosecution": _reported_by_prosecution(history),
        "courts": _reported_by_courts(history),
        "corrections": _reported_by_corrections(history),
    }


def _reported_by_police(history: RecordHistory) -> list[Event]:
    found = []
    for record in history.cases("police"):
        said = record.said
        group = reported_group(said)
        form = _counted_stated_form(group, said["form"])
        for indicator, day in (("cases_registered", said["registered"]), ("cases_referred", said["sent"])):
            if day:
                found.append(Event(indicator, record.case_id, "", day, group, form))
    for person, _, case in history.persons("police"):
        said = case.said if case else {"law": None, "article": None, "words": None, "offence_day": None, "registered": None, "form": None}
        group = reported_group(said)
        form = _counted_stated_form(group, said["form"])
        role, case_id = person.said["role"], case.case_id if case else ""
        if role == "suspect":
            if said["registered"]:
                found.append(_person_event("suspects_registered", person, said["registered"], group, form, case_id))
            if person.said["arrested"]:
                found.append(_person_event("persons_arrested", person, person.said["arrested"], group, form, case_id))
        elif role == "victim" and said["registered"]:
            found.append(_person_event("victims_identified", person, said["registered"], group, form, case_id))
    return found


def _reported_by_inspectorate(history: RecordHistory) -> list[Event]:
    found = []
    for record in history.cases("inspectorate"):
        said = record.said
        group = reported_group(said)
        for indicator, day in (("cases_registered", said["registered"]), ("cases_referred", said["sent"])):
            if day:
                found.append(Event(indicator, record.case_id, "", day, group, "unknown"))
    for person, record, _ in history.persons("inspectorate"):
        said = record.said
        if said["registered"]:
            group = reported_group(said)
            found.append(_person_event("suspects_registered", person, said["registered"], group, "unknown", record.case_id))
    return found


def _counted_stated_form(group: str, form: str | None) -> str:
    """Return the form that a row states, as it counts; prostitution and other offences have none."""
    return "unknown" if group in ("prostitution", "other") else form or "unknown"


def _form_of_charges(parts: list[Part], group: str) -> str:
    stated = [part.said["form"] for part in parts if part.said["form"] and _charge_group(part) == group]
    return _counted_stated_form(group, stated[0] if stated else None)


def _reported_by_prosecution(history: RecordHistory) -> list[Event]:
    found = []
    charges: dict[str, list[Part]] = {}
    for person, record, _ in history.persons("prosecution"):
        if person.said["role"] == "suspect":
            charges.setdefault(record.key, []).extend(person.charges)
    for record in history.cases("prosecution"):
        parts = charges.get(record.key, [])
        group = most_serious(_charge_group(part) for part in parts)
        form = _form_of_charges(parts, group)
        if record.said["registered"]:
            found.append(Event("cases_received_prosecution", record.case_id, "", record.said["registered"], group, form))
        days = [part.said["day"] for part in record.decisions if part.said["kind"] == "HUD" and part.said["day"]]
        going_on = record.said["status"] in ("HET", "PEZ") and not any(part.said["kind"] == "AKT" for part in record.decisions)
        if days and (record.said["status"] == "HUD" or going_on):
            found.append(Event("cases_dismissed", record.case_id, "", max(days), group, form))
    for person, record, case in history.persons("prosecution"):
        if person.said["role"] != "suspect" or case is None:
            continue
        group = most_serious(_charge_group(part) for part in person.charges)
        form = _form_of_charges(person.charges, group)
        if case.said["registered"]:
            found.append(_person_event("persons_reported", person, case.said["registered"], group, form, record.case_id))
        days = [part.said["day"] for part in case.decisions if part.said["kind"] == "AKT" and person.key in part.said["covers"]]
        days = [day for day in days if day]
        if days:
            found.append(_person_event("persons_indicted", person, min(days), group, form, record.case_id))
    return found


def _reported_by_courts(history: RecordHistory) -> list[Event]:
    found = []
    charges: dict[str, list[Part]] = {}
    for person, record, _ in history.persons("courts"):
        charges.setdefault(record.key, []).extend(person.charges)
        readable = [part.said for part in person.judgments if part.said["day"]]
        unreadable = [part.said for part in person.judgments if not part.said["day"]]
        group = most_serious(_charge_group(part) for part in person.charges)
        for judgment in [max(readable, key=lambda said: said["day"])] if readable else []:
            indicator = "persons_convicted" if judgment["kind"] == "DEN" else "persons_acquitted"
            found.append(_person_event(indicator, person, judgment["day"], group, "unknown", record.case_id))
        for judgment in (readable + unreadable)[-1:]:
            if judgment["kind"] == "DEN" and judgment["final"]:
                found.append(_person_event("persons_convicted_final", person, judgment["final"], group, "unknown", record.case_id))
    for record in history.cases("courts"):
        group = most_serious(_charge_group(part) for part in charges.get(record.key, []))
        if record.said["registered"]:
            found.append(Event("cases_received_court", record.case_id, "", record.said["registered"], group, "unknown"))
    return found


def _reported_by_corrections(history: RecordHistory) -> list[Event]:
    found = []
    for person, record, _ in history.persons("corrections"):
        indicator = "persons_admitted_sentence" if record.said["status"] == "D" else "persons_detained"
        day = record.said["registered"]
        found.append(_person_event(indicator, person, day, reported_group(record.said), "unknown", record.case_id))
    return found
