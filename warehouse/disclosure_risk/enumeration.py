"""Attack by an intruder who knows the rule, the threshold and the code: list every table that would have been published identically.

Belongs here: listing the tables consistent with a published table and counting the possible values of each cell. Does not belong here:
combining several tables (`integer_programme`).
If categories are merged to a large sum, only those tables are listed in which all of these categories but one are at most
`MAX_SMALL_COUNT`. For a bridge, only bridges are listed that differ from the true one by a few moved records. If fewer tables are listed, a
cell can seem to have fewer possible values than it has, never more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache

import numpy as np

from warehouse.disclosure_risk.intruder import (
    CROSS_SEPARATOR,
    MIN_POSSIBLE_VALUES,
    Disclosure,
    IntruderKnowledge,
    ObservedTable,
    ObservedTableName,
    TrueCounts,
    find_public_total_of_breakdown,
    find_tables_by_sex_or_by_age,
    list_distributions_of_total,
    list_possible_choices_of_known_persons,
    list_protected_cells,
)

MAX_SMALL_COUNT = 9
MAX_FULL_LISTING = 4000
MOVED_RECORDS = (1, 2, 3, 4, 5, 6)
METHOD = "enumeration"


def find_disclosures_by_enumeration(
    knowledge: IntruderKnowledge, truth: TrueCounts, only_tables: frozenset[ObservedTableName] | None = None
) -> list[Disclosure]:
    """Find what can be inferred from the latest release, table by table. only_tables: the tables to which the search is restricted."""
    disclosures: list[Disclosure] = []
    for name, observed in knowledge.latest.items():
        if name not in truth or (only_tables is not None and name not in only_tables):
            continue
        if observed.status == "fewer_than":
            disclosures += _find_disclosures_of_small_total(knowledge, name, observed, truth[name])
        elif name.table == "sex_age_group":
            disclosures += _find_disclosures_of_sex_age_table(knowledge, name, observed, truth[name])
        elif name.table != "total" and observed.status != "no_delivery":
            disclosures += _find_disclosures_of_one_way_table(knowledge, name, observed, truth[name])
    return disclosures


def _find_disclosures_of_small_total(
    knowledge: IntruderKnowledge, name: ObservedTableName, observed: ObservedTable, true_counts: Mapping[str, int]
) -> list[Disclosure]:
    """Find what can be inferred about a total of which only an upper limit is published."""
    known = min(knowledge.known_persons[name.indicator], true_counts["total"])
    possible_values = {"public": observed.limit, "knows": observed.limit - known}
    return [Disclosure(name, "total", n, intruder, METHOD) for intruder, n in possible_values.items() if n < MIN_POSSIBLE_VALUES]


def _find_disclosures_of_one_way_table(
    knowledge: IntruderKnowledge, name: ObservedTableName, observed: ObservedTable, true_counts: Mapping[str, int]
) -> list[Disclosure]:
    protected = list_protected_cells(knowledge, name, observed, true_counts)
    candidates = list_tables_published_identically(knowledge, name, observed, true_counts)
    if not protected or not len(candidates):
        return []
    statements = list(_iterate_true_statements_by_others(knowledge, name, true_counts))
    cells, known_persons = tuple(true_counts), knowledge.known_persons[name.indicator]
    agrees = np.array([all(row[cells.index(cell)] in values for cell, values in statements) for row in candidates.tolist()])
    candidate_sets = [candidates] if agrees.all() else [candidates, candidates[agrees]]
    return [d for rows in candidate_sets for d in find_cells_with_too_few_values(name, rows, true_counts, protected, known_persons)]


def _iterate_true_statements_by_others(
    knowledge: IntruderKnowledge, name: ObservedTableName, true_counts: Mapping[str, int]
) -> Iterator[tuple[str, range]]:
    """Yield the true statements of other organisations about cells of a table: the cell, and its possible values."""
    for statement in knowledge.statements_about(name):
        cell = str(statement["category"])
        if cell in true_counts:
            minimum = statement.get("value", statement.get("at_least", 0))
            maximum = statement.get("value", statement.get("at_most", sum(true_counts.values())))
            if minimum <= true_counts[cell] <= maximum:
                yield cell, range(minimum, maximum + 1)


def list_tables_published_identically(
    knowledge: IntruderKnowledge, name: ObservedTableName, observed: ObservedTable, true_counts: Mapping[str, int]
) -> np.ndarray:
    """Return every table that the program would have published in the same way as the observed one, one table per row. The true table comes
    last. If not even the total is public, the result is empty."""
    cells = tuple(true_counts)
    rows = list_tables_that_agree_with_published_cells(knowledge, name, observed, true_counts)
    if not len(rows):
        return rows
    rows = np.concatenate([rows, [list(true_counts.values())]])
    numbers = knowledge.publication_numbers(name, cells, rows)
    return np.asarray(rows[numbers == numbers[-1]])


def list_tables_that_agree_with_published_cells(
    knowledge: IntruderKnowledge, name: ObservedTableName, observed: ObservedTable, true_counts: Mapping[str, int]
) -> np.ndarray:
    """Return every table that agrees with the published cells. It does not matter what the program would publish for such a table."""
    cells, blocks = tuple(true_counts), list(observed.blocks)
    if name.table == "sex_age_group":
        margins = _find_figures_by_sex_and_by_age(knowledge, name)
        return _list_possible_sex_age_tables(true_counts, margins) if margins else np.zeros((0, len(cells)), dtype=np.int64)
    if name.table == "offence_group":
        return _list_possible_offence_tables(knowledge, name, blocks, cells)
    total = find_public_total_of_breakdown(knowledge, name)
    return _list_distributions_over_categories(blocks or [(cells, total)], cells) if total else np.zeros((0, len(cells)), dtype=np.int64)


def _list_possible_offence_tables(
    knowledge: IntruderKnowledge, name: ObservedTableName, blocks: list[tuple[tuple[str, ...], int]], cells: tuple[str, ...]
) -> np.ndarray:
    """Return the tables by offence that agree with what is published. This is either all figures, or only the leading group without the
    total, or only the total."""
    total = knowledge.latest.get(name._replace(table="total"))
    if total and total.blocks:
        return _list_distributions_over_categories(blocks or [(cells, total.blocks[0][1])], cells)
    small_counts = range(2 * MAX_SMALL_COUNT)
    leading = [blocks] if blocks else [[(cells[:1], count)] for count in small_counts]
    return np.concatenate(
        [_list_distributions_over_categories([*own, (cells[1:], rest)], cells) for own in leading for rest in small_counts]
    )


def _list_distributions_over_categories(blocks: list[tuple[tuple[str, ...], int]], cells: tuple[str, ...]) -> np.ndarray:
    """Return every way to distribute the sum of each block over the categories of the block, one table per row."""
    by_block = [_list_distributions_of_merged_sum(value, len(block)) for block, value in blocks]
    sizes = [len(distributions) for distributions in by_block]
    tables = np.zeros((int(np.prod(sizes)), len(cells)), dtype=np.int64)
    index = np.indices(sizes).reshape(len(sizes), -1)
    for n, (block, _) in enumerate(blocks):
        tables[:, [cells.index(category) for category in block]] = by_block[n][index[n]]
    return tables


@cache
def _list_distributions_of_merged_sum(value: int, parts: int) -> np.ndarray:
    """Return the ways to distribute a sum over merged categories. If there are too many, only those are returned in which all categories
    but one are at most `MAX_SMALL_COUNT`."""
    if parts <= 2 or (value + 1) ** (parts - 1) <= MAX_FULL_LISTING:
        return list_distributions_of_total(value, parts)
    small = np.stack(np.meshgrid(*[np.arange(MAX_SMALL_COUNT + 1)] * (parts - 1), indexing="ij"), axis=-1).reshape(-1, parts - 1)
    small = small[small.sum(axis=1) <= value]
    remainder = value - small.sum(axis=1)
    return np.unique(np.concatenate([np.insert(small, position, remainder, axis=1) for position in range(parts)]), axis=0)


def find_cells_with_too_few_values(
    name: ObservedTableName, candidates: np.ndarray, true_counts: Mapping[str, int], protected: list[str], known_persons: int
) -> list[Disclosure]:
    """Find the protected cells that have too few different values among the candidate tables, for the public and for anyone who knows some
    of the counted persons."""
    disclosures: list[Disclosure] = []
    cells, truth = tuple(true_counts), np.array(list(true_counts.values()))
    nobody = np.zeros(len(cells), dtype=np.int64)
    for intruder, known in [
        ("public", nobody),
        *(("knows", known) for known in list_possible_choices_of_known_persons(truth, known_persons)),
    ]:
        possible = candidates[(candidates >= known).all(axis=1)]
        for cell in protected:
            values = len(np.unique(possible[:, cells.index(cell)]))
            if values < MIN_POSSIBLE_VALUES:
                disclosures.append(Disclosure(name, cell, values, intruder, METHOD))
        if len(cells) > 1 and truth.sum() and _are_all_in_one_category(possible, int(truth.sum())):
            disclosures.append(Disclosure(name, "uniform", 1, intruder, METHOD))
    return disclosures


def _are_all_in_one_category(tables: np.ndarray, total: int) -> bool:
    """Return whether it is certain that all persons have the same category."""
    return bool((tables == total).any(axis=1).all() and (tables.max(axis=0) == tables.min(axis=0)).all())


def _find_disclosures_of_sex_age_table(
    knowledge: IntruderKnowledge, name: ObservedTableName, observed: ObservedTable, true_counts: Mapping[str, int]
) -> list[Disclosure]:
    """Find what can be inferred about a table sex × age if the tables by sex and by age are published completely. One cell then determines
    all four cells, within the bounds of every year.

    An intruder who knows persons knows whether they are in this cell; it does not matter in which year they are counted.
    """
    protected, margins = list_protected_cells(knowledge, name, observed, true_counts), _find_figures_by_sex_and_by_age(knowledge, name)
    if not protected or not margins:
        return []
    cells, known_persons, truth = tuple(true_counts), knowledge.known_persons[name.indicator], np.array(list(true_counts.values()))
    rows = _list_possible_sex_age_tables(true_counts, margins)
    corner = _find_positions_of_cells_with_known_sex_and_age(cells)[0]
    first, last = rows[:, corner].min(), rows[:, corner].max()
    numbers = knowledge.publication_numbers(name, cells, np.concatenate([rows, [truth]]))
    rows = rows[numbers[:-1] == numbers[-1]]
    disclosures = []
    for known_inside in range(known_persons + 1):
        for known_outside in range(known_persons + 1 - known_inside):
            possible = rows[(rows[:, corner] >= first + known_inside) & (rows[:, corner] <= last - known_outside)]
            if (possible == truth).all(axis=1).any() and len(possible) < MIN_POSSIBLE_VALUES:
                intruder = "knows" if known_inside or known_outside else "public"
                disclosures += [Disclosure(name, cell, len(possible), intruder, METHOD) for cell in protected]
    return disclosures


def _find_positions_of_cells_with_known_sex_and_age(cells: tuple[str, ...]) -> list[int]:
    """Return the positions of the four cells whose sex and age are both known."""
    return [n for n, cell in enumerate(cells) if "unknown" not in cell.split(CROSS_SEPARATOR)]


def _list_possible_sex_age_tables(true_counts: Mapping[str, int], margins: list[tuple[list[int], list[int]]]) -> np.ndarray:
    """Return every possible table of sex × age, summed over the years, that agrees with the published figures by sex and by age
    (`margins`)."""
    first = sum(max(0, sex[0] - age[1]) for sex, age in margins)
    last = sum(min(sex[0], age[0]) for sex, age in margins)
    truth = np.array(list(true_counts.values()))
    corner, same_sex, same_age, opposite = _find_positions_of_cells_with_known_sex_and_age(tuple(true_counts))
    change = np.zeros(len(truth), dtype=np.int64)
    change[[corner, opposite]], change[[same_sex, same_age]] = 1, -1
    return np.asarray(truth + (np.arange(first, last + 1) - truth[corner])[:, None] * change)


def _find_figures_by_sex_and_by_age(knowledge: IntruderKnowledge, name: ObservedTableName) -> list[tuple[list[int], list[int]]]:
    """Return the figures by sex and by age of each year, or of the window. They are returned only if all tables publish both categories and
    no person is in the category "not known"."""
    sides = []
    for table in ("sex", "age_group"):
        values = [dict(margin.blocks) if margin else {} for margin in find_tables_by_sex_or_by_age(knowledge.latest, name, table)]
        if not all(len(v) == 3 and all(len(block) == 1 for block in v) and v.get(("unknown",)) == 0 for v in values):
            return []
        cells = [cell for cell in knowledge.categories(name._replace(table=table)) if cell != "unknown"]
        sides.append([[v[(cell,)] for cell in cells] for v in values])
    return list(zip(*sides, strict=True))


def find_bridge_disclosures(knowledge: IntruderKnowledge, truth: TrueCounts, release: str | None = None) -> list[Disclosure]:
    """Find what can be inferred about the causes of the difference between reported and harmonised totals. release: if given, only bridges
    that this release published first are examined.

    The search is made under two assumptions. By the first, every cause may both add and remove records. By the second, every cause only
    adds records if the whole difference is positive, and only removes them if it is negative; and an intruder who knows persons knows the
    causes that concern them.
    """
    disclosures: list[Disclosure] = []
    assert knowledge.bridge is not None
    bridge = knowledge.bridge
    for name in (n for n in truth if n.table == "bridge"):
        harmonised, reported = (knowledge.latest.get(name._replace(measure=m, table="total")) for m in ("harmonised", "as_reported"))
        if not harmonised or not reported or not harmonised.blocks or not reported.blocks:
            continue
        if harmonised.source_release != reported.source_release:
            continue
        same_year = (bridge["indicator"] == name.indicator) & (bridge["period"] == name.of)
        lines = bridge[same_year & (bridge["known"] == harmonised.source_release)]
        if release is None or release in {harmonised.first_release, reported.first_release, *lines["edition"]}:
            separate = set(lines.loc[lines["status"] == "shown", "cause"])
            disclosures += _find_causes_with_too_few_values(knowledge, name, separate, bool(len(lines)), truth[name])
    return disclosures


def _find_causes_with_too_few_values(
    knowledge: IntruderKnowledge, name: ObservedTableName, separate: set[str], has_lines: bool, true_counts: Mapping[str, int]
) -> list[Disclosure]:
    causes, truth = tuple(true_counts), np.array(list(true_counts.values()))
    threshold = knowledge.threshold[name.indicator]
    protected = [cause for cause, n in true_counts.items() if cause not in separate and abs(n) < threshold]
    moves = list_possible_moves_between_causes(
        len(causes), tuple(n for n, cause in enumerate(causes) if cause not in separate), MOVED_RECORDS
    )
    disclosures: list[Disclosure] = []
    for pair_count in (0, MAX_FULL_LISTING, 50 * MAX_FULL_LISTING):  # pairs of moves only if single ones leave too few values
        first, second = np.divmod(np.linspace(0, len(moves) ** 2 - 1, pair_count, dtype=np.int64), len(moves))
        rows = np.concatenate([truth + moves, truth + moves[first] + moves[second], [truth]])
        if has_lines:
            numbers = knowledge.publication_numbers(name, causes, rows)
            rows = rows[numbers == numbers[-1]]
        values = {cause: len(np.unique(rows[:, causes.index(cause)])) for cause in protected}
        disclosures = [Disclosure(name, cause, n, "public", METHOD) for cause, n in values.items() if n < MIN_POSSIBLE_VALUES]
        sign = 1 if truth.sum() > 0 else -1
        if (sign * truth >= 0).all():
            same_sign = sign * rows[(sign * rows >= 0).all(axis=1)]
            sizes = {cause: sign * n for cause, n in true_counts.items()}
            disclosures += find_cells_with_too_few_values(name, same_sign, sizes, protected, knowledge.known_persons[name.indicator])
        disclosures = [d for d in disclosures if d.cell != "uniform"]
        if not disclosures:
            break
    return disclosures


@cache
def list_possible_moves_between_causes(cause_count: int, free_causes: tuple[int, ...], sizes: tuple[int, ...]) -> np.ndarray:
    """Return the ways to move records from one cause to another, or between one cause and two others."""
    unit = np.eye(cause_count, dtype=np.int64)
    single = [size * (unit[a] - unit[b]) for a in free_causes for b in free_causes if a != b for size in sizes]
    double = [2 * unit[a] - unit[b] - unit[c] for a in free_causes for b in free_causes for c in free_causes if b < c and a not in (b, c)]
    return np.array([*single, *double, *(-move for move in double)] or [0 * unit[0]])
