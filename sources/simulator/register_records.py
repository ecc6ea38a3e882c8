"""What the register of each institution says about a file on a day, without any defect, and on which days this changed.

Belongs here: the five forms of records in deliveries.md, with one function each, which turns a file of the world into a `CaseRecord`. Does
not belong here: writing files (`write_*.py`), defects (`defects.py`), which period contains what (`deliveries.py`).
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from sources.periods import Cadence, last_day, period_containing
from sources.simulator.codes import FORM_CODES, Offence, read_places, read_vocabulary
from sources.simulator.model import Case, Charge, CourtFile, InspectorateFile, Party, Person, PoliceFile, PrisonStay, ProsecutionFile
from sources.simulator.periods import find_quarter_of_day
from sources.simulator.records import CaseRecord, PersonRecord, RecordPart

ROLES = {"S": ("suspect", "I dyshuar"), "V": ("victim", "Viktimë"), "W": ("witness", "Dëshmitar")}


def write_day_with_dots(day: date | None) -> str:
    """Return a day as `dd.mm.yyyy`, or an empty text if there is no day."""
    return day.strftime("%d.%m.%Y") if day else ""


def write_iso_day(day: date | None) -> str | None:
    """Return a day as `yyyy-mm-dd`, or None if there is no day."""
    return day.isoformat() if day else None


def write_sentence_in_words(months: int) -> str:
    """Return the length of a sentence as the prisons write it: `3 vjet e 6 muaj`, `8 muaj`, `60 ditë`."""
    if months <= 2:
        return f"{months * 30} ditë"
    years, rest = divmod(months, 12)
    parts = [f"{years} vit" if years == 1 else f"{years} vjet"] if years else []
    return " e ".join(parts + ([f"{rest} muaj"] if rest else []))


def _make_offence_values(charged_offence: Offence) -> dict[str, Any]:
    return {"law": charged_offence.law, "article": charged_offence.article, "group": charged_offence.group}


def write_criminal_code_as_typed(charged_offence: Offence) -> str:
    """Return the name of the criminal code as it is usually typed after an article. `KPRK` is typed for the code of 2012, although it can
    also mean that of 2019."""
    return "KPRK" if charged_offence.law == "KPRK2012" else charged_offence.law


def _make_person_values(person: Person) -> dict[str, Any]:
    if person.unknown:
        return {"sex": person.sex or None, "born": None, "citizenship": None}
    return {"sex": person.sex, "born": person.born, "citizenship": person.citizenship}


def _find_country_name(person: Person) -> str:
    return "" if person.unknown else read_places()["countries"][person.citizenship][0]


def _find_offence_words(charged_offence: Offence) -> str:
    return read_vocabulary()["offences"][charged_offence.kind][0]


# -- police ---------------------------------------------------------------------------------------------------------------------------


def list_police_change_days(file: PoliceFile) -> list[date]:
    """Return the days on which the police's record of a file changed."""
    days = [file.since or file.reported, file.sent, file.closed, file.merged_on, file.pp_known, file.until]
    days += [day for entry in file.people for day in (entry.since, entry.arrested, entry.left)]
    days += [file.reopened, file.cancelled]
    first, last = file.since or file.reported, min(file.until or date.max, file.cancelled or date.max)
    return [max(day, file.entered or day) for day in days if day and first <= day <= last]


def make_police_record(case: Case, file: PoliceFile, as_of: date) -> CaseRecord:
    """Return the police's record of a file, as the register has it on the day `as_of`."""
    as_of = min(as_of, file.until or as_of)
    sent = file.sent if file.sent and file.sent <= as_of else None
    status = "Dërguar në prokurori" if sent else "Nën hetim"
    if file.closed and file.closed <= as_of and not (file.reopened and file.reopened <= as_of):
        status = "I mbyllur"
    if file.merged_into and file.merged_on and file.merged_on <= as_of:
        status = f"Bashkuar me {file.merged_into.number}"
    cancelled = file.cancelled is not None and file.cancelled <= as_of
    if cancelled:
        status = "Anuluar"
    known = file.prosecution_file.number if file.prosecution_file and file.pp_known and file.pp_known <= as_of else ""
    true = {
        "registered": file.reported,
        "sent": sent,
        "offence_day": file.offence_day,
        "form": file.form,
        **_make_offence_values(file.offence),
    }
    form = read_vocabulary()["forms"][file.form][0] if file.form else ""
    cells = {
        "Nr_rastit": file.number,
        "Data_raportimit": write_day_with_dots(file.reported),
        "Data_e_vepres": write_day_with_dots(file.offence_day),
        "Data_dergimit_PSH": write_day_with_dots(sent),
        "Stacioni": file.station,
        "Komuna": file.municipality,
        "Vepra_penale": _find_offence_words(file.offence),
        "Neni": file.offence.typed_text(),
        "Forma_shfrytezimit": form,
        "Statusi": status,
        "Nr_PP": known,
    }
    values_as_read = {**true, "law": write_criminal_code_as_typed(file.offence), "words": file.offence.group}
    record = CaseRecord("police", file.number, case.case_id, as_of, true, cells, values_as_read, charged_offence=file.offence)
    record.numbered_by_position, record.cancelled = file.numbered_by_position, cancelled
    record.reopened = file.reopened is not None and file.reopened <= as_of
    listed = [entry for entry in file.people if entry.since <= as_of and (entry.left is None or entry.left > as_of)]
    for place, entry in enumerate(listed, 1):
        seq = place if file.numbered_by_position else entry.seq
        person = entry.person
        arrested = entry.arrested if entry.arrested and entry.arrested <= as_of else None
        person_true = {"role": ROLES[entry.role][0], "arrested": arrested, **_make_person_values(person)}
        person_cells = {
            "Nr_rastit": file.number,
            "Nr_rendor": str(seq),
            "Roli": ROLES[entry.role][1],
            "Mbiemri": person.surname,
            "Emri": person.given,
            "Emri_prindit": person.parent,
            "Nr_personal": person.number,
            "Data_lindjes": "" if person.unknown else write_day_with_dots(person.born),
            "Vendlindja": person.birthplace,
            "Komuna_banimit": person.municipality,
            "Gjinia": person.sex,
            "Shtetesia": _find_country_name(person),
            "Data_arrestimit": write_day_with_dots(arrested),
        }
        person_record = PersonRecord(f"{file.number}/{seq}", person, person_true, person_cells, dict(person_true))
        person_record.slot = f"{file.number} {person.person_id}" if file.numbered_by_position else ""
        record.persons.append(person_record)
    return record


# -- inspectorate ---------------------------------------------------------------------------------------------------------------------


def list_inspectorate_change_days(file: InspectorateFile) -> list[date]:
    """Return the days on which the inspectorate's record of a file changed."""
    return [day for day in (file.received, file.sent, file.closed, file.pp_known) if day]


def make_inspectorate_record(case: Case, file: InspectorateFile, as_of: date) -> CaseRecord:
    """Return the inspectorate's record of a file on the day `as_of`. It is one row, which is a record of the case and of the person."""
    sent = file.sent if file.sent and file.sent <= as_of else None
    closed = file.closed and file.closed <= as_of
    known = file.prosecution_file.number if file.prosecution_file and file.pp_known and file.pp_known <= as_of else ""
    true = {"registered": file.received, "sent": sent, "offence_day": file.offence_day, "form": None, **_make_offence_values(file.offence)}
    cells = {
        "Nr. i lëndës": file.number,
        "Data e pranimit": file.received,
        "Emri dhe mbiemri": f"{file.officer.given} {file.officer.surname}",
        "Nr. personal": file.officer.number,
        "Grada": file.rank,
        "Njësia": file.unit,
        "Vepra e dyshuar": f"{_find_offence_words(file.offence)}, {file.offence.typed_text()}",
        "Statusi": "E mbyllur" if closed else "Kallëzim penal" if sent else "Nën hetim",
        "Nr. i prokurorisë": known,
        "Data e dërgimit": sent,
    }
    values_as_read = {
        **true,
        "law": write_criminal_code_as_typed(file.offence),
        "words": file.offence.group,
        "offence_day": None,
    }  # the sheet does not contain the day of the offence
    record = CaseRecord("inspectorate", file.number, case.case_id, as_of, true, cells, values_as_read, charged_offence=file.offence)
    person_true = {"role": "suspect", "arrested": None, **_make_person_values(file.officer)}
    # The sheet does not contain sex, birth date or citizenship of the officer either.
    person_said = {**person_true, "sex": None, "born": None, "citizenship": None}
    record.persons.append(PersonRecord(file.number, file.officer, person_true, cells, person_said))
    return record


# -- prosecution ----------------------------------------------------------------------------------------------------------------------


def list_prosecution_change_days(file: ProsecutionFile) -> list[date]:
    """Return the days on which the prosecution's record of a file changed."""
    days = [file.received, *(day for day, _ in file.statuses), *(decision.day for decision in file.decisions)]
    return days + [charge.since for party in file.parties for charge in party.charges] + [party.since for party in file.parties]


def _is_charge_in_file(charge: Charge, as_of: date) -> bool:
    return charge.since <= as_of and (charge.until is None or charge.until > as_of)


def find_prosecution_status(file: ProsecutionFile, as_of: date) -> tuple[date, str]:
    """Return the status that a file has on a day, as the first day of the status and its code."""
    return max((pair for pair in file.statuses if pair[0] <= as_of), key=lambda pair: pair[0])


def make_prosecution_record(case: Case, file: ProsecutionFile, as_of: date, cadence: Cadence = "quarterly") -> CaseRecord:
    """Return the prosecution's record of a file on the day `as_of`: the file with its parties, charges and decisions.

    A decision without a party applies to the defendants who are in the file at the end of its quarter or, if `cadence` is longer, of the
    period that delivers it.
    """
    since, status = find_prosecution_status(file, as_of)
    sender = file.sender.number if file.sender else file.source_text
    merged = file.merged_into is not None and file.merged_on is not None and file.merged_on <= as_of
    true = {"registered": file.received, "source": file.source, "status": status, "status_day": since, "offence_day": case.offence_day}
    cells = {
        "lenda_id": file.file_id,
        "nr_lendes": file.number,
        "data_pranimit": write_iso_day(file.received),
        "burimi": file.source,
        "nr_burimit": file.merged_into.number if merged and file.merged_into else sender,
        "prokuroria": file.seat,
        "statusi": status,
        "data_statusit": write_iso_day(since),
    }
    values_as_read = {**true, "offence_day": None}
    record = CaseRecord("prosecution", str(file.file_id), case.case_id, as_of, true, cells, values_as_read, upstream=sender or "")
    record.cancelled = status == "ANULUAR"
    record.reopened = any(code == "HUD" and day < since for day, code in file.statuses)
    record.persons = [_make_party_record(file, party, as_of) for party in file.parties if party.since <= as_of]
    for decision in file.decisions:
        if decision.day > as_of:
            continue
        until = max(last_day(find_quarter_of_day(decision.day)), last_day(period_containing(decision.day, cadence)))
        covered = [decision.party] if decision.party else file.list_defendants_on(until)
        part_true = {"kind": decision.kind, "day": decision.day, "covers": frozenset(str(party.party_id) for party in covered)}
        part_cells = {
            "vendimi_id": decision.decision_id,
            "lenda_id": file.file_id,
            "pala_id": decision.party.party_id if decision.party else None,
            "lloji": decision.kind,
            "data": write_iso_day(decision.day),
            "nr_aktakuzes": decision.indictment,
        }
        record.decisions.append(RecordPart(str(decision.decision_id), part_true, part_cells, dict(part_true)))
    return record


def _make_party_record(file: ProsecutionFile, party: Party, as_of: date) -> PersonRecord:
    """Return the record of a party on a day, with the charges that are in the file on that day."""
    person = party.person
    person_true = {"role": "suspect" if party.role == "D" else "victim", "arrested": None, **_make_person_values(person)}
    person_cells = {
        "pala_id": party.party_id,
        "lenda_id": file.file_id,
        "roli": party.role,
        "emri_mbiemri": f"{person.given} {person.surname}".strip(),
        "emri_babait": person.parent or None if person.unknown else person.parent,
        "nr_personal": person.number or None,
        "datelindja": None if person.unknown else write_iso_day(person.born),
        "gjinia": {"M": "1", "F": "2"}.get(person.sex, "9"),
        "shtetesia": person.citizenship or None if person.unknown else person.citizenship,
        "komuna": person.municipality or None,
    }
    entry = PersonRecord(str(party.party_id), person, person_true, person_cells, dict(person_true))
    entry.charges = [_make_charge_part(charge, party.party_id) for charge in party.charges if _is_charge_in_file(charge, as_of)]
    return entry


def _make_charge_part(charge: Charge, party_id: int) -> RecordPart:
    true = {"form": charge.form, "principal": charge.principal, **_make_offence_values(charge.offence)}
    cells = {
        "akuza_id": charge.charge_id,
        "pala_id": party_id,
        "ligji": charge.offence.law,
        "neni": charge.offence.article,
        "paragrafi": charge.offence.paragraph,
        "forma": FORM_CODES[charge.form] if charge.form else None,
        "kryesore": int(charge.principal),
    }
    return RecordPart(str(charge.charge_id), true, cells, {**true, "words": None})


# -- courts ---------------------------------------------------------------------------------------------------------------------------


def list_court_change_days(file: CourtFile) -> list[date]:
    """Return the days on which the court's record of a file changed."""
    days = [file.entered]
    for defendant in file.defendants:
        days += [day for judgment in defendant.judgments for day in (judgment.day, judgment.final) if day]
        days += [charge.since for charge in defendant.charges]
    return [day for day in days if file.entered <= day <= (file.until or date.max)]


def make_court_record(case: Case, file: CourtFile, as_of: date) -> CaseRecord:
    """Return the court's record of a file on the day `as_of`: the case with its defendants, their charges and the judgments on them."""
    as_of = min(as_of, file.until or as_of)
    true = {"registered": file.received, "offence_day": case.offence_day}
    cells = {
        "nr": file.number,
        "gjykata": file.seat,
        "dega": file.branch,
        "gjuha": file.language,
        "pranuar": write_iso_day(file.received),
        "referenca": file.prosecution_file.number,
    }
    values_as_read = {**true, "offence_day": None}
    record = CaseRecord("courts", file.number, case.case_id, as_of, true, cells, values_as_read, upstream=file.prosecution_file.number)
    for defendant in file.defendants:
        person = defendant.person
        person_true = {"role": "suspect", "arrested": None, **_make_person_values(person)}
        person_cells = {
            "id": str(defendant.seq),
            "emri": person.given,
            "mbiemri": person.surname,
            "emri_babait": person.parent,
            "nr_personal": person.number,
            "datelindja": write_iso_day(person.born) or "",
            "gjinia": person.sex,
            "shtetesia": person.citizenship,
        }
        entry = PersonRecord(f"{file.number}/{defendant.seq}", person, person_true, person_cells, dict(person_true))
        for charge in defendant.charges:
            if _is_charge_in_file(charge, as_of):
                charge_cells = {
                    "ligji": charge.offence.law,
                    "neni": charge.offence.article,
                    "paragrafi": charge.offence.paragraph,
                    "kryesore": "po" if charge.principal else "jo",
                }
                charge_true = {"form": None, "principal": charge.principal, **_make_offence_values(charge.offence)}
                entry.charges.append(RecordPart("", charge_true, charge_cells, {**charge_true, "words": None}))
        given = [judgment for judgment in defendant.judgments if judgment.day <= as_of]
        for judgment in given[-1:] if defendant.replaces else given:
            final = judgment.final if judgment.final and judgment.final <= as_of else None
            prison = any(kind == "burgim" for kind, _ in judgment.sentences)
            part_true = {"kind": judgment.kind, "day": judgment.day, "final": final, "prison": prison}
            part_cells = {
                "lloji": judgment.kind,
                "data": write_iso_day(judgment.day),
                "forme_prere": write_iso_day(final),
                "denimet": judgment.sentences,
            }
            entry.judgments.append(RecordPart("", part_true, part_cells, dict(part_true)))
        record.persons.append(entry)
    return record


# -- corrections ----------------------------------------------------------------------------------------------------------------------


def list_stay_change_days(stay: PrisonStay) -> list[date]:
    """Return the days on which the row of a stay changed. The row cites the court file from the third day after the court registered it."""
    days = [stay.admitted, stay.released or stay.admitted]
    if stay.court and stay.admitted <= stay.court.entered <= (stay.released or date.max):
        days.append(stay.court.entered + timedelta(days=3))
    return [day for day in days if day <= (stay.released or date.max)]


def make_stay_record(case: Case, stay: PrisonStay, as_of: date) -> CaseRecord:
    """Return the row of a stay in the prisons' register on the day `as_of`. The row is a record of the case and of the person."""
    as_of_row = min(as_of, stay.released or as_of)
    released = stay.released if stay.released and stay.released <= as_of else None
    court = stay.court.cited if stay.court and stay.court.entered + timedelta(days=3) <= as_of_row else ""
    person = stay.person
    true = {
        "registered": stay.admitted,
        "status": stay.status,
        "released": released,
        "offence_day": stay.offence_day,
        "form": None,
        **_make_offence_values(stay.offence),
    }
    cells = {
        "sheet": stay.facility,
        "ID": stay.register_id,
        "Emri": person.given,
        "Mbiemri": person.surname,
        "Emri i babait": person.parent,
        "Nr. personal": person.number,
        "Data e lindjes": person.born,
        "Gjinia": person.sex,
        "Shtetësia": _find_country_name(person),
        "Statusi": "I paraburgosur" if stay.status == "P" else "I dënuar",
        "Gjykata": stay.seat,
        "Nr. i aktgjykimit": court,
        "Vepra": stay.offence.typed_text(),
        "Dënimi": write_sentence_in_words(stay.months) if stay.months else "",
        "Data e pranimit": stay.admitted,
        "Data e lirimit": released,
        "Arsyeja e lirimit": stay.reason if released else "",
    }
    key = f"{stay.register_id}/{stay.admitted.isoformat()}"
    values_as_read = {**true, "law": write_criminal_code_as_typed(stay.offence), "words": None, "offence_day": None}
    record = CaseRecord("corrections", key, case.case_id, as_of, true, cells, values_as_read, charged_offence=stay.offence, upstream=court)
    person_true = {"role": "suspect", "arrested": None, **_make_person_values(person)}
    record.persons.append(PersonRecord(key, person, person_true, cells, dict(person_true)))
    return record
