"""Every public form of a release, read with readers of others: csv, DuckDB, frictionless, sdmx1, openpyxl, lxml, poppler."""

from __future__ import annotations

import csv
import json
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any

import duckdb
import frictionless
import openpyxl
import sdmx
from lxml import html

from tests.oracle.releases.expected import named
from tests.oracle.releases.printed import Figure, Key, Line, Reading, Trend
from tests.oracle.releases.words import LANGUAGES, Words, plain

NOT_SHOWN = "‡"
NONE = "–"


# ---- the tables of a release, as files ----


def _number(value: Any) -> int | None:
    return None if value in (None, "") else int(float(value))


def _flag(value: Any) -> bool:
    return value is True or str(value).lower() == "true"


def _tables(reading: Reading, form: str, place: str, tables: Mapping[str, Iterable[Mapping[str, Any]]]) -> None:
    for row in tables["cube"]:
        reading.figures.append(
            Figure(
                form,
                place,
                (row["indicator"], row["measure"], row["table"], str(row["of"]), row["cell"] or ""),
                _number(row["value"]),
                row["status"],
                _number(row["limit"]),
                str(row["known"]),
                str(row["edition"]),
                _flag(row["revised"]),
                _flag(row["incomplete"]),
                named(row["missing"]),
            )
        )
    for row in tables["bridge"]:
        causes = frozenset((row["cause"] or "").split("+"))
        reading.lines.append(Line(form, place, row["indicator"], str(row["period"]), causes, _number(row["n"]), str(row["known"])))
    for row in tables["coverage"]:
        reading.coverage.append((form, place, row["institution"], str(row["period"]), row["state"]))
    for row in tables["revisions"]:
        key = (row["indicator"], row["measure"], row["table"], str(row["of"]), row["cell"] or "")
        reading.revisions.append((form, place, key, _number(row["before"]), _number(row["after"])))


NAMES = ("cube", "bridge", "coverage", "revisions")


def read_csv(reading: Reading, public: Path) -> None:
    tables = {}
    for name in NAMES:
        with (public / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            tables[name] = list(csv.DictReader(file))
    _tables(reading, "csv", public.parent.name, tables)


def _parquet(path: Path) -> list[dict[str, Any]]:
    found = duckdb.sql(f"FROM read_parquet('{path}')")
    return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]


def read_parquet(reading: Reading, public: Path) -> None:
    _tables(reading, "parquet", public.parent.name, {name: _parquet(public / f"{name}.parquet") for name in NAMES})


def read_package(reading: Reading, folder: Path) -> None:
    package = frictionless.Package(str(folder / "datapackage.json"))
    report = package.validate()
    if not report.valid:
        reading.unread.append(f"package: {folder.parent.name}: not valid: {report.flatten(['message'])[:3]}")
    tables = {name: [row.to_dict() for row in package.get_resource(name).read_rows()] for name in NAMES}
    _tables(reading, "package", folder.parent.name, tables)
    twins = {name: _parquet(folder / str(package.get_resource(f"{name}-parquet").path)) for name in NAMES}
    _tables(reading, "package (parquet)", folder.parent.name, twins)


# ---- SDMX ----

SDMX_DIMENSIONS = {
    "offence_group": "OFFENCE",
    "sex": "SEX",
    "age_group": "AGE",
    "citizenship_group": "CITIZENSHIP",
    "form": "FORM",
    "quarter": "QUARTER",
}


def read_sdmx(reading: Reading, folder: Path, words: Words) -> None:
    place = folder.parent.name
    structure = sdmx.read_sdmx(folder / "structure.xml")
    definition = next(iter(structure.structure.values()))
    names = {
        component.id: {code.id: str(code.name.localizations["en"]) for code in component.local_representation.enumerated.items.values()}
        for component in [*definition.dimensions.components, *definition.attributes.components]
        if getattr(component.local_representation, "enumerated", None) is not None
    }
    message = sdmx.read_sdmx(folder / "data.xml", structure=definition)
    for observation in (one for part in message.data for one in part.obs):
        codes = {name: str(value.value) for name, value in observation.key.values.items()}
        said = {name: names[name][code] for name, code in codes.items() if name in names}
        table = words.tables.get(plain(said["BREAKDOWN"]))
        indicator = words.titles.get(plain(said["INDICATOR"]))
        measure = words.measures.get(plain(said["MEASURE"]))
        if table is None or indicator is None or measure is None:
            reading.unread.append(f"sdmx: {place}: {said}")
            continue
        value = None if observation.value in (None, "NaN") else _number(observation.value)
        parts = [_sdmx_part(words, dimension, codes, said) for dimension in (["sex", "age_group"] if table == "sex_age_group" else [table])]
        if None in parts:
            reading.unread.append(f"sdmx: {place}: {said}")
            continue
        cell = "|".join(part for part in parts if part is not None)
        if table == "total":
            cell = "total" if value is not None else ""
        elif set(parts) == {"total"}:
            cell = ""
        notes = {name: str(attribute.value) for name, attribute in observation.attached_attribute.items()}
        key = (indicator, measure, table, _sdmx_period(codes["TIME_PERIOD"]), cell)
        flagged = _says_incomplete(words, notes.get("COMMENT_OBS", ""))
        reading.figures.append(Figure("sdmx", place, key, value, status=notes.get("OBS_STATUS"), incomplete=flagged))


def _sdmx_part(words: Words, dimension: str, codes: dict[str, str], said: dict[str, str]) -> str | None:
    if dimension == "total":
        return "total"
    name = SDMX_DIMENSIONS[dimension]
    return "total" if codes[name] == "_T" else words.part(dimension, said[name])


def _sdmx_period(text: str) -> str:
    """`2012`, or a window such as `2012-01-01/P3Y` as the cube spells it: 2012/2014."""
    found = re.fullmatch(r"(\d{4})-01-01(?:T00:00:00)?/P(\d+)Y", text)
    return f"{found[1]}/{int(found[1]) + int(found[2]) - 1}" if found else text


# ---- questionnaires ----


def read_questionnaire(reading: Reading, path: Path, words: Words, *, full: bool = False) -> None:
    place = f"{path.parent.parent.name}/{path.name}"
    book = openpyxl.load_workbook(path, data_only=True)
    answers, crosswalk = book.worksheets[1], book.worksheets[2]
    indicators = {
        row[0]: words.titles[plain(str(row[2]))] for row in crosswalk.iter_rows(min_row=2, values_only=True) if row[0] is not None
    }
    for number, _question, period, breakdown, category, value, note, mark in answers.iter_rows(min_row=2, values_only=True):
        if number is None:
            continue
        table = words.tables.get(plain(str(breakdown)))
        cell = None if table is None else words.cell(table, str(category or ""))
        if table is None or cell is None:
            reading.unread.append(f"questionnaire: {place}: {number} {period} {breakdown} {category}")
            continue
        if table == "total":
            cell = "total" if value is not None else ""
        key = (indicators[number], "harmonised", table, _window(str(period)), cell)
        if full:
            reading.full.append((place, key, _number(value), str(mark)))
            continue
        flagged = _says_incomplete(words, str(note or ""))
        reading.figures.append(Figure("questionnaire", place, key, value if value is None else _number(value), incomplete=flagged))


def _window(text: str) -> str:
    """A year, or a window however it is spelled: two years, or a first year and a number of years."""
    years = re.findall(r"\d{4}", text)
    return f"{years[0]}/{years[1]}" if len(years) == 2 else years[0]


def _says_incomplete(words: Words, note: str) -> bool:
    return plain(words.label("note", "incomplete").partition("{")[0]) in plain(note)


# ---- `harmonia release show` ----


def read_show(reading: Reading, path: Path, words: Words) -> None:
    """A line a table: title, year or window, table, measure, and the printed cells in brackets the notes."""
    place = path.parent.name
    for line in path.read_text(encoding="utf-8").splitlines():
        parts = line.split(" | ")
        if len(parts) != 4:
            continue
        measure, _, cells = parts[3].partition(": ")
        table = words.tables.get(plain(parts[2]))
        indicator = words.titles.get(plain(parts[0]))
        kind = words.measures.get(plain(measure))
        if not (indicator and table and kind):
            reading.unread.append(f"release show: {place}: {line}")
            continue
        body, _, notes = cells.partition(" (" + words.label("note", "incomplete").partition("{")[0])
        for text in re.sub(r" \([^()]*\)$", "", body).split("; "):
            found = re.fullmatch(r"(.+): (\d+)", text)
            cell = words.cell(table, found[1]) if found else None
            if found and cell is not None:
                key = (indicator, kind, table, _window(parts[1]), cell)
                reading.figures.append(Figure("release show", place, key, int(found[2]), incomplete=bool(notes)))
            elif found or re.search(r": \d", text):
                reading.unread.append(f"release show: {place}: {text} in {line}")


# ---- the explorer ----


def read_explorer(reading: Reading, path: Path, public: Path) -> None:
    place = path.parent.name
    page = html.fromstring(path.read_text(encoding="utf-8"))
    held = json.loads(page.get_element_by_id("data").text)
    words = [Words(public, language) for language in held["languages"]]
    for indicator, measure, table, of, labels, value, notes, code in held["rows"]:
        key = (indicator, measure, table, of, code)
        flags = {_says_incomplete(one, note) for one, note in zip(words, notes, strict=True)}
        if len(flags) != 1:
            reading.unread.append(f"explorer: {place}: languages differ in the note of {key}")
        if code:
            for one, label in zip(words, labels, strict=True):
                said = one.cell(table, label)
                if said != code and table != "total":
                    reading.unread.append(f"explorer: {place}: {label} is {said}, the row says {code}: {key}")
        reading.figures.append(Figure("explorer", place, key, _number(value), incomplete=flags == {True}))
    template = page.get_element_by_id("cube")
    rows = list(csv.DictReader(StringIO(template.text_content())))
    _tables(reading, "explorer (download)", place, {"cube": rows, "bridge": [], "coverage": [], "revisions": []})


# ---- reports ----


@dataclass
class Grid:
    """A table of a report: caption, and rows of texts, the first of them the header."""

    caption: str = ""
    rows: list[list[str]] = field(default_factory=list)


@dataclass
class Pages:
    """A report as its reader sees it. Charts: caption and the text in the picture."""

    grids: list[Grid] = field(default_factory=list)
    charts: list[tuple[str, str]] = field(default_factory=list)


def html_pages(path: Path) -> Pages:
    page = html.fromstring(path.read_text(encoding="utf-8"))
    pages = Pages()
    for table in page.iter("table"):
        caption = table.find("caption")
        rows = [[cell.text_content().strip() for cell in row if cell.tag in ("th", "td")] for row in table.iter("tr")]
        pages.grids.append(Grid("" if caption is None else caption.text_content(), rows))
    for figure in page.iter("figure"):
        caption = figure.find("figcaption")
        pages.charts.append(("" if caption is None else caption.text_content(), "".join(figure.xpath(".//*[local-name()='text']/text()"))))
    return pages


def pdf_pages(path: Path) -> Pages:
    """The PDF's own structure tree with its text, as poppler prints it."""
    printed = subprocess.run(["pdfinfo", "-struct-text", str(path)], check=True, capture_output=True, text=True).stdout
    pages, stack = Pages(), []
    for line in printed.splitlines():
        depth = len(line) - len(line.lstrip())
        said = line.strip()
        stack = [(d, name) for d, name in stack if d < depth]
        names = [name for _, name in stack]
        if said.startswith('"'):
            _pdf_text(pages, names, said[1:].removesuffix('"'))
            continue
        name = re.split(r"[\s:(<]", said, maxsplit=1)[0]
        if not name or name.startswith("/"):
            continue
        stack.append((depth, name))
        if name == "Table":
            pages.grids.append(Grid())
        elif name == "TR":
            pages.grids[-1].rows.append([])
        elif name in ("TH", "TD"):
            pages.grids[-1].rows[-1].append("")
        elif name == "Figure" and "Figure" not in names:
            pages.charts.append(("", ""))
    return pages


def _pdf_text(pages: Pages, names: list[str], text: str) -> None:
    if "Figure" in names:
        caption, drawn = pages.charts[-1]
        pages.charts[-1] = (caption + text, drawn) if "Caption" in names else (caption, drawn + text)
    elif "Table" in names and "Caption" in names:
        pages.grids[-1].caption += text
    elif "TH" in names or "TD" in names:
        pages.grids[-1].rows[-1][-1] += text


def read_report(reading: Reading, path: Path, words: Words, cube: dict[Key, Figure]) -> None:
    """A report as page or PDF. `cube` says how categories are joined and what is not shown; no figure is taken from it."""
    form = f"report ({path.suffix[1:]})"
    place = f"{path.parent.parent.name}/{path.name}"
    pages = html_pages(path) if path.suffix == ".html" else pdf_pages(path)
    reader = _ReportReader(reading, form, place, words, cube, _institutions(pages, words))
    for grid in pages.grids:
        reader.grid(grid)
    for caption, drawn in pages.charts:
        reader.chart(caption, drawn)


def _institutions(pages: Pages, words: Words) -> dict[str, str]:
    """Institutions by the name that the report gives them, by its table of definitions."""
    found: dict[str, str] = {}
    for row in (row for grid in pages.grids for row in grid.rows if len(row) == 3):
        sources = words.sources.get(words.titles.get(plain(row[0]), ""), [])
        names = [plain(name) for name in row[2].split(",")]
        if len(sources) == len(names):
            found |= dict(zip(names, sources, strict=True))
    return found


NUMBER = re.compile(r"^([−-]?\d+)(\*?)$")


class _ReportReader:
    def __init__(self, reading: Reading, form: str, place: str, words: Words, cube: dict[Key, Figure], institutions: dict[str, str]):
        self.reading, self.form, self.place, self.words, self.cube, self.institutions = reading, form, place, words, cube, institutions
        self.state_words: dict[str, str] = {}

    def grid(self, grid: Grid) -> None:
        rows = [row for row in grid.rows if any(row)]
        if len(rows) < 2:
            return
        header = rows[0]
        breakdown = self._breakdown(grid.caption)
        if breakdown:
            self._breakdown_rows(breakdown, rows[1:])
        elif all(re.fullmatch(r"\d{4}-Q\d", name) for name in header[1:]):
            self._coverage(header, rows[1:])
        elif any(re.match(r"\d{4}:", name) for name in header):
            self._key_figures(header, rows[1:])
        elif len(header) == 4 and all(plain(row[0]) in self.words.titles for row in rows[1:]):
            self._bridge(rows[1:])
        elif len(header) == 3 and all(plain(row[0]) in self.words.titles and len(row) in (2, 3) for row in rows[1:]):
            quarter = re.findall(r"\d+", grid.caption)
            if len(quarter) == 2:
                self._quarter(next(one for one in quarter if len(one) == 4), rows[1:])
            elif not _is_definitions(self.words, rows[1:]):
                self._unread(f"table {grid.caption} {header}")
        elif not _has_percentages(rows[1:]) and not _is_definitions(self.words, rows[1:]):
            self._unread(f"table {grid.caption} {header}")

    def _unread(self, what: str) -> None:
        self.reading.unread.append(f"{self.form}: {self.place}: {what}")

    def _breakdown(self, caption: str) -> tuple[str, str, str] | None:
        """Indicator, table and year or window of a caption such as `Victims identified, 2013: by sex`."""
        said = plain(caption)
        for title, indicator in self.words.titles.items():
            for label, table in self.words.tables.items():
                if said.startswith(title + ",") and said.endswith(":" + label):
                    between = said[len(title) + 1 : -len(label) - 1]
                    if re.fullmatch(r"\d{4}(\D+\d{4}.*)?", between):
                        return indicator, table, _window(between)
        return None

    def _add(self, key: Key, text: str) -> None:
        """A figure as it is shown; a mark in its place says that it is not shown separately."""
        found = NUMBER.match(text.strip().replace(" ", ""))
        statuses = ("no_delivery", "not_shown", "not_broken_down")
        nothing = {NOT_SHOWN, NONE, "", *(plain(self.words.label("status", status)) for status in statuses)}
        fewer = plain(self.words.label("status", "fewer_than")).partition("{")[0]
        if not found and plain(text) not in nothing and not plain(text).startswith(fewer):
            self._unread(f"{text} for {key}")
            return
        value = int(found[1].replace("−", "-")) if found else None
        self.reading.figures.append(Figure(self.form, self.place, key, value, incomplete=bool(found and found[2]) if found else None))

    def _breakdown_rows(self, breakdown: tuple[str, str, str], rows: list[list[str]]) -> None:
        indicator, table, of = breakdown
        for row in rows:
            if len(row) != 2:
                continue
            cell = self.words.cell(table, row[0])
            if cell is None:
                self._unread(f"{row} of {breakdown}")
                continue
            self._add((indicator, "harmonised", table, of, cell), row[1])

    def _key_figures(self, header: list[str], rows: list[list[str]]) -> None:
        year = next(found[1] for name in header if (found := re.match(r"(\d{4}):", name)))
        columns: list[tuple[str, str, str]] = []
        parts = iter([("offence_group", "trafficking"), ("offence_group", "prostitution")])
        for name in header[1:]:
            columns.append(("total", name[:4], "total") if re.match(r"\d{4}(:|$)", name) else (*_inserted(next(parts), year),))
        for row in rows:
            indicator = self.words.titles.get(plain(row[0]))
            if indicator is None or len(row) != len(columns) + 1:
                self._unread(f"{row}")
                continue
            for (table, of, cell), text in zip(columns, row[1:], strict=True):
                self._add((indicator, "harmonised", table, of, cell), text)

    def _quarter(self, year: str, rows: list[list[str]]) -> None:
        for row in rows:
            indicator = self.words.titles[plain(row[0])]
            cell = self.words.part("quarter", row[2]) if len(row) > 2 else None
            self._add((indicator, "harmonised", "quarter", year, cell or ""), row[1])

    def _coverage(self, header: list[str], rows: list[list[str]]) -> None:
        for row in rows:
            institution = self.institutions.get(plain(row[0]))
            if institution is None:
                self._unread(f"coverage of {row[0]}")
                continue
            for period, state in zip(header[1:], row[1:], strict=True):
                self.reading.coverage.append((f"{self.form} {self.words.language}", self.place, institution, period, plain(state)))

    def _bridge(self, rows: list[list[str]]) -> None:
        year = re.search(r"-(\d{4})-", self.place.rpartition("/")[2])
        period = year[1] if year else ""
        hidden = plain(self.words.label("status", "not_broken_down")).rstrip(".")
        for row in rows:
            indicator = self.words.titles[plain(row[0])]
            for measure, text in (("as_reported", row[1]), ("harmonised", row[2])):
                self._add((indicator, measure, "total", period, "total"), text)
            said, alone = plain(row[3]) if len(row) > 3 else "", frozenset[str]()
            for causes, n in re.findall(rf"(.+?):([−+-]?\d+|{re.escape(hidden)})(?:;|$)", said):
                found = self.words.causes_of(causes, alone)
                alone |= found or frozenset()
                if found is None:
                    self._unread(f"causes {causes}")
                    continue
                value = None if n == hidden else int(n.replace("−", "-"))
                self.reading.lines.append(Line(self.form, self.place, indicator, period, found, value))
            if said and not re.search(rf"([−+-]?\d+|{re.escape(hidden)})$", said):
                self._unread(f"causes {said}")

    def chart(self, caption: str, drawn: str) -> None:
        indicator = self.words.titles.get(plain(caption))
        said = plain(drawn)
        if indicator:
            self.reading.trends.append(Trend(self.form, self.place, indicator, re.sub(r"[^\d*]", "", said)))
            return
        year = re.search(r"-(\d{4})-", self.place.rpartition("/")[2])
        titles = "|".join(re.escape(title) for title in sorted(self.words.titles, key=len, reverse=True))
        found = re.findall(rf"(\d+\*?|{NOT_SHOWN}|{NONE})({titles})", said)
        if not found or not year:
            self._unread(f"chart {caption} {drawn[:60]}")
        for text, title in found:
            self._add((self.words.titles[title], "harmonised", "offence_group", year[1] if year else "", "trafficking"), text)


def _inserted(part: tuple[str, str], year: str) -> tuple[str, str, str]:
    return part[0], year, part[1]


def _has_percentages(rows: list[list[str]]) -> bool:
    return all(cell.endswith("%") for row in rows for cell in row[1:])


def _is_definitions(words: Words, rows: list[list[str]]) -> bool:
    return all(len(row) == 3 and not re.search(r"\d", row[1]) for row in rows if plain(row[0]) in words.titles)


# ---- all of them ----


def read_release(release: Path, forms: Path, explorer: Path) -> Reading:
    """All public forms of a release: its own files, and in `forms` what was made of it (package, sdmx, questionnaires, reports)."""
    reading = Reading()
    public = release / "public"
    date.fromisoformat(release.name)
    read_csv(reading, public)
    read_parquet(reading, public)
    cube = {figure.key: figure for figure in reading.figures if figure.form == "csv"}
    if explorer.exists():
        read_explorer(reading, explorer, public)
    if not forms.exists():
        return reading
    words = {language: Words(public, language) for language in LANGUAGES}
    if (forms / "package").exists():
        read_package(reading, forms / "package")
    if (forms / "sdmx").exists():
        read_sdmx(reading, forms / "sdmx", words["en"])
    for path in sorted((forms / "questionnaires").glob("*.xlsx")):
        read_questionnaire(reading, path, words[path.stem.rpartition("-")[2]])
    if (forms / "show.txt").exists():
        read_show(reading, forms / "show.txt", words["en"])
    for path in sorted((forms / "full").glob("*.xlsx")):
        read_questionnaire(reading, path, words["en"], full=True)
    for path in _reports(forms):
        read_report(reading, path, words[path.stem.rpartition("-")[2]], cube)
    return reading


def _reports(forms: Path) -> Iterator[Path]:
    yield from sorted(path for path in (forms / "reports").glob("*") if path.suffix in (".html", ".pdf"))
