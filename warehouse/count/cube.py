"""The `statistics` table: sums of rows and units by indicator, period and dimension.

Belongs here: which tables are published, zeros, nulls where all institutions are missing. Does not belong here: what counts.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from warehouse.count.coverage import published
from warehouse.count.inputs import quarter_of, year_of
from warehouse.indicators import DIMENSIONS, Indicator

TOTAL = "total"
CROSSED = (
    *(("offence_group", other) for other in DIMENSIONS if other != "offence_group"),
    ("offence_group", "sex", "age_group"),
    ("form", "sex", "age_group"),
)
"""Tables of two and three dimensions; in them an absent row is 0. Totals and one-way tables hold a row per declared value, zeros too."""
KEYS = ["indicator", "period", *DIMENSIONS]


def by_period(rows: pd.DataFrame, units: pd.DataFrame) -> pd.DataFrame:
    """Rows and units once per quarter and once per year in which they count.

    rows   as reported, all indicators: indicator, own_date and dimensions
    units  harmonised: indicator, day, counts_in_quarter, counts_in_year and dimensions
    Both with case_id. Columns out: case_id, indicator, period, dimensions (null where none applies), as_reported, harmonised.
    """
    by = ["case_id", *KEYS]
    columns = [*by, "as_reported", "harmonised"]
    reported = [rows.assign(period=period(rows["own_date"]), as_reported=1, harmonised=0) for period in (quarter_of, year_of)]
    quarter, year = units[units["counts_in_quarter"]], units[units["counts_in_year"]]
    counted = [
        quarter.assign(period=quarter_of(quarter["day"]), as_reported=0, harmonised=1),
        year.assign(period=year_of(year["day"]), as_reported=0, harmonised=1),
    ]
    every = pd.concat([frame[columns] for frame in [*reported, *counted]], ignore_index=True)
    return every.groupby(by, sort=False, dropna=False)[["as_reported", "harmonised"]].sum().reset_index()


def _summed(facts: pd.DataFrame, dimensions: tuple[str, ...]) -> pd.DataFrame:
    """Sums by indicator, period and `dimensions`; the others hold `total`."""
    out = facts.groupby(["indicator", "period", *dimensions], sort=False, observed=True)[["as_reported", "harmonised"]].sum().reset_index()
    return out.assign(**{d: TOTAL for d in DIMENSIONS if d not in dimensions})


def _declared(indicators: Mapping[str, Indicator], periods: list[str]) -> pd.DataFrame:
    """Every row that must be there, zeros too: totals, and each value of each dimension that applies to the indicator."""
    rows = []
    for code, indicator in indicators.items():
        rows.append((code, *[TOTAL] * len(DIMENSIONS)))
        for dimension in indicator.dimensions:
            rows += [(code, *[value if d == dimension else TOTAL for d in DIMENSIONS]) for value in DIMENSIONS[dimension]]
    cells = pd.DataFrame(rows, columns=["indicator", *DIMENSIONS])
    return cells.merge(pd.DataFrame({"period": periods}), how="cross").assign(as_reported=0, harmonised=0)


def statistics(
    facts: pd.DataFrame, indicators: Mapping[str, Indicator], deliveries: pd.DataFrame, gaps: pd.DataFrame, quarantined: pd.DataFrame
) -> pd.DataFrame:
    """The `statistics` table (columns of `warehouse.tables.STATISTICS`).

    facts  of `by_period`, also added up over cases; gaps of `coverage.gaps`; quarantined of `coverage.quarantined_rows`
    """
    periods = published(deliveries)
    facts = facts[facts["period"].isin(periods)]
    parts = [_declared(indicators, periods), _summed(facts, ()), *(_summed(facts, (d,)) for d in DIMENSIONS)]
    for dimensions in CROSSED:
        apply = [code for code, i in indicators.items() if set(dimensions) <= set(i.dimensions)]
        parts.append(_summed(facts[facts["indicator"].isin(apply)], dimensions))
    together = pd.concat(parts, ignore_index=True)
    together = together[together[list(DIMENSIONS)].notna().all(axis=1)]
    out = together.groupby(KEYS, sort=False)[["as_reported", "harmonised"]].sum().reset_index()
    out = out.merge(gaps, on=["indicator", "period"], how="left").merge(quarantined, on=["indicator", "period"], how="left")
    grand = (out[list(DIMENSIONS)] == TOTAL).all(axis=1)
    figures = out[["as_reported", "harmonised"]].astype("Int64").mask(out["silent"])
    return out.assign(
        as_reported=figures["as_reported"],
        harmonised=figures["harmonised"],
        quarantined=out["quarantined"].astype("Int64").where(grand),
        incomplete=out["missing"].notna(),
    )
