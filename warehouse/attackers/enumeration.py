"""The attacker who knows rule, threshold and code: every table that would have been printed just so.

Belongs here: listing the tables behind a print and counting what each cell may still be. Does not belong here: what several tables say
together (`integer_programme`).

Of categories joined to a large sum only those tables are listed in which all but one are at most `FEW`, and of a crossed table only those
that differ from the true one by a few persons moved: fewer tables can make a cell look narrower than it is, never wider.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from itertools import combinations

import numpy as np

from warehouse.attackers.known import ACROSS, VALUES, Knowledge, Learnt, Printed, Table, compositions, margins, population, protected

FEW = 9
MANY = 4000
SHIFTS = (-4, -3, -2, -1, 0, 1, 2, 3, 4)
NAME = "enumeration"
Truth = Mapping[Table, Mapping[str, int]]


def attack(knowledge: Knowledge, truth: Truth, only: frozenset[Table] | None = None) -> list[Learnt]:
    """What is learnt from the latest release, table by table. truth: the exact counts behind each; `only`: of these tables."""
    out: list[Learnt] = []
    for name, printed in knowledge.last.items():
        if name not in truth or (only is not None and name not in only):
            continue
        if printed.status == "fewer_than":
            out += _total(knowledge, name, printed, truth[name])
        elif name.table == "sex_age_group":
            out += _crossed(knowledge, name, printed, truth[name])
        elif name.table != "total" and printed.status != "no_delivery":
            out += _one_way(knowledge, name, printed, truth[name])
    return out


def _total(knowledge: Knowledge, name: Table, printed: Printed, truth: Mapping[str, int]) -> list[Learnt]:
    """A total that is only said to be small."""
    possible = {"public": printed.limit, "knows": printed.limit - min(knowledge.persons[name.indicator], truth["total"])}
    return [Learnt(name, "total", n, who, NAME) for who, n in possible.items() if n < VALUES]


def _one_way(knowledge: Knowledge, name: Table, printed: Printed, truth: Mapping[str, int]) -> list[Learnt]:
    hidden = protected(knowledge, name, printed, truth)
    rows = behind(knowledge, name, printed, truth)
    return count(name, rows, tuple(truth), tuple(truth.values()), hidden, knowledge.persons[name.indicator]) if hidden and len(rows) else []


def behind(knowledge: Knowledge, name: Table, printed: Printed, truth: Mapping[str, int]) -> np.ndarray:
    """Every table (a row each, the true one last) that would have been printed as `printed`; all with its sums where the table is said to
    be kept back for another reason than the rule. None at all where not even the total is public.
    """
    cells, true = tuple(truth), np.array(list(truth.values()))
    small = {b[0] for b, v in printed.blocks if len(b) == 1 and b[0] != "unknown" and v < knowledge.threshold[name.indicator]}
    rows = _with_sums(knowledge, name, printed, cells)
    if not len(rows):
        return rows
    rows = np.concatenate([rows, [true]])
    # What others published and is printed although small takes no part in the rule.
    own = [n for n, cell in enumerate(cells) if cell not in small]
    if name in knowledge.withheld:
        return rows
    numbers = knowledge.rule(name.indicator, tuple(cells[n] for n in own), rows[:, own])
    return np.asarray(rows[numbers == numbers[-1]])


def _with_sums(knowledge: Knowledge, name: Table, printed: Printed, cells: tuple[str, ...]) -> np.ndarray:
    """Every table of these categories with the printed sums."""
    blocks = list(printed.blocks)
    if name.table == "offence_group":
        return _offences(knowledge, name, blocks, cells)
    total = population(knowledge, name)
    return _product(blocks or [(cells, total)], cells) if total else np.zeros((0, len(cells)), dtype=np.int64)


def _offences(knowledge: Knowledge, name: Table, blocks: list[tuple[tuple[str, ...], int]], cells: tuple[str, ...]) -> np.ndarray:
    """By offence: printed whole; trafficking alone, the total not shown; or the total alone."""
    total = knowledge.last.get(name._replace(table="total"))
    if total and total.blocks:
        return _product(blocks or [(cells, total.blocks[0][1])], cells)
    few = range(2 * FEW)
    first = [blocks] if blocks else [[(cells[:1], own)] for own in few]
    return np.concatenate([_product([*own, (cells[1:], rest)], cells) for own in first for rest in few])


def _product(blocks: list[tuple[tuple[str, ...], int]], cells: tuple[str, ...]) -> np.ndarray:
    """Every way to spread the blocks' sums over their categories."""
    spread = [_spread(value, len(block)) for block, value in blocks]
    out = np.zeros((int(np.prod([len(s) for s in spread])), len(cells)), dtype=np.int64)
    index = np.indices([len(s) for s in spread]).reshape(len(spread), -1)
    for n, (block, _) in enumerate(blocks):
        out[:, [cells.index(c) for c in block]] = spread[n][index[n]]
    return out


@cache
def _spread(value: int, parts: int) -> np.ndarray:
    """Ways to spread a sum over joined categories."""
    if parts <= 2 or (value + 1) ** (parts - 1) <= MANY:
        return compositions(value, parts)
    small = np.stack(np.meshgrid(*[np.arange(FEW + 1)] * (parts - 1), indexing="ij"), axis=-1).reshape(-1, parts - 1)
    small = small[small.sum(axis=1) <= value]
    rest = value - small.sum(axis=1)
    return np.unique(np.concatenate([np.insert(small, at, rest, axis=1) for at in range(parts)]), axis=0)


def count(name: Table, rows: np.ndarray, cells: tuple[str, ...], true: tuple[int, ...], hidden: list[str], persons: int) -> list[Learnt]:
    """What the tables behind a print leave open, for the public and for everyone who knows `persons` of those counted."""
    out: list[Learnt] = []
    truth = np.array(true)
    known = compositions(min(persons, int(truth.sum())), len(cells))
    for who, has in [("public", np.zeros(len(cells), dtype=np.int64)), *(("knows", k) for k in known if (k <= truth).all())]:
        left = rows[(rows >= has).all(axis=1)]
        for cell in hidden:
            values = len(np.unique(left[:, cells.index(cell)]))
            if values < VALUES:
                out.append(Learnt(name, cell, values, who, NAME))
        if len(cells) > 1 and (left == truth.sum()).any(axis=1).all() and (left.max(axis=0) == left.min(axis=0)).all() and truth.sum():
            out.append(Learnt(name, "uniform", 1, who, NAME))
    return out


def _crossed(knowledge: Knowledge, name: Table, printed: Printed, truth: Mapping[str, int]) -> list[Learnt]:
    """Sex × age: tables that differ from the true one by a few persons moved, within what the tables by sex and by age leave open."""
    hidden = protected(knowledge, name, printed, truth)
    if printed.status != "printed" or not hidden:
        return []
    cells = tuple(truth)
    true = np.array([truth[c] for c in cells])
    moves = _moves(cells, [[cells.index(c) for c in block] for block, _ in printed.blocks])
    rows = np.unique((true + moves[:, None] + moves[None, :]).reshape(-1, len(cells)), axis=0)
    rows = rows[(rows >= 0).all(axis=1)]
    rows = np.concatenate([rows[_within(knowledge, name, cells, rows)], [true]])
    if name not in knowledge.withheld:
        forms = knowledge.crossed(name, cells, rows)
        rows = rows[forms == forms[-1]]
    return count(name, rows, cells, tuple(true.tolist()), hidden, knowledge.persons[name.indicator])


def _moves(cells: tuple[str, ...], blocks: list[list[int]]) -> np.ndarray:
    """One to four persons moved between two cells, or so that all sums by row and by column stay; no printed sum changes."""
    unit, at = np.eye(len(cells), dtype=np.int64), {cell: n for n, cell in enumerate(cells)}
    steps = []
    for a, b in combinations(cells, 2):
        steps.append(unit[at[a]] - unit[at[b]])
        (r, c), (s, d) = a.split(ACROSS), b.split(ACROSS)
        if r != s and c != d:
            steps.append(unit[at[a]] + unit[at[b]] - unit[at[f"{r}{ACROSS}{d}"]] - unit[at[f"{s}{ACROSS}{c}"]])
    kept = [step for step in steps if not any(step[block].sum() for block in blocks)]
    return np.unique(np.array([by * step for step in kept for by in SHIFTS] or [0 * unit[0]]), axis=0)


def _within(knowledge: Knowledge, name: Table, cells: tuple[str, ...], rows: np.ndarray) -> np.ndarray:
    """Which tables have sums by sex and by age that the yearly tables allow: every joined part of a year between 0 and its sum."""
    ok = np.ones(len(rows), dtype=bool)
    for side, table in enumerate(("sex", "age_group")):
        yearly = margins(knowledge.last, name, table)
        for category in {cell.split(ACROSS)[side] for cell in cells}:
            least = most = 0
            for year in (y for y in yearly if y):
                for block, value in year.blocks:
                    if category in block:
                        least, most = least + (value if len(block) == 1 else 0), most + value
            if all(y and y.status == "printed" for y in yearly):
                sums = rows[:, [n for n, cell in enumerate(cells) if cell.split(ACROSS)[side] == category]].sum(axis=1)
                ok &= (sums >= least) & (sums <= most)
    return ok
