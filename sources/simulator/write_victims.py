"""Writes `zmnv.json` (victim protection office), and `persona.csv` and `sherbimet.csv` (centres), with the faults that the delivery has.

Belongs here: the bytes of the files. Does not belong here: what is wrong in single values, which was decided before (`victim_defects.py`).
"""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

from sources.simulator.deliveries import Delivery
from sources.simulator.records import CaseRecord

PERSONA = (
    *(
        "Nr_QPS",
        "Qendra",
        "Data_e_hapjes",
        "Emri",
        "Mbiemri",
        "Emri_i_prindit",
        "Nr_personal",
        "Datelindja",
        "Gjinia",
        "Shtetesia",
        "Komuna",
    ),
    *("Referuar_nga", "Data_e_referimit", "Statusi", "Data_e_statusit", "Vepra", "Forma", "Nr_policise", "Nr_PP", "Nr_ZMNV", "Shenim"),
)
SHERBIMET = ("Nr_QPS", "Nr_rendor", "Lloji", "Prej", "Deri", "Ofruesi", "Strehimorja", "Shenim")
RENAMED = {"Nr_personal": "Numri_personal", "Data_e_referimit": "Data e referimit"}
VICTIM = ("emri", "mbiemri", "emri_prindit", "nr_personal", "datelindja", "gjinia", "shtetesia", "vendbanimi")
# Letters that windows-1250 lacks, and the letters that are typed in their place.
_KEYBOARD = str.maketrans({"ı": "i", "İ": "I", "ğ": "g", "Ğ": "G", "ñ": "n"})


def write_victim_protection(folder: Path, delivery: Delivery) -> None:
    """Write the JSON document of a delivery of the victim protection office into `folder`."""
    faults = delivery.faults
    document = {
        "eksporti": {
            "institucioni": "ZMNV",
            "periudha": delivery.period,
            "krijuar": delivery.exported.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "skema": "1.2",
        },
        "viktimat": [_make_file_object(record, "extra_field" in faults) for record in delivery.records],
    }
    compact = "compact" in faults
    text = json.dumps(document, ensure_ascii=False, indent=None if compact else 1, separators=(",", ":") if compact else None) + "\n"
    if "illformed" in faults:
        text = text[: 2 * len(text) // 3]
    encoding = "utf-16" if "enc_utf16" in faults else "utf-8-sig" if "bom" in faults else "utf-8"
    (folder / "zmnv.json").write_bytes(text.encode(encoding))
    if "leftover_part" in faults:
        (folder / "zmnv.json.part").write_bytes(text.encode(encoding)[:200])


def _make_file_object(record: CaseRecord, extra: bool) -> dict[str, Any]:
    """Return the JSON object of one file. `extra`: whether it has a field that was not agreed."""
    cells, person = record.cells, record.persons[0].cells
    entries: dict[str, list[dict[str, Any]]] = {"status": [], "service": [], "hearing": []}
    for part in record.entries:
        entries[part.true["entry"]].append({name: _convert_to_json_value(value) for name, value in part.cells.items()})
    claim = {name: cells[f"kompensimi.{name}"] for name in ("kerkuar_me", "kerkuar_eur", "vendosur_me", "dhene_eur")}
    found = {
        "nr_zmnv": record.key,
        "zyra": cells["zyra"],
        "hapur_me": cells["hapur_me"],
        "viktima": {name: _convert_to_json_value(person[name], number=name == "nr_personal") for name in VICTIM},
        "vepra": _convert_to_json_value(cells["vepra"]),
        "forma": _convert_to_json_value(cells["forma"]),
        "referimi": {"nga": cells["referimi.nga"], "data": _convert_to_json_value(cells["referimi.data"])},
        "statusi": entries["status"],
        "nr_policise": _convert_to_json_value(cells["nr_policise"]),
        "nr_pp": _convert_to_json_value(cells["nr_pp"]),
        "nr_qps": _convert_to_json_value(cells["nr_qps"]),
        "sherbimet": entries["service"],
        "seancat": entries["hearing"],
        "kompensimi": None if claim["kerkuar_me"] is None else claim,
    }
    if extra:
        found["versioni_i_formularit"] = "B"
    return found


def _convert_to_json_value(value: Any, number: bool = False) -> Any:
    """Return a value as it is in the JSON document. An empty text becomes null. A text such as `1012345678.0` becomes a number if `number`
    is true."""
    if value == "":
        return None
    if number and isinstance(value, str) and re.fullmatch(r"[1-9]\d*\.0", value):
        return float(value)
    return value


def write_social_work(folder: Path, delivery: Delivery) -> None:
    """Write the two files of a delivery of the centres into `folder`."""
    persons, rows, cut = [], [], ""
    for record in delivery.records:
        cells = {**record.cells, **record.persons[0].cells}
        line = [cells[name] for name in PERSONA]
        persons.append(line[:4] if record.unread else line)
        for part in record.entries:
            line = [part.cells[name] for name in SHERBIMET]
            if part.key == record.cut_entry:
                cut = ",".join(line[:4])[:-3]
            elif part.key in record.short_entries:
                rows.append(line[:2])
            elif part.key not in record.lost_entries:
                rows.append(line)
    _write_lines(folder / "persona.csv", list(PERSONA), persons, delivery, "")
    _write_lines(folder / "sherbimet.csv", list(SHERBIMET), rows, delivery, cut)
    if "leftover_part" in delivery.faults:
        (folder / "persona.csv.part").write_bytes(b"Nr_QPS,Qendra,Dat")


def _write_lines(path: Path, header: list[str], lines: list[list[str]], delivery: Delivery, cut: str) -> None:
    """Write one file. `cut`: the beginning of a last row in which the file ends."""
    faults = delivery.faults
    count = len(lines) + (1 if "wrong_total" in faults else 0)
    if "renamed_header" in faults:
        header = [RENAMED.get(name, name) for name in header]
    if "extra_column" in faults:
        header, lines = [*header, "Zyrtari"], [[*line, f"z{i % 7}"] for i, line in enumerate(lines)]
    if "column_order" in faults:
        order = [0, 1, *range(len(header) - 1, 1, -1)]
        header, lines = [header[i] for i in order], [[line[i] for i in order] for line in lines]
    separator = ";" if "delimiter_semicolon" in faults else ","
    rows = [_join_cells(line, separator) for line in lines]
    if "repeated_header" in faults:
        rows.insert(len(rows) // 2, _join_cells(header, separator))
    if "blank_lines" in faults:
        rows.insert(len(rows) // 2, "")
        rows.append("")
    if "total_line" in faults:
        rows.append(_join_cells(["Gjithsej", str(count), *[""] * (len(header) - 2)], separator))
    text = "".join(f"{row}\r\n" for row in [_join_cells(header, separator), *rows]) + cut
    if "enc_cp1250" in faults:
        try:
            path.write_bytes(text.translate(_KEYBOARD).encode("cp1250"))
            return
        except UnicodeEncodeError:  # a name in Cyrillic: no program writes that file in windows-1250
            pass
    path.write_bytes(text.encode("utf-16" if "enc_utf16" in faults else "utf-8" if "no_bom" in faults else "utf-8-sig"))


def _join_cells(cells: list[str], separator: str) -> str:
    """Return cells as one line of delimited text, quoted where necessary."""
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator="").writerow(cells)
    return text.getvalue()
