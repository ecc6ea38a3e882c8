"""The totals as reported of a set with register life and without defects, recomputed from the delivered files alone.

Written from counting-rules.md and deliveries.md ("Registers over the years") with plain readers; imports nothing of Harmonia. A period's
last version counts whole, since no file of such a set is broken. Periods can be months, quarters, half-years or years.
"""

from __future__ import annotations

import csv
import re
import sqlite3
import xml.etree.ElementTree as ET
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl

Row = dict[str, Any]
Figures = Counter[tuple[str, str]]  # indicator, period
NAMESPACE = "{urn:kgjk:smil:1}"
ROLES = {"I dyshuar": "suspect", "DYSH": "suspect", "Viktimë": "victim", "VIKT": "victim"}  # before and after a change of the list


def totals(inbox: Path, new_codes: date = date.max) -> Figures:
    """Every event as reported, by indicator and period (years and quarters). `new_codes`: the day from which the prosecution calls
    defendants `P`."""
    events = [*_police(inbox), *_inspectorate(inbox), *_prosecution(inbox, new_codes), *_courts(inbox), *_corrections(inbox)]
    found: Figures = Counter()
    for indicator, day in events:
        found[indicator, str(day.year)] += 1
        found[indicator, _quarter(day)] += 1
    return found


def _quarter(day: date) -> str:
    return f"{day.year}-Q{(day.month + 2) // 3}"


def _end(period: str) -> date:
    """The last day of a month, quarter, half-year or year."""
    rest = period[5:]
    months = 12 if not rest else int(rest[1:]) * {"Q": 3, "H": 6}[rest[0]] if rest[0] in "QH" else int(rest)
    return date(int(period[:4]) + months // 12, months % 12 + 1, 1) - timedelta(days=1)


def _periods(inbox: Path, institution: str) -> list[tuple[str, Path]]:
    """The last version of each period, in order."""
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
    for _, folder in _periods(inbox, "police"):
        listed: dict[str, list[Row]] = defaultdict(list)
        for row in csv.DictReader(_text(folder / "personat.csv").splitlines(), delimiter=";"):
            listed[row["Nr_rastit"]].append(row)
        for row in csv.DictReader(_text(folder / "rastet.csv").splitlines(), delimiter=";"):
            cases[row["Nr_rastit"]] = row
            lists[row["Nr_rastit"]] = listed[row["Nr_rastit"]]  # the latest list is the case's list
    for key, case in cases.items():
        if case["Statusi"] in ("Anuluar", "ANUL"):
            continue
        reported, sent = _dotted(case["Data_raportimit"]), _dotted(case["Data_dergimit_PSH"])
        assert reported is not None
        yield "cases_registered", reported
        if sent:
            yield "cases_referred", sent
        for row in lists[key]:
            if ROLES.get(row["Roli"]) == "suspect":
                yield "suspects_registered", reported
                if arrested := _dotted(row["Data_arrestimit"]):
                    yield "persons_arrested", arrested
            elif ROLES.get(row["Roli"]) == "victim":
                yield "victims_identified", reported


def _inspectorate(inbox: Path) -> Iterator[tuple[str, date]]:
    cases: dict[str, tuple[Any, ...]] = {}
    for _, folder in _periods(inbox, "inspectorate"):
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


def _prosecution(inbox: Path, new_codes: date) -> Iterator[tuple[str, date]]:
    files: dict[int, tuple[date, Row, list[Row], list[Row]]] = {}
    new_of: dict[int, int] = {}
    first: dict[tuple[Any, ...], date] = {}  # the end of the first period that holds it
    first_of_file: dict[tuple[Any, ...], date] = {}
    ends = [_end(period) for period, _ in _periods(inbox, "prosecution")]
    for end, (_, folder) in zip(ends, _periods(inbox, "prosecution"), strict=True):
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
                for party in parties[key]:
                    party["roli"] = {"P": "D", "D": "V"}[party["roli"]] if end >= new_codes else party["roli"]
                    first.setdefault(_party(row, party), end)
                files[key] = (end, row, parties[key], decisions[key])
                first_of_file.setdefault(_file(row), end)
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
            since, file_since = first[_party(file, party)], first_of_file[_file(file)]
            own = [
                day
                for row in indicted
                if (day := date.fromisoformat(row["data"]))
                and (row["pala_id"] == party["pala_id"] or (row["pala_id"] is None and since <= max(_covered_until(day, ends), file_since)))
            ]
            if own:
                yield "persons_indicted", min(own)


def _covered_until(day: date, ends: list[date]) -> date:
    """A decision without a party covers those in the file at the end of its quarter, or of the longer period that delivers it."""
    return max(_end(_quarter(day)), min(end for end in ends if end >= day))


def _file(row: Row) -> tuple[Any, ...]:
    """What a file keeps under new ids; a cancelled twin has a different number."""
    return row["nr_lendes"], row["prokuroria"]


def _party(file: Row, row: Row) -> tuple[Any, ...]:
    return (*_file(file), row["roli"], row["emri_mbiemri"], row["nr_personal"], row["datelindja"])


def _courts(inbox: Path) -> Iterator[tuple[str, date]]:
    files: dict[str, ET.Element] = {}
    for _, folder in _periods(inbox, "courts"):
        for element in ET.parse(folder / "smil.xml").getroot().iter(f"{NAMESPACE}lenda"):
            files[element.attrib["nr"]] = element  # a number with the former one in brackets is a separate record
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
    for _, folder in _periods(inbox, "corrections"):
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
