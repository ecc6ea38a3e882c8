"""`harmonia backup | restore | verify`: what a person types and reads.

Belongs here: options and output. Does not belong here: what the commands do; heavy modules are imported inside.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.options import HomeFolder, RegistryUrl
from pipelines.resources.workplace import Workplace

app = typer.Typer()


@app.command(rich_help_panel="For data engineers")
def backup(
    target: Annotated[Path, typer.Argument(metavar="DIR", help="New folder for the backup, best on another disk.")],
    home: HomeFolder = None,
    registry_url: RegistryUrl = None,
) -> None:
    """Keep a copy of all that may not be lost: received files, registry, releases, keys. A run may be going on meanwhile."""
    from pipelines.backup.create import backup as keep

    manifest = keep(Workplace.of(None, home, registry_url), target.expanduser().absolute())
    size = sum(size for size, _ in manifest.files.values())
    typer.echo(
        f"{len(manifest.files)} files, {size:,} bytes, of {manifest.made} are in {target} (seal {manifest.seal[0]} of the ledger). "
        "It holds personal data: keep it as safe as the home. "
        f"Next: harmonia verify {target}"
    )


@app.command(rich_help_panel="For data engineers")
def restore(
    source: Annotated[Path, typer.Argument(metavar="DIR", help="Folder that `harmonia backup` made.")],
    home: HomeFolder = None,
    registry_url: RegistryUrl = None,
) -> None:
    """Put a backup into an empty home (and an empty database); the next run rebuilds the warehouse to the row."""
    from pipelines.backup.restore import restore as put_back

    workplace = Workplace.of(None, home, registry_url)
    manifest = put_back(source.expanduser().absolute(), workplace)
    typer.echo(
        f"{len(manifest.files)} files as of {manifest.made} are in {workplace.home.root}. "
        f"Next: harmonia run --inbox DIR --home {workplace.home.root}"
    )


@app.command(rich_help_panel="For data engineers")
def verify(
    source: Annotated[
        Path | None, typer.Argument(metavar="[BACKUP]", help="A backup to verify, and to compare the ledger of the home with.")
    ] = None,
    home: HomeFolder = None,
    registry_url: RegistryUrl = None,
) -> None:
    """Compare every landed byte, the ledger and the published files with what they should be. Exit 1 where something is not."""
    from pipelines.backup.verify import verify_backup, verify_home

    workplace = Workplace.of(None, home, registry_url)
    folder = source.expanduser().absolute() if source else None
    wrong = [f"{folder}: {line}" for line in verify_backup(folder)] if folder else []
    both = folder is None or workplace.home.root.exists() or registry_url is not None
    wrong += list(verify_home(workplace, folder)) if both else []
    for line in wrong:
        typer.echo(line)
    if wrong:
        typer.echo(f"{len(wrong)} things are not as they should be.")
        raise typer.Exit(1)
    checked = [str(folder)] * (folder is not None) + [str(workplace.home.root)] * both
    typer.echo(f"All is as it should be: {', '.join(checked)}.")
