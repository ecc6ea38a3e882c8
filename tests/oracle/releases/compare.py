"""Printed figures and lines of the bridge against the warehouse that each says it knows. What differs is named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.oracle.releases.expected import OF_VICTIMS, Warehouse, published_categories, years_of
from tests.oracle.releases.forms import read_release
from tests.oracle.releases.printed import Figure, Key, Line, Reading, Trend

VALUE_STATUS = ("shown", "joined")


@dataclass
class Result:
    """What was compared, by form, and what differs, each named."""

    figures: Counter[str] = field(default_factory=Counter)
    lines: Counter[str] = field(default_factory=Counter)
    wrong_figures: list[tuple[str, str]] = field(default_factory=list)  # form, what differs
    wrong_lines: list[tuple[str, str]] = field(default_factory=list)
    not_flagged: list[tuple[str, str]] = field(default_factory=list)  # incomplete without a sign, or the reverse
    other: list[tuple[str, str]] = field(default_factory=list)  # states, revisions, status, what could not be read or is absent

    @property
    def faults(self) -> list[tuple[str, str]]:
        return self.wrong_figures + self.wrong_lines + self.not_flagged + self.other

    def add(self, other: Result) -> None:
        self.figures += other.figures
        self.lines += other.lines
        for name in ("wrong_figures", "wrong_lines", "not_flagged", "other"):
            getattr(self, name).extend(getattr(other, name))


def same_cell(key: Key) -> Key:
    """The key with joined categories in one order, whatever order a form prints. A total has one cell, printed or not."""
    indicator, measure, table, of, cell = key
    cell = "total" if table == "total" else "|".join("+".join(sorted(part.split("+"))) for part in cell.split("|"))
    return indicator, measure, table, of, cell


class Comparison:
    """One release of a history, with the warehouses of it and of all releases before it."""

    def __init__(self, name: str, warehouses: dict[str, Warehouse], reading: Reading, before: dict[str, Reading]):
        self.name, self.warehouses, self.reading, self.before = name, warehouses, reading, before
        self.cube = {same_cell(figure.key): figure for figure in reading.figures if figure.form == "csv"}
        self.known_lines = {(line.indicator, line.period, line.causes): line for line in reading.lines if line.form == "csv"}
        self.result = Result()

    def run(self) -> Result:
        for figure in self.reading.figures:
            self._figure(figure)
        for line in self.reading.lines:
            self._line(line)
        for trend in self.reading.trends:
            self._trend(trend)
        self._full()
        self._lag()
        self._whole_cube()
        self._all_causes()
        self._coverage()
        self._revisions()
        self.result.other += [(text.partition(":")[0], f"not read: {text}") for text in self.reading.unread]
        return self.result

    # ---- figures ----

    def _known(self, figure: Figure, year: str) -> Warehouse | None:
        """The warehouse that a figure counts. A window counts each of its years as the year's printed part of trafficking does."""
        indicator, measure, _, of, _ = figure.key
        printed = self.cube.get(same_cell(figure.key))
        if "/" in of:
            printed = self.cube.get((indicator, measure, "offence_group", year, "trafficking"))
            return self.warehouses.get((printed.known if printed else None) or "")
        known = figure.known or (printed.known if printed else None)
        return self.warehouses.get(known or "")

    def _expected(self, figure: Figure, cell: str) -> tuple[int | None, bool, frozenset[str]] | None:
        """Value, incomplete and missing; None where the release has no such figure."""
        indicator, measure, table, of, _ = figure.key
        found: list[tuple[int | None, tuple[bool, frozenset[str]]]] = []
        for year in years_of(of):
            warehouse = self._known(figure, year)
            if warehouse is None:
                return None
            found.append((warehouse.figure(indicator, measure, table, year, cell), warehouse.state(indicator, year)))
        values = [value for value, _ in found]
        value = None if None in values else sum(one for one in values if one is not None)
        return value, any(incomplete for _, (incomplete, _) in found), frozenset().union(*(missing for _, (_, missing) in found))

    def _figure(self, figure: Figure) -> None:
        cell = figure.key[4]
        printed = self.cube.get(same_cell(figure.key))
        if figure.value is None:
            self._without_value(figure, printed)
            return
        self.result.figures[figure.form] += 1
        expected = self._expected(figure, cell)
        if expected is None:
            self.result.wrong_figures.append((figure.form, f"{figure}: the release has no such figure"))
            return
        value, incomplete, missing = expected
        if value != figure.value:
            known = figure.known or (printed.known if printed else "")
            self.result.wrong_figures.append((figure.form, f"{figure}: printed {figure.value}, warehouse {value} (known {known})"))
        if figure.status in VALUE_STATUS and (figure.status == "joined") != ("+" in cell):
            self.result.other.append((figure.form, f"{figure}: status {figure.status}"))
        if figure.incomplete is not None and figure.incomplete != incomplete:
            self.result.not_flagged.append((figure.form, f"{figure}: incomplete {figure.incomplete}, warehouse {incomplete}"))
        elif figure.missing is not None and figure.missing != missing:
            self.result.not_flagged.append((figure.form, f"{figure}: missing {sorted(figure.missing)}, warehouse {sorted(missing)}"))

    def _without_value(self, figure: Figure, printed: Figure | None) -> None:
        if figure.form != "csv" and printed is not None and printed.value is not None:
            self.result.wrong_figures.append((figure.form, f"{figure}: not printed, the cube has {printed.value}"))
        if figure.status not in ("no_delivery", "fewer_than"):
            return
        found = self._expected(figure, "total" if figure.key[2] == "total" else "trafficking")
        value = found[0] if found else None
        self.result.figures[figure.form] += 1
        if figure.status == "no_delivery" and (found is None or value is not None):
            self.result.wrong_figures.append((figure.form, f"{figure}: no delivery, warehouse {value}"))
        if figure.status == "fewer_than" and (value is None or figure.limit is None or value >= figure.limit):
            self.result.wrong_figures.append((figure.form, f"{figure}: fewer than {figure.limit}, warehouse {value}"))

    def _lag(self) -> None:
        """A printed total of a year lags the records by up to 4 (docs/reference/releases.md)."""
        for (indicator, measure, table, of, cell), figure in self.cube.items():
            if table != "total" or figure.value is None:
                continue
            now = self.warehouses[self.name].figure(indicator, measure, table, of, cell)
            if now is not None and abs(now - figure.value) > 4:
                differs = f"printed {figure.value} (known {figure.known}), the records now make {now}"
                self.result.other.append(("csv", f"{self.name}: {indicator} {measure} total {of}: {differs}"))

    def _trend(self, trend: Trend) -> None:
        years = sorted({key[3] for key in self.cube if key[0] == trend.indicator and key[2] == "total" and "/" not in key[3]})
        shown = [year for year in years if year in trend.digits]
        digits, flagged = "", False
        for year in shown:
            for table, cell in (("total", "total"), ("offence_group", "trafficking")):
                key = (trend.indicator, "harmonised", table, year, cell)
                printed = self.cube.get(key)
                if printed is None or printed.value is None:
                    continue
                warehouse = self.warehouses[printed.known or ""]
                digits += str(warehouse.figure(*key))
                flagged |= warehouse.state(trend.indicator, year)[0]
                self.result.figures[trend.form] += 1
            digits += year
        if digits != trend.digits.replace("*", ""):
            self.result.wrong_figures.append((trend.form, f"{trend.place}: chart of {trend.indicator}: {trend.digits}, warehouse {digits}"))
        if flagged and "*" not in trend.digits:
            self.result.not_flagged.append((trend.form, f"{trend.place}: chart of {trend.indicator}: {trend.digits} without a sign"))

    def _full(self) -> None:
        """A transmission in full holds the exact figures of the release's own day; F marks those that are published so."""
        form = "questionnaire in full"
        for place, key, value, mark in self.reading.full:
            self.result.figures[form] += 1
            indicator, measure, table, of, cell = key
            expected = self.warehouses[self.name].figure(indicator, measure, table, of, cell)
            if expected != value:
                self.result.wrong_figures.append((form, f"{form}: {place}: {' '.join(key)}: {value}, warehouse {expected}"))
            printed = self.cube.get(key)
            if mark == "F" and (printed is None or printed.value != value):
                published = printed.value if printed else None
                self.result.other.append((form, f"{form}: {place}: {' '.join(key)}: {value} is marked F, published {published}"))

    # ---- the bridge ----

    def _line(self, line: Line) -> None:
        self.result.lines[line.form] += 1
        printed = self.known_lines.get((line.indicator, line.period, line.causes))
        known = line.known or (printed.known if printed else None)
        warehouse = self.warehouses.get(known or "")
        if warehouse is None:
            self.result.wrong_lines.append((line.form, f"{line}: no such line in the release"))
            return
        causes = warehouse.bridge.get((line.indicator, line.period), {})
        expected = sum(causes.get(cause, 0) for cause in line.causes)  # a cause without records is joined too
        if line.n is not None and line.n != expected:
            self.result.wrong_lines.append((line.form, f"{line}: printed {line.n}, warehouse {expected} (known {known})"))

    def _all_causes(self) -> None:
        """A bridge that is printed names every cause once."""
        for form in {line.form for line in self.reading.lines}:
            by_key: dict[tuple[str, str, str, str], list[Line]] = {}
            for line in self.reading.lines:
                if line.form == form:
                    by_key.setdefault((line.place, line.indicator, line.period, line.form), []).append(line)
            for (place, indicator, period, _), lines in by_key.items():
                printed = self.known_lines.get((indicator, period, lines[0].causes))
                warehouse = self.warehouses.get(lines[0].known or (printed.known if printed else "") or "")
                if warehouse is None:
                    continue
                named = Counter(cause for line in lines for cause in line.causes)
                absent = warehouse.bridge.get((indicator, period), {}).keys() - named.keys()
                twice = [cause for cause, n in named.items() if n > 1]
                if absent or twice:
                    self.result.other.append(
                        (form, f"{place}: bridge of {indicator} {period}: absent {sorted(absent)}, named twice {sorted(twice)}")
                    )

    # ---- texts beside the figures ----

    def _whole_cube(self) -> None:
        """Forms that hold the whole cube lack nothing of it; the categories of a printed table are all there, each once."""
        for form in ("parquet", "package", "package (parquet)", "sdmx", "explorer", "explorer (download)"):
            found = {same_cell(figure.key) for figure in self.reading.figures if figure.form == form}
            if not found:
                continue
            for key in self.cube.keys() - found:
                self.result.wrong_figures.append((form, f"{form}: {self.name}: {' '.join(key)}: absent"))
            for key in found - self.cube.keys():
                self.result.wrong_figures.append((form, f"{form}: {self.name}: {' '.join(key)}: not in the cube"))
        tables: dict[tuple[str, str, str, str], list[str]] = {}
        for indicator, measure, table, of, cell in self.cube:
            if cell and table not in ("total", "sex_age_group"):
                tables.setdefault((indicator, measure, table, of), []).extend(cell.split("+"))
        for (indicator, measure, table, of), cells in tables.items():
            wanted = self._categories(indicator, measure, table)
            total = self.cube.get((indicator, measure, "total", of, "total"))
            if table == "offence_group" and total is not None and total.status == "not_shown":
                wanted = ["trafficking"]
            if sorted(cells) != sorted(wanted):
                self.result.other.append(
                    ("csv", f"{indicator} {measure} {table} {of}: categories {sorted(cells)}, expected {sorted(wanted)}")
                )

    def _categories(self, indicator: str, measure: str, table: str) -> list[str]:
        if table == "quarter":
            return ["Q1", "Q2", "Q3", "Q4"]
        if table == "offence_group" and measure == "as_reported":
            return ["trafficking", "rest"]
        if table == "offence_group" and indicator in OF_VICTIMS:
            return ["trafficking", "other"]
        return list(self.warehouses[self.name].categories[table])

    def _coverage(self) -> None:
        states = self.warehouses[self.name].coverage
        words: dict[tuple[str, str], set[str]] = {}
        for form, place, institution, period, state in self.reading.coverage:
            expected = states.get((institution, period))
            if form.startswith("report"):  # in words of its language: one word for each state
                words.setdefault((form, state), set()).add(str(expected))
            elif state != expected:
                self.result.other.append((form, f"{place}: coverage of {institution} {period}: {state}, warehouse {expected}"))
        for (form, word), meant in words.items():
            if len(meant) > 1:
                self.result.other.append((form.rpartition(" ")[0], f"{self.name}: {form}: {word} stands for {sorted(meant)}"))

    def _revisions(self) -> None:
        """Figures that say otherwise than in the release before, each with both values; `revised` follows from earlier cubes."""
        if not self.before:
            return
        last = list(self.before.values())[-1]
        earlier = {same_cell(figure.key): figure for figure in last.figures if figure.form == "csv"}
        changed = {
            key: (earlier[key].value, figure.value)
            for key, figure in self.cube.items()
            if key in earlier and (earlier[key].value, earlier[key].status) != (figure.value, figure.status)
        }
        for form in ("csv", "parquet", "package"):
            listed = {same_cell(key): (before, after) for one, _, key, before, after in self.reading.revisions if one == form}
            if form != "csv" and not listed and not any(figure.form == form for figure in self.reading.figures):
                continue
            for key in changed.keys() - listed.keys():
                self.result.other.append((form, f"{self.name}: {' '.join(key)}: revised {changed[key]}, not in revisions"))
            for key, values in listed.items():
                if key in changed and changed[key] != values:
                    self.result.other.append((form, f"{self.name}: {' '.join(key)}: revisions say {values}, printed {changed[key]}"))
        for key, figure in self.cube.items():
            past = [
                (one.value, one.status)
                for reading in self.before.values()
                for one in reading.figures
                if one.form == "csv" and same_cell(one.key) == key
            ]
            otherwise = any(one != (figure.value, figure.status) for one in past)
            if figure.revised is not None and figure.revised != otherwise and past:
                self.result.other.append(("csv", f"{self.name}: {' '.join(key)}: revised {figure.revised}, earlier releases {past}"))


def releases_of(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "releases").iterdir() if (path / "public").is_dir())


def compare_history(history: Path) -> Iterator[tuple[str, Result]]:
    """Every release of a history (a folder as `history` writes it), each with what differs."""
    home = history / "home"
    categories = published_categories(home)
    names = releases_of(home)
    warehouses = {name: Warehouse(history / "warehouses" / f"{name}.duckdb", categories) for name in names}
    before: dict[str, Reading] = {}
    for name in names:
        reading = read_release(home / "releases" / name, history / "forms" / name, home / "explorer" / name / "index.html")
        known = {one: warehouses[one] for one in names if one <= name}
        yield name, Comparison(name, known, reading, dict(before)).run()
        before[name] = reading
