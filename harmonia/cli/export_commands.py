"""`harmonia export …`: options and output.

Does not belong here: the content of the exports. Heavy modules are imported inside the commands.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harmonia.options import HomeFolder
from pipelines.resources.workplace import Workplace

app = typer.Typer(help="Exports of a release: data package, SDMX, questionnaires.", no_args_is_help=True)
RegistryUrl = Annotated[
    str | None, typer.Option("--registry-url", envvar="HARMONIA_REGISTRY_URL", help="Registry in another database. Default: in the home")
]
Name = Annotated[str, typer.Argument(metavar="EXPORT", help="As `harmonia export list` names it.")]
ReleaseDay = Annotated[str | None, typer.Option("--release", help="Release. Default: the latest.")]
Recipient = Annotated[str, typer.Option("--recipient", help="Who receives the full figures.")]


@app.command("list")
def list_exports(lang: Annotated[str, typer.Option("--lang", envvar="HARMONIA_LANG", help="sq, sr or en.")] = "en") -> None:
    """List the exports and whether each may be published."""
    from warehouse.exports.catalogue import list_declared_exports

    for export in list_declared_exports().values():
        typer.echo(f"{export.name:22} {export.available_kinds:14} {export.title(lang)}")


@app.command("create")
def create_export(
    name: Name,
    out: Annotated[Path, typer.Option("--out", help="Folder to write to.")],
    home: HomeFolder = None,
    release: ReleaseDay = None,
    lang: Annotated[str, typer.Option("--lang", envvar="HARMONIA_LANG", help="sq, sr or en.")] = "en",
    full: Annotated[bool, typer.Option("--full", help="Exact figures, for one recipient, with the coordinator's approval.")] = False,
    recipient: Annotated[str | None, typer.Option("--recipient", help="Who receives the full figures.")] = None,
    approval: Annotated[Path | None, typer.Option("--approval", help="File with the coordinator's approval.")] = None,
    registry_url: RegistryUrl = None,
) -> None:
    """Write an export: protected figures for the public, or (--full) exact figures for one recipient, which is logged."""
    from warehouse.exports import catalogue

    workplace = Workplace.from_paths(None, home, registry_url)
    if full:
        written = catalogue.write_full_export(workplace, name, release, lang, out, recipient, approval)
    else:
        written = catalogue.publish_export(workplace.home.releases, name, release, lang, out)
    for path in written:
        typer.echo(str(path))


@app.command("approve")
def approve_full_export(
    name: Name,
    recipient: Recipient,
    key: Annotated[Path, typer.Option("--key", envvar="HARMONIA_COORDINATOR_KEY", help="The coordinator's private key.")],
    signer: Annotated[str, typer.Option("--name", envvar="HARMONIA_SIGNED_BY", help="Who approves.")],
    day: Annotated[str, typer.Option("--day", envvar="HARMONIA_SIGNED_ON", help="Day of the approval.")],
    out: Annotated[Path, typer.Option("--out", help="File to write the approval to.")],
    home: HomeFolder = None,
    release: ReleaseDay = None,
) -> None:
    """Approve sending a full export to one recipient (for the coordinator)."""
    from warehouse.exports.catalogue import make_transmission_to_approve
    from warehouse.exports.transmission_approval import write_approval as sign

    where = Workplace.from_paths(None, home).home
    sent = make_transmission_to_approve(where.releases, name, release, recipient)
    sign(where.root, key.expanduser(), sent, signer, day, out)
    typer.echo(f"{out} approves the full export {sent.export} of release {sent.release} for {sent.recipient}")
