"""Figures from facts: the SQL of the indicators, summed by period and dimension, null if nothing was delivered.

Belongs here: the statement around an indicator's SQL, the same for DuckDB and PostgreSQL, and running it over frames or a published
file. Does not belong here: what an indicator counts (its file), the counting of `statistics` (`warehouse/count`).
"A person counts once for a period": under the most serious offence, then the earliest day, once per quarter and once per year.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations

import duckdb
import pandas as pd

from harmonia.errors import HarmoniaError
from warehouse import tables
from warehouse.indicators import DIMENSIONS
from warehouse.indicators.catalogue import READABLE, Definition
from warehouse.loading import Rows, show

TOTAL = "total"
CROSSED = (
    *(("offence_group", other) for other in DIMENSIONS if other != "offence_group"),
    ("offence_group", "sex", "age_group"),
    ("form", "sex", "age_group"),
)
"""Tables of two and three dimensions; here an absent row is 0. Totals and one-way tables have a row per declared value, including zeros."""
CELL = ["indicator", "period", *DIMENSIONS]
VALUES = ["as_reported", "harmonised", "incomplete", "missing"]
NEEDS = (*READABLE, "coverage")


def _breakdowns(one: Definition) -> list[tuple[str, ...]]:
    """The total, each dimension separately, and the crossed tables of `statistics` whose dimensions all apply."""
    alone = [c for n in (0, 1) for c in combinations(one.dimensions, n)]
    return [*alone, *(crossed for crossed in CROSSED if set(crossed) <= set(one.dimensions))]


def _cell(one: Definition, broken_down: Iterable[str] = (), *, all_of: str | None = None) -> str:
    """The five dimensions as columns: their value, or `total`."""
    parts = []
    for name in DIMENSIONS:
        if all_of:
            parts.append(
                f"CASE WHEN GROUPING({name}) = 1 THEN '{TOTAL}' ELSE {name} END AS {name}"
                if name in one.dimensions
                else f"'{TOTAL}' AS {name}"
            )
        else:
            parts.append(f"{name} AS {name}" if name in broken_down else f"'{TOTAL}' AS {name}")
    return ", ".join(parts)


def _units(one: Definition) -> str:
    """Rows as reported and harmonised units with their quarter and year, and whether they count in each (1 or 0)."""
    dims = "".join(f", u.{name}" for name in one.dimensions)
    if one.unit == "person" and one.kind == "flow":
        first = "CASE WHEN row_number() OVER (PARTITION BY u.person_id, t.{} ORDER BY g.position, u.day, u.case_id) = 1 THEN 1 ELSE 0 END"
        quarter, year, serious = (
            first.format("quarter"),
            first.format("year"),
            "JOIN dim_offence_group g ON g.offence_group = u.offence_group",
        )
    else:
        quarter, serious = "1", ""
        year = "1" if one.kind == "flow" else "CASE WHEN t.month = t.year || '-12' THEN 1 ELSE 0 END"
    year_reported = "1" if one.kind == "flow" else year
    return f"""SELECT t.quarter, t.year{dims}, 1 AS reported_quarter, {year_reported} AS reported_year, 0 AS in_quarter, 0 AS in_year
  FROM ({one.sql["as_reported"]}) u JOIN dim_time t ON t.day = u.day
  UNION ALL
  SELECT t.quarter, t.year{dims}, 0, 0, {quarter}, {year}
  FROM ({one.sql["harmonised"]}) u JOIN dim_time t ON t.day = u.day {serious}"""


def _zeros(one: Definition) -> str:
    """Every cell that must exist even if 0: the total, and each value of each dimension, of every published period."""
    parts = [f"SELECT period, {_cell(one)}, 0 AS as_reported, 0 AS harmonised FROM dim_period WHERE published"]
    for name in one.dimensions:
        values = ", ".join(f"('{value}')" for value in DIMENSIONS[name])
        rows = f"FROM dim_period CROSS JOIN (VALUES {values}) AS v({name}) WHERE published"
        parts.append(f"SELECT period, {_cell(one, [name])}, 0, 0 {rows}")
    return "\n  UNION ALL ".join(parts)


def _gaps(one: Definition) -> str:
    """Incomplete deliveries of each period: `missing` as text; `silent`: nothing could be read from any of the indicator's
    institutions."""
    named = ", ".join(f"('{name}', {place})" for place, name in enumerate(one.institutions))
    return f"""SELECT p.period,
    string_agg(i.institution || ' ' || q.period || ' ' || coalesce(c.state, 'missing'), ', ' ORDER BY i.place, q.period) AS missing,
    count(CASE WHEN coalesce(c.state, 'missing') IN ('missing', 'unreadable') THEN 1 END)
      = {len(one.institutions)} * CASE WHEN p.kind = 'year' THEN 4 ELSE 1 END AS silent
  FROM dim_period p
  JOIN dim_period q ON q.kind = 'quarter' AND q.year = p.year AND (p.kind = 'year' OR q.period = p.period)
  CROSS JOIN (VALUES {named}) AS i(institution, place)
  LEFT JOIN coverage c ON c.institution = i.institution AND c.period = q.period
  WHERE p.published AND coalesce(c.state, 'missing') <> 'complete'
  GROUP BY p.period, p.kind"""


def statement(one: Definition) -> str:
    """The SQL for every figure of an indicator from facts, for DuckDB and PostgreSQL.

    Columns: indicator, period, the five dimensions, as_reported, harmonised, incomplete, missing.
    """
    dims = "".join(f", {name}" for name in one.dimensions)
    sets = ", ".join(f"({', '.join(['period', *names])})" for names in _breakdowns(one))
    known = " AND ".join(f"(GROUPING({name}) = 1 OR {name} IS NOT NULL)" for name in one.dimensions) or "1 = 1"
    cells = ", ".join(DIMENSIONS)
    return f"""WITH units AS (
  {_units(one)}
), periods AS (
  SELECT quarter AS period{dims}, reported_quarter AS as_reported, in_quarter AS harmonised FROM units
  UNION ALL SELECT year{dims}, reported_year, in_year FROM units
), cells AS (
  SELECT period, {_cell(one, all_of="sets")}, sum(as_reported) AS as_reported, sum(harmonised) AS harmonised
  FROM periods WHERE period IN (SELECT period FROM dim_period WHERE published)
  GROUP BY GROUPING SETS ({sets}) HAVING {known}
  UNION ALL {_zeros(one)}
), gaps AS (
  {_gaps(one)}
)
SELECT '{one.code}' AS indicator, c.period, {cells},
  CASE WHEN coalesce(g.silent, false) THEN NULL ELSE CAST(sum(as_reported) AS bigint) END AS as_reported,
  CASE WHEN coalesce(g.silent, false) THEN NULL ELSE CAST(sum(harmonised) AS bigint) END AS harmonised,
  g.missing IS NOT NULL AS incomplete, g.missing
FROM cells c LEFT JOIN gaps g ON g.period = c.period
GROUP BY c.period, {cells}, g.missing, g.silent"""


def over(frames: Mapping[str, Rows]) -> duckdb.DuckDBPyConnection:
    """A connection that can read facts, dimensions and coverage, and cannot write or access anything else.

    Rows that do not fit in memory are a pyarrow dataset with the types of `tables.arrow_schema`.
    """
    connection = duckdb.connect()
    files = []
    for name in frames:
        if name.startswith(NEEDS):
            rows = frames[name]
            held = tables.to_arrow(tables.WAREHOUSE.tables[name], rows) if isinstance(rows, pd.DataFrame) else rows
            files += show(connection, name, held)
    connection.execute("SET allowed_paths = ?", [files])
    connection.execute("SET enable_external_access = false; SET lock_configuration = true")
    return connection


def figures(connection: duckdb.DuckDBPyConnection, definitions: Iterable[Definition]) -> pd.DataFrame:
    """Every figure of the indicators from facts: `CELL` and `VALUES`.

    Raises `HarmoniaError` naming the indicator whose SQL fails.
    """
    parts = []
    for one in definitions:
        try:
            parts.append(connection.execute(statement(one)).df())
        except duckdb.Error as error:
            raise HarmoniaError(f"indicator {one.code}: its SQL fails on the facts ({str(error).splitlines()[0]})") from error
    out = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[*CELL, *VALUES])
    return out.astype({**dict.fromkeys([*CELL, "missing"], "str"), "as_reported": "Int64", "harmonised": "Int64", "incomplete": "boolean"})


def differences(ours: pd.DataFrame, theirs: pd.DataFrame) -> pd.DataFrame:
    """Figures that differ between two sets: CELL, and as_reported, harmonised, missing of each (`_theirs`); an absent row is 0.

    Only periods and indicators in both are compared.
    """
    both = ours[[*CELL, *VALUES]].merge(theirs[[*CELL, *VALUES]], on=CELL, how="outer", suffixes=("", "_theirs"), indicator=True)
    differ = pd.Series(False, index=both.index)
    for value in ("as_reported", "harmonised"):
        a, b = both[value].mask(both["_merge"] == "right_only", 0), both[f"{value}_theirs"].mask(both["_merge"] == "left_only", 0)
        differ |= ~((a == b).fillna(False) | (a.isna() & b.isna()))
    there = both["_merge"] == "both"
    differ |= there & (both["missing"].fillna("") != both["missing_theirs"].fillna(""))
    return both[differ].drop(columns="_merge").reset_index(drop=True)
