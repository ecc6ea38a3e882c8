"""The files of victims at the victim protection office (ZMNV) and at the centres for social work: which victims are referred, assisted,
sheltered and represented, and when.

Belongs here: what is drawn by chance. It is drawn from a separate random generator, so that these two institutions change no byte of the
other institutions' deliveries. Does not belong here: what a delivery says about a file (`victim_records.py`).
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from random import Random

from sources.simulator.codes import find_counted_form_of_exploitation, read_places
from sources.simulator.life import FORMS, YEARS_BEFORE
from sources.simulator.model import Case, Person, PoliceFile, ProsecutionFile, World
from sources.simulator.people import PersonMaker
from sources.simulator.settings import Settings
from sources.simulator.victim_files import BOTH, QPS, ZMNV, Claim, Hearing, Service, ShelterStay, VictimFile, VictimWorld, add_days

OFFICES = {"PR": "PR", "PZ": "PZ", "PE": "PE", "GL": "GL", "MJ": "MI", "MV": "MI", "FE": "FE", "GJ": "GJ"}  # by police region
SHELTERS = (("SPS", 48), ("OJQ-A", 13), ("OJQ-B", 13), ("OJQ-C", 13), ("OJQ-D", 13))
SERVICES = {
    ZMNV: (("JUR", 40), ("PSIK", 21), ("MJEK", 12), ("FIN", 10), ("RIINT", 10), ("KTH", 7)),
    QPS: (("psychosocial", 37), ("reintegration", 20), ("financial", 13), ("medical", 14), ("return", 10), ("legal", 6)),
}
REFERRED_BY = {
    ZMNV: (("POLICIA", 53), ("PROKURORIA", 18), ("OJQ", 9), ("QPS", 11), ("VETE", 3), ("LINJA_NDIHMESE", 4), ("GJYKATA", 2)),
    QPS: (("Policia", 62), ("OJQ", 14), ("ZMNV", 12), ("Prokuroria", 8), ("Shkolla", 2), ("Qendra shëndetësore", 2)),
}
UNKNOWN_TO_POLICE = {ZMNV: ("OJQ", "LINJA_NDIHMESE", "VETE", "QPS"), QPS: ("OJQ", "Shkolla", "Qendra shëndetësore", "Vetë")}
KINDS = (("trafficking", 74), ("facilitating_prostitution", 15), ("slavery", 4), ("withholding_identity_papers", 4), ("other", 3))
NEVER_ASSISTED = 1 / 7
NEVER_KNOWN = 1 / 8  # share of the victims known to the two whom the police never knew
ENTERED_LATE = 0.03


class VictimFileMaker:
    """Makes the files of one set. Unless `noise` is `clean`, it also makes the defects that registers have in whole files, such as late
    entries."""

    def __init__(self, settings: Settings, world: World) -> None:
        self.settings, self.world = settings, world
        self.rng = Random(f"victims {settings.seed} {settings.start} {settings.years} {settings.cases_per_year} {settings.noise}")
        self.people = PersonMaker(self.rng, settings)
        self.people.reserve_numbers({person.number for person in world.persons if person.number})
        self.noisy = settings.noise != "clean"
        self.files: list[VictimFile] = []
        self.cases: list[Case] = []

    def make_victim_world(self) -> VictimWorld:
        """Return the files of victims in the cases of the world, and of victims whom only the two institutions know."""
        rng = self.rng
        known = [found for case in self.world.cases for found in _list_named_victims(case)]
        for case, person, since, police, prosecution in known:
            if rng.random() >= NEVER_ASSISTED:
                self._open_files(case, person, since, police, prosecution)
        days = (self.settings.years + YEARS_BEFORE) * 365
        first = date(self.settings.start - YEARS_BEFORE, 1, 1)
        for _ in range(round(len(known) * (1 - NEVER_ASSISTED) * NEVER_KNOWN / (1 - NEVER_KNOWN))):
            self._add_unknown_victim(add_days(first, rng.randrange(days)))
        again = [file for file in self.files if self.noisy and file.opened >= date(self.settings.start, 1, 1)]
        for file in rng.sample(again, round(len(again) * 0.03)):
            self._add_later_matter(file)
        self.files.sort(key=lambda file: file.opened)
        _assign_file_numbers(self.files, rng)
        return VictimWorld(self.files, self.people.persons, self.cases)

    # -- who has files ----------------------------------------------------------------------------------------------------------------

    def _open_files(
        self, case: Case, person: Person, since: date, police: PoliceFile | None, prosecution: ProsecutionFile | None
    ) -> list[VictimFile]:
        """Open the files of a victim in a matter that the police or the prosecution know."""
        rng = self.rng
        files = [self._open_file(which, case, person, since) for which in self._draw_institutions_that_help()]
        for file in files:
            if police is not None:
                file.police = police
                file.cites_since["police"] = file.opened
            if prosecution is not None and (police is None or rng.random() < 0.6):
                file.prosecution = prosecution
                file.cites_since["prosecution"] = max(prosecution.received, file.opened)
            if self.noisy and police is not None and rng.random() < 0.3:
                file.cites_since["police"] = add_days(file.opened, rng.randrange(1, 90))
        self._make_files_cite_each_other(files)
        if rng.random() < self.settings.registered_twice:
            self._open_second_file(rng.choice(files))
        return files

    def _draw_institutions_that_help(self) -> tuple[str, ...]:
        """Return the institutions that help a victim: both of them, or one."""
        return self.rng.choices((BOTH, (ZMNV,), (QPS,)), (52, 24, 24))[0]

    def _add_unknown_victim(self, day: date) -> None:
        """Add a victim in a matter that only these two institutions know."""
        rng = self.rng
        young, old = (8, 18) if rng.random() < 0.25 else (18, 45)
        sex = "F" if rng.random() < 0.8 else "M"
        foreign = rng.random() < 0.25
        person = self.people.make_foreigner(sex, day, "V", young, old) if foreign else self.people.make_resident(sex, day, young, old)
        self._add_matter_of_both_institutions(person, day)

    def _add_later_matter(self, file: VictimFile) -> None:
        """Add a later matter, which the police do not know, with the victim of an earlier file."""
        self._add_matter_of_both_institutions(file.person, add_days(file.opened, self.rng.randrange(240, 500)))

    def _add_matter_of_both_institutions(self, person: Person, day: date) -> None:
        """Add a matter that only these two institutions know. If both have a file on it, at least one file cites the other, since nothing
        else shows that the matter is the same."""
        rng = self.rng
        kind = rng.choices([name for name, _ in KINDS], [weight for _, weight in KINDS])[0]
        form = rng.choices([name for name, _ in FORMS], [weight for _, weight in FORMS])[0]
        case = Case(
            add_days(day, -rng.randrange(1, 90)), add_days(day, -rng.randrange(90, 200)), kind, form, self.people.draw_municipality()
        )
        self.cases.append(case)
        files = [self._open_file(which, case, person, day) for which in self._draw_institutions_that_help()]
        for file in files:
            file.referred_by = rng.choice(UNKNOWN_TO_POLICE[file.institution])
        self._make_files_cite_each_other(files, always=True)

    def _make_files_cite_each_other(self, files: list[VictimFile], always: bool = False) -> None:
        """If there are two files, let each of them cite the other by chance. `always`: at least one of them cites the other."""
        if len(files) != 2:
            return
        rng = self.rng
        day = max(file.opened for file in files)
        for one, other in ((files[0], files[1]), (files[1], files[0])):
            if rng.random() < 0.5 or (always and one is files[0]):
                one.other = other
                one.cites_since["other"] = day

    def _open_second_file(self, file: VictimFile) -> None:
        """Let another office or centre open a second file on the same victim and matter. This is a defect of the register."""
        second = self._open_file(file.institution, file.case, file.person, add_days(file.opened, self.rng.randrange(1, 40)), elsewhere=True)
        second.again = file
        second.police, second.prosecution = file.police, file.prosecution
        second.cites_since = {name: max(day, second.opened) for name, day in file.cites_since.items() if name != "other"}

    # -- one file ---------------------------------------------------------------------------------------------------------------------

    def _open_file(self, institution: str, case: Case, person: Person, since: date, elsewhere: bool = False) -> VictimFile:
        rng = self.rng
        home = person.municipality if person.municipality and institution == QPS and rng.random() < 0.7 else case.municipality
        if elsewhere:
            home = self.people.draw_municipality()
        office, seat = _find_office(institution, home)
        referred = add_days(since, rng.choices((0, 1, 2, 5, 12), (40, 25, 15, 12, 8))[0])
        opened = add_days(referred, rng.choices((0, 1, 2, 4), (55, 20, 15, 10))[0])
        by = rng.choices([name for name, _ in REFERRED_BY[institution]], [weight for _, weight in REFERRED_BY[institution]])[0]
        group = case.kind if case.kind in GROUPS_OF_FILES else "other"
        form = find_counted_form_of_exploitation(group, case.form)
        entered = add_days(opened, rng.randrange(28, 45)) if self.noisy and rng.random() < ENTERED_LATE else opened
        file = VictimFile(
            institution, person, case, office, seat, opened, referred, by, group, None if form == "unknown" else form, entered
        )
        file.statuses = self._draw_statuses(person, case, opened)
        file.services = self._draw_services(institution, opened)
        if institution == QPS:
            file.stays = self._draw_stays(referred)
        else:
            file.hearings = self._draw_hearings(case, opened)
            file.claim = self._draw_claim(file)
        self.files.append(file)
        return file

    def _draw_statuses(self, person: Person, case: Case, opened: date) -> list[tuple[date, str]]:
        """Return the statuses of a victim: at first presumed, later mostly identified, sometimes not confirmed. What happens is a fact
        about the victim, but either institution may fail to learn it."""
        fate = Random(f"fate {self.settings.seed} {person.surname} {person.born} {case.opened}").random()
        statuses = [(opened, "presumed")]
        if fate < 0.6 and self.rng.random() < 0.9:
            statuses.append((add_days(opened, self.rng.randrange(5, 60)), "identified"))
        elif fate > 0.86 and self.rng.random() < 0.9:
            statuses.append((add_days(opened, self.rng.randrange(20, 90)), "not_confirmed"))
        return statuses

    def _draw_services(self, institution: str, opened: date) -> list[Service]:
        rng = self.rng
        table = SERVICES[institution]
        day, services = add_days(opened, rng.choices((0, 3, 10), (50, 30, 20))[0]), []
        for _ in range(rng.choices((0, 1, 2, 3, 4, 6, 9), (12, 26, 22, 16, 12, 8, 4))[0]):
            kind = rng.choices([name for name, _ in table], [weight for _, weight in table])[0]
            lasts = institution == QPS and rng.random() < 0.2
            provider = rng.choices(("QPS", "OJQ", "MPMS"), (45, 30, 25))[0]
            services.append(Service(kind, day, add_days(day, rng.randrange(5, 90)) if lasts else None, provider))
            day = add_days(day, rng.randrange(4, 110))
        return services

    def _draw_stays(self, referred: date) -> list[ShelterStay]:
        """Return the stays in shelters, which begin within days of the referral. More than half of the victims have none. If the victim
        moves, one stay ends and another begins."""
        rng = self.rng
        stays: list[ShelterStay] = []
        day = add_days(referred, rng.randrange(0, 4))
        for _ in range(rng.choices((0, 1, 2, 3), (56, 32, 10, 2))[0]):
            shelter = rng.choices([name for name, _ in SHELTERS], [weight for _, weight in SHELTERS])[0]
            last = add_days(day, rng.randrange(6, 140))
            stays.append(ShelterStay(shelter, day, last))
            day = last
        return stays

    def _draw_hearings(self, case: Case, opened: date) -> list[Hearing]:
        """Return the hearings in the last court file of the case. The first one is at least 25 days after the court received the file."""
        rng = self.rng
        if not case.courts or rng.random() < 0.35:
            return []
        court = case.courts[-1]
        day = add_days(max(court.received, opened), rng.randrange(25, 120))
        hearings = []
        for _ in range(rng.choices((1, 2, 3, 4), (45, 30, 15, 10))[0]):
            hearings.append(Hearing(court, day, rng.randrange(7, 13), rng.random() < 0.75))
            day = add_days(day, rng.randrange(10, 90))
        return hearings

    def _draw_claim(self, file: VictimFile) -> Claim | None:
        rng = self.rng
        if not file.hearings or rng.random() > 0.3:
            return None
        requested = file.hearings[0].day
        decided = add_days(requested, rng.randrange(60, 300)) if rng.random() < 0.4 else None
        amount = rng.randrange(2, 40) * 250
        return Claim(requested, amount, decided, amount // 2 if rng.random() < 0.6 else 0)


GROUPS_OF_FILES = ("trafficking", "slavery", "withholding_identity_papers", "facilitating_prostitution")


def _list_named_victims(case: Case) -> list[tuple[Case, Person, date, PoliceFile | None, ProsecutionFile | None]]:
    """Return the victims whom police or prosecution name in a case. Each comes with the day since which the victim is named, and with the
    files that name the victim."""
    found: dict[str, tuple[Person, date, PoliceFile | None, ProsecutionFile | None]] = {}
    for police in case.police:
        if police.until is None:
            for entry in police.people:
                if entry.role == "V" and not entry.person.unknown and entry.person.person_id not in found:
                    found[entry.person.person_id] = (entry.person, police.reported, police, None)
    for prosecution in case.prosecution:
        for party in prosecution.parties:
            if party.role == "V" and not party.person.unknown:
                person, since, by_police, other = found.get(party.person.person_id, (party.person, prosecution.received, None, None))
                found[party.person.person_id] = (person, since, by_police, other or prosecution)
    return [(case, *each) for each in found.values()]


def _find_office(institution: str, municipality: str) -> tuple[str, str]:
    """Return the code and the seat of the office that is responsible for a municipality. This is the ZMNV office of its region, or the
    centre of the municipality itself."""
    if institution == QPS:
        return f"{list(read_places()['municipalities']).index(municipality) + 1:02d}", municipality
    region = read_places()["municipalities"][municipality][0]
    return OFFICES[region], read_places()["regions"][region][0]


def _assign_file_numbers(files: list[VictimFile], rng: Random) -> None:
    """Number the files in place. ZMNV counts by office and year (`ZM-PR-2013-0042`), a centre through all years (`QPS/05/117`). `files`:
    sorted by the day on which they were opened."""
    counters: dict[tuple[str, int], int] = defaultdict(int)
    centres: dict[str, int] = {}
    for file in files:
        if file.institution == ZMNV:
            counters[file.office, file.opened.year] += rng.randint(1, 3)
            file.number = f"ZM-{file.office}-{file.opened.year}-{counters[file.office, file.opened.year]:04d}"
        else:
            centres[file.office] = centres.get(file.office, rng.randrange(20, 110)) + rng.randint(1, 3)
            file.number = f"QPS/{file.office}/{centres[file.office]}"
