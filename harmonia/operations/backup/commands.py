"""`harmonia backup | restore | verify`: options and output.

Does not belong here: what the commands do. Heavy modules are imported inside the commands.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harmonia.console import format_count
from harmonia.operations import maintenance
from harmonia.options import HomeFolder, RegistryUrl
from pipelines.resources.workplace import Workplace

app = typer.Typer()


@app.command("backup", rich_help_panel="For data engineers")
def back_up_home(
    target: Annotated[Path, typer.Argument(metavar="DIR", help="New folder for the backup, preferably on another disk.")],
    home: HomeFolder = None,
    registry_url: RegistryUrl = None,
) -> None:
    """Back up everything that cannot be rebuilt: received files, registry, releases, keys. Safe during a run."""
    from harmonia.operations.backup.create import backup as create

    workplace = Workplace.from_paths(None, home, registry_url)
    manifest = create(workplace, target.expanduser().absolute())
    maintenance.record_maintenance(workplace, "backup")
    size = sum(size for size, _ in manifest.files.values())
    typer.echo(
        f"Backup of {manifest.made} in {target}: {format_count(len(manifest.files), 'file')}, {size:,} bytes, "
        f"ledger seal {manifest.seal[0]}. It contains personal data: protect it like the home. "
        f"Next: harmonia verify {target}"
    )


@app.command("restore", rich_help_panel="For data engineers")
def restore_backup_to_home(
    source: Annotated[Path, typer.Argument(metavar="DIR", help="Folder created by `harmonia backup`.")],
    home: HomeFolder = None,
    registry_url: RegistryUrl = None,
) -> None:
    """Restore a backup into an empty home (and an empty database). The next run rebuilds the identical warehouse."""
    from harmonia.operations.backup.restore import restore as restore_backup

    workplace = Workplace.from_paths(None, home, registry_url)
    manifest = restore_backup(source.expanduser().absolute(), workplace)
    typer.echo(
        f"Restored {format_count(len(manifest.files), 'file')} of {manifest.made} to {workplace.home.root}. "
        f"Next: harmonia run --inbox DIR --home {workplace.home.root}"
    )


@app.command("verify", rich_help_panel="For data engineers")
def verify_home_or_backup(
    source: Annotated[
        Path | None, typer.Argument(metavar="[BACKUP]", help="A backup to verify and to compare the home's ledger with.")
    ] = None,
    home: HomeFolder = None,
    registry_url: RegistryUrl = None,
) -> None:
    """Verify landed files, ledger and published files. Exit 1 if there are integrity problems."""
    from harmonia.operations.backup.verify import verify_backup, verify_home

    workplace = Workplace.from_paths(None, home, registry_url)
    folder = source.expanduser().absolute() if source else None
    problems = [f"{folder}: {line}" for line in verify_backup(folder)] if folder else []
    verify_home_too = folder is None or workplace.home.root.exists() or registry_url is not None
    problems += list(verify_home(workplace, folder)) if verify_home_too else []
    if verify_home_too:
        maintenance.record_maintenance(workplace, "verify", len(problems))
    for line in problems:
        typer.echo(line)
    if problems:
        typer.echo(f"{format_count(len(problems), 'integrity problem')} found.")
        raise typer.Exit(1)
    checked = [str(folder)] * (folder is not None) + [str(workplace.home.root)] * verify_home_too
    typer.echo(f"Verified, no problems found: {', '.join(checked)}.")
