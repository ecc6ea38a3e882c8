"""Describe what an intruder knows: the published figures of all releases, the published programme, and perhaps some of the counted persons.

Belongs here: tables as an intruder reads them, which cells are protected, and what is a disclosure. Does not belong here: any attack.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations_with_replacement
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

MIN_POSSIBLE_VALUES = 3
"""Each protected cell must have at least this number of possible values for an intruder."""
MERGE_SEPARATOR, CROSS_SEPARATOR = "+", "|"


class ObservedTableName(NamedTuple):
    """The name of a table. It consists of four columns of the published figures; `of` is the year or window of the table."""

    indicator: str
    measure: str
    table: str
    of: str


TrueCounts = Mapping[ObservedTableName, Mapping[str, int]]
"""The exact counts of tables, by table and category. They show which cells are protected, and which persons an intruder can know."""


class Disclosure(NamedTuple):
    """A cell about which an attack reveals too much.

    possible_values: the number of values that are still possible. intruder: who can infer this: `public` (anyone), `knows` (somebody who
    knows some of the persons), or `difference` (anyone who compares two releases).
    """

    table: ObservedTableName
    cell: str
    possible_values: int
    intruder: str
    method: str


@dataclass(frozen=True)
class ObservedTable:
    """A table as it is read from the published figures.

    blocks          the categories and the value of each figure
    limit           the number N if the table only says "fewer than N", otherwise 0
    source_release  release whose records it counts
    first_release   first release that published it in this form
    """

    status: str
    blocks: tuple[tuple[tuple[str, ...], int], ...]
    limit: int
    source_release: str
    first_release: str

    @property
    def content(self) -> tuple[object, ...]:
        """What the table publishes, without the releases that it names."""
        return self.status, self.blocks, self.limit


PublicationNumbers = Callable[[ObservedTableName, tuple[str, ...], np.ndarray], np.ndarray]
"""A function of a table's name, its categories, and rows of counts. It returns a number for each row; two rows have the same number if the
program would publish the same categories of them."""


@dataclass(frozen=True)
class IntruderKnowledge:
    """Everything public: the cubes of all releases, oldest first; the policy's programme; the program's code.

    categories           function that returns the categories of a table, in the order of the policy
    leading              the offence group of which breakdowns are published
    threshold            for each indicator: the minimum count that is published separately
    known_persons        for each indicator: the number of persons about whom an intruder may know everything
    publication_numbers  function that says which tables the program would publish in the same way (see `PublicationNumbers`)
    bridge               the rows of the published bridge in the latest release
    external_statements  what other organisations published about the same figures (`public_already` of the policy)
    min_difference       a smaller difference between two releases is a disclosure
    """

    cubes: Sequence[pd.DataFrame]
    categories: Callable[[ObservedTableName], tuple[str, ...]]
    leading: str
    threshold: Mapping[str, int]
    known_persons: Mapping[str, int]
    publication_numbers: PublicationNumbers
    bridge: pd.DataFrame | None = None
    external_statements: Sequence[Mapping[str, Any]] = ()
    min_difference: int = 5

    @cached_property
    def releases(self) -> list[dict[ObservedTableName, ObservedTable]]:
        """The published tables of every release."""
        return [split_cube_into_tables(cube) for cube in self.cubes]

    @property
    def latest(self) -> dict[ObservedTableName, ObservedTable]:
        """The tables of the latest release, which repeats all earlier tables that are still valid."""
        return self.releases[-1]

    def statements_about(self, name: ObservedTableName) -> list[Mapping[str, Any]]:
        """Return the statements that other organisations published about cells of a table."""
        return [s for s in self.external_statements if (s["indicator"], "harmonised", s["table"], str(s["period"])) == name]


def split_cube_into_tables(cube: pd.DataFrame) -> dict[ObservedTableName, ObservedTable]:
    """Split published figures into tables. The name of a cell of two dimensions, such as `female|18-24`, is treated as one category."""
    columns = ["indicator", "measure", "table", "of", "cell", "value", "status", "limit", "known", "edition"]
    rows: dict[ObservedTableName, list[Any]] = {}
    for row in zip(*(cube[column].tolist() for column in columns), strict=True):
        rows.setdefault(ObservedTableName(*row[:4]), []).append(row[4:])
    tables = {}
    for name, cells in rows.items():
        blocks = tuple((tuple(iterate_categories_of_cell(cell)), int(value)) for cell, value, *_ in cells if pd.notna(value))
        _, _, status, limit, source_release, first_release = cells[0]
        limit = int(limit) if pd.notna(limit) else 0
        tables[name] = ObservedTable("published" if blocks else status, blocks, limit, source_release, first_release)
    return tables


def iterate_categories_of_cell(cell: str) -> Iterator[str]:
    """Yield the categories of a published cell. A merged cell has several categories; in a cell of two dimensions, each category is a
    pair."""
    if CROSS_SEPARATOR in cell:
        rows, columns = (side.split(MERGE_SEPARATOR) for side in cell.split(CROSS_SEPARATOR))
        yield from (f"{row}{CROSS_SEPARATOR}{column}" for row in rows for column in columns)
    else:
        yield from cell.split(MERGE_SEPARATOR)


def list_years_of_window(period: str) -> list[str]:
    """Return the years of a window. If a year is given instead of a window, return only that year."""
    return [str(year) for year in range(int(period[:4]), int(period[-4:]) + 1)]


def find_public_total_of_breakdown(knowledge: IntruderKnowledge, name: ObservedTableName) -> int | None:
    """Return the public total of a breakdown. It is the sum of the breakdown's published figures. If there are none, it is the published
    figure of the leading group, summed over the years of the table, as known when the table was published. Return None if it is not
    public."""
    breakdown = knowledge.latest[name]
    if breakdown.status == "published":
        return sum(value for _, value in breakdown.blocks)
    total = 0
    for year in list_years_of_window(name.of):
        offence_table = name._replace(table="offence_group", of=year)
        versions = [release[offence_table] for release in knowledge.releases if offence_table in release]
        values = [dict(v.blocks).get((knowledge.leading,)) for v in versions if v.source_release <= breakdown.source_release]
        if not values or values[-1] is None:
            return None
        total += values[-1]
    return total


def list_protected_cells(
    knowledge: IntruderKnowledge, name: ObservedTableName, observed: ObservedTable, true_counts: Mapping[str, int]
) -> list[str]:
    """Return the cells that must not be disclosed. These are the suppressed cells under the threshold, unless others published them."""
    public_cells = {block[0] for block, _ in observed.blocks if len(block) == 1}
    public_cells |= {
        str(statement["category"])
        for statement in knowledge.statements_about(name)
        if statement.get("value") == true_counts.get(str(statement["category"])) or _does_statement_leave_too_few_values(statement)
    }
    public_cells |= {cell for cell in true_counts if CROSS_SEPARATOR in cell and _has_no_unknown_persons(knowledge, name, cell)}
    threshold = knowledge.threshold[name.indicator]
    return [cell for cell, value in true_counts.items() if value < threshold and cell not in public_cells]


def _does_statement_leave_too_few_values(statement: Mapping[str, Any]) -> bool:
    """Return whether a statement of others alone leaves fewer possible values for a cell than an attack may leave."""
    return "at_most" in statement and int(statement["at_most"]) - int(statement.get("at_least", 0)) + 1 < MIN_POSSIBLE_VALUES


def _has_no_unknown_persons(knowledge: IntruderKnowledge, name: ObservedTableName, cell: str) -> bool:
    """Return whether it is published for every year that nobody's sex, or nobody's age, is unknown. cell: a cell of sex × age whose sex or
    age is unknown; for another cell, the result is false."""
    unknown_sides = [table for side, table in zip(cell.split(CROSS_SEPARATOR), ("sex", "age_group"), strict=True) if side == "unknown"]
    margins = [find_tables_by_sex_or_by_age(knowledge.latest, name, table) for table in unknown_sides]
    return bool(margins) and all(
        any(table and dict(table.blocks).get(("unknown",)) == 0 for table in yearly) for yearly in zip(*margins, strict=False)
    )


def find_tables_by_sex_or_by_age(
    release: Mapping[ObservedTableName, ObservedTable], name: ObservedTableName, margin: str
) -> list[ObservedTable | None]:
    """Return the published tables by sex, or by age, that belong to a table sex × age: the table of its window or, if there is none, the
    tables of its years."""
    window_margin = name._replace(table=margin)
    if window_margin in release:
        return [release[window_margin]]
    return [release.get(window_margin._replace(of=year)) for year in list_years_of_window(name.of)]


def list_possible_choices_of_known_persons(true_counts: np.ndarray, known_persons: int) -> list[np.ndarray]:
    """Return every possible choice of `known_persons` of the counted persons, as the number of them in each category."""
    choices = combinations_with_replacement(np.flatnonzero(true_counts).tolist(), min(known_persons, int(true_counts.sum())))
    counts = (np.bincount(np.array(categories, dtype=np.int64), minlength=len(true_counts)) for categories in choices)
    return [known for known in counts if (known <= true_counts).all()]


def list_distributions_of_total(total: int, category_count: int) -> np.ndarray:
    """Return every way to distribute `total` over `category_count` categories, one per row."""
    if category_count == 1:
        return np.array([[total]])
    leading = np.stack(np.meshgrid(*[np.arange(total + 1)] * (category_count - 1), indexing="ij"), axis=-1).reshape(-1, category_count - 1)
    leading = leading[leading.sum(axis=1) <= total]
    return np.column_stack([leading, total - leading.sum(axis=1)])
