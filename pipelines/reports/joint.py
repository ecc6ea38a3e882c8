"""The joint report of the institutions: its sections. Reads only the public part of a release.

Belongs here: the figures of each section. Does not belong here: exact figures (`own_figures`), layout (`page`).
"""

from __future__ import annotations

import pandas as pd

from pipelines.errors import HarmoniaError
from pipelines.reports import charts
from pipelines.reports.document import MARK, Cell, Chart, Document, Section, Table
from pipelines.reports.figures import Figures
from pipelines.reports.words import Words
from sources.states import COMPLETE, MISSING, PARTIAL
from warehouse.indicators import indicators
from warehouse.releases.reading import Release, status_text

VICTIMS = "victims_identified"
_MINOR = "prostitution"
_TRAFFICKING = "trafficking"
_BROKEN_DOWN = ("sex", "age_group", "citizenship_group", "form")
_TREND = (VICTIMS, "persons_arrested", "cases_received_prosecution", "persons_indicted", "persons_convicted", "persons_convicted_final")
_FLOW = {
    "case": ("cases_registered", "cases_referred", "cases_received_prosecution", "cases_received_court"),
    "person": (
        "suspects_registered",
        "persons_reported",
        "persons_indicted",
        "persons_convicted",
        "persons_convicted_final",
        "persons_admitted_sentence",
    ),
}


def report(release: Release, period: str, audience: str, lang: str) -> Document:
    """The joint report of a year or a quarter. Raises `HarmoniaError` for an unknown period or language."""
    words = Words(lang)
    figures = Figures(release, words)
    delivered = known_period(release, period)
    if not delivered:
        sections = [Section("key", words("sections", "key"), [words("nothing", period=words.period(period))]), _coverage(figures, period)]
    elif "-Q" in period:
        sections = [_quarter(figures, period), _coverage(figures, period), _quality(figures), _method(figures)]
    else:
        sections = [
            _key(figures, period),
            _trend(figures, period),
            *_broken_down(figures, period),
            _flow(figures, period),
            _bridge(figures, period),
        ]
        sections += [_coverage(figures, period), _quality(figures), _method(figures)]
    return document(words, release, period, audience, sections)


def document(words: Words, release: Release, period: str, audience: str, sections: list[Section], warning: str = "") -> Document:
    """The report with its sections: title, office, facts on the release."""
    policy = release.manifest["policy"]
    facts = [
        (words("facts", "period"), words.period(period)),
        (words("facts", "release"), release.name),
        (words("facts", "policy"), f"{policy['signed_by']}, {policy['signed_on']}"),
    ]
    return Document(words.lang, words("titles", audience), words("office"), facts, warning, sections, words("footer"))


def known_period(release: Release, period: str) -> bool:
    """Whether readable data was delivered for a period.

    Raises `HarmoniaError` where the period is invalid or not in the release.
    """
    coverage = release.table("coverage")
    there = sorted(coverage["period"].unique())
    if period not in there:
        years = ", ".join(p for p in there if "-Q" not in p)
        raise HarmoniaError(
            f"period {period!r} is not in release {release.name}: its years are {years or 'none'}; a quarter is written 2013-Q2"
        )
    return bool(coverage.loc[coverage["period"] == period, "state"].isin([COMPLETE, PARTIAL]).any())


def _key(figures: Figures, year: str) -> Section:
    words = figures.words
    years = figures.years(year)
    head = [words("columns", "indicator"), *years[:-1], f"{year}: {words('columns', 'total').lower()}"]
    head += [words("columns", "trafficking"), words("columns", "minor")]
    tables = []
    for stage, codes in figures.by_stage.items():
        rows = []
        for code in codes:
            cells = [figures.total(code, y) for y in years]
            cells += [figures.part(code, year, _TRAFFICKING), _minor(figures, code, year)]
            rows.append([Cell(figures.titles[code], number=False), *cells])
        tables.append(Table(words("stages", stage), head, rows, _mark(words, rows)))
    return Section("key", words("sections", "key"), [words("intro", "key")], tables, notes=figures.gaps(*years))


def _minor(figures: Figures, code: str, year: str) -> Cell:
    """The minor offence's part; a dash for indicators without such a part (victims)."""
    categories = figures.rows(code, "offence_group", year)["cell"]
    if len(categories) and not categories.str.contains(_MINOR).any() and (categories != "").all():
        return Cell("–")
    return figures.part(code, year, _MINOR)


def _mark(words: Words, rows: list[list[Cell]]) -> list[str]:
    return [words("mark")] if any(cell.marked for row in rows for cell in row) else []


def _marked(words: Words, drawn: list[Chart]) -> list[str]:
    return [words("mark")] if any(MARK in chart.svg for chart in drawn) else []


def _trend(figures: Figures, year: str) -> Section:
    words, years = figures.words, figures.years(year)
    drawn = []
    for code in _TREND:
        totals = [figures.number(code, "total", y, "total") for y in years]
        parts = [figures.number(code, "offence_group", y, _TRAFFICKING) for y in years]
        gaps = [any(figures.rows(code, table, y)["incomplete"].any() for table in ("total", "offence_group")) for y in years]
        starred = [f"{y}*" if gap else y for y, gap in zip(years, gaps, strict=True)]
        drawn.append(Chart(figures.titles[code], charts.bars(figures.titles[code], starred, totals, parts, MARK)))
    notes = [*_marked(words, drawn), *figures.gaps(*years, codes=_TREND)]
    return Section("trend", words("sections", "trend"), [words("intro", "trend")], charts=drawn, notes=notes)


def _broken_down(figures: Figures, year: str) -> list[Section]:
    words = figures.words
    tables = [table for name in _BROKEN_DOWN if (table := _printed(figures, VICTIMS, name, year))]
    victims = Section(
        "victims", words("sections", "victims"), [words("intro", "victims")], tables, notes=[] if tables else [words("unpublished")]
    )
    by_offence = []
    for codes in figures.by_stage.values():
        by_offence += [table for code in codes if (table := figures.breakdown(code, "offence_group", year))]
    return [victims, Section("offences", words("sections", "offences"), tables=by_offence)]


def _printed(figures: Figures, code: str, table: str, year: str) -> Table | None:
    """A breakdown of the year, else of the latest published year or window before it."""
    cube = figures.release.cube
    mine = cube[(cube["indicator"] == code) & (cube["table"] == table) & (cube["measure"] == "harmonised")]
    of = sorted(one for one in mine["of"].unique() if one[-4:] <= year or one[:4] <= year <= one[-4:])
    return figures.breakdown(code, table, of[-1]) if of else None


def _flow(figures: Figures, year: str) -> Section:
    words = figures.words
    lanes = [
        (words("entities", unit), [(figures.titles[c], figures.part(c, year, _TRAFFICKING).text) for c in codes])
        for unit, codes in _FLOW.items()
    ]
    drawn = Chart(words("sections", "flow"), charts.flow(words("sections", "flow"), lanes))
    notes = [*_marked(words, [drawn]), *figures.gaps(year, codes=[code for codes in _FLOW.values() for code in codes])]
    return Section("flow", words("sections", "flow"), [words("intro", "flow", year=year)], charts=[drawn], notes=notes)


def _bridge(figures: Figures, year: str) -> Section:
    words, lang = figures.words, figures.words.lang
    causes = figures.release.table("causes").set_index("cause")[lang]
    bridge = figures.release.table("bridge")
    bridge = bridge[bridge["period"] == year]
    rows = []
    for code, title in figures.titles.items():
        ends = [figures.total(code, year, "as_reported"), figures.total(code, year)]
        mine = bridge[bridge["indicator"] == code]
        rows.append([Cell(title, number=False), *ends, Cell(_causes(mine, causes, words), number=False)])
    head = [words("columns", name) for name in ("indicator", "reported", "harmonised", "cause")]
    known = [] if len(bridge) else [words("unpublished")]
    table = Table(words("sections", "bridge"), head, rows, [*figures.gaps(year), *known])
    return Section("bridge", words("sections", "bridge"), [words("intro", "bridge")], [table])


def _causes(mine: pd.DataFrame, causes: pd.Series, words: Words) -> str:
    """The published causes of one indicator's difference, in words: "registered twice: −3"."""
    out = []
    for cause, n, status in zip(mine["cause"], mine["n"], mine["status"], strict=True):
        name = str(causes[cause]) if cause in causes.index else words("other_causes" if len(mine) > 1 else "all_causes")
        figure = status_text(status, words.lang).rstrip(".").lower() if pd.isna(n) else f"{int(n):+d}".replace("-", "−")
        out.append(f"{name.lower()}: {figure}")
    return "; ".join(out)


def _coverage(figures: Figures, period: str) -> Section:
    words = figures.words
    coverage = figures.release.table("coverage")
    quarters = [p for p in sorted(coverage["period"].unique()) if "-Q" in p and p[:4] == period[:4]]
    state = coverage.set_index(["institution", "period"])["state"]
    rows = []
    for institution in coverage["institution"].drop_duplicates():
        states = [words.state(str(state.get((institution, q), MISSING))) for q in quarters]
        rows.append([Cell(words.institution(institution), number=False), *(Cell(s, number=False) for s in states)])
    table = Table(words("sections", "coverage"), [words("columns", "institution"), *quarters], rows)
    return Section("coverage", words("sections", "coverage"), [words("intro", "coverage")], [table])


def _quality(figures: Figures) -> Section:
    words = figures.words
    shares = figures.release.manifest["linkage"]["shares"]
    rows = [
        [Cell(words("entities", one["entity"]), number=False), *(Cell(f"{one[k]:.1%}") for k in ("linked", "machine", "people"))]
        for one in shares
    ]
    table = Table(words("sections", "quality"), [words("columns", name) for name in ("entity", "linked", "machine", "people")], rows)
    return Section("quality", words("sections", "quality"), [words("intro", "quality")], [table])


def _quarter(figures: Figures, period: str) -> Section:
    words, (year, quarter) = figures.words, period.split("-")
    rows, unpublished = [], True
    for code, title in figures.titles.items():
        found = figures.rows(code, "quarter", year)
        mine = found[[quarter in str(cell).split("+") for cell in found["cell"]]]
        unpublished = unpublished and found.empty
        if len(mine) and pd.notna(mine["value"].iloc[0]):
            cell = Cell(figures.shown(mine["value"].iloc[0], mine.iloc[0]))
            rows.append([Cell(title, number=False), cell, Cell(figures.category("quarter", str(mine["cell"].iloc[0])), number=False)])
        elif len(found):
            rows.append([Cell(title, number=False), Cell(MARK, marked=True), Cell("", number=False)])
    head = [words("columns", "indicator"), words("columns", "trafficking"), words("facts", "period")]
    tables = [Table(words.period(period), head, rows, _mark(words, rows))] if rows else []
    notes = [words("unpublished")] if unpublished else []
    return Section("key", words("sections", "key"), [words("intro", "key_quarter")], tables, notes=[*notes, *figures.gaps(year)])


def _method(figures: Figures) -> Section:
    words = figures.words
    definitions = figures.release.table("definitions").set_index("indicator")
    rows = [
        [
            Cell(title, number=False),
            Cell(str(definitions.loc[code, f"definition_{words.lang}"]), number=False),
            Cell(", ".join(words.institution(i) for i in indicators()[code].institutions), number=False),
        ]
        for code, title in figures.titles.items()
    ]
    head = [words("columns", "indicator"), words("definitions"), words("columns", "institution")]
    return Section("method", words("sections", "method"), words.each("method"), [Table(words("definitions"), head, rows)])
