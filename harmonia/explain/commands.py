"""The commands `harmonia explain person`, `case`, `pair` and `figure`.

Belongs here: options; looking up, showing and storing an explanation. Does not belong here: its content. Heavy modules are imported
inside the commands, so that `harmonia --help` stays fast.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harmonia.console import make_console
from harmonia.options import HomeFolder, RegistryUrl
from pipelines.resources.workplace import Workplace

if TYPE_CHECKING:
    from harmonia.explain.document import Explanation
    from harmonia.explain.published import PublishedHome

explain = typer.Typer(name="explain", help="Explain a person, a case, a pair of records or a figure.", no_args_is_help=True)

Page = Annotated[Path | None, typer.Option("--html", envvar="HARMONIA_HTML", metavar="FILE", help="Write a page instead of text.")]
Names = Annotated[
    bool,
    typer.Option(
        "--names",
        envvar="HARMONIA_NAMES",
        help="For stewards: show names, birth dates and numbers. Recorded in the audit log.",
    ),
]


class RecordKind(StrEnum):
    """The kind of records to compare."""

    person = "person"
    case = "case"


@explain.command("person")
def show_person_explanation(
    id: Annotated[str, typer.Argument(metavar="ID", help="e.g. P0000123")],
    home: HomeFolder = None,
    page: Page = None,
    names: Names = False,
    registry_url: RegistryUrl = None,
) -> None:
    """Explain a person: its records side by side, their links, near matches."""

    def make_explanation(published: PublishedHome) -> Explanation:
        from harmonia.explain.ids import find_entity
        from harmonia.explain.people import explain_person

        return explain_person(published, find_entity(published, "person", id), show_names=names)

    _show_explanation("person", id, home, registry_url, page, make_explanation, names=names)


@explain.command("case")
def show_case_explanation(
    id: Annotated[str, typer.Argument(metavar="ID", help="e.g. C0000045")],
    home: HomeFolder = None,
    page: Page = None,
    names: Names = False,
    registry_url: RegistryUrl = None,
) -> None:
    """Explain a case: its files side by side, their links, its persons."""

    def make_explanation(published: PublishedHome) -> Explanation:
        from harmonia.explain.cases import explain_case
        from harmonia.explain.ids import find_entity

        return explain_case(published, find_entity(published, "case", id), show_names=names)

    _show_explanation("case", id, home, registry_url, page, make_explanation, names=names)


@explain.command("pair")
def show_pair_explanation(
    first: Annotated[str, typer.Argument(metavar="PAIR", help="Id from `harmonia review list`, or INSTITUTION:KEY of the first record.")],
    second: Annotated[str | None, typer.Argument(metavar="[INSTITUTION:KEY]", help="The second record, e.g. prosecution:512")] = None,
    home: HomeFolder = None,
    page: Page = None,
    names: Names = False,
    kind: Annotated[
        RecordKind | None, typer.Option("--as", envvar="HARMONIA_AS", help="For a key of both a case and a person. Default: person.")
    ] = None,
    registry_url: RegistryUrl = None,
) -> None:
    """Explain a pair of records: weights by field with a running sum, the decision."""

    def make_explanation(published: PublishedHome) -> Explanation:
        from harmonia.explain.ids import determine_pair_kind, parse_record_name
        from harmonia.explain.pairs import explain_pair
        from harmonia.home import Home
        from harmonia.review.naming import find_requested_pair
        from harmonia.review.pairs import parse_pair
        from harmonia.review.published import find_last_published_run as reviewed

        if second is None:
            run = reviewed(Home(published.folder), published.registry)
            entity, *ends = find_requested_pair(run, published.registry, parse_pair(first)).iloc[0]
            return explain_pair(published, entity, ((ends[0], ends[1]), (ends[2], ends[3])), show_names=names)
        keys = (parse_record_name(first), parse_record_name(second))
        found = determine_pair_kind(published, keys, kind.value if kind else None)
        return explain_pair(published, found, keys, show_names=names)

    _show_explanation("pair", " ".join(filter(None, (first, second))), home, registry_url, page, make_explanation, names=names)


@explain.command("figure")
def show_figure_explanation(
    id: Annotated[list[str], typer.Argument(metavar="ID", help="e.g. cases_registered 2013-Q2 offence_group=trafficking")],
    home: HomeFolder = None,
    page: Page = None,
    names: Names = False,
    registry_url: RegistryUrl = None,
) -> None:
    """Explain a figure: as reported, harmonised, and the records behind each step between."""

    def make_explanation(published: PublishedHome) -> Explanation:
        from harmonia.explain.figure_names import parse_figure
        from harmonia.explain.figures import explain_figure

        return explain_figure(published, parse_figure(published, " ".join(id)), show_names=names)

    _show_explanation("figure", " ".join(id), home, registry_url, page, make_explanation, names=names)


def _show_explanation(
    subject_kind: str,
    typed_text: str,
    home: Path | None,
    registry_url: str | None,
    page: Path | None,
    make_explanation: Callable[[PublishedHome], Explanation],
    *,
    names: bool,
) -> None:
    """Make the explanation, record in the audit log that names were shown, then print or store it."""
    from harmonia.explain.published import open_home

    with open_home(Workplace.from_paths(None, home, registry_url)) as published:
        document = make_explanation(published)
        if names:
            from harmonia.audit import record_own_access

            record_own_access(published.registry, f"explain {subject_kind}", document.subject or typed_text)
    if page is not None:
        from harmonia.explain.page import save_page

        save_page(document, page.expanduser())
        typer.echo(f"{document.title}: {page}{' (contains names: for stewards only)' if names else ''}")
        return
    from harmonia.explain.console import print_explanation

    print_explanation(make_console(), document)
