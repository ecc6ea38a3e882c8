"""Do the figures of some institutions change when others deliver as well?

    python -m benchmarks figures_unchanged HOME WITHOUT

Compares `statistics` of two homes row by row: HOME, with the deliveries of all institutions, and WITHOUT, of which some delivered nothing.
Left out are the indicators that have separate events. Rows that differ are listed by indicator, and whether a total differs.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import duckdb

from warehouse.indicators import DIMENSIONS

CELL = ("indicator", "period", *DIMENSIONS)
TOTAL = " AND ".join(f"{dimension} = 'total'" for dimension in DIMENSIONS)


def differing_rows(home: Path, without: Path) -> list[tuple[str, int, int, int]]:
    """Indicator, rows, rows that differ in a figure, and how many of these are totals; a row that is missing counts as 0."""
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{home / 'warehouse.duckdb'}' AS w (READ_ONLY)")
        connection.execute(f"ATTACH '{without / 'warehouse.duckdb'}' AS o (READ_ONLY)")
        counted = "SELECT indicator FROM o.statistics GROUP BY indicator HAVING count(harmonised) > 0"
        return connection.execute(f"""
            SELECT indicator, count(*), count(*) FILTER (differs), count(*) FILTER (differs AND {TOTAL})
            FROM (
              SELECT {", ".join(CELL)},
                coalesce(w.harmonised, 0) <> coalesce(o.harmonised, 0)
                OR coalesce(w.as_reported, 0) <> coalesce(o.as_reported, 0) AS differs
              FROM w.statistics w FULL JOIN o.statistics o USING ({", ".join(CELL)})
            )
            WHERE indicator IN ({counted}) GROUP BY indicator ORDER BY indicator""").fetchall()


def main() -> None:
    """Print a line for each indicator, then the sum."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("home", type=Path)
    parser.add_argument("without", type=Path)
    chosen = parser.parse_args()
    found = differing_rows(chosen.home, chosen.without)
    for indicator, rows, differ, totals in found:
        print(f"{indicator:32}{rows:8}{differ:8}{totals:8}")
    print(f"{'rows, rows that differ, totals':32}{sum(r[1] for r in found):8}{sum(r[2] for r in found):8}{sum(r[3] for r in found):8}")


if __name__ == "__main__":
    main()
