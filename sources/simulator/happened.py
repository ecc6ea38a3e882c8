"""The true events, from which the harmonised figures should be counted: what is true of the cases and persons in accepted records
(counting-rules.md, "What is counted").

An event that is in no accepted record is not counted, since nobody delivered it. The day, offence and person of an event are the true ones,
even if the delivered value is wrong. About a person only those facts are known that some accepted record states: if every record lacks the
sex, it is unknown; if only the year of birth is delivered, the rule for years applies. The same holds for the form of a case.

Two readers might interpret some rules differently. Here the principal offence of a *case* in the prosecution is the most serious charge
against any defendant in any of its files; that of a *person* is the most serious charge against the person in the case. For
`persons_convicted` the latest judgment of each file decides. Events of the police and the prosecution have the form that belongs to the
offence ("always `sexual`"). Inspectorate, courts and prisons deliver no form. Therefore their events have the form of the case, whatever
offence they name, or no form if no record of police or prosecution states one. The truth of the samples agrees with these interpretations.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from sources.simulator.codes import find_counted_form_of_exploitation, find_most_serious_group, rank_offence_group_by_seriousness
from sources.simulator.record_statuses import RecordHistory
from sources.simulator.records import PersonRecord

CASE_INDICATORS = ("cases_registered", "cases_referred", "cases_received_prosecution", "cases_dismissed", "cases_received_court")
INDICATORS = (
    "cases_registered",
    "cases_referred",
    "suspects_registered",
    "persons_arrested",
    "victims_identified",
    "cases_received_prosecution",
    "persons_reported",
    "cases_dismissed",
    "persons_indicted",
    "cases_received_court",
    "persons_convicted",
    "persons_acquitted",
    "persons_convicted_final",
    "persons_admitted_sentence",
    "persons_detained",
)


@dataclass(slots=True, frozen=True)
class Event:
    """An event that is counted. If it is an event of a case, `person` is empty, and sex, age group and citizenship group are None."""

    indicator: str
    case_id: str
    person: str
    day: date
    group: str
    form: str
    sex: str | None = None
    age_group: str | None = None
    citizenship_group: str | None = None


@dataclass(slots=True)
class KnownPerson:
    """What the accepted records tell about a person. `born`: the day of birth, or only the year."""

    sex: str = "unknown"
    born: date | int | None = None
    citizenship_group: str = "unknown"


def find_age_group(born: date | int | None, day: date) -> str:
    """Return `child`, `adult` or `unknown`: the age group on `day` of a person born on the day or in the year `born`
    (docs/reference/counting-rules.md, "Sex, birth date, citizenship")."""
    if born is None:
        return "unknown"
    if isinstance(born, int):
        years = day.year - born
        return "child" if years < 18 else "adult" if years > 18 else "unknown"
    years = day.year - born.year - ((day.month, day.day) < (born.month, born.day))
    return "child" if years < 18 else "adult"


def collect_known_persons(history: RecordHistory) -> dict[str, KnownPerson]:
    """Return what all accepted records together tell about each person, by person id."""
    known: dict[str, KnownPerson] = defaultdict(KnownPerson)
    for key, state in history.accepted.items():
        if key[1] != "person" or state.person is None:
            continue
        values_as_read, person = state.person.values_as_read, state.person.person
        if person.unknown:
            continue
        entry = known[person.person_id]
        if values_as_read["sex"]:
            entry.sex = "male" if person.sex == "M" else "female"
        if values_as_read["citizenship"]:
            entry.citizenship_group = "domestic" if person.citizenship == "XKX" else "foreign"
        born = values_as_read["born"]
        whole_date = isinstance(born, date) and ((born.month, born.day) != (1, 1) or born == person.born)
        if whole_date:
            entry.born = person.born
        elif born is not None and entry.born is None:
            entry.born = person.born.year
    return known


def find_forms_of_exploitation_of_cases(history: RecordHistory) -> dict[str, str]:
    """Return the form of exploitation of each case, as a charge of the prosecution states it, or otherwise a record of the police. Cases
    without a stated form are left out."""
    forms: dict[str, str] = {}
    for record in history.list_counted_cases("police"):
        if record.values_as_read["form"]:
            forms[record.case_id] = record.true["form"]
    for person, record, _ in history.list_counted_persons("prosecution"):
        for part in person.charges:
            if part.true["form"] and part.values_as_read["form"]:
                forms[record.case_id] = part.true["form"]
    return forms


class _EventCollector:
    """Collects the earliest event of each case, or of each person in a case."""

    def __init__(self, forms: dict[str, str], known: dict[str, KnownPerson]) -> None:
        self.forms, self.known = forms, known
        self.found: dict[tuple[str, str, str], tuple[date, list[str]]] = {}
        self.form_stated: set[tuple[str, str, str]] = set()  # keys of events from institutions that deliver a form

    def add_event(
        self,
        indicator: str,
        case_id: str,
        person: PersonRecord | None,
        day: date | None,
        groups: Iterable[str],
        form_stated: bool = False,
    ) -> None:
        """Add an event. If the case or person already has an event of this indicator, the earlier day is kept, and the offence groups of
        both. `form_stated`: whether the institution delivers a form."""
        if day is None or (person and person.person.unknown):
            return
        key = (indicator, case_id, person.person.person_id if person else "")
        if form_stated:
            self.form_stated.add(key)
        first, seen = self.found.get(key, (day, []))
        self.found[key] = (min(first, day), [*seen, *groups])

    def list_events(self) -> list[Event]:
        """Return the collected events, each with its most serious offence group and with what is known about the person."""
        result = []
        for (indicator, case_id, person), (day, groups) in self.found.items():
            group = find_most_serious_group(groups)
            stated = (indicator, case_id, person) in self.form_stated
            form = find_counted_form_of_exploitation(group, self.forms.get(case_id)) if stated else self.forms.get(case_id, "unknown")
            if not person:
                result.append(Event(indicator, case_id, "", day, group, form))
                continue
            about = self.known[person]
            result.append(
                Event(indicator, case_id, person, day, group, form, about.sex, find_age_group(about.born, day), about.citizenship_group)
            )
        return result


def list_true_events(history: RecordHistory) -> list[Event]:
    """Return every counted event. An indicator counts one event for each case, or for each person in a case; a victim is identified only
    once, in whatever case. The events are sorted by indicator, day, case and person."""
    collector = _EventCollector(find_forms_of_exploitation_of_cases(history), collect_known_persons(history))
    _collect_registration_events(history, collector)
    _collect_prosecution_events(history, collector)
    _collect_court_events(history, collector)
    for person, record, _ in history.list_counted_persons("corrections"):
        indicator = "persons_admitted_sentence" if record.true["status"] == "D" else "persons_detained"
        collector.add_event(indicator, record.case_id, person, record.true["registered"], [record.true["group"]])
    order = {name: i for i, name in enumerate(INDICATORS)}
    found = sorted(collector.list_events(), key=lambda event: (order[event.indicator], event.day, event.case_id, event.person))
    return _keep_first_identification_of_victims(found)


def _keep_first_identification_of_victims(events: list[Event]) -> list[Event]:
    """Keep only the first identification of each victim, and all events of other indicators."""
    seen: set[str] = set()
    result = []
    for event in events:
        if event.indicator == "victims_identified":
            if event.person in seen:
                continue
            seen.add(event.person)
        result.append(event)
    return result


def _collect_registration_events(history: RecordHistory, collector: _EventCollector) -> None:
    """Collect the events of police and inspectorate. A person counts on the earliest report date of the case."""
    reported: dict[str, date] = {}
    groups: dict[str, list[str]] = defaultdict(list)
    for institution in ("police", "inspectorate"):
        for record in history.list_counted_cases(institution):
            case_id, true = record.case_id, record.true
            reported[case_id] = min(reported.get(case_id, true["registered"]), true["registered"])
            groups[case_id].append(true["group"])
            police = institution == "police"
            collector.add_event("cases_registered", case_id, None, true["registered"], [true["group"]], police)
            collector.add_event("cases_referred", case_id, None, true["sent"], [true["group"]], police)
    for institution in ("police", "inspectorate"):
        for person, record, _ in history.list_counted_persons(institution):
            case_id, role, police = record.case_id, person.true["role"], institution == "police"
            if role == "suspect":
                collector.add_event("suspects_registered", case_id, person, reported.get(case_id), groups[case_id], police)
                arrested = person.true["arrested"]
                collector.add_event("persons_arrested", case_id, person, arrested, groups[case_id] or [record.true["group"]], police)
            elif role == "victim":
                collector.add_event("victims_identified", case_id, person, reported.get(case_id), groups[case_id], police)


def _list_charged_offence_groups(person: PersonRecord) -> list[str]:
    return [part.true["group"] for part in person.charges]


def _collect_prosecution_events(history: RecordHistory, collector: _EventCollector) -> None:
    """Collect the events of the prosecution. A reported person counts on the earliest day on which any file of the case was received."""
    received: dict[str, date] = {}
    for record in history.list_counted_cases("prosecution"):
        received[record.case_id] = min(received.get(record.case_id, record.true["registered"]), record.true["registered"])
    charges: dict[str, list[str]] = defaultdict(list)
    defendants = [row for row in history.list_counted_persons("prosecution") if row[0].true["role"] == "suspect"]
    for person, record, _ in defendants:
        charges[record.case_id] += _list_charged_offence_groups(person)
    dismissed: dict[str, date] = {}
    indicted: set[str] = set()
    for record in history.list_counted_cases("prosecution"):
        case_id = record.case_id
        collector.add_event("cases_received_prosecution", case_id, None, record.true["registered"], charges[case_id], True)
        for part in record.decisions:
            if part.true["kind"] == "HUD":
                dismissed[case_id] = max(dismissed.get(case_id, part.true["day"]), part.true["day"])
            elif part.true["kind"] == "AKT":
                indicted.add(case_id)
    for case_id, day in dismissed.items():
        if case_id not in indicted:
            collector.add_event("cases_dismissed", case_id, None, day, charges[case_id], True)
    for person, record, case in defendants:
        collector.add_event(
            "persons_reported", record.case_id, person, received.get(record.case_id), _list_charged_offence_groups(person), True
        )
        for part in case.decisions if case else []:
            if part.true["kind"] == "AKT" and person.key in part.true["covers"]:
                collector.add_event(
                    "persons_indicted", record.case_id, person, part.true["day"], _list_charged_offence_groups(person), True
                )
    # A person in two files of a case counts under the most serious charge in them, even if only one file has an indictment.
    all_charges: dict[tuple[str, str], list[str]] = defaultdict(list)
    for person, record, _ in defendants:
        all_charges[record.case_id, person.person.person_id] += _list_charged_offence_groups(person)
    for (indicator, case_id, person_id), (day, _) in list(collector.found.items()):
        if indicator in ("persons_reported", "persons_indicted"):
            collector.found[indicator, case_id, person_id] = (day, all_charges[case_id, person_id])


def _collect_court_events(history: RecordHistory, collector: _EventCollector) -> None:
    """Collect the events of the courts. Within a court file the latest judgment decides. If a case has several court files, a conviction
    takes precedence over other outcomes, and the earliest conviction counts."""
    persons = history.list_counted_persons("courts")
    charges: dict[str, list[str]] = defaultdict(list)
    own: dict[tuple[str, str], list[str]] = defaultdict(list)
    outcomes: dict[tuple[str, str], list[tuple[dict[str, Any], PersonRecord]]] = defaultdict(list)
    for person, record, _ in persons:
        key = (record.case_id, person.person.person_id)
        charges[record.case_id] += _list_charged_offence_groups(person)
        own[key] += _list_charged_offence_groups(person)
        if person.judgments:
            outcomes[key].append((max((part.true for part in person.judgments), key=lambda true: true["day"]), person))
    for record in history.list_counted_cases("courts"):
        collector.add_event("cases_received_court", record.case_id, None, record.true["registered"], charges[record.case_id])
    for (case_id, person_id), latest in outcomes.items():
        convictions = [pair for pair in latest if pair[0]["kind"] == "DEN"]
        for judgment, person in convictions or latest:
            indicator = "persons_convicted" if convictions else "persons_acquitted"
            collector.add_event(indicator, case_id, person, judgment["day"], own[case_id, person_id])
            if convictions:
                collector.add_event("persons_convicted_final", case_id, person, judgment["final"], own[case_id, person_id])


def keep_most_serious_offence_per_period(events: list[Event]) -> list[Event]:
    """Return events in which each person occurs only once. Of several events of a person, the one with the most serious offence is kept,
    and of these the earliest. `events`: the events of one indicator and period."""
    kept: dict[str, Event] = {}
    result = []
    for event in events:
        if not event.person:
            result.append(event)
        elif event.person not in kept or (rank_offence_group_by_seriousness(event.group), event.day) < (
            rank_offence_group_by_seriousness(kept[event.person].group),
            kept[event.person].day,
        ):
            kept[event.person] = event
    return result + list(kept.values())
