"""The intruder who replays the whole program with alternative counts, and the institution that has its own records.

Belongs here: the possible values of a suppressed cell when all releases are recomputed with other counts; how probable each is; which
remain if some persons are known. Does not belong here: what the rule of a single table leaves open (`enumeration`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import lgamma

import numpy as np
import pandas as pd

from warehouse.attackers.enumeration import STEPS, Truth, behind, fitting, moved
from warehouse.attackers.known import VALUES, Knowledge, Learnt, Table, knowing, protected

SURE = 0.9
NAME = "replay"
Program = Callable[[Table, np.ndarray], bool]
"""Whether all releases, recomputed with these counts of one table, publish exactly what they published."""


def rerun(knowledge: Knowledge, truth: Truth, program: Program) -> list[Learnt]:
    """Recompute all releases with every other consistent table, the nearest first, until three values are found.

    For the public, and for those who know persons of the table. Raises ValueError if `program` does not publish the true table as it was
    published: then it is another program.
    """
    out: list[Learnt] = []
    for name, counts in truth.items():
        printed = knowledge.last.get(name)
        if name.table == "bridge":
            alone = set(knowledge.bridge.loc[_lines(knowledge, name), "cause"]) if knowledge.bridge is not None else set()
            free = tuple(n for n, cause in enumerate(counts) if cause not in alone)
            hidden = [c for c, n in counts.items() if c not in alone and abs(n) < knowledge.threshold[name.indicator]]
            rows = np.array(list(counts.values())) + moved(len(counts), free, STEPS[:3])
        elif printed and name.table != "total" and printed.status != "no_delivery":
            hidden, rows = protected(knowledge, name, printed, counts), fitting(knowledge, name, printed, counts)
        else:
            continue
        if hidden and len(rows):
            if not program(name, np.array(list(counts.values()))):
                raise ValueError(f"{' '.join(name)}: recomputed, the releases do not publish what they published")
            persons = 0 if name.table == "bridge" else knowledge.persons[name.indicator]
            out += _recompute(name, counts, hidden, rows, program, persons)
    return out


def _lines(knowledge: Knowledge, name: Table) -> pd.Series:
    lines = knowledge.bridge
    assert lines is not None
    return (lines["indicator"] == name.indicator) & (lines["period"] == name.of) & (lines["status"] == "shown")


def _recompute(name: Table, counts: Mapping[str, int], hidden: list[str], rows: np.ndarray, program: Program, persons: int) -> list[Learnt]:
    cells, true = tuple(counts), np.array(list(counts.values()))
    rows = rows[np.argsort(np.abs(rows - true).sum(axis=1), kind="stable")]
    alike = np.full(len(rows), -1)  # not tried yet
    out = []
    for who, known in [("public", None), *(("knows", k) for k in (knowing(true, persons) if persons else []))]:
        can = np.ones(len(rows), dtype=bool) if known is None else (rows >= known).all(axis=1)
        for cell in hidden:
            column, values = rows[:, cells.index(cell)], {counts[cell]}
            values |= set(column[can & (alike == 1)].tolist())
            while len(values) < VALUES:
                left = np.flatnonzero(can & (alike == -1) & ~np.isin(column, list(values)))
                if not len(left):
                    out.append(Learnt(name, cell, len(values), who, NAME))
                    break
                alike[left[0]] = program(name, rows[left[0]])
                values |= {int(column[left[0]])} if alike[left[0]] else set()
    return out


@dataclass(frozen=True)
class Worlds:
    """The tables (rows) consistent with one published table, and its suppressed cells."""

    name: Table
    cells: tuple[str, ...]
    rows: np.ndarray
    true: np.ndarray
    hidden: list[str]


def worlds(knowledge: Knowledge, truth: Truth) -> list[Worlds]:
    """Every one-way table of the latest release with suppressed cells, and all worlds in which the algorithm publishes it identically."""
    out = []
    for name, printed in knowledge.last.items():
        if name not in truth or name.table in ("total", "sex_age_group") or printed.status == "no_delivery":
            continue
        hidden, rows = protected(knowledge, name, printed, truth[name]), behind(knowledge, name, printed, truth[name])
        if hidden and len(rows):
            out.append(Worlds(name, tuple(truth[name]), np.unique(rows, axis=0), np.array(list(truth[name].values())), hidden))
    return out


def shares(knowledge: Knowledge, name: Table) -> np.ndarray:
    """The intruder's prior: the categories' shares over all published tables of this kind, merged figures spread evenly."""
    cells = knowledge.categories(name)
    tally = np.full(len(cells), 0.5)
    for other, printed in knowledge.last.items():
        if (other.indicator, other.table, other.measure) == (name.indicator, name.table, name.measure):
            for block, value in printed.blocks:
                tally[[cells.index(c) for c in block]] += value / len(block)
    return np.asarray(tally / tally.sum())


def posterior(world: Worlds, expected: np.ndarray) -> dict[str, tuple[float, bool]]:
    """Per suppressed cell: the probability of its most probable value, and whether that is the true one."""
    likelihood = world.rows @ np.log(expected) - np.array([sum(lgamma(n + 1) for n in row) for row in world.rows.tolist()])
    weight = np.exp(likelihood - likelihood.max())
    out = {}
    for cell in world.hidden:
        at = world.cells.index(cell)
        by_value = np.bincount(world.rows[:, at], weights=weight)
        best = int(by_value.argmax())
        out[cell] = (float(by_value[best] / by_value.sum()), best == int(world.true[at]))
    return out


def as_institution(world: Worlds, held: Mapping[str, int]) -> dict[str, int]:
    """Per suppressed cell: how many values remain for an institution with this many records of each category."""
    own = np.array([held.get(cell, 0) for cell in world.cells])
    left = world.rows[(world.rows >= own).all(axis=1)]
    return {cell: len(np.unique(left[:, world.cells.index(cell)])) for cell in world.hidden}


def sure(found: Mapping[str, tuple[float, bool]]) -> tuple[int, int]:
    """Number of best guesses with a probability of at least `SURE`, and how many of those are right."""
    certain = [right for share, right in found.values() if share >= SURE]
    return len(certain), sum(certain)
