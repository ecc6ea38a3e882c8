"""Print the summary of a run: deliveries, rows, findings, the figures of the latest year, next steps.

Belongs here: selecting what to show from the outputs of the run, and formatting it for the console. Does not belong here: counting
records for figures. The summary contains counts and codes only, no records.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from harmonia.console import make_table
from harmonia.status import describe_inbox_findings, describe_yardsticks, find_deliveries_unlike_past, shorten_list
from pipelines.delivery_report import describe_incomplete_deliveries
from pipelines.record_status import ROW_OUTCOMES
from pipelines.resources.workplace import Workplace
from schemas.findings import SEVERITIES
from schemas.texts import texts
from schemas.topic import topic
from sources.completeness_states import COMPLETE, UNREADABLE
from warehouse.indicators import DIMENSIONS, indicators

_ROWS = ("read", *ROW_OUTCOMES)


def list_shown_offence_groups() -> dict[str, str]:
    """Return the offence groups whose figures the summary shows, each with the heading of its column.

    They are the total of all offences, the leading offence group, and the groups of minor offences if the topic has any.
    """
    heads, current_topic = texts("console"), topic()
    titles = {"total": heads["total"], current_topic.leading: heads["leading"]}
    return titles | dict.fromkeys(current_topic.minor, heads["minor"])


def count_rows(record_status: Mapping[str, pd.DataFrame], institutions: Sequence[str]) -> pd.DataFrame:
    """Count the delivered rows of each institution; the institutions are the index of the result.

    Columns out: `deliveries` (the number of deliveries), `read` (the number of rows read), and one column for each record status.
    """
    counts = record_status["accounting"].groupby("institution")[list(_ROWS)].sum()
    counts.insert(0, "deliveries", record_status["deliveries"].groupby("institution").size().reindex(counts.index))
    return counts.reindex(list(institutions)).fillna(0).astype("int64")


def count_findings(findings: pd.DataFrame) -> dict[str, int]:
    """Count the findings that are not fixed, by severity, the most serious severity first."""
    open_severities = findings.loc[findings["state"] != "fixed", "severity"]
    return {severity: int((open_severities == severity).sum()) for severity in SEVERITIES}


def find_latest_year(statistics: pd.DataFrame) -> str | None:
    """Return the latest year of which more than half of the figures are known.

    If there is no such year, return the latest published year; None if nothing is published.
    """
    years = statistics[statistics["period"].str.fullmatch(r"\d{4}")]
    known_shares = years["harmonised"].notna().groupby(years["period"]).mean()
    candidates = known_shares[known_shares > 0.5] if (known_shares > 0.5).any() else known_shares
    return str(candidates.index.max()) if len(candidates) else None


def select_figures(statistics: pd.DataFrame, year: str) -> pd.DataFrame:
    """Select the figures of a year for each offence group that the summary shows, without other breakdowns.

    Columns out: indicator, group (one of `list_shown_offence_groups`), as_reported, harmonised, incomplete, missing.
    """
    other_dimensions = [dimension for dimension in DIMENSIONS if dimension != "offence_group"]
    is_total = (statistics["period"] == year) & (statistics[other_dimensions] == "total").all(axis=1)
    rows = statistics[is_total & statistics["offence_group"].isin(list_shown_offence_groups())]
    columns = ["indicator", "offence_group", "as_reported", "harmonised", "incomplete", "missing"]
    return rows[columns].rename(columns={"offence_group": "group"}).reset_index(drop=True)


def _format_number(value: Any) -> str:
    return "–" if pd.isna(value) else f"{int(value):,}"


def make_rows_table(counts: pd.DataFrame) -> Table:
    """Make the table with the number of rows of each institution (one line each) and record status (one column each).

    The number of deliveries follows the institution in brackets. counts: from `count_rows`.
    """
    table = make_table("", title="Rows by institution (deliveries)")
    for name in _ROWS:
        table.add_column(name, justify="right")
    for institution, row in counts.iterrows():
        table.add_row(f"{institution} ({row['deliveries']})", *(_format_number(row[name]) for name in _ROWS))
    table.add_section()
    sums = counts.sum()
    table.add_row(f"total ({sums['deliveries']})", *(_format_number(sums[name]) for name in _ROWS))
    return table


def make_figures_table(year: str, rows: pd.DataFrame) -> tuple[Table, list[str]]:
    """Make the table of the figures of a year. Incomplete figures have a star.

    Returns the table, and the missing, unreadable or partial deliveries because of which figures have a star. rows: from
    `select_figures`.
    """
    table = make_table("", title=f"{year}: as reported → harmonised")
    for heading in list_shown_offence_groups().values():
        table.add_column(heading, justify="right", max_width=20)
    figure_by_cell = {(row["indicator"], row["group"]): row for row in rows.to_dict("records")}
    absent: dict[str, None] = {}
    for indicator in indicators().values():
        cells = []
        for group in list_shown_offence_groups():
            row = figure_by_cell.get(
                (indicator.code, group), {"as_reported": None, "harmonised": None, "missing": None, "incomplete": False}
            )
            incomplete = bool(row["incomplete"]) if pd.notna(row["incomplete"]) else False
            if incomplete and pd.notna(row["missing"]):
                absent |= dict.fromkeys(part.strip() for part in str(row["missing"]).split(","))
            star = "*" if incomplete else " "
            cells.append(f"{_format_number(row['as_reported'])} → [bold]{_format_number(row['harmonised'])}[/]{star}")
        table.add_row(indicator.title["en"], *cells)
    return table, list(absent)


def describe_deliveries(deliveries: pd.DataFrame) -> str:
    """Say in a text how many deliveries were landed, and which of them are new."""
    new = deliveries[deliveries["new"]]
    names = shorten_list(list(new["institution"] + " " + new["delivery"]))
    return f"{len(deliveries)} landed, {len(new) or 'none'} new{f': {names}' if names else ''}"


def list_incomplete_quarters(coverage: pd.DataFrame) -> str:
    """List the published quarters that are not complete, each with its institution and state; empty if all are complete."""
    gaps = coverage[coverage["period"].str.contains("-Q") & (coverage["state"] != COMPLETE)]
    return ", ".join(gaps["institution"] + " " + gaps["period"] + " " + gaps["state"])


def list_unreadable_corrections(deliveries: pd.DataFrame, states: pd.DataFrame) -> str:
    """List new deliveries that are unreadable although another version for the same period is readable, so that they replace nothing.

    deliveries: landed deliveries, with the column `new`. states: the state (complete, partial, …) of every delivery.
    """
    readable = states.loc[states["state"] != UNREADABLE, ["institution", "period"]].drop_duplicates()
    new = deliveries[deliveries["new"]].merge(states, on=["institution", "delivery"])
    new = new[new["state"] == UNREADABLE].merge(readable, on=["institution", "period"])
    return ", ".join(new["institution"] + " " + new["delivery"])


def list_unusual_deliveries(deliveries: pd.DataFrame, findings: pd.DataFrame) -> str:
    """List new deliveries that differ much from earlier deliveries of the same institution, with what is unusual; empty if none do."""
    unusual = find_deliveries_unlike_past(findings).merge(deliveries[deliveries["new"]], on=["institution", "delivery"])
    return ", ".join(unusual["institution"] + " " + unusual["delivery"] + " (" + unusual["what"] + ")")


def describe_changes(changed: pd.DataFrame) -> list[str]:
    """Say which totals changed, one text for each total. changed: from `pipelines.delivery_report.find_changed_totals`."""
    titles = {code: indicator.title["en"] for code, indicator in indicators().items()}
    described = changed[changed["indicator"].isin(list(titles))]
    return [
        f"{titles[row['indicator']]} {row['period']} {_format_number(row['before'])} → {_format_number(row['after'])}"
        for row in described.to_dict("records")
    ]


def print_summary(
    console: Console, workplace: Workplace, values: Mapping[str, Any], institutions: Sequence[str], seconds: float, unchanged: bool = False
) -> None:
    """Print the summary of a run.

    values: the outputs of the run, by asset. unchanged: whether nothing changed since the run before; `values` are then the outputs of
    that earlier run.
    """
    tables = values["statistics"]
    console.print()
    landed, coverage = values["landing"]["deliveries"], tables["coverage"]
    console.print(f"[bold]Deliveries[/]  {describe_deliveries(landed)}", highlight=False)
    if unchanged:
        console.print("  Nothing changed since the last run: its results are shown.")
    notes = {
        "New and not complete": describe_incomplete_deliveries(values["warehouse"]["new"]),
        "Not complete": list_incomplete_quarters(coverage),
        "Unreadable corrections, which replace nothing": list_unreadable_corrections(landed, values["record_status"]["deliveries"]),
        "New, and unlike the institution's own past": list_unusual_deliveries(landed, values["findings"]["findings"]),
    }
    for title, deliveries in notes.items():
        if deliveries:
            console.print(f"  {title}: {deliveries}", highlight=False, markup=False, style="yellow")
    for line in describe_inbox_findings(values["landing"]["findings"]):
        console.print("  In the inbox: " + line, highlight=False, markup=False, style="yellow")
    for line in describe_yardsticks(tables["yardstick"], tables["yardstick_problem"]):
        console.print("  Published by the institutions: " + line, highlight=False, markup=False, style="yellow")
    if changes := describe_changes(values["warehouse"]["changed"]):
        console.print(f"  Yearly totals changed (harmonised): {shorten_list(changes)}", highlight=False, markup=False)
    console.print()
    console.print(make_rows_table(count_rows(values["record_status"], institutions)))
    finding_counts = count_findings(values["findings"]["findings"])
    console.print("[bold]Findings[/]  " + " · ".join(f"{n:,} {name}" for name, n in finding_counts.items()), highlight=False)
    console.print()
    year = find_latest_year(tables["statistics"])
    if year is None:
        console.print("No period published: no delivery could be read.", style="yellow")
    else:
        table, absent = make_figures_table(year, select_figures(tables["statistics"], year))
        console.print(table)
        if absent:
            console.print(f"* incomplete: a delivery is missing, unreadable or partial: {shorten_list(absent)}", highlight=False)
    _print_next_steps(console, workplace, year, seconds)


def _print_next_steps(console: Console, workplace: Workplace, year: str | None, seconds: float) -> None:
    home, python = workplace.home, Path(sys.executable)
    query = f"FROM statistics WHERE period = '{year}' AND offence_group = '{topic().leading}'" if year else "FROM coverage"
    also = " and the database of --warehouse-url" if workplace.warehouse_url else ""
    lines = [
        ("Published", f"{home.warehouse}{also}, in {seconds:.1f} s"),
        ("Query", f'{python} -c "import duckdb; duckdb.connect(\'{home.warehouse}\', read_only=True).sql(\\"{query}\\").show()"'),
        ("Feedback", f"{home.feedback}/<institution>/<delivery>/findings.html"),
        ("Dagster pages", f"{python.with_name('harmonia')} ui --inbox {workplace.inbox} --home {home.root}"),
    ]
    for name, text in lines:
        console.print(f"[bold]{name:<18}[/] ", end="")
        console.print(text, highlight=False, soft_wrap=True, markup=False)
