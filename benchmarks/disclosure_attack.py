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
from warehouse.count import causes
from warehouse.disclosure.policy import SHIPPED
from warehouse.disclosure.programme import HARMONISED, SEX_AGE, TOTAL, Programme, TableKey, parse_programme, years_in
from warehouse.disclosure.protect import PublishedTables, ReleaseInputs, breakdowns_due, protect, tables_published_with, year_source_release
from warehouse.disclosure_risk import enumeration, integer_programme
from warehouse.disclosure_risk.intruder import IntruderKnowledge, TableName, protected_cells
from warehouse.releases import cube
from warehouse.releases.bridge import bridge_rows
from warehouse.releases.exact import BRIDGE
from warehouse.releases.risk_check import PublishedReleases, public_knowledge, refuse_disclosures, true_counts


def the_programme() -> Programme:
    """The shipped programme of the three indicators that are simulated."""
    found = parse_programme(yaml.safe_load(SHIPPED.read_text("utf-8")))
    return replace(found, indicators={code: found.indicators[code] for code in SIZES}, public_already=())


@dataclass
class Released:
    """All releases of one population: the last one's inputs, what each printed, the bridge of the last."""

    inputs: ReleaseInputs
    history: list[PublishedTables]
    bridge: pd.DataFrame
    refused: int


def released(world: World, of: Programme) -> Released:
    """Release a population four times, as `harmonia release create` does."""
    exact: dict[str, dict[TableKey, tuple[int, ...] | None]] = {}
    history: list[PublishedTables] = []
    bridge = pd.DataFrame(columns=cube.BRIDGE_SCHEMA.names)
    refused = 0
    for release in RELEASES:
        exact[release] = world.exact(of, release)
        inputs = ReleaseInputs(of, release, date.fromisoformat(release), dict(exact), tuple(history))
        tables = protect(inputs)
        lines = bridge_rows(of, tables, inputs.exact, bridge, release)
        try:
            refuse_disclosures(PublishedReleases(inputs, tables, lines))
        except HarmoniaError:
            refused += 1
            continue
        history.append(tables)
        bridge = lines
    return Released(replace(inputs, history=tuple(history[:-1])), history, bridge, refused)


class Again:
    """The whole program, run again on the releases of one population with other counts of one table."""

    def __init__(self, done: Released) -> None:
        self.history, self.bridge, self.inputs = done.history, done.bridge, done.inputs
        days = [
            day for day in RELEASES if any(day in (p.source_release, p.first_release) for tables in done.history for p in tables.values())
        ]
        self.days = days if len(days) == len(done.history) else []
        self.runs = 0

    def __call__(self, name: TableName, counts: np.ndarray) -> bool:
        """Whether everything is printed as it was."""
        self.runs += 1
        key, code = TableKey(*name), name.indicator
        mine = {day: {k: v for k, v in self.inputs.exact[day].items() if k.indicator == code} for day in self.days}
        if not self._change(mine, key, counts):
            return False
        of = replace(self.inputs.programme, indicators={code: self.inputs.programme.indicators[code]})
        history: list[PublishedTables] = []
        bridge = pd.DataFrame(columns=cube.BRIDGE_SCHEMA.names)
        for day, printed in zip(self.days, self.history, strict=True):
            inputs = ReleaseInputs(of, day, date.fromisoformat(day), {d: mine[d] for d in self.days if d <= day}, tuple(history))
            history.append(protect(inputs))
            if history[-1] != {k: p for k, p in printed.items() if k.indicator == code}:
                return False
            bridge = bridge_rows(of, history[-1], inputs.exact, bridge, day) if key.table == BRIDGE else bridge
        lines = self.bridge[self.bridge["indicator"] == code]
        return key.table != BRIDGE or bridge.to_dict("list") == lines.to_dict("list")

    def _change(self, exact: dict[str, dict[TableKey, tuple[int, ...] | None]], key: TableKey, counts: np.ndarray) -> bool:
        """Put other counts into the records that the print of `key` counts; those of a window are spread over its years."""
        tables = self.history[-1]
        if "/" not in key.period:
            exact[self._bridge_counts(TableName(*key)) if key.table == BRIDGE else tables[key].source_release][key] = tuple(counts.tolist())
            return True
        first = tables_published_with(self.inputs, key, tables)
        places = [(year_source_release(self.inputs, key.indicator, y, first), key._replace(period=y)) for y in years_in(key.period)]
        left = counts - np.array(list(self.truth[TableName(*key)].values()))
        for day, year in places:
            now = np.array(exact[day][year])
            if key.table == SEX_AGE:  # as many steps as the year can hold: its sums by sex and by age stay
                steps = max(1, int(np.abs(left).max()))
                can = [n for n in range(steps + 1) if (now + left // steps * n >= 0).all()]
                now, left = now + left // steps * can[-1], left - left // steps * can[-1]
            else:
                moved = np.maximum(left, -now)
                while moved.sum() > 0:
                    moved[np.argmax(moved)] -= 1
                while moved.sum() < 0:
                    moved[np.argmin(moved)] += 1
                now, left = now + moved, left - moved
            exact[day][year] = tuple(now.tolist())
        return not left.any()

    def _bridge_counts(self, name: TableName) -> str:
        """The release whose records a year's bridge counts: that of its printed lines, which a later total does not change."""
        lines = self.bridge[(self.bridge["indicator"] == name.indicator) & (self.bridge["period"] == name.of)]
        own = TableKey(name.indicator, HARMONISED, TOTAL, name.of)
        return str(lines["known"].iloc[0]) if len(lines) else self.history[-1][own].source_release

    @cached_property
    def truth(self) -> dict[TableName, dict[str, int]]:
        """The exact counts behind every print."""
        found = true_counts(self.inputs, self.history[-1])
        for name in (n for n in found if n.table == BRIDGE):
            counts = self.inputs.exact[self._bridge_counts(name)][TableKey(*name)]
            assert counts, f"a bridge of {name.of} is counted"
            found[name] = dict(zip(causes(), counts, strict=True))
        return found


def knowledge_of(done: Released) -> IntruderKnowledge:
    """What an outsider has after all releases."""
    return public_knowledge(PublishedReleases(done.inputs, done.history[-1], done.bridge))


def attack(done: Released, tally: Counter[str], rerun: bool = True) -> IntruderKnowledge:
    """Attack everything that was released; adds to `tally`."""
    knowledge, truth = knowledge_of(done), true_counts(done.inputs, done.history[-1])
    for name, printed in knowledge.latest.items():
        if name in truth and printed.status != "no_delivery":
            tally["protected"] += len(protected_cells(knowledge, name, printed, truth[name]))
    tally["bridges"] += len(done.bridge[["indicator", "period"]].drop_duplicates())
    tally["causes printed"] += int((done.bridge["status"] == "shown").sum())
    learnt = enumeration.find_disclosures(knowledge, truth) + enumeration.find_bridge_disclosures(knowledge, truth)
    learnt += integer_programme.find_disclosures(knowledge, truth, SIZES)
    if again := Again(done) if rerun else None:
        learnt += disclosure_replay.find_disclosures(knowledge, again.truth, again)
        tally["releases made again with another table"] += again.runs
    for one in learnt:
        kind = (
            "uniform"
            if one.cell == "uniform"
            else "difference"
            if one.intruder == "difference"
            else "recovered"
            if one.possible_values <= 1
            else "narrow"
        )
        tally[f"{kind} ({one.method}, {one.intruder})"] += 1
    tally["differences"] += differences(done.history)
    return knowledge


def differences(history: list[PublishedTables]) -> int:
    """Figures of one table, or its total, that two releases print with a difference of 1 to 4."""
    found = 0
    for n, newer in enumerate(history):
        for older in history[:n]:
            for key in newer.keys() & older.keys():
                a, b = dict(newer[key].cells), dict(older[key].cells)
                found += sum(0 < abs(a[c] - b[c]) < 5 for c in a.keys() & b.keys())
                same = {part for cell in a for part in cell.split("+")} == {part for cell in b for part in cell.split("+")}
                found += bool(same and 0 < abs(sum(a.values()) - sum(b.values())) < 5)
    return found


def shown(done: Released, tally: Counter[str]) -> None:
    """Programme cells of 5 and more, and those printed exactly: by indicator and table."""
    inputs, tables = done.inputs, done.history[-1]
    for code in inputs.programme.indicators:
        years = sorted({k.period for k in inputs.current if k.indicator == code})
        due = [TableKey(code, HARMONISED, t, y) for y in years for t in (TOTAL, "offence_group")] + breakdowns_due(inputs, code, tables)
        for key in due:
            counts = exact_of(inputs, key, tables)
            if key.table == TOTAL and key in tables and tables[key].cells:
                tally["year totals"] += 1
                tally["year totals that wait for a difference of 5"] += tables[key].cells[0][1] != (inputs.current[key] or (0,))[0]
            printed = dict(tables[key].cells) if key in tables else {}
            for cell, value in zip(inputs.programme.cells(key), counts, strict=True):
                if value >= 5:
                    tally[f"large {code} {key.table}"] += 1
                    tally[f"shown {code} {key.table}"] += printed.get(cell) == value


def exact_of(inputs: ReleaseInputs, key: TableKey, tables: PublishedTables) -> tuple[int, ...]:
    """The figures as known in the release that the print counts, or would have counted."""
    made = tables.get(key)
    release = made.source_release if made else inputs.release
    tables = [inputs.exact[release].get(key._replace(period=y)) or inputs.current[key._replace(period=y)] for y in years_in(key.period)]
    if (made and key.table == SEX_AGE) or "/" in key.period:
        parts = [tables.get(key._replace(table="sex" if key.table == SEX_AGE else "offence_group", period=y)) for y in years_in(key.period)]
        tables = [
            inputs.exact[p.source_release if p else release][key._replace(period=y)]
            for p, y in zip(parts, years_in(key.period), strict=True)
        ]
    return tuple(sum(values) for values in zip(*(t for t in tables if t), strict=True))


def beside(world: World, done: Released, knowledge: IntruderKnowledge, tally: Counter[str]) -> None:
    """Replay, and institutions that hold 60 % and 90 % of the records."""
    truth = true_counts(done.inputs, done.history[-1])
    rng = np.random.default_rng(7)
    for one in disclosure_replay.candidate_tables(knowledge, truth):
        expected = disclosure_replay.prior_shares(knowledge, one.name) if one.name.measure == HARMONISED else None
        if expected is not None:
            found = disclosure_replay.best_guesses(one, expected)
            certain, right = disclosure_replay.confident_guesses(found)
            tally["replayed cells"] += len(found)
            tally["replay: a guess of 90 % and more"] += certain
            tally["replay: such a guess is right"] += right
        for share in (0.6, 0.9):
            held = {c: int(rng.binomial(n, share)) for c, n in zip(one.cells, one.truth.tolist(), strict=True)}
            left = disclosure_replay.values_left_to_institution(one, held)
            tally[f"institution with {share:.0%}: cells"] += len(left)
            tally[f"institution with {share:.0%}: recovered"] += sum(n == 1 for n in left.values())
            tally[f"institution with {share:.0%}: fewer than 3 values"] += sum(n < 3 for n in left.values())


def second(knowledge: IntruderKnowledge, tally: Counter[str]) -> None:
    """The bounds of HiGHS against those of CP-SAT, for every variable of one indicator."""
    from benchmarks.disclosure_second_solver import ranges

    for indicator in SIZES:
        made = integer_programme.release_constraints(knowledge, indicator)
        solver = integer_programme.Solver(made)
        other = ranges(made)
        for variable in made.variables:
            tally["second solver: intervals"] += 1
            tally["second solver: agree"] += solver.range({variable: 1}) == other[variable]


def run(populations: int, twice: int, first: int = 0, again: int = 0) -> dict[str, object]:
    """All measures over so many populations."""
    of, tally, begun = the_programme(), Counter[str](), time.process_time()
    for seed in range(first, first + populations):
        world = World(seed)
        done = released(world, of)
        tally["refused"] += done.refused
        knowledge = attack(done, tally, rerun=seed - first < again)
        shown(done, tally)
        beside(world, done, knowledge, tally)
        if seed - first < twice:
            second(knowledge, tally)
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
