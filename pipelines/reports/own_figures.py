"""Exact figures: an institution's own, to confirm and sign; the coordinator's annex.

Belongs here: the only sections of a report that read the confidential part of a release. Does not belong here: anything for the public or
for Government (`joint`).
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from pipelines.errors import HarmoniaError
from pipelines.reports.document import Cell, Document, Section, Table
from pipelines.reports.figures import Figures
from pipelines.reports.joint import document, known_period
from pipelines.reports.joint import report as joint
from pipelines.reports.words import Words
from sources import contract
from warehouse.indicators import DIMENSIONS, indicators
from warehouse.releases.confidential import Confidential, open_confidential
from warehouse.releases.reading import Release

_OTHERS = [*DIMENSIONS]


def coordinator(releases: Path, release: Release, period: str, lang: str) -> Document:
    """The joint report with an annex of exact figures by offence, marked confidential."""
    report = joint(release, period, "coordinator", lang)
    words = Words(lang)
    if not known_period(release, period):
        return report
    exact = _exact(Figures(release, words), open_confidential(releases, release.name), period)
    return Document(report.lang, report.title, report.office, report.facts, words("confidential"), [*report.sections, exact], report.footer)


def institution(releases: Path, release: Release, period: str, name: str, lang: str) -> Document:
    """An institution's figures as reported and harmonised, the causes of the difference, and a form to sign.

    Raises `HarmoniaError` for an unknown institution, language or period.
    """
    words = Words(lang)
    if name not in contract.institutions():
        raise HarmoniaError(f"unknown institution {name!r}: use one of {', '.join(contract.institutions())}")
    figures, confidential = Figures(release, words), open_confidential(releases, release.name)
    delivered = known_period(release, period)
    sections = [_own(figures, confidential, period, name), _difference(figures, confidential, period, name)] if delivered else []
    sections.append(_delivered(figures, period, name))
    fields = [words("columns", column) for column in ("name", "day", "signature")]
    sections.append(Section("sign", words("sections", "sign"), [words("intro", "sign")], sign=fields))
    report = document(words, release, period, "institution", sections, words("confidential"))
    return Document(
        report.lang,
        report.title,
        report.office,
        [(words("facts", "institution"), words.institution(name)), *report.facts],
        report.warning,
        sections,
        report.footer,
    )


def _grand(confidential: Confidential, period: str) -> pd.DataFrame:
    """Grand totals of a period by indicator: as_reported, harmonised, missing."""
    rows = confidential.table("statistics")
    rows = rows[(rows["period"] == period) & (rows[_OTHERS] == "total").all(axis=1)]
    return rows.set_index("indicator")


def _number(value: object) -> Cell:
    return Cell("–" if pd.isna(value) else str(int(float(str(value)))))  # type: ignore[call-overload]


def _own(figures: Figures, confidential: Confidential, period: str, name: str) -> Section:
    words, grand = figures.words, _grand(confidential, period)
    rows, gaps = [], set()
    for code, title in figures.titles.items():
        sources = indicators()[code].institutions
        if name not in sources or code not in grand.index:
            continue
        others = ", ".join(words.institution(i) for i in sources if i != name)
        shared = f"{words('columns', 'shared')} {others}" if others else ""
        row = grand.loc[code]
        gaps.add(words.gap(None if pd.isna(row["missing"]) else str(row["missing"])))
        rows.append([Cell(title, number=False), _number(row["as_reported"]), _number(row["harmonised"]), Cell(shared, number=False)])
    head = [words("columns", "indicator"), words("columns", "reported"), words("columns", "harmonised"), ""]
    table = Table(words.period(period), head, rows, sorted(filter(None, gaps)))
    return Section("key", words("sections", "key"), [words("intro", "own")], [table])


def _difference(figures: Figures, confidential: Confidential, period: str, name: str) -> Section:
    words = figures.words
    causes = figures.release.table("causes").set_index("cause")[words.lang]
    bridge = confidential.table("bridge")
    mine = bridge[(bridge["period"] == period) & (bridge["institution"] == name) & (bridge["n"] != 0)]
    rows = [
        [Cell(figures.titles[str(code)], number=False), Cell(str(causes[cause]), number=False), Cell(f"{int(n):+d}".replace("-", "−"))]
        for code, cause, n in zip(mine["indicator"], mine["cause"], mine["n"], strict=True)
        if code in figures.titles
    ]
    rows = rows or [[Cell(words("none"), number=False), Cell("", number=False), Cell("0")]]
    head = [words("columns", column) for column in ("indicator", "cause", "difference")]
    return Section("bridge", words("sections", "bridge"), tables=[Table(words("sections", "bridge"), head, rows)])


def _delivered(figures: Figures, period: str, name: str) -> Section:
    words, coverage = figures.words, figures.release.table("coverage")
    mine = coverage[(coverage["institution"] == name) & coverage["period"].str.startswith(period[:4])].sort_values("period")
    rows = [
        [Cell(words.period(p), number=False), Cell(words.state(s), number=False)]
        for p, s in zip(mine["period"], mine["state"], strict=True)
    ]
    table = Table(words("sections", "coverage"), [words("facts", "period"), words("sections", "coverage")], rows)
    return Section("coverage", words("sections", "coverage"), tables=[table])


def _exact(figures: Figures, confidential: Confidential, period: str) -> Section:
    words = figures.words
    counts = confidential.table("statistics")
    counts = counts[(counts["period"] == period) & (counts[_OTHERS[1:]] == "total").all(axis=1)]
    by = counts.set_index(["indicator", "offence_group"])
    rows = []
    for code, title in figures.titles.items():
        if (code, "total") in by.index:
            parts = [by["harmonised"].get((code, group)) for group in ("total", "trafficking", "prostitution")]
            rows.append([Cell(title, number=False), _number(by["as_reported"].get((code, "total"))), *(_number(n) for n in parts)])
    head = [words("columns", column) for column in ("indicator", "reported", "total", "trafficking", "minor")]
    gaps = [words.gap(missing) for missing in counts["missing"].dropna().unique()]
    return Section("exact", words("sections", "exact"), [words("intro", "exact")], [Table(words.period(period), head, rows, gaps)])
