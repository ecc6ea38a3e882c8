"""A plain reading of deliveries, written against deliveries.md alone: no part of the pipeline and none of the simulator's writers is used.

It reads the states that a truth's `records.csv` calls accepted, from the raw files, into what the simulator's counting takes. So it
checks two things at once: that the files hold what the simulator's truth says, and, on the samples, that the counting rules are the
ones meant.
"""

from __future__ import annotations

import csv
import io
import re
import sqlite3
import unicodedata
import zipfile
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
from lxml import etree

from sources.simulator.codes import FORM_CODES, read_places
from sources.simulator.model import Person
from sources.simulator.record_statuses import DeliveredRecordState, RecordHistory
from sources.simulator.records import CaseRecord, PersonRecord, RecordPart

FORMS = {code: form for form, code in FORM_CODES.items()}
COUNTRIES = {spelling.lower(): code for code, spellings in read_places()["countries"].items() for spelling in [code, *spellings]}
COUNTRIES |= {"unk": "XKX", "kos": "XKX", "md": "MDA", "ph": "PHL", "cn": "CHN"}
HEADERS = {"Statusi_i_rastit": "Statusi", "Numri_personal": "Nr_personal", "Datelindja": "Data_lindjes"}
GROUPS = (
    ("seksuale te viktimes", "other"),
    ("trafikim", "trafficking"),
    ("skllav", "slavery"),
    ("mbajtja e", "withholding_identity_papers"),
    ("keqperdorim", "other"),
    ("ushtrim", "prostitution"),
)
FORM_WORDS = (("seks", "sexual"), ("prostit", "sexual"), ("pun", "forced_labour"), ("lyp", "forced_begging"))
FORM_WORDS += (("skllav", "slavery_servitude"), ("organ", "organ_removal"))


def day(value: Any) -> date | None:
    if isinstance(value, datetime):
        return value.date()
    match = re.match(r"(?P<y>\d{4})-(?P<m>\d\d)-(?P<d>\d\d)|(?P<d2>\d\d)\.(?P<m2>\d\d)\.(?P<y2>\d{4}|\d\d)$", str(value or "").strip())
    if not match:
        return None
    year = int(match["y"] or match["y2"])
    try:
        return date(year + 2000 if year < 100 else year, int(match["m"] or match["m2"]), int(match["d"] or match["d2"]))
    except ValueError:
        return None


def born(value: Any) -> date | int | None:
    """A birth date: two digits of a year are of the past; a day that no month has still tells the year; the future tells nothing."""
    text = str(value or "").strip()
    if re.fullmatch(r"\d{4}", text):
        return int(text)
    short = re.fullmatch(r"(\d\d)\.(\d\d)\.(\d\d)", text)
    if short:
        century = 1900 if int(short[3]) > 20 else 2000
        return date(century + int(short[3]), int(short[2]), int(short[1]))
    found = day(value)
    if found is None and not isinstance(value, datetime):
        year = re.search(r"(?<!\d)\d{4}(?!\d)", text)
        return int(year[0]) if year else None
    return found if found is None or found.year <= 2025 else None


def sex(value: Any) -> str | None:
    return {"m": "M", "f": "F", "1": "M", "2": "F"}.get(str(value or "").strip().lower()[:1])


def country(value: Any) -> str | None:
    text = str(value or "").strip().lower()
    return COUNTRIES[text] if text else None


def article(text: str) -> dict[str, Any]:
    if "L-142" in text or "LRQP" in text:
        return {"law": "LRQP2009", "article": "4"}
    law = "KPRK2019" if "06/L-074" in text else "KPRK" if "KPRK" in text else "KPK2003" if "KPK" in text else None
    number = re.search(r"\d+", text.replace("06/L-074", ""))
    return {"law": law, "article": number[0] if number else None}


def _folded(text: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFD", text.lower()) if not unicodedata.combining(char))


def words(text: str) -> str | None:
    folded = _folded(text)
    found = next((group for piece, group in GROUPS if piece in folded), None)
    if found or not folded:
        return found
    if folded == "prostitucion":
        return "prostitution"
    return "facilitating_prostitution" if "prostitucion" in folded else "other"


def form(text: str) -> str | None:
    folded = _folded(text)
    return next((name for piece, name in FORM_WORDS if piece in folded), "other") if folded else None


def _person(key: str, role: str, about: dict[str, Any]) -> PersonRecord:
    nobody = Person("", "", "", "M", date.min, "XKX", "", "", "")
    return PersonRecord(key, nobody, {}, {}, {"role": role, "arrested": None, **about})


def _case(institution: str, key: str, said: dict[str, Any]) -> CaseRecord:
    return CaseRecord(institution, key, "", date.min, {}, {}, {"offence_day": None, "words": None, "form": None, **said})


def _police_rows(path: Path) -> Iterator[dict[str, str]]:
    raw = path.read_bytes() if path.exists() else b""
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError:
        text = raw.decode("cp1250", errors="replace")
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter="," if text.startswith("Nr_rastit,") else ";"))
    header = [HEADERS.get(name, name) for name in rows[0]] if rows else []
    for row in rows[1:]:
        if len(row) == len(header) and re.fullmatch(r"\d{4}-[A-Z]{2}-\d{5}", row[0]):
            yield dict(zip(header, row, strict=True))


def _police(folder: Path) -> Iterator[CaseRecord]:
    cases: dict[str, CaseRecord] = {}
    for row in _police_rows(folder / "rastet.csv"):
        said = {"registered": day(row["Data_raportimit"]), "sent": day(row["Data_dergimit_PSH"]), "offence_day": day(row["Data_e_vepres"])}
        said |= {**article(row["Neni"]), "words": words(row["Vepra_penale"]), "form": form(row["Forma_shfrytezimit"])}
        cases[row["Nr_rastit"]] = _case("police", row["Nr_rastit"], said)
    for row in _police_rows(folder / "personat.csv"):
        case = cases.setdefault(row["Nr_rastit"], _case("police", row["Nr_rastit"], {}))
        about = {"sex": sex(row["Gjinia"]), "born": born(row["Data_lindjes"]), "citizenship": country(row["Shtetesia"])}
        role = {"I dyshuar": "suspect", "Viktimë": "victim"}.get(row["Roli"], "witness")
        about["arrested"] = day(row["Data_arrestimit"])
        case.persons.append(_person(f"{row['Nr_rastit']}/{row['Nr_rendor']}", role, about))
    yield from cases.values()


def _sheets(path: Path) -> list[Any]:
    try:
        return [sheet for sheet in openpyxl.load_workbook(path) if sheet.sheet_state == "visible"]
    except (zipfile.BadZipFile, KeyError, ValueError):  # what is no workbook is read by nobody
        return []


def _inspectorate(folder: Path) -> Iterator[CaseRecord]:
    for sheet in _sheets(folder / "raporti.xlsx"):
        for row in sheet.iter_rows(min_row=6, values_only=True):
            if row[1]:
                said = {"registered": day(row[2]), "sent": day(row[10]), **article(row[7]), "words": words(row[7])}
                case = _case("inspectorate", row[1], said)
                case.persons.append(_person(row[1], "suspect", {"sex": None, "born": None, "citizenship": None}))
                yield case


def _prosecution(folder: Path) -> Iterator[CaseRecord]:
    connection = sqlite3.connect(f"file:{folder / 'psh.sqlite'}?mode=ro&immutable=1", uri=True)
    connection.row_factory = sqlite3.Row
    try:
        tables = {name: connection.execute(f"SELECT * FROM {name} ORDER BY 1").fetchall() for name in ("lenda", "pala", "akuza", "vendimi")}
    except sqlite3.DatabaseError:
        return
    finally:
        connection.close()
    cases = {
        row["lenda_id"]: _case("prosecution", str(row["lenda_id"]), {"registered": day(row["data_pranimit"]), "status": row["statusi"]})
        for row in tables["lenda"]
    }
    persons = {}
    for row in tables["pala"]:
        about = {"sex": sex(row["gjinia"]), "born": born(row["datelindja"]), "citizenship": country(row["shtetesia"])}
        persons[row["pala_id"]] = _person(str(row["pala_id"]), "suspect" if row["roli"] == "D" else "victim", about)
        cases[row["lenda_id"]].persons.append(persons[row["pala_id"]])
    for row in tables["akuza"]:
        said = {"law": row["ligji"], "article": row["neni"], "form": FORMS.get(row["forma"]), "words": None}
        persons[row["pala_id"]].charges.append(RecordPart("", {}, {}, said))
    for row in tables["vendimi"]:
        case = cases[row["lenda_id"]]
        everyone = {person.key for person in case.persons if person.values_as_read["role"] == "suspect"}
        covers = {str(row["pala_id"])} if row["pala_id"] else everyone
        case.decisions.append(RecordPart("", {}, {}, {"kind": row["lloji"], "day": day(row["data"]), "covers": covers}))
    yield from cases.values()


def _courts(folder: Path) -> Iterator[CaseRecord]:
    raw = (folder / "smil.xml").read_bytes().replace(b"ISO-8859-1", b"UTF-8")
    root = etree.fromstring(raw, etree.XMLParser(recover=True, resolve_entities=False, no_network=True))
    name = "{urn:kgjk:smil:1}"
    for element in root.iter(name + "lenda") if root is not None else ():
        case = _case("courts", element.get("nr"), {"registered": day(element.findtext(name + "pranuar"))})
        for defendant in element.iter(name + "i_pandehur"):
            about = {"sex": sex(defendant.findtext(name + "gjinia")), "born": born(defendant.findtext(name + "datelindja"))}
            about["citizenship"] = country(defendant.findtext(name + "shtetesia"))
            person = _person(f"{case.key}/{defendant.get('id')}", "suspect", about)
            for charge in defendant.iter(name + "akuza"):
                said = {"law": charge.get("ligji"), "article": charge.get("neni"), "form": None, "words": None}
                person.charges.append(RecordPart("", {}, {}, said))
            for judgment in defendant.iter(name + "aktgjykimi"):
                said = {"kind": judgment.get("lloji"), "day": day(judgment.get("data")), "final": day(judgment.get("forme_prere"))}
                person.judgments.append(RecordPart("", {}, {}, said))
            case.persons.append(person)
        yield case


def _corrections(folder: Path) -> Iterator[CaseRecord]:
    for sheet in _sheets(folder / "shkk.xlsx"):
        for row in sheet.iter_rows(min_row=2, values_only=True) if sheet["A1"].value == "ID" else ():
            if str(row[0] or "").startswith("P-"):
                admitted = day(row[13])
                said = {"registered": admitted, "status": "D" if row[8] == "I dënuar" else "P", **article(row[11])}
                case = _case("corrections", f"{row[0]}/{admitted}", said)
                about = {"sex": sex(row[6]), "born": born(row[5]), "citizenship": country(row[7])}
                case.persons.append(_person(case.key, "suspect", about))
                yield case


READERS = {
    "police": _police,
    "inspectorate": _inspectorate,
    "prosecution": _prosecution,
    "courts": _courts,
    "corrections": _corrections,
}


def rows(path: Path) -> list[dict[str, str]]:
    """A CSV file of the truth."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def read_accepted(folder: Path) -> tuple[RecordHistory, set[tuple[str, str, str]]]:
    """The accepted states of a set (`inbox` and `truth` below `folder`), and the keys of those that were not found in the files."""
    due: dict[tuple[str, str, str], dict[str, str]] = {}
    for row in rows(folder / "truth" / "records.csv"):
        if row["expected_status"] == "accepted":
            due[row["institution"], row["entity"], row["record_key"]] = row
    history = RecordHistory()
    for institution, read in READERS.items():
        for delivery in sorted((folder / "inbox" / institution).iterdir()):
            for case in read(delivery):
                for entity, key, person in [("case", case.key, None), *(("person", p.key, p) for p in case.persons)]:
                    row = due.get((institution, entity, key))
                    if row and row["delivery"] == delivery.name:
                        case.case_id = row["case_id"]
                        if person is not None:
                            person.person.person_id = row["person_id"]
                        history.accepted[institution, entity, key] = DeliveredRecordState(None, case, person, True)  # type: ignore[arg-type]
    return history, due.keys() - history.accepted.keys()
