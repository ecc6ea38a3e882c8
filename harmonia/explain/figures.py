"""Explain a figure: as reported, harmonised, and the records behind each step between the two.

Belongs here: what the page of a figure shows. Does not belong here: finding the records (`figure_records`), layout.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from harmonia.console import format_count
from harmonia.errors import HarmoniaError
from harmonia.explain.document import Block, Cell, Column, Explanation, Section, Step, Table, Text, Waterfall
from harmonia.explain.figure_names import Figure
from harmonia.explain.figure_records import OTHER_HEADING, FigureRecords, find_figure_records
from harmonia.explain.labels import find_label, format_day, format_value
from harmonia.explain.people import write_source_note
from harmonia.explain.published import Key, PublishedHome
from schemas.canonical import CONFIDENTIAL_EVENTS
from warehouse.count.periods import find_quarter_of_each_day

_METHODS = {"exchanged": "day and month exchanged", "year": "one digit of the year corrected", "middle": "the middle of the quarter"}
_PROBLEMS = {"missing": "missing or unreadable", "after_delivery": "after the end of the delivered quarter"}


@dataclass(frozen=True)
class _FigureContext:
    """What the tables of a figure are made from.

    meanings: maps each cause of the bridge to its meaning. locations: maps each record to its delivery, file and line. names: maps each
    person record to its name; None if names are not shown.
    """

    figure: Figure
    records: FigureRecords
    meanings: Mapping[str, str]
    locations: Mapping[Key, tuple[str, str, str]]
    names: Mapping[Key, str] | None

    @property
    def counts_persons(self) -> bool:
        """Whether the indicator counts persons."""
        return self.figure.indicator.unit == "person"

    def find_location(self, row: Mapping[Any, Any]) -> tuple[str, str, str]:
        """Return the delivery, file and line number of the record of a row."""
        return self.locations.get(_read_record_key(row), ("", "the record's own line could not be read", ""))

    def make_identity_cells(self, row: Mapping[Any, Any]) -> list[Cell]:
        """Return the cells with the case of a row, and its person and name if the indicator counts persons and names are shown."""
        cells: list[Cell] = [format_value(row["case_id"])]
        if self.counts_persons:
            cells.append(format_value(row["person_id"]))
            cells += [] if self.names is None else [self.names.get(_read_record_key(row), "")]
        return cells

    def make_identity_columns(self) -> list[Column]:
        """Return the columns that belong to the cells of `make_identity_cells`."""
        person_columns = [Column("person"), *([] if self.names is None else [Column("name", wrap=True)])]
        return [Column("case"), *(person_columns if self.counts_persons else [])]


def explain_figure(home: PublishedHome, figure: Figure, *, show_names: bool) -> Explanation:
    """Make the explanation of a figure. show_names: include the names of person records, for stewards."""
    title = figure.indicator.title["en"]
    facts = [
        ("indicator", title),
        ("period", figure.period),
        *((d.replace("_", " "), v.replace("_", " ")) for d, v in figure.breakdown.items()),
        ("as reported", _format_number(figure.as_reported)),
        ("harmonised", _format_number(figure.harmonised)),
    ]
    summary, sections = [Text(figure.indicator.definition["en"])], list[Section]()
    if figure.missing:
        summary.append(Text(f"Incomplete: {figure.missing}.", "notice"))
    if figure.as_reported is None or figure.harmonised is None:
        summary.append(Text("No data of this indicator's institutions could be read: the figure is unknown, not 0.", "bad"))
    else:
        context = _make_figure_context(home, figure, show_names=show_names)
        summary.append(Text(_write_sentence_on_number_of_records(figure, context.records), "good"))
        sections = [
            _make_bridge_section(home, context),
            _make_section_of_records_by_cause(context),
            _make_counted_unit_section(context),
            *_make_imputed_date_section(home, context),
            _make_reported_record_section(context),
        ]
    sections.append(Section("Deliveries", [_make_coverage_table(home, figure)]))
    return Explanation(
        f"{title}, {figure.period}", facts, summary, sections, show_names, write_source_note(home, show_names=show_names), figure.name
    )


def _make_figure_context(home: PublishedHome, figure: Figure, *, show_names: bool) -> _FigureContext:
    causes = home.query("SELECT cause, text_en FROM bridge_causes")
    meanings = dict(zip(causes["cause"], causes["text_en"], strict=True)) | {OTHER_HEADING: find_label("causes", OTHER_HEADING)}
    records = find_figure_records(home, figure)
    if figure.indicator.rows.event in CONFIDENTIAL_EVENTS:
        records = _replace_days_by_quarters(records)
    return _FigureContext(figure, records, meanings, _read_record_locations(home, figure), _read_person_names(home) if show_names else None)


def _replace_days_by_quarters(records: FigureRecords) -> FigureRecords:
    """Replace each day by its calendar quarter, and remove which days were imputed. This is for figures of confidential events."""

    def convert_days_to_quarters(frame: pd.DataFrame) -> pd.DataFrame:
        days = [name for name in ("day", "own_date", "counted_on") if name in frame]
        return frame.assign(**{name: find_quarter_of_each_day(frame[name]).astype("str").where(frame[name].notna()) for name in days})

    units = convert_days_to_quarters(records.units).assign(estimated=False)
    return replace(records, reported=convert_days_to_quarters(records.reported), units=units)


def _format_day_or_quarter(value: object) -> str:
    """Format a day as yyyy-mm-dd, or return the quarter that replaces it for a confidential event; empty for a missing value."""
    return value if isinstance(value, str) else format_day(value)


def _read_record_key(row: Mapping[Any, Any]) -> Key:
    return str(row["institution"]), str(row["record_key"])


def _format_number(value: int | None) -> str:
    return "unknown" if value is None else f"{value:,}"


def _write_sentence_on_number_of_records(figure: Figure, records: FigureRecords) -> str:
    parts = "".join(f" {'+' if n > 0 else '−'} {abs(n)}" for n in records.steps["n"])
    return f"{figure.as_reported}{parts} = {figure.harmonised}: each step is explained below, with its records."


def _make_bridge_section(home: PublishedHome, context: _FigureContext) -> Section:
    """Make the section with the table and the chart of the steps from the figure as reported to the harmonised figure."""
    figure, records = context.figure, context.records
    _check_steps_against_published_bridge(home, figure, records)
    rows: list[list[Cell]] = [["as reported", "", "", int(figure.as_reported or 0)]]
    steps = []
    for step in records.steps.to_dict("records"):
        cause, n = str(step["cause"]).replace("_", " "), int(step["n"])
        meaning = context.meanings.get(str(step["cause"]), "")
        rows.append([cause, str(step["institution"]), meaning, f"{n:+d}"])
        steps.append(Step(f"{cause} ({step['institution']})", n, meaning))
    columns = [Column("step"), Column("institution"), Column("why", wrap=True), Column("n", number=True)]
    table = Table("From as reported to harmonised", columns, rows, footer=["harmonised", "", "", int(figure.harmonised or 0)])
    unit = find_label("indicators_unit", figure.indicator.unit)
    chart = Waterfall(f"In {unit}", Step("as reported", figure.as_reported or 0), steps, "harmonised", unit, 0)
    return Section("From as reported to harmonised", [table], charts=[chart])


def _check_steps_against_published_bridge(home: PublishedHome, figure: Figure, records: FigureRecords) -> None:
    """Raise `HarmoniaError` if the steps of a figure without breakdown differ from the published bridge."""
    if figure.breakdown:
        return
    bridge = home.query(
        "SELECT institution, cause, n FROM bridge WHERE indicator = ? AND period = ?", [figure.indicator.code, figure.period]
    )
    sums = [frame.groupby(["institution", "cause"])["n"].sum() for frame in (records.steps, bridge)]
    compared = pd.concat(sums, axis=1, keys=["records", "bridge"]).fillna(0)
    if (compared["records"] != compared["bridge"]).any():
        raise HarmoniaError(f"{figure.name}: the records do not match the published bridge: run again, and report it if that does not help")


def _make_section_of_records_by_cause(context: _FigureContext) -> Section:
    """Make the section with one table for each cause of the difference, which lists the records concerned."""
    reported, units = context.records.reported, context.records.units
    records = pd.concat([reported.assign(n=-1, day=reported["own_date"]), units.assign(n=1)], ignore_index=True).dropna(subset=["cause"])
    records = records.sort_values(["institution", "record_key", "n"], kind="stable")
    columns = [Column("", number=True), Column("record"), Column("delivery"), Column("file", wrap=True), Column("line", number=True)]
    columns += [*context.make_identity_columns(), Column("day"), Column("instead", wrap=True)]
    blocks: list[Block] = []
    for cause, rows in records.groupby("cause", sort=True):
        label = str(cause).replace("_", " ")
        lines = [
            [
                f"{row['n']:+d}",
                ":".join(_read_record_key(row)),
                *context.find_location(row),
                *context.make_identity_cells(row),
                _format_day_or_quarter(row["day"]),
                _describe_where_record_counts_instead(row),
            ]
            for row in rows.to_dict("records")
        ]
        blocks += [Text(f"{label}: {context.meanings.get(str(cause), '')}"), Table(label, columns, lines)]
    if not blocks:
        blocks = [Text("There is no difference: every record represents one unit, and every unit one record.")]
    note = "−1: reported in this figure, but not counted in it; +1: counted, but not reported."
    return Section("The records behind each step", blocks, note)


def _describe_where_record_counts_instead(row: Mapping[Any, Any]) -> str:
    """Say where the unit of a record counts instead; for a record that was added, say which date or category it has itself."""
    heading, by = format_value(row.get("heading")).replace("_", " "), format_value(row.get("counted_by"))
    if heading:
        return f"{'counts' if row['n'] < 0 else 'reported'} under {heading}"
    if row["n"] > 0:
        own_date = _format_day_or_quarter(row["own_date"])
        if own_date:
            return f"its own date is {own_date}"
        return "its own date is in another period" if row["cause"] == "date_corrected" else "it has no readable date"
    if by:
        return f"represented by {by}"
    if not _format_day_or_quarter(row["counted_on"]):
        return "not counted"
    same = row["counted_in"] == row["case_id"]
    return (
        f"counts on {_format_day_or_quarter(row['counted_on'])}"
        if same
        else f"the person counts in {row['counted_in']} on {_format_day_or_quarter(row['counted_on'])}"
    )


def _read_record_locations(home: PublishedHome, figure: Figure) -> dict[Key, tuple[str, str, str]]:
    rows = home.query(
        "SELECT institution, record_key, delivery, file, part, line FROM lineage WHERE entity = ? "
        "ORDER BY status = 'accepted', delivery, file, line",  # the last row of a key wins: the accepted state
        [figure.indicator.rows.record],
    )
    file = rows["file"].fillna("").str.cat((" · " + rows["part"]).fillna(""))
    line = rows["line"].astype("Int64").astype("str").fillna("")
    keys = zip(rows["institution"], rows["record_key"], strict=True)
    return dict(zip(keys, zip(rows["delivery"], file, line, strict=True), strict=True))


def _read_person_names(home: PublishedHome) -> dict[Key, str]:
    """Read the names as delivered; the result maps each accepted person record to its name."""
    people = home.canonical["person_records"]
    people = people[people["status"] == "accepted"]
    return {(str(i), str(k)): format_value(n) for i, k, n in people[["institution", "record_key", "full_name"]].itertuples(index=False)}


def _make_counted_unit_section(context: _FigureContext) -> Section:
    units, dimensions = context.records.units, list(context.figure.indicator.dimensions)
    columns = [*context.make_identity_columns(), Column("day"), *(Column(d.replace("_", " "), wrap=True) for d in dimensions)]
    columns.append(Column("record"))
    rows: list[list[Cell]] = []
    for unit in units.to_dict("records"):
        delivery, _, line = context.find_location(unit)
        values = [format_value(unit[d]).replace("_", " ") for d in dimensions]
        counts_on = _format_day_or_quarter(unit["day"]) + (" *" if unit["estimated"] else "")
        rows.append(
            [
                *context.make_identity_cells(unit),
                counts_on,
                *values,
                (":".join(_read_record_key(unit)), f"{delivery}{line and ', line '}{line}"),
            ]
        )
    note = "No unit is counted." if not rows else "* the day is imputed" if units["estimated"].any() else ""
    return Section("The units counted", [Table("Units", columns, rows, note)], f"One row per {context.figure.indicator.unit} counted.")


def _make_imputed_date_section(home: PublishedHome, context: _FigureContext) -> list[Section]:
    units = context.records.units
    rows = units[units["estimated"].fillna(False).astype(bool)]
    if rows.empty:
        return []
    problems = home.query(
        "SELECT institution, record_key, day, any_value(date_problem) AS problem FROM fact_event "
        "WHERE event = ? AND date_problem IS NOT NULL GROUP BY ALL",
        [context.figure.indicator.rows.event],
    )
    rows = rows.merge(problems.astype({"day": rows["day"].dtype}), on=["institution", "record_key", "day"], how="left")
    lines = [
        [
            *context.make_identity_cells(r),
            ":".join(_read_record_key(r)),
            _describe_date_problem(format_value(r["problem"])),
            _format_day_or_quarter(r["day"]),
            _METHODS.get(r["method"], r["method"]),
        ]
        for r in rows.to_dict("records")
    ]
    columns = [*context.make_identity_columns(), Column("record"), Column("the delivered date", wrap=True), Column("counts on")]
    columns.append(Column("how the day was imputed", wrap=True))
    imputed = format_count(len(rows), context.figure.indicator.unit)
    note = f"{imputed} of {len(units):,}. docs/explanation/dates.md explains how a day is imputed."
    return [Section("Imputed days", [Table("Imputed days", columns, lines)], note)]


def _describe_date_problem(problem: str) -> str:
    """Say why a delivered date is not used. problem: the value of `date_problem` of the event; empty if the event has none."""
    return _PROBLEMS.get(problem, problem.replace("_", " ") if problem else "the day comes from another record of the case")


def _make_reported_record_section(context: _FigureContext) -> Section:
    columns = [Column("record"), Column("delivery"), Column("file", wrap=True), Column("line", number=True), Column("own date")]
    columns += [*context.make_identity_columns(), Column("outcome", wrap=True)]
    rows: list[list[Cell]] = []
    for r in context.records.reported.sort_values(["institution", "record_key"]).to_dict("records"):
        cause = format_value(r["cause"]).replace("_", " ")
        outcome = f"{cause}: {_describe_where_record_counts_instead({**r, 'n': -1})}" if cause else "counts"
        rows.append(
            [
                ":".join(_read_record_key(r)),
                *context.find_location(r),
                _format_day_or_quarter(r["own_date"]),
                *context.make_identity_cells(r),
                outcome,
            ]
        )
    note = "" if rows else "No record is reported in this figure."
    numbers = context.records.reported.groupby("institution").size()
    shares = f" Reported by {', '.join(f'{name} {n:,}' for name, n in numbers.items())}." if len(numbers) else ""
    intro = f"The institutions' own records, and their outcome.{shares}"
    return Section("Every record as reported", [Table("Records", columns, rows, note)], intro)


def _make_coverage_table(home: PublishedHome, figure: Figure) -> Table:
    """Make the table with the state of the deliveries of the indicator's institutions, for the quarters of the period."""
    rows = home.query(
        "SELECT institution, period, state FROM coverage WHERE starts_with(period, ?) AND length(period) = 7 ORDER BY institution, period",
        [figure.period],
    )
    rows = rows[rows["institution"].isin(figure.indicator.institutions)]
    lines: list[list[Cell]] = [[str(i), str(p), str(s)] for i, p, s in rows.itertuples(index=False)]
    extra = (
        f"{format_count(figure.quarantined, 'row')} of these deliveries could not be read and are quarantined."
        if figure.quarantined
        else ""
    )
    return Table("Coverage", [Column("institution"), Column("quarter"), Column("delivery")], lines, extra)
