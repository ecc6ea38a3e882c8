"""What happens to values on their way into the registers of ZMNV and the centres: rates per hundred are those of the samples.

Names and personal numbers go wrong as in the other registers (`name_defects.py`). A day is only spoilt in a way that the deliveries
themselves can show to be wrong, or where the period of the delivery still tells when it was. Each defect says how the row reads then,
for `as_reported`: of a birth date that no month has, nothing is read.
"""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from random import Random
from typing import Any

from sources.simulator import spelling
from sources.simulator.codes import places
from sources.simulator.defects import Choice, Spoiler, Wrong
from sources.simulator.deliveries import Delivery
from sources.simulator.model import Person, World
from sources.simulator.name_defects import spoil_names
from sources.simulator.noise import records_of_persons
from sources.simulator.periods import last_day, period_of
from sources.simulator.records import CaseRecord, Cells, Part, PersonRecord
from sources.simulator.value_defects import CODES_OF_KOSOVO
from sources.simulator.victim_files import QPS, ZMNV, VictimWorld
from sources.simulator.victim_states import moment, slashed

UNKNOWN = {
    "offence": ("X", "??", "TQNJ"),
    "form": ("9", "Z"),
    "status": ("?", "NE_PRITJE", ""),
    ZMNV: ("TJT", "X1", "JURID", ""),
    QPS: ("7", "sherbim", "TJT", ""),
}


def spoil_victim_records(world: World, victims: VictimWorld, deliveries: list[Delivery], spoiler: Spoiler) -> None:
    """Spoils the cells of every record and entry of both institutions in place. `deliveries` in order of arrival of their states."""
    numbers = {
        "police": [file.number for case in world.cases for file in case.police],
        "prosecution": [file.number for case in world.cases for file in case.prosecution],
        "courts": [file.number for case in world.cases for file in case.courts],
        ZMNV: [file.number for file in victims.files if file.institution == ZMNV],
        QPS: [file.number for file in victims.files if file.institution == QPS],
    }
    strangers = [person for person in [*world.persons, *victims.persons] if person.number]
    known = records_of_persons(world)
    known.update(file.person.person_id for file in victims.files)
    repeats = {file.number: file.again.number for file in victims.files if file.again}
    late = {file.number: file for file in victims.files if file.entered > file.opened}
    for delivery in deliveries:
        for record in delivery.records:
            key = "nr_zmnv" if record.institution == ZMNV else "Nr_QPS"
            if record.key in repeats:
                spoiler.log(
                    delivery.institution, delivery.name, record.key, "victim_registered_twice", key, repeats.pop(record.key), record.key
                )
            if record.key in late:
                file = late.pop(record.key)
                spoiler.log(
                    delivery.institution, delivery.name, record.key, "late_entry", key, file.opened, file.entered, "entered a month late"
                )
            _Defects(spoiler, delivery, record, numbers, known).spoil(strangers)


class _Defects:
    """Defects of one record of one delivery. `known`: in how many files of the world a person is."""

    def __init__(
        self, spoiler: Spoiler, delivery: Delivery, record: CaseRecord, numbers: dict[str, list[str]], known: Counter[str]
    ) -> None:
        self.spoiler, self.rng = spoiler, spoiler.rng
        self.delivery, self.record, self.numbers, self.known = delivery, record, numbers, known
        self.zmnv = record.institution == ZMNV

    def spoil(self, strangers: list[Person]) -> None:
        """Everything about the record, its person, its entries."""
        for entry in self.record.persons:
            spoil_names(self.spoiler, self.delivery, self.record, entry, strangers)
            self._person(entry)
        self._file()
        for part in self.record.entries:
            self._entry(part)

    def _on(self, key: str, cells: Cells, said: Cells, name: str, choices: list[Choice], label: str = "") -> None:
        self.spoiler.spoil(self.record.institution, self.delivery.name, key, cells, said, name, choices, label)

    def _written(self, day: date) -> str:
        return moment(day) or "" if self.zmnv else slashed(day)

    # -- the victim -------------------------------------------------------------------------------------------------------------------

    def _person(self, entry: PersonRecord) -> None:
        rng, person, zmnv = self.rng, entry.person, self.zmnv
        born, sex, country = ("datelindja", "gjinia", "shtetesia") if zmnv else ("Datelindja", "Gjinia", "Shtetesia")

        def on(name: str, choices: list[Choice]) -> None:
            self._on(entry.key, entry.cells, entry.said, name, choices)

        on(born, self._born(person.born))
        other = {"M": "F", "F": "M"}[person.sex]
        on(
            sex,
            [
                (1.6, lambda _: Wrong("sex_missing", "", {"sex": None})),
                (4.0, lambda _: Wrong("sex_spelling", rng.choice(("F.", "Femër", "f") if person.sex == "F" else ("M.", "Mashkull", "m")))),
                (
                    1.0 if self.known[person.person_id] > 2 else 0.0,
                    lambda _: Wrong("sex_wrong", other, {"sex": other}, "no evidence but other records of the person"),
                ),
            ],
        )
        names = places()["countries"][person.citizenship]
        spelled = [name for name in names if name != entry.cells[country]]
        if zmnv:
            spelled = [*CODES_OF_KOSOVO] if person.citizenship == "XKX" else [name for name in names if len(name) == 2]
        on(
            country,
            [
                (2.0, lambda _: Wrong("citizenship_missing", "", {"citizenship": None})),
                (9.0 if zmnv else 24.0, lambda _: Wrong("citizenship_spelling", rng.choice(spelled)) if spelled else None),
            ],
        )

    def _born(self, born: date) -> list[Choice]:
        rng, zmnv = self.rng, self.zmnv

        def shown(day: date) -> str:
            return day.isoformat() if zmnv else slashed(day)

        def typed(_: Any) -> Wrong:
            day = born + timedelta(days=rng.choice((-365, -10, -1, 1, 10, 365)))
            return Wrong("dob_typing_error", shown(day), {"born": day})

        def exchanged(_: Any) -> Wrong | None:
            day = spelling.swapped(born)
            return Wrong("dob_day_month_swapped", shown(day), {"born": day}) if day else None

        first = born.replace(month=1, day=1)
        impossible = f"{born.year}-02-31" if zmnv else f"31/02/{born.year}"
        later = date(born.year + 100, born.month, min(born.day, 28))
        short = born.strftime("%d.%m.%y" if zmnv else "%d/%m/%y")
        serial = str((born - date(1899, 12, 30)).days)
        return [
            (2.6, lambda _: Wrong("dob_missing", "", {"born": None})),
            (1.2, typed),
            (0.9, exchanged),
            (1.6, lambda _: Wrong("dob_first_of_january", shown(first), {"born": first})),
            (0.7, lambda _: Wrong("dob_impossible", impossible, {"born": None})),
            (0.9, lambda _: Wrong("dob_in_future", shown(later), {"born": None})),
            (0.6, lambda _: Wrong("dob_two_digit_year", short)),
            (0.0 if zmnv else 1.6, lambda _: Wrong("dob_year_only", str(born.year), {"born": born.year})),
            (0.3 if self.spoiler.settings.noise == "hard" and len(serial) == 5 else 0.0, lambda _: Wrong("dob_serial_number", serial)),
        ]

    # -- the file ---------------------------------------------------------------------------------------------------------------------

    def _file(self) -> None:
        record, zmnv = self.record, self.zmnv

        def on(name: str, choices: list[Choice], label: str = "") -> None:
            self._on(record.key, record.cells, record.said, name, choices, label)

        offence, form = ("vepra", "forma") if zmnv else ("Vepra", "Forma")
        on(offence, [self._unknown("offence", 1.5, {"group": None}), *self._spelt(4.0)])
        on(form, [(4.0, lambda _: Wrong("form_missing", "", {"form": None})), self._unknown("form", 5.0, {"form": None})])
        self._day(
            record.key,
            record.cells,
            record.said,
            "referimi.data" if zmnv else "Data_e_referimit",
            "referred",
            record.true["referred"],
            None,
        )
        if not zmnv:
            on("Statusi", [self._unknown("status", 1.0, {"status": None}), *self._spelt(2.0)])
        fields = (
            (("nr_policise", "police"), ("nr_pp", "prosecution"), ("nr_qps", QPS))
            if zmnv
            else (("Nr_policise", "police"), ("Nr_PP", "prosecution"), ("Nr_ZMNV", ZMNV))
        )
        for name, kind in fields:
            on(name, self._reference(kind))

    def _reference(self, kind: str) -> list[Choice]:
        rng = self.rng
        write = {
            "police": spelling.police_number,
            "prosecution": spelling.prosecution_number,
            "courts": spelling.court_number,
            ZMNV: zmnv_number,
            QPS: centre_number,
        }[kind]

        def spelled(value: str) -> Wrong | None:
            text = write(rng, value)
            return Wrong("reference_spelling", text) if text != value else None

        others = self.numbers[kind]
        return [
            (16.0, lambda _: Wrong("reference_missing", "")),
            (0.9, lambda value: Wrong("reference_to_nothing", spelling.one_digit_off(rng, write(rng, value)))),
            (0.8, lambda _: Wrong("reference_to_another_case", write(rng, rng.choice(others))) if others else None),
            (50.0, spelled),
        ]

    def _unknown(self, what: str, rate: float, said: Cells) -> Choice:
        rng = self.rng
        return rate, lambda _: Wrong("code_unknown", rng.choice(UNKNOWN[what]), said)

    def _spelt(self, rate: float) -> list[Choice]:
        """Upper case, missing diacritics, spaces: at the centres, who type."""
        rng = self.rng

        def spelled(value: str) -> Wrong | None:
            text = rng.choice((value.upper(), value.lower(), f"{value} ", spelling.without_marks(value)))
            return Wrong("code_spelling", text) if text != value else None

        return [] if self.zmnv else [(rate, spelled)]

    # -- entries ----------------------------------------------------------------------------------------------------------------------

    def _entry(self, part: Part) -> None:
        record, true, kind = self.record, part.true, part.true["entry"]
        key = record.key if self.zmnv else part.key
        label = f"{'seancat' if kind == 'hearing' else 'statusi' if kind == 'status' else 'sherbimet'}/{part.key}." if self.zmnv else ""

        def on(name: str, choices: list[Choice]) -> None:
            self._on(key, part.cells, part.said, name, choices, f"{label}{name}")

        if kind == "status":
            if true["kind"] != "presumed":
                on("lloji", [self._unknown("status", 2.0, {"kind": None})])
            return
        if kind == "hearing":
            on("nr_gjykates", self._reference("courts"))
            words_ = {True: "po", False: "jo"}
            choices: list[Choice] = [
                (3.0, lambda value: Wrong("attendance_as_text", words_[value])),
                (3.0, lambda _: Wrong("attendance_missing", None, {"attended": None})),
            ]
            on("mbrojtesi_i_pranishem", choices)
        else:
            shelter = kind == "stay"
            # A stay whose kind cannot be read is one by its shelter.
            on(
                "lloji" if self.zmnv else "Lloji",
                [self._unknown(record.institution, 2.0, {"kind": "shelter" if shelter else None}), *self._spelt(8.0)],
            )
            if shelter:
                rng = self.rng
                on("Strehimorja", [(6.0, lambda v: Wrong("shelter_spelling", rng.choice((v.replace("-", " "), f"Strehimorja {v}"))))])
        self._day(
            key,
            part.cells,
            part.said,
            "data" if self.zmnv else "Prej",
            "day",
            true["day"],
            record.true["referred"],
            f"{label}data" if label else "",
        )

    def _day(self, key: str, cells: Cells, said: Cells, name: str, meaning: str, day: date, earliest: date | None, label: str = "") -> None:
        """Spoils a day; `meaning` its name in `said`, `earliest` a day of the same file before which it cannot lie."""
        rng, period = self.rng, self.delivery.period
        end = last_day(period)
        new = period_of(day, period) == period  # of an older one nobody could tell the day

        def shows(other: date | None) -> bool:
            return other is not None and (other > end or (earliest is not None and other < earliest - timedelta(days=300)))

        def exchanged(_: Any) -> Wrong | None:
            other = spelling.swapped(day)
            return Wrong("date_day_month_swapped", self._written(other), {meaning: other}) if other and other > end else None

        def wrong_year(_: Any) -> Wrong | None:
            other = date(day.year + rng.choice((-10, 1, 10)), day.month, min(day.day, 28))
            return Wrong("date_wrong_year", self._written(other), {meaning: other}) if shows(other) else None

        impossible = f"{day.year}-02-31T23:00:00Z" if self.zmnv else f"31/02/{day.year}"
        formats = [day.isoformat(), day.strftime("%d.%m.%Y")]
        choices: list[Choice] = [
            (1.0 if new else 0.0, lambda _: Wrong("date_missing", "", {meaning: None})),
            (0.5 if new else 0.0, lambda _: Wrong("date_impossible", impossible, {meaning: None})),
            (0.6, exchanged),
            (0.5, wrong_year),
            (1.4, lambda _: Wrong("date_other_format", rng.choice(formats))),
        ]
        self._on(key, cells, said, name, choices, label)


def zmnv_number(rng: Random, number: str) -> str:
    """`ZM-PR-2013-0042` in another spelling."""
    _, office, year, serial = number.split("-")
    return rng.choice(
        (
            number.lower(),
            f"ZM/{office}/{year}/{int(serial)}",
            f"ZMNV-{office}-{year}-{serial}",
            f"ZM-{office}-{int(serial)}/{year}",
            f"{office}-{year}-{serial}",
        )
    )


def centre_number(rng: Random, number: str) -> str:
    """`QPS/05/117` in another spelling."""
    _, centre, serial = number.split("/")
    return rng.choice((f"QPS {centre}/{serial}", f"qps-{centre}-{serial}", f"QPS nr. {int(centre)}/{serial}", f"{centre}/{serial}"))
