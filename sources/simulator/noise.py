"""Makes the defects in the records of all deliveries of a set, in the order in which the deliveries were exported.

Does not belong here: which defects there are (`value_defects.py`, `name_defects.py`), what is wrong with whole files (`faults.py`).
"""

from __future__ import annotations

from collections import Counter

from sources.simulator.defects import DefectMaker
from sources.simulator.deliveries import Delivery
from sources.simulator.model import Case, CourtFile, Person, PoliceFile, World
from sources.simulator.name_defects import spoil_names
from sources.simulator.value_defects import CaseDefects, spoil_event_days, spoil_person


def spoil_records(world: World, deliveries: list[Delivery], defect_maker: DefectMaker) -> None:
    """Make defects in the cells of every record, in place. `deliveries`: all deliveries, sorted by period."""
    numbers = {
        "police": [file.number for case in world.cases for file in case.police],
        "prosecution": [file.number for case in world.cases for file in case.prosecution],
        "courts": [file.cited for case in world.cases for file in case.courts],
    }
    cases = CaseDefects(defect_maker, numbers)
    strangers = [person for person in world.persons if person.number]
    known = count_files_of_persons(world)
    repeats = _find_cases_under_two_numbers(world)
    for delivery in deliveries:
        for record in delivery.records:
            if record.key in repeats:
                kind, name, true = repeats.pop(record.key)
                defect_maker.log_defect(delivery.institution, delivery.name, record.key, kind, name, true, record.key)
            cases.spoil_case(delivery, record, record.charged_offence)
            for entry in record.persons:
                if entry.person.unknown:
                    continue
                spoil_names(defect_maker, delivery, record, entry, strangers)
                spoil_person(defect_maker, delivery, entry, record.institution, known[entry.person.person_id])
                spoil_event_days(defect_maker, delivery, record, entry)


def count_files_of_persons(world: World) -> Counter[str]:
    """Count the files of the world in which each person occurs, by person id."""
    counts: Counter[str] = Counter()
    for case in world.cases:
        counts.update(_list_person_ids(case))
    return counts


def _list_person_ids(case: Case) -> list[str]:
    people: list[Person] = [entry.person for file in case.police for entry in file.people]
    people += [party.person for file in case.prosecution for party in file.parties]
    people += [defendant.person for file in case.courts for defendant in file.defendants]
    return [person.person_id for person in people + [stay.person for stay in case.stays]]


def _find_cases_under_two_numbers(world: World) -> dict[str, tuple[str, str, str]]:
    """Return the cases that a register has under two numbers. For each second number, the result has the kind of defect, the field of the
    number, and the first number."""
    found: dict[str, tuple[str, str, str]] = {}
    for case in world.cases:
        for file in case.police:
            first: PoliceFile | None = file.again or file.former
            if first:
                found[file.number] = ("case_registered_twice" if file.again else "case_new_number", "Nr_rastit", first.number)
        for court in case.courts:
            before: CourtFile | None = court.former
            if before:
                found[court.number] = ("case_new_number", "nr", before.number)
    return found
