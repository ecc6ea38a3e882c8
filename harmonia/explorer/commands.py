"""`harmonia explorer`: options and output. Does not belong here: the content of the page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.resources.workplace import Workplace

app = typer.Typer(help="The statistics explorer: a page that works without a server.", no_args_is_help=True)

HomeFolder = Annotated[Path | None, typer.Option("--home", envvar="HARMONIA_HOME", help="Home folder. Default: data/home")]


@app.callback()
def _explorer() -> None:
    """Keep `build` a subcommand: typer would otherwise run the only command without its name."""


@app.command("build")
def build_explorer(
    home: Annotated[Path | None, typer.Option("--home", envvar="HARMONIA_HOME", help="Home folder. Default: data/home")] = None,
    release: Annotated[str | None, typer.Option("--release", help="Day of the release. Default: the latest.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder to write to. Default: explorer/<release> in the home.")] = None,
) -> None:
    """Write the explorer of a release."""
    from harmonia.explorer.page import write_explorer_page as write
    from warehouse.releases.reading import open_release

    home_folder = Workplace.from_paths(None, home).home
    opened = open_release(home_folder.releases, release)
    typer.echo(str(write(opened, out or home_folder.root / "explorer" / opened.name)))
