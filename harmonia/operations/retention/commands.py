"""`harmonia retention`: options and output.

Does not belong here: retention rules. Heavy modules are imported inside the command.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from harmonia.console import format_count, make_console, make_table
from harmonia.errors import HarmoniaError
from pipelines.resources.workplace import Workplace

app = typer.Typer()


@app.command("retention", rich_help_panel="For data engineers")
def list_or_remove_expired_items(
    apply: Annotated[bool, typer.Option("--apply", help="Remove expired items of stores that allow it.")] = False,
    today: Annotated[datetime | None, typer.Option("--today", formats=["%Y-%m-%d"], help="Reference date. Default: today.")] = None,
    home: Annotated[Path | None, typer.Option("--home", envvar="HARMONIA_HOME", help="Home folder. Default: data/home")] = None,
    registry_url: Annotated[str | None, typer.Option("--registry-url", envvar="HARMONIA_REGISTRY_URL", help="Registry database.")] = None,
) -> None:
    """Show expired items by store; with --apply remove them. Periods: harmonia/operations/retention/retention.yaml."""
    workplace = Workplace.from_paths(None, home, registry_url)
    if not workplace.home.root.is_dir():
        raise HarmoniaError(f"home {workplace.home.root} does not exist: name it with --home")
    from harmonia.lock import lock_home_for_run
    from harmonia.operations.retention.expired import find_expired_items, read_retention_rules, remove_expired_items

    with lock_home_for_run(workplace.home):
        expired_items = find_expired_items(workplace, (today or datetime.now(UTC)).date())
        if apply:
            remove_expired_items(workplace, expired_items)
    by_store = {item.rule.store: item for item in expired_items}
    table = make_table("store", "kept (days)", "counted from", "expired", "bytes", "removed by", right=("kept (days)", "expired", "bytes"))
    for name, rule in read_retention_rules().items():
        item = by_store.get(name)
        expired = (str(item.items), f"{item.size:,}") if item else ("–", "–")
        table.add_row(name, "–" if rule.days is None else str(rule.days), rule.counted_from, *expired, rule.removed_by)
    make_console(markup=False).print(table)
    if apply:
        removed = sum(item.items for item in expired_items if item.rule.removed_by == "command")
        typer.echo(f"Removed {format_count(removed, 'item')}.")
