"""The four indicators harmonised, by year, and the two steps of reconciliation, recomputed from the delivered files and from who is who
(docs/reference/counting-rules.md, "Victim protection"). Plain Python; nothing of the product is imported.

Who is who is given: the case and the person of each accepted record, as a truth or a run says. Not covered: offence, form and the other
dimensions. A day that cannot be right is the middle of the period that first delivered it, or that day with day and month exchanged: a year
is stated, a quarter not always.
"""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from tests.oracle.victims import SERVICES, accepted, day_of, last_day, plain, read_csv, read_json, versions, whole_csv

Ids = Mapping[tuple[str, str], tuple[str, str]]  # institution, record key: case, person
Pair = tuple[str, str]  # case, person
ZMNV, QPS = "victim_protection", "social_work"
STATUSES = {"supozuar": "presumed", "identifikuar": "identified", "nuk konfirmuar": "not_confirmed", "pakonfirmuar": "not_confirmed"}
STATUSES |= {f"{article} {word}": status for article in "ei" for word, status in list(STATUSES.items())}
LONG_BEFORE = timedelta(days=300)


@dataclass
class File:
    """What counts of an accepted file: its days by kind of event."""

    institution: str
    key: str
    status: str | None
    referred: date | None
    days: dict[str, list[date]] = field(default_factory=lambda: defaultdict(list))
    stays: list[tuple[date, str, date | None]] = field(default_factory=list)  # the day that counts, key, the day as delivered


def _middle(period: str) -> date:
    end = last_day(period)
    first = date(end.year, end.month - 2, 1) if "Q" in period else end.replace(day=1)
    return first + (end - first) // 2


def _right(day: date | None, first: str, opened: date | None) -> date:
    """The day, where it can be right: not after the period that first delivered it, not long before the file was opened."""
    end = last_day(first)
    if day and day > end and day.day <= 12 and day.replace(month=day.day, day=day.month) <= end:
        return day.replace(month=day.day, day=day.month)
    possible = day is not None and day <= end and (opened is None or day >= opened - LONG_BEFORE)
    return day if day and possible else _middle(first)


def _first_delivered(inbox: Path) -> dict[tuple[str, str], str]:
    """The period that first delivered a file, an entry of a file (`key/kind/id`), a row of `sherbimet.csv`."""
    first: dict[tuple[str, str], str] = {}
    for period, paths in versions(inbox / ZMNV).items():
        for path in paths:
            table = read_json(path / "zmnv.json")
            for key, one in (table.records if table else {}).items():
                first.setdefault((ZMNV, key), period)
                for kind in ("sherbimet", "seancat"):
                    for entry in one.get(kind) or []:
                        first.setdefault((ZMNV, f"{key}/{kind}/{entry.get('id')}"), period)
    for period, paths in versions(inbox / QPS).items():
        for path in paths:
            for name in ("persona.csv", "sherbimet.csv"):
                table = read_csv(path / name)
                for key in table.records if table else ():
                    first.setdefault((QPS, key), period)
    return first


def _current(history: list[dict[str, Any]], end: date) -> str | None:
    """The status of the entry with the latest day; an entry without a day counts with that before it."""
    found, latest = None, date.min
    for entry in history:
        day = day_of(entry.get("data"), end)
        latest_so_far = max(latest, day if day and day <= end else latest)
        if (day if day and day <= end else latest) >= latest:
            found = STATUSES.get(plain(entry.get("lloji")).replace("_", " "))
        latest = latest_so_far
    return found


def files(inbox: Path) -> Iterator[File]:
    """The accepted files of both institutions."""
    first = _first_delivered(inbox)
    for key, (one, end) in accepted(inbox / ZMNV, lambda path: read_json(path / "zmnv.json")).items():
        opened = day_of(one.get("hapur_me"), end)
        file = File(ZMNV, key, _current(one.get("statusi") or [], end), None)
        file.referred = _right(day_of((one.get("referimi") or {}).get("data"), end), first[ZMNV, key], opened)
        for kind, event in (("sherbimet", "assisted"), ("seancat", "represented")):
            for entry in one.get(kind) or []:
                attended = plain(entry.get("mbrojtesi_i_pranishem")) in ("true", "po", "1")
                if event == "assisted" or attended:
                    file.days[event].append(_right(day_of(entry.get("data"), end), first[ZMNV, f"{key}/{kind}/{entry.get('id')}"], opened))
        yield file
    own: dict[str, File] = {}
    opening: dict[str, date | None] = {}
    for key, (one, end) in accepted(inbox / QPS, whole_csv("persona.csv")).items():
        opening[key] = day_of(one["Data_e_hapjes"], end)
        own[key] = File(QPS, key, STATUSES.get(plain(one["Statusi"])), None)
        own[key].referred = _right(day_of(one["Data_e_referimit"], end), first[QPS, key], opening[key])
    for key, (one, end) in accepted(inbox / QPS, whole_csv("sherbimet.csv")).items():
        number = key.rsplit("/", 1)[0]
        if number in own:
            kind = plain(one["Lloji"])
            stay = kind == "strehim" or (kind not in SERVICES and bool(one["Strehimorja"].strip()))
            day = _right(day_of(one["Prej"], end), first[QPS, key], opening[number])
            own[number].days["sheltered" if stay else "assisted"].append(day)
            if stay:
                own[number].stays.append((day, key, day_of(one["Prej"], end)))
    yield from own.values()


def yearly(inbox: Path, ids: Ids) -> dict[tuple[str, str], int]:
    """Harmonised totals by indicator and year: persons, each once a year."""
    found: dict[Pair, list[File]] = defaultdict(list)
    for file in files(inbox):
        if (file.institution, file.key) in ids:
            found[ids[file.institution, file.key]].append(file)
    counted: dict[tuple[str, str], set[str]] = defaultdict(set)
    for (_, person), own in found.items():
        if all(file.status == "not_confirmed" for file in own):
            continue
        days = {event: [day for file in own for day in file.days[event]] for event in ("assisted", "sheltered", "represented")}
        days["referred"] = [file.referred for file in own if file.referred]
        for event, all_days in days.items():
            for day in all_days if event == "assisted" else sorted(all_days)[:1]:
                counted[f"victims_{event}", str(day.year)].add(person)
    return {key: len(persons) for key, persons in counted.items()}


def further_stays(inbox: Path, ids: Ids) -> Counter[str]:
    """The stays but the first of each file, by year as delivered; not of persons who are no victims by all their files of the case."""
    victims = {
        ids[file.institution, file.key] for file in files(inbox) if (file.institution, file.key) in ids and file.status != "not_confirmed"
    }
    counted = [file for file in files(inbox) if ids.get((file.institution, file.key)) in victims]
    return Counter(str(delivered.year) for file in counted for _, _, delivered in sorted(file.stays)[1:] if delivered)


def police_victims(inbox: Path) -> set[str]:
    """Keys of persons whom a police record names as victim."""
    found = set()
    for path in sorted((inbox / "police").glob("*/personat.csv")):
        data = path.read_bytes()
        for encoding in ("utf-16", "utf-8-sig", "windows-1250"):
            try:
                text = data.decode(encoding)
            except UnicodeError:
                continue
            if "Nr_rastit" in text:
                break
        for row in csv.reader(io.StringIO(text, newline=""), delimiter="," if text.startswith("Nr_rastit,") else ";"):
            if len(row) > 3 and plain(row[2]).startswith("vikt"):
                found.add(f"{row[0].strip()}/{row[1].strip()}")
    return found


def steps(inbox: Path, ids: Ids) -> set[tuple[str, str, str, str]]:
    """Step, case, person, outcome, of all victims whom a side knows."""
    named = police_victims(inbox)
    police = {pair for (institution, key), pair in ids.items() if institution == "police" and key in named}
    known: dict[str, set[Pair]] = {ZMNV: set(), QPS: set()}
    for file in files(inbox):
        if (file.institution, file.key) in ids:
            known[file.institution].add(ids[file.institution, file.key])
    sides = {"police_victim_protection": (police, known[ZMNV] | known[QPS]), "victim_protection_social_work": (known[ZMNV], known[QPS])}
    out = set()
    for step, (upstream, downstream) in sides.items():
        for pair in upstream | downstream:
            outcome = "matched" if pair in upstream & downstream else "missing_downstream" if pair in upstream else "missing_upstream"
            out.add((step, *pair, outcome))
    return out


def true_ids(truth: Path) -> dict[tuple[str, str], tuple[str, str]]:
    """Who is who by a truth: of accepted person records."""
    with (truth / "records.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["entity"] == "person" and row["expected_status"] == "accepted"]
    return {(row["institution"], row["record_key"]): (row["case_id"], row["person_id"]) for row in rows}
