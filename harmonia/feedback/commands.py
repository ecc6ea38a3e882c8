"""`harmonia feedback …`: the commands.

Belongs here: options and output of the feedback commands. Does not belong here: what they do. Heavy modules are imported inside the
commands. No value of a finding is printed, since output may end up in a log.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harmonia.console import format_count, make_console, print_frame
from harmonia.errors import HarmoniaError
from harmonia.options import HomeFolder, RegistryUrl
from harmonia.user import find_acting_account
from pipelines.resources.workplace import Workplace

if TYPE_CHECKING:
    from harmonia.registry import Registry

app = typer.Typer(help="Answers of institutions to the findings in their deliveries.", no_args_is_help=True)

Numbers = Annotated[list[int], typer.Argument(metavar="NUMBER...", help="Numbers of answers, see `harmonia feedback list`.")]


@contextmanager
def _open_home(home: Path | None, registry_url: str | None) -> Iterator[tuple[Workplace, Registry]]:
    from harmonia.registry import open_registry

    workplace = Workplace.from_paths(None, home, registry_url)
    if not workplace.home.root.is_dir():
        raise HarmoniaError(f"home {workplace.home.root} does not exist: set it with --home")
    registry = open_registry(workplace.registry)
    try:
        yield workplace, registry
    finally:
        registry.close()


@app.command("import")
def import_files(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Filled workbooks findings.xlsx, as .xlsx or .ods.")],
    home: HomeFolder = None,
    registry_url: RegistryUrl = None,
) -> None:
    """Import the answers of filled workbooks; the next run applies them. Exit code 1 if a row or a workbook was refused."""
    out, refused = make_console(markup=False), 0
    with _open_home(home, registry_url) as (workplace, registry):
        from harmonia.feedback.exchange import import_answers

        for file in files:
            try:
                done = import_answers(workplace.home, registry, file)
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
                f"{done.institution} {done.delivery}: {format_count(done.entered, 'answer')} entered, {done.known} already known, "
                f"{format_count(done.open, 'row')} without an answer, {len(done.refused)} refused. The next `harmonia run` applies them.",
                soft_wrap=True,
            )
    raise typer.Exit(1 if refused else 0)


@app.command("list")
def list_answers(
    institution: Annotated[
        str | None, typer.Option("--institution", envvar="HARMONIA_INSTITUTION", help="Only of this institution.")
    ] = None,
    waiting: Annotated[bool, typer.Option("--waiting", help="Only answers that await a countersignature.")] = False,
    home: HomeFolder = None,
    registry_url: RegistryUrl = None,
) -> None:
    """List the current answers. Reasons are kept in the registry; values are not stored."""

    with _open_home(home, registry_url) as (_, registry):
        from harmonia.feedback.answers import read_answers, select_latest_answers

        latest_answers = select_latest_answers(read_answers(registry))
    if institution is not None:
        latest_answers = latest_answers[latest_answers["institution"] == institution]
    if waiting:
        latest_answers = latest_answers[(latest_answers["verdict"] == "accepted") & latest_answers["decision"].isna()]
    shown = ["id", "institution", "delivery", "rule", "record_key", "field", "verdict", "decision", "until", "decision_reason"]
    headers = {"id": "number", "record_key": "record", "verdict": "answer", "decision_reason": "refused because"}
    print_frame(
        latest_answers[shown].rename(columns=headers), "There are no answers." if not waiting else "No answer awaits a countersignature."
    )


@app.command("countersign")
def countersign_answers(
    numbers: Numbers,
    until: Annotated[datetime, typer.Option("--until", formats=["%Y-%m-%d"], help="Last day of validity.")],
    home: HomeFolder = None,
    registry_url: RegistryUrl = None,
) -> None:
    """Countersign, as the system's owner, answers "accepted as it is". Must not be the person who answered."""
    _decide_answers(numbers, "countersigned", until.date(), None, home, registry_url)


@app.command("refuse")
def refuse_answers(
    numbers: Numbers,
    why: Annotated[str, typer.Option("--why", help="Reason, which the institution reads.")],
    home: HomeFolder = None,
    registry_url: RegistryUrl = None,
) -> None:
    """Refuse answers, as the system's owner: their findings remain or reopen."""
    _decide_answers(numbers, "refused", None, why, home, registry_url)


def _decide_answers(
    numbers: list[int], decision: str, until: date | None, why: str | None, home: Path | None, registry_url: str | None
) -> None:
    with _open_home(home, registry_url) as (workplace, registry):
        from harmonia.feedback.answers import decide_on_answers

        done = decide_on_answers(registry, numbers, decision, find_acting_account(workplace.home.root), until, why)
    typer.echo(f"{format_count(done, 'answer')} {decision}. The next `harmonia run` applies this.")
