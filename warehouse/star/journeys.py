"""Cases and persons with the days of their way, and the state of a case at the end of each quarter.

Belongs here: `fact_case`, `fact_person`, `fact_case_snapshot`. A day of a way is that of an indicator's unit (table `counted`), so that
what follows a cohort and what counts a year agree. Does not belong here: which day counts (`warehouse/count`).
"""

from __future__ import annotations

import pandas as pd

from schemas import canonical
from sources import contract
from warehouse.count import Prepared
from warehouse.count.inputs import find, quarter_end, quarter_of
from warehouse.count.offences import form_of
from warehouse.count.persons import full_years
from warehouse.star import records, tables
from warehouse.star.events import offence_days, offences_at, people
from warehouse.star.records import on

COUNTED_CASE = {
    "registered": "cases_registered",
    "referred": "cases_referred",
    "received_prosecution": "cases_received_prosecution",
    "dismissed": "cases_dismissed",
    "received_court": "cases_received_court",
}
PASSED_ON = ["indicted", "convicted", "convicted_final", "imprisoned"]
"""Days of a case that are the first of its persons'."""
ROLES = ("suspect", "victim", "witness", "defendant", "prisoner")


def _days(counted: pd.DataFrame, indicator: str, keys: list[str]) -> pd.Series:
    return counted[counted["indicator"] == indicator].groupby(keys)["day"].min()


def persons(ready: Prepared, counted: pd.DataFrame) -> pd.DataFrame:
    """`fact_person`: one row per case and person."""
    keys = ["case_id", "person_id"]
    held = ready.stands.persons[[*keys, "role"]].drop_duplicates()
    roles = held.assign(**{role: held["role"] == role for role in ROLES}).groupby(keys)[list(ROLES)].any()
    out = roles.reset_index().merge(people(ready), on="person_id", how="left")
    at = pd.MultiIndex.from_frame(out[keys])
    born = out["birth_date"]
    days = {name: _days(counted, code, keys).reindex(at).to_numpy() for name, (code, _) in tables.PERSON_MILESTONES.items()}
    stages = {f"offence_{stage}": offences_at(out[keys], ready.known.charges, stage) for stage in canonical.STAGES}
    offence = on(out["case_id"], offence_days(ready.stands))
    form = find(out["case_id"], ready.known.of_case).fillna("unknown")
    return out.assign(age_at_offence=full_years(offence, born), form=form, **stages, **days).drop(columns=["birth_date", "birth_year"])


def _resolved(files: pd.DataFrame, institution: str) -> pd.Series:
    """Day on which the last file of a case at the institution was resolved, by case_id; absent while one that stands is open."""
    live = files[(files["institution"] == institution) & ~files["merged"]]
    tally = live.groupby("case_id")["resolved"].agg(["max", "count", "size"])
    return tally.loc[tally["count"] == tally["size"], "max"]


def _people_in(out: pd.DataFrame, persons_: pd.DataFrame, role: str) -> pd.Series:
    return find(out["case_id"], persons_[persons_[role]].groupby("case_id").size()).fillna(0).astype("Int64")


def cases(ready: Prepared, counted: pd.DataFrame, events: pd.DataFrame, files: pd.DataFrame, persons_: pd.DataFrame) -> pd.DataFrame:
    """`fact_case`. files: of `records.case_records`; persons_: of `persons`."""
    stands, known = ready.stands, ready.known
    ids = pd.concat([stands.cases["case_id"], stands.persons["case_id"], events["case_id"]]).dropna().drop_duplicates().sort_values()
    out = pd.DataFrame({"case_id": ids.astype("str").to_numpy()})
    days = {name: _days(counted, code, ["case_id"]) for name, code in COUNTED_CASE.items()}
    days |= {name: persons_.groupby("case_id")[name].min() for name in PASSED_ON}
    days["investigated"] = records.last_day(events, "case", "investigation_opened", "min")
    days |= {f"resolved_{at}": _resolved(files, name) for at, name in (("prosecution", "prosecution"), ("court", "courts"))}
    out = out.assign(**{name: on(out["case_id"], found) for name, found in days.items()})
    stages = {f"offence_{stage}": offences_at(out[["case_id"]], known.charges, stage) for stage in canonical.STAGES}
    happened = events[(events["subject"] == "case") & (events["event"] != "offence")]
    out = out.assign(
        municipality=find(out["case_id"], records.municipalities(stands)),
        seat=find(out["case_id"], records.seats(stands)),
        offence_day=on(out["case_id"], offence_days(stands)),
        first_day=on(out["case_id"], happened.groupby("case_id")["day"].min()),
        form=find(out["case_id"], known.of_case).fillna("unknown"),
        files=find(out["case_id"], files.groupby("case_id").size()).fillna(0).astype("Int64"),
        suspects=_people_in(out, persons_, "suspect"),
        victims=_people_in(out, persons_, "victim"),
        defendants=_people_in(out, persons_, "defendant"),
        **stages,
    )
    out["form_prosecution"] = form_of(out["offence_prosecution"], find(out["case_id"], known.of_trafficking))
    return _closed(out, files)


def _closed(out: pd.DataFrame, files: pd.DataFrame) -> pd.DataFrame:
    """Add stage, closed, open: at the courts with the judgments, at the prosecution with its last decision unless it indicted, else where
    the police closed the file (of which they give no day).
    """
    court = out["received_court"].notna()
    prosecution = out["received_prosecution"].notna() & ~court
    stage = pd.Series("registration", index=out.index, dtype="str").mask(prosecution, "prosecution").mask(court, "courts")
    closed = out["resolved_court"].where(court, out["resolved_prosecution"].where(prosecution & out["indicted"].isna()))
    registered = files[files["institution"].isin(contract.at("registration")) & ~files["merged"]]
    working = registered.loc[registered["state"].fillna("investigating") != "closed", "case_id"]
    shut = (stage == "registration") & ~out["case_id"].isin(working)
    return out.assign(stage=stage, closed=closed, open=closed.isna() & ~shut)


def snapshots(cases_: pd.DataFrame, periods: pd.DataFrame) -> pd.DataFrame:
    """`fact_case_snapshot`. cases_: of `cases`; periods: `dim_period`."""
    quarters = periods[(periods["kind"] == "quarter") & periods["published"]]
    live = cases_.dropna(subset=["first_day"])
    live = live[live["open"] | live["closed"].notna()]
    ends = pd.DataFrame({"quarter": quarters["period"], "end": quarter_end(quarters["period"])})
    grid = live[["case_id", "first_day", "closed", "received_prosecution", "received_court"]].merge(ends, how="cross")
    begun = grid["first_day"] <= grid["end"]
    until = quarter_end(quarter_of(grid["closed"]))
    grid = grid[begun & (until.isna() | (grid["end"] <= until))]
    stage = pd.Series("registration", index=grid.index, dtype="str")
    stage = stage.mask(grid["received_prosecution"] <= grid["end"], "prosecution").mask(grid["received_court"] <= grid["end"], "courts")
    stopped = grid["closed"].where(grid["closed"] <= grid["end"])
    days = (stopped.fillna(grid["end"]) - grid["first_day"]).dt.days
    return grid.assign(stage=stage, open=stopped.isna(), days_open=days.clip(lower=0))
