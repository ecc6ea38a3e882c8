"""`harmonia indicator …`: list indicators, validate a file, preview a changed rule.

Belongs here: options and output. Does not belong here: the rules of the indicators (`warehouse/indicators`), and running their SQL
(`warehouse/star`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harmonia.console import format_count, make_console, make_table
from harmonia.errors import HarmoniaError
from harmonia.options import HomeFolder
from pipelines.resources.workplace import Workplace

app = typer.Typer(help="Indicators: list, check a file, show the effect of a changed rule.", no_args_is_help=True)
File = Annotated[Path | None, typer.Option("--file", exists=True, dir_okay=False, help="Indicator file. Default: the shipped files")]


@app.command("list")
def list_indicators() -> None:
    """List indicators with unit, table and rule version."""
    from warehouse.indicators.catalogue import catalogue

    table = make_table("indicator", "unit", "published in", "version", "title")
    for definition in catalogue().values():
        table.add_row(
            definition.code, definition.unit, definition.published_in or "not available", str(definition.version), definition.title["en"]
        )
    make_console().print(table)


@app.command("check")
def check_indicator_file(file: File = None) -> None:
    """Validate an indicator file (or all shipped ones): texts, SQL, columns of the SQL."""
    from warehouse.indicators.catalogue import catalogue, load_definition
    from warehouse.indicators.catalogue import check_definitions as validate

    definitions = [load_definition(file)] if file else list(catalogue().values())
    validate(definitions)
    make_console().print(f"{format_count(len(definitions), 'indicator')} valid")


@app.command("diff")
def compare_indicator_rules(
    name: Annotated[str, typer.Argument(help="The indicator.")],
    file: File = None,
    home: HomeFolder = None,
    every: Annotated[bool, typer.Option("--all", help="Include unchanged figures and all breakdowns.")] = False,
) -> None:
    """Compare figures by the published rule with figures by the rule in the file, over the published facts. Changes nothing."""
    import pandas as pd

    from warehouse.count.changed_rules import compare_figures_by_rules, read_rules_of_warehouse
    from warehouse.indicators.catalogue import catalogue, load_definition
    from warehouse.indicators.catalogue import check_definitions as validate
    from warehouse.reading import open_publication
    from warehouse.star.figures import CELL

    now = load_definition(file) if file else catalogue().get(name)
    if now is None or now.code != name:
        raise HarmoniaError(f"{file or 'warehouse/indicators'}: no indicator {name}; see `harmonia indicator list`")
    validate([now])
    with open_publication(Workplace.from_paths(None, home).home.root) as connection:
        before = read_rules_of_warehouse(connection).get(name)
        effect = compare_figures_by_rules(connection, before, now)
    differ = effect[effect["differs"]]
    out = make_console()
    old = f"version {before.version}" if before else "not published yet"
    out.print(f"[bold]{name}[/]: {old} → version {now.version}; {len(differ)} of {len(effect)} figures differ")
    if before and before.rule != now.rule and before.version == now.version:
        out.print("The rule changed but its version did not: raise `version` before a run publishes it.", style="yellow")
    total = (effect[CELL[2:]] == "total").all(axis=1)
    table = make_table("period", *CELL[2:], "as reported", "→", "harmonised", "→")
    for row in (effect if every else effect[total & effect["differs"]]).to_dict("records"):
        values = (row[c] for c in ("as_reported", "as_reported_new", "harmonised", "harmonised_new"))
        table.add_row(*(str(row[c]) for c in CELL[1:]), *("–" if pd.isna(v) else str(v) for v in values))
    if table.row_count:
        out.print(table)
