"""What a run ends with: deliveries, rows, findings, the latest year's figures, and what to open next.

Belongs here: picking these out of what the run made, and laying them out for the console. Does not belong here: counting. Counts and
codes only; no record is shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from pipelines.current import ACCOUNTS
from pipelines.resources.workplace import Workplace
from schemas.findings import SEVERITIES
from warehouse.indicators import DIMENSIONS, indicators

RELATED = "trafficking and related offences"
COLUMNS = {"total": RELATED, "trafficking": "of which trafficking", "prostitution": "apart: minor offence of prostitution"}
_ROWS = ("read", *ACCOUNTS)


def accounting(values: Mapping[str, Any], institutions: Sequence[str]) -> pd.DataFrame:
    """Physical rows by institution: index institution; columns deliveries, read and what became of them."""
    rows = {}
    for name in institutions:
        current = values[f"{name}/current"]
        rows[name] = {"deliveries": len(current.deliveries), **current.accounting[list(_ROWS)].sum().astype(int).to_dict()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["deliveries", *_ROWS]).astype("int64")


def severities(findings: pd.DataFrame) -> pd.Series:
    """Findings of the deliveries by severity, worst first; those that were fixed are left out."""
    return findings.loc[findings["state"] != "fixed", "severity"].value_counts().reindex(list(SEVERITIES), fill_value=0)


def latest_year(statistics: pd.DataFrame) -> str | None:
    """The last year that is published, None where none is."""
    years = statistics.loc[statistics["period"].str.fullmatch(r"\d{4}"), "period"]
    return str(years.max()) if len(years) else None


def figures(statistics: pd.DataFrame, year: str) -> pd.DataFrame:
    """The year's figures, a row an indicator in the order of a case's way.

    Columns: indicator, group (total, trafficking, prostitution), as_reported, harmonised, incomplete, missing.
    """
    others = [dimension for dimension in DIMENSIONS if dimension != "offence_group"]
    rows = statistics[
        (statistics["period"] == year) & (statistics[others] == "total").all(axis=1) & statistics["offence_group"].isin(COLUMNS)
    ]
    columns = ["indicator", "offence_group", "as_reported", "harmonised", "incomplete", "missing"]
    return rows[columns].rename(columns={"offence_group": "group"}).reset_index(drop=True)


def _number(value: Any) -> str:
    return "–" if pd.isna(value) else f"{int(value):,}"


def rows_table(counts: pd.DataFrame) -> Table:
    """Rows read and what became of them, by institution."""
    table = Table(box=SIMPLE_HEAD, title="Rows", title_justify="left", title_style="bold", pad_edge=False)
    table.add_column("")
    for name in counts.columns:
        table.add_column(name, justify="right")
    for institution, row in counts.iterrows():
        table.add_row(str(institution), *(_number(n) for n in row))
    table.add_section()
    table.add_row("together", *(_number(n) for n in counts.sum()))
    return table


def figures_table(year: str, rows: pd.DataFrame) -> tuple[Table, list[str]]:
    """The year's figures, reported beside harmonised, and the notes under them."""
    table = Table(box=SIMPLE_HEAD, title=f"{year}: as reported → harmonised", title_justify="left", title_style="bold", pad_edge=False)
    table.add_column("")
    for heading in COLUMNS.values():
        table.add_column(heading, justify="right", max_width=22)
    notes: dict[str, None] = {}
    keyed = rows.set_index(["indicator", "group"])
    for indicator in indicators().values():
        cells = []
        for group in COLUMNS:
            if (indicator.code, group) not in keyed.index:
                cells.append("–")
                continue
            row = keyed.loc[(indicator.code, group)]
            flag = "*" if row["incomplete"] is True or row["incomplete"] == True else " "  # noqa: E712 - numpy's and pandas' own booleans
            if flag == "*" and pd.notna(row["missing"]):
                notes |= dict.fromkeys(part.strip() for part in str(row["missing"]).split(","))
            cells.append(f"{_number(row['as_reported'])} → [bold]{_number(row['harmonised'])}[/]{flag}")
        table.add_row(indicator.title["en"], *cells)
    return table, list(notes)


def show(console: Console, workplace: Workplace, values: Mapping[str, Any], institutions: Sequence[str], seconds: float) -> None:
    """Print the summary of a run that published."""
    tables = values["statistics"]
    counts = accounting(values, institutions)
    console.print()
    console.print(rows_table(counts))
    found = severities(values["findings"]["findings"])
    console.print("[bold]Findings[/]  " + " · ".join(f"{n:,} {name}" for name, n in found.items()), highlight=False)
    year = latest_year(tables["statistics"])
    if year is None:
        console.print("No period is published: no delivery could be read.", style="yellow")
    else:
        table, missing = figures_table(year, figures(tables["statistics"], year))
        console.print()
        console.print(table)
        if missing:
            console.print(f"* incomplete, a delivery is missing: {', '.join(missing)}", highlight=False)
    console.print()
    _next(console, workplace, year, seconds)


def _next(console: Console, workplace: Workplace, year: str | None, seconds: float) -> None:
    home = workplace.home
    query = (
        "SELECT indicator, as_reported, harmonised FROM statistics "
        f"WHERE period = '{year}' AND offence_group = 'trafficking' AND form = 'total' AND sex = 'total' "
        "AND age_group = 'total' AND citizenship_group = 'total'"
    )
    where = "the database of --warehouse-url" if workplace.warehouse_url else str(home.warehouse)
    lines = [
        ("Published", f"{where} in {seconds:.1f} s"),
        ("Ask it", f'python -c "import duckdb; duckdb.connect(\'{home.warehouse}\', read_only=True).sql(\\"{query}\\").show()"'),
        ("Feedback", f"{home.feedback}/<institution>/<delivery>/findings.html"),
        ("How it came about", f"harmonia ui --inbox {workplace.inbox} --home {home.root}"),
    ]
    for name, text in lines:
        console.print(f"[bold]{name:<18}[/] ", end="")
        console.print(text, highlight=False, soft_wrap=True, markup=False)
