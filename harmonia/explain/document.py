"""The structure of an explanation: facts, tables and waterfalls in sections.

Belongs here: the classes that `people`, `cases`, `pairs` and `figures` build, and `console` and `page` show. Does not belong here: the
source of the content, layout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Tone = Literal["plain", "good", "bad", "notice"]


@dataclass(frozen=True)
class MatchWeight:
    """A match weight in bits; shown with sign and colour. None: the field could not be compared."""

    value: float | None
    detail: str = ""

    def __str__(self) -> str:
        return "–" if self.value is None else f"{round(self.value, 1) + 0.0:+.1f}"


Cell = str | int | MatchWeight | tuple[str, ...] | None
"""A tuple is shown line by line."""


@dataclass(frozen=True)
class Column:
    """A column of a table; `number`: right-aligned; `wrap`: may be broken over lines."""

    title: str
    number: bool = False
    wrap: bool = False


@dataclass(frozen=True)
class Table:
    """Rows of cells below a caption; `highlighted`: positions of rows that stand out; `footer`: a line of sums."""

    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    note: str = ""
    highlighted: frozenset[int] = frozenset()
    footer: Sequence[Cell] | None = None


@dataclass(frozen=True)
class Step:
    """One step of a waterfall: what it is, how much it adds."""

    label: str
    amount: float
    detail: str = ""


@dataclass(frozen=True)
class Waterfall:
    """From `start` over steps to their sum. `decimals` of the amounts; `threshold`: the sum above which the answer is yes."""

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
    """Blocks under a heading; `charts` side by side after them."""

    title: str
    blocks: Sequence[Block]
    note: str = ""
    charts: Sequence[Waterfall] = ()


@dataclass(frozen=True)
class Explanation:
    """One explanation. `summary`: the answer in a sentence or two; `contains_names`: it holds personal data; `subject`: its id, for the
    audit."""

    title: str
    facts: Sequence[tuple[str, str]]
    summary: Sequence[Text]
    sections: Sequence[Section]
    contains_names: bool = False
    sources: str = ""
    subject: str = ""
