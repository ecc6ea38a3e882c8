"""Defects of dates, sexes, countries, places, articles, words, forms and references.

Defects are as frequent as in the samples (rates per hundred, with `typical` noise). Each defect also says how the row is then read for the
figures as reported: a birth date that does not exist still shows the year of birth; a date that cannot be read is no date. The date of an
event is only made wrong in a way that shows in the deliveries (the date is in the future, or not in the order in which things happen).
`sex_wrong` only occurs for persons who have other records. Does not belong here: names and personal numbers (`name_defects.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from random import Random
from typing import Any

from sources.periods import first_day, last_day
from sources.simulator import spelling
from sources.simulator.codes import ARTICLES, CODES, GROUPS, MINOR_OFFENCES, Offence, read_places, read_vocabulary
from sources.simulator.defects import DefectChoice, DefectMaker, WrongValue
from sources.simulator.deliveries import Delivery
from sources.simulator.records import CaseRecord, PersonRecord, RecordPart

BORN = {"police": "Data_lindjes", "prosecution": "datelindja", "courts": "datelindja", "corrections": "Data e lindjes"}
SEX = {"police": "Gjinia", "prosecution": "gjinia", "courts": "gjinia", "corrections": "Gjinia"}
COUNTRY = {"police": "Shtetesia", "prosecution": "shtetesia", "courts": "shtetesia", "corrections": "Shtetësia"}
CODES_OF_KOSOVO = ("xkx", "XK", "KS", "RKS", "UNK", "KOS")


def _find_date_format(institution: str) -> str:
    """Return the format in which an institution writes dates: `iso` or `dotted`."""
    return "iso" if institution in ("prosecution", "courts") else "dotted"


# -- persons --------------------------------------------------------------------------------------------------------------------------


def spoil_person(defect_maker: DefectMaker, delivery: Delivery, entry: PersonRecord, institution: str, files_of_person: int) -> None:
    """Make defects in the birth date, sex, citizenship and municipality of a person record, in place. `files_of_person`: the number of
    files of the world in which the person occurs."""
    if institution == "inspectorate":
        return
    rng, person = defect_maker.rng, entry.person
    form = _find_date_format(institution)
    empty = None if institution == "prosecution" else ""

    def spoil_field(name: str, choices: list[DefectChoice]) -> None:
        defect_maker.spoil_cell(institution, delivery.name, entry.key, entry.cells, entry.values_as_read, name, choices)

    spoil_field(BORN[institution], _list_birth_date_defects(rng, person.born, form, institution))
    other = {"M": "F", "F": "M"}[person.sex]
    numbers = institution == "prosecution"
    wrong = ("1" if other == "M" else "2") if numbers else other
    lacking = "9" if numbers else empty
    sexes: list[DefectChoice] = [
        (1.6, lambda _: WrongValue("sex_missing", lacking, {"sex": None})),
        (
            0.15 if files_of_person > 2 else 0.0,
            lambda _: WrongValue("sex_wrong", wrong, {"sex": other}, "no evidence but other records of the person"),
        ),
        (0.0 if numbers else 4.0, lambda _: WrongValue("sex_spelling", rng.choice(read_vocabulary()["sex"][person.sex][1:]))),
    ]
    spoil_field(SEX[institution], sexes)
    countries = read_places()["countries"][person.citizenship]
    spelled = [name for name in countries if name != entry.cells[COUNTRY[institution]]]
    if institution in ("prosecution", "courts"):
        spelled = [*CODES_OF_KOSOVO] if person.citizenship == "XKX" else [name for name in countries if len(name) == 2]
    spoil_field(
        COUNTRY[institution],
        [
            (2.0, lambda _: WrongValue("citizenship_missing", empty, {"citizenship": None})),
            (27.0 if form == "dotted" else 9.0, lambda _: WrongValue("citizenship_spelling", rng.choice(spelled)) if spelled else None),
        ],
    )
    if institution in ("police", "prosecution"):
        spoil_field("Komuna_banimit" if institution == "police" else "komuna", _list_place_defects(rng))


def _list_birth_date_defects(rng: Random, born: date, form: str, institution: str) -> list[DefectChoice]:
    """Return the possible defects of a birth date, each with its rate."""
    workbook = institution == "corrections"
    empty = None if institution == "prosecution" else ""

    def write_birth_date(day: date) -> Any:
        return day if workbook else spelling.write_day_in_format(day, form)

    def make_typing_error(_: Any) -> WrongValue | None:
        day = born + timedelta(days=rng.choice((-365, -10, -1, 1, 10, 365)))
        return WrongValue("dob_typing_error", write_birth_date(day), {"born": day})

    def swap_day_and_month_of_value(_: Any) -> WrongValue | None:
        day = spelling.swap_day_and_month(born)
        return WrongValue("dob_day_month_swapped", write_birth_date(day), {"born": day}) if day else None

    first = born.replace(month=1, day=1)
    later = date(born.year + 100, born.month, min(born.day, 28))
    return [
        (3.4, lambda _: WrongValue("dob_missing", empty, {"born": None})),
        (1.2, make_typing_error),
        (0.9, swap_day_and_month_of_value),
        (1.2, lambda _: WrongValue("dob_first_of_january", write_birth_date(first), {"born": first})),
        (
            0.8,
            lambda _: WrongValue("dob_impossible", spelling.write_impossible_day(born.replace(month=2, day=1), form), {"born": born.year}),
        ),
        (0.7, lambda _: WrongValue("dob_in_future", write_birth_date(later), {"born": None})),
        (0.5, lambda _: WrongValue("dob_two_digit_year", spelling.write_day_in_format(born, "short"))),
        (1.3 if form == "dotted" else 0.0, lambda _: WrongValue("dob_year_only", str(born.year), {"born": born.year})),
    ]


def _list_place_defects(rng: Random) -> list[DefectChoice]:
    """Return the other ways to write a municipality, each with its rate: in Serbian, or under another name."""

    def write_place_in_serbian(value: str) -> WrongValue | None:
        row = read_places()["municipalities"].get(value)
        return WrongValue("place_serbian", row[2]) if row and row[2] != value else None

    def choose_other_place_name(value: str) -> WrongValue | None:
        row = read_places()["municipalities"].get(value)
        return WrongValue("place_alias", rng.choice(row[3:])) if row and row[3:] else None

    return [(7.5, write_place_in_serbian), (5.0, choose_other_place_name)]


# -- references and articles ----------------------------------------------------------------------------------------------------------


def _list_reference_defects(
    rng: Random, others: list[str], write: Callable[[Random, str], str], empty: Any, missing: float, hard: bool
) -> list[DefectChoice]:
    """Return the possible defects of a case number that a record cites, each with its rate. `others`: the numbers of other cases. `write`:
    a function that writes a number in another spelling. `missing`: the rate per hundred of empty numbers."""

    def cite_another_case(value: str) -> WrongValue | None:
        return WrongValue("reference_to_another_case", write(rng, rng.choice(others)) if others else value) if others else None

    def cite_two_cases(value: str) -> WrongValue | None:
        return WrongValue("two_references", f"{value}{rng.choice((', ', ' dhe ', '; '))}{rng.choice(others)}") if others else None

    def vary_spelling(value: str) -> WrongValue | None:
        text = write(rng, value)
        return WrongValue("reference_spelling", text) if text != value else None

    return [
        (missing, lambda _: WrongValue("reference_missing", empty)),
        (1.6, lambda value: WrongValue("reference_to_nothing", spelling.replace_digit_of_case_number(rng, write(rng, value)))),
        (0.8, cite_another_case),
        (1.0 if hard else 0.0, cite_two_cases),
        (56.0, vary_spelling),
    ]


def _find_same_offence_in_other_code(rng: Random, charged_offence: Offence) -> Offence | None:
    """Return the same offence under a criminal code that was not in force, which is the code before or after the right one.

    Return None if there is no such offence.
    """
    laws = [name for name, _ in CODES]
    if charged_offence.law == MINOR_OFFENCES or charged_offence.kind not in ARTICLES or charged_offence.kind not in GROUPS:
        return None
    at = laws.index(charged_offence.law)
    other = rng.choice([i for i in (at - 1, at + 1) if 0 <= i < len(laws)])
    found = ARTICLES[charged_offence.kind][other]
    return Offence(charged_offence.kind, laws[other], found, charged_offence.paragraph) if found else None


def _list_article_defects(rng: Random, charged_offence: Offence, with_words: bool) -> list[DefectChoice]:
    """Return the possible defects of an article that is typed as text, each with its rate."""

    def vary_spelling(_: Any) -> WrongValue:
        text, law = spelling.vary_article(rng, charged_offence, with_words)
        values_as_read: dict[str, Any] = {"law": law}
        if text.startswith(read_vocabulary()["offences"][charged_offence.kind][0]):
            values_as_read["words"] = charged_offence.group
        return WrongValue("article_spelling", text, values_as_read)

    def make_unknown_value(_: Any) -> WrongValue:
        text, law, article = rng.choice((("KPRK", "KPRK", None), ("neni ??", None, None), ("999", None, "999")))
        return WrongValue("article_unknown", text, {"law": law, "article": article}, "the words or other stages tell")

    def choose_code_not_in_force(_: Any) -> WrongValue | None:
        other = _find_same_offence_in_other_code(rng, charged_offence)
        if other is None:
            return None
        text = f"{other.article}/{other.paragraph}" if rng.random() < 0.6 else other.typed_text()
        named = None if "K" not in text else "KPRK" if other.law == "KPRK2012" else other.law
        return WrongValue("article_of_code_not_in_force", text, {"law": named, "article": other.article})

    rare = 0.0 if with_words else 1.1
    return [(rare, make_unknown_value), (rare, choose_code_not_in_force), (50.0, vary_spelling)]


# -- days of events -------------------------------------------------------------------------------------------------------------------


def _list_event_day_defects(
    rng: Random, day: date, key: str, form: str, period: str, earliest: date | None, rate: float = 0.35
) -> list[DefectChoice]:
    """Return the possible defects of the day of an event, each with its rate. `earliest`: a day in the same record before which the event
    cannot have happened. `key`: the name of the day in `values_as_read`."""
    end = last_day(period)

    def is_defect_visible(other: date | None) -> bool:
        return other is not None and (other > end or (earliest is not None and other < earliest))

    def swap_day_and_month_of_value(_: Any) -> WrongValue | None:
        other = spelling.swap_day_and_month(day)
        return (
            WrongValue("date_day_month_swapped", spelling.write_day_in_format(other, form), {key: other})
            if other and is_defect_visible(other)
            else None
        )

    def make_impossible_day(_: Any) -> WrongValue | None:
        # Only if the event is in the period that delivers it: nobody could tell the day of an older event.
        return (
            WrongValue("date_impossible", spelling.write_impossible_day(day, form), {key: None})
            if first_day(period) <= day <= end
            else None
        )

    def make_future_day(_: Any) -> WrongValue:
        other = date(day.year + 10, day.month, min(day.day, 28))
        return WrongValue("date_in_future", spelling.write_day_in_format(other, form), {key: other})

    def make_day_before_earliest(_: Any) -> WrongValue | None:
        other = date(day.year - 1, day.month, min(day.day, 28))
        return WrongValue("date_wrong_order", spelling.write_day_in_format(other, form), {key: other}) if is_defect_visible(other) else None

    return [
        (rate, make_future_day),
        (rate, make_impossible_day),
        (rate * 4, swap_day_and_month_of_value),  # most swapped dates look valid, and are left out
        (rate, lambda _: WrongValue("date_two_digit_year", spelling.write_day_in_format(day, "short"))),
        (rate / 2, make_day_before_earliest),
    ]


# -- whole records --------------------------------------------------------------------------------------------------------------------


class CaseDefects:
    """Makes defects in the cells of case records. `numbers`: the case numbers of each institution; a wrong reference may cite one of
    them."""

    def __init__(self, defect_maker: DefectMaker, numbers: dict[str, list[str]]) -> None:
        self.defect_maker, self.numbers = defect_maker, numbers
        self.hard = defect_maker.settings.noise == "hard"

    def spoil_case(self, delivery: Delivery, record: CaseRecord, charged_offence: Offence | None) -> None:
        """Make defects in the cells of a case record, in place. `charged_offence`: the offence that the record names, if it names one."""
        getattr(self, "_spoil_" + record.institution)(delivery, record, charged_offence)

    def _spoil_cell(self, delivery: Delivery, record: CaseRecord, name: str, choices: list[DefectChoice]) -> None:
        """Make at most one of the defects `choices` in the cell `name`."""
        self.defect_maker.spoil_cell(record.institution, delivery.name, record.key, record.cells, record.values_as_read, name, choices)

    def _spoil_day(self, delivery: Delivery, record: CaseRecord, name: str, key: str, earliest: date | None, rate: float = 0.35) -> None:
        """Make a defect in the cell `name`. The cell contains the day that is called `key` in the true values of the record."""
        day = record.true[key]
        if day:
            form = _find_date_format(record.institution)
            self._spoil_cell(
                delivery, record, name, _list_event_day_defects(self.defect_maker.rng, day, key, form, delivery.period, earliest, rate)
            )

    def _spoil_police(self, delivery: Delivery, record: CaseRecord, charged_offence: Offence | None) -> None:
        rng, true = self.defect_maker.rng, record.true
        assert charged_offence is not None
        self._spoil_day(delivery, record, "Data_raportimit", "registered", true["offence_day"])
        self._spoil_day(delivery, record, "Data_dergimit_PSH", "sent", true["registered"], 0.8)
        offence_day = _list_event_day_defects(rng, true["offence_day"], "offence_day", "dotted", delivery.period, None, 0.3)
        missing: DefectChoice = (4.0, lambda _: WrongValue("date_missing", "", {"offence_day": None}))
        self._spoil_cell(delivery, record, "Data_e_vepres", [missing, *offence_day])
        self._spoil_cell(delivery, record, "Komuna", _list_place_defects(rng))
        self._spoil_cell(delivery, record, "Neni", _list_article_defects(rng, charged_offence, with_words=False))
        spelled = read_vocabulary()["offences"][charged_offence.kind][1:]

        def make_words_disagree(_: Any) -> WrongValue:
            group = rng.choice(
                [name for name in ("trafficking", "facilitating_prostitution", "prostitution") if name != charged_offence.group]
            )
            return WrongValue("words_disagree_with_article", read_vocabulary()["offences"][group][0], {"words": group})

        choices: list[DefectChoice] = [
            (2.2, make_words_disagree),
            (38.0, lambda _: WrongValue("words_spelling", rng.choice(spelled)) if spelled else None),
        ]
        if not self._would_article_be_misread(record):
            self._spoil_cell(delivery, record, "Vepra_penale", choices)
        form_words = read_vocabulary()["forms"].get(true["form"] or "", [""])[1:]
        forms: list[DefectChoice] = [
            (11.0, lambda _: WrongValue("form_missing", "", {"form": None})),
            (45.0, lambda _: WrongValue("form_spelling", rng.choice(form_words))),
        ]
        self._spoil_cell(delivery, record, "Forma_shfrytezimit", forms)
        others = self.numbers["prosecution"]
        self._spoil_cell(
            delivery, record, "Nr_PP", _list_reference_defects(rng, others, spelling.vary_prosecution_number, "", 15.0, self.hard)
        )

    @staticmethod
    def _would_article_be_misread(record: CaseRecord) -> bool:
        """Return whether a reader would not get the true article.

        In this case the words for the offence are left unchanged, so that at least one of the two shows the offence.
        """
        return record.values_as_read["article"] != record.true["article"]

    def _spoil_inspectorate(self, delivery: Delivery, record: CaseRecord, charged_offence: Offence | None) -> None:
        rng = self.defect_maker.rng
        assert charged_offence is not None
        plain = read_vocabulary()["offences"][charged_offence.kind][0]

        def vary_spelling(_: Any) -> WrongValue:
            text, law = spelling.vary_article(rng, charged_offence)
            way = rng.randrange(3)
            if way == 0 and charged_offence.law != MINOR_OFFENCES:
                return WrongValue("article_spelling", plain.upper(), {"law": None, "article": None})
            joined = f"{plain} - {text}" if way == 1 else f"{text} {plain}"
            return WrongValue("article_spelling", joined, {"law": law})

        self._spoil_cell(delivery, record, "Vepra e dyshuar", [(50.0, vary_spelling)])
        for name, key, earliest in (("Data e pranimit", "registered", None), ("Data e dërgimit", "sent", record.true["registered"])):
            self._spoil_day(delivery, record, name, key, earliest, 0.5)
        others = self.numbers["prosecution"]
        self._spoil_cell(
            delivery,
            record,
            "Nr. i prokurorisë",
            _list_reference_defects(rng, others, spelling.vary_prosecution_number, "", 8.0, self.hard),
        )

    def _spoil_prosecution(self, delivery: Delivery, record: CaseRecord, charged_offence: Offence | None) -> None:
        rng, true = self.defect_maker.rng, record.true
        self._spoil_day(delivery, record, "data_pranimit", "registered", true["offence_day"], 0.4)
        if true["source"] == "PK":
            self._spoil_cell(delivery, record, "burimi", [(2.0, lambda _: WrongValue("source_wrong", "TJ", {"source": "TJ"}))])
        writers = {"PK": spelling.vary_police_number, "IPK": spelling.vary_inspectorate_number}
        write = spelling.vary_prosecution_number if true["status"] == "BASH" else writers.get(true["source"])
        if write:
            others = self.numbers["prosecution" if true["status"] == "BASH" else "police"]
            self._spoil_cell(delivery, record, "nr_burimit", _list_reference_defects(rng, others, write, None, 2.0, self.hard))
        for entry in record.persons:
            self._spoil_charges(delivery, entry)

    def _spoil_charges(self, delivery: Delivery, entry: PersonRecord) -> None:
        """Make defects in the charges of a party: in the code and article, in the form, and in the mark of the principal charge."""
        rng = self.defect_maker.rng
        for part in entry.charges:
            field = {"article": f"{part.cells['ligji']} {part.cells['neni']}"}
            values_as_read: dict[str, Any] = {}
            choices = _list_charge_defects(rng, part)
            self.defect_maker.spoil_cell(
                "prosecution", delivery.name, entry.key, field, values_as_read, "article", choices, f"akuza {part.key}"
            )
            if values_as_read:
                part.cells["ligji"], part.cells["neni"] = field["article"].split(" ")
                part.values_as_read.update(values_as_read)
            forms: list[DefectChoice] = [(14.0, lambda _: WrongValue("form_missing", None, {"form": None}))]
            self.defect_maker.spoil_cell(
                "prosecution", delivery.name, entry.key, part.cells, part.values_as_read, "forma", forms, f"akuza.forma {part.key}"
            )
        if len(entry.charges) > 1:
            flags = {"flags": " ".join(str(part.cells["kryesore"]) for part in entry.charges)}
            flipped: list[DefectChoice] = [
                (14.0, lambda value: WrongValue("principal_flag_on_lesser_charge", " ".join(reversed(value.split(" ")))))
            ]
            self.defect_maker.spoil_cell("prosecution", delivery.name, entry.key, flags, {}, "flags", flipped, "akuza.kryesore")
            for part, flag in zip(entry.charges, flags["flags"].split(" "), strict=True):
                part.cells["kryesore"] = int(flag)

    def _spoil_courts(self, delivery: Delivery, record: CaseRecord, charged_offence: Offence | None) -> None:
        rng, true = self.defect_maker.rng, record.true
        day = true["registered"]
        self._spoil_day(delivery, record, "pranuar", "registered", true["offence_day"], 0.1)
        self._spoil_cell(
            delivery, record, "pranuar", [(0.4, lambda _: WrongValue("date_other_format", spelling.write_day_in_format(day, "dotted")))]
        )
        others = self.numbers["prosecution"]
        self._spoil_cell(
            delivery, record, "referenca", _list_reference_defects(rng, others, spelling.vary_prosecution_number, "", 0.5, self.hard)
        )
        if record.cells["gjuha"] == "sr":
            self._spoil_cell(delivery, record, "gjykata", [(40.0, _list_place_defects(rng)[0][1])])
        for entry in record.persons:
            for i, part in enumerate(entry.charges):
                field = {"article": f"{part.cells['ligji']} {part.cells['neni']}"}
                values_as_read: dict[str, Any] = {}
                label = f"akuza {i} {field['article']}"
                self.defect_maker.spoil_cell(
                    "courts", delivery.name, entry.key, field, values_as_read, "article", _list_charge_defects(rng, part), label
                )
                if values_as_read:
                    part.cells["ligji"], part.cells["neni"] = field["article"].split(" ")
                    part.values_as_read.update(values_as_read)
            for part in entry.judgments:
                self._spoil_judgment(delivery, entry, part, true["registered"])

    def _spoil_judgment(self, delivery: Delivery, entry: PersonRecord, part: RecordPart, received: date) -> None:
        """Make defects in the days of a judgment."""
        rng, day = self.defect_maker.rng, part.true["day"]
        label = f"aktgjykimi {day}"
        choices = _list_event_day_defects(rng, day, "day", "iso", delivery.period, received, 0.25)
        choices.append((1.0, lambda value: WrongValue("date_with_time", f"{value}T00:00:00")))
        choices.append((0.5, lambda _: WrongValue("date_other_format", spelling.write_day_in_format(day, "dotted"))))
        self.defect_maker.spoil_cell("courts", delivery.name, entry.key, part.cells, part.values_as_read, "data", choices, label)
        final = part.true["final"]
        if final:
            choices = _list_event_day_defects(rng, final, "final", "iso", delivery.period, day, 0.2)
            self.defect_maker.spoil_cell(
                "courts", delivery.name, entry.key, part.cells, part.values_as_read, "forme_prere", choices, label + " forme_prere"
            )

    def _spoil_corrections(self, delivery: Delivery, record: CaseRecord, charged_offence: Offence | None) -> None:
        rng = self.defect_maker.rng
        assert charged_offence is not None
        self._spoil_cell(delivery, record, "Vepra", _list_article_defects(rng, charged_offence, with_words=True))
        others = self.numbers["courts"]
        self._spoil_cell(
            delivery, record, "Nr. i aktgjykimit", _list_reference_defects(rng, others, spelling.vary_court_number, "", 19.0, self.hard)
        )
        if self.hard:
            self._spoil_cell(delivery, record, "Gjykata", [(3.0, _list_place_defects(rng)[0][1])])


def spoil_event_days(defect_maker: DefectMaker, delivery: Delivery, record: CaseRecord, entry: PersonRecord) -> None:
    """Make a defect in the day of an arrest. This is the only event in the row of a person."""
    arrested = entry.true["arrested"]
    if record.institution == "police" and arrested:
        choices = _list_event_day_defects(
            defect_maker.rng, arrested, "arrested", "dotted", delivery.period, record.true["registered"], 0.35
        )
        defect_maker.spoil_cell("police", delivery.name, entry.key, entry.cells, entry.values_as_read, "Data_arrestimit", choices)


def _list_charge_defects(rng: Random, part: RecordPart) -> list[DefectChoice]:
    """Return the possible defects of the code and article of a charge, each with its rate."""
    law, article, group = part.true["law"], part.true["article"], part.true["group"]
    charged_offence = Offence(group, law, article, "1")

    def make_unknown_value(_: Any) -> WrongValue:
        bad_law, bad_article = rng.choice((("KPPK", article), ("KP", article), (law, "999")))
        return WrongValue(
            "article_unknown", f"{bad_law} {bad_article}", {"law": bad_law, "article": bad_article}, "the words or other stages tell"
        )

    def choose_code_not_in_force(_: Any) -> WrongValue | None:
        other = _find_same_offence_in_other_code(rng, charged_offence)
        if other is None:
            return None
        return WrongValue("article_of_code_not_in_force", f"{other.law} {other.article}", {"law": other.law, "article": other.article})

    return [(0.9, make_unknown_value), (0.7, choose_code_not_in_force)]
