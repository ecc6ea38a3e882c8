"""A report as data: sections of paragraphs, tables and charts. Belongs here: the shapes. Does not belong here: figures, looks."""

from __future__ import annotations

from dataclasses import dataclass, field

MARK = "‡"
"""Stands for every figure that is not shown by itself: one mark, one wording."""


@dataclass(frozen=True)
class Cell:
    """What stands in a table: `number` is set to the right; `marked`: the mark of what is not shown belongs to it."""

    text: str
    number: bool = True
    marked: bool = False


@dataclass(frozen=True)
class Table:
    """Head and rows; the first cell of a row is its heading. `notes` stand below."""

    caption: str
    head: list[str]
    rows: list[list[Cell]]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Chart:
    """A drawing: SVG markup, its caption, and what it says in words for those who do not see it."""

    caption: str
    svg: str


@dataclass(frozen=True)
class Section:
    """One heading and what stands under it. `name` is its place in the page's address."""

    name: str
    title: str
    intro: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    charts: list[Chart] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    sign: list[str] = field(default_factory=list)


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
