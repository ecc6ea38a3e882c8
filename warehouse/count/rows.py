"""Which records count, plainly: one row per accepted record with the event, for every indicator.

Belongs here: finding the event of a record, a decision that names no party, the day as reported and the day harmonised of each row.
Does not belong here: joining rows to units (`units`), what a date should have been (`dates`).

Rule (STATISTICS.md): "`as_reported`: what the institution's own records say, plainly: one per accepted row with the event, no linkage, no
`first`, no `once`"; "a row whose reference date cannot be read counts nowhere".
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from sources import contract
from warehouse.count.inputs import FILE, KEY, Standing, quarter_middle, quarter_of, reckoned
from warehouse.indicators import Indicator

ROW = ["indicator", "institution", "entity", "record_key", "case_key", "case_id", "person_id"]
DAYS = ["own_date", "day", "method", "own_day", "own_method", "giver_institution", "giver_case_key"]
"""own_date: as delivered, null where unreadable. day, method: harmonised. own_day, own_method: the record's own event put right, where
`day` comes from another record of the case; giver_*: the file that gave `day`."""


def _base(indicator: Indicator, standing: Standing) -> pd.DataFrame:
    """The records of the indicator's entity, institutions and roles: institution, record_key, case_key, case_id, person_id, period."""
    table = standing.cases if indicator.rows.record == "case" else standing.persons[standing.persons["kind"] != "legal"]
    out = table[table["institution"].isin(indicator.institutions)]
    if indicator.rows.roles:
        out = out[out["role"].isin(indicator.rows.roles)]
    out = out.assign(entity=indicator.rows.record, person_id=out["person_id"] if indicator.unit == "person" else None)
    return out[["institution", "entity", "record_key", "case_key", "case_id", "person_id", "period"]].astype({"person_id": "str"})


def in_file_then(standing: Standing, decisions: pd.DataFrame) -> pd.DataFrame:
    """The persons whom decisions without a party cover: "every defendant then in the file".

    "A decision without `pala_id` speaks of the parties in the file at the end of the quarter in which it was taken" (SPEC.md): those whose
    state of that quarter (of the first delivery that holds the decision, where it came later), or their last one before, stands in
    the file, unless separated from it by then.
    decisions: events on case records. Out: the events with `record_key` of each person covered.
    """
    asked = decisions.assign(decision=range(len(decisions)))
    taken = quarter_of(asked["day"])
    asked["until"] = taken.where(taken > asked["first_period"], asked["first_period"])
    asked = asked.drop(columns=["person_id", "record_key"])
    states = standing.states.rename(columns={"period": "seen"})
    files = states[["institution", "record_key", "case_key"]].drop_duplicates()
    pairs = asked.merge(files, on=FILE)
    held = pairs[["decision", "institution", "record_key", "until"]].merge(
        states.rename(columns={"case_key": "then_in"}), on=["institution", "record_key"]
    )
    held = held[held["seen"] <= held["until"]].sort_values(["seen", "delivery"])
    last = held.drop_duplicates(["decision", "record_key"], keep="last")
    pairs = pairs.merge(last[["decision", "record_key", "then_in"]], on=["decision", "record_key"])
    left = standing.events[standing.events["event"] == "separated"].groupby(KEY)["day"].min().rename("left")
    pairs = pairs.merge(left.reset_index(), on=KEY, how="left")
    covered = pairs[(pairs["then_in"] == pairs["case_key"]) & ~(pairs["left"] <= pairs["day"]).fillna(False)]
    return covered.assign(entity="person").drop(columns=["decision", "until", "then_in", "left"])


def _events_of(indicator: Indicator, standing: Standing) -> pd.DataFrame:
    """The events of the indicator with the record that they count on: institution, record_key or case_key, date, day, method, outcome."""
    rules, events = indicator.rows, standing.events
    found = events[(events["event"] == rules.event) & events["institution"].isin(indicator.institutions)]
    if rules.covers_file:
        whole = in_file_then(standing, found[found["entity"] == "case"])
        return pd.concat([found[found["entity"] == "person"], whole], ignore_index=True)
    return found


def _pick(events: pd.DataFrame, keys: list[str], column: str, decide: str) -> pd.DataFrame:
    """The deciding event of each record by `column` (earliest or latest); events without it are left out."""
    known = events.dropna(subset=[column])
    known = known.assign(reckoned=reckoned(known["day"], known["method"]) if column == "day" else known[column])
    ordered = known.sort_values(["reckoned", column], kind="stable")
    return ordered.drop_duplicates(keys, keep="first" if decide == "earliest" else "last").drop(columns="reckoned")


def _overturned(standing: Standing, keys: list[str], column: str, event: str, outcomes: tuple[str, ...]) -> pd.MultiIndex:
    """Records whose latest `event` by `column` has another outcome.

    Rule: "Within one court file the latest judgment of a defendant decides, outcome and date": a conviction that was final does not
    stand after a later acquittal.
    """
    latest = _pick(standing.events[standing.events["event"] == event], keys, column, "latest")
    return pd.MultiIndex.from_frame(latest.loc[~latest["outcome"].isin(outcomes), keys])


def _own(indicator: Indicator, standing: Standing, base: pd.DataFrame) -> pd.DataFrame:
    """Rows that have the event on their own record (or, `of: case`, on the case record of their file)."""
    rules = indicator.rows
    events = _events_of(indicator, standing)
    on_file = rules.of == "case" or rules.record == "case"
    keys = FILE if on_file else KEY
    if rules.of == "case":
        events = events[events["entity"] == "case"]
    if rules.unless:
        against = standing.events[standing.events["event"] == rules.unless]
        barred = pd.MultiIndex.from_frame(base[keys]).isin(pd.MultiIndex.from_frame(against[keys]))
        base = base[~barred]
    reported, right = _pick(events, keys, "date", rules.decide), _pick(events, keys, "day", rules.decide)
    if rules.outcomes:
        reported, right = reported[reported["outcome"].isin(rules.outcomes)], right[right["outcome"].isin(rules.outcomes)]
    if rules.after:
        gone = (_overturned(standing, keys, column, rules.after, rules.outcomes) for column in ("date", "day"))
        reported, right = (f[~pd.MultiIndex.from_frame(f[keys]).isin(g)] for f, g in zip((reported, right), gone, strict=True))
    out = base.merge(reported[[*keys, "date"]].rename(columns={"date": "own_date"}), on=keys, how="left")
    return out.merge(right[[*keys, "day", "method"]], on=keys, how="left").assign(
        own_day=lambda f: f["day"],
        own_method=lambda f: f["method"],
        giver_institution=lambda f: f["institution"],
        giver_case_key=lambda f: f["case_key"],
    )


def _case_days(indicator: Indicator, standing: Standing) -> pd.DataFrame:
    """The day of the event of each case over all institutions of the stage, and the file that gives it.

    Rule: "`suspects_registered` and `victims_identified` take the case's earliest report date, over police and inspectorate.
    `persons_reported` takes the earliest day that any prosecution file of the case was received."
    """
    stage = [name for name, at in contract.stage_of().items() if at == indicator.harmonised.stage]
    events = standing.events
    found = events[(events["event"] == indicator.rows.event) & (events["entity"] == "case") & events["institution"].isin(stage)]
    first = _pick(found, ["case_id"], "day", "earliest")[["case_id", "day", "method", "institution", "case_key"]]
    return first.rename(columns={"institution": "giver_institution", "case_key": "giver_case_key"})


def _by_case(indicator: Indicator, standing: Standing, rows: pd.DataFrame) -> pd.DataFrame:
    """`of: case`: the day is the case's. A person whose case record cannot be read counts in the quarter of the person's first delivery."""
    given = ["day", "method", "giver_institution", "giver_case_key"]
    out = rows.drop(columns=given).merge(_case_days(indicator, standing), on="case_id", how="left")
    first = standing.states.groupby(KEY)["period"].min().rename("first_seen").reset_index()
    out = out.merge(first, on=KEY, how="left")
    lost = out["day"].isna()
    out["day"] = out["day"].mask(lost, quarter_middle(out["first_seen"].fillna(out["period"]))).astype("datetime64[s]")
    out["method"] = out["method"].mask(lost, "middle")
    return out.drop(columns="first_seen")


def orphans(indicator: Indicator, standing: Standing) -> pd.DataFrame:
    """Case rows that no readable record holds: persons whose case line was quarantined show that the case was there.

    Only for the event that opens a file (reported, received): one row per file whose case has no such event at all.
    """
    if indicator.rows.record != "case" or indicator.rows.event not in ("reported", "received"):
        return pd.DataFrame()
    people = standing.persons[standing.persons["institution"].isin(indicator.institutions)]
    lost = people.merge(standing.cases[FILE].assign(known=True).drop_duplicates(), on=FILE, how="left")
    lost = lost[lost["known"].isna()]
    dated = standing.events[
        (standing.events["event"] == indicator.rows.event) & standing.events["institution"].isin(indicator.institutions)
    ]
    lost = lost[~lost["case_id"].isin(dated["case_id"])]
    first = lost.groupby([*FILE, "case_id"], as_index=False)["period"].min()
    return first.assign(
        record_key=first["case_key"],
        entity="case",
        person_id=None,
        day=quarter_middle(first["period"]),
        method="middle",
        giver_institution=first["institution"],
        giver_case_key=first["case_key"],
    )


def indicator_rows(indicator: Indicator, standing: Standing) -> pd.DataFrame:
    """One row per record with the event.

    Columns out: `ROW`, `DAYS`. `standing.events` must hold `day` and `method` (`dates.impute_dates`). `day` is null where the record
    counts as reported only (that of an unknown person always), `own_date` where it counts harmonised only.
    """
    base = _base(indicator, standing)
    out = _own(indicator, standing, base)
    if indicator.rows.of == "case":
        out = _by_case(indicator, standing, out)
    out = pd.concat([out, orphans(indicator, standing)], ignore_index=True).assign(indicator=indicator.code)
    if indicator.unit == "person":
        out["day"] = out["day"].where(out["person_id"].notna())
    out = out[out["own_date"].notna() | out["day"].notna()]
    dates = dict.fromkeys(("own_date", "day", "own_day"), "datetime64[s]")
    text = dict.fromkeys([*ROW, "method", "own_method", "giver_institution", "giver_case_key"], "str")
    return out.reindex(columns=[*ROW, *DAYS]).astype({**dates, **text}).reset_index(drop=True)


def moves(rows: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """In how many indicators each record counts as reported. rows: indicator -> frame of `indicator_rows`.

    Columns out: institution, record_key, entity, case_id, figures.
    """
    by = [*KEY, "entity", "case_id"]
    counted = pd.concat([frame.loc[frame["own_date"].notna(), [*by, "indicator"]] for frame in rows.values()], ignore_index=True)
    return counted.drop_duplicates().groupby(by).size().rename("figures").reset_index()
