"""One delivery's report as HTML pages, one a language; the page for the head of the institution.

Belongs here: what stands where on the page. Does not belong here: the counting (`report`), words (`texts.yaml`), looks (`templates/`).

The page is one file without scripts or anything from elsewhere, and says so to the browser (Content-Security-Policy): delivered
text is shown, never run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

import jinja2
import pandas as pd

from pipelines.feedback.report import COUNTS, Report, plain, rows_of
from pipelines.feedback.texts import texts, visible
from schemas.findings import LANGUAGES, SEVERITIES, Rule, rules
from warehouse.indicators import indicators

_TO_CORRECT = tuple(severity for severity in SEVERITIES if severity != "info")
_COLUMNS = {
    "unit": "unit",
    "record": "record_key",
    "own_number": "number",
    "field": "field",
    "value": "value",
    "detail": "detail",
    "file": "file",
    "part": "part",
    "line": "line",
    "cell": "cell",
}
_EXAMPLES = 5
WORKBOOK = "findings.xlsx"


class Row(NamedTuple):
    """One finding as shown; missing cells are None."""

    unit: str | None
    record: str | None
    own_number: str | None
    field: str | None
    value: str | None
    detail: str | None
    file: str | None
    part: str | None
    line: str | None
    cell: str | None
    rule: str
    severity: str
    origin: str
    state: str


@dataclass(frozen=True)
class Block:
    """The findings of one rule: the columns that hold anything (keys of `texts.yaml`), and a row of shown text for each finding."""

    rule: Rule
    severity: str
    anchor: str
    columns: tuple[str, ...]
    rows: list[tuple[str | None, ...]]
    lives: Mapping[str, int]


@dataclass(frozen=True)
class Folded:
    """What the form permits, once for a rule and column: how often, and where for example."""

    rule: Rule
    file: str | None
    field: str | None
    count: int
    examples: str


def pages(report: Report) -> dict[str, str]:
    """File name -> page: `findings.html` in the institution's language, `findings.<language>.html` in the others, and `letter` alike."""
    shown = _shown(report.findings[report.findings["listed"] | (report.findings["state"] == "accepted_as_is")])
    gone = [row for row in shown if row.state == "fixed"]
    accepted = [row for row in shown if row.state == "accepted_as_is"]
    open_ = [row for row in shown if row.state not in ("fixed", "accepted_as_is")]
    causes = [row for row in open_ if row.origin == "cause"]
    content = {
        "report": report,
        "counts": report.counts,
        "files": [
            {**row, "file": visible(str(row["file"])), "state": visible(str(row["state"]))} for row in report.files.to_dict("records")
        ],
        "totals": {name: int(report.files[name].sum()) for name in COUNTS},
        "causes": {severity: _blocks([row for row in causes if row.severity == severity], "") for severity in _TO_CORRECT},
        "consequences": _blocks([row for row in open_ if row.origin == "consequence"], "follows-"),
        "info": _folded(report.open[~report.open["listed"]]),
        "to_check": _blocks([row for row in causes if row.severity == "info"], ""),
        "fixed": _blocks(gone, "fixed-"),
        "accepted": _blocks(accepted, "accepted-"),
        "foremost": rows_of(report.foremost),
        "trend": rows_of(report.trend),
        "indicators": indicators(),
        "workbook": WORKBOOK,
        "names": {"institution": visible(report.institution), "delivery": visible(report.delivery)},
        "files_by_language": {language: localised("findings", language, report.language) for language in LANGUAGES},
        "letters": {language: localised("letter", language, report.language) for language in LANGUAGES},
    }
    return {
        localised(name, language, report.language): environment()
        .get_template(template)
        .render(t=texts(language), language=language, **content)
        for name, template in (("findings", "page.html.j2"), ("letter", "letter.html.j2"))
        for language in LANGUAGES
    }


def localised(name: str, language: str, own: str) -> str:
    """The name of a page in `language`, where the institution's own has none in it."""
    return f"{name}.html" if language == own else f"{name}.{language}.html"


@cache
def environment() -> jinja2.Environment:
    """Templates of the feedback; whatever is put into them is shown as text."""
    loader = jinja2.PackageLoader("pipelines.feedback")
    made = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.globals.update(COUNTS=COUNTS, languages={language: texts(language)["language"] for language in LANGUAGES})
    return made


def _shown(findings: pd.DataFrame) -> list[Row]:
    """The findings, in their order, as text that can be shown."""
    columns = []
    for name in Row._fields:
        cells = plain(findings[_COLUMNS.get(name, name)])
        known = {cell: visible(str(cell)) for cell in set(cells) if cell is not None}
        columns.append([known.get(cell) for cell in cells])
    return [Row(*cells) for cells in zip(*columns, strict=True)]


def _blocks(rows: list[Row], prefix: str) -> list[Block]:
    """A block for each rule; `rows` are sorted by rule."""
    blocks = []
    for code, group in groupby(rows, key=attrgetter("rule")):
        columns = dict(zip(Row._fields, zip(*group, strict=True), strict=True))
        used = [name for name in _COLUMNS if any(cell is not None for cell in columns[name])]
        blocks.append(
            Block(
                rule=rules()[code],
                severity=columns["severity"][0],
                anchor=f"{prefix}{code}",
                columns=(*used, "state"),
                rows=list(zip(*(columns[name] for name in (*used, "state")), strict=True)),
                lives=Counter(columns["state"]),
            )
        )
    return blocks


def _folded(findings: pd.DataFrame) -> list[Folded]:
    places = findings["line"].astype("str").fillna(findings["record_key"])
    out = []
    by = [findings["rule"], findings["file"].fillna(""), findings["field"].fillna("")]
    for (code, file, name), where in places.groupby(by, sort=False):
        some = [visible(place) for place in where.dropna().head(_EXAMPLES)]
        more = " …" if len(where) > _EXAMPLES else ""
        out.append(Folded(rules()[str(code)], visible(str(file)) or None, visible(str(name)) or None, len(where), ", ".join(some) + more))
    return out
