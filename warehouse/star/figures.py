"""Compute the figures of indicators that are defined by SQL over fact tables. The figures are sums by period and dimension; they are null
if nothing was delivered.

Belongs here: the statement that contains the SQL of an indicator (the same for DuckDB and PostgreSQL), and running it. Does not belong
here: what an indicator counts (its file), the figures of `statistics` (`warehouse/count`).
A person counts once per quarter and once per year: under the most serious offence and, if there are several such events, on the earliest
day.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations

import duckdb
import pandas as pd

from harmonia.errors import HarmoniaError
from warehouse.indicators import DIMENSIONS
from warehouse.indicators.catalogue import IndicatorDefinition

TOTAL = "total"
CROSSED = (
    *(("offence_group", other) for other in DIMENSIONS if other != "offence_group"),
    ("offence_group", "sex", "age_group"),
    ("form", "sex", "age_group"),
)
"""The tables of two and three dimensions. In these, a missing row means 0. Totals and tables of one dimension have a row for every declared
value, even if it is 0."""
CELL = ["indicator", "period", *DIMENSIONS]
_NUMBERS = {"as_reported": "Int64", "harmonised": "Int64", "incomplete": "boolean", "preliminary": "boolean"}
VALUES = ["as_reported", "harmonised", "incomplete", "missing", "preliminary"]


def _list_breakdowns(indicator: IndicatorDefinition) -> list[tuple[str, ...]]:
    """Return the breakdowns of an indicator: none (the total), each dimension alone, and the combinations of `CROSSED` that it has."""
    one_way = [c for n in (0, 1) for c in combinations(indicator.dimensions, n)]
    return [*one_way, *(crossed for crossed in CROSSED if set(crossed) <= set(indicator.dimensions))]


def _make_sql_of_dimension_columns(indicator: IndicatorDefinition, broken_down: Iterable[str] = (), *, grouping_sets: bool = False) -> str:
    """Return the SQL of the columns of the five dimensions. A column has the value of the dimension, or `total` if the figure is not broken
    down by it. broken_down: the dimensions by which it is broken down. grouping_sets: whether the query has GROUPING SETS."""

    def column(name: str) -> str:
        if grouping_sets and name in indicator.dimensions:
            return f"CASE WHEN GROUPING({name}) = 1 THEN '{TOTAL}' ELSE {name} END AS {name}"
        return f"{name} AS {name}" if name in broken_down else f"'{TOTAL}' AS {name}"

    return ", ".join(column(name) for name in DIMENSIONS)


def _make_sql_of_counted_units(indicator: IndicatorDefinition) -> str:
    """Return the SQL for the rows as reported and the harmonised units. It gives the quarter and the year of each, and says whether it
    counts in the quarter and whether it counts in the year (1 or 0)."""
    dimensions = "".join(f", u.{name}" for name in indicator.dimensions)
    if indicator.unit == "person" and indicator.kind == "flow":
        is_first = (
            "CASE WHEN row_number() OVER (PARTITION BY u.person_id, t.{} ORDER BY g.position, u.day, u.case_id) = 1 THEN 1 ELSE 0 END"
        )
        quarter, year, join_seriousness = (
            is_first.format("quarter"),
            is_first.format("year"),
            "JOIN dim_offence_group g ON g.offence_group = u.offence_group",
        )
    else:
        quarter, join_seriousness = "1", ""
        year = "1" if indicator.kind == "flow" else "CASE WHEN t.month = t.year || '-12' THEN 1 ELSE 0 END"
    year_reported = "1" if indicator.kind == "flow" else year
    return f"""SELECT t.quarter, t.year{dimensions}, 1 AS reported_quarter, {year_reported} AS reported_year, 0 AS in_quarter, 0 AS in_year
  FROM ({indicator.sql["as_reported"]}) u JOIN dim_time t ON t.day = u.day
  UNION ALL
  SELECT t.quarter, t.year{dimensions}, 0, 0, {quarter}, {year}
  FROM ({indicator.sql["harmonised"]}) u JOIN dim_time t ON t.day = u.day {join_seriousness}"""


def _make_sql_of_cells_that_may_be_zero(indicator: IndicatorDefinition) -> str:
    """Return the SQL for the cells that must exist even if their figure is 0: in every published period, the total and each value of each
    dimension."""
    parts = [
        f"SELECT period, {_make_sql_of_dimension_columns(indicator)}, 0 AS as_reported, 0 AS harmonised FROM dim_period WHERE published"
    ]
    for name in indicator.dimensions:
        values = ", ".join(f"('{value}')" for value in DIMENSIONS[name])
        rows = f"FROM dim_period CROSS JOIN (VALUES {values}) AS v({name}) WHERE published"
        parts.append(f"SELECT period, {_make_sql_of_dimension_columns(indicator, [name])}, 0, 0 {rows}")
    return "\n  UNION ALL ".join(parts)


def _make_sql_of_incomplete_deliveries(indicator: IndicatorDefinition) -> str:
    """Return the SQL for the incomplete deliveries of each period. Columns: missing (the incomplete deliveries as text) and silent (nothing
    could be read from any institution of the indicator)."""
    institutions = ", ".join(f"('{name}', {place})" for place, name in enumerate(indicator.institutions))
    return f"""SELECT p.period,
    string_agg(i.institution || ' ' || q.period || ' ' || coalesce(c.state, 'missing'), ', ' ORDER BY i.place, q.period) AS missing,
    count(CASE WHEN coalesce(c.state, 'missing') IN ('missing', 'unreadable') THEN 1 END)
      = {len(indicator.institutions)} * CASE WHEN p.kind = 'year' THEN 4 ELSE 1 END AS silent
  FROM dim_period p
  JOIN dim_period q ON q.kind = 'quarter' AND q.year = p.year AND (p.kind = 'year' OR q.period = p.period)
  CROSS JOIN (VALUES {institutions}) AS i(institution, place)
  LEFT JOIN coverage c ON c.institution = i.institution AND c.period = q.period
  WHERE p.published AND coalesce(c.state, 'missing') <> 'complete'
  GROUP BY p.period, p.kind"""


def _make_sql_of_unsigned_periods(indicator: IndicatorDefinition) -> str:
    """Return the SQL for the periods in which an institution of the indicator delivered a quarter that its head has not signed."""
    institutions = ", ".join(f"'{name}'" for name in indicator.institutions)
    return f"""SELECT DISTINCT p.period FROM dim_period p
  JOIN dim_period q ON q.kind = 'quarter' AND q.year = p.year AND (p.kind = 'year' OR q.period = p.period)
  JOIN coverage c ON c.period = q.period AND c.institution IN ({institutions}) AND c.signature <> 'signed'
  WHERE p.published"""


def make_sql_of_indicator_figures(indicator: IndicatorDefinition) -> str:
    """Return the SQL that computes all figures of an indicator from the fact tables, for DuckDB and PostgreSQL.

    Columns: indicator, period, the five dimensions, as_reported, harmonised, incomplete, missing, preliminary.
    """
    dimensions = "".join(f", {name}" for name in indicator.dimensions)
    sets = ", ".join(f"({', '.join(['period', *names])})" for names in _list_breakdowns(indicator))
    has_known_values = " AND ".join(f"(GROUPING({name}) = 1 OR {name} IS NOT NULL)" for name in indicator.dimensions) or "1 = 1"
    cells = ", ".join(DIMENSIONS)
    return f"""WITH units AS (
  {_make_sql_of_counted_units(indicator)}
), periods AS (
  SELECT quarter AS period{dimensions}, reported_quarter AS as_reported, in_quarter AS harmonised FROM units
  UNION ALL SELECT year{dimensions}, reported_year, in_year FROM units
), cells AS (
  SELECT period, {_make_sql_of_dimension_columns(indicator, grouping_sets=True)},
    sum(as_reported) AS as_reported, sum(harmonised) AS harmonised
  FROM periods WHERE period IN (SELECT period FROM dim_period WHERE published)
  GROUP BY GROUPING SETS ({sets}) HAVING {has_known_values}
  UNION ALL {_make_sql_of_cells_that_may_be_zero(indicator)}
), gaps AS (
  {_make_sql_of_incomplete_deliveries(indicator)}
), unsigned AS (
  {_make_sql_of_unsigned_periods(indicator)}
)
SELECT '{indicator.code}' AS indicator, c.period, {cells},
  CASE WHEN coalesce(g.silent, false) THEN NULL ELSE CAST(sum(as_reported) AS bigint) END AS as_reported,
  CASE WHEN coalesce(g.silent, false) THEN NULL ELSE CAST(sum(harmonised) AS bigint) END AS harmonised,
  g.missing IS NOT NULL AS incomplete, g.missing, n.period IS NOT NULL AS preliminary
FROM cells c LEFT JOIN gaps g ON g.period = c.period LEFT JOIN unsigned n ON n.period = c.period
GROUP BY c.period, {cells}, g.missing, g.silent, n.period"""


def compute_indicator_figures(connection: duckdb.DuckDBPyConnection, definitions: Iterable[IndicatorDefinition]) -> pd.DataFrame:
    """Compute all figures of the indicators from the fact tables. Columns out: `CELL`, `VALUES`.

    Raises `HarmoniaError`, which names the indicator, if its SQL fails.
    """
    parts = []
    for indicator in definitions:
        try:
            parts.append(connection.execute(make_sql_of_indicator_figures(indicator)).df())
        except duckdb.Error as error:
            raise HarmoniaError(f"indicator {indicator.code}: its SQL fails on the facts ({str(error).splitlines()[0]})") from error
    rows = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[*CELL, *VALUES])
    return rows.astype({**dict.fromkeys([*CELL, "missing"], "str"), **_NUMBERS})
