"""One delivery's report as HTML pages, one a language; the page for the head of the institution.

Belongs here: what stands where on the page. Does not belong here: the counting (`report`), words (`texts.yaml`), looks (`templates/`).

The page is one file without scripts or anything from elsewhere, and says so to the browser (Content-Security-Policy): delivered
text is shown, never run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby, islice
from typing import NamedTuple

import jinja2
import pandas as pd
from markupsafe import Markup

from pipelines.feedback.report import COUNTS, Report, plain, rows_of
from pipelines.feedback.texts import texts, visible
from schemas.findings import LANGUAGES, SEVERITIES, Rule, cells_told, rules, shortened
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


class Told(NamedTuple):
    """Findings as shown, a list a column. cells: the cell of the table, for each column of `_COLUMNS`; None where it is missing."""

    cells: Mapping[str, list[Markup | None]]
    rule: list[str]
    severity: list[str]
    origin: list[str]
    state: list[str]


@dataclass(frozen=True)
class Block:
    """The findings of one rule: the columns that hold anything (keys of `texts.yaml`); for each finding the cells of its row, which are
    the same in every language, and its state, which is said in words."""

    rule: Rule
    severity: str
    anchor: str
    columns: tuple[str, ...]
    rows: list[tuple[Markup, str]]
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
    told = _told(report.findings[report.findings["listed"] | (report.findings["state"] == "accepted_as_is")])
    gone = [n for n, state in enumerate(told.state) if state == "fixed"]
    accepted = [n for n, state in enumerate(told.state) if state == "accepted_as_is"]
    open_ = [n for n, state in enumerate(told.state) if state not in ("fixed", "accepted_as_is")]
    causes = [n for n in open_ if told.origin[n] == "cause"]
    content = {
        "report": report,
        "counts": report.counts,
        "files": [
            {**row, "file": visible(str(row["file"])), "state": visible(str(row["state"]))} for row in report.files.to_dict("records")
        ],
        "totals": {name: int(report.files[name].sum()) for name in COUNTS},
        "causes": {severity: _blocks(told, [n for n in causes if told.severity[n] == severity], "") for severity in _TO_CORRECT},
        "consequences": _blocks(told, [n for n in open_ if told.origin[n] == "consequence"], "follows-"),
        "info": _folded(report.open[~report.open["listed"]]),
        "to_check": _blocks(told, [n for n in causes if told.severity[n] == "info"], ""),
        "fixed": _blocks(told, gone, "fixed-"),
        "accepted": _blocks(told, accepted, "accepted-"),
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


def _told(findings: pd.DataFrame) -> Told:
    """The findings, in their order, as what is shown of them. A text that comes again is made ready once."""
    cells = {}
    for name, column in _COLUMNS.items():
        delivered = plain(shortened(findings[column]) if column == "detail" else findings[column])
        known = {cell: _cell(name, visible(str(cell))) for cell in set(delivered) if cell is not None}
        cells[name] = [known.get(cell) for cell in delivered]
    return Told(cells, *(plain(findings[name]) for name in ("rule", "severity", "origin", "state")))


def _cell(name: str, text: str) -> Markup:
    return Markup('<td role="cell" class="{}"><bdi>{}</bdi></td>').format(name, text)


def _blocks(told: Told, rows: Sequence[int], prefix: str) -> list[Block]:
    """A block for each rule of `rows` (numbers), which are sorted by rule."""
    blocks = []
    for code, group in groupby(rows, key=told.rule.__getitem__):
        numbers = list(group)
        used = [name for name, cells in told.cells.items() if any(cells[n] is not None for n in numbers)]
        columns = [(told.cells[name], Markup('<td role="cell" class="{}">–</td>').format(name)) for name in used]
        blocks.append(
            Block(
                rule=rules()[code],
                severity=told.severity[numbers[0]],
                anchor=f"{prefix}{code}",
                columns=(*used, "state"),
                rows=[(Markup("").join([cells[n] or missing for cells, missing in columns]), told.state[n]) for n in numbers],
                lives=Counter(told.state[n] for n in numbers),
            )
        )
    return blocks


def _folded(findings: pd.DataFrame) -> list[Folded]:
    """What the form permits, by rule, file and field in the order of the findings."""
    counted: Counter[tuple[str, str, str]] = Counter()
    where: dict[tuple[str, str, str], list[str]] = {}
    columns = (plain(findings[c]) for c in ("rule", "file", "field", "line", "record_key"))
    for code, file, name, line, key, (cells, rows) in zip(*columns, cells_told(findings), strict=True):
        column = (code, file or "", name or "")
        counted[column] += cells
        places = where.setdefault(column, [])
        places += [key if line is None else str(line)] if rows is None else rows.removesuffix(" …").split(", ")
    out = []
    for (code, file, name), places in where.items():
        count = counted[(code, file, name)]
        some = [visible(place) for place in islice((place for place in places if place is not None), _EXAMPLES)]
        more = " …" if count > _EXAMPLES else ""
        out.append(Folded(rules()[code], visible(file) or None, visible(name) or None, count, ", ".join(some) + more))
    return out
