"""`harmonia indicator`: which indicators there are, whether a file is a right one, what a changed rule would do.

Belongs here: options and what is printed. Does not belong here: the rules (`warehouse/indicators`), running their SQL
(`warehouse/star`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.console import console, grid
from pipelines.errors import HarmoniaError
from pipelines.options import HomeFolder
from pipelines.resources.workplace import Workplace

app = typer.Typer(help="Indicators: list, check a file, show the effect of a changed rule.", no_args_is_help=True)
File = Annotated[
    Path | None, typer.Option("--file", exists=True, dir_okay=False, help="An indicator file. Default: the one that is shipped")
]


@app.command("list")
def show_all() -> None:
    """Every indicator: its unit, the table with its figures, the version of its rule."""
    from warehouse.indicators.catalogue import catalogue

    table = grid("indicator", "unit", "published in", "version", "title")
    for one in catalogue().values():
        table.add_row(one.code, one.unit, one.published_in or "not available", str(one.version), one.title["en"])
    console().print(table)


@app.command()
def check(file: File = None) -> None:
    """Whether an indicator file (or every one shipped) is right: its texts, its SQL, the columns that the SQL gives."""
    from warehouse.indicators.catalogue import catalogue, load
    from warehouse.indicators.catalogue import check as judge

    found = [load(file)] if file else list(catalogue().values())
    judge(found)
    console().print(f"{len(found)} right")


@app.command()
def diff(
    name: Annotated[str, typer.Argument(help="The indicator.")],
    file: File = None,
    home: HomeFolder = None,
    every: Annotated[bool, typer.Option("--all", help="Also figures that stay, and every breakdown.")] = False,
) -> None:
    """The figures by the published rule beside those by the rule in the file, over the published facts. Changes nothing."""
    import pandas as pd

    from warehouse.count.changed_rules import effect, published
    from warehouse.indicators.catalogue import catalogue, load
    from warehouse.indicators.catalogue import check as judge
    from warehouse.reading import reading
    from warehouse.star.figures import CELL

    now = load(file) if file else catalogue().get(name)
    if now is None or now.code != name:
        raise HarmoniaError(f"{file or 'warehouse/indicators'}: holds no indicator {name}; `harmonia indicator list` names them")
    judge([now])
    with reading(Workplace.of(None, home).home.root) as connection:
        before = published(connection).get(name)
        found = effect(connection, before, now)
    differ = found[found["differs"]]
    out = console()
    old = f"version {before.version}" if before else "not published yet"
    out.print(f"[bold]{name}[/]: {old} → version {now.version}; {len(differ)} of {len(found)} figures differ")
    if before and before.rule != now.rule and before.version == now.version:
        out.print("The rule changed and its version did not: raise `version` before a run publishes it.", style="yellow")
    total = (found[CELL[2:]] == "total").all(axis=1)
    table = grid("period", *CELL[2:], "as reported", "→", "harmonised", "→")
    for row in (found if every else found[total & found["differs"]]).to_dict("records"):
        values = (row[c] for c in ("as_reported", "as_reported_new", "harmonised", "harmonised_new"))
        table.add_row(*(str(row[c]) for c in CELL[1:]), *("–" if pd.isna(v) else str(v) for v in values))
    if table.row_count:
        out.print(table)
