"""The command line (`harmonia`): options, exit codes, one line per problem.

Belongs here: what a person types and reads. Does not belong here: what the commands do. Heavy modules are imported inside the commands:
`harmonia --help` and `harmonia status` never load Dagster.

Exit codes: 0 success; 1 a problem, described in one line (for `check`: a finding because of which a row or value does not count); 2
invalid option; 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from importlib.metadata import version as installed_version
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from harmonia.cli.access_commands import access, audit, warehouse
from harmonia.cli.erase_commands import app as erase
from harmonia.cli.export_commands import app as export
from harmonia.cli.indicator_commands import app as indicator
from harmonia.cli.link_commands import app as link
from harmonia.cli.release_commands import app as release
from harmonia.cli.yardstick_commands import yardsticks
from harmonia.comparison.commands import app as compare
from harmonia.console import make_console
from harmonia.errors import HarmoniaError
from harmonia.explain.commands import explain
from harmonia.explorer.commands import app as explorer
from harmonia.feedback.commands import app as feedback
from harmonia.operations.backup.commands import app as backups
from harmonia.operations.retention.commands import app as retention
from harmonia.options import HomeFolder, Inbox, RegistryUrl, WarehouseUrl
from harmonia.reports.commands import app as report
from harmonia.review.commands import app as review
from pipelines.pull.commands import app as pull
from pipelines.resources.workplace import Workplace
from portal.commands import invite, portal

ENGINEER, ANALYST, INSTITUTION = "For data engineers", "For analysts", "For institutions"
STEWARD, COORDINATOR = "For stewards", "For the coordinator"
"""The audiences by which `harmonia --help` groups the commands."""

app = typer.Typer(
    name="harmonia",
    help="Build one harmonised set of statistics from the institutions' deliveries.",
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
app.add_typer(pull, rich_help_panel=ENGINEER)
app.add_typer(backups, rich_help_panel=ENGINEER)
app.add_typer(retention, rich_help_panel=ENGINEER)
app.add_typer(explain, rich_help_panel=ANALYST)
app.add_typer(review, name="review", rich_help_panel=STEWARD)
app.add_typer(feedback, name="feedback", rich_help_panel=INSTITUTION)
app.add_typer(link, name="link", rich_help_panel=STEWARD)
app.add_typer(indicator, name="indicator", rich_help_panel=ANALYST)
app.command(rich_help_panel=ANALYST)(yardsticks)
app.add_typer(compare, name="compare", rich_help_panel=STEWARD)
app.add_typer(release, name="release", rich_help_panel=COORDINATOR)
app.add_typer(erase, name="erase", rich_help_panel=ENGINEER)
EVERYBODY = "For all: the portal"
app.command(rich_help_panel=EVERYBODY)(portal)
app.command(rich_help_panel=EVERYBODY)(invite)
_INTERRUPTED = 130


class SimulatedErrorRate(StrEnum):
    """How many errors the simulated deliveries contain."""

    clean = "clean"
    typical = "typical"
    hard = "hard"


ModelFile = Annotated[
    Path | None,
    typer.Option("--model", envvar="HARMONIA_MODEL", help="Linkage model written by `harmonia link train`. Default: the shipped model"),
]
SparkMaster = Annotated[
    str | None,
    typer.Option(
        "--spark", metavar="MASTER", envvar="HARMONIA_SPARK", help="Score pairs of persons on this Spark master. Default: in process"
    ),
]


def _check_declarations() -> None:
    from harmonia.declarations import check_declarations

    check_declarations()


def _print_version(requested: bool) -> None:
    if requested:
        typer.echo(f"harmonia {installed_version('harmonia')}")
        raise typer.Exit


@app.callback()
def _accept_global_options(
    version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show version and exit.")] = False,
) -> None:
    pass


@app.command("simulate", rich_help_panel=ENGINEER)
def simulate_deliveries(
    out: Annotated[Path, typer.Option("--out", envvar="HARMONIA_OUT", help="Folder to write inbox/ and truth/ to.")],
    seed: Annotated[int, typer.Option("--seed", envvar="HARMONIA_SEED", help="Random seed. The same seed gives the same deliveries.")] = 1,
    start: Annotated[int, typer.Option("--start", envvar="HARMONIA_START", min=1999, max=2090, help="First year.")] = 2012,
    years: Annotated[int, typer.Option("--years", envvar="HARMONIA_YEARS", min=1, max=50, help="Number of years.")] = 2,
    cases_per_year: Annotated[int, typer.Option("--cases-per-year", envvar="HARMONIA_CASES_PER_YEAR", min=1, help="Cases per year.")] = 100,
    noise: Annotated[
        SimulatedErrorRate, typer.Option("--noise", envvar="HARMONIA_NOISE", help="Error rate of the deliveries.")
    ] = SimulatedErrorRate.typical,
    victims: Annotated[
        bool,
        typer.Option("--victims", envvar="HARMONIA_VICTIMS", help="Add the two institutions for victims; the others stay the same."),
    ] = False,
    life: Annotated[
        list[str] | None,
        typer.Option(
            "--life",
            envvar="HARMONIA_LIFE",
            metavar="KIND",
            help="What registers do over the years: late_entry, unknown_persons, …; all, or new_codes, which a new contract must know.",
        ),
    ] = None,
    cadence: Annotated[
        list[str] | None,
        typer.Option(
            "--cadence",
            envvar="HARMONIA_CADENCE",
            metavar="INSTITUTION=CADENCE",
            help="Let an institution deliver monthly, quarterly, half_yearly or yearly, e.g. police=monthly.",
        ),
    ] = None,
    returns: Annotated[
        bool, typer.Option("--returns", envvar="HARMONIA_RETURNS", help="Add the counts that each institution makes itself, as yardsticks.")
    ] = False,
) -> None:
    """Write synthetic deliveries in the institutions' formats, with the ground truth."""
    from schemas import domain_folder
    from sources.simulator import simulate as write_deliveries

    if domain_folder.folder() is not None:
        raise HarmoniaError(f"the simulator writes deliveries of the built-in domain: unset {domain_folder.SETTING}")
    try:
        simulated = write_deliveries(
            out,
            seed=seed,
            start=start,
            years=years,
            cases_per_year=cases_per_year,
            noise=noise.value,
            victims=victims,
            life=life or (),
            returns=returns,
            cadence=dict(_parse_cadence_option(one) for one in cadence or ()),
        )
    except ValueError as error:
        raise HarmoniaError(str(error)) from None
    typer.echo(
        f"Wrote {simulated.deliveries} deliveries with {simulated.cases} cases, {simulated.persons} persons and "
        f"{simulated.defects} defects to {simulated.inbox}, and the ground truth to {simulated.truth}. "
        f"Next: {f'{domain_folder.SETTING}={simulated.domain} ' if simulated.domain else ''}harmonia run --inbox {simulated.inbox}"
    )


def _parse_cadence_option(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise HarmoniaError(f"{text!r} is not INSTITUTION=CADENCE, e.g. police=monthly")
    return name, value


@app.command("run", rich_help_panel=ENGINEER)
def run_all_stages(
    inbox: Inbox = None,
    home: HomeFolder = None,
    warehouse_url: WarehouseUrl = None,
    registry_url: RegistryUrl = None,
    model: ModelFile = None,
    spark: SparkMaster = None,
) -> None:
    """Ingest new deliveries, run all stages, publish. Exit 0 when published, 1 when not."""
    if model is not None:  # before landing, so that a wrong file fails at once
        _set_model_file(model)
    if spark:
        _set_spark_master(spark)
    workplace = Workplace.from_paths(inbox, home, registry_url, warehouse_url)
    new = not workplace.home.root.exists()
    workplace.prepare_folders()
    _check_declarations()
    out = make_console()
    out.print(f"[bold]Harmonia[/] {workplace.inbox} → {workplace.home.root}{' (new home)' if new else ''}", soft_wrap=True)
    from harmonia.cli.summary import print_summary
    from pipelines.progress import ProgressDisplay
    from pipelines.run import run_everything
    from sources.contract import institutions

    with ProgressDisplay(out) as display:
        outcome = run_everything(workplace, display)
    print_summary(out, workplace, outcome.values, institutions(), outcome.seconds, outcome.unchanged)


def _set_model_file(model: Path) -> None:
    from pipelines.linkage.model import load_linkage_model

    load_linkage_model(model.expanduser())
    os.environ["HARMONIA_MODEL"] = str(model.expanduser().absolute())


def _set_spark_master(master: str) -> None:
    from pipelines.linkage.spark import SETTING, SplinkOnSpark

    os.environ[SETTING] = SplinkOnSpark.for_master(master).master


@app.command("check", rich_help_panel=INSTITUTION)
def check_delivery_before_sending(
    delivery: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of one delivery, e.g. police/2013-Q2.")],
    institution: Annotated[
        str | None, typer.Option("--institution", envvar="HARMONIA_INSTITUTION", help="Default: name of the parent folder.")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--delivery", envvar="HARMONIA_DELIVERY", help="e.g. 2013-Q2. Default: name of the folder.")
    ] = None,
    language: Annotated[
        str | None, typer.Option("--language", envvar="HARMONIA_LANGUAGE", help="sq, sr or en. Default: the institution's.")
    ] = None,
) -> None:
    """Check a delivery before sending it (dry run). Exit 1 when a finding costs a row or a value, else 0."""
    _check_declarations()
    from harmonia.trial import check_delivery

    raise typer.Exit(check_delivery(make_console(), delivery, institution, name, language))


@app.command("status", rich_help_panel=ENGINEER)
def show_status_of_deliveries(inbox: Inbox = None, home: HomeFolder = None, registry_url: RegistryUrl = None) -> None:
    """Show the state of each institution's quarters (complete, partial, unreadable, missing) and late deliveries."""
    workplace = Workplace.from_paths(inbox, home, registry_url)
    _check_declarations()
    if home is not None and not workplace.home.root.is_dir():
        raise HarmoniaError(
            f"home {workplace.home.root} does not exist: name it with --home (or HARMONIA_HOME); the first `harmonia run` creates it"
        )
    from harmonia.registry import open_registry
    from harmonia.status import (
        describe_stored_yardsticks,
        list_deliveries_unlike_past,
        list_delivery_states,
        list_other_inbox_entries,
        list_stopped_pulls,
        render_calendar,
    )

    has_registry = workplace.registry_url is not None or (workplace.home.root / "registry.sqlite").is_file()
    if not has_registry and not workplace.inbox.is_dir():
        raise HarmoniaError(
            f"inbox {workplace.inbox} does not exist and home {workplace.home.root} has no registry: name them with --inbox and --home"
        )
    registry = open_registry(workplace.registry) if has_registry else None
    try:
        inbox_folder = workplace.inbox if workplace.inbox.is_dir() else None
        make_console().print(render_calendar(list_delivery_states(registry, inbox_folder)))
        for line in list_other_inbox_entries(inbox_folder):
            make_console(markup=False).print("In the inbox: " + line, style="yellow", soft_wrap=True)
        for line in list_stopped_pulls(registry):
            make_console(markup=False).print("Pull: " + line, style="yellow", soft_wrap=True)
        for line in list_deliveries_unlike_past(workplace.home.lake):
            make_console(markup=False).print("Unlike its own past: " + line, style="yellow", soft_wrap=True)
        for line in describe_stored_yardsticks(workplace.home.lake):
            make_console(markup=False).print("Published by the institutions: " + line, style="yellow", soft_wrap=True)
    finally:
        if registry is not None:
            registry.close()


@app.command("score", rich_help_panel=ENGINEER)
def score_warehouse_against_truth(
    truth: Annotated[
        Path, typer.Option("--truth", envvar="HARMONIA_TRUTH", help="Folder with the ground truth of a simulated or sample set.")
    ],
    home: HomeFolder = None,
) -> None:
    """Score a published warehouse against the ground truth. For evaluation only: the pipeline never reads the truth."""
    from warehouse.score import score_warehouse as measure

    make_console().print(measure(Workplace.from_paths(None, home).home.warehouse, truth))


@app.command("ui", rich_help_panel=ENGINEER)
def serve_dagster_ui(
    inbox: Inbox = None,
    home: HomeFolder = None,
    registry_url: RegistryUrl = None,
    warehouse_url: WarehouseUrl = None,
    port: Annotated[int, typer.Option("--port", envvar="HARMONIA_PORT", min=1, max=65535, help="Port on this machine.")] = 3000,
) -> None:
    """Serve Dagster's web pages for the home, on this machine only (127.0.0.1)."""
    workplace = Workplace.from_paths(inbox, home, registry_url, warehouse_url)
    workplace.home.create()
    from harmonia.cli.ui import serve_dagster_pages

    serve_dagster_pages(make_console(), workplace, port)


@app.command("prepare", hidden=True)  # former name, still used in service units
@app.command("init", rich_help_panel=ENGINEER)
def prepare_home(home: HomeFolder = None) -> None:
    """Create the home with Dagster's settings, for a daemon that starts before the first run. Idempotent."""
    from pipelines.resources.instance import install_dagster_settings

    typer.echo(f"DAGSTER_HOME={install_dagster_settings(Workplace.from_paths(None, home).home)}")


def _print_error(line: str) -> int:
    Console(stderr=True, highlight=False).print(f"[bold red]harmonia:[/] {_escape_markup(line)}", soft_wrap=True)
    return 1


def _escape_markup(line: str) -> str:
    from rich.markup import escape

    return escape(line)


def _report_unexpected_error(error: Exception) -> int:
    from pipelines.failures import describe_error, write_log

    arguments = [part for argument in sys.argv[1:] for part in argument.split("=", 1)]
    home = next((value for option, value in pairwise(arguments) if option == "--home"), os.environ.get("HARMONIA_HOME"))
    workplace = Workplace.from_paths(None, Path(home) if home else None)
    log = write_log(error, workplace.logs, " ".join(sys.argv[1:2])) if workplace.home.root.is_dir() else None
    return _print_error(f"{describe_error(error)}{f'; details are in {log}' if log else ''}")


def main() -> None:
    """Run the command line. Every problem is printed as one line on standard error, never as a traceback."""
    try:
        app()
    except SystemExit as ended:
        if ended.code == _INTERRUPTED:  # typer's exit code for Ctrl-C; typer prints nothing
            _print_error("interrupted: ingested files are kept and the published warehouse is unchanged; run again to continue")
        raise
    except HarmoniaError as error:
        sys.exit(_print_error(str(error)))
    except Exception as error:  # noqa: BLE001 - last resort; logged without values
        sys.exit(_report_unexpected_error(error))
