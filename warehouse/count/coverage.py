"""Which periods were delivered. Belongs here: published periods, coverage per institution and period, gaps of an indicator."""

from __future__ import annotations

import numpy as np
import pandas as pd

from schemas.canonical import INSTITUTIONS
from warehouse.indicators import Indicator

QUARTERS = ("Q1", "Q2", "Q3", "Q4")


def published(deliveries: pd.DataFrame) -> list[str]:
    """The years and quarters for which at least one delivery came, years first ("What is published", STATISTICS.md)."""
    quarters = sorted(deliveries["period"].dropna().unique())
    return sorted({quarter[:4] for quarter in quarters}) + quarters


def _standing_state(deliveries: pd.DataFrame) -> pd.DataFrame:
    """One state per institution and quarter: the last version that could be read decides; a partial correction leaves the quarter partial.

    "A correction that cannot be read at all replaces nothing." Nothing readable at all: missing.
    """
    read = deliveries[deliveries["state"] != "unreadable"].sort_values("version")
    return read.drop_duplicates(["institution", "period"], keep="last")[["institution", "period", "state"]]


def coverage(deliveries: pd.DataFrame) -> pd.DataFrame:
    """Columns out: institution, period (every published year and quarter), state (complete, partial, missing).

    A year is complete where its four quarters are, missing where none was delivered, else partial. A quarter for which no institution
    delivered is not published, but is missing in its year.
    """
    periods = published(deliveries)
    years = [p for p in periods if len(p) == 4]
    grid = pd.MultiIndex.from_product([INSTITUTIONS, years, QUARTERS], names=["institution", "year", "quarter"]).to_frame(index=False)
    grid["period"] = grid["year"] + "-" + grid["quarter"]
    quarters = grid.merge(_standing_state(deliveries), on=["institution", "period"], how="left")
    quarters["state"] = quarters["state"].fillna("missing")
    tally = quarters.groupby(["institution", "year"], sort=False)["state"].agg(
        lambda s: "complete" if (s == "complete").all() else "missing" if (s == "missing").all() else "partial"
    )
    yearly = tally.rename_axis(["institution", "period"]).rename("state").reset_index()
    out = pd.concat([yearly, quarters[quarters["period"].isin(periods)]], ignore_index=True)
    return out[["institution", "period", "state"]].sort_values(["institution", "period"], ignore_index=True)


def gaps(indicators: dict[str, Indicator], deliveries: pd.DataFrame) -> pd.DataFrame:
    """What is missing behind each figure.

    Columns out: indicator, period, missing (institution and quarter, comma-separated; null where nothing is), silent (all of the
    indicator's institutions are missing in the whole period: its figures are null).
    """
    covered = coverage(deliveries)
    state = covered.set_index(["institution", "period"])["state"]
    quarters = {p for p in covered["period"] if len(p) > 4}
    rows = []
    for period in published(deliveries):
        parts = [f"{period}-{q}" for q in QUARTERS] if len(period) == 4 else [period]
        for code, indicator in indicators.items():
            absent = [
                f"{name} {part}"
                for name in indicator.institutions
                for part in parts
                if part not in quarters or state[name, part] == "missing"
            ]
            silent = all(state[name, period] == "missing" for name in indicator.institutions)
            rows.append((code, period, ", ".join(absent) or None, silent))
    out = pd.DataFrame(rows, columns=["indicator", "period", "missing", "silent"])
    return out.assign(missing=out["missing"].astype("str"), silent=out["silent"].astype(bool))


def quarantined_rows(indicators: dict[str, Indicator], deliveries: pd.DataFrame, quarantined: pd.DataFrame) -> pd.DataFrame:
    """Quarantined rows in the indicator's institutions' deliveries of each period. Columns out: indicator, period, quarantined."""
    dated = quarantined.merge(deliveries[["institution", "delivery", "period"]].drop_duplicates(), on=["institution", "delivery"])
    both = pd.concat([dated, dated.assign(period=dated["period"].str[:4])], ignore_index=True)
    tally = both.groupby(["institution", "period"])["rows"].sum()
    pairs = [(code, period, name) for code, i in indicators.items() for period in published(deliveries) for name in i.institutions]
    out = pd.DataFrame(pairs, columns=["indicator", "period", "institution"])
    found = tally.reindex(pd.MultiIndex.from_frame(out[["institution", "period"]])).fillna(0).to_numpy()
    return (
        out.assign(quarantined=np.asarray(found, dtype="int64"))
        .groupby(["indicator", "period"], sort=False)["quarantined"]
        .sum()
        .reset_index()
    )
