"""`harmonia feedback …`: what is typed and read.

Belongs here: options and output of the feedback commands. Does not belong here: what they do; heavy modules are imported inside.
No value of a finding is printed: what is printed may end in a log.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.console import console, print_frame
from pipelines.errors import HarmoniaError
from pipelines.options import HomeFolder, RegistryUrl
from pipelines.resources.workplace import Workplace
from pipelines.user import this_user

if TYPE_CHECKING:
    from pipelines.registry import Registry

app = typer.Typer(help="Answers of institutions to what was found in their deliveries.", no_args_is_help=True)

Numbers = Annotated[list[int], typer.Argument(metavar="NUMBER...", help="Numbers of answers, as `harmonia feedback list` gives them.")]
Who = Annotated[str | None, typer.Option("--by", envvar="HARMONIA_BY", help="Who you are. Default: the system's user.")]


@contextmanager
def _opened(home: Path | None, registry_url: str | None) -> Iterator[tuple[Workplace, Registry]]:
    from pipelines.registry import open_registry

    workplace = Workplace.of(None, home, registry_url)
    if not workplace.home.root.is_dir():
        raise HarmoniaError(f"there is no home {workplace.home.root}: name it with --home")
    registry = open_registry(workplace.registry)
    try:
        yield workplace, registry
    finally:
        registry.close()


@app.command("import")
def bring_in(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Workbooks findings.xlsx, filled in, as .xlsx or .ods.")],
    home: HomeFolder = None,
    registry_url: RegistryUrl = None,
) -> None:
    """Enter the answers of filled workbooks; they show in the next run. Exit 1 where a row, or a workbook, was refused."""
    out, refused = console(markup=False), 0
    with _opened(home, registry_url) as (workplace, registry):
        from pipelines.feedback.exchange import bring_in as enter

        for file in files:
            try:
                done = enter(workplace.home, registry, file)
            except HarmoniaError as error:
                if len(files) == 1:
                    raise
                out.print(f"refused: {error}", soft_wrap=True)
                refused += 1
                continue
            refused += len(done.refused)
            for row in done.refused.itertuples(index=False):
                out.print(f"refused: sheet [{row.sheet}] row {row.row}: {row.why_not}", soft_wrap=True)
            out.print(
                f"{done.institution} {done.delivery}: {done.entered} answers entered, {done.known} known already, {done.open} rows "
                f"without an answer, {len(done.refused)} refused. They show in the next `harmonia run`.",
                soft_wrap=True,
            )
    raise typer.Exit(1 if refused else 0)


@app.command("list")
def show(
    institution: Annotated[str | None, typer.Option("--institution", envvar="HARMONIA_INSTITUTION", help="Only of this one.")] = None,
    waiting: Annotated[bool, typer.Option("--waiting", help="Only those that wait for a countersignature.")] = False,
    home: HomeFolder = None,
    registry_url: RegistryUrl = None,
) -> None:
    """The answers that count, by their numbers; reasons stand in the registry, values nowhere."""

    with _opened(home, registry_url) as (_, registry):
        from pipelines.feedback.answers import latest, read

        found = latest(read(registry))
    if institution is not None:
        found = found[found["institution"] == institution]
    if waiting:
        found = found[(found["verdict"] == "accepted") & found["decision"].isna()]
    shown = ["id", "institution", "delivery", "rule", "record_key", "field", "verdict", "decision", "until"]
    headers = {"id": "number", "record_key": "record", "verdict": "answer"}
    print_frame(found[shown].rename(columns=headers), "No answer was given." if not waiting else "No answer waits for a countersignature.")


@app.command()
def countersign(
    numbers: Numbers,
    until: Annotated[datetime, typer.Option("--until", formats=["%Y-%m-%d"], help="Last day on which it holds.")],
    by: Who = None,
    home: HomeFolder = None,
    registry_url: RegistryUrl = None,
) -> None:
    """Countersign, as the system's owner, what an institution accepts as it is. Somebody else than who answered."""
    _decide(numbers, "countersigned", by, until.date(), home, registry_url)


@app.command()
def refuse(numbers: Numbers, by: Who = None, home: HomeFolder = None, registry_url: RegistryUrl = None) -> None:
    """Refuse an answer, as the system's owner: the finding stays, or comes again."""
    _decide(numbers, "refused", by, None, home, registry_url)


def _decide(numbers: list[int], decision: str, by: str | None, until: date | None, home: Path | None, registry_url: str | None) -> None:
    with _opened(home, registry_url) as (_, registry):
        from pipelines.feedback.answers import decide

        done = decide(registry, numbers, decision, by or this_user(), until)
    typer.echo(f"{done} answers {decision}. It shows in the next `harmonia run`.")
