"""Writes `raporti.xlsx` (inspectorate) and `shkk.xlsx` (corrections), with the faults that the delivery has (docs/reference/deliveries.md).

The same records give the same bytes. openpyxl writes the time of saving into the properties and the zip archive, so the archive is written
again with the day of the export in its place.
"""

from __future__ import annotations

import re
import zipfile
from datetime import date, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.utils.datetime import CALENDAR_MAC_1904
from openpyxl.worksheet.worksheet import Worksheet

from sources.simulator.codes import read_places, read_vocabulary
from sources.simulator.deliveries import Delivery

INSPECTORATE = (
    "Nr.",
    "Nr. i lëndës",
    "Data e pranimit",
    "Emri dhe mbiemri",
    "Nr. personal",
    "Grada",
    "Njësia",
    "Vepra e dyshuar",
    "Statusi",
    "Nr. i prokurorisë",
    "Data e dërgimit",
)
RENAMED = {"Nr. i lëndës": "Numri i lëndës", "Nr. personal": "Nr personal", "Vepra e dyshuar": "Vepra penale e dyshuar"}
CORRECTIONS = (
    "ID",
    "Emri",
    "Mbiemri",
    "Emri i babait",
    "Nr. personal",
    "Data e lindjes",
    "Gjinia",
    "Shtetësia",
    "Statusi",
    "Gjykata",
    "Nr. i aktgjykimit",
    "Vepra",
    "Dënimi",
    "Data e pranimit",
    "Data e lirimit",
    "Arsyeja e lirimit",
)


def _convert_to_cell_value(value: Any, text_dates: bool) -> Any:
    """Return a value as a cell stores it. A day becomes a date of Excel or a text, and an empty text becomes no value."""
    if isinstance(value, date):
        return value.strftime("%d.%m.%Y") if text_dates else datetime(value.year, value.month, value.day)  # noqa: DTZ001
    return None if value == "" else value


def write_inspectorate(folder: Path, delivery: Delivery) -> None:
    """Write the inspectorate's report, a workbook kept by hand, into `folder`."""
    path, faults = folder / "raporti.xlsx", delivery.faults
    if "empty" in faults:
        path.write_bytes(b"")
        return
    book = Workbook()
    if "date_1904" in faults:
        book.epoch = CALENDAR_MAC_1904
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    sheet.title = "Lëndët"
    for row, title in enumerate(
        ("INSPEKTORATI POLICOR I KOSOVËS", "Raporti për lëndët ndaj zyrtarëve policorë", f"Periudha: {delivery.period}"), 1
    ):
        sheet.cell(row, 1, title)
        sheet.merge_cells(start_row=row, end_row=row, start_column=1, end_column=len(INSPECTORATE))
    header = [RENAMED.get(name, name) for name in INSPECTORATE] if "renamed_header" in faults else list(INSPECTORATE)
    columns = list(INSPECTORATE) + (["Vërejtje"] if "extra_column" in faults else [])
    _write_row(sheet, 5, header + columns[len(INSPECTORATE) :])
    row, shown = 6, [record for record in delivery.records if not record.absent]
    for i, record in enumerate(shown):
        if "blank_rows" in faults and i == len(shown) // 2:
            row += 2
        cells = {"Nr.": i + 1, "Vërejtje": "", **record.cells}
        _write_row(sheet, row, [_convert_to_cell_value(cells[name], "text_dates" in faults) for name in columns])
        row += 1
    sheet.cell(row, 1, f"Gjithsej: {len(shown) + (1 if 'wrong_total' in faults else 0)}")
    if "last_year" in faults:
        _write_rows_of_last_year(sheet, row + 2, delivery)
    if "hidden_sheet" in faults:
        hidden = book.create_sheet("Fletë2")
        hidden.sheet_state = "hidden"
        for i, rank in enumerate(read_vocabulary()["ranks"], 1):
            hidden.cell(i, 1, rank)
    _save_workbook_reproducibly(book, path, delivery.exported)


def _write_rows_of_last_year(sheet: Worksheet, row: int, delivery: Delivery) -> None:
    """Write, for comparison, the rows of the same quarter of the year before, as they were delivered then."""
    sheet.cell(row, 1, "Viti i kaluar")
    _write_row(sheet, row + 1, list(INSPECTORATE))
    for i, record in enumerate(delivery.last_year, 1):
        cells = {"Nr.": i, **record.cells}
        _write_row(sheet, row + 1 + i, [_convert_to_cell_value(cells[name], "text_dates" in delivery.faults) for name in INSPECTORATE])
    sheet.cell(row + 2 + len(delivery.last_year), 1, f"Gjithsej: {len(delivery.last_year)}")


def write_corrections(folder: Path, delivery: Delivery) -> None:
    """Write the prisons' workbook into `folder`, with a sheet for each facility."""
    faults, book = delivery.faults, Workbook()
    book.remove(book.worksheets[0])
    counts = []
    for facility in read_places()["facilities"]:
        sheet = book.create_sheet(facility)
        records = [record for record in delivery.records if record.cells["sheet"] == facility]
        counts.append((facility, len(records)))
        _write_row(sheet, 1, list(CORRECTIONS))
        row = 2
        for i, record in enumerate(records):
            if "blank_rows" in faults and i == len(records) - 2:
                row += 1
            _write_row(sheet, row, [_convert_to_cell_value(record.cells[name], "text_dates" in faults) for name in CORRECTIONS])
            row += 1
        if "total_row" in faults:
            _write_row(sheet, row, ["Gjithsej", len(records) + (1 if "wrong_total" in faults and records else 0)])
    if "extra_sheet" in faults:
        sheet = book.create_sheet("Përmbledhje")
        _write_row(sheet, 1, ["Institucioni", "Gjithsej"])
        for i, pair in enumerate(counts, 2):
            _write_row(sheet, i, list(pair))
    if "hidden_sheet" in faults:
        _add_hidden_sheets(book, delivery)
    _save_workbook_reproducibly(book, folder / "shkk.xlsx", delivery.exported)


def _add_hidden_sheets(book: Workbook, delivery: Delivery) -> None:
    """Add two hidden sheets, which do not count as data (deliveries.md): a code list, and an old copy of a facility's sheet, whose rows
    look like any others."""
    codes = book.create_sheet("kodet")
    codes.sheet_state = "hidden"
    _write_row(codes, 1, ["I paraburgosur", "I dënuar"])
    old = book.create_sheet("QK Dubravë (vjetër)")
    old.sheet_state = "hidden"
    _write_row(old, 1, list(CORRECTIONS))
    for i, record in enumerate(delivery.records[:3], 2):
        _write_row(old, i, [_convert_to_cell_value(record.cells[name], True) for name in CORRECTIONS])


def _write_row(sheet: Worksheet, row: int, values: list[Any]) -> None:
    for column, value in enumerate(values, 1):
        if value is not None:
            cell = sheet.cell(row, column, value)
            if isinstance(value, datetime):
                cell.number_format = "dd.mm.yyyy"


def _save_workbook_reproducibly(book: Workbook, path: Path, day: datetime) -> None:
    """Save a workbook in which every time is replaced by `day`, so that the same content gives the same bytes."""
    book.properties.creator = "zyra"
    book.properties.created = day
    buffer = BytesIO()
    book.save(buffer)
    stamp = day.strftime("%Y-%m-%dT%H:%M:%SZ")
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "docProps/core.xml":
                content = re.sub(rb"(<dcterms:modified[^>]*>)[^<]*", rb"\g<1>" + stamp.encode(), content)
            target.writestr(zipfile.ZipInfo(name, day.timetuple()[:6]), content, zipfile.ZIP_DEFLATED)
