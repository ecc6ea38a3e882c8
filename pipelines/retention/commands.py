"""`harmonia retention`: what a person types and reads.

Belongs here: options and output. Does not belong here: what is past its time; heavy modules are imported inside.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from pipelines.console import console, grid
from pipelines.errors import HarmoniaError
from pipelines.resources.workplace import Workplace

app = typer.Typer()


@app.command(rich_help_panel="For data engineers")
def retention(
    apply: Annotated[bool, typer.Option("--apply", help="Remove what is past its time, where a command may.")] = False,
    today: Annotated[datetime | None, typer.Option("--today", formats=["%Y-%m-%d"], help="Default: today.")] = None,
    home: Annotated[Path | None, typer.Option("--home", envvar="HARMONIA_HOME", help="Where everything is kept.")] = None,
    registry_url: Annotated[str | None, typer.Option("--registry-url", envvar="HARMONIA_REGISTRY_URL", help="Registry elsewhere.")] = None,
) -> None:
    """Say what is past its time by store, and with --apply remove it. How long: pipelines/retention/retention.yaml."""
    workplace = Workplace.of(None, home, registry_url)
    if not workplace.home.root.is_dir():
        raise HarmoniaError(f"there is no home {workplace.home.root}: name it with --home")
    from pipelines.lock import run_lock
    from pipelines.retention.expired import find_expired, remove, rules

    with run_lock(workplace.home):
        found = find_expired(workplace, (today or datetime.now(UTC)).date())
        if apply:
            remove(workplace, found)
    by_store = {one.rule.store: one for one in found}
    table = grid("store", "kept (days)", "counted from", "past", "bytes", "removed by", right=("kept (days)", "past", "bytes"))
    for name, rule in rules().items():
        one = by_store.get(name)
        told = (str(one.items), f"{one.size:,}") if one else ("–", "–")
        table.add_row(name, "–" if rule.days is None else str(rule.days), rule.counted_from, *told, rule.removed_by)
    console(markup=False).print(table)
    if apply:
        typer.echo(f"{sum(one.items for one in found if one.rule.removed_by == 'command')} items were removed.")
