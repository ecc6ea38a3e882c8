"""Yardsticks: figures that institutions published themselves, compared with the warehouse's `as_reported`. No figure depends on them.

Belongs here: the file format (docs/reference/yardsticks.md), which figures can be compared, the gap, the published table. Does not belong
here: receiving files (`pipelines.landing`), reading the warehouse, showing the gaps (`harmonia`).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from harmonia.errors import HarmoniaError
from schemas.topic import topic
from schemas.yaml_declarations import read_declaration
from sources import contract
from sources.completeness_states import COMPLETE, MISSING, UNREADABLE
from warehouse import tables
from warehouse.indicators import DIMENSIONS, indicators

FILE_COLUMNS = ("institution", "indicator", "period", "offence_group", "unit", "value", "source")
LINE_COLUMNS = ("file", "line", *FILE_COLUMNS, "kind", "rule", "why")
"""The columns of the lines of yardstick files that a run reads; all cells are text. `file` is the path in the inbox. A file that is not in
the right format becomes one line, in which `rule` and `why` say what is wrong; both are null in all other lines."""
GAP_COLUMNS = (
    "indicator",
    "period",
    "offence_group",
    "institutions",
    "published",
    "as_reported",
    "gap",
    "gap_percent",
    "incomplete",
    "source",
    "line",
)
UNCOMPARED_COLUMNS = ("line", "institution", "indicator", "period", "rule", "why")
PROBLEM_COLUMNS = ("file", "line", "rule", "why")
PUBLISHED, RETURN, RETURN_OF_COUNTS = "published", "return", "return of counts"
TOTAL = "total"
NO_FIGURE, NOTHING_READ = "yardstick-no-figure", "yardstick-nothing-read"
"""The rules that say why a figure is not compared although nothing is wrong with it. Such figures are in the published table, without a
gap."""
FigureKey = tuple[str, str, str]
"""Indicator, period and offence group."""
_PERIOD = re.compile(r"(?:19|20)[0-9]{2}(?:-Q[1-4])?")
_MAX_BYTES = 16 << 20
_MAX_SOURCE_LENGTH = 300  # characters
_RuleAndReason = tuple[str, str] | None
_REPEATED = ("yardstick-twice", "the line repeats an earlier line, which is compared: leave it out")


@dataclass(frozen=True)
class YardstickTolerance:
    """How large the gap to a yardstick may be before it is reported, as declared in `yardsticks.yaml`."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    share: float
    least: int


@cache
def read_tolerance() -> YardstickTolerance:
    """Return how large the gap to a yardstick may be before it is reported."""
    return read_declaration(YardstickTolerance, Path(__file__).with_suffix(".yaml"))


class YardstickFormatError(Exception):
    """A file of yardsticks is not in the documented format.

    remedy: what to do, without any text of the file; line: the number of the faulty line, if it is one; details: text of the file.
    """

    def __init__(self, remedy: str, line: int | None = None, details: str = "") -> None:
        super().__init__(f"{details}{remedy}")
        self.remedy, self.line = remedy, line


def read_yardstick_file(path: Path) -> pd.DataFrame:
    """Read a file of yardsticks and return its lines, with the columns `FILE_COLUMNS` (as text) and `line` (the number of the line).

    Raises `HarmoniaError`, which says what to do, if the file cannot be read or is not in the documented format.
    """
    try:
        return _parse_yardstick_file(path)
    except OSError as error:
        raise HarmoniaError(f"{path}: cannot be read: {error.strerror}") from None
    except YardstickFormatError as error:
        raise HarmoniaError(f"{path}: {error}") from None


def read_landed_yardstick_files(files: Iterable[tuple[str, Path]]) -> pd.DataFrame:
    """Read landed files and return their lines (`LINE_COLUMNS`); a damaged file becomes one line that says why it cannot be read.

    files: for each file its path in the inbox, and the path where its content is stored.
    """
    parts = [pd.DataFrame(columns=list(LINE_COLUMNS))]
    for name, path in files:
        try:
            parts.append(_parse_yardstick_file(path).assign(file=name, kind=PUBLISHED))
        except YardstickFormatError as error:
            parts.append(pd.DataFrame([{"file": name, "line": error.line, "rule": "yardstick-form", "why": error.remedy}]))
    lines = pd.concat(parts[1:], ignore_index=True).reindex(columns=list(LINE_COLUMNS)) if parts[1:] else parts[0]
    return lines.astype({name: "Int64" if name == "line" else "str" for name in LINE_COLUMNS})


def convert_counts_of_returns_to_yardsticks(returns: pd.DataFrame) -> pd.DataFrame:
    """Convert returns of counts, which are figures that an institution delivers instead of records, to lines of yardsticks.

    returns: columns `pipelines.returned_counts.RETURNED_COUNT_COLUMNS`. Columns out: `LINE_COLUMNS`.
    """
    units = {code: indicator.unit for code, indicator in indicators().items()}
    lines = returns.assign(
        file=returns["institution"] + "/" + returns["delivery"],
        unit=returns["indicator"].map(units),
        value=returns["value"].astype("str").fillna(""),
        source=RETURN_OF_COUNTS,
        kind=RETURN,
    ).reindex(columns=list(LINE_COLUMNS))
    return lines.astype({name: "Int64" if name == "line" else "str" for name in LINE_COLUMNS})


def _parse_yardstick_file(path: Path) -> pd.DataFrame:
    """Return the lines of a file, with the columns `FILE_COLUMNS` (as text) and `line` (the number of the line).

    Raises `YardstickFormatError` if the file is not in the documented format.
    """
    not_csv = YardstickFormatError("is not a small CSV file in UTF-8: export it as “CSV UTF-8”")
    if path.stat().st_size > _MAX_BYTES:
        raise not_csv
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise not_csv from None
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        rows = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        line = reader.reader.line_num
        raise YardstickFormatError(f"line {line} is not CSV ({error}): correct it", line) from None
    header = [name.strip() for name in reader.fieldnames or ()]
    if sorted(header) != sorted(FILE_COLUMNS):
        remedy = f"the columns must be {', '.join(FILE_COLUMNS)}, separated by commas"
        raise YardstickFormatError(remedy, 1, f"the columns are {', '.join(header) or 'none'}: ")
    if uneven := [line for line, row in rows if None in row or None in row.values()]:
        raise YardstickFormatError(f"line {uneven[0]} has more or fewer cells than the header: correct it", uneven[0])
    lines = pd.DataFrame(
        [{"line": line, **{str(k).strip(): v.strip() for k, v in row.items()}} for line, row in rows], columns=["line", *FILE_COLUMNS]
    )
    return lines.astype(dict.fromkeys(FILE_COLUMNS, "str")).assign(offence_group=lambda frame: frame["offence_group"].replace("", TOTAL))


@dataclass(frozen=True)
class FiguresByInstitution:
    """Figures of each institution, which count the records of that institution only.

    figures: the figures, with the columns indicator, institution, period, offence_group, as_reported; a figure without a row is 0.
    coverage: the state of each institution's deliveries, with the columns institution, period, state.
    """

    figures: pd.DataFrame
    coverage: pd.DataFrame

    @cached_property
    def _as_reported(self) -> Mapping[Any, int]:
        return dict(self.figures.set_index(["indicator", "institution", "period", "offence_group"])["as_reported"])

    @cached_property
    def _state(self) -> Mapping[Any, str]:
        return dict(self.coverage.set_index(["institution", "period"])["state"])

    def for_institution(self, institution: str, key: FigureKey, all_institutions: Mapping[Any, Any]) -> dict[str, Any]:
        """Return `as_reported`, `harmonised` and `incomplete` of an institution's figure.

        all_institutions: the figure of all institutions, from `statistics`. If the institution delivers no records, this figure is returned
        unchanged. Otherwise `harmonised` is null if the indicator counts other institutions too.
        """
        if not contract.load(institution).has_records:
            return dict(all_institutions)
        code, period, group = key
        state = self._state.get((institution, period), MISSING)
        return {
            "as_reported": None if state in (MISSING, UNREADABLE) else self._as_reported.get((code, institution, period, group), 0),
            "harmonised": all_institutions["harmonised"] if indicators()[code].institutions == (institution,) else None,
            "incomplete": state != COMPLETE,
        }


def compare_yardsticks_with_statistics(lines: pd.DataFrame, statistics: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compare the lines of a file of yardsticks with the figures of the warehouse, which count all institutions together.

    lines: the result of `read_yardstick_file`. statistics: the table of the warehouse. If an indicator counts several institutions, the
    lines of one source are added up before the comparison. Returns the gaps (`GAP_COLUMNS`), and the lines that cannot be compared, each
    with what to do (`UNCOMPARED_COLUMNS`). `gap` is `as_reported` minus the figure that the institution published; `gap_percent` is the gap
    as a percentage of that figure, null if the figure is 0.
    """
    lines = lines.reindex(columns=list(LINE_COLUMNS)).assign(kind=PUBLISHED)
    figures, uncompared = _compare_yardstick_lines(lines, statistics, None, lambda value: f"{value!r} ")
    gaps = figures.loc[figures["rule"].isna(), list(GAP_COLUMNS)].reset_index(drop=True)
    return gaps.astype(dict.fromkeys(("published", "as_reported", "gap", "line"), "int64")), uncompared[list(UNCOMPARED_COLUMNS)]


def build_yardstick_table(
    lines: pd.DataFrame, statistics: pd.DataFrame, institution_figures: pd.DataFrame, coverage: pd.DataFrame
) -> pd.DataFrame:
    """Return the rows of the published table `yardstick`.

    lines: the lines of yardsticks (`LINE_COLUMNS`). statistics: the table of the warehouse. institution_figures, coverage: the parameters
    of `FiguresByInstitution`.
    """
    figures, _ = _compare_yardstick_lines(lines, statistics, FiguresByInstitution(institution_figures, coverage))
    allowed = figures["published"].mul(read_tolerance().share).clip(lower=read_tolerance().least)
    exceeds = figures["gap"].abs().gt(allowed).fillna(False) & ~figures["incomplete"]
    rows = tables.conform_frame(tables.YARDSTICK, figures.assign(institution=figures["institutions"], exceeds_tolerance=exceeds))
    return rows.sort_values(list(rows.columns), ignore_index=True)


def find_yardstick_lines_with_problems(
    lines: pd.DataFrame, statistics: pd.DataFrame, institution_figures: pd.DataFrame, coverage: pd.DataFrame
) -> pd.DataFrame:
    """Return the lines that cannot be compared (`PROBLEM_COLUMNS`). The column `why` also says what to do; it contains no text of the file.

    The parameters are those of `build_yardstick_table`.
    """
    _, uncompared = _compare_yardstick_lines(lines, statistics, FiguresByInstitution(institution_figures, coverage))
    return uncompared[list(PROBLEM_COLUMNS)].astype({name: "Int64" if name == "line" else "str" for name in PROBLEM_COLUMNS})


def _compare_yardstick_lines(
    lines: pd.DataFrame,
    statistics: pd.DataFrame,
    institution_figures: FiguresByInstitution | None,
    quote: Callable[[object], str] = lambda _: "",
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compare the figures that institutions published with those of the warehouse.

    institution_figures: if given, each institution's figure is compared with the figure that counts only its own records; if None, the sum
    of the institutions' figures is compared with `statistics`. quote: a function that formats a cell of the file for a message.
    Returns the figures (columns `GAP_COLUMNS`, kind, unit, harmonised, and rule, which is null if the figure was compared), and the lines
    that were not compared (`LINE_COLUMNS`). A figure is one row for a source, indicator, period and offence group.
    """
    problems = [None if pd.notna(line["rule"]) else _find_problem_of_line(line, quote) for line in lines.to_dict("records")]
    faulty = pd.Series([problem is not None for problem in problems], index=lines.index, dtype="bool")
    uncompared = [lines[lines["rule"].notna()], _add_reasons_of_problems(lines[faulty], [problem for problem in problems if problem])]
    other_dimensions = [name for name in DIMENSIONS if name != "offence_group"]
    totals = statistics[(statistics[other_dimensions] == TOTAL).all(axis=1)]
    warehouse_figures = {(str(row["indicator"]), str(row["period"]), str(row["offence_group"])): row for row in totals.to_dict("records")}
    figures = []
    valid = lines[~faulty & lines["rule"].isna()]
    repeated = _is_repeated_line(valid)
    uncompared.append(_add_reasons_of_problems(valid[repeated], [_REPEATED] * int(repeated.sum())))
    valid = valid[~repeated]
    without_records = [name for name in contract.institutions() if not contract.load(name).has_records]  # part of no sum
    compared_alone = valid["institution"].isin(without_records) | (institution_figures is not None)
    valid = valid.assign(alone=valid["institution"].where(compared_alone, ""))
    for (code, period, group, source, kind, alone), rows in valid.groupby(
        ["indicator", "period", "offence_group", "source", "kind", "alone"], sort=True
    ):
        key = (str(code), str(period), str(group))
        absent = [] if alone else [name for name in indicators()[key[0]].institutions if name not in set(rows["institution"])]
        warehouse_figure: Mapping[Any, Any] | None = warehouse_figures.get(key)
        if warehouse_figure is not None and institution_figures:
            warehouse_figure = institution_figures.for_institution(str(rows["institution"].iloc[0]), key, warehouse_figure)
        problem = _find_problem_of_figure(key, rows, absent, warehouse_figure)
        if problem:
            uncompared.append(_add_reasons_of_problems(rows, [problem] * len(rows)))
        if problem is None or problem[0] in (NO_FIGURE, NOTHING_READ):
            figure = _make_row_of_compared_figure(key, rows, warehouse_figure or {})
            figures.append({**figure, "source": source, "kind": kind, "rule": problem and problem[0]})
    columns = [*GAP_COLUMNS, "kind", "unit", "harmonised", "rule"]
    counts = dict.fromkeys(("published", "as_reported", "harmonised", "gap", "line"), "Int64")
    types = {**dict.fromkeys(columns, "str"), **counts, "gap_percent": "float64", "incomplete": "bool"}
    uncompared_lines = pd.concat(uncompared).sort_values(["file", "line"], ignore_index=True)
    return pd.DataFrame(figures, columns=columns).astype(types), uncompared_lines


def _is_repeated_line(lines: pd.DataFrame) -> pd.Series:
    """Return for each line whether it only repeats an earlier line. It does if an earlier line has the same source and is about the same
    figure, and all such lines have the same value."""
    figure = ["indicator", "period", "offence_group", "source", "kind", "institution"]
    numbers = lines.assign(number=lines["value"].astype("int64")).groupby(figure)["number"].transform("nunique")
    return lines.duplicated(figure) & (numbers == 1)


def _add_reasons_of_problems(lines: pd.DataFrame, problems: list[tuple[str, str]]) -> pd.DataFrame:
    return lines.assign(rule=[rule for rule, _ in problems], why=[reason for _, reason in problems])


def _make_row_of_compared_figure(key: FigureKey, lines: pd.DataFrame, warehouse_figure: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a row with the sum of the figures that institutions published in `lines`, and with the figure of the warehouse
    (`as_reported`, `harmonised`, `incomplete`)."""
    published = int(lines["value"].astype("int64").sum())
    as_reported, harmonised = (
        None if pd.isna(warehouse_figure.get(name)) else int(warehouse_figure[name]) for name in ("as_reported", "harmonised")
    )
    gap = None if as_reported is None else as_reported - published
    return {
        **dict(zip(("indicator", "period", "offence_group"), key, strict=True)),
        "institutions": ", ".join(lines["institution"]),
        "published": published,
        "as_reported": as_reported,
        "harmonised": harmonised,
        "gap": gap,
        "gap_percent": None if gap is None or not published else 100 * gap / published,
        "incomplete": bool(warehouse_figure.get("incomplete", True)),
        "unit": lines["unit"].iloc[0],
        "line": lines["line"].iloc[0],
    }


def _find_problem_of_line(line: Mapping[Any, Any], quote: Callable[[object], str]) -> _RuleAndReason:
    """Return the rule that a line breaks, and what to do. Return None if the line can be compared. The figures of the warehouse are not
    examined here."""
    indicator = indicators().get(line["indicator"])
    if line["institution"] not in contract.institutions():
        names = ", ".join(contract.institutions())
        return "yardstick-institution", f"institution {quote(line['institution'])}is unknown: name one of {names}"
    if indicator is None:
        remedy = "name one of `harmonia indicator list`, or leave the line out"
        return "yardstick-indicator", f"indicator {quote(line['indicator'])}is unknown: {remedy}"
    if line["unit"] != indicator.unit:
        fitting = [code for code, other in indicators().items() if other.unit == line["unit"] and line["institution"] in other.institutions]
        remedy = f"name an indicator of unit {line['unit']} ({', '.join(fitting)})" if fitting else "leave the line out"
        unit = f"unit {quoted}" if (quoted := quote(line["unit"]).strip()) else "another unit"
        return "yardstick-unit", f"the figure counts in {unit}, {indicator.code} in {indicator.unit!r}: {remedy}"
    if line["institution"] not in indicator.institutions and contract.load(line["institution"]).has_records:
        counted = f"it counts those of {', '.join(indicator.institutions)}"
        return "yardstick-not-counted", f"{indicator.code} does not count records of {line['institution']}: {counted}"
    if not _PERIOD.fullmatch(line["period"]):
        return "yardstick-period", f"period {quote(line['period'])}is neither a year nor a quarter: write 2013 or 2013-Q2"
    if line["offence_group"] not in (TOTAL, *topic().offence_groups):
        names = ", ".join((TOTAL, *topic().offence_groups))
        return "yardstick-offence-group", f"offence group {quote(line['offence_group'])}is unknown: write {names}"
    if not (line["value"].isascii() and line["value"].isdigit() and len(line["value"]) <= 12):
        return "yardstick-value", f"value {quote(line['value'])}is not a whole number: write digits only"
    if not line["source"]:
        return "yardstick-source", "no source is given: say where the figure was published"
    if len(line["source"]) > _MAX_SOURCE_LENGTH or not line["source"].isprintable():
        return "yardstick-source", f"the source is no title in one line of at most {_MAX_SOURCE_LENGTH} characters: shorten it"
    return None


def _find_problem_of_figure(
    key: FigureKey, lines: pd.DataFrame, absent: Collection[str], warehouse_figure: Mapping[Any, Any] | None
) -> _RuleAndReason:
    """Return the rule that the lines of a source about one figure break, and what to do. Return None if the lines can be compared.

    absent: the institutions that the figure of the warehouse counts, but that the source does not name.
    """
    if lines["institution"].duplicated().any():
        return "yardstick-twice", "the source gives this figure twice, with different values: correct the file, or name the sources apart"
    if absent:
        remedy = "add a line with the figure of the same source for each"
        return "yardstick-lacks-institution", f"{key[0]} also counts {', '.join(absent)}: {remedy}"
    if warehouse_figure is None:
        return NO_FIGURE, f"the warehouse has no figure for {key[1]}: run the deliveries of that period first"
    if pd.isna(warehouse_figure["as_reported"]):
        counted = indicators()[key[0]].institutions
        names = ", ".join([name for name in lines["institution"] if name in counted] or counted)
        return NOTHING_READ, f"nothing could be read from {names} for {key[1]}: see `harmonia status`"
    return None
