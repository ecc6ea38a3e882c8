"""The intruder who combines everything: one integer programme per indicator over all releases and what others published.

Belongs here: the programme and the bounds that it leaves for every cell. Does not belong here: the merging rule (`enumeration`).
Unknowns: the true counts: offence groups of each year as known in each release, harmonised and as reported; each year's breakdowns, with
sex × age if they are pooled; windows. Constraints: all published sums; quarters and categories add up; a total published as small is small;
a part is reported at least as often as it counts if that is true for its totals; what others published unless it contradicts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from warehouse.attackers.known import ACROSS, VALUES, Knowledge, Learnt, Printed, Table, protected

Variable = tuple[str, ...]
NAME = "integer programme"
MOST = 100_000
_LITTLE = 1e-6


@dataclass
class Programme:
    """Linear constraints over named whole numbers: each row is ({variable: factor}, least, most)."""

    names: dict[Variable, int] = field(default_factory=dict)
    rows: list[tuple[dict[int, int], float, float]] = field(default_factory=list)

    def add(self, terms: Iterable[tuple[Variable, int]], least: float, most: float) -> None:
        """Add a constraint; new variables are created."""
        row: dict[int, int] = {}
        for variable, factor in terms:
            at = self.names.setdefault(variable, len(self.names))
            row[at] = row.get(at, 0) + factor
        self.rows.append((row, least, most))


def build(knowledge: Knowledge, indicator: str, *, reported: bool = True) -> Programme:
    """The constraints that the releases put on one indicator; `reported`: assume that no part counts more than is reported."""
    out = Programme()
    for n, release in enumerate(knowledge.releases):
        mine = {name: printed for name, printed in release.items() if name.indicator == indicator}
        earlier = knowledge.releases[n - 1] if n else {}
        for name, printed in mine.items():
            if n == 0 or name not in earlier or printed.says != earlier[name].says:
                _table(out, knowledge, name, printed, mine)
                if reported and name.table == "offence_group":
                    _reported(out, name, printed, mine)
    return out


def variable(name: Table, printed: Printed, cell: str) -> Variable:
    """The unknown of a cell. Offence groups and totals differ by release; breakdowns are published once."""
    edition = printed.edition if name.table in ("total", "offence_group") else ""
    return (*name, edition, cell)


def _table(out: Programme, knowledge: Knowledge, name: Table, printed: Printed, mine: Mapping[Table, Printed]) -> None:
    if printed.status == "no_delivery":
        return
    if name.table == "total":
        low, high = (printed.blocks[0][1],) * 2 if printed.blocks else (0, printed.limit - 1 if printed.limit else MOST)
        out.add([(variable(name, printed, "total"), 1)], low, high)
        return
    cells = knowledge.categories(name)
    for block, value in printed.blocks:
        out.add([(variable(name, printed, cell), 1) for cell in block], value, value)
    if name.table == "offence_group":
        total = (variable(name._replace(table="total"), printed, "total"), -1)
        out.add([*((variable(name, printed, cell), 1) for cell in cells), total], 0, 0)
        return
    years = [str(y) for y in range(int(name.of[:4]), int(name.of[-4:]) + 1)]
    if name.table == "sex_age_group":
        _pooled(out, knowledge, name, printed, mine)
        return
    # Trafficking of the years as known in the release whose records the breakdown counts; unknown if a year's total is too small.
    whole = [_trafficking(knowledge, name._replace(table="offence_group", of=year), printed.known) for year in years]
    open_ended = None in whole
    terms = [(variable(name, printed, cell), 1) for cell in cells] + [(part, -1) for part in whole if part]
    out.add(terms, 0, MOST if open_ended else 0)


def _trafficking(knowledge: Knowledge, offence: Table, known: str) -> Variable | None:
    """The unknown of trafficking in a year, from the newest figures not newer than `known`; None if no release broke the year down."""
    at = [release[offence] for release in knowledge.releases if offence in release]
    fit = [printed for printed in at if printed.known <= known] or at
    return variable(offence, fit[-1], "trafficking") if fit else None


def _reported(out: Programme, name: Table, printed: Printed, mine: Mapping[Table, Printed]) -> None:
    """Counted parts do not exceed reported parts, if that is true for the totals."""
    other = mine.get(name._replace(measure="as_reported"))
    ours, theirs = (mine.get(name._replace(table="total", measure=m)) for m in ("harmonised", "as_reported"))
    if name.measure != "harmonised" or not other or not ours or not theirs or not ours.blocks or not theirs.blocks:
        return
    if ours.blocks[0][1] <= theirs.blocks[0][1]:
        reported = name._replace(measure="as_reported")
        out.add([(variable(name, printed, "trafficking"), 1), (variable(reported, other, "trafficking"), -1)], -MOST, 0)


def _pooled(out: Programme, knowledge: Knowledge, name: Table, printed: Printed, mine: Mapping[Table, Printed]) -> None:
    """Sex × age of each year (or of the window) adds up to the tables by sex and by age, and over the years to the pooled one."""
    cells = [cell.split(ACROSS) for cell in knowledge.categories(name)]
    whole = name._replace(table="sex") in mine
    years = [name.of] if whole else [str(y) for y in range(int(name.of[:4]), int(name.of[-4:]) + 1)]
    for year, (side, table) in product(years, enumerate(("sex", "age_group"))):
        yearly = name._replace(table=table, of=year)
        for category in {cell[side] for cell in cells}:
            part = [((*name, year, ACROSS.join(cell)), 1) for cell in cells if cell[side] == category]
            out.add([*part, ((*yearly, "", category), -1)], 0, 0)
    for cell in cells:
        crossed = ACROSS.join(cell)
        out.add([*(((*name, year, crossed), 1) for year in years), (variable(name, printed, crossed), -1)], 0, 0)


class Solver:
    """HiGHS over a programme: exact minimum and maximum of a variable; a fractional solution is solved again with integers."""

    def __init__(self, programme: Programme) -> None:
        import highspy
        from highspy.highs import _Highs  # highspy.Highs prints a banner on creation, whatever its options

        self._highs = _Highs()
        self._highs.setOptionValue("output_flag", False)
        self._highs.setOptionValue("threads", 1)
        self._kinds = highspy
        self.programme = programme
        size = len(programme.names)
        self._highs.addVars(size, np.zeros(size), np.full(size, float(MOST)))
        for row, least, most in programme.rows:
            self._highs.addRow(least, most, len(row), np.array(list(row), dtype=np.int32), np.array(list(row.values()), dtype=np.float64))
        self._aim: list[int] = []

    def feasible(self) -> bool:
        """Whether the constraints can be satisfied."""
        self._objective({}, 1)
        self._highs.run()
        return bool(self._highs.getModelStatus() == self._kinds.HighsModelStatus.kOptimal)

    def bound(self, variable: Variable, least: float, most: float) -> None:
        """Set the bounds of a variable."""
        self._highs.changeColBounds(self.programme.names[variable], least, most)

    def range(self, terms: Mapping[Variable, int]) -> tuple[int, int]:
        """Minimum and maximum of a sum of variables."""
        at = {self.programme.names[v]: f for v, f in terms.items()}
        return self._solve(at, 1), self._solve(at, -1)

    def _objective(self, terms: Mapping[int, int], sign: int) -> None:
        for column in self._aim:
            self._highs.changeColCost(column, 0.0)
        for column, factor in terms.items():
            self._highs.changeColCost(column, float(sign * factor))
        self._aim = list(terms)

    def _solve(self, terms: Mapping[int, int], sign: int) -> int:
        self._objective(terms, sign)
        self._highs.run()
        values = np.array(self._highs.getSolution().col_value)
        if np.abs(values - values.round()).max() > _LITTLE:
            values = self._whole()
        return round(sum(factor * float(values[column]) for column, factor in terms.items()))

    def _whole(self) -> np.ndarray:
        size = len(self.programme.names)
        every = np.arange(size, dtype=np.int32)
        self._highs.changeColsIntegrality(size, every, np.full(size, self._kinds.HighsVarType.kInteger))
        self._highs.run()
        values = np.array(self._highs.getSolution().col_value)
        self._highs.changeColsIntegrality(size, every, np.full(size, self._kinds.HighsVarType.kContinuous))
        return values


def _assume_published(knowledge: Knowledge, solver: Solver, indicator: str) -> None:
    """Assume what others published, statement by statement, unless it contradicts."""
    for said in knowledge.already:
        name = Table(indicator, "harmonised", str(said["table"]), str(said["period"]))
        printed = knowledge.last.get(name)
        if said["indicator"] != indicator or printed is None:
            continue
        unknown = variable(name, printed, str(said["category"]))
        if unknown not in solver.programme.names:
            continue
        solver.bound(unknown, said.get("value", said.get("at_least", 0)), said.get("value", said.get("at_most", MOST)))
        if not solver.feasible():
            solver.bound(unknown, 0, MOST)


def attack(
    knowledge: Knowledge, truth: Mapping[Table, Mapping[str, int]], indicators: Iterable[str], only: frozenset[Table] | None = None
) -> list[Learnt]:
    """What the public, and those who know persons, can infer about the latest release's tables from all releases together.

    truth: the exact counts of each table. Known persons are, in turn, those of the cell itself and those of each other cell
    merged with it.
    """
    out: list[Learnt] = []
    for indicator in indicators:
        programme = build(knowledge, indicator)
        if not programme.names:
            continue
        solver = Solver(programme)
        if not solver.feasible():
            solver = Solver(build(knowledge, indicator, reported=False))
        if not solver.feasible():
            raise ValueError(f"the published figures of {indicator} contradict each other")
        _assume_published(knowledge, solver, indicator)
        for name, printed in knowledge.last.items():
            if name.indicator == indicator and name in truth and (only is None or name in only) and printed.status != "no_delivery":
                out += _table_learnt(knowledge, solver, name, printed, truth[name])
        out += _differences(knowledge, solver, indicator)
    return out


def _table_learnt(knowledge: Knowledge, solver: Solver, name: Table, printed: Printed, truth: Mapping[str, int]) -> list[Learnt]:
    out = []
    persons = knowledge.persons[name.indicator]
    for cell in protected(knowledge, name, printed, truth):
        unknown = variable(name, printed, cell)
        if unknown not in solver.programme.names:
            continue
        least, most = solver.range({unknown: 1})
        found = [("public", most - least + 1)]
        own = min(persons, truth[cell])  # known persons of the cell itself …
        found.append(("knows", most - max(least, own) + 1))
        beside = [c for block, _ in printed.blocks if cell in block for c in block if c != cell] or [c for c in truth if c != cell]
        if most - least + 1 - persons < VALUES:  # … or of those merged with it
            for other in beside:
                mate = variable(name, printed, other)
                solver.bound(mate, min(persons, truth[other]), MOST)
                low, high = solver.range({unknown: 1})
                solver.bound(mate, 0, MOST)
                found.append(("knows", high - low + 1))
        out += [Learnt(name, cell, n, who, NAME) for who, n in found if n < VALUES]
    return out


def _differences(knowledge: Knowledge, solver: Solver, indicator: str) -> list[Learnt]:
    """Tables printed differently by two releases: a difference of a cell, or of the total, that is certainly 1 to 4."""
    out = []
    for newer, older in zip(knowledge.releases[1:], knowledge.releases[:-1], strict=True):
        for name, now in newer.items():
            then = older.get(name)
            if name.indicator != indicator or then is None or then.says == now.says or "printed" not in (then.status, now.status):
                continue
            for cell in knowledge.categories(name):
                a, b = variable(name, now, cell), variable(name, then, cell)
                if a == b or a not in solver.programme.names or b not in solver.programme.names:
                    continue
                least, most = solver.range({a: 1, b: -1})
                if least == most and 0 < abs(least) < knowledge.step:
                    out.append(Learnt(name, cell, 1, "difference", NAME))
    return out
