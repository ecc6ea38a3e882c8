"""What a reader of a release sees: figures and lines of the bridge, each with the form that printed it."""

from __future__ import annotations

from dataclasses import dataclass, field

Key = tuple[str, str, str, str, str]  # indicator, measure, table, of, cell


@dataclass(frozen=True)
class Figure:
    """One printed figure. `known`, `incomplete` and `missing` where the form prints them."""

    form: str
    place: str
    key: Key
    value: int | None
    status: str | None = None
    limit: int | None = None
    known: str | None = None
    edition: str | None = None
    revised: bool | None = None
    incomplete: bool | None = None
    missing: frozenset[str] | None = None

    def __str__(self) -> str:
        return f"{self.form}: {self.place}: {' '.join(part or '-' for part in self.key)}"


@dataclass(frozen=True)
class Line:
    """One line of the bridge; `n` is None where it is not broken down."""

    form: str
    place: str
    indicator: str
    period: str
    causes: frozenset[str]
    n: int | None
    known: str | None = None

    def __str__(self) -> str:
        return f"{self.form}: {self.place}: bridge of {self.indicator} {self.period} {'+'.join(sorted(self.causes))}"


@dataclass(frozen=True)
class Trend:
    """The numbers written in a chart of years, one after the other: for each year total, trafficking, year."""

    form: str
    place: str
    indicator: str
    digits: str


@dataclass
class Reading:
    """All that was read of one release. `unread` is what a form holds that the reader could not assign."""

    figures: list[Figure] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    trends: list[Trend] = field(default_factory=list)
    coverage: list[tuple[str, str, str, str, str]] = field(default_factory=list)  # form, place, institution, period, state
    revisions: list[tuple[str, str, Key, int | None, int | None]] = field(default_factory=list)  # form, place, key, before, after
    full: list[tuple[str, Key, int | None, str]] = field(default_factory=list)  # place, key, exact figure, F or C
    unread: list[str] = field(default_factory=list)
