"""Defects of values in the registers of ZMNV (the victim protection office) and of the centres for social work. They are as frequent as in
the samples (rates per hundred).

Names and personal numbers get the same defects as in the other registers (`name_defects.py`). A day is only made wrong if this shows in the
deliveries, or if the period of the delivery still tells when the event was. Each defect says how the row is then read for the figures as
reported: nothing is read from a birth date that does not exist.
"""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from random import Random
from typing import Any

from sources.periods import first_day, last_day
from sources.simulator import spelling
from sources.simulator.codes import read_places
from sources.simulator.defects import DefectChoice, DefectMaker, WrongValue
from sources.simulator.deliveries import Delivery
from sources.simulator.model import Person, World
from sources.simulator.name_defects import spoil_names
from sources.simulator.noise import count_files_of_persons
from sources.simulator.records import CaseRecord, Cells, PersonRecord, RecordPart
from sources.simulator.value_defects import CODES_OF_KOSOVO
from sources.simulator.victim_files import QPS, ZMNV, VictimWorld
from sources.simulator.victim_records import write_day_with_slashes, write_moment_in_utc

UNKNOWN = {
    "offence": ("X", "??", "TQNJ"),
    "form": ("9", "Z"),
    "status": ("?", "NE_PRITJE", ""),
    ZMNV: ("TJT", "X1", "JURID", ""),
    QPS: ("7", "sherbim", "TJT", ""),
}


def spoil_victim_records(world: World, victims: VictimWorld, deliveries: list[Delivery], defect_maker: DefectMaker) -> None:
    """Make defects in the cells of every record and entry of both institutions, in place. `deliveries`: all their deliveries, sorted by
    period within each institution."""
    numbers = {
        "police": [file.number for case in world.cases for file in case.police],
        "prosecution": [file.number for case in world.cases for file in case.prosecution],
        "courts": [file.number for case in world.cases for file in case.courts],
        ZMNV: [file.number for file in victims.files if file.institution == ZMNV],
        QPS: [file.number for file in victims.files if file.institution == QPS],
    }
    strangers = [person for person in [*world.persons, *victims.persons] if person.number]
    files_by_person = count_files_of_persons(world)
    files_by_person.update(file.person.person_id for file in victims.files)
    repeats = {file.number: file.again.number for file in victims.files if file.again}
    late = {file.number: file for file in victims.files if file.entered > file.opened}
    for delivery in deliveries:
        for record in delivery.records:
            key = "nr_zmnv" if record.institution == ZMNV else "Nr_QPS"
            if record.key in repeats:
                defect_maker.log_defect(
                    delivery.institution, delivery.name, record.key, "victim_registered_twice", key, repeats.pop(record.key), record.key
                )
            if record.key in late:
                file = late.pop(record.key)
                defect_maker.log_defect(
                    delivery.institution, delivery.name, record.key, "late_entry", key, file.opened, file.entered, "entered a month late"
                )
            _RecordDefects(defect_maker, delivery, record, numbers, files_by_person).spoil_record(strangers)


class _RecordDefects:
    """Makes the defects of one record in one delivery. `files_by_person`: the number of files of the world in which each person occurs."""

    def __init__(
        self,
        defect_maker: DefectMaker,
        delivery: Delivery,
        record: CaseRecord,
        numbers: dict[str, list[str]],
        files_by_person: Counter[str],
    ) -> None:
        self.defect_maker, self.rng = defect_maker, defect_maker.rng
        self.delivery, self.record, self.numbers, self.files_by_person = delivery, record, numbers, files_by_person
        self.zmnv = record.institution == ZMNV

    def spoil_record(self, strangers: list[Person]) -> None:
        """Make the defects of the record, its person and its entries."""
        for entry in self.record.persons:
            spoil_names(self.defect_maker, self.delivery, self.record, entry, strangers)
            self._spoil_person(entry)
        self._spoil_file()
        for part in self.record.entries:
            self._spoil_entry(part)

    def _spoil_cell(self, key: str, cells: Cells, values_as_read: Cells, name: str, choices: list[DefectChoice], label: str = "") -> None:
        """Make at most one of the defects `choices` in the cell `name`."""
        self.defect_maker.spoil_cell(self.record.institution, self.delivery.name, key, cells, values_as_read, name, choices, label)

    def _write_day(self, day: date) -> str:
        """Return a day as the institution writes it."""
        return write_moment_in_utc(day) or "" if self.zmnv else write_day_with_slashes(day)

    # -- the victim -------------------------------------------------------------------------------------------------------------------

    def _spoil_person(self, entry: PersonRecord) -> None:
        rng, person, zmnv = self.rng, entry.person, self.zmnv
        born, sex, country = ("datelindja", "gjinia", "shtetesia") if zmnv else ("Datelindja", "Gjinia", "Shtetesia")

        def spoil_field(name: str, choices: list[DefectChoice]) -> None:
            self._spoil_cell(entry.key, entry.cells, entry.values_as_read, name, choices)

        spoil_field(born, self._list_birth_date_defects(person.born))
        other = {"M": "F", "F": "M"}[person.sex]
        spoil_field(
            sex,
            [
                (1.6, lambda _: WrongValue("sex_missing", "", {"sex": None})),
                (
                    4.0,
                    lambda _: WrongValue(
                        "sex_spelling", rng.choice(("F.", "Femër", "f") if person.sex == "F" else ("M.", "Mashkull", "m"))
                    ),
                ),
                (
                    1.0 if self.files_by_person[person.person_id] > 2 else 0.0,
                    lambda _: WrongValue("sex_wrong", other, {"sex": other}, "no evidence but other records of the person"),
                ),
            ],
        )
        names = read_places()["countries"][person.citizenship]
        spelled = [name for name in names if name != entry.cells[country]]
        if zmnv:
            spelled = [*CODES_OF_KOSOVO] if person.citizenship == "XKX" else [name for name in names if len(name) == 2]
        spoil_field(
            country,
            [
                (2.0, lambda _: WrongValue("citizenship_missing", "", {"citizenship": None})),
                (9.0 if zmnv else 24.0, lambda _: WrongValue("citizenship_spelling", rng.choice(spelled)) if spelled else None),
            ],
        )

    def _list_birth_date_defects(self, born: date) -> list[DefectChoice]:
        """Return the possible defects of a birth date, each with its rate."""
        rng, zmnv = self.rng, self.zmnv

        def write_birth_date(day: date) -> str:
            return day.isoformat() if zmnv else write_day_with_slashes(day)

        def make_typing_error(_: Any) -> WrongValue:
            day = born + timedelta(days=rng.choice((-365, -10, -1, 1, 10, 365)))
            return WrongValue("dob_typing_error", write_birth_date(day), {"born": day})

        def swap_day_and_month_of_value(_: Any) -> WrongValue | None:
            day = spelling.swap_day_and_month(born)
            return WrongValue("dob_day_month_swapped", write_birth_date(day), {"born": day}) if day else None

        first = born.replace(month=1, day=1)
        impossible = f"{born.year}-02-31" if zmnv else f"31/02/{born.year}"
        later = date(born.year + 100, born.month, min(born.day, 28))
        short = born.strftime("%d.%m.%y" if zmnv else "%d/%m/%y")
        serial = str((born - date(1899, 12, 30)).days)
        return [
            (2.6, lambda _: WrongValue("dob_missing", "", {"born": None})),
            (1.2, make_typing_error),
            (0.9, swap_day_and_month_of_value),
            (1.6, lambda _: WrongValue("dob_first_of_january", write_birth_date(first), {"born": first})),
            (0.7, lambda _: WrongValue("dob_impossible", impossible, {"born": None})),
            (0.9, lambda _: WrongValue("dob_in_future", write_birth_date(later), {"born": None})),
            (0.6, lambda _: WrongValue("dob_two_digit_year", short)),
            (0.0 if zmnv else 1.6, lambda _: WrongValue("dob_year_only", str(born.year), {"born": born.year})),
            (
                0.3 if self.defect_maker.settings.noise == "hard" and len(serial) == 5 else 0.0,
                lambda _: WrongValue("dob_serial_number", serial),
            ),
        ]

    # -- the file ---------------------------------------------------------------------------------------------------------------------

    def _spoil_file(self) -> None:
        record, zmnv = self.record, self.zmnv

        def spoil_field(name: str, choices: list[DefectChoice], label: str = "") -> None:
            self._spoil_cell(record.key, record.cells, record.values_as_read, name, choices, label)

        offence, form = ("vepra", "forma") if zmnv else ("Vepra", "Forma")
        spoil_field(offence, [self._make_unknown_code_defect("offence", 1.5, {"group": None}), *self._list_spelling_defects(4.0)])
        spoil_field(
            form,
            [(4.0, lambda _: WrongValue("form_missing", "", {"form": None})), self._make_unknown_code_defect("form", 5.0, {"form": None})],
        )
        self._spoil_day(
            record.key,
            record.cells,
            record.values_as_read,
            "referimi.data" if zmnv else "Data_e_referimit",
            "referred",
            record.true["referred"],
            None,
        )
        if not zmnv:
            spoil_field("Statusi", [self._make_unknown_code_defect("status", 1.0, {"status": None}), *self._list_spelling_defects(2.0)])
        fields = (
            (("nr_policise", "police"), ("nr_pp", "prosecution"), ("nr_qps", QPS))
            if zmnv
            else (("Nr_policise", "police"), ("Nr_PP", "prosecution"), ("Nr_ZMNV", ZMNV))
        )
        for name, kind in fields:
            spoil_field(name, self._list_reference_defects(kind))

    def _list_reference_defects(self, kind: str) -> list[DefectChoice]:
        """Return the possible defects of a cited number of the institution `kind`, each with its rate."""
        rng = self.rng
        write = {
            "police": spelling.vary_police_number,
            "prosecution": spelling.vary_prosecution_number,
            "courts": spelling.vary_court_number,
            ZMNV: vary_zmnv_number,
            QPS: vary_centre_number,
        }[kind]

        def vary_spelling(value: str) -> WrongValue | None:
            text = write(rng, value)
            return WrongValue("reference_spelling", text) if text != value else None

        others = self.numbers[kind]
        return [
            (16.0, lambda _: WrongValue("reference_missing", "")),
            (0.9, lambda value: WrongValue("reference_to_nothing", spelling.replace_digit_of_case_number(rng, write(rng, value)))),
            (0.8, lambda _: WrongValue("reference_to_another_case", write(rng, rng.choice(others))) if others else None),
            (50.0, vary_spelling),
        ]

    def _make_unknown_code_defect(self, what: str, rate: float, values_as_read: Cells) -> DefectChoice:
        """Return a defect, with its rate, that replaces a code by one that is not in the code list. `what`: the key of the list in
        `UNKNOWN`."""
        rng = self.rng
        return rate, lambda _: WrongValue("code_unknown", rng.choice(UNKNOWN[what]), values_as_read)

    def _list_spelling_defects(self, rate: float) -> list[DefectChoice]:
        """Return the other spellings of a code (upper case, no diacritics, spaces). They only occur at the centres, where codes are
        typed."""
        rng = self.rng

        def vary_spelling(value: str) -> WrongValue | None:
            text = rng.choice((value.upper(), value.lower(), f"{value} ", spelling.remove_diacritics(value)))
            return WrongValue("code_spelling", text) if text != value else None

        return [] if self.zmnv else [(rate, vary_spelling)]

    # -- entries ----------------------------------------------------------------------------------------------------------------------

    def _spoil_entry(self, part: RecordPart) -> None:
        """Make defects in an entry of the file: a status, a service, a stay or a hearing."""
        record, true, kind = self.record, part.true, part.true["entry"]
        key = record.key if self.zmnv else part.key
        label = f"{'seancat' if kind == 'hearing' else 'statusi' if kind == 'status' else 'sherbimet'}/{part.key}." if self.zmnv else ""

        def spoil_field(name: str, choices: list[DefectChoice]) -> None:
            self._spoil_cell(key, part.cells, part.values_as_read, name, choices, f"{label}{name}")

        if kind == "status":
            if true["kind"] != "presumed":
                spoil_field("lloji", [self._make_unknown_code_defect("status", 2.0, {"kind": None})])
            return
        if kind == "hearing":
            spoil_field("nr_gjykates", self._list_reference_defects("courts"))
            words_ = {True: "po", False: "jo"}
            choices: list[DefectChoice] = [
                (3.0, lambda value: WrongValue("attendance_as_text", words_[value])),
                (3.0, lambda _: WrongValue("attendance_missing", None, {"attended": None})),
            ]
            spoil_field("mbrojtesi_i_pranishem", choices)
        else:
            shelter = kind == "stay"
            # A stay whose kind cannot be read is recognised by the name of its shelter.
            spoil_field(
                "lloji" if self.zmnv else "Lloji",
                [
                    self._make_unknown_code_defect(record.institution, 2.0, {"kind": "shelter" if shelter else None}),
                    *self._list_spelling_defects(8.0),
                ],
            )
            if shelter:
                rng = self.rng
                spoil_field(
                    "Strehimorja", [(6.0, lambda v: WrongValue("shelter_spelling", rng.choice((v.replace("-", " "), f"Strehimorja {v}"))))]
                )
        self._spoil_day(
            key,
            part.cells,
            part.values_as_read,
            "data" if self.zmnv else "Prej",
            "day",
            true["day"],
            record.true["referred"],
            f"{label}data" if label else "",
        )

    def _spoil_day(
        self, key: str, cells: Cells, values_as_read: Cells, name: str, meaning: str, day: date, earliest: date | None, label: str = ""
    ) -> None:
        """Make a defect in the cell `name`, which contains the day `day`. `meaning`: the name of the day in `values_as_read`. `earliest`: a
        day of the same file before which it cannot lie."""
        rng, period = self.rng, self.delivery.period
        end = last_day(period)
        new = first_day(period) <= day <= end  # nobody could tell the day of an older event

        def is_defect_visible(other: date | None) -> bool:
            return other is not None and (other > end or (earliest is not None and other < earliest - timedelta(days=300)))

        def swap_day_and_month_of_value(_: Any) -> WrongValue | None:
            other = spelling.swap_day_and_month(day)
            return WrongValue("date_day_month_swapped", self._write_day(other), {meaning: other}) if other and other > end else None

        def make_wrong_year(_: Any) -> WrongValue | None:
            other = date(day.year + rng.choice((-10, 1, 10)), day.month, min(day.day, 28))
            return WrongValue("date_wrong_year", self._write_day(other), {meaning: other}) if is_defect_visible(other) else None

        impossible = f"{day.year}-02-31T23:00:00Z" if self.zmnv else f"31/02/{day.year}"
        formats = [day.isoformat(), day.strftime("%d.%m.%Y")]
        choices: list[DefectChoice] = [
            (1.0 if new else 0.0, lambda _: WrongValue("date_missing", "", {meaning: None})),
            (0.5 if new else 0.0, lambda _: WrongValue("date_impossible", impossible, {meaning: None})),
            (0.6, swap_day_and_month_of_value),
            (0.5, make_wrong_year),
            (1.4, lambda _: WrongValue("date_other_format", rng.choice(formats))),
        ]
        self._spoil_cell(key, cells, values_as_read, name, choices, label)


def vary_zmnv_number(rng: Random, number: str) -> str:
    """Return a number such as `ZM-PR-2013-0042` in another spelling."""
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


def vary_centre_number(rng: Random, number: str) -> str:
    """Return a number such as `QPS/05/117` in another spelling."""
    _, centre, serial = number.split("/")
    return rng.choice((f"QPS {centre}/{serial}", f"qps-{centre}-{serial}", f"QPS nr. {int(centre)}/{serial}", f"{centre}/{serial}"))
