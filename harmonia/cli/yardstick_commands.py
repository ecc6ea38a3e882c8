"""`harmonia yardsticks`: published figures beside those of the warehouse.

Belongs here: options and output. Does not belong here: what can be compared (`warehouse/yardsticks.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harmonia.console import format_count, make_console, print_frame
from harmonia.errors import convert_storage_errors
from harmonia.options import HomeFolder
from pipelines.resources.workplace import Workplace


def yardsticks(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV: docs/reference/yardsticks.md.")],
    home: HomeFolder = None,
    out: Annotated[Path | None, typer.Option("--out", envvar="HARMONIA_OUT", help="Also write the gaps to this CSV file.")] = None,
) -> None:
    """Compare figures that institutions published themselves with `as_reported`. Counts nothing; exit 1 if a line cannot be compared."""
    from warehouse.reading import open_publication
    from warehouse.yardsticks import compare_yardsticks_with_statistics, read_yardstick_file

    lines = read_yardstick_file(file)
    with open_publication(Workplace.from_paths(None, home).home.root) as connection:
        statistics = connection.sql("FROM statistics").df()
    gaps, uncompared = compare_yardsticks_with_statistics(lines, statistics)
    print_frame(gaps.drop(columns=["source", "line"]), "No line could be compared.", "Published by the institutions, and as reported here")
    for line, why in uncompared[["line", "why"]].itertuples(index=False):
        make_console(markup=False).print(f"line {line}: not compared: {why}", style="yellow", soft_wrap=True)
    compared, differing = format_count(len(gaps), "figure"), format_count(int((gaps["gap"] != 0).sum()), "gap")
    make_console(markup=False).print(f"{compared} compared, {differing}, {format_count(len(uncompared), 'line')} not compared")
    if out:
        with convert_storage_errors(out):
            gaps.to_csv(out, index=False)
    if len(uncompared):
        raise typer.Exit(1)
