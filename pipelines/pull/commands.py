"""The command `harmonia pull`: its options and its output.

Does not belong here: pulling itself. Large libraries are imported only when the command runs, so that other commands start fast.
"""

from __future__ import annotations

from typing import Annotated

import typer

from harmonia.console import format_count, make_console, make_table
from harmonia.options import HomeFolder, Inbox, RegistryUrl
from pipelines.resources.workplace import Workplace

app = typer.Typer()

_COLOURS = {"pulled": "green", "new": "green", "unchanged": "dim", "waiting": "yellow", "failed": "red"}


@app.command(rich_help_panel="For data engineers")
def pull(
    institution: Annotated[
        list[str] | None,
        typer.Option("--institution", envvar="HARMONIA_INSTITUTION", help="Only this one; may be repeated. Default: all with a source."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Look at the sources; fetch and record nothing.")] = False,
    inbox: Inbox = None,
    home: HomeFolder = None,
    registry_url: RegistryUrl = None,
) -> None:
    """Fetch new deliveries from the institutions' servers into the inbox. Exit 1 when a source failed, else 0."""
    workplace = Workplace.from_paths(inbox, home, registry_url).prepare_folders()
    from harmonia.registry import open_registry
    from pipelines.pull.pulling import pull_deliveries

    registry = open_registry(workplace.registry)
    try:
        outcomes = pull_deliveries(workplace, registry, institution or None, dry_run=dry_run)
    finally:
        registry.close()
    out = make_console(markup=False)
    if not outcomes:
        out.print("No institution declares a source: see docs/how-to/pull-deliveries.md.")
        return
    table = make_table("institution", "source", "delivery", "result", "in the inbox as", "rule", "detail")
    for outcome in outcomes:
        cells = (
            outcome.institution,
            outcome.kind,
            outcome.delivery or "",
            outcome.result,
            outcome.inbox_name or "",
            outcome.rule or "",
            outcome.detail,
        )
        table.add_row(*cells, style=_COLOURS[outcome.result])
    out.print(table)
    for rule, remedy in {outcome.rule: outcome.remedy for outcome in outcomes if outcome.rule}.items():
        out.print(f"{rule}: {remedy}", soft_wrap=True)
    new = [outcome for outcome in outcomes if outcome.result in ("pulled", "new")]
    if dry_run:
        out.print(f"Dry run: nothing was fetched; {format_count(len(new), 'delivery', 'deliveries')} would be.")
    else:
        out.print(f"{format_count(len(new), 'delivery', 'deliveries')} pulled{'; next: harmonia run' if new else ''}.")
    raise typer.Exit(any(outcome.result == "failed" for outcome in outcomes))
