"""Deliveries of the second domain, made up: `python -m tests.second_domain.deliver INBOX`.

Two years of cases of Valmira's police (CSV, German and French words, quarterly), prosecution (JSON, half-yearly) and courts (CSV, yearly),
and beside them what is true (`World`). Some persons come back in other cases. Every person is made up.
"""

from __future__ import annotations

import csv
import json
import random
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from sources import periods
from sources.periods import Cadence

GIVEN = {
    "m": "Alois Bastian Clément Dietmar Étienne Florian Gérard Heinrich Jérôme Konrad Léon Mathieu Norbert Olivier Philippe Rainer",
    "w": "Adèle Brigitte Chantal Dorothea Élise Friederike Geneviève Hélène Irmgard Jacqueline Käthe Léa Margarete Noémie Odile Renate",
}
FIRST = "Alten Birken Chastel Dorn Eichen Falken Grand Hirsch Kalten Lauter Mont Neuen Orten Petit Roche Sonnen Tannen Vald Wolfs Zellen"
LAST = "bach berg brunn clair court feld fontaine haus hof mann marck meyer mühle neuve rivier schmied stein val vigne weil"
STATES = ("Valmira",) * 5 + ("Nordmark", "sudonien")
OFFENCES = {  # group -> words in German and French, article of the code of 1998 and of 2014
    "homicide": ("Vorsätzliche Tötung", "Meurtre", "111", "211"),
    "robbery": ("Raub", "Brigandage", "140", "240"),
    "violence": ("Schwere Körperverletzung", "Lésions corporelles", "122", "222"),
    "drugs": ("Drogenhandel", "Trafic de stupéfiants", "19", "19"),
    "fraud": ("Betrug", "Escroquerie", "146", "246"),
    "theft": ("Diebstahl", "Vol simple", "139", "239"),
    "other": ("Sachbeschädigung", "Dommages à la propriété", "144", "244"),
}
SHARES = (1, 4, 14, 8, 9, 20, 6)
YEARS = (2013, 2014)
NEW_CODE = date(2014, 1, 1)


@dataclass(frozen=True)
class Person:
    """A made-up person."""

    given: str
    surname: str
    born: date
    sex: str
    state: str


@dataclass
class Case:
    """What happened in a case; days are null if it did not come so far."""

    serial: int
    group: str
    offence: date
    reported: date
    sent: date | None
    suspects: list[Person]
    victims: list[Person]
    file: int | None = None  # number at the prosecution
    received: date | None = None
    decided: date | None = None
    indicted: bool = False
    court_file: int | None = None
    at_court: date | None = None
    judged: dict[int, tuple[str, date, date | None, int | None]] = field(default_factory=dict)  # by place: outcome, day, final, months

    def days(self, institution: str) -> list[date]:
        """The days on which something of it changed at an institution."""
        at = {"landespolizei": [self.reported, self.sent], "ministere_public": [self.received, self.decided], "tribunaux": [self.at_court]}
        judged = [day for _, first, final, _ in self.judged.values() for day in (first, final)] if institution == "tribunaux" else []
        return [day for day in (*at[institution], *judged) if day]

    def as_of(self, end: date) -> Case:
        """What was known of it on a day."""

        def known(day: date | None) -> date | None:
            return day if day and day <= end else None

        return replace(
            self,
            sent=known(self.sent),
            file=self.file if known(self.received) else None,
            decided=known(self.decided),
            judged={n: (how, day, known(final), months) for n, (how, day, final, months) in self.judged.items() if day <= end},
        )

    @property
    def number(self) -> str:
        """Its number at the police."""
        return f"LP-{self.reported.year}-{self.serial:05d}"

    def article(self) -> str:
        """The article in force on the day of the offence."""
        return OFFENCES[self.group][2 if self.offence < NEW_CODE else 3]


@dataclass(frozen=True)
class World:
    """Everything that is true."""

    cases: list[Case]


def _people(rng: random.Random, count: int) -> list[Person]:
    """Distinct persons: no two have the same surname and given name, nor the same birth date."""
    names = [
        (given, sex, first + last) for sex in GIVEN for given in GIVEN[sex].split() for first in FIRST.split() for last in LAST.split()
    ]
    days = rng.sample(range(365 * 45), count)
    chosen = rng.sample(names, count)
    return [
        Person(given, surname, date(1955, 1, 2) + timedelta(day), sex, rng.choice(STATES))
        for (given, sex, surname), day in zip(chosen, days, strict=True)
    ]


def world(seed: int = 1, per_quarter: int = 45) -> World:
    """Two years of cases, `per_quarter` in each quarter."""
    rng = random.Random(seed)
    total = per_quarter * 4 * len(YEARS)
    people = iter(_people(rng, total * 4))
    earlier: list[Person] = []
    cases: list[Case] = []
    files = courts = 0
    for year in YEARS:
        days = sorted(rng.randrange(364) for _ in range(per_quarter * 4))
        for serial, day in enumerate(days, 1):
            reported = date(year, 1, 1) + timedelta(day)
            group = rng.choices(list(OFFENCES), SHARES)[0]
            suspects = [next(people) for _ in range(rng.choices((1, 2, 3), (6, 3, 1))[0])]
            if earlier and rng.random() < 0.15:
                suspects[0] = rng.choice(earlier)
            earlier += suspects
            victims = [next(people) for _ in range(rng.choices((0, 1, 2), (4, 5, 1))[0])]
            offence = max(reported - timedelta(rng.randrange(20)), date(year, 1, 1))
            case = Case(serial, group, offence, reported, None, suspects, victims)
            cases.append(case)
            if rng.random() < 0.6:
                case.sent = _within(reported + timedelta(rng.randrange(5, 30)))
                case.received = _within(case.sent + timedelta(rng.randrange(1, 10))) if case.sent else None
            if case.received is None:
                continue
            case.file = files = files + 1
            case.decided = _within(case.received + timedelta(rng.randrange(20, 90)))
            case.indicted = rng.random() < 0.7
            if case.decided is None or not case.indicted:
                continue
            case.at_court = _within(case.decided + timedelta(rng.randrange(2, 20)))
            if case.at_court is None:
                continue
            case.court_file = courts = courts + 1
            for place in range(len(suspects)):
                judged = _within(case.at_court + timedelta(rng.randrange(15, 120)))
                if judged:
                    outcome = "condamné" if rng.random() < 0.8 else "acquitté"
                    final = _within(judged + timedelta(rng.randrange(10, 40)))
                    case.judged[place] = outcome, judged, final, rng.randrange(2, 60) if outcome == "condamné" else None
    return World(cases)


def _within(day: date) -> date | None:
    """The day, or null if it is after the years delivered."""
    return day if day.year <= YEARS[-1] else None


def _dmy(day: date | None) -> str:
    return f"{day:%d.%m.%Y}" if day else ""


def _iso(day: date | None) -> str:
    return day.isoformat() if day else ""


def _csv(path: Path, rows: Sequence[dict[str, Any]], columns: str, encoding: str, delimiter: str, end: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, columns.split(), delimiter=delimiter, lineterminator=end)
        writer.writeheader()
        writer.writerows(rows)


def police(cases: Iterable[Case], folder: Path) -> None:
    """One quarter of the police: cases that are new or changed."""
    rows, people = [], []
    for case in cases:
        words = OFFENCES[case.group]
        article = case.article() if case.group != "drugs" else "BMG 19"
        rows.append(
            {
                "Anzeige_Nr": case.number,
                "Eingang": _dmy(case.reported),
                "Tattag": _dmy(case.offence),
                "Abgabe": _dmy(case.sent),
                "Posten": ("Ost", "Ouest")[case.serial % 2],
                "Gemeinde": ("Altstadt", "Champ-Neuf", "Montclair", "Uferstadt")[case.serial % 4],
                "Delikt": words[case.serial % 2],
                "Artikel": article if case.serial % 11 else "",
                "Stand": "abgegeben" if case.sent else "in Bearbeitung",
                "Az_StA": f"MP {case.file}/{_opened(case)}" if case.file else "",
            }
        )
        for place, (person, suspect) in enumerate(_listed(case), 1):
            female = person.sex == "w"
            role = ("Beschuldigte" if female else "Beschuldigter") if suspect else ("Geschädigte" if female else "Geschädigter")
            people.append(
                {
                    "Anzeige_Nr": case.number,
                    "Lfd": place,
                    "Rolle": role,
                    "Name": person.surname,
                    "Vorname": person.given,
                    "Geburtsdatum": _dmy(person.born),
                    "Geschlecht": "weiblich" if female else "männlich",
                    "Staat": person.state,
                }
            )
    form = ("windows-1252", ";", "\r\n")
    _csv(folder / "anzeigen.csv", rows, "Anzeige_Nr Eingang Tattag Abgabe Posten Gemeinde Delikt Artikel Stand Az_StA", *form)
    _csv(folder / "beteiligte.csv", people, "Anzeige_Nr Lfd Rolle Name Vorname Geburtsdatum Geschlecht Staat", *form)


def _opened(case: Case) -> int:
    assert case.received
    return case.received.year


def _listed(case: Case) -> list[tuple[Person, bool]]:
    return [*((person, True) for person in case.suspects), *((person, False) for person in case.victims)]


def prosecution(cases: Iterable[Case], period: str, folder: Path) -> None:
    """One half-year of the prosecution: files that are new or changed."""
    documents = []
    for case in cases:
        law = "LStup" if case.group == "drugs" else "CP98" if case.offence < NEW_CODE else "CP14"
        parties = [
            {
                "partie": (case.file or 0) * 10 + place,
                "qualite": "prévenue" if person.sex == "w" else "prévenu",
                "nom": person.surname.upper(),
                "prenom": person.given,
                "naissance": _iso(person.born),
                "sexe": "féminin" if person.sex == "w" else "masculin",
                "pays": person.state,
                "infractions": [{"loi": law, "article": case.article(), "principale": True}],
            }
            for place, person in enumerate(case.suspects)
        ]
        state = "instruction" if case.decided is None else "renvoi" if case.indicted else "classement"
        document = {"numero": f"MP {case.file}/{_opened(case)}", "recu": _iso(case.received), "origine": case.number, "etat": state}
        documents.append({**document, "decision": _iso(case.decided) or None, "parties": parties})
    folder.mkdir(parents=True, exist_ok=True)
    content = {"export": {"service": "Ministère public", "periode": period}, "dossiers": documents}
    (folder / "dossiers.json").write_text(json.dumps(content, ensure_ascii=False, indent=1), "utf-8")


def courts(cases: Iterable[Case], folder: Path) -> None:
    """One year of the courts: files that are new or changed."""
    rows, people = [], []
    for case in cases:
        number = f"TR {case.court_file}/{case.at_court.year if case.at_court else ''}"
        reference = f"MP {case.file}/{_opened(case)}"
        rows.append({"affaire": number, "recu": _iso(case.at_court), "siege": ("Ost", "Ouest")[case.serial % 2], "renvoi": reference})
        for place, person in enumerate(case.suspects):
            outcome, day, final, months = case.judged.get(place, ("", None, None, None))
            people.append(
                {
                    "affaire": number,
                    "id": f"P{place + 1}",
                    "nom": person.surname,
                    "prenom": person.given,
                    "naissance": _iso(person.born),
                    "sexe": "F" if person.sex == "w" else "H",
                    "pays": person.state,
                    "loi": "BMG" if case.group == "drugs" else "SGB98" if case.offence < NEW_CODE else "SGB14",
                    "article": case.article(),
                    "issue": outcome,
                    "jugement": _iso(day),
                    "definitif": _iso(final),
                    "mois": months or "",
                }
            )
    form = ("utf-8", ",", "\n")
    _csv(folder / "affaires.csv", rows, "affaire recu siege renvoi", *form)
    _csv(folder / "prevenus.csv", people, "affaire id nom prenom naissance sexe pays loi article issue jugement definitif mois", *form)


CADENCES: dict[str, Cadence] = {"landespolizei": "quarterly", "ministere_public": "half_yearly", "tribunaux": "yearly"}


def deliver(inbox: Path, what: World) -> None:
    """Write every delivery below `inbox`: in each period what is new or changed, as known on its last day."""
    for institution, cadence in CADENCES.items():
        for period in periods.periods_between(date(YEARS[0], 1, 1), date(YEARS[-1], 12, 31), cadence):
            first, last = periods.first_day(period), periods.last_day(period)
            cases = [case.as_of(last) for case in what.cases if any(first <= day <= last for day in case.days(institution))]
            folder = inbox / institution / period
            if institution == "landespolizei":
                police(cases, folder)
            elif institution == "ministere_public":
                prosecution(cases, period, folder)
            else:
                courts(cases, folder)


if __name__ == "__main__":
    deliver(Path(sys.argv[1]), world())
