"""The command line (`harmonia`): options, exit codes, one clear line for every problem.

Belongs here: what a person types and reads. Does not belong here: what the commands do. Heavy modules are imported inside the
commands: `harmonia --help` and `harmonia status` never load Dagster.

Exit codes: 0 done; 1 a problem, said in one line (`check`: something was found that costs a row or a value); 2 a wrong option; 130
interrupted.
"""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pipelines.access_commands import access, audit, warehouse
from pipelines.backup.commands import app as backups
from pipelines.comparison.commands import app as compare
from pipelines.console import console
from pipelines.erase_commands import app as erase
from pipelines.errors import HarmoniaError
from pipelines.explain.commands import explain
from pipelines.explorer.commands import app as explorer
from pipelines.export_commands import app as export
from pipelines.feedback.commands import app as feedback
from pipelines.indicator_commands import app as indicator
from pipelines.link_commands import app as link
from pipelines.options import HomeFolder, Inbox, RegistryUrl, WarehouseUrl
from pipelines.release_commands import app as release
from pipelines.reports.commands import app as report
from pipelines.resources.workplace import Workplace
from pipelines.retention.commands import app as retention
from pipelines.review.commands import app as review

ENGINEER, ANALYST, INSTITUTION = "For data engineers", "For analysts", "For institutions"
STEWARD, COORDINATOR = "For stewards", "For the coordinator"
"""For whom each command is, as `harmonia --help` groups them."""

app = typer.Typer(
    name="harmonia",
    help="One harmonised set of statistics out of the institutions' deliveries.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(explorer, name="explorer", rich_help_panel=COORDINATOR)
app.add_typer(report, name="report", rich_help_panel=COORDINATOR)
app.add_typer(export, name="export", rich_help_panel=COORDINATOR)
app.add_typer(access, rich_help_panel=ENGINEER)
app.add_typer(audit, rich_help_panel=ENGINEER)
app.add_typer(warehouse, rich_help_panel=ENGINEER)
app.add_typer(backups, rich_help_panel=ENGINEER)
app.add_typer(retention, rich_help_panel=ENGINEER)
app.add_typer(explain, rich_help_panel=ANALYST)
app.add_typer(review, name="review", rich_help_panel=STEWARD)
app.add_typer(feedback, name="feedback", rich_help_panel=INSTITUTION)
app.add_typer(link, name="link", rich_help_panel=STEWARD)
app.add_typer(indicator, name="indicator", rich_help_panel=ANALYST)
app.add_typer(compare, name="compare", rich_help_panel=STEWARD)
app.add_typer(release, name="release", rich_help_panel=COORDINATOR)
app.add_typer(erase, name="erase", rich_help_panel=ENGINEER)
_INTERRUPTED = 130


class Noise(StrEnum):
    """How much is wrong in simulated deliveries."""

    clean = "clean"
    typical = "typical"
    hard = "hard"


ModelFile = Annotated[
    Path | None, typer.Option("--model", envvar="HARMONIA_MODEL", help="Linkage model of `harmonia link train`. Default: the one shipped")
]
SparkMaster = Annotated[
    str | None,
    typer.Option("--spark", metavar="MASTER", envvar="HARMONIA_SPARK", help="Score pairs of persons on this Spark. Default: in process"),
]


def _declared() -> None:
    """See that what is declared can be understood."""
    from pipelines.declarations import check

    check()


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"harmonia {installed_version('harmonia')}")
        raise typer.Exit


@app.callback()
def _harmonia(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")] = False,
) -> None:
    pass


@app.command(rich_help_panel=ENGINEER)
def simulate(
    out: Annotated[Path, typer.Option("--out", envvar="HARMONIA_OUT", help="Folder to write inbox/ and truth/ into.")],
    seed: Annotated[int, typer.Option("--seed", envvar="HARMONIA_SEED", help="The same seed gives the same deliveries.")] = 1,
    start: Annotated[int, typer.Option("--start", envvar="HARMONIA_START", min=1999, max=2090, help="First year.")] = 2012,
    years: Annotated[int, typer.Option("--years", envvar="HARMONIA_YEARS", min=1, max=50, help="How many years.")] = 2,
    cases_per_year: Annotated[int, typer.Option("--cases-per-year", envvar="HARMONIA_CASES_PER_YEAR", min=1, help="Cases a year.")] = 100,
    noise: Annotated[Noise, typer.Option("--noise", envvar="HARMONIA_NOISE", help="How much is wrong in them.")] = Noise.typical,
) -> None:
    """Write made-up deliveries in the institutions' forms, with the truth beside them."""
    from sources.simulator import simulate as make

    try:
        made = make(out, seed=seed, start=start, years=years, cases_per_year=cases_per_year, noise=noise.value)
    except ValueError as error:
        raise HarmoniaError(str(error)) from None
    typer.echo(
        f"{made.deliveries} deliveries with {made.cases} cases, {made.persons} persons and {made.defects} defects are in {made.inbox}, "
        f"the truth about them in {made.truth}. Next: harmonia run --inbox {made.inbox}"
    )


@app.command(rich_help_panel=ENGINEER)
def run(
    inbox: Inbox = None,
    home: HomeFolder = None,
    warehouse_url: WarehouseUrl = None,
    registry_url: RegistryUrl = None,
    model: ModelFile = None,
    spark: SparkMaster = None,
) -> None:
    """Land what is new, take it through all stages, publish. Exit 0 when published, 1 when not."""
    if model is not None:  # said before anything is landed, and known to whatever links in this process
        _use(model)
    if spark:
        _score_on(spark)
    workplace = Workplace.of(inbox, home, registry_url, warehouse_url)
    new = not workplace.home.root.exists()
    workplace.ready()
    _declared()
    out = console()
    out.print(
        f"[bold]Harmonia[/] {workplace.inbox} → {workplace.home.root}{' (a new home: nothing was there)' if new else ''}", soft_wrap=True
    )
    from pipelines.progress import Display
    from pipelines.run import run_everything
    from pipelines.summary import show
    from sources.contract import institutions

    with Display(out) as display:
        outcome = run_everything(workplace, display)
    show(out, workplace, outcome.values, institutions(), outcome.seconds, outcome.unchanged)


def _use(model: Path) -> None:
    from pipelines.linkage.model import load_model

    load_model(model.expanduser())
    os.environ["HARMONIA_MODEL"] = str(model.expanduser().absolute())


def _score_on(master: str) -> None:
    from pipelines.linkage.spark import SETTING, Spark

    os.environ[SETTING] = Spark.at(master).master


@app.command(rich_help_panel=INSTITUTION)
def check(
    delivery: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of one delivery, e.g. police/2013-Q2.")],
    institution: Annotated[
        str | None, typer.Option("--institution", envvar="HARMONIA_INSTITUTION", help="Default: the parent folder.")
    ] = None,
    name: Annotated[str | None, typer.Option("--delivery", envvar="HARMONIA_DELIVERY", help="e.g. 2013-Q2. Default: the folder.")] = None,
    language: Annotated[
        str | None, typer.Option("--language", envvar="HARMONIA_LANGUAGE", help="sq, sr or en. Default: the institution's.")
    ] = None,
) -> None:
    """Try a delivery before sending it; lands nothing. Exit 0 when nothing costs a row or a value, 1 when something does."""
    _declared()
    from pipelines.trial import try_delivery

    raise typer.Exit(try_delivery(console(), delivery, institution, name, language))


@app.command(rich_help_panel=ENGINEER)
def status(inbox: Inbox = None, home: HomeFolder = None, registry_url: RegistryUrl = None) -> None:
    """Show how complete each institution's quarters are: complete, partial, unreadable or missing; and what came late."""
    workplace = Workplace.of(inbox, home, registry_url)
    _declared()
    if home is not None and not workplace.home.root.is_dir():
        raise HarmoniaError(
            f"there is no home {workplace.home.root}: name it with --home (or HARMONIA_HOME); the first `harmonia run` makes it"
        )
    from pipelines.registry import open_registry
    from pipelines.status import outside, table
    from pipelines.status import status as look

    there = workplace.registry_url is not None or (workplace.home.root / "registry.sqlite").is_file()
    if not there and not workplace.inbox.is_dir():
        raise HarmoniaError(
            f"there is neither an inbox {workplace.inbox} nor a registry in {workplace.home.root}: name them with --inbox and --home"
        )
    registry = open_registry(workplace.registry) if there else None
    try:
        lies = workplace.inbox if workplace.inbox.is_dir() else None
        console().print(table(look(registry, lies)))
        for line in outside(lies):
            console(markup=False).print("In the inbox: " + line, style="yellow", soft_wrap=True)
    finally:
        if registry is not None:
            registry.close()


@app.command(rich_help_panel=ENGINEER)
def score(
    truth: Annotated[
        Path, typer.Option("--truth", envvar="HARMONIA_TRUTH", help="Folder with the true answers of a simulated or sample set.")
    ],
    home: HomeFolder = None,
) -> None:
    """Measure a published warehouse against the truth. For measuring only: the pipeline never reads a truth."""
    from warehouse.score import score as measure

    console().print(measure(Workplace.of(None, home).home.warehouse, truth))


@app.command(rich_help_panel=ENGINEER)
def ui(
    inbox: Inbox = None,
    home: HomeFolder = None,
    registry_url: RegistryUrl = None,
    warehouse_url: WarehouseUrl = None,
    port: Annotated[int, typer.Option("--port", envvar="HARMONIA_PORT", min=1, max=65535, help="Port on this machine.")] = 3000,
) -> None:
    """Open Dagster's pages over the home, on this machine only (127.0.0.1)."""
    workplace = Workplace.of(inbox, home, registry_url, warehouse_url)
    workplace.home.create()
    from pipelines.ui import serve

    serve(console(), workplace, port)


@app.command("prepare", hidden=True)  # its name in earlier versions, which units of operators call
@app.command("init", rich_help_panel=ENGINEER)
def prepare(home: HomeFolder = None) -> None:
    """Make the home with Dagster's settings in it, for a daemon that starts before any run. Twice changes nothing."""
    from pipelines.resources.instance import install_dagster

    typer.echo(f"DAGSTER_HOME={install_dagster(Workplace.of(None, home).home)}")


def _fail(line: str) -> int:
    Console(stderr=True, highlight=False).print(f"[bold red]harmonia:[/] {_plain(line)}", soft_wrap=True)
    return 1


def _plain(line: str) -> str:
    from rich.markup import escape

    return escape(line)


def _unforeseen(error: Exception) -> int:
    from pipelines.failures import describe, keep

    home = os.environ.get("HARMONIA_HOME")
    log = keep(error, Path(home) / "logs", " ".join(sys.argv[1:2])) if home and Path(home).is_dir() else None
    return _fail(f"{describe(error)}{f'; where and how is in {log}' if log else ''}")


def main() -> None:
    """Run the command line; every problem ends in one line on standard error, never in a traceback."""
    try:
        app()
    except SystemExit as ended:
        if ended.code == _INTERRUPTED:  # typer's own answer to Ctrl-C, without a word
            _fail("interrupted: what was landed is kept, and what was published before stays as it was; run again when it suits")
        raise
    except HarmoniaError as error:
        sys.exit(_fail(str(error)))
    except Exception as error:  # noqa: BLE001 - the last line of defence; it is logged without values
        sys.exit(_unforeseen(error))
