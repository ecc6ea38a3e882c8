"""`harmonia erase …`: options and output.

Does not belong here: what the commands do. Heavy modules are imported inside the commands. The output names persons by id only, since it
may end up in a log.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harmonia.console import format_count, print_frame
from harmonia.errors import HarmoniaError
from harmonia.options import HomeFolder, Inbox, RegistryUrl, WarehouseUrl
from harmonia.user import find_acting_account
from pipelines.resources.workplace import Workplace

if TYPE_CHECKING:
    from harmonia.operations.erasure.dry_run import ErasurePlan
    from harmonia.registry import Registry

app = typer.Typer(
    help="Erase a person's data from every store without changing figures. One user orders, another executes.", no_args_is_help=True
)

PersonId = Annotated[str, typer.Argument(metavar="PERSON", help="Person id from the identity store, e.g. P0000012.")]


@contextmanager
def _open_registry(workplace: Workplace) -> Iterator[Registry]:
    from harmonia.registry import open_registry

    if not workplace.home.root.is_dir():
        raise HarmoniaError(f"home {workplace.home.root} does not exist: name it with --home")
    registry = open_registry(workplace.registry)
    try:
        yield registry
    finally:
        registry.close()


@app.command("show")
def show_erasure_plan(person: PersonId, home: HomeFolder = None, registry_url: RegistryUrl = None) -> None:
    """Dry run on a copy: show what would be erased and which figures would change. Exit 1 if data would remain or figures change."""
    workplace = Workplace.from_paths(None, home, registry_url)
    with _open_registry(workplace):  # fails at once for a wrong home
        from harmonia.operations.erasure.dry_run import try_erasure_on_copy

        plan = try_erasure_on_copy(workplace, person, _run_all_stages)
    _print_plan(plan)
    raise typer.Exit(1 if plan.remaining or plan.changed_tables else 0)


def _run_all_stages(workplace: Workplace) -> None:
    """Run all stages of the pipeline, without showing progress."""
    from pipelines.progress import SilentListener
    from pipelines.run import run_everything

    run_everything(workplace, SilentListener())


def _print_plan(plan: ErasurePlan) -> None:
    for receipt in plan.redacted:
        rows, files = format_count(receipt.rows, "row"), format_count(len(receipt.removed), "file")
        typer.echo(f"{receipt.institution} {receipt.delivery}: {rows} redacted, {files} replaced")
    typer.echo(
        f"{plan.person.id}: {format_count(len(plan.person.records), 'record')} in "
        f"{format_count(len(plan.redacted), 'delivery', 'deliveries')}, "
        f"{format_count(plan.files, 'file')}. Links preserved by judgements: {len(plan.constraints)}. "
        f"Figures that change: {', '.join(plan.changed_tables) or 'none'}."
    )
    if plan.person.shared:
        typer.echo(
            f"{plan.person.shared} numbers or spellings of the name are shared with other persons: files were not searched for them."
        )
    for path in plan.remaining:
        typer.echo(f"would remain in {path}")


@app.command("order")
def order_erasure(
    person: PersonId,
    ground: Annotated[str, typer.Option("--ground", help="Legal basis: law, decision or request; without names.")],
    home: HomeFolder = None,
    registry_url: RegistryUrl = None,
) -> None:
    """Order the erasure of a person. A different user executes it."""
    workplace = Workplace.from_paths(None, home, registry_url)
    with _open_registry(workplace) as registry:
        from harmonia.operations.erasure import orders

        number = orders.place_order(registry, person, find_acting_account(workplace.home.root), ground)
    typer.echo(f"Order {number} was recorded. A different user executes it: harmonia erase execute {number}")


@app.command("list")
def list_erasure_orders(home: HomeFolder = None, registry_url: RegistryUrl = None) -> None:
    """List all orders, with who ordered and who executed them."""
    with _open_registry(Workplace.from_paths(None, home, registry_url)) as registry:
        from harmonia.operations.erasure import orders

        all_orders = orders.list_orders(registry)
    print_frame(all_orders, "No orders.")


@app.command("repeat")
def repeat_erasure_orders_of_backup(
    backup: Annotated[Path, typer.Argument(help="A backup made after the erasures.")],
    home: HomeFolder = None,
    registry_url: RegistryUrl = None,
) -> None:
    """Order again, after a restore, the erasures that a later backup lists as executed. Exit 1 if some records are not here yet."""
    with _open_registry(Workplace.from_paths(None, home, registry_url)) as registry:
        from harmonia.operations.erasure.repeat import repeat_erasure_orders

        repeated_orders = repeat_erasure_orders(registry, backup)
    for repeated in repeated_orders:
        orders = ", ".join(f"order {number} ({person})" for number, person in repeated.new_orders.items())
        known = f"{repeated.known_records} of {repeated.records} records are known here"
        typer.echo(f"order {repeated.number} of the backup: {known}; {orders or 'nothing to order'}")
    if any(repeated.known_records < repeated.records for repeated in repeated_orders):
        typer.echo("Unknown records come from the inbox: run `harmonia run`, then repeat this command.")
        raise typer.Exit(1)
    typer.echo(
        "A different user executes them: harmonia erase execute ORDER" if repeated_orders else f"{backup} contains no executed erasures."
    )


@app.command("carry-out", hidden=True)  # former name
@app.command("execute")
def execute_erasure_order(
    number: Annotated[int, typer.Argument(metavar="ORDER", help="Number of the order.")],
    moving: Annotated[bool, typer.Option("--moving", help="Execute even if figures change.")] = False,
    inbox: Inbox = None,
    home: HomeFolder = None,
    warehouse_url: WarehouseUrl = None,
    registry_url: RegistryUrl = None,
) -> None:
    """Execute an order: dry run on a copy, erasure, run. Exit 1 if the person is still found."""
    workplace = Workplace.from_paths(inbox, home, registry_url, warehouse_url)
    with _open_registry(workplace):
        from harmonia.operations.erasure.execute import execute_order as erase

    typer.echo("First on a copy of the home, then in the home itself: this takes several times as long as a run.")
    done = erase(workplace, number, find_acting_account(workplace.home.root), _run_all_stages, moving=moving)
    _print_plan(done.plan)
    for path in done.deleted_pages:
        typer.echo(f"removed {path}")
    typer.echo(
        f"Searched {done.searched} files of {workplace.home.root} (landing, lake, feedback, reports, releases, stores), and the tables of "
        f"registry and warehouse, for names and personal numbers of the person: {'found' if done.remaining else 'not found'}."
    )
    for path in done.remaining:
        typer.echo(f"still found in {path}")
    typer.echo(
        f"Erasure {done.number} of order {number} is done. It does not reach earlier backups, exported workbooks and pages "
        "(`harmonia audit list`), or the inbox. Make a new backup and delete older ones: docs/reference/governance.md."
    )
    raise typer.Exit(1 if done.remaining else 0)
