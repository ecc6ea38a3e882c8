"""Figures that pass for complete, and states that differ between outputs, after a run over damaged deliveries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from tests.oracle.states import outputs
from tests.oracle.states.damages import COMPLETE, INSTITUTIONS, MISSING, QUARTERS, UNREADABLE, Damage
from tests.oracle.states.outputs import States

NOTHING = (UNREADABLE, MISSING)


@dataclass
class Faults:
    """What was looked at and what is wrong."""

    figures: int = 0
    states: int = 0
    passing: list[str] = field(default_factory=list)  # figures that pass for complete
    differing: list[str] = field(default_factory=list)  # a delivery's state in one output is not that of the warehouse's coverage
    other: list[str] = field(default_factory=list)

    @property
    def all(self) -> list[str]:
        return self.passing + self.differing + self.other


def check_run(home: Path, run: str, status: str, damages: Iterable[Damage], faults: Faults) -> States:
    """The warehouse, the feedback, and what `run` and `status` say."""
    expected = {(damage.institution, damage.quarter): damage.allowed for damage in damages}
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as warehouse:
        coverage = outputs.of_coverage(warehouse, "coverage")
        _expected_states(coverage, expected, faults)
        for table in ("statistics", "further_statistics", "every_statistic"):
            states, inner = outputs.of_statistics(warehouse, table)
            faults.other += inner
            _same(table, states, coverage, faults, only=states.keys())
        _same("period_coverage", outputs.of_coverage(warehouse, "period_coverage"), coverage, faults)
        _years(warehouse, coverage, faults)
        for table in ("statistics", "further_statistics"):
            _figures(warehouse, table, coverage, faults)
        _flows(warehouse, coverage, faults)
    with duckdb.connect(str(home / "analysts.duckdb"), read_only=True) as analysts:
        _same("analysts.duckdb", outputs.of_coverage(analysts, "coverage"), coverage, faults)
    delivering = [quarter for quarter in coverage if quarter[0] in INSTITUTIONS]  # who delivers nothing has no receipt, and is not read
    for name, states in outputs.of_feedback(home).items():
        _same(name, states, coverage, faults, only=delivering)
    _same("status", outputs.of_status(status), coverage, faults)
    _same("run summary", outputs.of_summary(run), coverage, faults, silent=COMPLETE, only=delivering)
    return coverage


def _expected_states(coverage: States, expected: dict[tuple[str, str], frozenset[str]], faults: Faults) -> None:
    for institution in INSTITUTIONS:
        for quarter in QUARTERS:
            allowed = expected.get((institution, quarter), frozenset({COMPLETE}))
            state = coverage.get((institution, quarter))
            if state not in allowed:
                faults.other.append(f"coverage: {institution} {quarter}: {state}, expected {' or '.join(sorted(allowed))}")


def _same(
    name: str, states: States, coverage: States, faults: Faults, *, silent: str | None = None, only: Iterable[tuple[str, str]] = ()
) -> None:
    for quarter in only or coverage:
        state = states.get(quarter, silent)
        faults.states += 1
        if state != coverage.get(quarter):
            faults.differing.append(f"{name}: {' '.join(quarter)}: {state or 'not named'}, coverage {coverage.get(quarter)}")


def _years(warehouse: duckdb.DuckDBPyConnection, coverage: States, faults: Faults) -> None:
    rows = warehouse.sql("SELECT institution, period, state FROM coverage WHERE period NOT LIKE '%-Q%'").fetchall()
    for institution, year, state in rows:
        quarters = {one for (name, quarter), one in coverage.items() if name == institution and quarter.startswith(year)}
        if (state == COMPLETE) != (quarters == {COMPLETE}):
            faults.differing.append(f"coverage: {institution} {year}: {state}, its quarters {sorted(quarters)}")


def _figures(warehouse: duckdb.DuckDBPyConnection, table: str, coverage: States, faults: Faults) -> None:
    """Every row of a period with a delivery that is not complete is incomplete, no other is; null where nothing could be read."""
    institutions = outputs.sources(warehouse)
    rows = warehouse.sql(
        f"SELECT indicator, period, count(*) FILTER (NOT incomplete), count(*), count(*) FILTER (harmonised IS NULL),"
        f" count(*) FILTER (as_reported IS NULL) FROM {table} GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    for indicator, period, passing, n, null, null_reported in rows:
        states = [state for (name, quarter), state in coverage.items() if name in institutions[indicator] and quarter.startswith(period)]
        if not states:
            continue
        faults.figures += 1
        lacks = any(state != COMPLETE for state in states)
        if lacks and passing:
            faults.passing.append(f"{table}: {indicator} {period}: {passing} of {n} rows pass for complete")
        if not lacks and passing != n:
            faults.other.append(f"{table}: {indicator} {period}: incomplete, all its deliveries are complete")
        nothing = all(state in NOTHING for state in states)
        if nothing and (null != n or null_reported != n):
            faults.passing.append(f"{table}: {indicator} {period}: {n - null} of {n} rows have a figure, nothing could be read")
        if not nothing and (null or null_reported):
            faults.other.append(f"{table}: {indicator} {period}: {null} of {n} rows are null, something could be read")


def _flows(warehouse: duckdb.DuckDBPyConnection, coverage: States, faults: Faults) -> None:
    """Cohorts of a quarter in which a delivery of police or inspectorate is not complete."""
    for table in ("flow_cases", "flow_persons", "flow_durations"):
        for cohort, incomplete in warehouse.sql(f"SELECT cohort, bool_and(incomplete) FROM {table} GROUP BY ALL ORDER BY ALL").fetchall():
            states = {coverage.get((institution, cohort)) for institution in ("police", "inspectorate")}
            if states <= {None}:
                continue
            faults.figures += 1
            if states != {COMPLETE} and not incomplete:
                faults.passing.append(f"{table}: {cohort}: passes for complete")
            if states == {COMPLETE} and incomplete:
                faults.other.append(f"{table}: {cohort}: incomplete, its deliveries are complete")


def check_doubled(home: Path, damages: Iterable[Damage], faults: Faults) -> None:
    """A file delivered twice over counts once."""
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as warehouse:
        for damage in damages:
            if damage.kind != "doubled":
                continue
            keys = warehouse.execute(
                "SELECT record_key FROM lineage WHERE institution = ? AND delivery = ? AND status = 'accepted'"
                " GROUP BY entity, record_key HAVING count(*) > 1",
                [damage.institution, damage.quarter],
            ).fetchall()
            if keys:
                faults.other.append(f"lineage: {damage}: {len(keys)} records accepted twice")


def check_volume(base: Path, home: Path, damages: Iterable[Damage], faults: Faults) -> None:
    """A delivery of a twelfth of its usual records is reported: a finding of the whole delivery or file that the whole one has not."""
    query = "SELECT DISTINCT rule FROM findings WHERE institution = ? AND delivery = ? AND line IS NULL AND record_key IS NULL"
    with (
        duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as warehouse,
        duckdb.connect(str(base / "warehouse.duckdb"), read_only=True) as whole,
    ):
        for damage in damages:
            own_findings = set(warehouse.execute(query, [damage.institution, f"{damage.quarter}_v4"]).fetchall())
            if not own_findings - set(whole.execute(query, [damage.institution, damage.quarter]).fetchall()):
                faults.other.append(f"findings: {damage}: the fall in volume is not reported")


def check_healed(base: Path, home: Path, faults: Faults) -> None:
    """After complete versions of all, the figures are those of the whole inbox."""
    columns = "indicator, period, offence_group, form, sex, age_group, citizenship_group"
    with duckdb.connect() as both:
        both.execute(
            f"ATTACH '{base / 'warehouse.duckdb'}' AS base (READ_ONLY); ATTACH '{home / 'warehouse.duckdb'}' AS healed (READ_ONLY)"
        )
        rows = both.sql(
            f"SELECT {columns}, a.as_reported, b.as_reported, a.harmonised, b.harmonised FROM base.statistics a"
            f" FULL JOIN healed.statistics b USING ({columns})"
            " WHERE (a.as_reported, a.harmonised) IS DISTINCT FROM (b.as_reported, b.harmonised)"
        ).fetchall()
    faults.other += [f"statistics: healed: {' '.join(map(str, row[:7]))}: {row[7:]}" for row in rows]


def check_explanation(text: str, quarter: tuple[str, str], state: str, faults: Faults) -> None:
    """`explain figure` of a figure that needs the delivery names it with its state."""
    faults.states += 1
    said = outputs.of_lines(text).get(quarter, COMPLETE)
    if said != state:
        faults.differing.append(f"explain figure: {' '.join(quarter)}: {said}, coverage {state}")


def check_release(public: Path, coverage: States, faults: Faults) -> None:
    for name, states in outputs.of_release(public).items():
        if name == "release cube":
            for quarter, state in states.items():
                faults.states += 1
                if state != coverage.get(quarter):
                    faults.differing.append(f"{name}: {' '.join(quarter)}: {state or 'without a state'}, coverage {coverage.get(quarter)}")
        else:
            _same(name, states, coverage, faults)
