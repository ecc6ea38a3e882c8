"""The intruder who knows rule, threshold and code: enumerate every table that would have been published identically.

Belongs here: listing the tables consistent with a published table and counting the possible values of each cell. Does not belong here:
combining several tables (`integer_programme`).
For categories merged to a large sum, only tables in which all but one category are at most `FEW` are listed; for a bridge, only those that
differ from the true one by a few moved records. Fewer tables can make a cell look narrower than it is, never wider.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache

import numpy as np

from warehouse.attackers.known import (
    ACROSS,
    VALUES,
    Knowledge,
    Learnt,
    Printed,
    Table,
    compositions,
    knowing,
    margins,
    population,
    protected,
)

FEW = 9
MANY = 4000
STEPS = (1, 2, 3, 4, 5, 6)
NAME = "enumeration"
Truth = Mapping[Table, Mapping[str, int]]


def attack(knowledge: Knowledge, truth: Truth, only: frozenset[Table] | None = None) -> list[Learnt]:
    """What can be inferred from the latest release, table by table. truth: the exact counts; `only`: restrict to these tables."""
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
    """A total published only as small."""
    possible = {"public": printed.limit, "knows": printed.limit - min(knowledge.persons[name.indicator], truth["total"])}
    return [Learnt(name, "total", n, who, NAME) for who, n in possible.items() if n < VALUES]


def _one_way(knowledge: Knowledge, name: Table, printed: Printed, truth: Mapping[str, int]) -> list[Learnt]:
    hidden, rows = protected(knowledge, name, printed, truth), behind(knowledge, name, printed, truth)
    if not hidden or not len(rows):
        return []
    cells, true, persons = tuple(truth), tuple(truth.values()), knowledge.persons[name.indicator]
    believed = np.array(
        [all(row[cells.index(c)] in said for c, said in _published_by_others(knowledge, name, truth)) for row in rows.tolist()]
    )
    worlds = [rows] if believed.all() else [rows, rows[believed]]
    return [one for left in worlds for one in count(name, left, cells, true, hidden, persons)]


def _published_by_others(knowledge: Knowledge, name: Table, truth: Mapping[str, int]) -> Iterator[tuple[str, range]]:
    """What others published about cells of a table, if it is true: cell, values."""
    for one in knowledge.already:
        if (one["indicator"], "harmonised", one["table"], str(one["period"])) == name and str(one["category"]) in truth:
            cell = str(one["category"])
            least, most = (one.get("value", one.get(end, other)) for end, other in (("at_least", 0), ("at_most", sum(truth.values()))))
            if least <= truth[cell] <= most:
                yield cell, range(least, most + 1)


def behind(knowledge: Knowledge, name: Table, printed: Printed, truth: Mapping[str, int]) -> np.ndarray:
    """Every table (one per row, the true one last) that would have been published as `printed`. Empty if not even the total is public."""
    cells = tuple(truth)
    rows = fitting(knowledge, name, printed, truth)
    if not len(rows):
        return rows
    rows = np.concatenate([rows, [list(truth.values())]])
    numbers = knowledge.alike(name, cells, rows)
    return np.asarray(rows[numbers == numbers[-1]])


def fitting(knowledge: Knowledge, name: Table, printed: Printed, truth: Mapping[str, int]) -> np.ndarray:
    """Every table consistent with the published cells, whatever the program would publish for it."""
    cells, blocks = tuple(truth), list(printed.blocks)
    if name.table == "sex_age_group":
        years = _complete_margins(knowledge, name)
        return _between(cells, np.array(list(truth.values())), years) if years else np.zeros((0, len(cells)), dtype=np.int64)
    if name.table == "offence_group":
        return _offences(knowledge, name, blocks, cells)
    total = population(knowledge, name)
    return _product(blocks or [(cells, total)], cells) if total else np.zeros((0, len(cells)), dtype=np.int64)


def _offences(knowledge: Knowledge, name: Table, blocks: list[tuple[tuple[str, ...], int]], cells: tuple[str, ...]) -> np.ndarray:
    """By offence: published completely; trafficking only, the total suppressed; or the total only."""
    total = knowledge.last.get(name._replace(table="total"))
    if total and total.blocks:
        return _product(blocks or [(cells, total.blocks[0][1])], cells)
    few = range(2 * FEW)
    first = [blocks] if blocks else [[(cells[:1], own)] for own in few]
    return np.concatenate([_product([*own, (cells[1:], rest)], cells) for own in first for rest in few])


def _product(blocks: list[tuple[tuple[str, ...], int]], cells: tuple[str, ...]) -> np.ndarray:
    """Every distribution of the blocks' sums over their categories."""
    spread = [_spread(value, len(block)) for block, value in blocks]
    out = np.zeros((int(np.prod([len(s) for s in spread])), len(cells)), dtype=np.int64)
    index = np.indices([len(s) for s in spread]).reshape(len(spread), -1)
    for n, (block, _) in enumerate(blocks):
        out[:, [cells.index(c) for c in block]] = spread[n][index[n]]
    return out


@cache
def _spread(value: int, parts: int) -> np.ndarray:
    """Distributions of a sum over merged categories."""
    if parts <= 2 or (value + 1) ** (parts - 1) <= MANY:
        return compositions(value, parts)
    small = np.stack(np.meshgrid(*[np.arange(FEW + 1)] * (parts - 1), indexing="ij"), axis=-1).reshape(-1, parts - 1)
    small = small[small.sum(axis=1) <= value]
    rest = value - small.sum(axis=1)
    return np.unique(np.concatenate([np.insert(small, at, rest, axis=1) for at in range(parts)]), axis=0)


def count(name: Table, rows: np.ndarray, cells: tuple[str, ...], true: tuple[int, ...], hidden: list[str], persons: int) -> list[Learnt]:
    """What the consistent tables leave open, for the public and for anyone who knows `persons` of those counted."""
    out: list[Learnt] = []
    truth = np.array(true)
    for who, has in [("public", np.zeros(len(cells), dtype=np.int64)), *(("knows", k) for k in knowing(truth, persons))]:
        left = rows[(rows >= has).all(axis=1)]
        for cell in hidden:
            values = len(np.unique(left[:, cells.index(cell)]))
            if values < VALUES:
                out.append(Learnt(name, cell, values, who, NAME))
        if len(cells) > 1 and (left == truth.sum()).any(axis=1).all() and (left.max(axis=0) == left.min(axis=0)).all() and truth.sum():
            out.append(Learnt(name, "uniform", 1, who, NAME))
    return out


def _crossed(knowledge: Knowledge, name: Table, printed: Printed, truth: Mapping[str, int]) -> list[Learnt]:
    """Sex × age if both are published completely: one cell determines all four, within the bounds of every year.

    An intruder who knows persons knows that many of the cell, whatever their years.
    """
    hidden, years = protected(knowledge, name, printed, truth), _complete_margins(knowledge, name)
    if not hidden or not years:
        return []
    cells, persons, true = tuple(truth), knowledge.persons[name.indicator], np.array(list(truth.values()))
    rows = _between(cells, true, years)
    corner = _corners(cells)[0]
    first, last = rows[:, corner].min(), rows[:, corner].max()
    numbers = knowledge.alike(name, cells, np.concatenate([rows, [true]]))
    rows = rows[numbers[:-1] == numbers[-1]]
    out = []
    for more in range(persons + 1):
        for fewer in range(persons + 1 - more):
            left = rows[(rows[:, corner] >= first + more) & (rows[:, corner] <= last - fewer)]
            if (left == true).all(axis=1).any() and len(left) < VALUES:
                out += [Learnt(name, cell, len(left), "knows" if more or fewer else "public", NAME) for cell in hidden]
    return out


def _corners(cells: tuple[str, ...]) -> list[int]:
    """Positions of the four cells whose sex and age are both known."""
    return [n for n, cell in enumerate(cells) if "unknown" not in cell.split(ACROSS)]


def _between(cells: tuple[str, ...], true: np.ndarray, years: list[tuple[list[int], list[int]]]) -> np.ndarray:
    """Every sex × age table with the margins of the years, summed."""
    first = sum(max(0, sex[0] - age[1]) for sex, age in years)
    last = sum(min(sex[0], age[0]) for sex, age in years)
    corner, beside, below, across = _corners(cells)
    step = np.zeros(len(cells), dtype=np.int64)
    step[[corner, across]], step[[beside, below]] = 1, -1
    return np.asarray(true + (np.arange(first, last + 1) - true[corner])[:, None] * step)


def _complete_margins(knowledge: Knowledge, name: Table) -> list[tuple[list[int], list[int]]]:
    """The figures by sex and by age of each year (or of the window), if all publish both categories and nobody is unknown."""
    sides = []
    for table in ("sex", "age_group"):
        printed = margins(knowledge.last, name, table)
        values = [dict(one.blocks) if one else {} for one in printed]
        if not all(len(v) == 3 and all(len(block) == 1 for block in v) and v.get(("unknown",)) == 0 for v in values):
            return []
        cells = [c for c in knowledge.categories(name._replace(table=table)) if c != "unknown"]
        sides.append([[v[(c,)] for c in cells] for v in values])
    return list(zip(*sides, strict=True))


def attack_bridge(knowledge: Knowledge, truth: Truth, release: str | None = None) -> list[Learnt]:
    """What can be inferred about the causes between reported and harmonised totals; `release`: only what it published first.

    Two assumptions: every cause may add and remove records; or every cause only removes (or only adds) as the difference does, and
    an intruder who knows persons knows their causes.
    """
    out: list[Learnt] = []
    assert knowledge.bridge is not None
    for name in (n for n in truth if n.table == "bridge"):
        ours, theirs = (knowledge.last.get(name._replace(measure=m, table="total")) for m in ("harmonised", "as_reported"))
        if not ours or not theirs or not ours.blocks or not theirs.blocks or ours.known != theirs.known:
            continue
        mine = (knowledge.bridge["indicator"] == name.indicator) & (knowledge.bridge["period"] == name.of)
        lines = knowledge.bridge[mine & (knowledge.bridge["known"] == ours.known)]
        if release is None or release in {ours.edition, theirs.edition, *lines["edition"]}:
            out += _causes(knowledge, name, set(lines.loc[lines["status"] == "shown", "cause"]), bool(len(lines)), truth[name])
    return out


def _causes(knowledge: Knowledge, name: Table, alone: set[str], lines: bool, truth: Mapping[str, int]) -> list[Learnt]:
    cells, true = tuple(truth), np.array(list(truth.values()))
    hidden = [c for c, n in truth.items() if c not in alone and abs(n) < knowledge.threshold[name.indicator]]
    free = [n for n, cell in enumerate(cells) if cell not in alone]
    once = moved(len(cells), tuple(free), STEPS)
    found: list[Learnt] = []
    for tried in (0, MANY, 50 * MANY):  # more rows only if fewer leave too few values
        one, other = np.divmod(np.linspace(0, len(once) ** 2 - 1, tried, dtype=np.int64), len(once))
        rows = np.concatenate([true + once, true + once[one] + once[other], [true]])
        if lines:
            numbers = knowledge.alike(name, cells, rows)
            rows = rows[numbers == numbers[-1]]
        values = {c: len(np.unique(rows[:, cells.index(c)])) for c in hidden}
        found = [Learnt(name, c, n, "public", NAME) for c, n in values.items() if n < VALUES]
        sign = 1 if true.sum() > 0 else -1
        if (sign * true >= 0).all():
            same = sign * rows[(sign * rows >= 0).all(axis=1)]
            found += count(name, same, cells, tuple((sign * true).tolist()), hidden, knowledge.persons[name.indicator])
        found = [one for one in found if one.cell != "uniform"]
        if not found:
            break
    return found


@cache
def moved(size: int, free: tuple[int, ...], steps: tuple[int, ...]) -> np.ndarray:
    """Records moved from one cause to another, or between one and two others."""
    unit = np.eye(size, dtype=np.int64)
    single = [by * (unit[a] - unit[b]) for a in free for b in free if a != b for by in steps]
    double = [2 * unit[a] - unit[b] - unit[c] for a in free for b in free for c in free if b < c and a not in (b, c)]
    return np.array([*single, *double, *(-move for move in double)] or [0 * unit[0]])
