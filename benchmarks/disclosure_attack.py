"""What do intruders learn from releases, and how many figures are shown?

    python -m benchmarks disclosure_attack --populations 500 [--first SEED] [--again 40] [--second 20] [--out FILE]

Each simulated population is released four times, with revisions, by the code of `harmonia release create`, then attacked: by enumeration
and by the integer programme over all releases, by the public and by an intruder who knows up to three persons. `--again N`: for N
populations all releases are computed again from every other table that fits, until three values of each hidden cell are found that
publish identically. `--second N`: bounds of N populations are solved again by CP-SAT. Also: how sure a guess is, institutions with a part
of the records.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import disclosure_replay
from benchmarks.disclosure_populations import RELEASES, SIZES, World
from harmonia.errors import HarmoniaError
from warehouse.count import meanings_of_bridge_causes
from warehouse.disclosure.policy import SHIPPED
from warehouse.disclosure.programme import HARMONISED, SEX_AGE, TOTAL, Programme, TableKey, list_years_of_window, parse_programme
from warehouse.disclosure.protect import (
    PublishedTables,
    ReleaseInputs,
    find_release_counted_by_breakdowns_of_year,
    find_tables_first_published_with,
    list_breakdowns_due,
    make_tables_of_release,
)
from warehouse.disclosure_risk import enumeration, integer_programme
from warehouse.disclosure_risk.intruder import IntruderKnowledge, ObservedTableName, list_protected_cells
from warehouse.releases import cube
from warehouse.releases.bridge import make_rows_of_published_bridge
from warehouse.releases.exact import BRIDGE
from warehouse.releases.risk_check import ReleasesToCheck, collect_public_knowledge, collect_true_counts_of_tables, refuse_new_disclosures


def simulated_programme() -> Programme:
    """Return the shipped programme of the indicators that are simulated."""
    programme = parse_programme(yaml.safe_load(SHIPPED.read_text("utf-8")))
    return replace(programme, indicators={code: programme.indicators[code] for code in SIZES}, public_already=())


@dataclass
class ReleasedPopulation:
    """All releases of one population: the last one's inputs, what each published, the bridge of the last."""

    inputs: ReleaseInputs
    history: list[PublishedTables]
    bridge: pd.DataFrame
    refused: int


def release_population(world: World, programme: Programme) -> ReleasedPopulation:
    """Release a population four times, as `harmonia release create` does."""
    exact: dict[str, dict[TableKey, tuple[int, ...] | None]] = {}
    history: list[PublishedTables] = []
    bridge = pd.DataFrame(columns=cube.BRIDGE_SCHEMA.names)
    refused = 0
    for release in RELEASES:
        exact[release] = world.exact(programme, release)
        inputs = ReleaseInputs(programme, release, date.fromisoformat(release), dict(exact), tuple(history))
        tables = make_tables_of_release(inputs)
        lines = make_rows_of_published_bridge(programme, tables, inputs.exact, bridge, release)
        try:
            refuse_new_disclosures(ReleasesToCheck(inputs, tables, lines))
        except HarmoniaError:
            refused += 1
            continue
        history.append(tables)
        bridge = lines
    return ReleasedPopulation(replace(inputs, history=tuple(history[:-1])), history, bridge, refused)


class Recomputation:
    """The whole program, run again on the releases of one population with other counts of one table."""

    def __init__(self, population: ReleasedPopulation) -> None:
        self.history, self.bridge, self.inputs = population.history, population.bridge, population.inputs
        days = [
            day
            for day in RELEASES
            if any(day in (p.source_release, p.first_release) for tables in population.history for p in tables.values())
        ]
        self.days = days if len(days) == len(population.history) else []
        self.runs = 0

    def __call__(self, name: ObservedTableName, counts: np.ndarray) -> bool:
        """Whether everything is published as it was."""
        self.runs += 1
        key, code = TableKey(*name), name.indicator
        exact = {day: {k: v for k, v in self.inputs.exact[day].items() if k.indicator == code} for day in self.days}
        if not self._replace_counts(exact, key, counts):
            return False
        programme = replace(self.inputs.programme, indicators={code: self.inputs.programme.indicators[code]})
        history: list[PublishedTables] = []
        bridge = pd.DataFrame(columns=cube.BRIDGE_SCHEMA.names)
        for day, published in zip(self.days, self.history, strict=True):
            known = {release: exact[release] for release in self.days if release <= day}
            inputs = ReleaseInputs(programme, day, date.fromisoformat(day), known, tuple(history))
            history.append(make_tables_of_release(inputs))
            if history[-1] != {k: table for k, table in published.items() if k.indicator == code}:
                return False
            bridge = make_rows_of_published_bridge(programme, history[-1], inputs.exact, bridge, day) if key.table == BRIDGE else bridge
        lines = self.bridge[self.bridge["indicator"] == code]
        return key.table != BRIDGE or bridge.to_dict("list") == lines.to_dict("list")

    def _replace_counts(self, exact: dict[str, dict[TableKey, tuple[int, ...] | None]], key: TableKey, counts: np.ndarray) -> bool:
        """Replace the counts that the published table `key` is made of; those of a window are spread over its years."""
        tables = self.history[-1]
        if "/" not in key.period:
            source = self._bridge_source(ObservedTableName(*key)) if key.table == BRIDGE else tables[key].source_release
            exact[source][key] = tuple(counts.tolist())
            return True
        first_tables = find_tables_first_published_with(self.inputs, key, tables)
        change = counts - np.array(list(self.truth[ObservedTableName(*key)].values()))
        for year in list_years_of_window(key.period):
            source, year_key = (
                find_release_counted_by_breakdowns_of_year(self.inputs, key.indicator, year, first_tables),
                key._replace(period=year),
            )
            current = np.array(exact[source][year_key])
            if key.table == SEX_AGE:  # as many steps as the year can hold: its sums by sex and by age stay
                steps = max(1, int(np.abs(change).max()))
                possible = [n for n in range(steps + 1) if (current + change // steps * n >= 0).all()]
                moved = change // steps * possible[-1]
            else:
                moved = np.maximum(change, -current)
                while moved.sum() > 0:
                    moved[np.argmax(moved)] -= 1
                while moved.sum() < 0:
                    moved[np.argmin(moved)] += 1
            exact[source][year_key] = tuple((current + moved).tolist())
            change = change - moved
        return not change.any()

    def _bridge_source(self, name: ObservedTableName) -> str:
        """The release whose records a year's bridge counts: that of its published lines, which a later total does not change."""
        lines = self.bridge[(self.bridge["indicator"] == name.indicator) & (self.bridge["period"] == name.of)]
        own = TableKey(name.indicator, HARMONISED, TOTAL, name.of)
        return str(lines["known"].iloc[0]) if len(lines) else self.history[-1][own].source_release

    @cached_property
    def truth(self) -> dict[ObservedTableName, dict[str, int]]:
        """The exact counts of every published table."""
        found = collect_true_counts_of_tables(self.inputs, self.history[-1])
        for name in (n for n in found if n.table == BRIDGE):
            counts = self.inputs.exact[self._bridge_source(name)][TableKey(*name)]
            assert counts, f"a bridge of {name.of} is counted"
            found[name] = dict(zip(meanings_of_bridge_causes(), counts, strict=True))
        return found


def knowledge_after(population: ReleasedPopulation) -> IntruderKnowledge:
    """What an outsider knows after all releases."""
    return collect_public_knowledge(ReleasesToCheck(population.inputs, population.history[-1], population.bridge))


def attack(population: ReleasedPopulation, tally: Counter[str], recompute: bool = True) -> IntruderKnowledge:
    """Attack all releases of a population; adds to `tally`."""
    knowledge, truth = knowledge_after(population), collect_true_counts_of_tables(population.inputs, population.history[-1])
    for name, printed in knowledge.latest.items():
        if name in truth and printed.status != "no_delivery":
            tally["protected"] += len(list_protected_cells(knowledge, name, printed, truth[name]))
    tally["bridges"] += len(population.bridge[["indicator", "period"]].drop_duplicates())
    tally["causes printed"] += int((population.bridge["status"] == "shown").sum())
    disclosures = enumeration.find_disclosures_by_enumeration(knowledge, truth) + enumeration.find_bridge_disclosures(knowledge, truth)
    disclosures += integer_programme.find_disclosures_by_integer_programme(knowledge, truth, SIZES)
    if recomputation := Recomputation(population) if recompute else None:
        disclosures += disclosure_replay.find_disclosures(knowledge, recomputation.truth, recomputation)
        tally["releases made again with another table"] += recomputation.runs
    for disclosure in disclosures:
        kind = (
            "uniform"
            if disclosure.cell == "uniform"
            else "difference"
            if disclosure.intruder == "difference"
            else "recovered"
            if disclosure.possible_values <= 1
            else "narrow"
        )
        tally[f"{kind} ({disclosure.method}, {disclosure.intruder})"] += 1
    tally["differences"] += small_differences(population.history)
    return knowledge


def small_differences(history: list[PublishedTables]) -> int:
    """Figures of one table, or its total, that two releases publish with a difference of 1 to 4."""
    found = 0
    for n, newer in enumerate(history):
        for older in history[:n]:
            for key in newer.keys() & older.keys():
                a, b = dict(newer[key].cells), dict(older[key].cells)
                found += sum(0 < abs(a[c] - b[c]) < 5 for c in a.keys() & b.keys())
                same = {part for cell in a for part in cell.split("+")} == {part for cell in b for part in cell.split("+")}
                found += bool(same and 0 < abs(sum(a.values()) - sum(b.values())) < 5)
    return found


def count_published_cells(population: ReleasedPopulation, tally: Counter[str]) -> None:
    """Programme cells of 5 and more, and those published exactly: by indicator and table."""
    inputs, tables = population.inputs, population.history[-1]
    for code in inputs.programme.indicators:
        years = sorted({k.period for k in inputs.current_counts if k.indicator == code})
        due = [TableKey(code, HARMONISED, t, y) for y in years for t in (TOTAL, "offence_group")] + list_breakdowns_due(
            inputs, code, tables
        )
        for key in due:
            counts = counts_when_published(inputs, key, tables)
            if key.table == TOTAL and key in tables and tables[key].cells:
                tally["year totals"] += 1
                tally["year totals that wait for a difference of 5"] += tables[key].cells[0][1] != (inputs.current_counts[key] or (0,))[0]
            published = dict(tables[key].cells) if key in tables else {}
            for cell, value in zip(inputs.programme.cells(key), counts, strict=True):
                if value >= 5:
                    tally[f"large {code} {key.table}"] += 1
                    tally[f"shown {code} {key.table}"] += published.get(cell) == value


def counts_when_published(inputs: ReleaseInputs, key: TableKey, tables: PublishedTables) -> tuple[int, ...]:
    """The figures as known in the release whose records the table counts, or would have counted."""
    table, years = tables.get(key), list_years_of_window(key.period)
    release = table.source_release if table else inputs.release
    yearly = [inputs.exact[release].get(key._replace(period=y)) or inputs.current_counts[key._replace(period=y)] for y in years]
    if (table and key.table == SEX_AGE) or "/" in key.period:
        base = "sex" if key.table == SEX_AGE else "offence_group"
        bases = [tables.get(key._replace(table=base, period=y)) for y in years]
        yearly = [inputs.exact[b.source_release if b else release][key._replace(period=y)] for b, y in zip(bases, years, strict=True)]
    return tuple(sum(values) for values in zip(*(counts for counts in yearly if counts), strict=True))


def guess_and_compare(population: ReleasedPopulation, knowledge: IntruderKnowledge, tally: Counter[str]) -> None:
    """The replay's best guesses, and institutions with 60 % and 90 % of the records."""
    truth = collect_true_counts_of_tables(population.inputs, population.history[-1])
    rng = np.random.default_rng(7)
    for candidates in disclosure_replay.candidate_tables(knowledge, truth):
        expected = disclosure_replay.prior_shares(knowledge, candidates.name) if candidates.name.measure == HARMONISED else None
        if expected is not None:
            guesses = disclosure_replay.best_guesses(candidates, expected)
            certain, right = disclosure_replay.confident_guesses(guesses)
            tally["replayed cells"] += len(guesses)
            tally["replay: a guess of 90 % and more"] += certain
            tally["replay: such a guess is right"] += right
        for share in (0.6, 0.9):
            own_records = {c: int(rng.binomial(n, share)) for c, n in zip(candidates.cells, candidates.truth.tolist(), strict=True)}
            left = disclosure_replay.values_left_to_institution(candidates, own_records)
            tally[f"institution with {share:.0%}: cells"] += len(left)
            tally[f"institution with {share:.0%}: recovered"] += sum(n == 1 for n in left.values())
            tally[f"institution with {share:.0%}: fewer than 3 values"] += sum(n < 3 for n in left.values())


def compare_solvers(knowledge: IntruderKnowledge, tally: Counter[str]) -> None:
    """The bounds of HiGHS against those of CP-SAT, for every variable of one indicator."""
    from benchmarks.disclosure_second_solver import ranges

    for indicator in SIZES:
        constraints = integer_programme.make_constraints_of_releases(knowledge, indicator)
        solver = integer_programme.IntegerProgrammeSolver(constraints)
        second_ranges = ranges(constraints)
        for variable in constraints.variables:
            tally["second solver: intervals"] += 1
            tally["second solver: agree"] += solver.possible_range({variable: 1}) == second_ranges[variable]


def run(populations: int, solved_twice: int, first: int = 0, recomputed: int = 0) -> dict[str, object]:
    """All measures over so many populations."""
    programme, tally, begun = simulated_programme(), Counter[str](), time.process_time()
    for seed in range(first, first + populations):
        world = World(seed)
        population = release_population(world, programme)
        tally["refused"] += population.refused
        knowledge = attack(population, tally, recompute=seed - first < recomputed)
        count_published_cells(population, tally)
        guess_and_compare(population, knowledge, tally)
        if seed - first < solved_twice:
            compare_solvers(knowledge, tally)
    return report(tally, populations, time.process_time() - begun)


def report(tally: Counter[str], populations: int, seconds: float) -> dict[str, object]:
    """The tally with shares."""
    large = {k.split(" ", 1)[1]: n for k, n in tally.items() if k.startswith("large ")}
    out: dict[str, object] = {k: n for k, n in sorted(tally.items()) if not k.startswith(("large ", "shown "))}
    for code in (*SIZES, ""):
        mine = [k for k in large if k.startswith(code)]
        total = sum(large[k] for k in mine)
        out[f"shown, {code or 'all'}"] = (
            f"{sum(tally['shown ' + k] for k in mine)} of {total} = {sum(tally['shown ' + k] for k in mine) / max(total, 1):.1%}"
        )
    out["by table"] = {k: f"{tally['shown ' + k] / n:.1%} of {n}" for k, n in sorted(large.items())}
    return {"populations": populations, **out, "CPU seconds": round(seconds, 1)}


def main() -> None:
    """Run and print."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--populations", type=int, default=500)
    options.add_argument("--first", type=int, default=0, help="seed of the first population")
    options.add_argument("--again", type=int, default=0)
    options.add_argument("--second", type=int, default=0)
    options.add_argument("--out", type=Path)
    chosen = options.parse_args()
    found = json.dumps(run(chosen.populations, chosen.second, chosen.first, chosen.again), indent=1)
    print(found)
    if chosen.out:
        chosen.out.write_text(found + "\n", "utf-8")


if __name__ == "__main__":
    main()
