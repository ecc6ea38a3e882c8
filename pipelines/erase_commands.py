"""`harmonia erase …`: what a person types and reads.

Belongs here: options and output. Does not belong here: what the commands do; heavy modules are imported inside. Persons are named by their
id alone: what is printed may end in a log.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.console import print_frame
from pipelines.errors import HarmoniaError
from pipelines.options import HomeFolder, Inbox, RegistryUrl, WarehouseUrl
from pipelines.resources.workplace import Workplace
from pipelines.user import this_user

if TYPE_CHECKING:
    from pipelines.erasure.trial import Plan
    from pipelines.registry import Registry

app = typer.Typer(help="Remove a person's data from every store; figures stay. One orders, another carries out.", no_args_is_help=True)

PersonId = Annotated[str, typer.Argument(metavar="PERSON", help="Id of the person, e.g. P0000012, from the identity store.")]
Who = Annotated[str | None, typer.Option("--by", envvar="HARMONIA_BY", help="Who you are. Default: the system's user.")]


@contextmanager
def _opened(workplace: Workplace) -> Iterator[Registry]:
    from pipelines.registry import open_registry

    if not workplace.home.root.is_dir():
        raise HarmoniaError(f"there is no home {workplace.home.root}: name it with --home")
    registry = open_registry(workplace.registry)
    try:
        yield registry
    finally:
        registry.close()


@app.command()
def show(person: PersonId, home: HomeFolder = None, registry_url: RegistryUrl = None) -> None:
    """Say what would go, and whether a figure would move; tried on a copy, nothing is changed. Exit 1 where something would be left."""
    workplace = Workplace.of(None, home, registry_url)
    with _opened(workplace):  # a wrong home is said at once
        from pipelines.erasure.trial import try_out

        plan = try_out(workplace, person, _run)
    _told(plan)
    raise typer.Exit(1 if plan.left or plan.moved else 0)


def _run(workplace: Workplace) -> None:
    """Take a home through all stages."""
    from pipelines.progress import Silence
    from pipelines.run import run_everything

    run_everything(workplace, Silence())


def _told(plan: Plan) -> None:
    for one in plan.emptied:
        typer.echo(f"{one.institution} {one.delivery}: {one.rows} rows emptied, {len(one.gone)} files removed and read as they were read")
    typer.echo(
        f"{plan.person.id}: {len(plan.person.records)} records in {len(plan.emptied)} deliveries, {plan.files} files. "
        f"{len(plan.ties)} pairs of records are held as they are. Figures that move: {', '.join(plan.moved) or 'none'}."
    )
    if plan.person.shared:
        typer.echo(f"{plan.person.shared} numbers or spellings of the name are borne by others as well: files were not searched for those.")
    for path in plan.left:
        typer.echo(f"would be left in {path}")


@app.command("order")
def give(
    person: PersonId,
    ground: Annotated[str, typer.Option("--ground", help="Law, decision or request it rests on; name nobody.")],
    by: Who = None,
    home: HomeFolder = None,
    registry_url: RegistryUrl = None,
) -> None:
    """Order the erasure of a person; somebody else carries it out."""
    with _opened(Workplace.of(None, home, registry_url)) as registry:
        from pipelines.erasure import orders

        number = orders.give(registry, person, by or this_user(), ground)
    typer.echo(f"Order {number} is entered. Somebody else carries it out: harmonia erase execute {number} --by NAME")


@app.command("list")
def listed(home: HomeFolder = None, registry_url: RegistryUrl = None) -> None:
    """All orders, with who gave and who carried out."""
    with _opened(Workplace.of(None, home, registry_url)) as registry:
        from pipelines.erasure import orders

        found = orders.listed(registry)
    print_frame(found, "No order was given.")


@app.command()
def repeat(
    backup: Annotated[Path, typer.Argument(help="A backup made after the erasures.")],
    home: HomeFolder = None,
    registry_url: RegistryUrl = None,
) -> None:
    """After a restore: enter again the orders that a later backup knows as carried out. Exit 1 where records are not known here yet."""
    with _opened(Workplace.of(None, home, registry_url)) as registry:
        from pipelines.erasure.repeat import repeat as enter

        found = enter(registry, backup)
    for one in found:
        orders = ", ".join(f"order {number} ({person})" for number, person in one.given.items())
        typer.echo(f"order {one.number} there: {one.known} of {one.records} records are known here; {orders or 'nothing to enter'}")
    if any(one.known < one.records for one in found):
        typer.echo("Records that are not known here come with the inbox: harmonia run, then this once more.")
        raise typer.Exit(1)
    typer.echo("Somebody else carries them out: harmonia erase execute ORDER --by NAME" if found else f"{backup} knows no erasure.")


@app.command("carry-out", hidden=True)  # its name in earlier versions
@app.command()
def execute(
    number: Annotated[int, typer.Argument(metavar="ORDER", help="Number of the order.")],
    by: Who = None,
    moving: Annotated[bool, typer.Option("--moving", help="Also where figures move.")] = False,
    inbox: Inbox = None,
    home: HomeFolder = None,
    warehouse_url: WarehouseUrl = None,
    registry_url: RegistryUrl = None,
) -> None:
    """Carry out an order: tried on a copy first, then done, then a run. Exit 1 where the person is still found."""
    workplace = Workplace.of(inbox, home, registry_url, warehouse_url)
    with _opened(workplace):
        from pipelines.erasure.carry import carry_out as carry

    done = carry(workplace, number, by or this_user(), _run, moving=moving)
    _told(done.plan)
    for path in done.pages:
        typer.echo(f"removed {path}")
    for path in done.left:
        typer.echo(f"still found in {path}")
    typer.echo(
        f"Erasure {done.number} of order {number} is done. Not reached from here: backups made before, workbooks and pages handed out "
        "(`harmonia audit list`), the inbox. Make a new backup and let older ones go: docs/reference/governance.md."
    )
    raise typer.Exit(1 if done.left else 0)
