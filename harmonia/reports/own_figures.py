"""Exact figures: those of an institution, which it confirms and signs, and the annex for the coordinator.

Belongs here: the only sections of a report that read the confidential part of a release. Does not belong here: anything for the public or
for Government (`joint`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from harmonia.errors import HarmoniaError
from harmonia.reports.document import Cell, Document, Section, Table
from harmonia.reports.figures import PublishedFigures
from harmonia.reports.joint import has_readable_data, make_document
from harmonia.reports.joint import make_joint_report as joint
from harmonia.reports.texts import ReportTexts, load_texts
from schemas.topic import topic
from sources import contract
from warehouse.indicators import DIMENSIONS, indicators
from warehouse.releases.confidential import ConfidentialReleasePart, open_confidential_part
from warehouse.releases.labels import find_labels_of_offence_groups
from warehouse.releases.reading import Release, find_label_of_code

_DIMENSION_COLUMNS = list(DIMENSIONS)
_DURATION_COLUMNS = ("median_days", "ninth_decile_days")


def make_coordinator_report(releases: Path, release: Release, period: str, lang: str) -> Document:
    """Make the joint report with an annex of exact figures by offence group, and mark it as confidential."""
    report = joint(release, period, "coordinator", lang)
    texts = ReportTexts(lang)
    if not has_readable_data(release, period):
        return report
    figures, confidential = PublishedFigures(release, texts), open_confidential_part(releases, release.name)
    sections = [
        *report.sections,
        _make_exact_figure_section(figures, confidential, period),
        *_make_yardstick_sections(figures, confidential, period),
    ]
    if "-Q" not in period and confidential.has_table("flow_victims"):
        sections.append(_make_pathway_section(figures, confidential, period))
    return Document(report.lang, report.title, report.office, report.facts, texts("confidential"), sections, report.footer)


def make_institution_report(releases: Path, release: Release, period: str, name: str, lang: str) -> Document:
    """Make the report of an institution: figures as reported and harmonised, the causes of their difference, and a form to sign.

    Raises `HarmoniaError` if the institution, language or period is unknown.
    """
    texts = ReportTexts(lang)
    if name not in contract.institutions():
        raise HarmoniaError(f"unknown institution {name!r}: use one of {', '.join(contract.institutions())}")
    figures, confidential = PublishedFigures(release, texts), open_confidential_part(releases, release.name)
    has_data = has_readable_data(release, period)
    sections = (
        [_make_own_figure_section(figures, confidential, period, name), _make_difference_section(figures, confidential, period, name)]
        if has_data
        else []
    )
    sections += [*_make_yardstick_sections(figures, confidential, period, name), _make_delivery_section(figures, period, name)]
    fields = [texts("columns", column) for column in ("name", "day", "signature")]
    sections.append(Section("sign", texts("sections", "sign"), [texts("intro", "sign")], signature_fields=fields))
    report = make_document(texts, release, period, "institution", sections, texts("confidential"))
    return Document(
        report.lang,
        report.title,
        report.office,
        [(texts("facts", "institution"), texts.format_institution(name)), *report.facts],
        report.warning,
        sections,
        report.footer,
    )


def _select_grand_totals(confidential: ConfidentialReleasePart, period: str) -> pd.DataFrame:
    """Return the figures of a period without any breakdown, with the indicator as index.

    The columns include as_reported, harmonised and missing.
    """
    rows = confidential.table("statistics")
    rows = rows[(rows["period"] == period) & (rows[_DIMENSION_COLUMNS] == "total").all(axis=1)]
    return rows.set_index("indicator")


def _make_number_cell(value: object) -> Cell:
    return Cell("–" if pd.isna(value) else str(int(float(str(value)))))  # type: ignore[call-overload]


def _make_own_figure_section(figures: PublishedFigures, confidential: ConfidentialReleasePart, period: str, name: str) -> Section:
    texts, totals = figures.texts, _select_grand_totals(confidential, period)
    rows, incomplete_notes = [], set()
    for code, title in figures.indicator_titles.items():
        sources = indicators()[code].institutions
        if name not in sources or code not in totals.index:
            continue
        others = ", ".join(texts.format_institution(i) for i in sources if i != name)
        shared = f"{texts('columns', 'shared')} {others}" if others else ""
        row = totals.loc[code]
        incomplete_notes.add(texts.describe_missing_deliveries(None if pd.isna(row["missing"]) else str(row["missing"])))
        rows.append(
            [
                Cell(title, number=False),
                _make_number_cell(row["as_reported"]),
                _make_number_cell(row["harmonised"]),
                Cell(shared, number=False),
            ]
        )
    header = [texts("columns", "indicator"), texts("columns", "reported"), texts("columns", "harmonised"), ""]
    table = Table(texts.format_period(period), header, rows, sorted(filter(None, incomplete_notes)))
    return Section("key", texts("sections", "key"), [texts("intro", "own")], [table])


def _make_difference_section(figures: PublishedFigures, confidential: ConfidentialReleasePart, period: str, name: str) -> Section:
    texts = figures.texts
    causes = figures.release.table("causes").set_index("cause")[texts.lang]
    bridge = confidential.table("bridge")
    bridge_rows = bridge[(bridge["period"] == period) & (bridge["institution"] == name) & (bridge["n"] != 0)]
    rows = [
        [
            Cell(figures.indicator_titles[str(code)], number=False),
            Cell(str(causes[cause]), number=False),
            Cell(f"{int(n):+d}".replace("-", "−")),
        ]
        for code, cause, n in zip(bridge_rows["indicator"], bridge_rows["cause"], bridge_rows["n"], strict=True)
        if code in figures.indicator_titles
    ]
    rows = rows or [[Cell(texts("none"), number=False), Cell("", number=False), Cell("0")]]
    header = [texts("columns", column) for column in ("indicator", "cause", "difference")]
    return Section("bridge", texts("sections", "bridge"), tables=[Table(texts("sections", "bridge"), header, rows)])


def _make_yardstick_sections(
    figures: PublishedFigures, confidential: ConfidentialReleasePart, period: str, name: str | None = None
) -> list[Section]:
    """Return a section with the yardsticks (figures that institutions published themselves) beside the figures as reported.

    There is no section if there are no yardsticks. If `name` is given, only the yardsticks of this institution are shown.
    """
    texts, yardsticks = figures.texts, confidential.yardsticks()
    rows_shown = yardsticks[(yardsticks["period"] == period) & yardsticks["indicator"].isin(list(figures.indicator_titles))]
    counting = {code for code in figures.indicator_titles if name in indicators()[code].institutions}
    rows_shown = rows_shown if name is None else rows_shown[(rows_shown["institution"] == name) & rows_shown["indicator"].isin(counting)]
    if rows_shown.empty:
        return []
    rows = [
        [
            Cell(figures.indicator_titles[row["indicator"]], number=False),
            Cell(find_labels_of_offence_groups(texts.lang)[row["offence_group"]], number=False),
            *([] if name else [Cell(texts.format_institution(row["institution"]), number=False)]),
            _make_number_cell(row["published"]),
            Cell(f"{_make_number_cell(row['as_reported']).text}{'*' if row['incomplete'] else ''}"),
            Cell("–" if pd.isna(row["gap"]) else f"{int(row['gap']):+d}".replace("-", "−").replace("+0", "0")),
            Cell(texts("return") if row["kind"] == "return" else str(row["source"]), number=False),
        ]
        for row in rows_shown.sort_values(
            ["indicator", "offence_group", "institution", "source"], key=_make_indicator_sort_key(figures)
        ).to_dict("records")
    ]
    columns = ("indicator", "category", *([] if name else ["institution"]), "published", "reported", "difference", "source")
    notes = [texts("incomplete_published")] if rows_shown["incomplete"].any() else []
    table = Table(texts.format_period(period), [texts("columns", column) for column in columns], rows, notes)
    return [Section("published", texts("sections", "published"), [texts("intro", "published")], [table])]


def _make_indicator_sort_key(figures: PublishedFigures) -> Callable[[pd.Series], pd.Series]:
    """Return a sort key that puts indicators into the order of the release and leaves all other columns as they are."""
    position = {code: n for n, code in enumerate(figures.indicator_titles)}
    return lambda column: column.map(position) if column.name == "indicator" else column


def _make_delivery_section(figures: PublishedFigures, period: str, name: str) -> Section:
    texts, coverage = figures.texts, figures.release.table("coverage")
    deliveries = coverage[(coverage["institution"] == name) & coverage["period"].str.startswith(period[:4])].sort_values("period")
    rows = [
        [
            Cell(texts.format_period(str(one["period"])), number=False),
            Cell(texts.describe_state(str(one["state"]), one.get("signature")), number=False),
        ]
        for one in deliveries.to_dict("records")
    ]
    table = Table(texts("sections", "coverage"), [texts("facts", "period"), texts("sections", "coverage")], rows)
    return Section("coverage", texts("sections", "coverage"), tables=[table])


def _make_exact_figure_section(figures: PublishedFigures, confidential: ConfidentialReleasePart, period: str) -> Section:
    texts = figures.texts
    counts = confidential.table("statistics")
    counts = counts[(counts["period"] == period) & (counts[_DIMENSION_COLUMNS[1:]] == "total").all(axis=1)]
    by_group = counts.set_index(["indicator", "offence_group"])
    groups = ["total", topic().leading, *topic().minor]
    rows = []
    for code, title in figures.indicator_titles.items():
        if (code, "total") in by_group.index:
            parts = [by_group["harmonised"].get((code, group)) for group in groups]
            rows.append(
                [
                    Cell(title, number=False),
                    _make_number_cell(by_group["as_reported"].get((code, "total"))),
                    *(_make_number_cell(n) for n in parts),
                ]
            )
    header = [texts("columns", column) for column in ("indicator", "reported", "total", "leading", "minor")[: 2 + len(groups)]]
    incomplete_notes = [texts.describe_missing_deliveries(missing) for missing in counts["missing"].dropna().unique()]
    return Section(
        "exact", texts("sections", "exact"), [texts("intro", "exact")], [Table(texts.format_period(period), header, rows, incomplete_notes)]
    )


def _make_pathway_section(figures: PublishedFigures, confidential: ConfidentialReleasePart, year: str) -> Section:
    """Return a section on the cohorts of victims up to a year.

    It says how many victims reached each step, which share this is, and how long the steps took.
    """
    texts, years = figures.texts, figures.list_years(year)
    cohorts, durations = (_select_cohorts(confidential.table(view), years) for view in ("flow_victims", "flow_victim_durations"))
    groups = {"total": cohorts, topic().leading: cohorts[cohorts["offence_group"] == topic().leading]}
    header = [texts("year"), texts("entities", "victim")]
    steps = [texts("pathway", "steps", step) for step in load_texts()["pathway"]["steps"]]
    notes = [texts("pathway", "incomplete")] if cohorts["incomplete"].any() else []
    captions = {group: find_label_of_code("offence_group", group, texts.lang) for group in groups}
    tables = [Table(captions[group], [*header, *steps], _make_cohort_rows(own), notes) for group, own in groups.items()]
    columns = [texts("pathway", "step"), texts("entities", "victim"), *(texts("pathway", name) for name in _DURATION_COLUMNS)]
    rows = _make_duration_rows(texts, durations)
    tables.append(Table(texts("pathway", "duration"), [texts("year"), *columns], rows, [*notes, texts("pathway", "few")]))
    return Section("pathway", texts("sections", "pathway"), [texts("intro", "pathway")], tables)


def _select_cohorts(rows: pd.DataFrame, years: list[str]) -> pd.DataFrame:
    return rows[rows["cohort"].isin(years)].sort_values("cohort", kind="stable")


def _make_cohort_rows(cohorts: pd.DataFrame) -> list[list[Cell]]:
    """Return a row for each year, with the number of victims, and the number and share of those who reached each step.

    A dash means that nothing was delivered.
    """
    rows = []
    for cohort, cohort_rows in cohorts.groupby("cohort"):
        victims, *reached = (cohort_rows[name].sum(min_count=1) for name in ("victims", *load_texts()["pathway"]["steps"]))
        shares = [Cell(_make_number_cell(n).text + (f" ({n / victims:.0%})" if pd.notna(n) and victims else "")) for n in reached]
        rows.append([Cell(_format_cohort_year(str(cohort), cohort_rows), number=False), _make_number_cell(victims), *shares])
    return rows


def _make_duration_rows(texts: ReportTexts, durations: pd.DataFrame) -> list[list[Cell]]:
    """Return a row for each year and step. A dash means that the number of days is unknown or not shown."""
    rows = []
    for cohort, durations_of_cohort in durations.groupby("cohort"):
        for step in load_texts()["pathway"]["durations"]:
            row = durations_of_cohort[durations_of_cohort["step"] == step].iloc[0]
            days = [Cell("–" if pd.isna(row[name]) else f"{row[name]:.1f}") for name in _DURATION_COLUMNS]
            names = [
                Cell(_format_cohort_year(str(cohort), durations_of_cohort), number=False),
                Cell(texts("pathway", "durations", step), number=False),
            ]
            rows.append([*names, _make_number_cell(row["victims"]), *days])
    return rows


def _format_cohort_year(cohort: str, rows: pd.DataFrame) -> str:
    return f"{cohort}*" if rows["incomplete"].any() else cohort
