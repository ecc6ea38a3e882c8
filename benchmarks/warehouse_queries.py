"""How fast are the queries of docs/how-to/cookbook.md on a million cases in DuckDB?

    python -m benchmarks warehouse_queries --home HOME --cases 1000000 --out FILE [--rounds N]

A published warehouse is multiplied: its facts under new ids, each copy shifted by whole years, so that a case keeps its persons, events,
days and offences. FILE is kept and used again. Seconds: wall time on a fresh connection (first), then the fastest of the rounds.
"""

from __future__ import annotations

import argparse
import re
import resource
import time
from pathlib import Path

import duckdb
from sqlalchemy import Date, Table

from warehouse import tables
from warehouse.publish import create_statements

YEARS = 20  # how many years the copies are spread over
COOKBOOK = Path(__file__).parents[1] / "docs" / "how-to" / "cookbook.md"
IDS = ("case_id", "person_id")
SUMMED = ("as_reported", "harmonised", "n", "quarantined")


def copied(table: Table) -> str:
    """The columns of a fact in copy `n`, shifted by `n % YEARS` years."""
    out = []
    for column in table.columns:
        name = f'"{column.name}"'
        if column.name in IDS or column.info.get("record_key"):
            out.append(f"{name} || '-' || n")
        elif column.name in ("event_id", "chain"):
            out.append(f"{name} + n * 100000")
        elif column.name == "quarter":
            out.append(f"CAST(CAST({name}[:4] AS INTEGER) + n % {YEARS} AS VARCHAR) || {name}[5:]")
        elif isinstance(column.type, Date):
            out.append(f"CAST({name} + to_years(CAST(n % {YEARS} AS INTEGER)) AS DATE)")
        else:
            out.append(name)
    return ", ".join(out)


def of_periods(table: Table, copies: int) -> str:
    """Rows of a counted table for all shifted periods; figures are summed over the copies."""
    keys = [c.name for c in table.columns if c.name not in SUMMED]
    shifted = "CAST(CAST(period[:4] AS INTEGER) + shift AS VARCHAR) || period[5:] AS period"
    inner = ", ".join(shifted if c.name == "period" else c.name for c in table.columns)
    outer = ", ".join(f"sum({c.name}) * {copies // YEARS}" if c.name in SUMMED else c.name for c in table.columns)
    return f"SELECT {outer} FROM (SELECT {inner} FROM multiplied.{table.name}, range({YEARS}) r(shift)) GROUP BY {', '.join(keys)}"


def build(home: Path, cases: int, out: Path) -> None:
    """Write the multiplied star to `out`."""
    with duckdb.connect(str(out)) as connection:
        connection.execute(f"ATTACH '{home / 'warehouse.duckdb'}' AS multiplied (READ_ONLY)")
        for statement in create_statements(tables.WAREHOUSE.sorted_tables):
            connection.execute(statement)
        held = connection.execute("SELECT count(*) FROM multiplied.fact_case").fetchall()[0][0]
        copies = -(-cases // held)
        for table in tables.list_declared_tables_except_views(tables.WAREHOUSE):
            if table.name.startswith("fact_"):
                connection.execute(
                    f"INSERT INTO {table.name} SELECT {copied(table)} FROM multiplied.{table.name}, range({copies}) r(n) ORDER BY n"
                )
            elif table.name in ("statistics", "further_statistics", "bridge"):
                connection.execute(f"INSERT INTO {table.name} {of_periods(table, copies)}")
            elif table.name == "coverage":
                connection.execute(
                    f"INSERT INTO coverage SELECT institution, CAST(CAST(period[:4] AS INTEGER) + n AS VARCHAR) || period[5:] AS p, "
                    f"max(state) FROM multiplied.coverage, range({YEARS}) r(n) GROUP BY ALL"
                )
            elif table.name not in ("dim_time", "dim_period", "lineage", "findings", "counted", "bridge_records", "reconciliation"):
                connection.execute(f"INSERT INTO {table.name} FROM multiplied.{table.name}")
        connection.execute(
            f"""INSERT INTO dim_time
            SELECT day, CAST(year(day) AS VARCHAR), year(day) || '-Q' || quarter(day), strftime(day, '%Y-%m'), isodow(day), NULL
            FROM (SELECT CAST(unnest(generate_series(min(day), max(day) + to_years({YEARS}), INTERVAL 1 DAY)) AS DATE) AS day
              FROM multiplied.dim_time)"""
        )
        connection.execute(
            f"""INSERT INTO dim_period SELECT DISTINCT CAST(CAST(period[:4] AS INTEGER) + n AS VARCHAR) || period[5:], kind,
              CAST(CAST(year AS INTEGER) + n AS VARCHAR), CAST(first_day + to_years(CAST(n AS INTEGER)) AS DATE),
              CAST(last_day + to_years(CAST(n AS INTEGER)) AS DATE), published FROM multiplied.dim_period, range({YEARS}) r(n)"""
        )


def timed(path: Path, sql: str) -> tuple[float, int]:
    """Seconds and rows of a query on a fresh connection."""
    with duckdb.connect(str(path), read_only=True) as connection:
        begun = time.perf_counter()
        rows = len(connection.execute(sql).fetchall())
        return time.perf_counter() - begun, rows


def main() -> None:
    """Build where needed, then time every query."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if not options.out.exists():
        begun = time.perf_counter()
        build(options.home, options.cases, options.out)
        print(f"built in {time.perf_counter() - begun:.0f} s, {options.out.stat().st_size / 2**30:.2f} GiB")
    with duckdb.connect(str(options.out), read_only=True) as connection:
        for name in ("fact_case", "fact_person", "fact_event", "fact_case_snapshot"):
            print(f"{name}: {connection.execute(f'SELECT count(*) FROM {name}').fetchall()[0][0]:,} rows")
    queries = re.findall(r"^## (\d+ .*?)$.*?^```sql\n(.*?)^```", COOKBOOK.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    for title, sql in queries:
        runs = [timed(options.out, sql) for _ in range(1 + options.rounds)]
        print(f"{title:<50} first {runs[0][0]:6.3f} s, fastest {min(s for s, _ in runs):6.3f} s, {runs[0][1]} rows")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


if __name__ == "__main__":
    main()
