"""What happens to the other values on their way into a register: dates, sexes, countries, places, articles, words, forms, references.

Rates per hundred are those of the samples' defect counts (`typical`). Each defect also says how the row reads then, for
`as_reported`: a day that no month has still tells the year of birth; an unreadable date is no date. A date of an event is only
spoilt in a way that the deliveries themselves can show to be wrong (in the future, or out of the order in which things happen), and
`sex_wrong` only happens to persons with other records. Names and personal numbers: `name_defects.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from random import Random
from typing import Any

from sources.simulator import spelling
from sources.simulator.codes import ARTICLES, CODES, GROUPS, MINOR_OFFENCES, Offence, places, words
from sources.simulator.defects import Choice, Spoiler, Wrong
from sources.simulator.deliveries import Delivery
from sources.simulator.periods import last_day, quarter
from sources.simulator.records import CaseRecord, Part, PersonRecord

BORN = {"police": "Data_lindjes", "prosecution": "datelindja", "courts": "datelindja", "corrections": "Data e lindjes"}
SEX = {"police": "Gjinia", "prosecution": "gjinia", "courts": "gjinia", "corrections": "Gjinia"}
COUNTRY = {"police": "Shtetesia", "prosecution": "shtetesia", "courts": "shtetesia", "corrections": "Shtetësia"}
CODES_OF_KOSOVO = ("xkx", "XK", "KS", "RKS", "UNK", "KOS")


def _form(institution: str) -> str:
    return "iso" if institution in ("prosecution", "courts") else "dotted"


# -- persons --------------------------------------------------------------------------------------------------------------------------


def spoil_person(spoiler: Spoiler, delivery: Delivery, entry: PersonRecord, institution: str, records_of_person: int) -> None:
    """Spoils birth date, sex, citizenship and home of a person record in place."""
    if institution == "inspectorate":
        return
    rng, person = spoiler.rng, entry.person
    form = _form(institution)
    empty = None if institution == "prosecution" else ""

    def spoil(name: str, choices: list[Choice]) -> None:
        spoiler.spoil(institution, delivery.name, entry.key, entry.cells, entry.said, name, choices)

    spoil(BORN[institution], _born(rng, person.born, form, institution))
    other = {"M": "F", "F": "M"}[person.sex]
    numbers = institution == "prosecution"
    wrong = ("1" if other == "M" else "2") if numbers else other
    lacking = "9" if numbers else empty
    sexes: list[Choice] = [
        (1.6, lambda _: Wrong("sex_missing", lacking, {"sex": None})),
        (
            0.15 if records_of_person > 2 else 0.0,
            lambda _: Wrong("sex_wrong", wrong, {"sex": other}, "no evidence but other records of the person"),
        ),
        (0.0 if numbers else 4.0, lambda _: Wrong("sex_spelling", rng.choice(words()["sex"][person.sex][1:]))),
    ]
    spoil(SEX[institution], sexes)
    countries = places()["countries"][person.citizenship]
    spelled = [name for name in countries if name != entry.cells[COUNTRY[institution]]]
    if institution in ("prosecution", "courts"):
        spelled = [*CODES_OF_KOSOVO] if person.citizenship == "XKX" else [name for name in countries if len(name) == 2]
    spoil(
        COUNTRY[institution],
        [
            (2.0, lambda _: Wrong("citizenship_missing", empty, {"citizenship": None})),
            (27.0 if form == "dotted" else 9.0, lambda _: Wrong("citizenship_spelling", rng.choice(spelled)) if spelled else None),
        ],
    )
    if institution in ("police", "prosecution"):
        spoil("Komuna_banimit" if institution == "police" else "komuna", _place(rng))


def _born(rng: Random, born: date, form: str, institution: str) -> list[Choice]:
    workbook = institution == "corrections"
    empty = None if institution == "prosecution" else ""

    def shown(day: date) -> Any:
        return day if workbook else spelling.written(day, form)

    def typed(_: Any) -> Wrong | None:
        day = born + timedelta(days=rng.choice((-365, -10, -1, 1, 10, 365)))
        return Wrong("dob_typing_error", shown(day), {"born": day})

    def exchanged(_: Any) -> Wrong | None:
        day = spelling.swapped(born)
        return Wrong("dob_day_month_swapped", shown(day), {"born": day}) if day else None

    first = born.replace(month=1, day=1)
    later = date(born.year + 100, born.month, min(born.day, 28))
    return [
        (3.4, lambda _: Wrong("dob_missing", empty, {"born": None})),
        (1.2, typed),
        (0.9, exchanged),
        (1.2, lambda _: Wrong("dob_first_of_january", shown(first), {"born": first})),
        (0.8, lambda _: Wrong("dob_impossible", spelling.impossible(born.replace(month=2, day=1), form), {"born": born.year})),
        (0.7, lambda _: Wrong("dob_in_future", shown(later), {"born": None})),
        (0.5, lambda _: Wrong("dob_two_digit_year", spelling.written(born, "short"))),
        (1.3 if form == "dotted" else 0.0, lambda _: Wrong("dob_year_only", str(born.year), {"born": born.year})),
    ]


def _place(rng: Random) -> list[Choice]:
    def serbian(value: str) -> Wrong | None:
        row = places()["municipalities"].get(value)
        return Wrong("place_serbian", row[2]) if row and row[2] != value else None

    def alias(value: str) -> Wrong | None:
        row = places()["municipalities"].get(value)
        return Wrong("place_alias", rng.choice(row[3:])) if row and row[3:] else None

    return [(7.5, serbian), (5.0, alias)]


# -- references and articles ----------------------------------------------------------------------------------------------------------


def _references(
    rng: Random, others: list[str], write: Callable[[Random, str], str], empty: Any, missing: float, hard: bool
) -> list[Choice]:
    def another(value: str) -> Wrong | None:
        return Wrong("reference_to_another_case", write(rng, rng.choice(others)) if others else value) if others else None

    def two(value: str) -> Wrong | None:
        return Wrong("two_references", f"{value}{rng.choice((', ', ' dhe ', '; '))}{rng.choice(others)}") if others else None

    def spelled(value: str) -> Wrong | None:
        text = write(rng, value)
        return Wrong("reference_spelling", text) if text != value else None

    return [
        (missing, lambda _: Wrong("reference_missing", empty)),
        (1.6, lambda value: Wrong("reference_to_nothing", spelling.one_digit_off(rng, write(rng, value)))),
        (0.8, another),
        (1.0 if hard else 0.0, two),
        (56.0, spelled),
    ]


def _wrong_code(rng: Random, charged: Offence) -> Offence | None:
    """The same offence by a code that was not in force: the one before, or the one after."""
    laws = [name for name, _ in CODES]
    if charged.law == MINOR_OFFENCES or charged.kind not in ARTICLES or charged.kind not in GROUPS:
        return None
    at = laws.index(charged.law)
    other = rng.choice([i for i in (at - 1, at + 1) if 0 <= i < len(laws)])
    found = ARTICLES[charged.kind][other]
    return Offence(charged.kind, laws[other], found, charged.paragraph) if found else None


def _typed_article(rng: Random, charged: Offence, with_words: bool) -> list[Choice]:
    def spelled(_: Any) -> Wrong:
        text, law = spelling.article(rng, charged, with_words)
        said: dict[str, Any] = {"law": law}
        if text.startswith(words()["offences"][charged.kind][0]):
            said["words"] = charged.group
        return Wrong("article_spelling", text, said)

    def unknown(_: Any) -> Wrong:
        text, law, article = rng.choice((("KPRK", "KPRK", None), ("neni ??", None, None), ("999", None, "999")))
        return Wrong("article_unknown", text, {"law": law, "article": article}, "the words or other stages tell")

    def not_in_force(_: Any) -> Wrong | None:
        other = _wrong_code(rng, charged)
        if other is None:
            return None
        text = f"{other.article}/{other.paragraph}" if rng.random() < 0.6 else other.as_typed()
        named = None if "K" not in text else "KPRK" if other.law == "KPRK2012" else other.law
        return Wrong("article_of_code_not_in_force", text, {"law": named, "article": other.article})

    rare = 0.0 if with_words else 1.1
    return [(rare, unknown), (rare, not_in_force), (50.0, spelled)]


# -- days of events -------------------------------------------------------------------------------------------------------------------


def _event_day(rng: Random, day: date, key: str, form: str, period: str, earliest: date | None, rate: float = 0.35) -> list[Choice]:
    """Defects of a day: `earliest` is a day in the same record before which it cannot lie. `key`: its name in `said`."""
    end = last_day(period)

    def shows(other: date | None) -> bool:
        return other is not None and (other > end or (earliest is not None and other < earliest))

    def exchanged(_: Any) -> Wrong | None:
        other = spelling.swapped(day)
        return Wrong("date_day_month_swapped", spelling.written(other, form), {key: other}) if other and shows(other) else None

    def no_day(_: Any) -> Wrong | None:
        # Only where the event lies in the quarter that delivers it: of an older one nobody could tell the day.
        return Wrong("date_impossible", spelling.impossible(day, form), {key: None}) if quarter(day) == period else None

    def future(_: Any) -> Wrong:
        other = date(day.year + 10, day.month, min(day.day, 28))
        return Wrong("date_in_future", spelling.written(other, form), {key: other})

    def before(_: Any) -> Wrong | None:
        other = date(day.year - 1, day.month, min(day.day, 28))
        return Wrong("date_wrong_order", spelling.written(other, form), {key: other}) if shows(other) else None

    return [
        (rate, future),
        (rate, no_day),
        (rate * 4, exchanged),  # most exchanges do not show, and are left out
        (rate, lambda _: Wrong("date_two_digit_year", spelling.written(day, "short"))),
        (rate / 2, before),
    ]


# -- whole records --------------------------------------------------------------------------------------------------------------------


class CaseDefects:
    """Spoils the cells of case records; knows the numbers of other cases, to which a wrong reference may point."""

    def __init__(self, spoiler: Spoiler, numbers: dict[str, list[str]]) -> None:
        self.spoiler, self.numbers = spoiler, numbers
        self.hard = spoiler.settings.noise == "hard"

    def spoil(self, delivery: Delivery, record: CaseRecord, charged: Offence | None) -> None:
        """Spoils a case record's own cells in place; `charged` is its offence where the record has one."""
        getattr(self, "_" + record.institution)(delivery, record, charged)

    def _on(self, delivery: Delivery, record: CaseRecord, name: str, choices: list[Choice]) -> None:
        self.spoiler.spoil(record.institution, delivery.name, record.key, record.cells, record.said, name, choices)

    def _day(self, delivery: Delivery, record: CaseRecord, name: str, key: str, earliest: date | None, rate: float = 0.35) -> None:
        day = record.true[key]
        if day:
            form = _form(record.institution)
            self._on(delivery, record, name, _event_day(self.spoiler.rng, day, key, form, delivery.period, earliest, rate))

    def _police(self, delivery: Delivery, record: CaseRecord, charged: Offence | None) -> None:
        rng, true = self.spoiler.rng, record.true
        assert charged is not None
        self._day(delivery, record, "Data_raportimit", "registered", true["offence_day"])
        self._day(delivery, record, "Data_dergimit_PSH", "sent", true["registered"], 0.8)
        offence_day = _event_day(rng, true["offence_day"], "offence_day", "dotted", delivery.period, None, 0.3)
        missing: Choice = (4.0, lambda _: Wrong("date_missing", "", {"offence_day": None}))
        self._on(delivery, record, "Data_e_vepres", [missing, *offence_day])
        self._on(delivery, record, "Komuna", _place(rng))
        self._on(delivery, record, "Neni", _typed_article(rng, charged, with_words=False))
        spelled = words()["offences"][charged.kind][1:]

        def disagree(_: Any) -> Wrong:
            group = rng.choice([name for name in ("trafficking", "facilitating_prostitution", "prostitution") if name != charged.group])
            return Wrong("words_disagree_with_article", words()["offences"][group][0], {"words": group})

        choices: list[Choice] = [(2.2, disagree), (38.0, lambda _: Wrong("words_spelling", rng.choice(spelled)) if spelled else None)]
        if not self._article_is_lost(record):
            self._on(delivery, record, "Vepra_penale", choices)
        form_words = words()["forms"].get(true["form"] or "", [""])[1:]
        forms: list[Choice] = [
            (11.0, lambda _: Wrong("form_missing", "", {"form": None})),
            (45.0, lambda _: Wrong("form_spelling", rng.choice(form_words))),
        ]
        self._on(delivery, record, "Forma_shfrytezimit", forms)
        others = self.numbers["prosecution"]
        self._on(delivery, record, "Nr_PP", _references(rng, others, spelling.prosecution_number, "", 15.0, self.hard))

    @staticmethod
    def _article_is_lost(record: CaseRecord) -> bool:
        """Where the article says nothing, the words are left alone: one of the two must tell."""
        return record.said["article"] != record.true["article"]

    def _inspectorate(self, delivery: Delivery, record: CaseRecord, charged: Offence | None) -> None:
        rng = self.spoiler.rng
        assert charged is not None
        plain = words()["offences"][charged.kind][0]

        def spelled(_: Any) -> Wrong:
            text, law = spelling.article(rng, charged)
            way = rng.randrange(3)
            if way == 0 and charged.law != MINOR_OFFENCES:
                return Wrong("article_spelling", plain.upper(), {"law": None, "article": None})
            joined = f"{plain} - {text}" if way == 1 else f"{text} {plain}"
            return Wrong("article_spelling", joined, {"law": law})

        self._on(delivery, record, "Vepra e dyshuar", [(50.0, spelled)])
        for name, key, earliest in (("Data e pranimit", "registered", None), ("Data e dërgimit", "sent", record.true["registered"])):
            self._day(delivery, record, name, key, earliest, 0.5)
        others = self.numbers["prosecution"]
        self._on(delivery, record, "Nr. i prokurorisë", _references(rng, others, spelling.prosecution_number, "", 8.0, self.hard))

    def _prosecution(self, delivery: Delivery, record: CaseRecord, charged: Offence | None) -> None:
        rng, true = self.spoiler.rng, record.true
        self._day(delivery, record, "data_pranimit", "registered", true["offence_day"], 0.4)
        if true["source"] == "PK":
            self._on(delivery, record, "burimi", [(2.0, lambda _: Wrong("source_wrong", "TJ", {"source": "TJ"}))])
        writers = {"PK": spelling.police_number, "IPK": spelling.inspectorate_number}
        write = spelling.prosecution_number if true["status"] == "BASH" else writers.get(true["source"])
        if write:
            others = self.numbers["prosecution" if true["status"] == "BASH" else "police"]
            self._on(delivery, record, "nr_burimit", _references(rng, others, write, None, 2.0, self.hard))
        for entry in record.persons:
            self._charges(delivery, entry)

    def _charges(self, delivery: Delivery, entry: PersonRecord) -> None:
        """Charges of a party: code and article, form, and which is the principal one."""
        rng = self.spoiler.rng
        for part in entry.charges:
            field = {"article": f"{part.cells['ligji']} {part.cells['neni']}"}
            said: dict[str, Any] = {}
            choices = _charge_choices(rng, part)
            self.spoiler.spoil("prosecution", delivery.name, entry.key, field, said, "article", choices, f"akuza {part.key}")
            if said:
                part.cells["ligji"], part.cells["neni"] = field["article"].split(" ")
                part.said.update(said)
            forms: list[Choice] = [(14.0, lambda _: Wrong("form_missing", None, {"form": None}))]
            self.spoiler.spoil("prosecution", delivery.name, entry.key, part.cells, part.said, "forma", forms, f"akuza.forma {part.key}")
        if len(entry.charges) > 1:
            flags = {"flags": " ".join(str(part.cells["kryesore"]) for part in entry.charges)}
            flipped: list[Choice] = [(14.0, lambda value: Wrong("principal_flag_on_lesser_charge", " ".join(reversed(value.split(" ")))))]
            self.spoiler.spoil("prosecution", delivery.name, entry.key, flags, {}, "flags", flipped, "akuza.kryesore")
            for part, flag in zip(entry.charges, flags["flags"].split(" "), strict=True):
                part.cells["kryesore"] = int(flag)

    def _courts(self, delivery: Delivery, record: CaseRecord, charged: Offence | None) -> None:
        rng, true = self.spoiler.rng, record.true
        day = true["registered"]
        self._day(delivery, record, "pranuar", "registered", true["offence_day"], 0.1)
        self._on(delivery, record, "pranuar", [(0.4, lambda _: Wrong("date_other_format", spelling.written(day, "dotted")))])
        others = self.numbers["prosecution"]
        self._on(delivery, record, "referenca", _references(rng, others, spelling.prosecution_number, "", 0.5, self.hard))
        if record.cells["gjuha"] == "sr":
            self._on(delivery, record, "gjykata", [(40.0, _place(rng)[0][1])])
        for entry in record.persons:
            for i, part in enumerate(entry.charges):
                field = {"article": f"{part.cells['ligji']} {part.cells['neni']}"}
                said: dict[str, Any] = {}
                label = f"akuza {i} {field['article']}"
                self.spoiler.spoil("courts", delivery.name, entry.key, field, said, "article", _charge_choices(rng, part), label)
                if said:
                    part.cells["ligji"], part.cells["neni"] = field["article"].split(" ")
                    part.said.update(said)
            for part in entry.judgments:
                self._judgment(delivery, entry, part, true["registered"])

    def _judgment(self, delivery: Delivery, entry: PersonRecord, part: Part, received: date) -> None:
        rng, day = self.spoiler.rng, part.true["day"]
        label = f"aktgjykimi {day}"
        choices = _event_day(rng, day, "day", "iso", delivery.period, received, 0.25)
        choices.append((1.0, lambda value: Wrong("date_with_time", f"{value}T00:00:00")))
        choices.append((0.5, lambda _: Wrong("date_other_format", spelling.written(day, "dotted"))))
        self.spoiler.spoil("courts", delivery.name, entry.key, part.cells, part.said, "data", choices, label)
        final = part.true["final"]
        if final:
            choices = _event_day(rng, final, "final", "iso", delivery.period, day, 0.2)
            self.spoiler.spoil("courts", delivery.name, entry.key, part.cells, part.said, "forme_prere", choices, label + " forme_prere")

    def _corrections(self, delivery: Delivery, record: CaseRecord, charged: Offence | None) -> None:
        rng = self.spoiler.rng
        assert charged is not None
        self._on(delivery, record, "Vepra", _typed_article(rng, charged, with_words=True))
        others = self.numbers["courts"]
        self._on(delivery, record, "Nr. i aktgjykimit", _references(rng, others, spelling.court_number, "", 19.0, self.hard))
        if self.hard:
            self._on(delivery, record, "Gjykata", [(3.0, _place(rng)[0][1])])


def spoil_event_days(spoiler: Spoiler, delivery: Delivery, record: CaseRecord, entry: PersonRecord) -> None:
    """Spoils the day of an arrest, the one event of a person row."""
    arrested = entry.true["arrested"]
    if record.institution == "police" and arrested:
        choices = _event_day(spoiler.rng, arrested, "arrested", "dotted", delivery.period, record.true["registered"], 0.35)
        spoiler.spoil("police", delivery.name, entry.key, entry.cells, entry.said, "Data_arrestimit", choices)


def _charge_choices(rng: Random, part: Part) -> list[Choice]:
    law, article, group = part.true["law"], part.true["article"], part.true["group"]
    charged = Offence(group, law, article, "1")

    def unknown(_: Any) -> Wrong:
        bad_law, bad_article = rng.choice((("KPPK", article), ("KP", article), (law, "999")))
        return Wrong(
            "article_unknown", f"{bad_law} {bad_article}", {"law": bad_law, "article": bad_article}, "the words or other stages tell"
        )

    def not_in_force(_: Any) -> Wrong | None:
        other = _wrong_code(rng, charged)
        if other is None:
            return None
        return Wrong("article_of_code_not_in_force", f"{other.law} {other.article}", {"law": other.law, "article": other.article})

    return [(0.9, unknown), (0.7, not_in_force)]
