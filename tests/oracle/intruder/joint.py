"""All releases at once as one linear programme: what do sums alone tell of a count?

Belongs here: every equation that published figures give, least and most of each count.
Does not belong here: what the rule tells (`attack`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import highspy
import numpy as np

from tests.oracle.intruder.attack import (
    CROSS,
    HARMONISED,
    OFFENCE,
    TOTAL,
    Cube,
    Learnt,
    Policy,
    years_of,
)

Count = tuple[str, str, str, str, str, str]  # indicator, measure, table, year, release whose records are counted, category


@dataclass
class Equations:
    """Counts, and the sums that are known of them."""

    counts: dict[Count, int] = field(default_factory=dict)
    lower: list[float] = field(default_factory=list)
    upper: list[float] = field(default_factory=list)
    rows: list[tuple[dict[int, float], float, float]] = field(default_factory=list)
    seen: set[Any] = field(default_factory=set)

    def at(self, count: Count, signed: bool = False) -> int:
        if count not in self.counts:
            self.counts[count] = len(self.counts)
            self.lower.append(-1000.0 if signed else 0.0)
            self.upper.append(1000.0)
        return self.counts[count]

    def add(self, terms: dict[int, float], low: float, high: float) -> None:
        key = tuple(sorted(terms.items())), low, high
        if key not in self.seen:
            self.seen.add(key)
            self.rows.append((terms, low, high))


def equations(indicator: str, cubes: Sequence[tuple[str, Cube]], learnt: Learnt, policy: Policy) -> Equations:
    """What was published of one indicator, in any release."""
    out = Equations()
    floor = policy.figures[indicator].floor
    for state in (s for s in learnt.states if s.indicator == indicator):
        names = policy.names(indicator, state.measure, OFFENCE)
        cells = [out.at((indicator, state.measure, OFFENCE, state.year, state.release, n)) for n in names]
        total = out.at((indicator, state.measure, TOTAL, state.year, state.release, "total"))
        out.add({total: 1.0, **dict.fromkeys(cells, -1.0)}, 0, 0)
        printed = state.printed
        if state.outcome != "stays" and printed.value is not None:
            out.add({total: 1.0}, printed.value, printed.value)
        if state.outcome != "replaced":
            continue
        for block, value in printed.parts:
            out.add({cells[i]: 1.0 for i in block}, value, value)
        if printed.total == "fewer_than":
            out.add({total: 1.0}, 0, floor - 1)
        if state.measure == HARMONISED and printed.total != "fewer_than":
            if printed.own() is None:
                out.add({cells[0]: 1.0}, 0, floor - 1)
            elif printed.rest() is None:
                out.add(dict.fromkeys(cells[1:], 1.0), 0, floor - 1)
    for broken in (b for b in learnt.broken if b.address[0] == indicator):
        table = broken.address[2]
        names = policy.names(indicator, HARMONISED, table)
        counts = {y: [out.at((indicator, HARMONISED, table, y, known, n)) for n in names] for y, _, known in broken.owns}
        for year, _, known in broken.owns:
            own = out.at((indicator, HARMONISED, OFFENCE, year, known, "trafficking"))
            out.add({own: 1.0, **dict.fromkeys(counts[year], -1.0)}, 0, 0)
            if table in ("sex", "age_group"):
                _cross(out, indicator, table, year, known, names, policy)
        for joined, value in broken.printed.cells:
            out.add({counts[y][names.index(c)]: 1.0 for y in counts for c in joined}, value, value)
    for address, crossed in cubes[-1][1].items():
        if address[0] != indicator or address[2] != CROSS or not crossed.cells:
            continue
        knowns = {b.address[3]: b for b in learnt.broken if b.address[0] == indicator and b.address[2] == "sex"}
        window = knowns.get(address[3])
        years = [(y, k) for b in ([window] if window else [knowns[y] for y in years_of(address[3])]) for y, _, k in b.owns]
        for joined, value in crossed.cells:
            out.add({out.at((indicator, HARMONISED, CROSS, y, k, c)): 1.0 for y, k in years for c in joined}, value, value)
    for line in (b for b in learnt.bridges if b.indicator == indicator):
        causes = {c: out.at((indicator, "bridge", "bridge", line.year, line.known, c), True) for c in (*line.shown, *line.joined)}
        for cause, n in line.shown.items():
            out.add({causes[cause]: 1.0}, n, n)
        out.add({causes[c]: 1.0 for c in line.joined}, line.rest, line.rest)
    return out


def _cross(out: Equations, indicator: str, table: str, year: str, known: str, names: tuple[str, ...], policy: Policy) -> None:
    if CROSS not in policy.tables[indicator]:
        return
    for name in names:
        terms = {out.at((indicator, HARMONISED, table, year, known, name)): -1.0}
        for cell in policy.names(indicator, HARMONISED, CROSS):
            if cell.split("|")[table == "age_group"] == name:
                terms[out.at((indicator, HARMONISED, CROSS, year, known, cell))] = 1.0
        out.add(terms, 0, 0)


class Programme:
    """Least and most of sums of counts."""

    def __init__(self, said: Equations) -> None:
        self.said = said
        self.solver = highspy.Highs()
        self.solver.silent()
        self.solver.setOptionValue("presolve", "off")
        n = len(said.counts)
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = n, len(said.rows)
        lp.col_cost_ = np.zeros(n)
        lp.col_lower_, lp.col_upper_ = np.array(said.lower), np.array(said.upper)
        lp.row_lower_ = np.array([r[1] for r in said.rows], float)
        lp.row_upper_ = np.array([r[2] for r in said.rows], float)
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        lp.a_matrix_.start_ = np.cumsum([0, *(len(r[0]) for r in said.rows)])
        lp.a_matrix_.index_ = np.array([i for r in said.rows for i in r[0]])
        lp.a_matrix_.value_ = np.array([v for r in said.rows for v in r[0].values()])
        self.solver.passModel(lp)

    def end(self, terms: Sequence[int], sign: int) -> float | None:
        """The least (1) or most (-1) of a sum; nothing fits: None."""
        for i in terms:
            self.solver.changeColCost(i, float(sign))
        self.solver.run()
        fits = self.solver.getModelStatus() == highspy.HighsModelStatus.kOptimal
        value = sign * self.solver.getInfo().objective_function_value if fits else None
        for i in terms:
            self.solver.changeColCost(i, 0.0)
        return value

    def width(self, terms: Sequence[int]) -> tuple[int, int] | None:
        """Least and most whole number of a sum."""
        low, high = self.end(terms, 1), self.end(terms, -1)
        if low is None or high is None:
            return None
        return int(np.ceil(low - 1e-6)), int(np.floor(high + 1e-6))

    def knowing(self, terms: Sequence[int], persons: dict[int, int]) -> tuple[int, int] | None:
        """The same for somebody who knows some of those counted."""
        for i, m in persons.items():
            self.solver.changeColBounds(i, float(m), self.said.upper[i])
        out = self.width(terms)
        for i in persons:
            self.solver.changeColBounds(i, self.said.lower[i], self.said.upper[i])
        return out
