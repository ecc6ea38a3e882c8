"""Yardsticks: figures that institutions published themselves, beside the warehouse's `as_reported`. They check, and never count.

Belongs here: the declared form (docs/reference/yardsticks.md), what can be compared, the gap, the published table. Does not belong here:
receiving files (`pipelines.landing`), reading the warehouse, showing the gaps (`harmonia`).
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
from schemas.declared import read_checked
from schemas.topic import topic
from sources import contract
from sources.states import COMPLETE, MISSING, UNREADABLE
from warehouse import tables
from warehouse.indicators import DIMENSIONS, indicators

COLUMNS = ("institution", "indicator", "period", "offence_group", "unit", "value", "source")
LINES = ("file", "line", *COLUMNS, "kind", "rule", "why")
"""Lines of a run: those of files as text, with the file's path in the inbox; `rule` and `why` of a file of another form."""
GAPS = (
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
TOLD = ("line", "institution", "indicator", "period", "rule", "why")
PROBLEMS = ("file", "line", "rule", "why")
PUBLISHED, RETURN, RETURN_OF_COUNTS = "published", "return", "return of counts"
TOTAL = "total"
NO_FIGURE, NOTHING_READ = "yardstick-no-figure", "yardstick-nothing-read"
"""Rules of figures that are not compared although nothing is wrong with them: they are in the published table, without a gap."""
Key = tuple[str, str, str]
_PERIOD = re.compile(r"(?:19|20)[0-9]{2}(?:-Q[1-4])?")
_LARGEST = 16 << 20  # bytes
_LONGEST = 300  # characters of a source
_Problem = tuple[str, str] | None


@dataclass(frozen=True)
class Tolerance:
    """The content of `yardsticks.yaml`."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    share: float
    least: int


@cache
def tolerance() -> Tolerance:
    """How large a gap may be before it is told."""
    return read_checked(Tolerance, Path(__file__).with_suffix(".yaml"))


class FormError(Exception):
    """A file is not of the declared form. `way_out`: without anything that the file says; `line`: where, if it is one line."""

    def __init__(self, way_out: str, line: int | None = None, found: str = "") -> None:
        super().__init__(f"{found}{way_out}")
        self.way_out, self.line = way_out, line


def read(path: Path) -> pd.DataFrame:
    """The lines of a file of yardsticks as text, with `line`. Raises `HarmoniaError` with the way out if it is not of the declared form."""
    try:
        return _parse(path)
    except OSError as error:
        raise HarmoniaError(f"{path}: cannot be read: {error.strerror}") from None
    except FormError as error:
        raise HarmoniaError(f"{path}: {error}") from None


def read_files(files: Iterable[tuple[str, Path]]) -> pd.DataFrame:
    """The lines of landed files (path in the inbox, place of the bytes) as `LINES`; a damaged file is one line that says why."""
    parts = [pd.DataFrame(columns=list(LINES))]
    for name, path in files:
        try:
            parts.append(_parse(path).assign(file=name, kind=PUBLISHED))
        except FormError as error:
            parts.append(pd.DataFrame([{"file": name, "line": error.line, "rule": "yardstick-form", "why": error.way_out}]))
    out = pd.concat(parts[1:], ignore_index=True).reindex(columns=list(LINES)) if parts[1:] else parts[0]
    return out.astype({name: "Int64" if name == "line" else "str" for name in LINES})


def lines_of_returns(returns: pd.DataFrame) -> pd.DataFrame:
    """Returns of counts (`pipelines.returns.RETURNS`) as `LINES`."""
    units = {code: one.unit for code, one in indicators().items()}
    out = returns.assign(
        file=returns["institution"] + "/" + returns["delivery"],
        unit=returns["indicator"].map(units),
        value=returns["value"].astype("str").fillna(""),
        source=RETURN_OF_COUNTS,
        kind=RETURN,
    ).reindex(columns=list(LINES))
    return out.astype({name: "Int64" if name == "line" else "str" for name in LINES})


def _parse(path: Path) -> pd.DataFrame:
    """The lines as text, with `line`. Raises `FormError`."""
    not_csv = FormError("is not a small CSV file in UTF-8: export it as “CSV UTF-8”")
    if path.stat().st_size > _LARGEST:
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
        raise FormError(f"line {line} is not CSV ({error}): correct it", line) from None
    header = [name.strip() for name in reader.fieldnames or ()]
    if sorted(header) != sorted(COLUMNS):
        raise FormError(f"the columns must be {', '.join(COLUMNS)}", 1, f"the columns are {', '.join(header) or 'none'}: ")
    if odd := [line for line, row in rows if None in row or None in row.values()]:
        raise FormError(f"line {odd[0]} has more or fewer cells than the header: correct it", odd[0])
    out = pd.DataFrame(
        [{"line": line, **{str(k).strip(): v.strip() for k, v in row.items()}} for line, row in rows], columns=["line", *COLUMNS]
    )
    return out.astype(dict.fromkeys(COLUMNS, "str")).assign(offence_group=lambda frame: frame["offence_group"].replace("", TOTAL))


@dataclass(frozen=True)
class OwnFigures:
    """What each institution alone reported.

    figures: indicator, institution, period, offence_group, as_reported (0 where absent); coverage: institution, period, state.
    """

    figures: pd.DataFrame
    coverage: pd.DataFrame

    @cached_property
    def _number(self) -> Mapping[Any, int]:
        return dict(self.figures.set_index(["indicator", "institution", "period", "offence_group"])["as_reported"])

    @cached_property
    def _state(self) -> Mapping[Any, str]:
        return dict(self.coverage.set_index(["institution", "period"])["state"])

    def of(self, institution: str, key: Key, whole: Mapping[Any, Any]) -> dict[str, Any]:
        """as_reported, harmonised (null where the indicator counts others too), incomplete. whole: the figure in `statistics`, with which
        an institution without records is compared."""
        if not contract.load(institution).has_records:
            return dict(whole)
        code, period, group = key
        state = self._state.get((institution, period), MISSING)
        return {
            "as_reported": None if state in (MISSING, UNREADABLE) else self._number.get((code, institution, period, group), 0),
            "harmonised": whole["harmonised"] if indicators()[code].institutions == (institution,) else None,
            "incomplete": state != COMPLETE,
        }


def compare(lines: pd.DataFrame, statistics: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Gaps (`GAPS`), and the lines that are not compared with the way out (`TOLD`).

    In: `read`; `statistics` of the warehouse. gap: `as_reported` - published, a sum over the institutions of an indicator where one source
    gives a figure for each; gap_percent: of the published one, null if that is 0.
    """
    figures, told = _assessed(lines.reindex(columns=list(LINES)).assign(kind=PUBLISHED), statistics, None, lambda value: f"{value!r} ")
    gaps = figures.loc[figures["rule"].isna(), list(GAPS)].reset_index(drop=True)
    return gaps.astype(dict.fromkeys(("published", "as_reported", "gap", "line"), "int64")), told[list(TOLD)]


def published_table(lines: pd.DataFrame, statistics: pd.DataFrame, own: pd.DataFrame, coverage: pd.DataFrame) -> pd.DataFrame:
    """The rows of the published table `yardstick`. In: `LINES`; `statistics`; `OwnFigures.figures`, `OwnFigures.coverage`."""
    figures, _ = _assessed(lines, statistics, OwnFigures(own, coverage))
    allowed = figures["published"].mul(tolerance().share).clip(lower=tolerance().least)
    exceeds = figures["gap"].abs().gt(allowed).fillna(False) & ~figures["incomplete"]
    out = tables.conform_frame(tables.YARDSTICK, figures.assign(institution=figures["institutions"], exceeds_tolerance=exceeds))
    return out.sort_values(list(out.columns), ignore_index=True)


def problems(lines: pd.DataFrame, statistics: pd.DataFrame, own: pd.DataFrame, coverage: pd.DataFrame) -> pd.DataFrame:
    """What cannot be compared: file, line, rule, why (with the way out). Nothing that a file says is quoted. In: as `published_table`."""
    _, told = _assessed(lines, statistics, OwnFigures(own, coverage))
    return told[list(PROBLEMS)].astype({name: "Int64" if name == "line" else "str" for name in PROBLEMS})


def _assessed(
    lines: pd.DataFrame, statistics: pd.DataFrame, own: OwnFigures | None, quote: Callable[[object], str] = lambda _: ""
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Figures, one for each source, indicator, period and offence group; the lines of those that are not compared, with `rule` and `why`.

    own: then each institution is compared with its own records, else their sum with the whole figure. quote: what a message shows.
    Columns of figures: `GAPS`, kind, unit, harmonised, rule (null where compared).
    """
    found = [None if pd.notna(row["rule"]) else _problem(row, quote) for row in lines.to_dict("records")]
    faulty = pd.Series([problem is not None for problem in found], index=lines.index, dtype="bool")
    told = [lines[lines["rule"].notna()], _told(lines[faulty], [problem for problem in found if problem])]
    others = [name for name in DIMENSIONS if name != "offence_group"]
    totals = statistics[(statistics[others] == TOTAL).all(axis=1)]
    whole = {(str(row["indicator"]), str(row["period"]), str(row["offence_group"])): row for row in totals.to_dict("records")}
    figures = []
    sound = lines[~faulty & lines["rule"].isna()]
    without_records = [name for name in contract.institutions() if not contract.load(name).has_records]  # part of no sum
    sound = sound.assign(alone=sound["institution"].where(sound["institution"].isin(without_records) | (own is not None), ""))
    for (code, period, group, source, kind, alone), rows in sound.groupby(
        ["indicator", "period", "offence_group", "source", "kind", "alone"], sort=True
    ):
        key = (str(code), str(period), str(group))
        absent = [] if alone else [name for name in indicators()[key[0]].institutions if name not in set(rows["institution"])]
        ours: Mapping[Any, Any] | None = whole.get(key)
        if ours is not None and own:
            ours = own.of(str(rows["institution"].iloc[0]), key, ours)
        problem = _not_comparable(key, rows, absent, ours)
        if problem:
            told.append(_told(rows, [problem] * len(rows)))
        if problem is None or problem[0] in (NO_FIGURE, NOTHING_READ):
            figures.append({**_figure(key, rows, ours or {}), "source": source, "kind": kind, "rule": problem and problem[0]})
    names = [*GAPS, "kind", "unit", "harmonised", "rule"]
    counts = dict.fromkeys(("published", "as_reported", "harmonised", "gap", "line"), "Int64")
    types = {**dict.fromkeys(names, "str"), **counts, "gap_percent": "float64", "incomplete": "bool"}
    said = pd.concat(told).sort_values(["file", "line"], ignore_index=True)
    return pd.DataFrame(figures, columns=names).astype(types), said


def _told(rows: pd.DataFrame, why: list[tuple[str, str]]) -> pd.DataFrame:
    return rows.assign(rule=[rule for rule, _ in why], why=[text for _, text in why])


def _figure(key: Key, rows: pd.DataFrame, ours: Mapping[Any, Any]) -> dict[str, Any]:
    """A published figure beside ours (`as_reported`, `harmonised`, `incomplete`)."""
    value = int(rows["value"].astype("int64").sum())
    own, harmonised = ((None if pd.isna(ours.get(name)) else int(ours[name])) for name in ("as_reported", "harmonised"))
    gap = None if own is None else own - value
    return {
        **dict(zip(("indicator", "period", "offence_group"), key, strict=True)),
        "institutions": ", ".join(rows["institution"]),
        "published": value,
        "as_reported": own,
        "harmonised": harmonised,
        "gap": gap,
        "gap_percent": None if gap is None or not value else 100 * gap / value,
        "incomplete": bool(ours.get("incomplete", True)),
        "unit": rows["unit"].iloc[0],
        "line": rows["line"].iloc[0],
    }


def _problem(row: Mapping[Any, Any], quote: Callable[[object], str]) -> _Problem:
    """Rule and way out of a line that cannot be compared whatever the warehouse holds; None if it can."""
    known = indicators().get(row["indicator"])
    if row["institution"] not in contract.institutions():
        names = ", ".join(contract.institutions())
        return "yardstick-institution", f"institution {quote(row['institution'])}is unknown: name one of {names}"
    if known is None:
        way = "name one of `harmonia indicator list`, or leave the line out"
        return "yardstick-indicator", f"indicator {quote(row['indicator'])}is unknown: {way}"
    if row["unit"] != known.unit:
        fitting = [code for code, one in indicators().items() if one.unit == row["unit"] and row["institution"] in one.institutions]
        way = f"name an indicator of unit {row['unit']} ({', '.join(fitting)})" if fitting else "leave the line out"
        unit = f"unit {shown}" if (shown := quote(row["unit"]).strip()) else "another unit"
        return "yardstick-unit", f"the figure counts in {unit}, {known.code} in {known.unit!r}: {way}"
    if row["institution"] not in known.institutions and contract.load(row["institution"]).has_records:
        way = f"it counts those of {', '.join(known.institutions)}"
        return "yardstick-not-counted", f"{known.code} does not count records of {row['institution']}: {way}"
    if not _PERIOD.fullmatch(row["period"]):
        return "yardstick-period", f"period {quote(row['period'])}is neither a year nor a quarter: write 2013 or 2013-Q2"
    if row["offence_group"] not in (TOTAL, *topic().offence_groups):
        names = ", ".join((TOTAL, *topic().offence_groups))
        return "yardstick-offence-group", f"offence group {quote(row['offence_group'])}is unknown: write {names}"
    if not (row["value"].isascii() and row["value"].isdigit() and len(row["value"]) <= 12):
        return "yardstick-value", f"value {quote(row['value'])}is not a whole number: write digits only"
    if not row["source"]:
        return "yardstick-source", "no source is given: say where the figure was published"
    if len(row["source"]) > _LONGEST or not row["source"].isprintable():
        return "yardstick-source", f"the source is no title in one line of at most {_LONGEST} characters: shorten it"
    return None


def _not_comparable(key: Key, rows: pd.DataFrame, absent: Collection[str], ours: Mapping[Any, Any] | None) -> _Problem:
    """Rule and way out of the figures of one source that cannot be compared with ours; None if they can. absent: institutions that ours
    counts and the source does not name."""
    if rows["institution"].duplicated().any():
        return "yardstick-twice", "the source gives this figure twice: leave one line out, or name the sources apart"
    if absent:
        way = "add a line with the figure of the same source for each"
        return "yardstick-lacks-institution", f"{key[0]} also counts {', '.join(absent)}: {way}"
    if ours is None:
        return NO_FIGURE, f"the warehouse has no figure for {key[1]}: run the deliveries of that period first"
    if pd.isna(ours["as_reported"]):
        counted = indicators()[key[0]].institutions
        names = ", ".join([name for name in rows["institution"] if name in counted] or counted)
        return NOTHING_READ, f"nothing could be read from {names} for {key[1]}: see `harmonia status`"
    return None
