"""Compute the table `quality`: the data quality of each institution by quarter, unit and quality dimension, compared with its own tolerance
and its earlier quarters.

Belongs here: scores and states. Does not belong here: which records are faulty (`warehouse/models/quality`), rules and their severity
(`schemas/rules`), tolerances (`tolerances` of the contract), the page (`harmonia/scorecard`). Institutions are never ranked: no row
depends on data of another institution.
A delivered record is faulty in a quality dimension if it has a finding of that dimension which is a warning or worse, and which was neither
fixed nor accepted as it is. A record has the weight 1, plus 1 for each of the institution's figures in which it counts as reported: a fault
in a record that affects four figures weighs five times as much as one in a record that affects none. The score is the weight of the records
without fault as a share of the weight of all records. A dimension that could not be assessed has the state `not_applicable`, not `within`.
"""

from __future__ import annotations

import pandas as pd

from schemas.findings import DIMENSIONS, rules
from sources import contract as contracts

WHOLE_SCORE = 10_000  # hundredths of a percent
_NOTICEABLE_CHANGE = 100  # hundredths of a percent; with a smaller change the trend is `same`
_SCORED_SEVERITIES = ("reject", "error", "warning")
_BY = ["institution", "unit", "period", "dimension"]


def compute_quality_table(deliveries: pd.DataFrame, scored: pd.DataFrame, whole_faults: pd.DataFrame) -> pd.DataFrame:
    """Compute the table `quality` (columns of `warehouse.tables.QUALITY`) from tables of the models.

    deliveries: the table `scored_delivery` with the deliveries that count. scored: the table `quality_score` with the numbers and weights
    of all records and of faulty records. whole_faults: the table `whole_fault` with faults of whole files and deliveries. In the result,
    `unit` is null in the row of a whole institution; the other rows are about the units that delivered in the quarter.
    """
    counts = ["records", "faulty", "weight", "weight_faulty"]
    out = _list_combinations_of_quality_table(scored, deliveries).merge(scored, on=_BY, how="left").fillna(dict.fromkeys(counts, 0))
    out = _add_trend_of_scores(_add_scores(out, whole_faults))
    return out.assign(unit=out["unit"].where(out["unit"] != "", None)).sort_values(_BY, na_position="first", ignore_index=True)


def _list_combinations_of_quality_table(scored: pd.DataFrame, deliveries: pd.DataFrame) -> pd.DataFrame:
    """Return every combination of institution, quarter and quality dimension, without a unit; then the combinations with a unit that occur
    in `scored`."""
    institutions, periods = (deliveries[[name]].drop_duplicates() for name in ("institution", "period"))
    without_unit = (
        institutions.merge(periods, how="cross").merge(pd.DataFrame({"dimension": list(DIMENSIONS)}), how="cross").assign(unit="")
    )
    return pd.concat([without_unit[_BY], scored.loc[scored["unit"] != "", _BY]], ignore_index=True).drop_duplicates()


def _add_scores(scored: pd.DataFrame, whole_faults: pd.DataFrame) -> pd.DataFrame:
    """Add the columns score, tolerance and state, and the column `whole`: the number of faults that concern a whole file or delivery.

    A dimension without rules on records, such as timeliness, has no score; only whole files and deliveries decide its state.
    """
    out = scored.merge(whole_faults, on=["institution", "period", "dimension"], how="left").fillna({"whole": 0})
    out["whole"] = out["whole"].where(out["unit"] == "", 0)
    on_records = {rule.dimension for rule in rules().values() if not rule.whole and rule.severity in _SCORED_SEVERITIES}
    assessed = (out["records"] > 0) & out["dimension"].isin(on_records)
    share = 1 - out["weight_faulty"] / out["weight"].where(out["weight"] > 0)
    out["score"] = (share * WHOLE_SCORE).round().where(assessed).astype("Int64")
    out["tolerance"] = [
        round(contracts.load(name).tolerances.get(dimension, 0.0) * WHOLE_SCORE)
        for name, dimension in zip(out["institution"], out["dimension"], strict=True)
    ]
    beyond = (out["whole"] > 0) | (out["score"] < WHOLE_SCORE - out["tolerance"]).fillna(False)
    out["state"] = pd.Series("within", index=out.index, dtype="str").mask(~assessed, "not_applicable").mask(beyond, "beyond")
    return out


def _add_trend_of_scores(scored: pd.DataFrame) -> pd.DataFrame:
    """Add the column `before`, the mean score of the earlier quarters in `scored`, and the column `trend`, which says whether the score is
    better or worse than this mean, or the same.

    Both columns are null if there is no earlier quarter with a score.
    """
    out = scored.sort_values([*_BY[:2], "dimension", "period"], ignore_index=True)
    has_score, score = out["score"].notna().astype("int64"), out["score"].astype("Float64").fillna(0)
    by = [out[name] for name in ("institution", "unit", "dimension")]
    total = score.groupby(by, sort=False).cumsum() - score
    n = has_score.groupby(by, sort=False).cumsum() - has_score
    before = (total / n.where(n > 0)).round()
    gap = (out["score"] - before).astype("Float64")
    trend = pd.Series("same", index=out.index, dtype="str").mask((gap >= _NOTICEABLE_CHANGE).fillna(False), "better")
    trend = trend.mask((gap <= -_NOTICEABLE_CHANGE).fillna(False), "worse").where(gap.notna())
    return out.assign(before=before.astype("Int64"), trend=trend)
