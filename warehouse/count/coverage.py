"""Find out which periods the institutions delivered, and how completely.

Belongs here: the published periods, the coverage of each institution and period, the deliveries that a figure lacks. Does not belong
here: what the states of a delivery mean (`sources/completeness_states`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from sources import contract, periods
from sources.completeness_states import COMPLETE, MISSING, REOPENED, SIGNED, UNREADABLE, UNSIGNED, calendar_state, period_state
from warehouse.indicators import Indicator

QUARTERS = ("Q1", "Q2", "Q3", "Q4")


def list_years_and_quarters_with_deliveries(deliveries: pd.DataFrame) -> list[str]:
    """Return the years and quarters with at least one delivery, years first (docs/reference/counting-rules.md, "What is counted").

    deliveries: column period (month, quarter, half-year or year).
    """
    quarters = sorted({quarter for period in deliveries["period"].dropna().unique() for quarter in periods.quarters_of(period)})
    return sorted({quarter[:4] for quarter in quarters}) + quarters


def compute_coverage_of_periods(deliveries: pd.DataFrame, signatures: pd.DataFrame | None = None) -> pd.DataFrame:
    """Compute the table `coverage`: the state of each institution's deliveries for every published year and quarter.

    deliveries: the deliveries, with the columns institution, period, version, state. signatures: the result of
    `harmonia.signing.list_signature_states`; None if nobody signed.
    Columns out: institution; period; state (see `sources.completeness_states`); signature (see `harmonia.signing`), which is null if
    nothing was delivered. A period has no row for an institution that did not have to deliver (`delivers_from` and `delivers_until` of its
    contract) and did not deliver. The state of a quarter or year follows from the states of the delivered periods (months, quarters, …)
    that overlap it. A quarter for which nobody delivered anything is not published, but counts as missing in the state of its year.
    """
    by = deliveries.sort_values("version").groupby(["institution", "period"])["state"].agg(period_state)
    signature_rows = signatures if signatures is not None else pd.DataFrame(columns=["institution", "period", "signature"])
    signature_by_quarter = signature_rows.set_index(["institution", "period"])["signature"].to_dict()
    rows = []
    published = list_years_and_quarters_with_deliveries(deliveries)
    for institution in contract.institutions():
        declared = contract.load(institution)
        for period in published:
            overlapping = periods.overlapping_periods(period, declared.cadence)
            parts = [part for part in overlapping if (institution, part) in by.index or declared.is_delivery_due(part)]
            if not parts:
                continue
            state = calendar_state(by.get((institution, part), MISSING) for part in parts)
            signed = [str(signature_by_quarter.get((institution, part), UNSIGNED)) for part in parts if (institution, part) in by.index]
            rows.append((institution, period, state, _find_weakest_signature_state(signed)))
    out = pd.DataFrame(rows, columns=["institution", "period", "state", "signature"], dtype="str")
    return out.sort_values(["institution", "period"], ignore_index=True)


def _find_weakest_signature_state(signatures: Sequence[str]) -> str | None:
    """Return the signature state of a period. It is the weakest one of the period's deliveries: `REOPENED`, then `UNSIGNED`, then `SIGNED`.
    Return None if there is no delivery."""
    return next((state for state in (REOPENED, UNSIGNED, SIGNED) if state in signatures), None)


def list_deliveries_that_figures_lack(
    indicators: Mapping[str, Indicator], covered: pd.DataFrame, every_period: Sequence[str]
) -> pd.DataFrame:
    """List the deliveries that each figure lacks: the incomplete and unsigned deliveries of the institutions that its indicator counts.

    indicators: the indicators by code. covered: the table from `compute_coverage_of_periods`. every_period: the result of
    `list_years_and_quarters_with_deliveries`.
    Columns out: indicator; period; missing: institution, quarter and state of each incomplete delivery, comma-separated (null if all are
    complete); silent: whether nothing could be read from any of the institutions in the whole period, so that the figures are null;
    preliminary: whether a quarter that one of the institutions delivered is not signed. A delivery that was not due is not missing. Only if
    none of the figure's deliveries was due, `missing` names all of them, and the figure is null.
    """
    state = covered.set_index(["institution", "period"])["state"].to_dict()
    open_quarters = covered[covered["signature"].isin([UNSIGNED, REOPENED])]
    unsigned = set(zip(open_quarters["institution"], open_quarters["period"], strict=True))
    rows = []
    for period in every_period:
        parts = [f"{period}-{q}" for q in QUARTERS] if len(period) == 4 else [period]
        for code, indicator in indicators.items():
            every_part = [(name, part) for name in indicator.institutions for part in parts]
            due = [one for one in every_part if one in state or _is_delivery_due_in_quarter(*one)]
            of_part = [(name, part, state.get((name, part), MISSING)) for name, part in due or every_part]
            absent = [" ".join(one) for one in of_part if one[2] != COMPLETE]
            silent = all(one[2] in (MISSING, UNREADABLE) for one in of_part)
            preliminary = any((name, part) in unsigned for name, part, _ in of_part)
            rows.append((code, period, ", ".join(absent) or None, silent, preliminary))
    out = pd.DataFrame(rows, columns=["indicator", "period", "missing", "silent", "preliminary"])
    return out.astype({"missing": "str", "silent": bool, "preliminary": bool})


def _is_delivery_due_in_quarter(institution: str, quarter: str) -> bool:
    """Return whether an institution has to deliver for a period that has a day in the quarter."""
    declared = contract.load(institution)
    return any(map(declared.is_delivery_due, periods.overlapping_periods(quarter, declared.cadence)))


def count_quarantined_rows(indicators: Mapping[str, Indicator], deliveries: pd.DataFrame, quarantined: pd.DataFrame) -> pd.DataFrame:
    """Count, for each indicator and published period, the quarantined rows in the deliveries of the indicator's institutions.

    deliveries: the deliveries, with the columns institution, delivery, period. quarantined: the number of quarantined rows of each
    delivery, with the columns institution, delivery, rows. Columns out: indicator, period, quarantined (the number).
    """
    dated = quarantined.merge(deliveries[["institution", "delivery", "period"]].drop_duplicates(), on=["institution", "delivery"])
    quarterly = dated.assign(period=dated["period"].map(periods.quarters_of)).explode("period")
    both = pd.concat([quarterly, dated.assign(period=dated["period"].str[:4])], ignore_index=True)
    tally = both.groupby(["institution", "period"])["rows"].sum()
    published = list_years_and_quarters_with_deliveries(deliveries)
    pairs = [(code, period, name) for code, i in indicators.items() for period in published for name in i.institutions]
    out = pd.DataFrame(pairs, columns=["indicator", "period", "institution"])
    numbers = tally.reindex(pd.MultiIndex.from_frame(out[["institution", "period"]])).fillna(0).to_numpy()
    return (
        out.assign(quarantined=np.asarray(numbers, dtype="int64"))
        .groupby(["indicator", "period"], sort=False)["quarantined"]
        .sum()
        .reset_index()
    )
