"""What the registers of ZMNV (the victim protection office) and of the centres say about a file on a day, without any defect
(docs/reference/deliveries.md).

Belongs here: making a `CaseRecord` from a file, with its statuses, services, stays and hearings as `entries`. Does not belong here: writing
files (`write_victims.py`), defects (`victim_defects.py`).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from sources.simulator.codes import FORM_CODES, read_places
from sources.simulator.model import Person
from sources.simulator.records import CaseRecord, PersonRecord, RecordPart
from sources.simulator.victim_files import ZMNV, VictimFile

KOSOVO = ZoneInfo("Europe/Belgrade")
OFFENCES = {
    "trafficking": ("TRAFIKIM", "Trafikim me njerëz"),
    "slavery": ("SKLLAVERI", "Skllavëri"),
    "withholding_identity_papers": ("DOKUMENTE", "Mbajtje e dokumenteve"),
    "facilitating_prostitution": ("MUNDESIM_PROSTITUCIONI", "Mundësim prostitucioni"),
    "other": ("TJETER", "Tjetër"),
}
STATUSES = {
    "presumed": ("SUPOZUAR", "E supozuar"),
    "identified": ("IDENTIFIKUAR", "E identifikuar"),
    "not_confirmed": ("NUK_KONFIRMUAR", "E pakonfirmuar"),
}
SERVICES = {
    "legal": "Juridike",
    "medical": "Mjekësore",
    "psychosocial": "Psikosociale",
    "financial": "Financiare",
    "return": "Kthim",
    "reintegration": "Riintegrim",
}


def write_moment_in_utc(day: date | None) -> str | None:
    """Return the moment in UTC at which a day begins in Kosovo. Return None if there is no day."""
    if day is None:
        return None
    return datetime.combine(day, time(), KOSOVO).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def write_day_with_slashes(day: date | None) -> str:
    """Return a day as `dd/mm/yyyy`, or an empty text if there is no day."""
    return day.strftime("%d/%m/%Y") if day else ""


def make_victim_record(file: VictimFile, as_of: date) -> CaseRecord:
    """Return the record of a file, as the register has it on the day `as_of`. Its `true` has the values `registered`, `referred`, `group`,
    `form` and `status`."""
    status = [code for day, code in file.statuses if day <= as_of][-1] if file.statuses[0][0] <= as_of else "presumed"
    true = {"registered": file.opened, "referred": file.referred, "group": file.group, "form": file.form, "status": status}
    record = CaseRecord(file.institution, file.number, file.case.case_id, as_of, true, {}, dict(true))
    (_fill_zmnv_record if file.institution == ZMNV else _fill_centre_record)(file, as_of, record)
    cited = (record.cells[name] for name in (("nr_pp", "nr_policise", "nr_qps") if file.institution == ZMNV else _CITED))
    record.upstream = next((number for number in cited if number), "")
    return record


_CITED = ("Nr_PP", "Nr_policise", "Nr_ZMNV")


def _make_person_values(person: Person) -> dict[str, Any]:
    return {"role": "victim", "sex": person.sex, "born": person.born, "citizenship": person.citizenship}


def _find_cited_numbers(file: VictimFile, as_of: date) -> tuple[str, str, str]:
    """Return the numbers that the file cites: those of the police, of the prosecution, and of the other institution's file. A number that
    is not known yet is empty."""
    police = file.police.number if file.police and file.cites_number_of_institution("police", as_of) else ""
    prosecution = file.prosecution.number if file.prosecution and file.cites_number_of_institution("prosecution", as_of) else ""
    other = file.other.number if file.other and file.cites_number_of_institution("other", as_of) else ""
    return police, prosecution, other


def _fill_zmnv_record(file: VictimFile, as_of: date, record: CaseRecord) -> None:
    person = file.person
    police, prosecution, other = _find_cited_numbers(file, as_of)
    claim = file.claim if file.claim and file.claim.requested <= as_of else None
    decided = claim.decided if claim and claim.decided and claim.decided <= as_of else None
    record.cells.update(
        {
            "nr_zmnv": file.number,
            "zyra": file.seat,
            "hapur_me": write_moment_in_utc(file.opened),
            "vepra": OFFENCES[file.group][0],
            "forma": FORM_CODES[file.form] if file.form else "",
            "referimi.nga": file.referred_by,
            "referimi.data": write_moment_in_utc(file.referred),
            "nr_policise": police,
            "nr_pp": prosecution,
            "nr_qps": other,
            "kompensimi.kerkuar_me": write_moment_in_utc(claim.requested) if claim else None,
            "kompensimi.kerkuar_eur": claim.amount if claim else None,
            "kompensimi.vendosur_me": write_moment_in_utc(decided),
            "kompensimi.dhene_eur": claim.granted if claim and decided else None,
        }
    )
    cells: dict[str, Any] = {
        "emri": person.given,
        "mbiemri": person.surname,
        "emri_prindit": person.parent,
        "nr_personal": person.number,
        "datelindja": person.born.isoformat(),
        "gjinia": person.sex,
        "shtetesia": person.citizenship,
        "vendbanimi": person.municipality,
    }
    record.persons.append(PersonRecord(file.number, person, _make_person_values(person), cells, _make_person_values(person)))
    for i, (day, code) in enumerate([pair for pair in file.statuses if pair[0] <= as_of] or file.statuses[:1], 1):
        true = {"entry": "status", "kind": code, "day": day}
        record.entries.append(RecordPart(str(i), true, {"lloji": STATUSES[code][0], "data": write_moment_in_utc(day)}, dict(true)))
    for i, service in enumerate([each for each in file.services if each.day <= as_of], 1):
        true = {"entry": "service", "kind": service.kind, "day": service.day}
        record.entries.append(
            RecordPart(str(i), true, {"id": i, "lloji": service.kind, "data": write_moment_in_utc(service.day)}, dict(true))
        )
    for i, hearing in enumerate([each for each in file.hearings if each.day <= as_of], 1):
        true = {"entry": "hearing", "kind": "hearing", "day": hearing.day, "attended": hearing.attended}
        cells = {
            "id": i,
            "nr_gjykates": hearing.court.number,
            "gjykata": hearing.court.seat,
            "data": f"{hearing.day.isoformat()}T{hearing.hour:02d}:30:00Z",
            "mbrojtesi_i_pranishem": hearing.attended,
        }
        record.entries.append(RecordPart(str(i), true, cells, dict(true)))


def _fill_centre_record(file: VictimFile, as_of: date, record: CaseRecord) -> None:
    person = file.person
    police, prosecution, other = _find_cited_numbers(file, as_of)
    since, _ = max((pair for pair in file.statuses if pair[0] <= as_of), key=lambda pair: pair[0], default=file.statuses[0])
    record.cells.update(
        {
            "Nr_QPS": file.number,
            "Qendra": f"QPS {file.seat}",
            "Data_e_hapjes": write_day_with_slashes(file.opened),
            "Referuar_nga": file.referred_by,
            "Data_e_referimit": write_day_with_slashes(file.referred),
            "Statusi": STATUSES[record.true["status"]][1],
            "Data_e_statusit": write_day_with_slashes(since),
            "Vepra": OFFENCES[file.group][1],
            "Forma": FORM_CODES[file.form] if file.form else "",
            "Nr_policise": police,
            "Nr_PP": prosecution,
            "Nr_ZMNV": other,
            "Shenim": "",
        }
    )
    cells = {
        "Emri": person.given,
        "Mbiemri": person.surname,
        "Emri_i_prindit": person.parent,
        "Nr_personal": person.number,
        "Datelindja": write_day_with_slashes(person.born),
        "Gjinia": person.sex,
        "Shtetesia": read_places()["countries"][person.citizenship][0],
        "Komuna": person.municipality,
    }
    record.persons.append(PersonRecord(file.number, person, _make_person_values(person), cells, _make_person_values(person)))
    rows: list[tuple[date, dict[str, Any], dict[str, Any]]] = []
    for service in file.services:
        last = service.last if service.last and service.last <= as_of else None
        true = {"entry": "service", "kind": service.kind, "day": service.day}
        cells = {
            "Lloji": SERVICES[service.kind],
            "Prej": write_day_with_slashes(service.day),
            "Deri": write_day_with_slashes(last),
            "Ofruesi": service.provider,
        }
        rows.append((service.day, true, {**cells, "Strehimorja": ""}))
    for stay in file.stays:
        last = stay.last if stay.last and stay.last <= as_of else None
        true = {"entry": "stay", "kind": "shelter", "day": stay.day}
        cells = {
            "Lloji": "Strehim",
            "Prej": write_day_with_slashes(stay.day),
            "Deri": write_day_with_slashes(last),
            "Ofruesi": "Strehimorja",
        }
        rows.append((stay.day, true, {**cells, "Strehimorja": stay.shelter}))
    for i, (day, true, cells) in enumerate(sorted(rows, key=lambda row: row[0]), 1):
        if day <= as_of:
            record.entries.append(
                RecordPart(f"{file.number}/{i}", true, {"Nr_QPS": file.number, "Nr_rendor": str(i), **cells, "Shenim": ""}, dict(true))
            )
