"""Attack by an intruder who combines everything: one integer programme for each indicator, with all releases and the figures that others
published.

Belongs here: the integer programme, and the smallest and largest possible value of every cell. Does not belong here: the merging rule
(`enumeration`). The variables are the true counts: of the offence groups of each year as known in each release, harmonised and as reported;
of each year's breakdowns, with sex × age by year; and of windows. The constraints are: the published sums; quarters and categories add up
to their totals; a total of which only an upper limit is published is below the limit; if the total of a year as reported is not smaller
than the harmonised total, the same is assumed of the leading group; and what others published, unless it contradicts these constraints.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from warehouse.disclosure_risk.intruder import (
    CROSS_SEPARATOR,
    MIN_POSSIBLE_VALUES,
    Disclosure,
    IntruderKnowledge,
    ObservedTable,
    ObservedTableName,
    TrueCounts,
    list_protected_cells,
    list_years_of_window,
)

Variable = tuple[str, ...]
METHOD = "integer programme"
MAX_COUNT = 100_000
_INTEGRALITY_TOLERANCE = 1e-6


@dataclass
class LinearConstraints:
    """Linear constraints on variables that are whole numbers.

    variables: the column number of each variable. rows: the constraints; each consists of the factor of each column, and the minimum and
    maximum of the sum.
    """

    variables: dict[Variable, int] = field(default_factory=dict)
    rows: list[tuple[dict[int, int], float, float]] = field(default_factory=list)

    def add(self, terms: Iterable[tuple[Variable, int]], minimum: float, maximum: float) -> None:
        """Add a constraint; new variables are created."""
        row: dict[int, int] = {}
        for variable, factor in terms:
            column = self.variables.setdefault(variable, len(self.variables))
            row[column] = row.get(column, 0) + factor
        self.rows.append((row, minimum, maximum))


def make_constraints_of_releases(knowledge: IntruderKnowledge, indicator: str, *, parts_are_reported: bool = True) -> LinearConstraints:
    """Return the constraints that the releases put on one indicator.

    parts_are_reported: whether to assume that the harmonised figure of no part of a total is larger than its figure as reported.
    """
    constraints = LinearConstraints()
    for n, release in enumerate(knowledge.releases):
        tables = {name: observed for name, observed in release.items() if name.indicator == indicator}
        earlier = knowledge.releases[n - 1] if n else {}
        for name, observed in tables.items():
            if n == 0 or name not in earlier or observed.content != earlier[name].content:
                _add_constraints_of_table(constraints, knowledge, name, observed, tables)
                if parts_are_reported and name.table == "offence_group":
                    _add_constraint_on_reported_part(constraints, knowledge.leading, name, observed, tables)
    return constraints


def find_variable_of_cell(name: ObservedTableName, observed: ObservedTable, cell: str) -> Variable:
    """Return the variable of a cell. A cell of a total or of a table by offence has a variable for each release that changed the table; a
    cell of a breakdown, which is published only once, has one variable."""
    release = observed.first_release if name.table in ("total", "offence_group") else ""
    return (*name, release, cell)


def _add_constraints_of_table(
    constraints: LinearConstraints,
    knowledge: IntruderKnowledge,
    name: ObservedTableName,
    observed: ObservedTable,
    tables: Mapping[ObservedTableName, ObservedTable],
) -> None:
    if observed.status == "no_delivery":
        return
    if name.table == "total":
        if observed.blocks:
            minimum = maximum = observed.blocks[0][1]
        else:
            minimum, maximum = 0, observed.limit - 1 if observed.limit else MAX_COUNT
        constraints.add([(find_variable_of_cell(name, observed, "total"), 1)], minimum, maximum)
        return
    cells = knowledge.categories(name)
    for block, value in observed.blocks:
        constraints.add([(find_variable_of_cell(name, observed, cell), 1) for cell in block], value, value)
    terms = [(find_variable_of_cell(name, observed, cell), 1) for cell in cells]
    if name.table == "offence_group":
        constraints.add([*terms, (find_variable_of_cell(name._replace(table="total"), observed, "total"), -1)], 0, 0)
        return
    if name.table == "sex_age_group":
        _add_constraints_of_sex_age(constraints, knowledge, name, observed, tables)
        return
    # The leading group of the years as known in the release whose records the breakdown counts; unknown if a year's total is too small.
    yearly = [
        _find_newest_variable_of_leading_group(knowledge, name._replace(table="offence_group", of=year), observed.source_release)
        for year in list_years_of_window(name.of)
    ]
    terms += [(leading, -1) for leading in yearly if leading]
    constraints.add(terms, 0, MAX_COUNT if None in yearly else 0)


def _find_newest_variable_of_leading_group(knowledge: IntruderKnowledge, offence_table: ObservedTableName, newest: str) -> Variable | None:
    """Return the variable of the leading group in a year, from the newest figures that count the records of the release `newest` or of an
    earlier one.

    Return None if no release published a table by offence of the year.
    """
    versions = [release[offence_table] for release in knowledge.releases if offence_table in release]
    candidates = [observed for observed in versions if observed.source_release <= newest] or versions
    return find_variable_of_cell(offence_table, candidates[-1], knowledge.leading) if candidates else None


def _add_constraint_on_reported_part(
    constraints: LinearConstraints,
    leading: str,
    name: ObservedTableName,
    observed: ObservedTable,
    tables: Mapping[ObservedTableName, ObservedTable],
) -> None:
    """Add the constraint that the harmonised figure of the leading group does not exceed its figure as reported, if this is true for the
    totals."""
    if name.measure != "harmonised":
        return
    reported_name = name._replace(measure="as_reported")
    reported = tables.get(reported_name)
    totals = [tables.get(n._replace(table="total")) for n in (name, reported_name)]
    values = [total.blocks[0][1] for total in totals if total and total.blocks]
    if reported and len(values) == 2 and values[0] <= values[1]:
        difference = [(find_variable_of_cell(name, observed, leading), 1), (find_variable_of_cell(reported_name, reported, leading), -1)]
        constraints.add(difference, -MAX_COUNT, 0)


def _add_constraints_of_sex_age(
    constraints: LinearConstraints,
    knowledge: IntruderKnowledge,
    name: ObservedTableName,
    observed: ObservedTable,
    tables: Mapping[ObservedTableName, ObservedTable],
) -> None:
    """Add the constraints of a table of sex × age: the cells of each year (or of the window) add up to the tables by sex and by age, and
    the years add up to the published table."""
    cells = [cell.split(CROSS_SEPARATOR) for cell in knowledge.categories(name)]
    years = [name.of] if name._replace(table="sex") in tables else list_years_of_window(name.of)
    for year, (side, table) in product(years, enumerate(("sex", "age_group"))):
        margin = name._replace(table=table, of=year)
        for category in {cell[side] for cell in cells}:
            parts = [((*name, year, CROSS_SEPARATOR.join(cell)), 1) for cell in cells if cell[side] == category]
            constraints.add([*parts, ((*margin, "", category), -1)], 0, 0)
    for cell in map(CROSS_SEPARATOR.join, cells):
        constraints.add([*(((*name, year, cell), 1) for year in years), (find_variable_of_cell(name, observed, cell), -1)], 0, 0)


class IntegerProgrammeSolver:
    """Finds the exact minimum and maximum of sums of variables under the constraints, with the library HiGHS. If the solution contains
    fractions, the problem is solved again with whole numbers only."""

    def __init__(self, constraints: LinearConstraints) -> None:
        import highspy
        from highspy.highs import _Highs  # highspy.Highs prints a banner on creation, whatever its options

        self._highs = _Highs()
        self._highs.setOptionValue("output_flag", False)
        self._highs.setOptionValue("threads", 1)
        self._highspy = highspy
        self.constraints = constraints
        size = len(constraints.variables)
        self._highs.addVars(size, np.zeros(size), np.full(size, float(MAX_COUNT)))
        for row, minimum, maximum in constraints.rows:
            columns, factors = np.array(list(row), dtype=np.int32), np.array(list(row.values()), dtype=np.float64)
            self._highs.addRow(minimum, maximum, len(row), columns, factors)
        self._objective_columns: list[int] = []

    def is_feasible(self) -> bool:
        """Return whether the constraints can be satisfied."""
        self._set_objective({}, 1)
        self._highs.run()
        return bool(self._highs.getModelStatus() == self._highspy.HighsModelStatus.kOptimal)

    def set_bounds(self, variable: Variable, minimum: float, maximum: float) -> None:
        """Set the bounds of a variable."""
        self._highs.changeColBounds(self.constraints.variables[variable], minimum, maximum)

    def possible_range(self, terms: Mapping[Variable, int]) -> tuple[int, int]:
        """Return the minimum and maximum of a sum of variables."""
        factors = {self.constraints.variables[variable]: factor for variable, factor in terms.items()}
        return self._find_optimum(factors, 1), self._find_optimum(factors, -1)

    def _set_objective(self, factors: Mapping[int, int], sign: int) -> None:
        for column in self._objective_columns:
            self._highs.changeColCost(column, 0.0)
        for column, factor in factors.items():
            self._highs.changeColCost(column, float(sign * factor))
        self._objective_columns = list(factors)

    def _find_optimum(self, factors: Mapping[int, int], sign: int) -> int:
        self._set_objective(factors, sign)
        self._highs.run()
        values = np.array(self._highs.getSolution().col_value)
        if np.abs(values - values.round()).max() > _INTEGRALITY_TOLERANCE:
            values = self._integer_solution()
        return round(sum(factor * float(values[column]) for column, factor in factors.items()))

    def _integer_solution(self) -> np.ndarray:
        size = len(self.constraints.variables)
        columns = np.arange(size, dtype=np.int32)
        self._highs.changeColsIntegrality(size, columns, np.full(size, self._highspy.HighsVarType.kInteger))
        self._highs.run()
        values = np.array(self._highs.getSolution().col_value)
        self._highs.changeColsIntegrality(size, columns, np.full(size, self._highspy.HighsVarType.kContinuous))
        return values


def _add_constraints_of_external_statements(knowledge: IntruderKnowledge, solver: IntegerProgrammeSolver, indicator: str) -> None:
    """Add the figures that others published as constraints, one statement after another. A statement that contradicts the earlier
    constraints is left out."""
    for statement in knowledge.external_statements:
        name = ObservedTableName(indicator, "harmonised", str(statement["table"]), str(statement["period"]))
        observed = knowledge.latest.get(name)
        if statement["indicator"] != indicator or observed is None:
            continue
        variable = find_variable_of_cell(name, observed, str(statement["category"]))
        if variable not in solver.constraints.variables:
            continue
        minimum = statement.get("value", statement.get("at_least", 0))
        maximum = statement.get("value", statement.get("at_most", MAX_COUNT))
        solver.set_bounds(variable, minimum, maximum)
        if not solver.is_feasible():
            solver.set_bounds(variable, 0, MAX_COUNT)


def find_disclosures_by_integer_programme(
    knowledge: IntruderKnowledge, truth: TrueCounts, indicators: Iterable[str], only_tables: frozenset[ObservedTableName] | None = None
) -> list[Disclosure]:
    """Find what the public, and intruders who know persons, can infer about the latest release's tables from all releases together.

    For each cell it is assumed first that the intruder knows persons in the cell itself; then, for each cell that is merged with it, that
    the intruder knows persons in that cell. only_tables: the tables to which the search is restricted. Raises `ValueError` if the published
    figures contradict each other.
    """
    disclosures: list[Disclosure] = []
    for indicator in indicators:
        constraints = make_constraints_of_releases(knowledge, indicator)
        if not constraints.variables:
            continue
        solver = IntegerProgrammeSolver(constraints)
        if not solver.is_feasible():
            solver = IntegerProgrammeSolver(make_constraints_of_releases(knowledge, indicator, parts_are_reported=False))
        if not solver.is_feasible():
            raise ValueError(f"the published figures of {indicator} contradict each other")
        _add_constraints_of_external_statements(knowledge, solver, indicator)
        for name, observed in knowledge.latest.items():
            is_included = name.indicator == indicator and name in truth and (only_tables is None or name in only_tables)
            if is_included and observed.status != "no_delivery":
                disclosures += _find_cells_with_too_few_values(knowledge, solver, name, observed, truth[name])
        disclosures += _find_small_differences(knowledge, solver, indicator)
    return disclosures


def _find_cells_with_too_few_values(
    knowledge: IntruderKnowledge,
    solver: IntegerProgrammeSolver,
    name: ObservedTableName,
    observed: ObservedTable,
    true_counts: Mapping[str, int],
) -> list[Disclosure]:
    """Find the protected cells of a table with too few possible values."""
    disclosures = []
    known_persons = knowledge.known_persons[name.indicator]
    for cell in list_protected_cells(knowledge, name, observed, true_counts):
        variable = find_variable_of_cell(name, observed, cell)
        if variable not in solver.constraints.variables:
            continue
        minimum, maximum = solver.possible_range({variable: 1})
        known_of_cell = min(known_persons, true_counts[cell])
        possible_values = [("public", maximum - minimum + 1), ("knows", maximum - max(minimum, known_of_cell) + 1)]
        if maximum - minimum + 1 - known_persons < MIN_POSSIBLE_VALUES:
            merged_with = [c for block, _ in observed.blocks if cell in block for c in block if c != cell]
            for other in merged_with or [c for c in true_counts if c != cell]:
                other_variable = find_variable_of_cell(name, observed, other)
                solver.set_bounds(other_variable, min(known_persons, true_counts[other]), MAX_COUNT)
                low, high = solver.possible_range({variable: 1})
                solver.set_bounds(other_variable, 0, MAX_COUNT)
                possible_values.append(("knows", high - low + 1))
        disclosures += [Disclosure(name, cell, n, intruder, METHOD) for intruder, n in possible_values if n < MIN_POSSIBLE_VALUES]
    return disclosures


def _find_small_differences(knowledge: IntruderKnowledge, solver: IntegerProgrammeSolver, indicator: str) -> list[Disclosure]:
    """Find the cells of which a reader of two successive releases can infer that they differ by a certain small number, less than
    `min_difference`."""
    disclosures = []
    for newer, older in zip(knowledge.releases[1:], knowledge.releases[:-1], strict=True):
        for name, new in newer.items():
            old = older.get(name)
            if name.indicator != indicator or old is None or old.content == new.content or "published" not in (old.status, new.status):
                continue
            for cell in knowledge.categories(name):
                variables = find_variable_of_cell(name, new, cell), find_variable_of_cell(name, old, cell)
                if variables[0] == variables[1] or not solver.constraints.variables.keys() >= set(variables):
                    continue
                minimum, maximum = solver.possible_range({variables[0]: 1, variables[1]: -1})
                if minimum == maximum and 0 < abs(minimum) < knowledge.min_difference:
                    disclosures.append(Disclosure(name, cell, 1, "difference", METHOD))
    return disclosures
