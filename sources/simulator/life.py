"""The course of a criminal matter up to the indictment: its persons, and the files of police, inspectorate and prosecution.

Belongs here: drawing by chance what happens, and when. Does not belong here: courts and prisons (`aftermath.py`), numbers (`numbering.py`),
what a delivery says about a file (`register_records.py`).
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import date, timedelta
from random import Random

from sources.simulator.aftermath import add_prison_stays
from sources.simulator.codes import OTHER_KINDS, make_offence, read_places, read_vocabulary
from sources.simulator.model import (
    Case,
    InspectorateFile,
    Person,
    PoliceFile,
    PolicePerson,
    ProsecutionFile,
    World,
)
from sources.simulator.numbering import assign_all_numbers
from sources.simulator.people import PersonMaker
from sources.simulator.prosecutor import Prosecutor
from sources.simulator.register_life import apply_register_life
from sources.simulator.settings import Settings

KINDS = (
    ("trafficking", 34),
    ("facilitating_prostitution", 25),
    ("prostitution", 29),
    ("other", 9),
    ("slavery", 1.6),
    ("withholding_identity_papers", 1.4),
)
FORMS = (("sexual", 72), ("forced_labour", 12), ("forced_begging", 8), ("slavery_servitude", 3), ("organ_removal", 2), ("other", 3))
YEARS_BEFORE = 2


def _draw_weighted_choice(rng: Random, table: tuple[tuple[str, float], ...]) -> str:
    return rng.choices([name for name, _ in table], [weight for _, weight in table])[0]


class CaseMaker:
    """Makes criminal matters in the order in which they are opened. It remembers earlier suspects, so that some persons are suspects
    again."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.rng = Random(f"world {settings.seed} {settings.start} {settings.years} {settings.cases_per_year} {settings.noise}")
        self.people = PersonMaker(self.rng, settings)
        self.prosecutor = Prosecutor(self.rng, settings)
        self._known: list[Person] = []
        self._known_since: list[date] = []
        self._free: dict[int, date] = {}  # the day from which a person is not in prison and can be a suspect again
        self._commitments = [0]

    def make_world(self) -> World:
        """Return the world of the simulated years. It includes matters of the two years before, since these may still change."""
        start, rng = self.settings.start, self.rng
        days = [
            date(year, 1, 1) + timedelta(days=rng.randrange(365))
            for year in range(start - YEARS_BEFORE, start + self.settings.years)
            for _ in range(self.settings.cases_per_year)
        ]
        cases = [self.make_case(day) for day in sorted(days)]
        apply_register_life(self.settings, cases, self.people)
        assign_all_numbers(cases, self.people.persons, self.settings, rng)
        return World(cases, self.people.persons, start, self.settings.years)

    # -- the matter and the persons in it -------------------------------------------------------------------------------------------

    def make_case(self, opened: date) -> Case:
        """Make one matter. It is opened by the police, by the inspectorate, or directly at the prosecution."""
        rng = self.rng
        way = rng.choices(("police", "inspectorate", "direct"), (88, 4, 8))[0]
        kind = _draw_weighted_choice(rng, KINDS)
        if kind == "other":
            kind = (
                "office" if way == "inspectorate" or rng.random() < 0.05 else rng.choice([name for name in OTHER_KINDS if name != "office"])
            )
        elif way == "inspectorate" and rng.random() < 0.5:
            kind = "office"
        before = rng.randrange(0, 60) if rng.random() < 0.93 else rng.randrange(60, 500)
        offence_day = opened - timedelta(days=before)
        form = None
        if kind in ("trafficking", "withholding_identity_papers"):
            form = _draw_weighted_choice(rng, FORMS)
        elif kind in ("slavery", "facilitating_prostitution"):
            form = "slavery_servitude" if kind == "slavery" else "sexual"
        case = Case(opened, offence_day, kind, form, self.people.draw_municipality())
        if way == "inspectorate":
            self._simulate_case_of_inspectorate(case)
        else:
            suspects, victims = self._draw_suspects(case), self._draw_victims(case)
            if way == "police":
                self._simulate_case_of_police(case, suspects, victims)
            else:
                self.prosecutor.decide_on_file(case, self.prosecutor.receive_report(case, opened, "TJ", None, suspects, victims), opened)
        add_prison_stays(rng, case, self._commitments)
        for stay in case.stays:
            self._free[id(stay.person)] = max(self._free.get(id(stay.person), stay.admitted), stay.released or date.max)
        return case

    def _draw_suspects(self, case: Case) -> list[Person]:
        """Return the suspects of a matter. Some were suspects before, and some are brothers."""
        rng = self.rng
        count = rng.choices((1, 2, 3, 4, 5, 7), (36, 32, 17, 8, 5, 2))[0]
        chosen: list[Person] = []
        while len(chosen) < count:
            person = self._draw_former_suspect(case.opened) if rng.random() < self.settings.again else None
            if person is None and chosen and chosen[-1].sex == "M" and chosen[-1].community != "foreign" and rng.random() < 0.12:
                person = self.people.make_brother(chosen[-1], twin=rng.random() < self.settings.twins * 5)
            if person is None:
                women = 0.68 if case.kind == "prostitution" else 0.17
                sex = "F" if rng.random() < women else "M"
                youngest = 15 if rng.random() < 0.03 else 18
                if rng.random() < 0.08:
                    person = self.people.make_foreigner(sex, case.opened, "S")
                else:
                    person = self.people.make_resident(sex, case.opened, youngest, municipality=case.municipality)
            if person not in chosen:
                chosen.append(person)
        for person in chosen:
            self._known.append(person)
            self._known_since.append(case.opened)
        return chosen

    def _draw_former_suspect(self, day: date) -> Person | None:
        """Return a person who was a suspect at least two months ago, mostly not long before. Return None if there is none, or if the person
        is in detention."""
        last = bisect_right(self._known_since, day - timedelta(days=60))
        if not last:
            return None
        person = self._known[last - 1 - int(min(self.rng.expovariate(3 / last), last - 1))]
        return person if self._free.get(id(person), date.min) < day - timedelta(days=10) else None

    def _draw_victims(self, case: Case) -> list[Person]:
        """Return the victims of a matter. There may be none."""
        rng = self.rng
        table = {
            "trafficking": (6, 48, 26, 12, 8),
            "slavery": (10, 60, 20, 10, 0),
            "facilitating_prostitution": (52, 36, 8, 4, 0),
            "withholding_identity_papers": (20, 60, 20, 0, 0),
            "prostitution": (100, 0, 0, 0, 0),
        }
        count = rng.choices(range(5), table.get(case.kind, (80, 16, 4, 0, 0)))[0]
        victims: list[Person] = []
        for _ in range(count):
            sex = "F" if rng.random() < (0.88 if case.form == "sexual" else 0.45) else "M"
            child = rng.random() < (0.6 if case.form == "forced_begging" else 0.22)
            young, old = (8, 18) if child else (18, 45)
            if rng.random() < (0.3 if case.kind == "trafficking" else 0.08):
                victims.append(self.people.make_foreigner(sex, case.opened, "V", young, old))
            elif victims and child and (case.opened - victims[-1].born).days > 25 * 365:
                victims.append(self.people.make_child(victims[-1], case.opened))
            else:
                victims.append(self.people.make_resident(sex, case.opened, young, old))
        return victims

    # -- police and inspectorate ----------------------------------------------------------------------------------------------------

    def _draw_police_station(self, region: str, municipality: str) -> str:
        kind = self.rng.random()
        if kind < 0.25:
            return f"DHTQNJ {region}"
        return f"Stacioni Policor {municipality}" if kind < 0.9 else f"Njësia Rajonale kundër Trafikimit, {municipality}"

    def _open_police_file(
        self, case: Case, reported: date, suspects: list[Person], victims: list[Person], region: str | None = None
    ) -> PoliceFile:
        rng = self.rng
        region = region or read_places()["municipalities"][case.municipality][0]
        charge = make_offence(case.kind, case.offence_day, rng.choices("12", (8, 2))[0])
        file = PoliceFile(
            region,
            reported,
            case.offence_day,
            self._draw_police_station(region, case.municipality),
            case.municipality,
            charge,
            case.form,
        )
        for person in suspects:
            arrested = reported + timedelta(days=rng.choices((0, 1, 2, 12), (45, 35, 15, 5))[0]) if rng.random() < 0.86 else None
            file.people.append(PolicePerson(person, "S", reported, arrested))
        file.people += [PolicePerson(person, "V", reported) for person in victims]
        for _ in range(rng.choices((0, 1, 2), (62, 26, 12))[0]):
            file.people.append(
                PolicePerson(self.people.make_resident(rng.choice("MF"), reported, 18, 70, case.municipality), "W", reported)
            )
        for seq, entry in enumerate(file.people, 1):
            entry.seq = seq
        case.police.append(file)
        return file

    def _simulate_case_of_police(self, case: Case, suspects: list[Person], victims: list[Person]) -> None:
        """Let the police register a matter and, mostly, send it to the prosecution. A few matters are registered twice, renumbered, merged,
        or lost on the way."""
        rng, odds = self.rng, self.settings
        file = self._open_police_file(case, case.opened, suspects, victims)
        if rng.random() < 0.85:
            wait = rng.randrange(1, 60) if rng.random() < 0.85 else rng.randrange(60, 260)
            file.sent = case.opened + timedelta(days=wait)
        elif rng.random() < 0.8:
            file.closed = case.opened + timedelta(days=rng.randrange(30, 240))
        chance = rng.random()
        if chance < odds.registered_twice:
            self._register_matter_twice(case, file, suspects, victims)
        elif chance < odds.registered_twice + odds.renumbered:
            file = self._renumber_police_file(case, file)
        elif chance < odds.registered_twice + odds.renumbered + 0.03 and odds.may_have_several_files(case.opened):
            self._merge_police_files(case, file, suspects)
        if file.sent is None:
            return
        if rng.random() < 0.025:
            case.lost = True
            return
        received = file.sent + timedelta(days=rng.randrange(1, 18))
        charged_offence = [person for person in suspects if rng.random() < 0.94] or suspects[:1]
        prosecution_file = self.prosecutor.receive_report(case, received, "PK", file, charged_offence, victims)
        for each in case.police:
            if each.sent is not None:
                each.prosecution_file, each.pp_known = prosecution_file, received + timedelta(days=rng.randrange(0, 12))
        joined = (
            self._report_matter_again(case, prosecution_file, suspects)
            if rng.random() < 0.05 and odds.may_have_several_files(case.opened)
            else prosecution_file.received
        )
        self.prosecutor.decide_on_file(case, prosecution_file, joined)

    def _register_matter_twice(self, case: Case, file: PoliceFile, suspects: list[Person], victims: list[Person]) -> None:
        """Let another police station register the same matter again some days later. This is a defect of the register."""
        rng = self.rng
        region = file.region if rng.random() < 0.3 else rng.choice([name for name in read_places()["regions"] if name != file.region])
        second = self._open_police_file(case, case.opened + timedelta(days=rng.randrange(0, 8)), suspects, victims, region)
        second.again = file
        if file.sent and rng.random() < 0.5:
            second.sent = max(file.sent + timedelta(days=rng.randrange(0, 6)), second.reported)
        elif rng.random() < 0.7:
            second.closed = second.reported + timedelta(days=rng.randrange(20, 150))

    def _renumber_police_file(self, case: Case, file: PoliceFile) -> PoliceFile:
        """Let the case go on under a new number after its transfer to another region. This is a defect of the register. Return the new
        file."""
        rng = self.rng
        end = file.sent or file.closed or file.reported + timedelta(days=60)
        moved = file.reported + timedelta(days=rng.randrange(1, max(2, (end - file.reported).days)))
        region = rng.choice([name for name in read_places()["regions"] if name != file.region])
        entries = [PolicePerson(p.person, p.role, p.since, p.arrested, p.seq) for p in file.people]
        new = PoliceFile(
            region,
            file.reported,
            file.offence_day,
            self._draw_police_station(region, file.municipality),
            file.municipality,
            file.offence,
            file.form,
        )
        new.people, new.sent, new.closed, new.since, new.former = entries, file.sent, file.closed, moved, file
        file.until, file.sent, file.closed = moved, None, None
        case.police.append(new)
        return new

    def _merge_police_files(self, case: Case, file: PoliceFile, suspects: list[Person]) -> None:
        """Let the police open a second file on the matter, and later merge it into the first."""
        rng = self.rng
        reported = case.opened + timedelta(days=rng.randrange(4, 45))
        second = self._open_police_file(case, reported, self._draw_suspects_of_second_file(suspects, reported), [])
        second.merged_into, second.merged_on = file, reported + timedelta(days=rng.randrange(5, 90))

    def _draw_suspects_of_second_file(self, suspects: list[Person], day: date) -> list[Person]:
        """Return the suspects in a second file on the matter: some suspects of the first file, and sometimes a new person."""
        rng = self.rng
        same = [person for person in suspects if rng.random() < 0.6] or [rng.choice(suspects)]
        return same + ([self.people.make_resident("M", day)] if rng.random() < 0.5 else [])

    def _report_matter_again(self, case: Case, host: ProsecutionFile, suspects: list[Person]) -> date:
        """Let the police report the matter to the prosecution again, partly with other persons. Return the day on which the prosecution
        joins the two files."""
        rng = self.rng
        reported = max(case.opened, host.received) + timedelta(days=rng.randrange(5, 60))
        sent = reported + timedelta(days=rng.randrange(3, 30))
        received = sent + timedelta(days=rng.randrange(1, 12))
        joined = received + timedelta(days=rng.randrange(10, 60))
        second = self._open_police_file(case, reported, self._draw_suspects_of_second_file(suspects, reported), [])
        second.sent = sent
        self.prosecutor.join_files(case, host, second, received, joined)
        return joined

    def _simulate_case_of_inspectorate(self, case: Case) -> None:
        """Let the inspectorate register a matter against a police officer and, mostly, send it to the prosecution."""
        rng = self.rng
        officer = self.people.make_resident("M" if rng.random() < 0.86 else "F", case.opened, 23, 58, case.municipality)
        unit = "Policia Kufitare" if rng.random() < 0.25 else f"Stacioni Policor {case.municipality}"
        charge = make_offence(case.kind, case.offence_day)
        file = InspectorateFile(case.opened, officer, rng.choice(read_vocabulary()["ranks"]), unit, charge, case.offence_day)
        case.inspectorate.append(file)
        if rng.random() < 0.8:
            file.sent = case.opened + timedelta(days=rng.randrange(5, 90))
        else:
            file.closed = case.opened + timedelta(days=rng.randrange(60, 240))
        if file.sent is None:
            return
        if rng.random() < 0.04:
            case.lost = True
            return
        received = file.sent + timedelta(days=rng.randrange(1, 15))
        prosecution_file = self.prosecutor.receive_report(case, received, "IPK", file, [officer], self._draw_victims(case))
        file.prosecution_file, file.pp_known = prosecution_file, received + timedelta(days=rng.randrange(0, 12))
        self.prosecutor.decide_on_file(case, prosecution_file, received)


def build_world(settings: Settings) -> World:
    """Return the world of a simulation. The same settings give the same world."""
    return CaseMaker(settings).make_world()
