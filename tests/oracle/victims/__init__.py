"""The four indicators of victim protection as reported, recomputed from the delivered files alone (docs/reference/counting-rules.md,
"Victim protection", and docs/reference/deliveries.md). Plain Python; nothing of the product is imported.

Not covered: damage beyond that of the samples (a header that is lost, a code page other than windows-1250).
"""

from __future__ import annotations

import csv
import difflib
import io
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Europe/Belgrade")
GROUPS = ("trafficking", "slavery", "withholding_identity_papers", "facilitating_prostitution", "other")
OFFENCES = dict(zip(("trafikim", "skllaveri", "dokumente", "mundesim prostitucioni", "tjeter"), GROUPS, strict=True)) | dict(
    zip(("trafikim me njerez", "skllaveri", "mbajtje e dokumenteve", "mundesim prostitucioni", "tjeter"), GROUPS, strict=True)
)
FORMS = {"s": "sexual", "p": "forced_labour", "l": "forced_begging", "sk": "slavery_servitude", "o": "organ_removal", "t": "other"}
SEXES = {"f": "female", "femer": "female", "m": "male", "mashkull": "male"}
DOMESTIC = {"xkx", "xk", "ks", "kos", "rks", "unk", "kosove", "kosova", "kosovar", "kosovare", "republika e kosoves"}
SERVICES = {"juridike", "mjekesore", "psikosociale", "financiare", "kthim", "riintegrim"}
TABLES = {
    "persona.csv": [
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
        "Referuar_nga",
        "Data_e_referimit",
        "Statusi",
        "Data_e_statusit",
        "Vepra",
        "Forma",
        "Nr_policise",
        "Nr_PP",
        "Nr_ZMNV",
        "Shenim",
    ],
    "sherbimet.csv": ["Nr_QPS", "Nr_rendor", "Lloji", "Prej", "Deri", "Ofruesi", "Strehimorja", "Shenim"],
}
KEYS = {"persona.csv": ("Nr_QPS",), "sherbimet.csv": ("Nr_QPS", "Nr_rendor")}
Record = dict[str, Any]


@dataclass
class Table:
    """What one version of a delivery holds of a kind of record: by key; keys of rows that could not be read; whether all was read."""

    records: dict[str, Record] = field(default_factory=dict)
    cut: set[str] = field(default_factory=set)
    whole: bool = True


def plain(text: object) -> str:
    """Lower case, without diacritics and punctuation."""
    folded = unicodedata.normalize("NFKD", str(text or "")).encode("ascii", "ignore").decode().lower()
    return " ".join(re.findall(r"[a-z0-9?]+", folded))


def last_day(period: str) -> date:
    """The last day of `2013-Q2` or `2013-04`."""
    year, month = int(period[:4]), int(period[6]) * 3 if "Q" in period else int(period[5:7])
    return date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)


def day_of(text: object, end: date, *, short_years: bool = False) -> date | None:
    """The day that a text means; None if there is none. A moment is read in Kosovo's time."""
    value = str(text or "").strip()
    if found := re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):\d\dZ", value):
        try:
            return datetime(*map(int, found.groups()), tzinfo=UTC).astimezone(ZONE).date()  # type: ignore[arg-type]
        except ValueError:
            return None
    if found := re.fullmatch(r"(\d{4})-(\d{1,2})-(\d{1,2})", value):
        parts = found.groups()
    elif found := re.fullmatch(r"(\d{1,2})[./-](\d{1,2})[./-](\d{4}|\d\d)", value):
        parts = found.groups()[::-1]
    elif short_years and re.fullmatch(r"\d{5}", value):
        return date(1899, 12, 30) + timedelta(days=int(value))
    else:
        return None
    year = int(parts[0])
    if len(parts[0]) == len("yy"):
        year += 2000 if 2000 + year <= end.year else 1900
    try:
        return date(year, int(parts[1]), int(parts[2]))
    except ValueError:
        return None


def text_of(data: bytes) -> str:
    """The text of a file."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16")
    for encoding in ("utf-8-sig", "windows-1250"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def read_json(path: Path) -> Table | None:
    """The files of a document, by number; None if it is not well-formed."""

    def refused(name: str) -> None:
        raise ValueError(name)

    try:
        document = json.loads(text_of(path.read_bytes()), parse_constant=refused)
        found = document["viktimat"]
    except (ValueError, OSError, KeyError, TypeError):
        return None
    return Table({one["nr_zmnv"]: one for one in found if re.fullmatch(r"ZM-[A-Z]{2}-\d{4}-\d+", str(one.get("nr_zmnv")))})


def read_csv(path: Path) -> Table | None:
    """The rows of a table, by key; None if it cannot be read."""
    if not path.is_file():
        return None
    text, declared = text_of(path.read_bytes()), TABLES[path.name]
    out = Table()
    if text and not text.endswith(("\n", "\r")):
        out.whole = False
    lines = text.splitlines()
    if not lines:
        return None
    delimiter = max(",;\t", key=lines[0].count)
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    names = [_declared(cell, declared) for cell in rows[0]]
    for n, row in enumerate(rows[1:], 2):
        cells = dict(zip(names, row, strict=False))
        if not any(cell.strip() for cell in row) or row == rows[0] or plain(row[0]).startswith("gjithsej"):
            continue
        key = "/".join(cells.get(part, "").strip() for part in KEYS[path.name])
        good = re.fullmatch(r"QPS/\d{2}/\d+(/\d+)?", key) and len(key.split("/")) == len(KEYS[path.name]) + 2
        if len(row) < len(names) or (n == len(rows) and not out.whole):
            if good:
                out.cut.add(key)
        elif good:
            out.records[key] = cells
    return out


def _declared(cell: str, declared: list[str]) -> str:
    """The declared name of a delivered column."""
    if cell in declared:
        return cell
    near = difflib.get_close_matches(plain(cell), [plain(name) for name in declared], 1, 0.75)
    return next((name for name in declared if near and plain(name) == near[0]), cell)


def versions(folder: Path) -> dict[str, list[Path]]:
    """The versions of each delivered period, in order."""
    found: dict[str, list[tuple[int, Path]]] = {}
    for path in folder.iterdir() if folder.is_dir() else ():
        if name := re.fullmatch(r"(\d{4}-(?:Q[1-4]|\d\d))(?:_v(\d+))?", path.name):
            found.setdefault(name[1], []).append((int(name[2] or 1), path))
    return {period: [path for _, path in sorted(found[period])] for period in sorted(found)}


def accepted(folder: Path, read: Callable[[Path], Table | None]) -> dict[str, tuple[Record, date]]:
    """The accepted state of each record, with the end of its period."""
    out: dict[str, tuple[Record, date]] = {}
    for period, paths in versions(folder).items():
        here: dict[str, Record] = {}
        for path in paths:
            table = read(path)
            if table is None:
                continue
            if table.whole:
                here = {key: one for key, one in here.items() if key in table.records or key in table.cut}
            here |= table.records
        out |= {key: (one, last_day(period)) for key, one in here.items()}
    return out


def whole_csv(name: str) -> Callable[[Path], Table | None]:
    """Reads one table of a delivery, which is whole only if both tables are."""

    def read(path: Path) -> Table | None:
        both = {file: read_csv(path / file) for file in TABLES}
        table = both[name]
        if table is not None:
            table.whole = all(one is not None and one.whole for one in both.values())
        return table

    return read


@dataclass(frozen=True)
class Victim:
    """Dimensions of a file as reported."""

    offence: str = "other"
    form: str = "unknown"
    sex: str = "unknown"
    citizenship: str = "unknown"
    born: date | int | None = None

    @classmethod
    def of(cls, one: Record, names: tuple[str, str, str, str, str], end: date) -> Victim:
        """names: of offence, form, sex, citizenship, birth date."""
        offence, form, sex, citizenship, born = (one.get(name) for name in names)
        country = plain(citizenship)
        return cls(
            OFFENCES.get(plain(offence), "other"),
            FORMS.get(plain(form), "unknown"),
            SEXES.get(plain(sex), "unknown"),
            "unknown" if not country else "domestic" if country in DOMESTIC else "foreign",
            _born(born, end),
        )

    def age_group(self, day: date) -> str:
        """Age on a day; of a year alone by the difference of years."""
        if self.born is None:
            return "unknown"
        if isinstance(self.born, int):
            years = day.year - self.born
            return "child" if years < 18 else "adult" if years > 18 else "unknown"
        years = day.year - self.born.year - ((day.month, day.day) < (self.born.month, self.born.day))
        return "child" if years < 18 else "adult"


def _born(text: object, end: date) -> date | int | None:
    day = day_of(text, end, short_years=True)
    if day:
        if day > end or day.year < end.year - 110:
            return None
        return day.year if (day.month, day.day) == (1, 1) else day
    found = re.fullmatch(r"(\d{4})(?:\.0+)?", str(text or "").strip())
    return int(found[1]) if found and end.year - 110 <= int(found[1]) <= end.year else None


Row = tuple[str, date, Victim]  # indicator, day, dimensions


def rows(inbox: Path) -> Iterator[Row | tuple[str, list[date], Victim]]:
    """What counts as reported; of `victims_assisted` all days of a file together."""
    for one, end in accepted(inbox / "victim_protection", lambda path: read_json(path / "zmnv.json")).values():
        person = one.get("viktima") or {}
        victim = Victim.of({**person, **one}, ("vepra", "forma", "gjinia", "shtetesia", "datelindja"), end)
        if day := day_of((one.get("referimi") or {}).get("data"), end):
            yield "victims_referred", day, victim
        if days := [day for service in one.get("sherbimet") or [] if (day := day_of(service.get("data"), end))]:
            yield "victims_assisted", days, victim
        attended = [h for h in one.get("seancat") or [] if plain(h.get("mbrojtesi_i_pranishem")) in ("true", "po", "1")]
        if days := [day for hearing in attended if (day := day_of(hearing.get("data"), end))]:
            yield "victims_represented", min(days), victim
    victims = {}
    for key, (one, end) in accepted(inbox / "social_work", whole_csv("persona.csv")).items():
        victims[key] = Victim.of(one, ("Vepra", "Forma", "Gjinia", "Shtetesia", "Datelindja"), end)
        if day := day_of(one["Data_e_referimit"], end):
            yield "victims_referred", day, victims[key]
    services: dict[str, list[date]] = {}
    for key, (one, end) in accepted(inbox / "social_work", whole_csv("sherbimet.csv")).items():
        file = key.rsplit("/", 1)[0]
        kind, shelter = plain(one["Lloji"]), one["Strehimorja"].strip()
        day = day_of(one["Prej"], end)
        if day and (kind == "strehim" or (kind not in SERVICES and shelter)):
            yield "victims_sheltered", day, victims.get(file, Victim())
        elif day:
            services.setdefault(file, []).append(day)
    for file, days in services.items():
        yield "victims_assisted", days, victims.get(file, Victim())


def quarter(day: date) -> str:
    """`2013-Q2`."""
    return f"{day.year}-Q{(day.month + 2) // 3}"


Cell = tuple[str, str, str, str, str, str, str]


def figures(inbox: Path) -> Counter[Cell]:
    """As reported by indicator, period, offence group, form, sex, age group and citizenship group: the finest cells."""
    out: Counter[Cell] = Counter()
    for indicator, when, victim in rows(inbox):
        for period_of in (quarter, lambda day: str(day.year)):
            if isinstance(when, list):
                first: dict[str, date] = {}
                for day in sorted(when, reverse=True):
                    first[period_of(day)] = day
            else:
                first = {period_of(when): when}
            for period, day in first.items():
                out[indicator, period, victim.offence, victim.form, victim.sex, victim.age_group(day), victim.citizenship] += 1
    return out


def summed(found: Counter[Cell], shape: tuple[bool, ...]) -> Counter[Cell]:
    """The cells with `total` in every dimension that `shape` leaves out."""
    out: Counter[Cell] = Counter()
    for (indicator, period, *values), n in found.items():
        shown = [value if kept else "total" for value, kept in zip(values, shape, strict=True)]
        out[(indicator, period, *shown)] += n  # type: ignore[index]
    return out
