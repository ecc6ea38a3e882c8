"""Defects of names, parents' names and personal numbers: how often each occurs in a hundred values, and what it does to the value.

`typical` noise has as many defects as the samples; some kinds occur only with `hard` noise. Prosecution and inspectorate write the whole
name in one field; police, courts and corrections write it in two. Both get the same defects. No defect here changes what a row says about
sex, age or citizenship.
"""

from __future__ import annotations

from typing import Any

from sources.simulator import spelling
from sources.simulator.codes import read_names
from sources.simulator.defects import DefectMaker, WrongValue
from sources.simulator.deliveries import Delivery
from sources.simulator.model import Person
from sources.simulator.records import CaseRecord, PersonRecord

# Fields with given name, surname, parent's name, personal number. If one field has both names, the second is empty.
FIELDS: dict[str, tuple[str, str, str, str]] = {
    "police": ("Emri", "Mbiemri", "Emri_prindit", "Nr_personal"),
    "inspectorate": ("Emri dhe mbiemri", "", "", "Nr. personal"),
    "prosecution": ("emri_mbiemri", "", "emri_babait", "nr_personal"),
    "courts": ("emri", "mbiemri", "emri_babait", "nr_personal"),
    "corrections": ("Emri", "Mbiemri", "Emri i babait", "Nr. personal"),
    "victim_protection": ("emri", "mbiemri", "emri_prindit", "nr_personal"),
    "social_work": ("Emri", "Mbiemri", "Emri_i_prindit", "Nr_personal"),
}
SLAVIC = ("Serbian", "Bosniak")


def spoil_names(defect_maker: DefectMaker, delivery: Delivery, record: CaseRecord, entry: PersonRecord, strangers: list[Person]) -> None:
    """Make defects in the names and the personal number of one person record, in place. `strangers`: other persons who have a personal
    number."""
    given_field, surname_field, parent_field, number_field = FIELDS[record.institution]
    person = entry.person
    before = {"given": person.given, "surname": person.surname, "parent": person.parent}
    kind, after = _recall_changed_names(defect_maker, record, entry, before)
    cells = entry.cells
    if surname_field:
        cells[given_field], cells[surname_field] = after["given"], after["surname"]
    else:
        first, second = (after["surname"], after["given"]) if kind == "name_swapped" else (after["given"], after["surname"])
        middle = after.get("middle", "")
        cells[given_field] = " ".join(part for part in (first, middle, second) if part)
    if kind == "name_swapped" and surname_field:
        cells[given_field], cells[surname_field] = after["surname"], after["given"]
    if parent_field:
        cells[parent_field] = after["parent"]
    _log_name_defects(defect_maker, delivery, record, entry, kind, before)
    if parent_field:
        missing = (6.3, lambda value: WrongValue("parent_missing", None if record.institution == "prosecution" else ""))
        defect_maker.spoil_cell(record.institution, delivery.name, entry.key, cells, entry.values_as_read, parent_field, [missing])
    _spoil_number(defect_maker, delivery, record, entry, number_field, strangers)


_MEMORY = "name_memory"


def _recall_changed_names(
    defect_maker: DefectMaker, record: CaseRecord, entry: PersonRecord, before: dict[str, str]
) -> tuple[str, dict[str, str]]:
    """Return the kind of defect in the names, and the names as this register has them. Like every defect, this is decided once for a
    record."""

    def decide_name_defect(_: Any) -> WrongValue:
        kind, after = _draw_name_defect(defect_maker, record, entry.person, dict(before))
        return WrongValue(kind, (kind, after))

    known = defect_maker.recall_decision(record.institution, entry.slot or entry.key, _MEMORY, None, decide_name_defect)
    return known if known is not None else ("", before)


def _draw_name_defect(defect_maker: DefectMaker, record: CaseRecord, person: Person, after: dict[str, str]) -> tuple[str, dict[str, str]]:
    """Draw a defect of the names. Return its kind and the changed names. The kind is empty if there is no defect."""
    rng, happens, place = defect_maker.rng, defect_maker.draw_whether_happens, record.institution
    slavic = person.community in SLAVIC or person.citizenship in ("SRB", "MNE", "MKD")
    which = rng.choice(("given", "surname"))
    if place == "courts" and record.cells["gjuha"] == "sr" and happens(62):
        return "name_cyrillic", {key: spelling.write_in_cyrillic(value) for key, value in after.items()}
    if place == "courts" and record.cells["gjuha"] == "sr" and happens(40):
        return _change_all_names("name_serbian", after, spelling.write_in_serbian)
    if place in ("prosecution", "victim_protection", "social_work") and happens(1.2):
        return "name_cyrillic", {key: spelling.write_in_cyrillic(value) for key, value in after.items()}
    if place in ("prosecution", "inspectorate") and happens(2.4):
        parent = person.parent
        return "name_parent_inline", {**after, "middle": rng.choice((f"({parent})", f"{parent[0]}.", parent))}
    if slavic and happens(9):
        return _change_all_names("name_albanian_spelling", after, spelling.write_in_albanian)
    if not slavic and person.community != "foreign" and happens(3.0):
        return _change_all_names("name_serbian", after, spelling.write_in_serbian)
    if person.sex == "F" and person.maiden and happens(22):
        return "name_changed_surname", {**after, "surname": person.maiden}
    if happens(2.8):
        other = person.maiden or rng.choice(read_names()["Albanian"]["S"])
        return "name_double_surname", {**after, "surname": f"{after['surname']}{rng.choice('- ')}{other}"}
    if happens(10.5):
        return "name_typo", {**after, which: spelling.add_typing_error(rng, after[which])}
    if happens(5.0):
        return "name_swapped", after
    if happens(4.0):
        return "name_uppercase", {key: value.upper() for key, value in after.items()}
    if happens(2.4):
        return "name_initial", {**after, "given": after["given"][0] + "."}
    if any(spelling.remove_diacritics(value) != value for value in after.values()) and happens(4):
        return _change_all_names("name_diacritics", after, spelling.remove_diacritics)
    if defect_maker.settings.noise == "hard":
        if person.nickname and rng.random() < 0.15:
            return "name_nickname", {**after, "given": person.nickname}
        if rng.random() < 0.02 and any(spelling.misdecode_name(value) != value for value in after.values()):
            return "name_mojibake", {key: spelling.misdecode_name(value) for key, value in after.items()}
    return "", after


def _change_all_names(kind: str, after: dict[str, str], change: Any) -> tuple[str, dict[str, str]]:
    """Apply `change` to all names. Return the kind of the defect, or an empty kind if no name changes."""
    changed = {key: change(value) for key, value in after.items()}
    return (kind, changed) if changed != after else ("", after)


def _log_name_defects(
    defect_maker: DefectMaker, delivery: Delivery, record: CaseRecord, entry: PersonRecord, kind: str, before: dict[str, str]
) -> None:
    """Record the defect for `defects.csv`, with a row for each field that differs, if this delivery is the first with the defect."""
    if not kind or not defect_maker.was_decided_by_last_call(record.institution, entry.slot or entry.key, _MEMORY):
        return
    given_field, surname_field, parent_field, _ = FIELDS[record.institution]
    true = {given_field: before["given"], surname_field: before["surname"]}
    if not surname_field:
        true = {given_field: f"{before['given']} {before['surname']}"}
    if parent_field:
        true[parent_field] = before["parent"]
    for name, value in true.items():
        if entry.cells[name] != value:
            defect_maker.log_defect(record.institution, delivery.name, entry.key, kind, name, value, entry.cells[name])


def _spoil_number(
    defect_maker: DefectMaker, delivery: Delivery, record: CaseRecord, entry: PersonRecord, name: str, strangers: list[Person]
) -> None:
    """Make a defect in the personal number."""
    rng, person = defect_maker.rng, entry.person
    empty = None if record.institution == "prosecution" else ""
    workbook = record.institution in ("inspectorate", "corrections")

    def choose_number_of_stranger(_: str) -> WrongValue | None:
        stranger = rng.choice(strangers)
        if not stranger.number or stranger is person:
            return None
        return WrongValue("pn_of_another_person", stranger.number, note="names and date of birth tell")

    choices = [
        (100.0 if person.bears_number_of else 0.0, lambda _: WrongValue("pn_of_parent", person.bears_number_of)),
        (11.5, lambda _: WrongValue("pn_missing", empty)),
        (2.7, lambda value: WrongValue("pn_typing_error", spelling.add_error_to_personal_number(rng, value))),
        (1.9, lambda value: WrongValue("pn_as_float", int(value) if workbook else f"{int(value)}.0" if value[0] != "0" else f"{value}.0")),
        (1.0, lambda value: WrongValue("pn_with_spaces", spelling.add_spaces_to_number(rng, value))),
        (0.6, choose_number_of_stranger),
        (20.0 if person.number.startswith("0") else 0.0, lambda value: WrongValue("pn_leading_zero_lost", value[1:])),
    ]
    defect_maker.spoil_cell(record.institution, delivery.name, entry.key, entry.cells, entry.values_as_read, name, choices)
