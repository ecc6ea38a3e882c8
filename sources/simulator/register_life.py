"""What registers do with their records over the years (deliveries.md, "Registers over the years"). Each kind of change is an option of a
simulation, named in `KINDS`.

Belongs here: changes of the world before its files are numbered, changes of deliveries because of the prosecution's new system, and changes
of whole files. Does not belong here: what a register says about a changed file (`register_records.py`), which state counts
(`record_statuses.py`). Each kind draws from a separate random generator, so that the same set without this kind differs in nothing else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import date, timedelta
from random import Random

from sources.periods import first_day, last_day
from sources.simulator import register_records
from sources.simulator.codes import find_court_seat, make_offence, read_places
from sources.simulator.defects import DefectMaker
from sources.simulator.deliveries import Delivery
from sources.simulator.model import (
    Case,
    Charge,
    CourtFile,
    Decision,
    Defendant,
    Party,
    Person,
    PoliceFile,
    PolicePerson,
    ProsecutionFile,
    World,
)
from sources.simulator.new_codes import replace_codes
from sources.simulator.people import PersonMaker
from sources.simulator.periods import find_quarter_of_day
from sources.simulator.prosecutor import Prosecutor
from sources.simulator.records import CaseRecord
from sources.simulator.settings import Settings

KINDS = (
    "late_entry",
    "unknown_persons",
    "cancelled",
    "reopened",
    "new_ids",
    "places",
    "closed_court",
    "workbooks",
    "code_pages",
    "redelivery",
    "new_codes",
)
NOT_AS_AGREED = ("new_codes",)
"""Kinds whose deliveries the built-in contracts cannot read (`write_domain.py`). The option `all` does not include them."""
UNKNOWN = ("N.N.", "N. N.", "NN", "NN lice", "I panjohur", "E panjohur", "Person i panjohur", "nepoznat", "nepoznata", "Nepoznato lice")
LETTER_CASES = (str, str, str.upper, str.lower)
NEW_IDS = {"lenda": 700001, "pala": 2100001, "akuza": 4100001, "vendimi": 3100001}
"""The first id in each table of the prosecution's new system. These ids are higher than those of the former system."""
FORMER_SYSTEM_ONLY = 600001
"""The first of the old ids in the crosswalk that are in no delivery."""
FILES = {
    "date_1904": "workbook_1904",
    "last_year": "last_year_table",
    "enc_cp852": "file_cp852",
    "enc_latin1": "file_latin1",
    "new_codes": "codes_changed",
}


def check_register_life_kinds(kinds: Collection[str]) -> frozenset[str]:
    """Return the wanted kinds; `all` means every kind except those in `NOT_AS_AGREED`. Raises `ValueError` for an unknown kind."""
    if odd := sorted(set(kinds) - {*KINDS, "all"}):
        raise ValueError(f"register life {odd[0]!r} is unknown; the kinds are all, {', '.join(KINDS)}")
    every = set(KINDS) - set(NOT_AS_AGREED) if "all" in kinds else set[str]()
    return frozenset(every | set(kinds) - {"all"})


def apply_register_life(settings: Settings, cases: list[Case], people: PersonMaker) -> None:
    """Apply the kinds in `settings.life` to the files of a world, before the files are numbered. New matters are added to `cases`."""
    for kind, change in _CHANGES.items():
        if kind in settings.life:
            people.rng = Random(f"life {kind} {settings.seed} {settings.noise}")
            change(people.rng, settings, cases, people)


def _list_unchanged_police_files(cases: list[Case]) -> Iterator[tuple[Case, PoliceFile]]:
    """Yield the cases that have one police file which no kind has changed yet, each with this file."""
    for case in cases:
        if len(case.police) == 1 and not (case.police[0].entered or case.police[0].cancelled or case.police[0].numbered_by_position):
            yield case, case.police[0]


def _enter_police_cases_late(rng: Random, settings: Settings, cases: list[Case], people: PersonMaker) -> None:
    """Let the police enter some cases two to five quarters after the report. The number of such a case is from the year of its entry."""
    for _, file in _list_unchanged_police_files(cases):
        if rng.random() < 0.06:
            file.entered = file.reported + timedelta(days=rng.randrange(185, 460))


def _add_unknown_persons(rng: Random, settings: Settings, cases: list[Case], people: PersonMaker) -> None:
    """Add suspects and victims whose names are not known to police cases. Some of these suspects are also charged at the prosecution."""
    for _, file in _list_unchanged_police_files(cases):
        for _ in range(rng.choices((0, 1, 2), (92, 6, 2))[0]):
            role = "S" if rng.random() < 0.8 else "V"
            entry = PolicePerson(_make_unknown_person(rng, people), role, file.reported, seq=len(file.people) + 1)
            file.people.append(entry)
            if role == "S" and file.prosecution_file and file.prosecution_file.merged_into is None and rng.random() < 0.7:
                first = file.prosecution_file.parties[0].charges[0]
                charge = Charge(first.offence, first.form, True, file.prosecution_file.received)
                file.prosecution_file.parties.append(
                    Party(_make_unknown_person(rng, people), "D", file.prosecution_file.received, [charge])
                )


def _make_unknown_person(rng: Random, people: PersonMaker) -> Person:
    """Make a person whose names are words such as "unknown person", or are empty."""
    text = rng.choice(LETTER_CASES)(rng.choice(UNKNOWN)) if rng.random() < 0.85 else ""
    given, surname = (text, text) if rng.random() < 0.3 else ("", text) if rng.random() < 0.6 else (text, "")
    person = Person(given, surname, "", rng.choice("MF") if rng.random() < 0.4 else "", date(1900, 1, 1), "", "", "", "")
    person.unknown = True
    people.persons.append(person)
    return person


def _add_cancelled_records(rng: Random, settings: Settings, cases: list[Case], people: PersonMaker) -> None:
    """Add records that are cancelled later. They were entered by mistake, or repeat a matter under another number."""
    share = max(2, settings.cases_per_year * settings.years // 40)
    begin = date(settings.start, 1, 1)
    for n in range(share * 2):
        opened = begin + timedelta(days=rng.randrange(settings.years * 365 - 30))
        case = Case(opened, opened - timedelta(days=rng.randrange(1, 40)), "trafficking", "sexual", people.draw_municipality())
        person, charged_offence = (
            people.make_resident(rng.choice("MF"), opened, municipality=case.municipality),
            make_offence("trafficking", case.offence_day),
        )
        cancelled = opened + timedelta(days=rng.randrange(1, 200))
        if n % 2:
            prosecution_file = ProsecutionFile(
                "I", find_court_seat(case.municipality), opened, "TJ", None, statuses=[(opened, "HET"), (cancelled, "ANULUAR")]
            )
            prosecution_file.parties = [Party(person, "D", opened, [Charge(charged_offence, "sexual", True, opened)])]
            case.prosecution.append(prosecution_file)
        else:
            region = read_places()["municipalities"][case.municipality][0]
            station = f"Stacioni Policor {case.municipality}"
            file = PoliceFile(region, opened, case.offence_day, station, case.municipality, charged_offence, case.form, cancelled=cancelled)
            file.people = [PolicePerson(person, "S", opened, opened if rng.random() < 0.5 else None, 1)]
            case.police.append(file)
        cases.append(case)
    _register_matters_again(rng, settings, cases)


def _register_matters_again(rng: Random, settings: Settings, cases: list[Case]) -> None:
    """Add second files on the same matter under another number, which are cancelled later. Neither of the two files cites the other."""
    for case, file in list(_list_unchanged_police_files(cases)):
        if not settings.may_have_several_files(case.opened):
            continue
        if rng.random() < 0.02:
            twin = replace(file, sent=None, closed=None, prosecution_file=None, pp_known=None)
            twin.people = [PolicePerson(p.person, p.role, p.since, p.arrested, p.seq) for p in file.people]
            twin.cancelled = file.reported + timedelta(days=rng.randrange(1, 120))
            case.police.append(twin)
        elif file.prosecution_file and len(case.prosecution) == 1 and rng.random() < 0.02:
            prosecution_file = file.prosecution_file
            cancelled = prosecution_file.received + timedelta(days=rng.randrange(1, 120))
            copy = ProsecutionFile(
                prosecution_file.register,
                prosecution_file.seat,
                prosecution_file.received,
                prosecution_file.source,
                prosecution_file.sender,
                statuses=[(prosecution_file.received, "HET"), (cancelled, "ANULUAR")],
            )
            for party in prosecution_file.parties:
                charges = [Charge(c.offence, c.form, c.principal, prosecution_file.received) for c in party.charges[:1]]
                copy.parties.append(Party(party.person, party.role, prosecution_file.received, charges))
            case.prosecution.append(copy)


def _reopen_cases(rng: Random, settings: Settings, cases: list[Case], people: PersonMaker) -> None:
    """Reopen police cases that were closed, and prosecution files that were dismissed. Some of the police cases are then sent to the
    prosecution, and some of the prosecution files go to court."""
    prosecutor = Prosecutor(rng, settings)
    for case, file in _list_unchanged_police_files(cases):
        if file.closed and file.sent is None and not case.prosecution and rng.random() < 0.4:
            file.reopened = file.closed + timedelta(days=rng.randrange(95, 300))
            if rng.random() < 0.6:
                file.sent = file.reopened + timedelta(days=rng.randrange(5, 80))
                received = file.sent + timedelta(days=rng.randrange(1, 18))
                of_role = {
                    role: [entry.person for entry in file.people if entry.role == role and not entry.person.unknown] for role in "SV"
                }
                file.prosecution_file = prosecutor.receive_report(case, received, "PK", file, of_role["S"], of_role["V"])
                file.pp_known = received + timedelta(days=rng.randrange(0, 12))
                prosecutor.decide_on_file(case, file.prosecution_file, received)
        elif len(case.prosecution) == 1 and case.prosecution[0].statuses[-1][1] == "HUD" and rng.random() < 0.35:
            prosecution_file = case.prosecution[0]
            day = prosecution_file.statuses[-1][0] + timedelta(days=rng.randrange(95, 300))
            prosecution_file.statuses.append((day, "HET"))
            prosecution_file.decisions.append(Decision("FILL", day))
            if rng.random() < 0.6:
                prosecutor.apply_outcome(
                    case, prosecution_file, rng.choice(("AKT", "AKT", "HUD")), day + timedelta(days=rng.randrange(20, 200))
                )


def _change_person_lists(rng: Random, settings: Settings, cases: list[Case], people: PersonMaker) -> None:
    """Change lists of persons in which `Nr_rendor` is the position in the list. In a later quarter, a person is added anywhere in the list,
    or a person who was entered by mistake is taken out."""
    for case, file in _list_unchanged_police_files(cases):
        later = sorted(
            day for day in register_records.list_police_change_days(file) if find_quarter_of_day(day) != find_quarter_of_day(file.reported)
        )
        if not later or file.reopened or rng.random() >= 0.3:
            continue
        file.numbered_by_position = True
        day = rng.choice(later)
        if rng.random() < 0.6:
            role = rng.choice("SW")
            added = PolicePerson(people.make_resident(rng.choice("MF"), day, 18, 60, case.municipality), role, day)
            file.people.insert(rng.randrange(len(file.people) + 1), added)
        else:
            wrong = PolicePerson(
                people.make_resident(rng.choice("MF"), day, 18, 60, case.municipality), rng.choice("SW"), file.reported, left=day
            )
            file.people.insert(rng.randrange(len(file.people) + 1), wrong)


def _close_court(rng: Random, settings: Settings, cases: list[Case], people: PersonMaker) -> None:
    """Close one court. Its cases in which a defendant still awaits a judgment go to another court, under a new number."""
    day = date(settings.start + settings.years // 2, rng.choice((1, 4, 7)), rng.randrange(2, 25))
    seats = sorted({file.seat for case in cases for file in case.courts})
    closed = rng.choice(seats)
    other = rng.choice([seat for seat in seats if seat != closed] or seats)
    for case in cases:
        for file in list(case.courts):
            waits = any(not d.judgments or d.judgments[0].day >= day for d in file.defendants)
            if file.seat != closed or file.until or file.former or file.entered >= day or not waits:
                continue
            received = day if rng.random() < 0.5 else file.received
            new = CourtFile(
                file.register, other, "", file.language, received, file.prosecution_file, former=file, since=day, taken_over=True
            )
            new.defendants = [Defendant(d.person, d.seq, d.charges, d.judgments, d.replaces) for d in file.defendants]
            file.until = day - timedelta(days=1)
            case.courts.append(new)
            for stay in case.stays:
                if stay.court is file and stay.admitted >= day:
                    stay.court = new


_CHANGES = {
    "late_entry": _enter_police_cases_late,
    "unknown_persons": _add_unknown_persons,
    "cancelled": _add_cancelled_records,
    "reopened": _reopen_cases,
    "places": _change_person_lists,
    "closed_court": _close_court,
}


# -- the prosecution's new system -----------------------------------------------------------------------------------------------------


def renumber_prosecution_records(settings: Settings, world: World, deliveries: list[Delivery]) -> None:
    """Give new ids to all records of the prosecution, from the middle of the simulated years on. The deliveries are changed in place."""
    if "new_ids" not in settings.life:
        return
    rng = Random(f"life new_ids {settings.seed} {settings.noise}")
    own = [delivery for delivery in deliveries if delivery.institution == "prosecution"]
    start = own[len(own) // 2].period
    begins, new_of, came = first_day(start), _IdAssigner(), set[str]()
    files = {str(file.file_id): (case, file) for case in world.cases for file in case.prosecution}
    for delivery in own:
        if delivery.period < start:
            continue
        if delivery.period == start:
            held = {record.key for record in delivery.records}
            delivery.records += [
                register_records.make_prosecution_record(case, file, last_day(start), settings.cadence["prosecution"])
                for key, (case, file) in files.items()
                if key not in held
                and file.received < begins
                and register_records.find_prosecution_status(file, last_day(start))[1] in ("HET", "PEZ")
            ]
            delivery.records.sort(key=lambda record: int(record.key))
        for record in delivery.records:
            _, file = files[record.key]
            first, record.former_key = record.key not in came, record.key if file.received < begins else ""
            came.add(record.key)
            rows = new_of.renumber_record(record)
            if first and file.received < begins and rng.random() >= 0.05:
                since = {str(party.party_id): party.since for party in file.parties}
                parties = [row for row in rows[1:] if since[str(row[1])] < begins]
                if len(parties) > 1 and rng.random() < 0.06:
                    parties.remove(rng.choice(parties))
                delivery.crosswalk += [rows[0], *parties]
        delivery.crosswalk += [("lenda", FORMER_SYSTEM_ONLY + n, 899001 + n) for n in range(2)] if delivery.crosswalk else []


class _IdAssigner:
    """Assigns new ids, in the order in which the rows are first seen."""

    def __init__(self) -> None:
        self.ids: dict[tuple[str, int], int] = {}
        self.next = dict(NEW_IDS)

    def assign_new_id(self, table: str, old: int) -> int:
        """Return the new id of a row of `table` that had the id `old`. The same row always gets the same new id."""
        if (table, old) not in self.ids:
            self.ids[table, old] = self.next[table]
            self.next[table] += 1
        return self.ids[table, old]

    def renumber_record(self, record: CaseRecord) -> list[tuple[str, int, int]]:
        """Put the new ids into a record. Return the rows of the crosswalk for the record and its parties."""
        old = int(record.key)
        new = self.assign_new_id("lenda", old)
        rows = [("lenda", old, new)]
        record.key, record.cells["lenda_id"] = str(new), new
        for person in record.persons:
            party = int(person.key)
            person.key = str(self.assign_new_id("pala", party))
            rows.append(("pala", party, int(person.key)))
            person.cells |= {"pala_id": int(person.key), "lenda_id": new}
            for part in person.charges:
                part.key = str(self.assign_new_id("akuza", int(part.key)))
                part.cells |= {"akuza_id": int(part.key), "pala_id": int(person.key)}
        for part in record.decisions:
            part.key = str(self.assign_new_id("vendimi", int(part.key)))
            part.cells |= {"vendimi_id": int(part.key), "lenda_id": new}
            if part.cells["pala_id"] is not None:
                part.cells["pala_id"] = self.assign_new_id("pala", part.cells["pala_id"])
            covers = frozenset(str(self.assign_new_id("pala", int(key))) for key in part.true["covers"])
            part.true["covers"] = part.values_as_read["covers"] = covers
        return rows


# -- whole files ----------------------------------------------------------------------------------------------------------------------


def change_workbooks_and_code_pages(settings: Settings, deliveries: list[Delivery]) -> list[Delivery]:
    """Change the workbooks, code pages and codes of some deliveries, as the settings ask, and deliver some quarters again. Return all
    deliveries."""
    rng = Random(f"life files {settings.seed} {settings.noise}")
    if "workbooks" in settings.life:
        _change_workbooks(rng, deliveries)
    if "code_pages" in settings.life:
        own = [
            d
            for d in deliveries
            if d.institution == "police" and _can_be_read_in_full(d) and not any(f.startswith("enc_") for f in d.faults)
        ]
        for delivery, fault in zip(rng.sample(own, min(2, len(own))), ("enc_cp852", "enc_latin1"), strict=False):
            delivery.faults.add(fault)
    if "new_codes" in settings.life:
        replace_codes(settings, deliveries)
    return deliveries + (_deliver_quarters_again(rng, deliveries) if "redelivery" in settings.life else [])


def _can_be_read_in_full(delivery: Delivery) -> bool:
    """Return whether a delivery arrived, can be read in full, and is no copy of another delivery."""
    return not delivery.missing and delivery.read == "full" and delivery.twin is None


def _change_workbooks(rng: Random, deliveries: list[Delivery]) -> None:
    """Let two deliveries of the inspectorate count days from 1904. In some deliveries, repeat the rows of the same period of the year
    before below those of this year."""
    own = [delivery for delivery in deliveries if delivery.institution == "inspectorate" and _can_be_read_in_full(delivery)]
    for delivery in rng.sample(own, min(2, len(own))):
        delivery.faults.add("date_1904")
    before = {delivery.period: delivery for delivery in sorted(own, key=lambda delivery: delivery.version)}
    for delivery in own:
        earlier = before.get(f"{int(delivery.period[:4]) - 1}{delivery.period[4:]}")
        if earlier and rng.random() < 0.6:
            delivery.last_year = [record for record in earlier.records if not record.absent]
            delivery.faults.add("last_year")


def _deliver_quarters_again(rng: Random, deliveries: list[Delivery]) -> list[Delivery]:
    """Return all quarters of the courts once more, as if they were delivered on one day. Each is a new version with the content of the last
    version that can be read in full."""
    whole: dict[str, Delivery] = {}
    latest: dict[str, int] = {}
    for delivery in sorted((d for d in deliveries if d.institution == "courts"), key=lambda d: d.version):
        latest[delivery.period] = delivery.version
        if _can_be_read_in_full(delivery):
            whole[delivery.period] = delivery
    arrived = max(delivery.arrived for delivery in deliveries) + timedelta(days=rng.randrange(5, 30))
    return [
        Delivery("courts", period, list(of.records), latest[period] + 1, arrived, "years delivered again at once")
        for period, of in whole.items()
    ]


# -- what is recorded of it ------------------------------------------------------------------------------------------------------------


def record_register_life_as_defects(deliveries: list[Delivery], defect_maker: DefectMaker) -> None:
    """Record each change as a row of `defects.csv`, in the delivery that shows it first."""
    if not defect_maker.settings.life:
        return
    seen: set[tuple[str, str]] = set()
    people: dict[str, str] = {}
    listed: set[str] = set()
    for delivery in sorted(deliveries, key=lambda d: (d.institution, d.period, d.version)):
        for fault, kind in FILES.items():
            if fault in delivery.faults:
                defect_maker.log_defect(delivery.institution, delivery.name, "", kind)
        listed |= {str(old) for table, old, _ in delivery.crosswalk if table == "lenda"}
        for record in delivery.records:
            for kind in _list_register_life_kinds_of_record(record, listed):
                if (kind, record.key) not in seen:
                    seen.add((kind, record.key))
                    defect_maker.log_defect(delivery.institution, delivery.name, record.key, kind)
            for person in record.persons:
                if person.person.unknown and ("unknown_person", person.key) not in seen:
                    seen.add(("unknown_person", person.key))
                    defect_maker.log_defect(delivery.institution, delivery.name, person.key, "unknown_person")
                if record.numbered_by_position and people.setdefault(person.key, person.person.person_id) != person.person.person_id:
                    people[person.key] = person.person.person_id
                    defect_maker.log_defect(delivery.institution, delivery.name, person.key, "place_names_another_person")


def _list_register_life_kinds_of_record(record: CaseRecord, listed: Collection[str]) -> Iterator[str]:
    """Yield the kinds of change that a record shows, by their names in `defects.csv`. `listed`: the old ids in the crosswalks so far."""
    if record.cancelled:
        yield "record_cancelled"
    if record.reopened:
        yield "case_reopened"
    if record.former_key:
        yield "renumbered" if record.former_key in listed else "not_in_the_crosswalk"
    if record.institution == "courts" and " (ish " in record.key:
        yield "case_taken_over"
    if record.institution == "police" and int(record.key[:4]) > record.true["registered"].year:
        yield "late_entry"
