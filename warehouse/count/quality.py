"""The table `quality`: how an institution's deliveries do, by quarter, unit and dimension, against its own tolerance and its own past.

Belongs here: the counting of the scorecard. Does not belong here: rules and their severity (`schemas/rules`), tolerances (`tolerances` of
the contract), the page (`pipelines/scorecard`). Institutions are never ranked: no row hangs on another institution's.

A record that was delivered is at fault in a dimension where a finding of that dimension that is a warning or worse speaks of it;
information never counts, nor what was fixed or accepted as it is. It weighs 1, and 1 more for each of the institution's figures in which it
counts as reported: a fault in a record that moves four figures weighs five times one in a record that moves none. The score is the share of
the weight that is free of faults. What could not be judged is *not applicable*, which is not *within*.
"""

from __future__ import annotations

import pandas as pd

from schemas.findings import DIMENSIONS, lines_told, of_many, rules
from sources import contract as contracts
from warehouse.count.inputs import CountInputs
from warehouse.count.neutral_names import neutral_units

QUARTERS = 12
WHOLE_SCORE = 10_000  # hundredths of a percent
_NOTICEABLE = 100  # of them: less than one percent up or down is the same
_COSTS = ("reject", "error")
_SCORED = ("reject", "error", "warning")
_BY = ["institution", "unit", "period", "dimension"]
_RECORD = ["institution", "record"]


def quality(inputs: CountInputs, moved: pd.DataFrame) -> pd.DataFrame:
    """The rows of `quality` for the last `QUARTERS` quarters that any institution delivered: columns of `warehouse.tables.QUALITY`.

    moved: of `rows.moves`.

    `unit` is null for the institution as a whole; its other rows are of the units that delivered in the quarter.
    """
    periods = sorted(inputs.deliveries["period"].unique())[-QUARTERS:]
    standing = _standing(inputs.deliveries, periods)
    records = _records(inputs, moved, standing)
    faults = _faults(_of_records(inputs.findings, inputs.lineage), standing)
    both = [_scores(records.assign(unit=""), faults), _scores(records[records["unit"] != ""], faults)]
    scored = pd.concat(both, ignore_index=True)
    every = _every(scored, standing["institution"].unique(), periods).merge(scored, on=_BY, how="left")
    out = _judged(every.fillna({"records": 0, "faulty": 0, "weight": 0, "weight_faulty": 0}), _whole(inputs.findings, standing))
    return (
        _with_past(out)
        .assign(unit=lambda f: f["unit"].where(f["unit"] != "", None))
        .sort_values(_BY, na_position="first", ignore_index=True)
    )


def _standing(deliveries: pd.DataFrame, periods: list[str]) -> pd.DataFrame:
    """The last version of each quarter that could be read, else the last: institution, period, delivery, state."""
    own = deliveries[deliveries["period"].isin(periods)]
    order = own.assign(readable=own["state"] != "unreadable").sort_values(["readable", "version"], kind="stable")
    return order.drop_duplicates(["institution", "period"], keep="last")[["institution", "period", "delivery", "state"]]


def _records(inputs: CountInputs, moved: pd.DataFrame, standing: pd.DataFrame) -> pd.DataFrame:
    """The records of the standing deliveries: institution, period, delivery, record, unit (empty: none), weight."""
    held = inputs.lineage[["institution", "delivery", "entity", "part", "record_key"]].merge(standing, on=["institution", "delivery"])
    held = _told_apart(held)
    of_entity = held[["institution", "entity", "table"]].drop_duplicates()
    figures = _named(moved.merge(of_entity, on=["institution", "entity"])).groupby(_RECORD)["figures"].sum()
    out = held.drop_duplicates([*_RECORD, "delivery"])
    weight = 1 + figures.reindex(pd.MultiIndex.from_frame(out[_RECORD])).fillna(0).astype("int64").to_numpy()
    out = out[[*_RECORD, "period", "delivery"]].assign(weight=weight)
    if inputs.units is None:
        return out.assign(unit="")
    units = _told_apart(inputs.units).drop_duplicates(_RECORD, keep="last")
    out = out.merge(units[[*_RECORD, "unit"]], on=_RECORD, how="left").fillna({"unit": ""})
    return out.assign(unit=neutral_units(out))


def _told_apart(rows: pd.DataFrame) -> pd.DataFrame:
    """`rows` (institution, part, record_key) with `record`, and with `table`: where the part is a table, that of the record, else null;
    tables may number their rows alike."""
    of_part = {"\0".join(part): table for part, table in contracts.record_tables().items()}
    return _named(rows.assign(table=(rows["institution"] + "\0" + rows["part"].astype("str")).map(of_part).astype("str")))


def _named(rows: pd.DataFrame) -> pd.DataFrame:
    """`rows` (table, record_key) with `record`, which names a record among all of its institution."""
    return rows.assign(record=(rows["table"] + "\0" + rows["record_key"]).fillna(rows["record_key"]))


def _open(findings: pd.DataFrame, standing: pd.DataFrame) -> pd.DataFrame:
    """Findings of the standing deliveries that count, with `dimension`, `whole` (on no record) and `period`."""
    known = rules()
    own = findings[findings["severity"].isin(_SCORED) & ~findings["state"].isin(["fixed", "accepted_as_is"])]
    own = own.assign(
        dimension=own["rule"].map({code: rule.dimension for code, rule in known.items()}),
        whole=own["record_key"].isna() & own["rule"].map({code: rule.whole for code, rule in known.items()}).astype(bool),
    )
    return own.merge(standing[["institution", "period", "delivery"]], on=["institution", "delivery"])


def _of_records(findings: pd.DataFrame, lineage: pd.DataFrame) -> pd.DataFrame:
    """The findings, but those on many lines as one for the record of each line."""
    if "detail" not in findings:
        return findings
    many = of_many(findings) & findings["severity"].isin(_SCORED)
    if not many.any():
        return findings
    place = ["institution", "delivery", "file", "part", "line"]
    each = findings[many].assign(line=findings.loc[many, "detail"].map(lines_told)).explode("line").drop(columns="record_key")
    held = lineage.loc[lineage["delivery"].isin(each["delivery"].unique()), [*place, "record_key"]]
    each, held = (rows.fillna({"part": ""}).astype({"line": "Int64"}) for rows in (each, held))
    return pd.concat([findings[~many], each.merge(held, on=place).assign(part=lambda f: f["part"].replace("", None))], ignore_index=True)


def _faults(findings: pd.DataFrame, standing: pd.DataFrame) -> pd.DataFrame:
    """Which record is at fault in which dimension: institution, delivery, record, dimension."""
    own = _open(findings, standing).dropna(subset=["record_key"])
    return _told_apart(own)[[*_RECORD, "delivery", "dimension"]].drop_duplicates()


def _whole(findings: pd.DataFrame, standing: pd.DataFrame) -> pd.DataFrame:
    """Faults of whole files and deliveries that cost rows or values: institution, period, dimension, whole."""
    own = _open(findings, standing)
    own = own[own["whole"] & own["severity"].isin(_COSTS) & (own["origin"] == "cause")]
    return own.groupby(["institution", "period", "dimension"]).size().rename("whole").reset_index()


def _scores(records: pd.DataFrame, faults: pd.DataFrame) -> pd.DataFrame:
    """Records and their weight, all and at fault, by `_BY`."""
    by = ["institution", "unit", "period"]
    every = records.groupby(by).agg(records=("record", "size"), weight=("weight", "sum")).reset_index()
    wrong = records.merge(faults, on=[*_RECORD, "delivery"])
    counted = wrong.groupby(_BY).agg(faulty=("record", "size"), weight_faulty=("weight", "sum")).reset_index()
    return every.merge(pd.DataFrame({"dimension": list(DIMENSIONS)}), how="cross").merge(counted, on=_BY, how="left")


def _every(scored: pd.DataFrame, institutions: object, periods: list[str]) -> pd.DataFrame:
    """Every institution, quarter and dimension, delivered or not; units where they delivered."""
    grid = [pd.DataFrame({"institution": institutions}), pd.DataFrame({"period": periods}), pd.DataFrame({"dimension": list(DIMENSIONS)})]
    whole = grid[0].merge(grid[1], how="cross").merge(grid[2], how="cross").assign(unit="")
    return pd.concat([whole[_BY], scored.loc[scored["unit"] != "", _BY]], ignore_index=True).drop_duplicates()


def _judged(scored: pd.DataFrame, whole: pd.DataFrame) -> pd.DataFrame:
    """Add whole, score, tolerance and state. No rule judges records on timeliness: that is told of whole deliveries alone."""
    out = scored.merge(whole, on=["institution", "period", "dimension"], how="left").fillna({"whole": 0})
    out["whole"] = out["whole"].where(out["unit"] == "", 0)
    on_records = {rule.dimension for rule in rules().values() if not rule.whole and rule.severity in _SCORED}
    judged = (out["records"] > 0) & out["dimension"].isin(on_records)
    share = 1 - out["weight_faulty"] / out["weight"].where(out["weight"] > 0)
    out["score"] = (share * WHOLE_SCORE).round().where(judged).astype("Int64")
    out["tolerance"] = [
        round(contracts.load(name).tolerances.get(dimension, 0.0) * WHOLE_SCORE)
        for name, dimension in zip(out["institution"], out["dimension"], strict=True)
    ]
    beyond = (out["whole"] > 0) | (out["score"] < WHOLE_SCORE - out["tolerance"]).fillna(False)
    out["state"] = pd.Series("within", index=out.index, dtype="str").mask(~judged, "not_applicable").mask(beyond, "beyond")
    return out


def _with_past(scored: pd.DataFrame) -> pd.DataFrame:
    """Add `before`, the mean score of the earlier quarters shown, and `trend` against it: better, same, worse; null without a past."""
    out = scored.sort_values([*_BY[:2], "dimension", "period"], ignore_index=True)
    known, score = out["score"].notna().astype("int64"), out["score"].astype("Float64").fillna(0)
    by = [out[name] for name in ("institution", "unit", "dimension")]
    total = score.groupby(by, sort=False).cumsum() - score
    n = known.groupby(by, sort=False).cumsum() - known
    before = (total / n.where(n > 0)).round()
    gap = (out["score"] - before).astype("Float64")
    trend = pd.Series("same", index=out.index, dtype="str").mask((gap >= _NOTICEABLE).fillna(False), "better")
    trend = trend.mask((gap <= -_NOTICEABLE).fillna(False), "worse").where(gap.notna())
    return out.assign(before=before.astype("Int64"), trend=trend)
