"""The figures of the second domain, counted again: as reported from the delivered files, harmonised from what is true.

Written from docs/reference/counting-rules.md with the standard library alone; imports nothing of what makes the figures.
Each function gives {(indicator, period, dimension, value): count} for totals (`total`, `total`) and one-way tables, years and quarters.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import NamedTuple

from tests.second_domain.deliver import OFFENCES, Case, Person, World

Figures = Counter[tuple[str, str, str, str]]
SERIOUS = list(OFFENCES)  # most serious first
GROUP_OF = {article: group for group, (_, _, old, new) in OFFENCES.items() for article in (old, new)}
GROUP_OF_WORDS = {words: group for group, (german, french, _, _) in OFFENCES.items() for words in (german, french)}
SEX = dict.fromkeys(("männlich", "masculin", "H", "m"), "male") | dict.fromkeys(("weiblich", "féminin", "F", "w"), "female")
DAY = {"landespolizei": "%d.%m.%Y", "ministere_public": "%Y-%m-%d", "tribunaux": "%Y-%m-%d"}


class Row(NamedTuple):
    """What counts: the indicator, the day, and how it is broken down; born: null for cases."""

    indicator: str
    day: date
    group: str
    sex: str | None = None
    born: date | None = None
    state: str | None = None


def _periods(day: date) -> tuple[str, str]:
    return f"{day.year}", f"{day.year}-Q{(day.month + 2) // 3}"


def _values(row: Row) -> dict[str, str]:
    values = {"total": "total", "offence_group": row.group}
    if row.sex and row.born:
        birthday = (row.born.month, row.born.day) <= (row.day.month, row.day.day)
        age = row.day.year - row.born.year - (0 if birthday else 1)
        values |= {
            "sex": row.sex,
            "age_group": "adult" if age >= 18 else "child",
            "citizenship_group": "domestic" if row.state == "Valmira" else "foreign",
        }
    return values


def as_reported(inbox: Path) -> Figures:
    """The institutions' own records, each in its last delivered state."""
    found: Figures = Counter()
    for row in (*_police(inbox), *_prosecution(inbox), *_courts(inbox)):
        for period in _periods(row.day):
            for dimension, value in _values(row).items():
                found[row.indicator, period, dimension, value] += 1
    return found


def _lines(
    inbox: Path, institution: str, file: str, encoding: str, delimiter: str, key: tuple[str, ...]
) -> dict[tuple[str, ...], dict[str, str]]:
    """The last state of every record."""
    found = {}
    for folder in sorted((inbox / institution).iterdir()):
        with (folder / file).open(encoding=encoding, newline="") as opened:
            for row in csv.DictReader(opened, delimiter=delimiter):
                found[tuple(row[name] for name in key)] = row
    return found


def _day(institution: str, text: str | None) -> date | None:
    return datetime.strptime(text, DAY[institution]).date() if text else None  # noqa: DTZ007 - a day without a time


def _police(inbox: Path) -> Iterator[Row]:
    name = "landespolizei"
    cases = _lines(inbox, name, "anzeigen.csv", "cp1252", ";", ("Anzeige_Nr",))
    people = _lines(inbox, name, "beteiligte.csv", "cp1252", ";", ("Anzeige_Nr", "Lfd"))
    groups = {}
    for (number,), case in cases.items():
        article = case["Artikel"].removeprefix("BMG ")
        groups[number] = GROUP_OF[article] if article else GROUP_OF_WORDS[case["Delikt"]]
        for indicator, column in (("cases_registered", "Eingang"), ("cases_referred", "Abgabe")):
            if day := _day(name, case[column]):
                yield Row(indicator, day, groups[number])
    for (number, _), person in people.items():
        indicator = "suspects_registered" if person["Rolle"].startswith("Besch") else "victims_identified"
        day, born = _day(name, cases[number,]["Eingang"]), _day(name, person["Geburtsdatum"])
        assert day
        yield Row(indicator, day, groups[number], SEX[person["Geschlecht"]], born, person["Staat"])


def _prosecution(inbox: Path) -> Iterator[Row]:
    name = "ministere_public"
    files = {}
    for folder in sorted((inbox / name).iterdir()):
        for document in json.loads((folder / "dossiers.json").read_text("utf-8"))["dossiers"]:
            files[document["numero"]] = document
    for document in files.values():
        group = GROUP_OF[document["parties"][0]["infractions"][0]["article"]]
        received, decided = _day(name, document["recu"]), _day(name, document["decision"])
        assert received
        yield Row("cases_received_prosecution", received, group)
        if document["etat"] == "classement" and decided:
            yield Row("cases_dismissed", decided, group)
        for person in document["parties"]:
            about = group, SEX[person["sexe"]], _day(name, person["naissance"]), person["pays"]
            yield Row("persons_reported", received, *about)
            if document["etat"] == "renvoi" and decided:
                yield Row("persons_indicted", decided, *about)


def _courts(inbox: Path) -> Iterator[Row]:
    name = "tribunaux"
    files = _lines(inbox, name, "affaires.csv", "utf-8", ",", ("affaire",))
    people = _lines(inbox, name, "prevenus.csv", "utf-8", ",", ("affaire", "id"))
    groups = {number: GROUP_OF[person["article"]] for (number, _), person in people.items()}
    for (number,), document in files.items():
        received = _day(name, document["recu"])
        assert received
        yield Row("cases_received_court", received, groups[number])
    for (number, _), person in people.items():
        about = groups[number], SEX[person["sexe"]], _day(name, person["naissance"]), person["pays"]
        judged, final = _day(name, person["jugement"]), _day(name, person["definitif"])
        if judged:
            yield Row("persons_convicted" if person["issue"] == "condamné" else "persons_acquitted", judged, *about)
        if final and person["issue"] == "condamné":
            yield Row("persons_convicted_final", final, *about)


def harmonised(world: World) -> Figures:
    """Each case once; each person once a period, under the most serious offence, then the earliest day; victims once ever."""
    found: Figures = Counter()
    people: dict[tuple[str, str, Person], Row] = {}
    victims: dict[Person, Row] = {}
    for indicator, day, case in _cases(world):
        _add(found, [Row(indicator, day, case.group)])
    for indicator, day, case, person in _persons(world.cases):
        row = Row(indicator, day, case.group, SEX[person.sex], person.born, person.state)
        if indicator == "victims_identified":
            victims[person] = min(victims.get(person, row), row, key=lambda one: one.day)
            continue
        for period in _periods(day):
            kept = people.setdefault((indicator, period, person), row)
            people[indicator, period, person] = min(kept, row, key=lambda one: (SERIOUS.index(one.group), one.day))
    _add(found, victims.values())
    for (indicator, period, _), row in people.items():
        for dimension, value in _values(row).items():
            found[indicator, period, dimension, value] += 1
    return found


def _add(found: Figures, rows: Iterable[Row]) -> None:
    for row in rows:
        for period in _periods(row.day):
            for dimension, value in _values(row).items():
                found[row.indicator, period, dimension, value] += 1


def _cases(world: World) -> Iterator[tuple[str, date, Case]]:
    for case in world.cases:
        days = {
            "cases_registered": case.reported,
            "cases_referred": case.sent,
            "cases_received_prosecution": case.received,
            "cases_dismissed": None if case.indicted else case.decided,
            "cases_received_court": case.at_court,
        }
        yield from ((indicator, day, case) for indicator, day in days.items() if day)


def _persons(cases: Iterable[Case]) -> Iterator[tuple[str, date, Case, Person]]:
    for case in cases:
        yield from (("victims_identified", case.reported, case, person) for person in case.victims)
        for place, person in enumerate(case.suspects):
            yield "suspects_registered", case.reported, case, person
            if case.received:
                yield "persons_reported", case.received, case, person
            if case.decided and case.indicted:
                yield "persons_indicted", case.decided, case, person
            outcome, judged, final, _ = case.judged.get(place, ("", None, None, None))
            if judged:
                yield "persons_convicted" if outcome == "condamné" else "persons_acquitted", judged, case, person
            if final and outcome == "condamné":
                yield "persons_convicted_final", final, case, person
