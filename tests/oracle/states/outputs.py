"""What every output of a run says of the state of each institution's quarter; read from files, tables and the text that commands print."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import duckdb

from tests.oracle.states.damages import COMPLETE, INSTITUTIONS, MISSING, PARTIAL, QUARTERS, UNREADABLE

Quarter = tuple[str, str]  # institution, quarter
States = dict[Quarter, str]

WORDS = (PARTIAL, UNREADABLE, MISSING, COMPLETE)


def named(missing: str | None) -> States:
    """The deliveries that `missing` names: `police 2013-Q2 partial, courts 2013-Q3 missing`; a name without a state is an empty one."""
    found: States = {}
    for part in (missing or "").split(","):
        words = part.split()
        if len(words) >= 2:
            found[words[0], words[1]] = words[2] if len(words) > 2 else ""
    return found


def sources(warehouse: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    """The institutions of every indicator that has figures."""
    rows = warehouse.sql("SELECT indicator, institutions FROM indicators WHERE not_available_en IS NULL").fetchall()
    return {indicator: [name.strip() for name in institutions.split(",")] for indicator, institutions in rows}


def of_coverage(warehouse: duckdb.DuckDBPyConnection, table: str) -> States:
    rows = warehouse.sql(f"SELECT institution, period, state FROM {table} WHERE period LIKE '%-Q%'").fetchall()
    return {(institution, period): state for institution, period, state in rows}


def of_statistics(warehouse: duckdb.DuckDBPyConnection, table: str) -> tuple[States, list[str]]:
    """States by the quarters' figures, and where two figures say different things of one delivery, or a year and its quarters do."""
    rows = warehouse.sql(f"SELECT DISTINCT indicator, period, incomplete, missing FROM {table}").fetchall()
    institutions = sources(warehouse)
    said: dict[Quarter, dict[str, list[str]]] = {}
    faults = []
    years: list[tuple[str, str, States]] = []
    for indicator, period, incomplete, missing in rows:
        names = named(missing)
        if incomplete != bool(names):
            faults.append(f"{table}: {indicator} {period}: incomplete {incomplete}, missing {missing}")
        if "-Q" not in period:
            years.append((indicator, period, names))
            continue
        for institution in institutions.get(indicator, []):
            state = names.pop((institution, period), COMPLETE)
            said.setdefault((institution, period), {}).setdefault(state, []).append(indicator)
        faults += [f"{table}: {indicator} {period}: names {name}, which is none of its deliveries" for name in names]
    states = {}
    for quarter, by_state in said.items():
        states[quarter] = next(iter(by_state))
        if len(by_state) > 1:
            faults.append(
                f"{table}: {' '.join(quarter)}: " + "; ".join(f"{state} ({len(of)} indicators)" for state, of in by_state.items())
            )
    for indicator, year, names in years:
        wanted = {
            quarter: state
            for quarter, state in states.items()
            if quarter[0] in institutions.get(indicator, []) and quarter[1].startswith(year) and state != COMPLETE
        }
        if names != wanted:
            faults.append(f"{table}: {indicator} {year}: names {names}, its quarters {wanted}")
    return states, faults


def of_feedback(home: Path) -> dict[str, States]:
    """States of the quarters, from the feedback on each of their versions."""
    found: dict[str, States] = {"receipt.json": {}, "findings.json": {}}
    for institution in INSTITUTIONS:
        for quarter in QUARTERS:
            versions = sorted((home / "feedback" / institution).glob(f"{quarter}*"), key=lambda path: (len(path.name), path.name))
            for name, states in found.items():
                files = [version / name for version in versions if (version / name).exists()]
                states[institution, quarter] = _of_versions([json.loads(file.read_text(encoding="utf-8"))["state"] for file in files])
    return found


def _of_versions(states: list[str]) -> str:
    """A quarter's state (docs/reference/completeness.md): last complete version and what came after; an unreadable one changes nothing."""
    since = states[len(states) - 1 - states[::-1].index("complete") :] if "complete" in states else states
    return next((state for state in ("partial", "complete", "unreadable") if state in since), MISSING)


def of_status(text: str) -> States:
    """The grid that `harmonia status` prints first: a row a quarter, a column an institution."""
    found: States = {}
    header: list[str] = []
    for line in text.splitlines():
        cells = re.split(r"\s{2,}", line.strip())
        if cells and cells[0] == "quarter":
            header = cells
        elif header and len(cells) == len(header) and re.fullmatch(r"\d{4}-Q\d", cells[0]):
            for institution, cell in zip(header[1:], cells[1:], strict=True):
                found[institution, cells[0]] = _word(cell)
        elif found and not line.strip():
            break
    return found


def _word(text: str) -> str:
    return next((word for word in WORDS if word in text), text)


def of_lines(text: str) -> States:
    """Quarters that a text names with their state. What it does not name passes for complete."""
    found: States = {}
    flat = re.sub(r"\s+", " ", text)
    for institution in INSTITUTIONS:
        for quarter in QUARTERS:
            match = re.search(rf"\b{institution} {quarter}(?:_v\d+)? ({'|'.join(WORDS)})", flat)
            if match:
                found[institution, quarter] = match[1]
    return found


def of_summary(text: str) -> States:
    """The quarters that the run's summary names after "Not complete:". The line before it names new deliveries, whose state is not that of
    their quarter."""
    return of_lines(re.sub(r"\s+", " ", text).partition(" Not complete: ")[2])


def of_release(public: Path) -> dict[str, States]:
    """States in the coverage of a release, and those that the missing of its figures name."""
    with (public / "coverage.csv").open(encoding="utf-8", newline="") as file:
        coverage = {(row["institution"], row["period"]): row["state"] for row in csv.DictReader(file) if "-Q" in row["period"]}
    cube: States = {}
    with (public / "cube.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            cube |= named(row["missing"])
    return {"release coverage": coverage, "release cube": cube}
