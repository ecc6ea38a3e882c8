"""What an intruder has: the public cubes, the published programme, and perhaps knowledge of some persons.

Belongs here: tables as an intruder reads them, what counts as protected and as disclosed. Does not belong here: any attack.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations_with_replacement
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

VALUES = 3
"""Minimum number of possible values of a protected cell."""
JOINED, ACROSS = "+", "|"


class Table(NamedTuple):
    """Name of a table, by the columns of a cube."""

    indicator: str
    measure: str
    table: str
    of: str


class Learnt(NamedTuple):
    """A disclosure found by an attack. values: how many were still possible; who: public, or knows (persons)."""

    table: Table
    cell: str
    values: int
    who: str
    attack: str


@dataclass(frozen=True)
class Printed:
    """A published table: status, (categories, value) per figure, limit, release whose records it counts, first release with this form."""

    status: str
    blocks: tuple[tuple[tuple[str, ...], int], ...]
    limit: int
    known: str
    edition: str

    @property
    def says(self) -> tuple[object, ...]:
        """The published content."""
        return self.status, self.blocks, self.limit


Alike = Callable[[Table, tuple[str, ...], np.ndarray], np.ndarray]
"""(table, categories, counts) → a number for each row of counts: equal if the program publishes the same categories for them."""


@dataclass(frozen=True)
class Knowledge:
    """Everything public: the cubes of all releases, oldest first; the policy's programme; the program's code.

    categories   categories of a table, in the order of the policy
    threshold, persons   per indicator: minimum count published separately; number of persons whom an insider may know
    alike        the program, asked which tables it publishes alike
    bridge       the latest release's lines of the bridge
    already      statements of others about the same figures (`public_already` of the policy)
    step         a smaller difference between two releases is a disclosure
    """

    cubes: Sequence[pd.DataFrame]
    categories: Callable[[Table], tuple[str, ...]]
    threshold: Mapping[str, int]
    persons: Mapping[str, int]
    alike: Alike
    bridge: pd.DataFrame | None = None
    already: Sequence[Mapping[str, Any]] = ()
    step: int = 5

    @cached_property
    def releases(self) -> list[dict[Table, Printed]]:
        """Every release's tables."""
        return [tables(cube) for cube in self.cubes]

    @property
    def last(self) -> dict[Table, Printed]:
        """The latest release's tables: it repeats all that are still valid."""
        return self.releases[-1]


def tables(cube: pd.DataFrame) -> dict[Table, Printed]:
    """A cube by table. Crossed cells keep their name as one category."""
    columns = ["indicator", "measure", "table", "of", "cell", "value", "status", "limit", "known", "edition"]
    rows: dict[Table, list[Any]] = {}
    for row in zip(*(cube[column].tolist() for column in columns), strict=True):
        rows.setdefault(Table(*row[:4]), []).append(row[4:])
    out = {}
    for name, mine in rows.items():
        blocks = tuple((tuple(expand(name.table, cell)), int(value)) for cell, value, *_ in mine if pd.notna(value))
        _, _, status, limit, known, edition = mine[0]
        out[name] = Printed("printed" if blocks else status, blocks, int(limit) if pd.notna(limit) else 0, known, edition)
    return out


def expand(table: str, cell: str) -> Iterator[str]:
    """The categories of a published cell: parts of a merged one, pairs of a crossed one."""
    if ACROSS in cell:
        rows, columns = (side.split(JOINED) for side in cell.split(ACROSS))
        yield from (f"{r}{ACROSS}{c}" for r in rows for c in columns)
    else:
        yield from cell.split(JOINED)


def population(knowledge: Knowledge, name: Table) -> int | None:
    """The public total of a breakdown: its published figures, or trafficking in its years as known when it was broken down; None if
    that is not public.
    """
    own = knowledge.last[name]
    if own.status == "printed":
        return sum(value for _, value in own.blocks)
    total = 0
    for year in range(int(name.of[:4]), int(name.of[-4:]) + 1):
        offence = name._replace(table="offence_group", of=str(year))
        printed = [release[offence] for release in knowledge.releases if offence in release]
        values = [dict(one.blocks).get(("trafficking",)) for one in printed if one.known <= own.known]
        if not values or values[-1] is None:
            return None
        total += values[-1]
    return total


def protected(knowledge: Knowledge, name: Table, printed: Printed, truth: Mapping[str, int]) -> list[str]:
    """Cells that must not be disclosed: under the threshold and suppressed, unless others published them."""
    alone = {block[0] for block, _ in printed.blocks if len(block) == 1}
    excluded = {
        str(statement["category"])
        for statement in knowledge.already
        if (statement["indicator"], "harmonised", statement["table"], str(statement["period"])) == name
        and (statement.get("value") == truth.get(str(statement["category"])) or _narrow(statement))
    }
    excluded |= {cell for cell in truth if ACROSS in cell and _none_unknown(knowledge, name, cell)}
    return [c for c, value in truth.items() if value < knowledge.threshold[name.indicator] and c not in alone and c not in excluded]


def _narrow(statement: Mapping[str, Any]) -> bool:
    """Whether what others published already leaves a cell fewer values than an attack may."""
    return "at_most" in statement and int(statement["at_most"]) - int(statement.get("at_least", 0)) + 1 < VALUES


def _none_unknown(knowledge: Knowledge, name: Table, cell: str) -> bool:
    """Whether every year publishes "not known: 0" for the row or the column of a crossed cell."""
    sides = [table for side, table in zip(cell.split(ACROSS), ("sex", "age_group"), strict=True) if side == "unknown"]
    printed = [margins(knowledge.last, name, table) for table in sides]
    return bool(printed) and all(any(t and dict(t.blocks).get(("unknown",)) == 0 for t in yearly) for yearly in zip(*printed, strict=False))


def margins(release: Mapping[Table, Printed], name: Table, table: str) -> list[Printed | None]:
    """The published tables by sex, or by age, for a crossed table's window: of the window, or else of each year."""
    own = name._replace(table=table)
    years = [str(year) for year in range(int(name.of[:4]), int(name.of[-4:]) + 1)]
    return [release[own]] if own in release else [release.get(own._replace(of=year)) for year in years]


def knowing(true: np.ndarray, persons: int) -> list[np.ndarray]:
    """Every way to know this many of the persons counted: how many of each category."""
    places = combinations_with_replacement(np.flatnonzero(true).tolist(), min(persons, int(true.sum())))
    ways = (np.bincount(np.array(own, dtype=np.int64), minlength=len(true)) for own in places)
    return [known for known in ways if (known <= true).all()]


def compositions(total: int, parts: int) -> np.ndarray:
    """Every distribution of `total` over `parts`, one per row."""
    if parts == 1:
        return np.array([[total]])
    marks = np.stack(np.meshgrid(*[np.arange(total + 1)] * (parts - 1), indexing="ij"), axis=-1).reshape(-1, parts - 1)
    marks = marks[marks.sum(axis=1) <= total]
    return np.column_stack([marks, total - marks.sum(axis=1)])
