"""The events that count in the figures as reported: one for each accepted row that contains the event. Nothing in the row is corrected
(docs/reference/counting-rules.md, "As reported").

The date, article, sex and birth date count as the institution states them. Merged, repeated and separated cases are all counted, and a
person or case counts each time that it occurs. A row whose date of the event cannot be read counts in no period.

Two readers might interpret some rules differently. Here:

- the offence of a *case* in the prosecution is the most serious charge against any defendant in the file; its form is taken from a charge
  of the same offence group that names a form
- a decision without a party applies to the defendants who are in the file at the end of the quarter of the decision
- the row of a defendant has one outcome, which is that of the latest judgment
- a file counts as dismissed if its status says so, or if it was continued after a dismissal; the day is that of the last decision to
  dismiss it
- an article is not compared with the code in force if the day of the offence is not delivered; if the article names no code either, the
  words for the offence decide
- only the year is read from a birth date that does not exist
- the form is the one that the row states

These interpretations give the figures of the samples, row by row.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from sources.simulator.codes import CODES, LAWS, MINOR_OFFENCES, find_criminal_code_in_force, find_most_serious_group, find_offence_group
from sources.simulator.happened import Event, find_age_group
from sources.simulator.record_statuses import RecordHistory
from sources.simulator.records import PersonRecord, RecordPart

SECOND_CODE = dict(CODES)["KPRK2012"]


def find_reported_offence_group(values_as_read: dict[str, Any]) -> str:
    """Return the offence group of a row: the group of its article or, if that is not known, the group of its words, and otherwise
    `other`."""
    law, article, day, words = values_as_read["law"], values_as_read["article"], values_as_read["offence_day"], values_as_read["words"]
    named = law in (*LAWS, "KPRK")
    if day and law != MINOR_OFFENCES:
        fits = not named or law == find_criminal_code_in_force(day) or (law == "KPRK" and day >= SECOND_CODE)
        group = find_offence_group(find_criminal_code_in_force(day), article) if fits else None
    elif words and not named:
        group = None  # without code and day nothing says which code is meant, so the words decide
    else:
        codes = (law,) if law in LAWS else ("KPRK2019", "KPRK2012") if law == "KPRK" else LAWS[2::-1] + LAWS[3:]
        group = next((found for code in codes if (found := find_offence_group(code, article))), None)
    return group or words or "other"


def _find_offence_group_of_charge(part: RecordPart) -> str:
    return find_reported_offence_group({**part.values_as_read, "offence_day": None})


def _make_person_event(indicator: str, person: PersonRecord, day: date, group: str, form: str, case_id: str) -> Event:
    values_as_read = person.values_as_read
    sex = {"M": "male", "F": "female"}.get(values_as_read["sex"] or "", "unknown")
    citizenship = "unknown" if not values_as_read["citizenship"] else "domestic" if values_as_read["citizenship"] == "XKX" else "foreign"
    return Event(indicator, case_id, person.key, day, group, form, sex, find_age_group(values_as_read["born"], day), citizenship)


def list_reported_events(history: RecordHistory) -> list[Event]:
    """Return an event for each row that counts. `person` contains the record key, so that two rows never give the same event."""
    return [event for events in group_reported_events_by_institution(history).values() for event in events]


def group_reported_events_by_institution(history: RecordHistory) -> dict[str, list[Event]]:
    """Return the events of `list_reported_events`, by institution."""
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
        values_as_read = record.values_as_read
        group = find_reported_offence_group(values_as_read)
        form = _find_stated_form_of_exploitation(group, values_as_read["form"])
        for indicator, day in (("cases_registered", values_as_read["registered"]), ("cases_referred", values_as_read["sent"])):
            if day:
                found.append(Event(indicator, record.case_id, "", day, group, form))
    for person, _, case in history.list_counted_persons("police"):
        values_as_read = (
            case.values_as_read
            if case
            else {"law": None, "article": None, "words": None, "offence_day": None, "registered": None, "form": None}
        )
        group = find_reported_offence_group(values_as_read)
        form = _find_stated_form_of_exploitation(group, values_as_read["form"])
        role, case_id = person.values_as_read["role"], case.case_id if case else ""
        if role == "suspect":
            if values_as_read["registered"]:
                found.append(_make_person_event("suspects_registered", person, values_as_read["registered"], group, form, case_id))
            if person.values_as_read["arrested"]:
                found.append(_make_person_event("persons_arrested", person, person.values_as_read["arrested"], group, form, case_id))
        elif role == "victim" and values_as_read["registered"]:
            found.append(_make_person_event("victims_identified", person, values_as_read["registered"], group, form, case_id))
    return found


def _list_events_of_inspectorate(history: RecordHistory) -> list[Event]:
    found = []
    for record in history.list_counted_cases("inspectorate"):
        values_as_read = record.values_as_read
        group = find_reported_offence_group(values_as_read)
        for indicator, day in (("cases_registered", values_as_read["registered"]), ("cases_referred", values_as_read["sent"])):
            if day:
                found.append(Event(indicator, record.case_id, "", day, group, "unknown"))
    for person, record, _ in history.list_counted_persons("inspectorate"):
        values_as_read = record.values_as_read
        if values_as_read["registered"]:
            group = find_reported_offence_group(values_as_read)
            found.append(_make_person_event("suspects_registered", person, values_as_read["registered"], group, "unknown", record.case_id))
    return found


def _find_stated_form_of_exploitation(group: str, form: str | None) -> str:
    """Return the form under which a row counts: the form that it states, or `unknown`. Prostitution and other offences have no form."""
    return "unknown" if group in ("prostitution", "other") else form or "unknown"


def _find_form_of_exploitation_of_charges(parts: list[RecordPart], group: str) -> str:
    """Return the form that one of the charges in the offence group `group` states, or `unknown`."""
    stated = [part.values_as_read["form"] for part in parts if part.values_as_read["form"] and _find_offence_group_of_charge(part) == group]
    return _find_stated_form_of_exploitation(group, stated[0] if stated else None)


def _list_events_of_prosecution(history: RecordHistory) -> list[Event]:
    found = []
    charges: dict[str, list[RecordPart]] = {}
    for person, record, _ in history.list_counted_persons("prosecution"):
        if person.values_as_read["role"] == "suspect":
            charges.setdefault(record.key, []).extend(person.charges)
    for record in history.list_counted_cases("prosecution"):
        parts = charges.get(record.key, [])
        group = find_most_serious_group(_find_offence_group_of_charge(part) for part in parts)
        form = _find_form_of_exploitation_of_charges(parts, group)
        if record.values_as_read["registered"]:
            found.append(Event("cases_received_prosecution", record.case_id, "", record.values_as_read["registered"], group, form))
        days = [
            part.values_as_read["day"] for part in record.decisions if part.values_as_read["kind"] == "HUD" and part.values_as_read["day"]
        ]
        going_on = record.values_as_read["status"] in ("HET", "PEZ") and not any(
            part.values_as_read["kind"] == "AKT" for part in record.decisions
        )
        if days and (record.values_as_read["status"] == "HUD" or going_on):
            found.append(Event("cases_dismissed", record.case_id, "", max(days), group, form))
    for person, record, case in history.list_counted_persons("prosecution"):
        if person.values_as_read["role"] != "suspect" or case is None:
            continue
        group = find_most_serious_group(_find_offence_group_of_charge(part) for part in person.charges)
        form = _find_form_of_exploitation_of_charges(person.charges, group)
        if case.values_as_read["registered"]:
            found.append(_make_person_event("persons_reported", person, case.values_as_read["registered"], group, form, record.case_id))
        days = [
            part.values_as_read["day"]
            for part in case.decisions
            if part.values_as_read["kind"] == "AKT" and person.key in part.values_as_read["covers"]
        ]
        days = [day for day in days if day]
        if days:
            found.append(_make_person_event("persons_indicted", person, min(days), group, form, record.case_id))
    return found


def _list_events_of_courts(history: RecordHistory) -> list[Event]:
    found = []
    charges: dict[str, list[RecordPart]] = {}
    for person, record, _ in history.list_counted_persons("courts"):
        charges.setdefault(record.key, []).extend(person.charges)
        readable = [part.values_as_read for part in person.judgments if part.values_as_read["day"]]
        unreadable = [part.values_as_read for part in person.judgments if not part.values_as_read["day"]]
        group = find_most_serious_group(_find_offence_group_of_charge(part) for part in person.charges)
        for judgment in [max(readable, key=lambda values_as_read: values_as_read["day"])] if readable else []:
            indicator = "persons_convicted" if judgment["kind"] == "DEN" else "persons_acquitted"
            found.append(_make_person_event(indicator, person, judgment["day"], group, "unknown", record.case_id))
        for judgment in (readable + unreadable)[-1:]:
            if judgment["kind"] == "DEN" and judgment["final"]:
                found.append(_make_person_event("persons_convicted_final", person, judgment["final"], group, "unknown", record.case_id))
    for record in history.list_counted_cases("courts"):
        group = find_most_serious_group(_find_offence_group_of_charge(part) for part in charges.get(record.key, []))
        if record.values_as_read["registered"]:
            found.append(Event("cases_received_court", record.case_id, "", record.values_as_read["registered"], group, "unknown"))
    return found


def _list_events_of_corrections(history: RecordHistory) -> list[Event]:
    found = []
    for person, record, _ in history.list_counted_persons("corrections"):
        indicator = "persons_admitted_sentence" if record.values_as_read["status"] == "D" else "persons_detained"
        day = record.values_as_read["registered"]
        found.append(
            _make_person_event(indicator, person, day, find_reported_offence_group(record.values_as_read), "unknown", record.case_id)
        )
    return found
