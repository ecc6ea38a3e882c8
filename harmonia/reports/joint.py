"""The joint report of the institutions: its sections. Only the public part of a release is read.

Belongs here: the figures of each section. Does not belong here: exact figures (`own_figures`), layout (`page`).
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from harmonia.errors import HarmoniaError
from harmonia.reports import charts
from harmonia.reports.document import SUPPRESSED_MARK, Cell, Chart, Document, Section, Table
from harmonia.reports.figures import PublishedFigures
from harmonia.reports.texts import ReportTexts
from schemas.topic import topic
from sources.completeness_states import COMPLETE, PARTIAL
from warehouse.indicators import indicators
from warehouse.releases.reading import Release, make_text_of_figure_status

_BROKEN_DOWN = ("sex", "age_group", "citizenship_group", "form")


def make_joint_report(release: Release, period: str, audience: str, lang: str) -> Document:
    """Make the joint report of a year or a quarter. Raises `HarmoniaError` if the period or the language is unknown."""
    texts = ReportTexts(lang)
    figures = PublishedFigures(release, texts)
    delivered = has_readable_data(release, period)
    if not delivered:
        sections = [
            Section("key", texts("sections", "key"), [texts("nothing", period=texts.format_period(period))]),
            _make_coverage_section(figures, period),
        ]
    elif "-Q" in period:
        sections = [
            _make_quarter_section(figures, period),
            _make_coverage_section(figures, period),
            _make_quality_section(figures),
            _make_method_section(figures),
        ]
    else:
        sections = [
            _make_key_figure_section(figures, period),
            _make_trend_section(figures, period),
            *_make_breakdown_sections(figures, period),
            _make_flow_section(figures, period),
            _make_bridge_section(figures, period),
        ]
        sections += [_make_coverage_section(figures, period), _make_quality_section(figures), _make_method_section(figures)]
    return make_document(texts, release, period, audience, sections)


def make_document(texts: ReportTexts, release: Release, period: str, audience: str, sections: list[Section], warning: str = "") -> Document:
    """Make a report from its sections, and add its title, the office, and facts about the release."""
    policy = release.manifest["policy"]
    facts = [
        (texts("facts", "period"), texts.format_period(period)),
        (texts("facts", "release"), release.name),
        (texts("facts", "policy"), f"{policy['signed_by']}, {policy['signed_on']}"),
    ]
    return Document(texts.lang, texts("titles", audience), texts("office"), facts, warning, sections, texts("footer"))


def has_readable_data(release: Release, period: str) -> bool:
    """Return whether readable data was delivered for a period.

    Raises `HarmoniaError` if the period is invalid or not in the release.
    """
    coverage = release.table("coverage")
    periods = sorted(coverage["period"].unique())
    if period not in periods:
        years = ", ".join(p for p in periods if "-Q" not in p)
        raise HarmoniaError(
            f"period {period!r} is not in release {release.name}: its years are {years or 'none'}; a quarter is written 2013-Q2"
        )
    return bool(coverage.loc[coverage["period"] == period, "state"].isin([COMPLETE, PARTIAL]).any())


def _make_key_figure_section(figures: PublishedFigures, year: str) -> Section:
    texts = figures.texts
    years = figures.list_years(year)
    header = [texts("columns", "indicator"), *years[:-1], f"{year}: {texts('columns', 'total').lower()}"]
    header += [texts("columns", "leading"), *(texts("columns", "minor") for _ in topic().minor)]
    tables = []
    for stage, codes in figures.indicators_by_stage.items():
        rows = []
        for code in codes:
            cells = [figures.make_total_cell(code, y) for y in years]
            cells += [
                figures.make_offence_cell(code, year, topic().leading),
                *(_make_minor_offence_cell(figures, code, year, minor) for minor in topic().minor),
            ]
            rows.append([Cell(figures.indicator_titles[code], number=False), *cells])
        tables.append(Table(texts("stages", stage), header, rows, _explain_suppression_mark(texts, rows)))
    return Section("key", texts("sections", "key"), [texts("intro", "key")], tables, notes=figures.explain_incomplete_figures(*years))


def _make_minor_offence_cell(figures: PublishedFigures, code: str, year: str, minor: str) -> Cell:
    """Return a cell with the figure of a minor offence group. It has a dash if the indicator has no such group, as for victims."""
    categories = figures.find_rows(code, "offence_group", year)["cell"]
    if len(categories) and not categories.str.contains(minor, regex=False).any() and (categories != "").all():
        return Cell("–")
    return figures.make_offence_cell(code, year, minor)


def _explain_suppression_mark(texts: ReportTexts, rows: list[list[Cell]]) -> list[str]:
    return [texts("mark")] if any(cell.suppressed for row in rows for cell in row) else []


def _explain_missing_bars(texts: ReportTexts, drawn_charts: list[Chart]) -> list[str]:
    return [texts("mark")] if any(SUPPRESSED_MARK in chart.svg for chart in drawn_charts) else []


def _make_trend_section(figures: PublishedFigures, year: str) -> Section:
    texts, years = figures.texts, figures.list_years(year)
    drawn_charts = []
    for code in topic().report.trend:
        totals = [figures.find_figure(code, "total", y, "total") for y in years]
        parts = [figures.find_figure(code, "offence_group", y, topic().leading) for y in years]
        is_incomplete = [any(figures.find_rows(code, table, y)["incomplete"].any() for table in ("total", "offence_group")) for y in years]
        labels = [f"{y}*" if incomplete else y for y, incomplete in zip(years, is_incomplete, strict=True)]
        drawn_charts.append(
            Chart(
                figures.indicator_titles[code],
                charts.draw_bar_chart(figures.indicator_titles[code], labels, totals, parts, SUPPRESSED_MARK),
            )
        )
    notes = [*_explain_missing_bars(texts, drawn_charts), *figures.explain_incomplete_figures(*years, codes=topic().report.trend)]
    return Section("trend", texts("sections", "trend"), [texts("intro", "trend")], charts=drawn_charts, notes=notes)


def _make_breakdown_sections(figures: PublishedFigures, year: str) -> list[Section]:
    texts = figures.texts
    tables = [table for name in _BROKEN_DOWN if (table := _find_latest_breakdown(figures, topic().report.broken_down, name, year))]
    victims = Section(
        "victims", texts("sections", "victims"), [texts("intro", "victims")], tables, notes=[] if tables else [texts("unpublished")]
    )
    by_offence = []
    for codes in figures.indicators_by_stage.values():
        by_offence += [table for code in codes if (table := figures.make_breakdown_table(code, "offence_group", year))]
    return [victims, Section("offences", texts("sections", "offences"), tables=by_offence)]


def _find_latest_breakdown(figures: PublishedFigures, code: str, table: str, year: str) -> Table | None:
    """Return the breakdown of the year. If it was not published, return that of the latest earlier year or window that was published."""
    cube = figures.release.cube
    published = cube[(cube["indicator"] == code) & (cube["table"] == table) & (cube["measure"] == "harmonised")]
    windows = sorted(window for window in published["of"].unique() if window[-4:] <= year or window[:4] <= year <= window[-4:])
    return figures.make_breakdown_table(code, table, windows[-1]) if windows else None


def _make_flow_section(figures: PublishedFigures, year: str) -> Section:
    texts = figures.texts
    lanes = [
        (
            texts("entities", unit),
            [
                (figures.indicator_titles[c], figures.make_offence_cell(c, year, topic().leading).text)
                for c in codes
                if c in figures.indicator_titles
            ],
        )
        for unit, codes in topic().report.flow.items()
        if any(c in figures.indicator_titles for c in codes)  # a release made before an indicator existed has none of it
    ]
    chart = Chart(texts("sections", "flow"), charts.draw_flow_chart(texts("sections", "flow"), lanes))
    notes = [
        *_explain_missing_bars(texts, [chart]),
        *figures.explain_incomplete_figures(year, codes=topic().report.in_flow),
    ]
    return Section("flow", texts("sections", "flow"), [texts("intro", "flow", year=year)], charts=[chart], notes=notes)


def _make_bridge_section(figures: PublishedFigures, year: str) -> Section:
    texts, lang = figures.texts, figures.texts.lang
    causes = figures.release.table("causes").set_index("cause")[lang]
    bridge = figures.release.table("bridge")
    bridge = bridge[bridge["period"] == year]
    rows = []
    for code, title in figures.indicator_titles.items():
        totals = [figures.make_total_cell(code, year, "as_reported"), figures.make_total_cell(code, year)]
        bridge_rows = bridge[bridge["indicator"] == code]
        rows.append([Cell(title, number=False), *totals, Cell(_describe_causes(bridge_rows, causes, texts), number=False)])
    header = [texts("columns", name) for name in ("indicator", "reported", "harmonised", "cause")]
    note = [] if len(bridge) else [texts("unpublished")]
    table = Table(texts("sections", "bridge"), header, rows, [*figures.explain_incomplete_figures(year), *note])
    return Section("bridge", texts("sections", "bridge"), [texts("intro", "bridge")], [table])


def _describe_causes(bridge_rows: pd.DataFrame, causes: pd.Series, texts: ReportTexts) -> str:
    """Describe the published causes of the difference between the two figures of an indicator, e.g. "registered twice: −3"."""
    out = []
    for cause, n, status in zip(bridge_rows["cause"], bridge_rows["n"], bridge_rows["status"], strict=True):
        name = str(causes[cause]) if cause in causes.index else texts("other_causes" if len(bridge_rows) > 1 else "all_causes")
        figure = make_text_of_figure_status(status, texts.lang).rstrip(".").lower() if pd.isna(n) else f"{int(n):+d}".replace("-", "−")
        out.append(f"{name.lower()}: {figure}")
    return "; ".join(out)


def _make_coverage_section(figures: PublishedFigures, period: str) -> Section:
    texts = figures.texts
    coverage = figures.release.table("coverage")
    quarters = [p for p in sorted(coverage["period"].unique()) if "-Q" in p and p[:4] == period[:4]]
    by_quarter = coverage.set_index(["institution", "period"])
    state = by_quarter["state"]
    signature: dict[Any, Any] = by_quarter["signature"].to_dict() if "signature" in by_quarter else {}
    rows = []
    for institution in coverage["institution"].drop_duplicates():
        pairs = [(institution, quarter) for quarter in quarters]
        states = [texts.describe_state(str(state[pair]), signature.get(pair)) if pair in state else "–" for pair in pairs]
        rows.append([Cell(texts.format_institution(institution), number=False), *(Cell(s, number=False) for s in states)])
    table = Table(texts("sections", "coverage"), [texts("columns", "institution"), *quarters], rows)
    return Section("coverage", texts("sections", "coverage"), [texts("intro", "coverage")], [table])


def _make_quality_section(figures: PublishedFigures) -> Section:
    texts = figures.texts
    shares = figures.release.manifest["linkage"]["shares"]
    rows = [
        [Cell(texts("entities", share["entity"]), number=False), *(Cell(f"{share[k]:.1%}") for k in ("linked", "machine", "people"))]
        for share in shares
    ]
    table = Table(texts("sections", "quality"), [texts("columns", name) for name in ("entity", "linked", "machine", "people")], rows)
    return Section("quality", texts("sections", "quality"), [texts("intro", "quality")], [table])


def _make_quarter_section(figures: PublishedFigures, period: str) -> Section:
    texts, (year, quarter) = figures.texts, period.split("-")
    rows, unpublished = [], True
    for code, title in figures.indicator_titles.items():
        quarters = figures.find_rows(code, "quarter", year)
        rows_of_quarter = quarters[[quarter in str(cell).split("+") for cell in quarters["cell"]]]
        unpublished = unpublished and quarters.empty
        if len(rows_of_quarter) and pd.notna(rows_of_quarter["value"].iloc[0]):
            cell = Cell(figures.format_figure(rows_of_quarter["value"].iloc[0], rows_of_quarter.iloc[0]))
            rows.append(
                [
                    Cell(title, number=False),
                    cell,
                    Cell(figures.label_category("quarter", str(rows_of_quarter["cell"].iloc[0])), number=False),
                ]
            )
        elif len(quarters):
            rows.append([Cell(title, number=False), Cell(SUPPRESSED_MARK, suppressed=True), Cell("", number=False)])
    header = [texts("columns", "indicator"), texts("columns", "leading"), texts("facts", "period")]
    tables = [Table(texts.format_period(period), header, rows, _explain_suppression_mark(texts, rows))] if rows else []
    notes = [texts("unpublished")] if unpublished else []
    return Section(
        "key", texts("sections", "key"), [texts("intro", "key_quarter")], tables, notes=[*notes, *figures.explain_incomplete_figures(year)]
    )


def _make_method_section(figures: PublishedFigures) -> Section:
    texts = figures.texts
    definitions = figures.release.table("definitions").set_index("indicator")
    rows = [
        [
            Cell(title, number=False),
            Cell(str(definitions.loc[code, f"definition_{texts.lang}"]), number=False),
            Cell(", ".join(texts.format_institution(i) for i in indicators()[code].institutions), number=False),
        ]
        for code, title in figures.indicator_titles.items()
    ]
    header = [texts("columns", "indicator"), texts("definitions"), texts("columns", "institution")]
    return Section("method", texts("sections", "method"), texts.list_sentences("method"), [Table(texts("definitions"), header, rows)])
