"""Render the report on a delivery, and the letter to the head of the institution, as HTML pages in every language.

Belongs here: what the pages contain, and in which order. Does not belong here: the content of the report (`report`), texts
(`texts.yaml`), layout (`templates/`).

A page is one file without scripts or external resources. A Content-Security-Policy enforces this, so that text from a delivery is never
run as a script.
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

from harmonia.feedback.report import COUNTS, Report, convert_rows_to_dicts, convert_to_plain_values
from harmonia.feedback.texts import load_feedback_texts, make_visible
from schemas.findings import LANGUAGES, SEVERITIES, Rule, list_cells_and_rows, rules, shorten_details
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


class RenderedFindings(NamedTuple):
    """Findings as lists, one list per column. cells: maps a column of `_COLUMNS` to HTML table cells; None for a missing value."""

    cells: Mapping[str, list[Markup | None]]
    rule: list[str]
    severity: list[str]
    origin: list[str]
    state: list[str]


@dataclass(frozen=True)
class FindingsOfRule:
    """The findings of one rule.

    columns: the columns that have a value, as keys of `texts.yaml`. rows: for each finding its table cells, which are the same in every
    language, and its state, which is translated. states: the number of findings in each state.
    """

    rule: Rule
    severity: str
    anchor: str
    columns: tuple[str, ...]
    rows: list[tuple[Markup, str]]
    states: Mapping[str, int]


@dataclass(frozen=True)
class InformationFindingGroup:
    """The information findings of one rule and column: their number, and some line numbers or record keys as examples, in one text."""

    rule: Rule
    file: str | None
    field: str | None
    count: int
    examples: str


def render_pages(report: Report) -> dict[str, str]:
    """Render all pages of a report. The result maps the name of a file to its HTML.

    The files are `findings.html` and `letter.html` in the institution's language, and `findings.<language>.html` and
    `letter.<language>.html` in each other language.
    """
    shown = _render_finding_cells(report.findings[report.findings["listed"] | (report.findings["state"] == "accepted_as_is")])
    fixed = [n for n, state in enumerate(shown.state) if state == "fixed"]
    accepted = [n for n, state in enumerate(shown.state) if state == "accepted_as_is"]
    open_ = [n for n, state in enumerate(shown.state) if state not in ("fixed", "accepted_as_is")]
    causes = [n for n in open_ if shown.origin[n] == "cause"]
    content = {
        "report": report,
        "counts": report.finding_counts,
        "files": [
            {**row, "file": make_visible(str(row["file"])), "state": make_visible(str(row["state"]))}
            for row in report.files.to_dict("records")
        ],
        "totals": {name: int(report.files[name].sum()) for name in COUNTS},
        "causes": {
            severity: _group_findings_by_rule(shown, [n for n in causes if shown.severity[n] == severity], "") for severity in _TO_CORRECT
        },
        "consequences": _group_findings_by_rule(shown, [n for n in open_ if shown.origin[n] == "consequence"], "follows-"),
        "info": _group_information_findings(report.open_findings[~report.open_findings["listed"]]),
        "to_check": _group_findings_by_rule(shown, [n for n in causes if shown.severity[n] == "info"], ""),
        "fixed": _group_findings_by_rule(shown, fixed, "fixed-"),
        "accepted": _group_findings_by_rule(shown, accepted, "accepted-"),
        "foremost": convert_rows_to_dicts(report.foremost),
        "trend": convert_rows_to_dicts(report.trend),
        "indicators": indicators(),
        "workbook": WORKBOOK,
        "names": {"institution": make_visible(report.institution), "delivery": make_visible(report.delivery)},
        "files_by_language": {language: make_page_name("findings", language, report.language) for language in LANGUAGES},
        "letters": {language: make_page_name("letter", language, report.language) for language in LANGUAGES},
    }
    return {
        make_page_name(name, language, report.language): load_templates()
        .get_template(template)
        .render(t=load_feedback_texts(language), language=language, **content)
        for name, template in (("findings", "page.html.j2"), ("letter", "letter.html.j2"))
        for language in LANGUAGES
    }


def make_page_name(name: str, language: str, own_language: str) -> str:
    """Return the file name of a page in `language`; it has no language code if that is the institution's own language."""
    return f"{name}.html" if language == own_language else f"{name}.{language}.html"


@cache
def load_templates() -> jinja2.Environment:
    """Load the templates of the feedback. Every value inserted into them is escaped."""
    loader = jinja2.PackageLoader("harmonia.feedback")
    out = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    out.globals.update(COUNTS=COUNTS, languages={language: load_feedback_texts(language)["language"] for language in LANGUAGES})
    return out


def _render_finding_cells(findings: pd.DataFrame) -> RenderedFindings:
    """Render the table cells of findings, in the order of the findings. A text that occurs several times is rendered once."""
    cells = {}
    for name, column in _COLUMNS.items():
        delivered = convert_to_plain_values(shorten_details(findings[column]) if column == "detail" else findings[column])
        rendered = {cell: _render_cell(name, make_visible(str(cell))) for cell in set(delivered) if cell is not None}
        cells[name] = [rendered.get(cell) for cell in delivered]
    return RenderedFindings(cells, *(convert_to_plain_values(findings[name]) for name in ("rule", "severity", "origin", "state")))


def _render_cell(css_class: str, text: str) -> Markup:
    return Markup('<td role="cell" class="{}"><bdi>{}</bdi></td>').format(css_class, text)


def _group_findings_by_rule(rendered_findings: RenderedFindings, rows: Sequence[int], anchor_prefix: str) -> list[FindingsOfRule]:
    """Group findings by rule.

    rows: the row numbers of the findings, sorted by rule. anchor_prefix: the beginning of the HTML anchor of each group.
    """
    blocks = []
    for code, group in groupby(rows, key=rendered_findings.rule.__getitem__):
        numbers = list(group)
        used = [name for name, cells in rendered_findings.cells.items() if any(cells[n] is not None for n in numbers)]
        columns = [(rendered_findings.cells[name], Markup('<td role="cell" class="{}">–</td>').format(name)) for name in used]
        blocks.append(
            FindingsOfRule(
                rule=rules()[code],
                severity=rendered_findings.severity[numbers[0]],
                anchor=f"{anchor_prefix}{code}",
                columns=(*used, "state"),
                rows=[(Markup("").join([cells[n] or missing for cells, missing in columns]), rendered_findings.state[n]) for n in numbers],
                states=Counter(rendered_findings.state[n] for n in numbers),
            )
        )
    return blocks


def _group_information_findings(findings: pd.DataFrame) -> list[InformationFindingGroup]:
    """Group the information findings by rule, file and field, in the order of the findings."""
    counted: Counter[tuple[str, str, str]] = Counter()
    where: dict[tuple[str, str, str], list[str]] = {}
    columns = (convert_to_plain_values(findings[c]) for c in ("rule", "file", "field", "line", "record_key"))
    for code, file, name, line, key, (cells, rows) in zip(*columns, list_cells_and_rows(findings), strict=True):
        column = (code, file or "", name or "")
        counted[column] += cells
        lines = where.setdefault(column, [])
        lines += [key if line is None else str(line)] if rows is None else rows.removesuffix(" …").split(", ")
    out = []
    for (code, file, name), lines in where.items():
        count = counted[(code, file, name)]
        some = [make_visible(line) for line in islice((line for line in lines if line is not None), _EXAMPLES)]
        more = " …" if count > _EXAMPLES else ""
        out.append(
            InformationFindingGroup(rules()[code], make_visible(file) or None, make_visible(name) or None, count, ", ".join(some) + more)
        )
    return out
