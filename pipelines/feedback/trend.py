"""How an institution's findings went from delivery to delivery.

Belongs here: open and fixed findings beside the records delivered. Does not belong here: scores (the table `quality`).
"""

from __future__ import annotations

import pandas as pd

from sources.contract import DeliveryName

_SHOWN = 8  # deliveries, the newest last


def trend(found: pd.DataFrame, accounting: pd.DataFrame) -> pd.DataFrame:
    """Per delivery, in the order of quarter and version: institution, delivery, records (rows of data), open (causes, a warning or worse),
    fixed. found: `pipelines.feedback.life.LIVED`. accounting: rows by file (`pipelines.current`)."""
    by = ["institution", "delivery"]
    rows = accounting.assign(records=accounting["read"] - accounting["structural"]).groupby(by)["records"].sum()
    asks = found[(found["severity"] != "info") & (found["origin"] == "cause")]
    open_ = asks[~asks["state"].isin(["fixed", "accepted_as_is"])].groupby(by).size()
    fixed = found[found["state"] == "fixed"].groupby(by).size()
    out = pd.DataFrame({"records": rows, "open": open_, "fixed": fixed}).fillna(0).astype("int64").reset_index()
    names = {name: DeliveryName.parse(name) for name in out["delivery"].unique()}
    out = out[out["delivery"].map({name: one is not None for name, one in names.items()}).astype(bool)]
    order = {name: (one.period, one.version) for name, one in names.items() if one}
    return out.iloc[sorted(range(len(out)), key=lambda n: (out["institution"].iloc[n], *order[out["delivery"].iloc[n]]))]


def until(history: pd.DataFrame, institution: str, delivery: str) -> pd.DataFrame:
    """The deliveries of an institution up to `delivery`, the last few."""
    own = history[history["institution"] == institution]
    at = own.index[own["delivery"] == delivery]
    return own.loc[: at[0]].tail(_SHOWN).drop(columns="institution") if len(at) else own.iloc[:0].drop(columns="institution")
