"""A second solver for the bounds of the integer programme: OR-tools' CP-SAT, which shares no code with HiGHS."""

from __future__ import annotations

from ortools.sat.python import cp_model

from warehouse.disclosure_risk.integer_programme import MAX_COUNT, LinearConstraints, Variable


def ranges(constraints: LinearConstraints) -> dict[Variable, tuple[int, int]]:
    """Least and most of every variable, each proven."""
    model = cp_model.CpModel()
    columns = [model.new_int_var(0, MAX_COUNT, str(n)) for n in range(len(constraints.variables))]
    for row, least, most in constraints.rows:
        model.add_linear_constraint(sum(factor * columns[n] for n, factor in row.items()), int(least), int(most))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    out = {}
    for variable, n in constraints.variables.items():
        ends = []
        for aim in (model.minimize, model.maximize):
            aim(columns[n])
            assert solver.solve(model) == cp_model.OPTIMAL
            ends.append(round(solver.objective_value))
        out[variable] = (ends[0], ends[1])
    return out
