"""`harmonia release …`: options and output. Does not belong here: what the commands do. Heavy modules are imported inside the commands."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from harmonia.console import format_count
from harmonia.errors import HarmoniaError
from harmonia.options import HomeFolder
from pipelines.resources.workplace import Workplace

app = typer.Typer(help="Releases: protected figures as known on a day.", no_args_is_help=True)
RegistryUrl = Annotated[
    str | None, typer.Option("--registry-url", envvar="HARMONIA_REGISTRY_URL", help="Registry in another database. Default: in the home")
]


def _parse_day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise HarmoniaError(f"{text!r} is not a date: write it as 2014-06-30") from None


@app.command("create")
def create_release_of_day(
    as_of: Annotated[str, typer.Option("--as-of", envvar="HARMONIA_AS_OF", help="Day of the release, e.g. 2014-06-30.")],
    home: HomeFolder = None,
    registry_url: RegistryUrl = None,
) -> None:
    """Create the release of a day from the published warehouse, after a disclosure-risk test. Also builds its explorer."""
    from harmonia.explorer.page import write_explorer_page
    from harmonia.release_source import collect_release_source
    from warehouse.releases.create import create_and_check_release as create_release
    from warehouse.releases.reading import open_release

    workplace = Workplace.from_paths(None, home, registry_url)
    target, created, written = create_release(workplace, collect_release_source(workplace), _parse_day(as_of))
    for line in created.withheld:
        typer.echo(f"not published: {line}")
    typer.echo(f"release {created.name} {'is in' if written else 'already exists with identical bytes:'} {target}")
    typer.echo(
        "explorer: "
        f"{write_explorer_page(open_release(workplace.home.releases, created.name), workplace.home.root / 'explorer' / created.name)}"
    )


@app.command("list")
def list_releases(home: HomeFolder = None) -> None:
    """List the releases."""
    from warehouse.releases.folder import release_names
    from warehouse.releases.reading import open_release

    where = Workplace.from_paths(None, home).home.releases
    for name in release_names(where):
        release = open_release(where, name)
        broken = release.cube[(release.cube["edition"] == name) & (release.cube["period_type"] != "year")]
        years = ", ".join(release.years())
        typer.echo(f"{name}  years {years}  {release.manifest['figures']} figures, {len(broken)} new ones of quarters and windows")
    if not release_names(where):
        typer.echo(f"no releases in {where} yet: harmonia release create --as-of DAY")


@app.command("show")
def show_release(
    release: Annotated[str | None, typer.Argument(metavar="DAY", help="Default: the latest.")] = None,
    home: HomeFolder = None,
    language: Annotated[str, typer.Option("--lang", envvar="HARMONIA_LANG", help="sq, sr or en.")] = "en",
) -> None:
    """Show a release: its versions and every table as published."""
    from warehouse.releases.reading import open_release
    from warehouse.releases.release_text import render_release_as_text

    typer.echo(render_release_as_text(open_release(Workplace.from_paths(None, home).home.releases, release), language))


@app.command("diff")
def compare_releases(
    old: Annotated[str, typer.Argument(metavar="DAY", help="The earlier release.")],
    new: Annotated[str, typer.Argument(metavar="DAY", help="The later release.")],
    home: HomeFolder = None,
    language: Annotated[str, typer.Option("--lang", envvar="HARMONIA_LANG", help="sq, sr or en.")] = "en",
    confidential: Annotated[
        bool,
        typer.Option("--confidential", envvar="HARMONIA_CONFIDENTIAL", help="Show every exact figure that differs. Not for the public."),
    ] = False,
    records: Annotated[
        Path | None, typer.Option("--records", help="With --confidential: also write the underlying records to a CSV file.")
    ] = None,
) -> None:
    """Show the differences between two releases, each with its reason; from public figures unless --confidential."""
    from warehouse.releases import diff_lines

    home_folder = Workplace.from_paths(None, home).home
    if records and not confidential:
        raise HarmoniaError("--records requires --confidential")
    lines = (
        diff_lines.iterate_lines_of_confidential_differences(home_folder.root, old, new, language, records)
        if confidential
        else diff_lines.iterate_lines_of_public_differences(home_folder.releases, old, new, language)
    )
    for line in lines:
        typer.echo(line)


@app.command("sign")
def sign_disclosure_policy(
    key: Annotated[
        Path, typer.Option("--key", envvar="HARMONIA_COORDINATOR_KEY", help="The coordinator's private key; created if missing.")
    ],
    name: Annotated[str, typer.Option("--name", envvar="HARMONIA_SIGNED_BY", help="Who signs.")],
    day: Annotated[str, typer.Option("--day", envvar="HARMONIA_SIGNED_ON", help="Day of the signature.")],
    policy: Annotated[
        Path | None, typer.Option("--policy", envvar="HARMONIA_POLICY", help="Default: the home's policy, else the shipped one.")
    ] = None,
    home: HomeFolder = None,
) -> None:
    """Sign the disclosure policy and put it into force (for the coordinator)."""
    from warehouse.disclosure import policy as policies

    where = Workplace.from_paths(None, home).home.root
    policies.sign_policy(where, key.expanduser(), name, _parse_day(day).isoformat(), policy)
    typer.echo(f"{where / policies.POLICY} is signed by {name} and in force")


@app.command("verify")
def verify_releases(home: HomeFolder = None) -> None:
    """Verify every release: file checksums, the chain of releases, every published figure against its warehouse."""
    from warehouse.releases import folder, recount

    where = Workplace.from_paths(None, home).home.releases
    names = folder.verify_release_chain(where)
    files = {name: folder.read_verified_files(where / name) for name in names}
    wrong = [f"{name}: {mismatch}" for name in names for mismatch in recount.find_mismatches_of_release(name, files)]
    if wrong:
        raise HarmoniaError(
            f"{format_count(len(wrong), 'published figure')} differ from the warehouse: {'; '.join(wrong[:5])}. "
            "Withdraw these releases (docs/reference/releases.md)"
        )
    typer.echo(
        f"{format_count(len(names), 'release')} in {where} verified: files unchanged, figures match the warehouse of their day"
        if names
        else f"no releases in {where} yet"
    )
