"""`harmonia explain`: the four commands, as typed.

Belongs here: options, and the order of looking, showing and storing. Does not belong here: what is explained. Everything heavy is imported
inside, so that `harmonia --help` stays quick.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.console import console
from pipelines.options import HomeFolder, RegistryUrl
from pipelines.resources.workplace import Workplace

if TYPE_CHECKING:
    from pipelines.explain.document import Document
    from pipelines.explain.published import Published

explain = typer.Typer(name="explain", help="Say why: what ties a person or a case, weighs a pair, makes up a figure.", no_args_is_help=True)

Page = Annotated[Path | None, typer.Option("--html", envvar="HARMONIA_HTML", metavar="FILE", help="Write a page instead of text.")]
Names = Annotated[
    bool,
    typer.Option(
        "--names",
        envvar="HARMONIA_NAMES",
        help="For stewards: with names, birth dates and numbers. That you looked is written to the registry.",
    ),
]


class AsKind(StrEnum):
    """What two records are compared as."""

    person = "person"
    case = "case"


@explain.command()
def person(
    id: Annotated[str, typer.Argument(metavar="ID", help="e.g. P0000123")],
    home: HomeFolder = None,
    page: Page = None,
    names: Names = False,
    registry_url: RegistryUrl = None,
) -> None:
    """A person: the records side by side, what ties them, what came near."""

    def make(published: Published) -> Document:
        from pipelines.explain.ids import find_entity
        from pipelines.explain.people import explain_person

        return explain_person(published, find_entity(published, "person", id), names=names)

    _explain("person", id, home, registry_url, page, make, names=names)


@explain.command()
def case(
    id: Annotated[str, typer.Argument(metavar="ID", help="e.g. C0000045")],
    home: HomeFolder = None,
    page: Page = None,
    names: Names = False,
    registry_url: RegistryUrl = None,
) -> None:
    """A case: the files side by side, what ties them, the persons in it."""

    def make(published: Published) -> Document:
        from pipelines.explain.cases import explain_case
        from pipelines.explain.ids import find_entity

        return explain_case(published, find_entity(published, "case", id), names=names)

    _explain("case", id, home, registry_url, page, make, names=names)


@explain.command()
def pair(
    one: Annotated[str, typer.Argument(metavar="PAIR", help="Id from `harmonia review list`, or INSTITUTION:KEY of the first record.")],
    other: Annotated[str | None, typer.Argument(metavar="[INSTITUTION:KEY]", help="The second record, e.g. prosecution:512")] = None,
    home: HomeFolder = None,
    page: Page = None,
    names: Names = False,
    kind: Annotated[
        AsKind | None, typer.Option("--as", envvar="HARMONIA_AS", help="Where a key names a case and a person. Default: person.")
    ] = None,
    registry_url: RegistryUrl = None,
) -> None:
    """Two records: field by field, the weights with a running sum, the decision."""

    def make(published: Published) -> Document:
        from pipelines.explain.ids import kind_of_pair, read_key
        from pipelines.explain.pairs import explain_pair
        from pipelines.home import Home
        from pipelines.review.naming import resolve
        from pipelines.review.pairs import parse
        from pipelines.review.published import published as reviewed

        if other is None:
            run = reviewed(Home(published.place), published.registry)
            entity, *ends = resolve(run, published.registry, parse(one)).iloc[0]
            return explain_pair(published, entity, ((ends[0], ends[1]), (ends[2], ends[3])), names=names)
        keys = (read_key(one), read_key(other))
        found = kind_of_pair(published, keys, kind.value if kind else None)
        return explain_pair(published, found, keys, names=names)

    _explain("pair", " ".join(filter(None, (one, other))), home, registry_url, page, make, names=names)


@explain.command()
def figure(
    id: Annotated[list[str], typer.Argument(metavar="ID", help="e.g. cases_registered 2013-Q2 offence_group=trafficking")],
    home: HomeFolder = None,
    page: Page = None,
    names: Names = False,
    registry_url: RegistryUrl = None,
) -> None:
    """A figure: as reported, harmonised, and the records behind every step between."""

    def make(published: Published) -> Document:
        from pipelines.explain.figures import explain_figure
        from pipelines.explain.naming import read_figure

        return explain_figure(published, read_figure(published, " ".join(id)), names=names)

    _explain("figure", " ".join(id), home, registry_url, page, make, names=names)


def _explain(
    what: str,
    typed: str,
    home: Path | None,
    registry_url: str | None,
    page: Path | None,
    make: Callable[[Published], Document],
    *,
    names: bool,
) -> None:
    """Look it up, write down that names were looked at, then show or store it."""
    from pipelines.explain.published import open_home

    with open_home(Workplace.of(None, home, registry_url)) as published:
        document = make(published)
        if names:
            from pipelines.audit import note

            note(published.registry, f"explain {what}", document.subject or typed)
    if page is not None:
        from pipelines.explain.page import save

        save(document, page.expanduser())
        typer.echo(f"{document.title}: {page}{' (holds names: for stewards only)' if names else ''}")
        return
    from pipelines.explain.console import show

    show(console(), document)
