"""The attacker who replays the algorithm on alternative worlds, and the institution that holds records of its own. Reported, no gate.

Belongs here: how probable each value of a hidden cell is among all worlds that would have been printed alike; what is left when a part of
the persons is known. Does not belong here: what is possible at all (`enumeration`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import lgamma

import numpy as np

from warehouse.attackers.enumeration import Truth, behind
from warehouse.attackers.known import Knowledge, Table, protected

SURE = 0.9


@dataclass(frozen=True)
class Worlds:
    """The tables (rows) behind one print, and what of it is hidden."""

    name: Table
    cells: tuple[str, ...]
    rows: np.ndarray
    true: np.ndarray
    hidden: list[str]


def worlds(knowledge: Knowledge, truth: Truth) -> list[Worlds]:
    """Every one-way table of the latest release with hidden cells, and all worlds in which the algorithm prints it so."""
    out = []
    for name, printed in knowledge.last.items():
        if name not in truth or name.table in ("total", "sex_age_group") or printed.status == "no_delivery":
            continue
        hidden, rows = protected(knowledge, name, printed, truth[name]), behind(knowledge, name, printed, truth[name])
        if hidden and len(rows):
            out.append(Worlds(name, tuple(truth[name]), np.unique(rows, axis=0), np.array(list(truth[name].values())), hidden))
    return out


def shares(knowledge: Knowledge, name: Table) -> np.ndarray:
    """What the attacker expects: the categories' shares over all printed tables of this kind, joined figures spread evenly."""
    cells = knowledge.categories(name)
    tally = np.full(len(cells), 0.5)
    for other, printed in knowledge.last.items():
        if (other.indicator, other.table, other.measure) == (name.indicator, name.table, name.measure):
            for block, value in printed.blocks:
                tally[[cells.index(c) for c in block]] += value / len(block)
    return np.asarray(tally / tally.sum())


def posterior(world: Worlds, expected: np.ndarray) -> dict[str, tuple[float, bool]]:
    """Per hidden cell: how probable its most probable value is, and whether that is the true one."""
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
    """Per hidden cell: how many values are left to one who holds records of so many of each category."""
    own = np.array([held.get(cell, 0) for cell in world.cells])
    left = world.rows[(world.rows >= own).all(axis=1)]
    return {cell: len(np.unique(left[:, world.cells.index(cell)])) for cell in world.hidden}


def sure(found: Mapping[str, tuple[float, bool]]) -> tuple[int, int]:
    """Of cells with their best guess: how many guesses are at least `SURE`, how many of those are right."""
    certain = [right for share, right in found.values() if share >= SURE]
    return len(certain), sum(certain)
