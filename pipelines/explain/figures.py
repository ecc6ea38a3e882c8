"""One figure explained: as reported, harmonised, and the records behind every step between.

Belongs here: what stands on the page of a figure. Does not belong here: counting (`counting`), looks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pipelines.console import count
from pipelines.errors import HarmoniaError
from pipelines.explain.counting import OTHER_HEADING, Made, made_of
from pipelines.explain.document import Block, Cell, Column, Document, Section, Step, Table, Text, Waterfall
from pipelines.explain.naming import Figure
from pipelines.explain.people import sources
from pipelines.explain.published import Key, Published
from pipelines.explain.words import day, text, word

_METHODS = {"exchanged": "day and month exchanged", "year": "one digit of the year corrected", "middle": "the middle of the quarter"}
_PROBLEMS = {"missing": "there is none, or it cannot be read", "after_delivery": "it lies after the end of the delivered quarter"}


@dataclass(frozen=True)
class _Behind:
    """What the tables of a figure are made from. `names`: by person record, or None where they are not shown."""

    figure: Figure
    made: Made
    meanings: Mapping[str, str]
    places: Mapping[Key, tuple[str, str, str]]
    names: Mapping[Key, str] | None

    @property
    def person(self) -> bool:
        """Whether persons are counted."""
        return self.figure.indicator.unit == "person"

    def place(self, row: Mapping[Any, Any]) -> tuple[str, str, str]:
        """Delivery, file, line of a row's record."""
        return self.places.get(_key(row), ("", "the record's own line cannot be read", ""))

    def who(self, row: Mapping[Any, Any]) -> list[Cell]:
        """Case, person and name of a row, as far as they are shown."""
        cells: list[Cell] = [text(row["case_id"])]
        if self.person:
            cells.append(text(row["person_id"]))
            cells += [] if self.names is None else [self.names.get(_key(row), "")]
        return cells

    def who_columns(self) -> list[Column]:
        """The columns of `who`."""
        person = [Column("person"), *([] if self.names is None else [Column("name", wrap=True)])]
        return [Column("case"), *(person if self.person else [])]


def explain_figure(home: Published, figure: Figure, *, names: bool) -> Document:
    """The page of a figure; `names`: with names behind person records, for stewards."""
    title = figure.indicator.title["en"]
    facts = [
        ("indicator", title),
        ("period", figure.period),
        *((d.replace("_", " "), v.replace("_", " ")) for d, v in figure.breakdown.items()),
        ("as reported", _number(figure.as_reported)),
        ("harmonised", _number(figure.harmonised)),
    ]
    lead, sections = [Text(figure.indicator.definition["en"])], list[Section]()
    if figure.missing:
        lead.append(Text(f"Incomplete: {figure.missing}.", "notice"))
    if figure.as_reported is None or figure.harmonised is None:
        lead.append(Text("Nothing of any institution of this indicator could be read: the figure is not known, and is not 0.", "bad"))
    else:
        behind = _behind(home, figure, names=names)
        lead.append(Text(_sum(figure, behind.made), "good"))
        sections = [_way(home, behind), _causes(behind), _units(behind), *_imputed(home, behind), _reported(behind)]
    sections.append(Section("What was delivered", [_coverage(home, figure)]))
    return Document(f"{title}, {figure.period}", facts, lead, sections, names, sources(home, names=names), figure.name)


def _behind(home: Published, figure: Figure, *, names: bool) -> _Behind:
    causes = home.query("SELECT cause, text_en FROM bridge_causes")
    meanings = dict(zip(causes["cause"], causes["text_en"], strict=True)) | {OTHER_HEADING: word("causes", OTHER_HEADING)}
    return _Behind(figure, made_of(home, figure), meanings, _places(home, figure), _names(home) if names else None)


def _key(row: Mapping[Any, Any]) -> Key:
    return str(row["institution"]), str(row["record_key"])


def _number(value: int | None) -> str:
    return "not known" if value is None else f"{value:,}"


def _sum(figure: Figure, made: Made) -> str:
    parts = "".join(f" {'+' if n > 0 else '−'} {abs(n)}" for n in made.steps["n"])
    return f"{figure.as_reported}{parts} = {figure.harmonised}: every step is told below, with its records."


def _way(home: Published, behind: _Behind) -> Section:
    """Table and waterfall from as reported to harmonised."""
    figure, made = behind.figure, behind.made
    _same_as_bridge(home, figure, made)
    rows: list[list[Cell]] = [["as reported", "", "", int(figure.as_reported or 0)]]
    steps = []
    for step in made.steps.to_dict("records"):
        cause, n = str(step["cause"]).replace("_", " "), int(step["n"])
        why = behind.meanings.get(str(step["cause"]), "")
        rows.append([cause, str(step["institution"]), why, f"{n:+d}"])
        steps.append(Step(f"{cause} ({step['institution']})", n, why))
    columns = [Column("step"), Column("institution"), Column("why", wrap=True), Column("n", number=True)]
    table = Table("From as reported to harmonised", columns, rows, foot=["harmonised", "", "", int(figure.harmonised or 0)])
    unit = word("indicators_unit", figure.indicator.unit)
    chart = Waterfall(f"In {unit}", Step("as reported", figure.as_reported or 0), steps, "harmonised", unit, 0)
    return Section("From as reported to harmonised", [table], charts=[chart])


def _same_as_bridge(home: Published, figure: Figure, made: Made) -> None:
    """For a total, the steps are those of the published bridge. Raises `HarmoniaError` where they are not."""
    if figure.breakdown:
        return
    bridge = home.query(
        "SELECT institution, cause, n FROM bridge WHERE indicator = ? AND period = ?", [figure.indicator.code, figure.period]
    )
    both = [frame.groupby(["institution", "cause"])["n"].sum() for frame in (made.steps, bridge)]
    compared = pd.concat(both, axis=1, keys=["records", "bridge"]).fillna(0)
    if (compared["records"] != compared["bridge"]).any():
        raise HarmoniaError(f"{figure.name}: the records behind it are not those of the published bridge: run again, and report it")


def _causes(behind: _Behind) -> Section:
    """A table of records for each cause."""
    reported, units = behind.made.reported, behind.made.units
    every = pd.concat([reported.assign(n=-1, day=reported["own_date"]), units.assign(n=1)], ignore_index=True).dropna(subset=["cause"])
    columns = [Column("", number=True), Column("record"), Column("delivery"), Column("file", wrap=True), Column("line", number=True)]
    columns += [*behind.who_columns(), Column("day"), Column("instead", wrap=True)]
    blocks: list[Block] = []
    for cause, rows in every.groupby("cause", sort=True):
        label = str(cause).replace("_", " ")
        lines = [
            [f"{row['n']:+d}", ":".join(_key(row)), *behind.place(row), *behind.who(row), day(row["day"]), _instead(row)]
            for row in rows.to_dict("records")
        ]
        blocks += [Text(f"{label}: {behind.meanings.get(str(cause), '')}"), Table(label, columns, lines)]
    if not blocks:
        blocks = [Text("There is nothing between the two: every record stands for one unit, and every unit for one record.")]
    note = "−1: reported here, but not counted here; +1: counted here, but not reported here."
    return Section("The records behind each step", blocks, note)


def _instead(row: Mapping[Any, Any]) -> str:
    """Where the unit of a record that does not count here counts, or what the record itself says."""
    heading, by = text(row.get("heading")).replace("_", " "), text(row.get("counted_by"))
    if heading:
        return f"{'counts' if row['n'] < 0 else 'reported'} under {heading}"
    if row["n"] > 0:
        return f"its own date is {day(row['own_date'])}" if day(row["own_date"]) else "it has no date that can be read"
    if by:
        return f"counts here by {by}"
    if not day(row["counted_on"]):
        return "counts nowhere"
    same = row["counted_in"] == row["case_id"]
    return f"counts on {day(row['counted_on'])}" if same else f"the person counts in {row['counted_in']} on {day(row['counted_on'])}"


def _places(home: Published, figure: Figure) -> dict[Key, tuple[str, str, str]]:
    rows = home.query(
        "SELECT institution, record_key, delivery, file, part, line FROM lineage WHERE entity = ? "
        "ORDER BY status = 'accepted', delivery",  # the accepted state last: it stays in the dictionary
        [figure.indicator.rows.record],
    )
    file = rows["file"].fillna("").str.cat((" · " + rows["part"]).fillna(""))
    line = rows["line"].astype("Int64").astype("str").fillna("")
    keys = zip(rows["institution"], rows["record_key"], strict=True)
    return dict(zip(keys, zip(rows["delivery"], file, line, strict=True), strict=True))


def _names(home: Published) -> dict[Key, str]:
    """Names as delivered behind the accepted person records."""
    people = home.canonical["person_records"]
    people = people[people["status"] == "accepted"]
    return {(str(i), str(k)): text(n) for i, k, n in people[["institution", "record_key", "full_name"]].itertuples(index=False)}


def _units(behind: _Behind) -> Section:
    units, dimensions = behind.made.units, list(behind.figure.indicator.dimensions)
    columns = [*behind.who_columns(), Column("day"), *(Column(d.replace("_", " "), wrap=True) for d in dimensions)]
    columns.append(Column("record"))
    rows: list[list[Cell]] = []
    for unit in units.to_dict("records"):
        delivery, _, line = behind.place(unit)
        said = [text(unit[d]).replace("_", " ") for d in dimensions]
        counts_on = day(unit["day"]) + (" *" if unit["estimated"] else "")
        rows.append([*behind.who(unit), counts_on, *said, (":".join(_key(unit)), f"{delivery}{line and ', line '}{line}")])
    note = "No unit counts." if not rows else "* the day is imputed" if units["estimated"].any() else ""
    return Section(
        "The units counted", [Table("Units", columns, rows, note)], f"One line for each {behind.figure.indicator.unit} that counts."
    )


def _imputed(home: Published, behind: _Behind) -> list[Section]:
    units = behind.made.units
    rows = units[units["estimated"].fillna(False).astype(bool)]
    if rows.empty:
        return []
    problems = home.query(
        "SELECT institution, record_key, day, any_value(date_problem) AS problem FROM fact_event "
        "WHERE event = ? AND date_problem IS NOT NULL GROUP BY ALL",
        [behind.figure.indicator.rows.event],
    )
    rows = rows.merge(problems.astype({"day": rows["day"].dtype}), on=["institution", "record_key", "day"], how="left")
    lines = [
        [*behind.who(r), ":".join(_key(r)), _date_problem(text(r["problem"])), day(r["day"]), _METHODS.get(r["method"], r["method"])]
        for r in rows.to_dict("records")
    ]
    columns = [*behind.who_columns(), Column("record"), Column("the delivered date", wrap=True), Column("counts on")]
    columns.append(Column("how the day was found", wrap=True))
    said = f"{count(len(rows), behind.figure.indicator.unit)} of {len(units):,}. docs/explanation/dates.md explains how a day is imputed."
    return [Section("Days that are imputed", [Table("Imputed days", columns, lines)], said)]


def _date_problem(problem: str) -> str:
    """Why a date does not count as delivered, in words."""
    return _PROBLEMS.get(problem, f"it lies {problem.replace('_', ' ')}" if problem else "another record of the case gives the day")


def _reported(behind: _Behind) -> Section:
    columns = [Column("record"), Column("delivery"), Column("file", wrap=True), Column("line", number=True), Column("own date")]
    columns += [*behind.who_columns(), Column("what became of it", wrap=True)]
    rows: list[list[Cell]] = []
    for r in behind.made.reported.sort_values(["institution", "record_key"]).to_dict("records"):
        cause = text(r["cause"]).replace("_", " ")
        fate = f"{cause}: {_instead({**r, 'n': -1})}" if cause else "counts"
        rows.append([":".join(_key(r)), *behind.place(r), day(r["own_date"]), *behind.who(r), fate])
    note = "" if rows else "No record is reported here."
    said = "What the institutions' own records say, and what each stands for."
    return Section("Every record as reported", [Table("Records", columns, rows, note)], said)


def _coverage(home: Published, figure: Figure) -> Table:
    """Which of the indicator's institutions delivered for the period, by quarter."""
    rows = home.query(
        "SELECT institution, period, state FROM coverage WHERE starts_with(period, ?) AND length(period) = 7 ORDER BY institution, period",
        [figure.period],
    )
    rows = rows[rows["institution"].isin(figure.indicator.institutions)]
    lines: list[list[Cell]] = [[str(i), str(p), str(s)] for i, p, s in rows.itertuples(index=False)]
    extra = f"{count(figure.quarantined, 'row')} of these deliveries could not be read and are set aside." if figure.quarantined else ""
    return Table("Coverage", [Column("institution"), Column("quarter"), Column("delivery")], lines, extra)
