"""`harmonia compare`: the agreements on comparison between institutions, and the restricted evidence, for stewards.

Belongs here: options and output. Does not belong here: comparing. Heavy modules are imported inside the commands.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from harmonia.console import format_count, print_frame
from harmonia.errors import HarmoniaError, convert_storage_errors
from harmonia.options import HomeFolder

app = typer.Typer(help="Comparison between institutions: agreements, and restricted evidence for stewards.", no_args_is_help=True)


@app.command("agreements")
def list_agreements() -> None:
    """List the senders, receivers, roles and case statuses that agreements allow to be compared. Nothing else is reported."""
    from harmonia.comparison.agreements import COLUMNS, load_agreements

    cells = load_agreements().cells
    empty_text = "There are no agreements: no evidence from another institution is reported. See sources/<institution>/agreements.yaml."
    print_frame(cells.set_axis([*COLUMNS, "agreement"], axis=1), empty_text)


@app.command("withheld", hidden=True)  # its name in earlier versions
@app.command("restricted")
def write_restricted_evidence(
    out: Annotated[Path, typer.Option("--out", envvar="HARMONIA_OUT", help="CSV file to write; readable only by you.")],
    home: HomeFolder = None,
    institution: Annotated[str | None, typer.Option("--institution", help="Only evidence on its records.")] = None,
) -> None:
    """Write the evidence that no agreement allows to be reported, for stewards: record, field, and the differing record."""
    from pipelines.resources.lake import read_tables
    from pipelines.resources.workplace import Workplace

    folder = Workplace.from_paths(None, home).home.lake / "comparison"
    try:
        rows = read_tables(folder)["withheld"]
    except FileNotFoundError:
        raise HarmoniaError(f"{folder} does not exist: use `harmonia run` first") from None
    if institution is not None:
        rows = rows[rows["receiver"] == institution]
    columns = ["receiver", "record_key", "field", "what", "sender", "sender_key", "role", "status"]
    with convert_storage_errors(out):
        file = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(file, "w", encoding="utf-8") as target:
            os.fchmod(target.fileno(), 0o600)
            escaped = rows[columns].astype("str").replace(r"^([=+\-@\t\r])", r"'\1", regex=True)  # prevent formula injection
            escaped.to_csv(target, index=False)
    typer.echo(f"{format_count(len(rows), 'row')} written to {out}. It contains record keys of several institutions: for stewards only.")
