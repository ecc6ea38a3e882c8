"""A report as data: sections of paragraphs, tables and charts.

Belongs here: the classes of these. Does not belong here: figures, layout.
"""

from __future__ import annotations

from dataclasses import dataclass, field

SUPPRESSED_MARK = "‡"
"""The mark that stands in place of every suppressed figure."""


@dataclass(frozen=True)
class Cell:
    """A cell of a table. number: whether it is a number, and aligned right. suppressed: whether its figure is not published."""

    text: str
    number: bool = True
    suppressed: bool = False


@dataclass(frozen=True)
class Table:
    """A table with a header and rows; the first cell of a row is its heading. `notes` are shown below the table."""

    caption: str
    header: list[str]
    rows: list[list[Cell]]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Chart:
    """A chart: its caption, and SVG markup that includes its alternative text."""

    caption: str
    svg: str


@dataclass(frozen=True)
class Section:
    """A heading with its content. `name`: the HTML anchor of the section."""

    name: str
    title: str
    intro: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    charts: list[Chart] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    signature_fields: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Document:
    """A whole report."""

    lang: str
    title: str
    office: str
    facts: list[tuple[str, str]]
    warning: str
    sections: list[Section]
    footer: str
