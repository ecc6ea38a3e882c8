"""Every counted indicator once more, over the published facts alone: one plain statement for its rows as reported and one for its units.

Written from counting-rules.md before the models were, one indicator at a time, summed in plain pandas. Imports nothing of Harmonia.
"""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import duckdb
import pandas as pd

FOLDER = Path(__file__).parent
DIMENSIONS = ("offence_group", "form", "sex", "age_group", "citizenship_group")
SERIOUS = ("trafficking", "slavery", "withholding_identity_papers", "facilitating_prostitution", "prostitution", "other")
TRIPLES = (("offence_group", "sex", "age_group"), ("form", "sex", "age_group"))


def figures(connection: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Figures other than 0 of the published periods: indicator, period, the dimensions, as_reported, harmonised."""
    published = {period for (period,) in connection.execute("SELECT period FROM dim_period WHERE published").fetchall()}
    parts = []
    for path in sorted(FOLDER.glob("*.as_reported.sql")):
        indicator = path.name.removesuffix(".as_reported.sql")
        rows = connection.execute(path.read_text("utf-8")).df()
        units = connection.execute((FOLDER / f"{indicator}.harmonised.sql").read_text("utf-8")).df()
        for kind in ("quarter", "year"):
            reported = _summed(_once_a_record(_dated(rows, kind)), "as_reported")
            counted = _summed(_once(_dated(units, kind)), "harmonised")
            parts.append(reported.join(counted, how="outer").reset_index().assign(indicator=indicator))
    found = pd.concat(parts, ignore_index=True)
    return found[found["period"].isin(published)].fillna({"as_reported": 0, "harmonised": 0})


def _dated(frame: pd.DataFrame, kind: str) -> pd.DataFrame:
    day = pd.to_datetime(frame["day"])
    year = day.dt.year.astype("Int64").astype("str")
    return frame.assign(period=year if kind == "year" else year + "-Q" + day.dt.quarter.astype("Int64").astype("str"))[day.notna()]


def _once_a_record(rows: pd.DataFrame) -> pd.DataFrame:
    """Where the rows name their record, it counts once in a period, with its first row."""
    return rows.drop_duplicates(["record", "period"]) if "record" in rows else rows


def _once(units: pd.DataFrame) -> pd.DataFrame:
    """A person counts once in a period: under the most serious offence, then the earliest."""
    if "person_id" not in units:
        return units
    order = units.assign(rank=units["offence_group"].map(SERIOUS.index))
    return order.sort_values(["rank", "day", "case_id"], kind="stable").drop_duplicates(["person_id", "period"])


def _summed(frame: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Totals, one dimension at a time, the offence with each other, and two tables of three dimensions."""
    there = [name for name in DIMENSIONS if name in frame]
    tables = [(), *((name,) for name in there), *(pair for pair in combinations(there, 2) if pair[0] == "offence_group")]
    tables += [triple for triple in TRIPLES if set(triple) <= set(there)]
    parts = []
    for names in tables:
        sums = frame.groupby(["period", *names]).size().rename(measure).reset_index()
        parts.append(sums.assign(**{name: "total" for name in DIMENSIONS if name not in names}))
    return pd.concat(parts, ignore_index=True).set_index(["period", *DIMENSIONS])
