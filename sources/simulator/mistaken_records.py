"""Records that were registered in error. The next version of the delivery withdraws them. Such a record belongs to no case (its case id
begins with `W`) and has a person who is in no other record."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

from sources.periods import first_day, last_day
from sources.simulator import register_records
from sources.simulator.codes import make_offence, read_places
from sources.simulator.deliveries import Delivery
from sources.simulator.model import (
    Case,
    Charge,
    CourtFile,
    Defendant,
    Party,
    Person,
    PoliceFile,
    PolicePerson,
    PrisonStay,
    ProsecutionFile,
    World,
)
from sources.simulator.people import draw_person_outside_world
from sources.simulator.records import CaseRecord


def make_mistaken_record(rng: Random, world: World, delivery: Delivery) -> CaseRecord:
    """Return a record, with one person, that was registered in error. Its numbers are in no other record."""
    period = delivery.period
    day = first_day(period) + timedelta(days=rng.randrange(5, min(80, (last_day(period) - first_day(period)).days)))
    person = _make_person(rng, world)
    world.mistakes += 1
    municipality = rng.choice(list(read_places()["municipalities"]))
    case = Case(day, day - timedelta(days=rng.randrange(1, 30)), "trafficking", "sexual", municipality)
    case.case_id = f"W{world.mistakes - 1:06d}"
    charged_offence = make_offence(case.kind, case.offence_day)
    seat = read_places()["regions"][read_places()["municipalities"][municipality][0]][0]
    if delivery.institution == "police":
        return _make_police_record(case, person, day, period)
    if delivery.institution == "corrections":
        stay = PrisonStay(person, "P", read_places()["detention"][seat], seat, charged_offence, case.offence_day, day)
        stay.register_id = f"P-{19000 + world.mistakes}"
        return register_records.make_stay_record(case, stay, last_day(period))
    prosecution_file = ProsecutionFile("I", seat, day, "TJ", None, statuses=[(day, "HET")])
    prosecution_file.number, prosecution_file.file_id = (
        f"PP.I.nr.{900 + world.mistakes + max(0, len(world.cases) // 2)}/{day.year}",
        900 + world.mistakes,
    )
    charge = Charge(charged_offence, "sexual", True, day, charge_id=8900 + world.mistakes)
    if delivery.institution == "prosecution":
        prosecution_file.parties = [Party(person, "D", day, [charge], 4900 + world.mistakes)]
        return register_records.make_prosecution_record(case, prosecution_file, last_day(period))
    court = CourtFile("PKR", seat, "", "sq", day, prosecution_file, [Defendant(person, 1, [charge])])
    court.number = f"PKR.nr.{900 + world.mistakes + len(world.cases)}/{day.year}"
    return register_records.make_court_record(case, court, last_day(period))


def _make_police_record(case: Case, person: Person, day: date, period: str) -> CaseRecord:
    region = read_places()["municipalities"][case.municipality][0]
    charged_offence = make_offence(case.kind, case.offence_day)
    file = PoliceFile(region, day, case.offence_day, f"Stacioni Policor {case.municipality}", case.municipality, charged_offence, case.form)
    file.people = [PolicePerson(person, "S", day, None, 1)]
    file.number = f"{day.year}-{region}-{99000 + int(case.case_id[1:])}"
    return register_records.make_police_record(case, file, last_day(period))


def _make_person(rng: Random, world: World) -> Person:
    person = draw_person_outside_world(rng, "M", range(1955, 1985))
    world.persons.append(person)
    person.person_id = f"P{len(world.persons):07d}"
    return person
