"""The parts of an explanation: facts, and sections of tables, waterfall charts and paragraphs.

Belongs here: the classes that `people`, `cases`, `pairs` and `figures` create, and that `console` and `page` show. Does not belong here:
where the content comes from; layout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Tone = Literal["plain", "good", "bad", "notice"]


@dataclass(frozen=True)
class MatchWeight:
    """A cell with a match weight in bits, shown with its sign and in colour. value: None if the field could not be compared."""

    value: float | None
    detail: str = ""

    def __str__(self) -> str:
        return "–" if self.value is None else f"{round(self.value, 1) + 0.0:+.1f}"


Cell = str | int | MatchWeight | tuple[str, ...] | None
"""The content of one cell of a table; the texts of a tuple are shown on separate lines."""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    number: whether it contains numbers, and is aligned right. wrap: whether its texts may be broken over several lines.
    """

    title: str
    number: bool = False
    wrap: bool = False


@dataclass(frozen=True)
class Table:
    """A table with a caption. highlighted: numbers of the rows to emphasise, counted from 0. footer: a last row with sums."""

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

    end: the label of the sum. decimals: how many decimals the amounts have. threshold: the sum above which the answer to the question of
    the chart is yes. verdict: that answer.
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
        """Format an amount as text. sign: whether a positive amount has a plus sign."""
        return f"{amount:+.{self.decimals}f}" if sign else f"{amount:.{self.decimals}f}"


@dataclass(frozen=True)
class Text:
    """A paragraph. tone: how it is coloured."""

    text: str
    tone: Tone = "plain"


Block = Table | Waterfall | Text


@dataclass(frozen=True)
class Section:
    """A heading with blocks below it, and after them charts that are shown side by side."""

    title: str
    blocks: Sequence[Block]
    note: str = ""
    charts: Sequence[Waterfall] = ()


@dataclass(frozen=True)
class Explanation:
    """An explanation of a person, case, pair or figure.

    facts: names and values that are shown first. summary: the answer in a sentence or two. contains_names: whether it contains personal
    data. sources: the text of the footer, which says where the content comes from. subject: what the audit log names as the subject.
    """

    title: str
    facts: Sequence[tuple[str, str]]
    summary: Sequence[Text]
    sections: Sequence[Section]
    contains_names: bool = False
    sources: str = ""
    subject: str = ""
