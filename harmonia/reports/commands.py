"""`harmonia report`: options and output. Does not belong here: what a report says. Heavy modules are imported inside the commands."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harmonia.atomic_files import write_small_file
from harmonia.errors import HarmoniaError, convert_storage_errors
from pipelines.resources.workplace import Workplace

if TYPE_CHECKING:
    from harmonia.reports.document import Document

app = typer.Typer(help="Reports to institutions, coordinator, Government and public.", invoke_without_command=True)
HomeFolder = Annotated[Path | None, typer.Option("--home", envvar="HARMONIA_HOME", help="Home folder. Default: data/home")]
RegistryUrl = Annotated[
    str | None, typer.Option("--registry-url", envvar="HARMONIA_REGISTRY_URL", help="Registry in another database. Default: in the home")
]
Language = Annotated[str, typer.Option("--lang", envvar="HARMONIA_LANG", help="sq, sr or en.")]
ReleaseDay = Annotated[str | None, typer.Option("--release", help="Day of the release. Default: the latest.")]
Institution = Annotated[str | None, typer.Option("--institution", help="The institution; only for audience institution.")]
_AUDIENCES = "institution, coordinator, government or public"
_PRIVATE, _PUBLIC = 0o600, 0o644


@app.callback()
def write_report(
    context: typer.Context,
    period: Annotated[str | None, typer.Option("--period", help="2013, or 2013-Q2.")] = None,
    audience: Annotated[str, typer.Option("--audience", help=f"{_AUDIENCES}.")] = "public",
    institution: Institution = None,
    lang: Language = "sq",
    release: ReleaseDay = None,
    home: HomeFolder = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder to write to. Default: reports in the home.")] = None,
    pdf: Annotated[bool, typer.Option("--pdf/--no-pdf", help="Also write a PDF. Default: if Chromium is installed.")] = True,
) -> None:
    """Write a report as HTML and, if Chromium is installed, as PDF."""
    if context.invoked_subcommand:
        return
    if not period:
        raise HarmoniaError("a period is required: --period 2013 or --period 2013-Q2")
    from harmonia.reports import printing
    from harmonia.reports.page import render_page

    home_folder = Workplace.from_paths(None, home).home
    report, confidential = _make_report(home_folder.releases, release, period, audience, institution, lang)
    folder = out or home_folder.root / "reports"
    page = folder / f"{'-'.join(filter(None, (audience, institution, period, lang)))}.html"
    with convert_storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    mode = _PRIVATE if confidential else _PUBLIC
    write_small_file(page, render_page(report).encode(), mode)
    written = [page]
    if pdf and printing.find_browser():
        printing.print_pdf(page, page.with_suffix(".pdf"), mode)
        written.append(page.with_suffix(".pdf"))
    for path in written:
        typer.echo(str(path))
    if pdf and len(written) == 1:
        typer.echo("no PDF: Chromium was not found (set HARMONIA_BROWSER to its path); print the page from any browser")


def _make_report(releases: Path, name: str | None, period: str, audience: str, institution: str | None, lang: str) -> tuple[Document, bool]:
    """Make a report. Returns the report, and whether it is confidential.

    Raises `HarmoniaError` if the audience is unknown, or if `institution` is missing for the audience `institution` or given for another
    one.
    """
    from harmonia.reports import joint, own_figures
    from warehouse.releases.reading import open_release

    if (audience == "institution") != bool(institution):
        raise HarmoniaError("audience institution requires --institution NAME; other audiences do not allow it")
    release = open_release(releases, name)
    if audience == "institution":
        return own_figures.make_institution_report(releases, release, period, str(institution), lang), True
    if audience == "coordinator":
        return own_figures.make_coordinator_report(releases, release, period, lang), True
    if audience not in ("government", "public"):
        raise HarmoniaError(f"unknown audience {audience!r}: use {_AUDIENCES}")
    return joint.make_joint_report(release, period, audience, lang), False


@app.command("due")
def list_due_reports_of_register(
    today: Annotated[str, typer.Option("--today", envvar="HARMONIA_TODAY", help="The current day, e.g. 2014-03-31.")],
    home: HomeFolder = None,
    registry_url: RegistryUrl = None,
    release: ReleaseDay = None,
    include_all: Annotated[bool, typer.Option("--all", envvar="HARMONIA_ALL", help="Include those due before the first run.")] = False,
) -> None:
    """List the reports that are due, sent or late."""
    from harmonia.reports.transmission_register import list_reports
    from warehouse.releases.reading import open_release

    workplace = Workplace.from_paths(None, home, registry_url)
    reports, before_first_run = list_reports(workplace, open_release(workplace.home.releases, release), _parse_day(today))
    for report in [*before_first_run, *reports] if include_all else reports:
        to = report.institution or report.audience
        state, sent = report.state(_parse_day(today)), f"  sent {report.sent}" if report.sent else ""
        typer.echo(f"{report.deadline}  {state:10} {report.period:8} {to}{sent}")
    if before_first_run and not include_all:
        typer.echo(f"Not listed, due before the first run of this home: {len(before_first_run)}; use --all to list them")


@app.command("sent", hidden=True)  # its name in earlier versions
@app.command("mark-sent")
def mark_report_as_sent(
    period: Annotated[str, typer.Option("--period", help="2013, or 2013-Q2.")],
    audience: Annotated[str, typer.Option("--audience", help=f"{_AUDIENCES}.")],
    to: Annotated[str, typer.Option("--to", help="The recipient: the office, not a person.")],
    day: Annotated[str, typer.Option("--day", help="Day of sending, e.g. 2014-03-31.")],
    institution: Institution = None,
    home: HomeFolder = None,
    registry_url: RegistryUrl = None,
) -> None:
    """Record in the register that a report was sent."""
    from harmonia.reports.transmission_register import SentReport, record_sent_report

    record_sent_report(
        Workplace.from_paths(None, home, registry_url), SentReport(audience, institution or "", period, to, _parse_day(day).isoformat())
    )
    typer.echo(f"recorded: {institution or audience}, {period}, sent to {to} on {day}")


def _parse_day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise HarmoniaError(f"{text!r} is not a day: use the form 2014-03-31") from None
