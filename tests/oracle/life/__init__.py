"""The totals as reported of a set with register life and without defects, recomputed from the delivered files alone.

Written from counting-rules.md and deliveries.md ("Registers over the years") with plain readers; imports nothing of Harmonia. A quarter's
last version counts whole, since no file of such a set is broken.
"""

from __future__ import annotations

import csv
import re
import sqlite3
import xml.etree.ElementTree as ET
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl

Row = dict[str, Any]
Figures = Counter[tuple[str, str]]  # indicator, period
NAMESPACE = "{urn:kgjk:smil:1}"


def totals(inbox: Path) -> Figures:
    """Every event as reported, by indicator and period (years and quarters)."""
    events = [*_police(inbox), *_inspectorate(inbox), *_prosecution(inbox), *_courts(inbox), *_corrections(inbox)]
    found: Figures = Counter()
    for indicator, day in events:
        found[indicator, str(day.year)] += 1
        found[indicator, _quarter(day)] += 1
    return found


def _quarter(day: date) -> str:
    return f"{day.year}-Q{(day.month + 2) // 3}"


def _quarters(inbox: Path, institution: str) -> list[tuple[str, Path]]:
    """The last version of each quarter, in order."""
    last: dict[str, tuple[int, Path]] = {}
    for folder in (inbox / institution).iterdir():
        period, _, version = folder.name.partition("_v")
        last[period] = max(last.get(period, (0, folder)), (int(version or 1), folder))
    return [(period, last[period][1]) for period in sorted(last)]


def _dotted(text: str) -> date | None:
    return datetime.strptime(text, "%d.%m.%Y").date() if text else None  # noqa: DTZ007 - a day


def _day(cell: Any) -> date | None:
    """The day of a cell of a workbook: an Excel date or text."""
    return cell.date() if isinstance(cell, datetime) else _dotted(str(cell or ""))


def _text(path: Path) -> str:
    """A police file: windows-1250, cp852, or windows-1250 read as Latin-1 and written in UTF-8."""
    data = path.read_bytes()
    try:
        return data.decode("utf-8").encode("latin-1").decode("cp1250")
    except (UnicodeDecodeError, UnicodeEncodeError):
        pass
    as_agreed, other = data.decode("cp1250", "replace"), data.decode("cp852", "replace")
    return max((as_agreed, other), key=lambda text: sum(text.count(letter) for letter in "ëç"))


def _police(inbox: Path) -> Iterator[tuple[str, date]]:
    cases: dict[str, Row] = {}
    lists: dict[str, list[Row]] = {}
    for _, folder in _quarters(inbox, "police"):
        listed: dict[str, list[Row]] = defaultdict(list)
        for row in csv.DictReader(_text(folder / "personat.csv").splitlines(), delimiter=";"):
            listed[row["Nr_rastit"]].append(row)
        for row in csv.DictReader(_text(folder / "rastet.csv").splitlines(), delimiter=";"):
            cases[row["Nr_rastit"]] = row
            lists[row["Nr_rastit"]] = listed[row["Nr_rastit"]]  # the latest list is the case's list
    for key, case in cases.items():
        if case["Statusi"] == "Anuluar":
            continue
        reported, sent = _dotted(case["Data_raportimit"]), _dotted(case["Data_dergimit_PSH"])
        assert reported is not None
        yield "cases_registered", reported
        if sent:
            yield "cases_referred", sent
        for row in lists[key]:
            if row["Roli"] == "I dyshuar":
                yield "suspects_registered", reported
                if arrested := _dotted(row["Data_arrestimit"]):
                    yield "persons_arrested", arrested
            elif row["Roli"] == "Viktimë":
                yield "victims_identified", reported


def _inspectorate(inbox: Path) -> Iterator[tuple[str, date]]:
    cases: dict[str, tuple[Any, ...]] = {}
    for _, folder in _quarters(inbox, "inspectorate"):
        sheet = openpyxl.load_workbook(folder / "raporti.xlsx")["Lëndët"]
        for row in sheet.iter_rows(min_row=6, values_only=True):
            if str(row[0]).startswith(("Gjithsej", "Viti i kaluar")):
                break
            if row[1]:
                cases[str(row[1])] = row
    for row in cases.values():
        for place, indicators in ((2, ("cases_registered", "suspects_registered")), (10, ("cases_referred",))):
            if day := _day(row[place]):
                yield from ((indicator, day) for indicator in indicators)


def _prosecution(inbox: Path) -> Iterator[tuple[str, date]]:
    files: dict[int, tuple[str, Row, list[Row], list[Row]]] = {}
    new_of: dict[int, int] = {}
    first: dict[tuple[Any, ...], str] = {}
    first_of_file: dict[tuple[Any, ...], str] = {}
    for period, folder in _quarters(inbox, "prosecution"):
        with sqlite3.connect(folder / "psh.sqlite") as database:
            database.row_factory = sqlite3.Row
            tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            parties, decisions = defaultdict(list), defaultdict(list)
            for row in map(dict, database.execute("SELECT * FROM pala")):
                parties[row["lenda_id"]].append(row)
            for row in map(dict, database.execute("SELECT * FROM vendimi")):
                decisions[row["lenda_id"]].append(row)
            for row in map(dict, database.execute("SELECT * FROM lenda")):
                key = row["lenda_id"]
                files[key] = (period, row, parties[key], decisions[key])
                first_of_file.setdefault(_file(row), period)
                for party in parties[key]:
                    first.setdefault(_party(row, party), period)
            if "kryqezimi" in tables:
                new_of |= {old: new for table, old, new in database.execute("SELECT * FROM kryqezimi") if table == "lenda"}
    for key, (_, file, parties_, decisions_) in files.items():
        if file["statusi"] == "ANULUAR" or new_of.get(key) in files:
            continue
        received = date.fromisoformat(file["data_pranimit"])
        yield "cases_received_prosecution", received
        days = [date.fromisoformat(row["data"]) for row in decisions_ if row["lloji"] == "HUD"]
        indicted = [row for row in decisions_ if row["lloji"] == "AKT"]
        if days and (file["statusi"] == "HUD" or (file["statusi"] in ("HET", "PEZ") and not indicted)):
            yield "cases_dismissed", max(days)
        for party in parties_:
            if party["roli"] != "D":
                continue
            yield "persons_reported", received
            since = first[_party(file, party)]
            own = [
                date.fromisoformat(row["data"])
                for row in indicted
                if row["pala_id"] == party["pala_id"]
                or (row["pala_id"] is None and since <= max(_quarter(date.fromisoformat(row["data"])), first_of_file[_file(file)]))
            ]
            if own:
                yield "persons_indicted", min(own)


def _file(row: Row) -> tuple[Any, ...]:
    """What a file keeps under new ids; a cancelled twin has a number of its own."""
    return row["nr_lendes"], row["prokuroria"]


def _party(file: Row, row: Row) -> tuple[Any, ...]:
    return (*_file(file), row["roli"], row["emri_mbiemri"], row["nr_personal"], row["datelindja"])


def _courts(inbox: Path) -> Iterator[tuple[str, date]]:
    files: dict[str, ET.Element] = {}
    for _, folder in _quarters(inbox, "courts"):
        for element in ET.parse(folder / "smil.xml").getroot().iter(f"{NAMESPACE}lenda"):
            files[element.attrib["nr"]] = element  # a number with the former one in brackets is a record of its own
    for element in files.values():
        received = element.findtext(f"{NAMESPACE}pranuar")
        assert received is not None
        yield "cases_received_court", date.fromisoformat(received)
        for defendant in element.iter(f"{NAMESPACE}i_pandehur"):
            judgments = [judgment.attrib for judgment in defendant.iter(f"{NAMESPACE}aktgjykimi")]
            if not judgments:
                continue
            latest = max(judgments, key=lambda judgment: judgment["data"])
            yield "persons_convicted" if latest["lloji"] == "DEN" else "persons_acquitted", date.fromisoformat(latest["data"])
            if latest["lloji"] == "DEN" and latest.get("forme_prere"):
                yield "persons_convicted_final", date.fromisoformat(latest["forme_prere"])


def _corrections(inbox: Path) -> Iterator[tuple[str, date]]:
    rows: dict[tuple[str, date], str] = {}
    for _, folder in _quarters(inbox, "corrections"):
        for sheet in openpyxl.load_workbook(folder / "shkk.xlsx"):
            header = [cell.value for cell in sheet[1]]
            if header[:1] != ["ID"]:
                continue
            for values in sheet.iter_rows(min_row=2, values_only=True):
                row = dict(zip(header, values, strict=True))
                if re.match(r"P-\d", str(row["ID"])):
                    admitted = _day(row["Data e pranimit"])
                    assert admitted is not None
                    rows[str(row["ID"]), admitted] = str(row["Statusi"])
    for (_, admitted), status in rows.items():
        yield "persons_admitted_sentence" if status == "I dënuar" else "persons_detained", admitted
