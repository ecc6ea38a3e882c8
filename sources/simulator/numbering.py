"""Gives every case, person and file its number, in the order in which each register would have assigned it.

Police numbers are counted by region and year. Prosecution numbers are unique only within a seat and register (deliveries.md), so two seats
can have the same number. Court numbers are unique, and are the record keys in the courts' export. Does not belong here: spellings of
numbers (`spelling.py`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from random import Random

from sources.simulator.model import Case, CourtFile, Decision, Person, ProsecutionFile
from sources.simulator.settings import Settings

FIRST_FILE, FIRST_PARTY, FIRST_CHARGE, FIRST_DECISION, FIRST_REGISTER_ID = 1001, 5001, 9001, 3001, 20001


def assign_all_numbers(cases: list[Case], persons: list[Person], settings: Settings, rng: Random) -> None:
    """Assign all numbers, in place. `cases`: sorted by the day on which they were opened."""
    for i, case in enumerate(cases, 1):
        case.case_id = f"C{i:06d}"
    for i, person in enumerate(persons, 1):
        person.person_id = f"P{i:07d}"
    _assign_police_numbers(cases, settings, rng)
    _assign_inspectorate_numbers(cases, rng)
    files = sorted((file for case in cases for file in case.prosecution), key=lambda file: file.received)
    _assign_prosecution_numbers(files, settings, rng)
    _assign_prosecution_row_ids(files, rng)
    _assign_court_numbers(sorted((file for case in cases for file in case.courts), key=lambda file: file.entered), rng)
    _assign_prison_numbers(cases, settings, rng)


def _draw_next_serial(rng: Random, counters: dict[tuple[str, int], int], key: tuple[str, int], widest: int) -> int:
    """Return the next serial number of `key`. It is 1 to `widest` higher than the number before it."""
    counters[key] += rng.randint(1, widest)
    return counters[key]


def _assign_police_numbers(cases: list[Case], settings: Settings, rng: Random) -> None:
    """Number the police's cases as `YYYY-RR-NNNNN`. There are gaps between the numbers, since the register also has cases of other
    kinds."""
    counters: dict[tuple[str, int], int] = defaultdict(int)
    widest = max(2, min(40, 40000 // max(settings.cases_per_year, 1)))
    files = [file for case in cases for file in case.police]
    for file in sorted(files, key=lambda file: file.entered or file.since or file.reported):
        year = (file.entered or file.since or file.reported).year
        file.number = f"{year}-{file.region}-{_draw_next_serial(rng, counters, (file.region, year), widest):05d}"


def _assign_inspectorate_numbers(cases: list[Case], rng: Random) -> None:
    counters: dict[tuple[str, int], int] = defaultdict(int)
    for file in sorted((file for case in cases for file in case.inspectorate), key=lambda file: file.received):
        file.number = f"IPK-{_draw_next_serial(rng, counters, ('IPK', file.received.year), 2):03d}/{file.received.year}"


def _assign_prosecution_numbers(files: list[ProsecutionFile], settings: Settings, rng: Random) -> None:
    """Number the files of the prosecution. Some files get the same number as a file of another seat."""
    counters: dict[tuple[str, int], int] = defaultdict(int)
    given: dict[tuple[str, int], list[ProsecutionFile]] = defaultdict(list)
    for i, file in enumerate(files):
        file.file_id = FIRST_FILE + i
        key = (file.register, file.received.year)
        others = [other for other in given[key][-30:] if other.seat != file.seat]
        if others and rng.random() < settings.same_number:
            other = rng.choice(others)
            given[key].remove(other)  # no number is used by three seats
            file.number = other.number
            continue
        file.number = f"PP.{file.register}.nr.{_draw_next_serial(rng, counters, key, 1)}/{file.received.year}"
        given[key].append(file)


def _assign_prosecution_row_ids(files: list[ProsecutionFile], rng: Random) -> None:
    """Number the parties, charges, decisions and indictments. The ids of parties, charges and decisions count through the whole database,
    in order of entry; indictments are numbered by year."""
    parties = sorted(((party.since, file.file_id, party) for file in files for party in file.parties), key=lambda row: row[:2])
    for i, (_, _, party) in enumerate(parties):
        party.party_id = FIRST_PARTY + i
    charges = sorted(
        ((charge.since, party.party_id, charge) for _, _, party in parties for charge in party.charges), key=lambda row: row[:2]
    )
    for i, (_, _, charge) in enumerate(charges):
        charge.charge_id = FIRST_CHARGE + i
    decisions = sorted(((decision.day, file.file_id, decision) for file in files for decision in file.decisions), key=lambda row: row[:2])
    for i, (_, _, decision) in enumerate(decisions):
        decision.decision_id = FIRST_DECISION + i
    _assign_indictment_numbers([decision for _, _, decision in decisions], rng)


def _assign_indictment_numbers(decisions: Iterable[Decision], rng: Random) -> None:
    counters: dict[tuple[str, int], int] = defaultdict(int)
    given: dict[str, str] = {}
    for decision in decisions:
        if decision.indictment:
            if decision.indictment not in given:
                given[decision.indictment] = f"AKT.nr.{_draw_next_serial(rng, counters, ('AKT', decision.day.year), 3)}/{decision.day.year}"
            decision.indictment = given[decision.indictment]


def _assign_court_numbers(files: list[CourtFile], rng: Random) -> None:
    counters: dict[tuple[str, int], int] = defaultdict(int)
    for file in files:
        file.number = f"{file.register}.nr.{_draw_next_serial(rng, counters, (file.register, file.entered.year), 2)}/{file.entered.year}"
        if file.taken_over and file.former:
            file.number += f" (ish {file.former.number})"


def _assign_prison_numbers(cases: list[Case], settings: Settings, rng: Random) -> None:
    """Number the persons in the prisons' register. A person mostly keeps the number in later stays, but sometimes gets a new number for a
    later commitment."""
    stays = sorted((stay for case in cases for stay in case.stays), key=lambda stay: (stay.admitted, stay.commitment))
    by_commitment: dict[int, str] = {}
    by_person: dict[int, tuple[str, date]] = {}
    given = 0
    for stay in stays:
        if stay.commitment not in by_commitment:
            known = by_person.get(id(stay.person))
            if known and rng.random() >= settings.new_register_id:
                by_commitment[stay.commitment] = known[0]
            else:
                by_commitment[stay.commitment] = f"P-{FIRST_REGISTER_ID + given}"
                given += 1
        stay.register_id = by_commitment[stay.commitment]
        by_person[id(stay.person)] = (stay.register_id, stay.admitted)
