"""The parts of an explanation: facts, and sections of tables, waterfall charts and paragraphs.

Belongs here: the classes that `people`, `cases`, `pairs` and `figures` make, and `console` and `page` show. Does not belong here: where the
content comes from, layout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Tone = Literal["plain", "good", "bad", "notice"]


@dataclass(frozen=True)
class MatchWeight:
    """A cell with a match weight in bits, shown with sign and colour. value: None if the field could not be compared."""

    value: float | None
    detail: str = ""

    def __str__(self) -> str:
        return "–" if self.value is None else f"{round(self.value, 1) + 0.0:+.1f}"


Cell = str | int | MatchWeight | tuple[str, ...] | None
"""A tuple is shown line by line."""


@dataclass(frozen=True)
class Column:
    """A column of a table. number: it contains numbers, so it is right-aligned. wrap: its texts may be broken over lines."""

    title: str
    number: bool = False
    wrap: bool = False


@dataclass(frozen=True)
class Table:
    """A table with a caption. highlighted: numbers of the rows to emphasise. footer: a line of sums."""

    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    note: str = ""
    highlighted: frozenset[int] = frozenset()
    footer: Sequence[Cell] | None = None


@dataclass(frozen=True)
class Step:
    """A step of a waterfall chart: what it is, and how much it adds to the sum."""

    label: str
    amount: float
    detail: str = ""


@dataclass(frozen=True)
class Waterfall:
    """A waterfall chart: how an amount `start` becomes a sum by steps.

    end: label of the sum. decimals: of the amounts. threshold: the sum above which the answer to the question is yes. verdict: that answer.
    """

    title: str
    start: Step
    steps: Sequence[Step]
    end: str
    unit: str = "bits"
    decimals: int = 1
    threshold: float | None = None
    verdict: str = ""

    @property
    def total(self) -> float:
        """The sum of the start and all steps."""
        return self.start.amount + sum(step.amount for step in self.steps)

    def format_amount(self, amount: float, sign: bool = True) -> str:
        """Format an amount as text."""
        return f"{amount:+.{self.decimals}f}" if sign else f"{amount:.{self.decimals}f}"


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str
    tone: Tone = "plain"


Block = Table | Waterfall | Text


@dataclass(frozen=True)
class Section:
    """A heading with blocks below it, and charts that are shown side by side after them."""

    title: str
    blocks: Sequence[Block]
    note: str = ""
    charts: Sequence[Waterfall] = ()


@dataclass(frozen=True)
class Explanation:
    """An explanation of a person, case, pair or figure.

    facts: names and values shown first. summary: the answer in a sentence or two. contains_names: it contains personal data. sources: the
    footer. subject: what it is about, for the audit log.
    """

    title: str
    facts: Sequence[tuple[str, str]]
    summary: Sequence[Text]
    sections: Sequence[Section]
    contains_names: bool = False
    sources: str = ""
    subject: str = ""
