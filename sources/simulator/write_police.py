"""Writes the police's files `rastet.csv` and `personat.csv`, with the faults that the delivery has. Without faults they have semicolons,
windows-1250 and CRLF (deliveries.md, Police).

Belongs here: the bytes of the two files. Does not belong here: what is wrong in single values, which was decided before (`defects.py`).
"""

from __future__ import annotations

from pathlib import Path

from sources.simulator.deliveries import Delivery
from sources.simulator.records import CaseRecord

CASES = (
    "Nr_rastit",
    "Data_raportimit",
    "Data_e_vepres",
    "Data_dergimit_PSH",
    "Stacioni",
    "Komuna",
    "Vepra_penale",
    "Neni",
    "Forma_shfrytezimit",
    "Statusi",
    "Nr_PP",
)
PERSONS = (
    "Nr_rastit",
    "Nr_rendor",
    "Roli",
    "Mbiemri",
    "Emri",
    "Emri_prindit",
    "Nr_personal",
    "Data_lindjes",
    "Vendlindja",
    "Komuna_banimit",
    "Gjinia",
    "Shtetesia",
    "Data_arrestimit",
)
RENAMED = {"Statusi": "Statusi_i_rastit", "Nr_personal": "Numri_personal", "Data_lindjes": "Datelindja"}
REMARKS = ("", "", "me leje", "i njohur për policinë", "", "kërkuar; i arratisur")
GARBAGE = ("Faqe {page} nga 3", "#REF!;#REF!;#REF!", "--------", ";;;;;;;;;;;;;;;;;")
# Letters that windows-1250 lacks, and the letters that are typed in their place.
_KEYBOARD = str.maketrans({"ı": "i", "İ": "I", "ğ": "g", "Ğ": "G", "ñ": "n"})

Line = list[str]


def write_police(folder: Path, delivery: Delivery) -> None:
    """Write the two files of a police delivery into `folder`."""
    faults = delivery.faults
    cases, cut = _write_case_lines(delivery.records)
    persons = _write_person_lines(delivery.records)
    header, person_header = list(CASES), list(PERSONS)
    if "renamed_header" in faults:
        header = [RENAMED.get(name, name) for name in header]
        person_header = [RENAMED.get(name, name) for name in person_header]
    if "missing_column" in faults:
        cases, header = _drop_column(cases, header, "Stacioni")
        persons, person_header = _drop_column(persons, person_header, "Vendlindja")
    if "extra_column" in faults:
        person_header.append("Shenime")
        for i, line in enumerate(persons):
            line.append(REMARKS[i % len(REMARKS)])
    _write_lines(folder / "rastet.csv", header, cases, delivery, cut)
    _write_lines(folder / "personat.csv", person_header, persons, delivery, -1)


def _write_case_lines(records: list[CaseRecord]) -> tuple[list[Line], int]:
    """Return the lines of the cases, and how many characters of the last line remain in a truncated file (-1: all of them)."""
    lines = [[record.cells[name] for name in CASES] for record in records if not record.absent]
    truncated = any(record.unread for record in records)
    return lines, 3 * len(";".join(lines[-1])) // 4 if truncated else -1


def _write_person_lines(records: list[CaseRecord]) -> list[Line]:
    lines = []
    for record in records:
        for person in record.persons:
            line = [person.cells[name] for name in PERSONS]
            lines.append(line[:4] if person.key in record.lost_persons else line)
    return lines


def _drop_column(lines: list[Line], header: list[str], name: str) -> tuple[list[Line], list[str]]:
    at = header.index(name)
    return [line[:at] + line[at + 1 :] for line in lines], header[:at] + header[at + 1 :]


def _quote_value(value: str) -> str:
    return '"' + value.replace('"', '""') + '"' if any(char in value for char in ';"\n\r') else value


def _write_lines(path: Path, header: list[str], lines: list[Line], delivery: Delivery, cut: int) -> None:
    faults = delivery.faults
    separator = "," if "comma" in faults else ";"
    rows = [separator.join(_quote_value(cell) if separator == ";" else _quote_value_with_comma(cell) for cell in line) for line in lines]
    head = separator.join(header)
    middle = len(rows) // 2
    if cut >= 0 and rows:
        rows[-1] = rows[-1][:cut]
    if "repeated_header" in faults:
        rows.insert(middle, head)
    if "garbage_lines" in faults:
        for i, line in enumerate(GARBAGE):
            rows.insert(min(len(rows), 2 + i * max(1, len(rows) // 5)), line.format(page=2))
    if "blank_lines" in faults:
        rows.insert(middle, "")
        rows.append("")
    if "total_line" in faults:
        rows.append("Gjithsej" + ";" * (len(header) - 1) + str(len(lines) + (1 if "wrong_total" in faults else 0)))
    end = "\n" if "line_feeds" in faults else "\r\n"
    text = end.join([head, *rows]) + ("" if cut >= 0 else end)
    encoding = "utf-8-sig" if "enc_utf8_bom" in faults else "utf-8" if "enc_utf8" in faults else "cp1250"
    if "enc_utf16" in faults:
        encoding = "utf-16"
    if encoding == "cp1250":
        text = text.translate(_KEYBOARD)
    if "enc_cp852" in faults:
        encoding = "cp852"
    if "enc_latin1" in faults:  # as if the bytes in windows-1250 had been read as Latin-1
        text, encoding = text.encode("cp1250", errors="replace").decode("latin-1"), "utf-8"
    path.write_bytes(text.encode(encoding, errors="replace"))


def _quote_value_with_comma(value: str) -> str:
    return '"' + value.replace('"', '""') + '"' if any(char in value for char in ',"\n\r') else value
