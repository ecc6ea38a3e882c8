"""`harmonia compare`: which comparison between institutions is allowed, and what was withheld, for stewards.

Belongs here: what a person types and reads. Does not belong here: comparing. Heavy modules are imported inside the commands.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from pipelines.console import print_frame
from pipelines.errors import HarmoniaError, storage
from pipelines.options import HomeFolder

app = typer.Typer(help="Comparison between institutions: what agreements allow, and what goes to stewards instead.", no_args_is_help=True)


@app.command()
def agreements() -> None:
    """Show every sender, receiver, role and case status that an agreement allows to be compared. Nothing else is told."""
    from pipelines.comparison.agreements import COLUMNS, matrix

    cells = matrix().cells
    nothing = "No agreement allows anything: nothing of another institution is told. See sources/<institution>/agreements.yaml."
    print_frame(cells.set_axis([*COLUMNS, "agreement"], axis=1), nothing)


@app.command("withheld", hidden=True)  # its name in earlier versions
@app.command("restricted")
def withheld(
    out: Annotated[Path, typer.Option("--out", envvar="HARMONIA_OUT", help="CSV file to write; readable by you alone.")],
    home: HomeFolder = None,
    institution: Annotated[str | None, typer.Option("--institution", help="Only what is about its records.")] = None,
) -> None:
    """Write what no agreement lets be told: record, field, and the record that speaks against it, for a steward to follow up."""
    from pipelines.resources.lake import read
    from pipelines.resources.workplace import Workplace

    place = Workplace.of(None, home).home.lake / "comparison"
    try:
        rows = read(place)["withheld"]
    except FileNotFoundError:
        raise HarmoniaError(f"{place} is not there: run `harmonia run` first") from None
    if institution is not None:
        rows = rows[rows["receiver"] == institution]
    columns = ["receiver", "record_key", "field", "what", "sender", "sender_key", "role", "status"]
    with storage(out):
        file = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(file, "w", encoding="utf-8") as target:
            os.fchmod(target.fileno(), 0o600)
            plain = rows[columns].astype("str").replace(r"^([=+\-@\t\r])", r"'\1", regex=True)  # no formula for a spreadsheet to run
            plain.to_csv(target, index=False)
    typer.echo(f"{len(rows)} rows are in {out}. Record keys of several institutions: for stewards only.")
