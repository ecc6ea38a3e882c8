"""Show the findings of a delivery on a terminal, as `harmonia check` prints them.

Belongs here: tables for a terminal. Does not belong here: the report for the institution (`page`, `report`).

No delivered value is printed, since output may end up in a log. Names in a delivery are never interpreted as markup or terminal commands.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harmonia.feedback.report import COUNTS
from harmonia.feedback.texts import load_feedback_texts, make_visible
from schemas.findings import SEVERITIES, list_cells_and_rows, rules

_PLACE = {"file": "file", "part": "part", "line": "line", "record_key": "record", "field": "field"}
_WHOLE = ("file", "delivery")  # levels whose detail is never personal data (an encoding, a column name)
_STYLE = {"reject": "bold red", "error": "red", "warning": "yellow", "info": "cyan"}


def render_check_result(findings: pd.DataFrame, files: pd.DataFrame, language: str = "en") -> RenderableType:
    """Make the tables of one delivery: its files, then its findings by severity and rule, the most serious first.

    findings: the findings, with the columns `schemas.findings.COLUMNS`; those with the state `fixed` are left out. files: the files, with
    the columns file, state and `harmonia.feedback.report.COUNTS` (a missing count is shown as 0). language: of the texts; raises
    `ValueError` if it is unknown.
    Each rule is shown with what is wrong and what to do, and one row per finding (file, part, line, record, field; detail only for rules
    on whole files or deliveries). Findings of severity `info` get one row per file, column and rule.
    """
    words = load_feedback_texts(language)
    open_ = findings[findings["state"] != "fixed"] if "state" in findings else findings
    parts: list[RenderableType] = [_make_file_table(files, words)]
    for severity in SEVERITIES:
        of_it = open_[open_["severity"] == severity]
        if len(of_it):
            make = _make_information_table if severity == "info" else _make_finding_tables
            parts += [Text(f"\n{words['severities'][severity]}: {len(of_it)}", style=_STYLE[severity]), *make(of_it, words, language)]
    if not (open_["severity"] != "info").any():
        parts.append(Text(f"\n{words['none']}", style="green"))
    return Group(*parts)


def _make_file_table(files: pd.DataFrame, words: dict[str, Any]) -> Table:
    table = _make_plain_table(words["file"], words["state"], *(words["counts"][name] for name in COUNTS), right=len(COUNTS))
    for row in files.reindex(columns=["file", "state", *COUNTS]).itertuples(index=False):
        numbers = (0 if pd.isna(n) else int(n) for n in row[2:])
        table.add_row(_format_cell(row.file), _format_cell(words["states"].get(row.state, row.state)), *(str(n) for n in numbers))
    return table


def _make_finding_tables(findings: pd.DataFrame, words: dict[str, Any], language: str) -> Iterator[RenderableType]:
    for code, of_it in findings.groupby("rule", sort=True):
        rule = rules()[str(code)]
        yield Text(f"\n{rule.text[language]} ({len(of_it)})", style="bold")
        yield Text(f"{words['action']}: {rule.action[language]}")
        places = of_it.sort_values(["file", "part", "line"], na_position="first", kind="stable")
        columns = [*_PLACE, "detail"] if rule.level in _WHOLE else list(_PLACE)
        used = [column for column in columns if places[column].notna().any()]
        if used:
            table = _make_plain_table(*(words[_PLACE.get(column, column)] for column in used))
            for row in places[used].itertuples(index=False):
                table.add_row(*(_format_cell(cell) for cell in row))
            yield Padding(table, (0, 0, 0, 2))


def _make_information_table(findings: pd.DataFrame, words: dict[str, Any], language: str) -> Iterator[RenderableType]:
    table = _make_plain_table(words["file"], words["field"], words["count"], words["finding"])
    cells = findings.assign(count=[cells for cells, _ in list_cells_and_rows(findings)])
    counted = cells.groupby(["file", "field", "rule"], dropna=False, sort=True)["count"].sum()
    for row in counted.reset_index().itertuples(index=False):
        table.add_row(_format_cell(row.file), _format_cell(row.field), str(row[3]), Text(rules()[str(row.rule)].text[language]))
    yield table


def _make_plain_table(*headers: str, right: int = 0) -> Table:
    table = Table(show_edge=False, header_style="bold", pad_edge=False)
    for n, header in enumerate(headers):
        table.add_column(Text(header), justify="right" if n >= len(headers) - right else "left", overflow="fold")
    return table


def _format_cell(value: object) -> Text:
    return Text("" if value is None or value is pd.NA or value != value else make_visible(str(value)))
