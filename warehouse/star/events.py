"""`fact_event`: one row per event of a file and of a person in it, as the record says and put right.

Belongs here: whose event it is (a decision on a file covers the persons then in it; a case's first report is that of its persons), and
what describes it. Does not belong here: which of several events counts: that is in the SQL of each indicator.
"""

from __future__ import annotations

import pandas as pd

from schemas.canonical import OFFENCE_GROUPS
from sources import contract
from warehouse.count import Prepared
from warehouse.count.dates import MISSING
from warehouse.count.inputs import FILE, KEY, CountInputs, Standing, find, quarter_middle, reckoned, unrank
from warehouse.count.offences import OTHER, WITHOUT_FORM, Charges, form_of, principal
from warehouse.count.persons import age_group, citizenship_group, full_years, majority
from warehouse.count.reported import own_offence
from warehouse.count.rows import in_file_then, orphans
from warehouse.indicators import indicators
from warehouse.star.dimensions import region_on

DECISIONS = ("investigation_opened", "dismissed", "indicted", "terminated")
"""Decisions of the prosecution that, naming no party, cover every person then in the file."""
OF_THE_CASE = {"reported": ("registration",), "sent": ("registration",), "received": ("prosecution", "courts")}
"""Events of a file that are those of every person in the case, and the stages at which they happen."""
OPENING = ("reported", "received")
UNIT = ["subject", "event", "stage", "case_id", "person_id", "role"]


def _earlier_judgments(inputs: CountInputs, stands: Standing) -> pd.DataFrame:
    """Judgments that a later state of the record no longer holds, with another outcome: an appeal rewrote them.

    One that differs in its date alone was corrected, not rewritten. The day is the delivered one.
    """
    table = inputs.canonical["events"]
    held = table[(table["event"] == "judged") & (table["status"] == "superseded") & table["date"].notna()]
    now = stands.events.loc[stands.events["event"] == "judged", [*KEY, "outcome"]].drop_duplicates().assign(same=True)
    held = held.drop_duplicates([*KEY, "date", "outcome"]).merge(now, on=[*KEY, "outcome"], how="left")
    gone = held[held["same"].isna()].drop(columns="same")
    return gone.assign(event="judged_before", day=gone["date"], method="delivered")


def _of_files(inputs: CountInputs, stands: Standing) -> pd.DataFrame:
    """Every event of a file, also decisions on one person in it, and files that are known by their persons alone."""
    events = stands.events.assign(scope=stands.events["entity"].map({"case": "file", "person": "own"}), inferred=False)
    events["readable"] = pd.MultiIndex.from_frame(events[FILE]).isin(pd.MultiIndex.from_frame(stands.cases[FILE]))
    counted = [i for i in indicators().values() if i.rows.record == "case" and i.rows.event in OPENING]
    about: dict[str, str | bool] = {"scope": "file", "date_problem": MISSING, "inferred": True, "readable": True}
    lost = [orphans(i, stands).assign(event=i.rows.event, **about) for i in counted]
    out = pd.concat([events, *(one for one in lost if len(one))], ignore_index=True)
    return out.assign(subject="case", record_key=out["case_key"], person_id=None, role=None)


def _covered(stands: Standing) -> pd.DataFrame:
    """Decisions on a whole file, once for every person then in it."""
    events = stands.events
    return in_file_then(stands, events[(events["entity"] == "case") & events["event"].isin(DECISIONS)]).assign(scope="file")


def _of_case(stands: Standing, people: pd.DataFrame) -> pd.DataFrame:
    """Reports and receipts of every file of the case at a stage, once for every person recorded there; the estimate where there is none."""
    events = stands.events[(stands.events["entity"] == "case") & stands.events["event"].isin(list(OF_THE_CASE))]
    events = events.assign(
        stage=events["institution"].map(contract.stage_of()), given_by=events["institution"], given_in=events["case_key"]
    )
    own = people.assign(stage=people["institution"].map(contract.stage_of()))
    given = ["case_id", "stage", "event", "date", "day", "method", "date_problem", "given_by", "given_in"]
    out = own.merge(events[given], on=["case_id", "stage"], how="inner")
    same = (out["given_by"] == out["institution"]) & (out["given_in"] == out["case_key"])
    out = out.assign(scope=pd.Series("case", index=out.index, dtype="str").mask(same, "file"), inferred=False)
    return pd.concat([out, *(_estimated(stands, own, events, event) for event in OPENING)], ignore_index=True)


def _estimated(stands: Standing, own: pd.DataFrame, events: pd.DataFrame, event: str) -> pd.DataFrame:
    """Persons whose case has no such event at their stage: the middle of the quarter in which the person first appeared."""
    there = pd.MultiIndex.from_frame(events.loc[events["event"] == event, ["case_id", "stage"]])
    lost = own[own["stage"].isin(OF_THE_CASE[event]) & ~pd.MultiIndex.from_frame(own[["case_id", "stage"]]).isin(there)]
    first = stands.states.groupby(KEY)["period"].min().rename("first_seen").reset_index()
    lost = lost.merge(first, on=KEY, how="left")
    day = quarter_middle(lost["first_seen"].fillna(lost["period"])).astype("datetime64[s]")
    return lost.assign(event=event, day=day, method="middle", date_problem=MISSING, scope="case", inferred=True).drop(columns="first_seen")


def _of_persons(inputs: CountInputs, stands: Standing) -> pd.DataFrame:
    """Every event of a person: the record's own, of its file where it covers the person, of its case."""
    who = [*KEY, "case_key", "case_id", "person_id", "role", "period"]
    people = stands.persons[stands.persons["kind"] != "legal"].drop_duplicates(KEY)[who]
    own = stands.events[stands.events["entity"] == "person"].assign(scope="own")
    own = pd.concat([own, _covered(stands), _earlier_judgments(inputs, stands).assign(scope="own")], ignore_index=True)
    what = ["event", "date", "day", "method", "date_problem", "outcome", "scope", "event_order"]
    own = own.assign(event_order=range(len(own)))[[*KEY, *what]].merge(people, on=KEY, how="inner").sort_values("event_order")
    out = pd.concat([own.assign(inferred=False), _of_case(stands, people)], ignore_index=True)
    return out.assign(subject="person", readable=True)


def _as_reported(events: pd.DataFrame, ready: Prepared) -> pd.DataFrame:
    """Offence, form, sex, citizenship and age group by the record's own words (the rules of `warehouse.count.reported`)."""
    charges = ready.known.charges
    by_party = (events["subject"] == "person") & (events["institution"].map(contract.stage_of()) != "registration")
    file_place, file_form = own_offence(events, charges, FILE)
    own_place, own_form = own_offence(events, charges, KEY)
    group = unrank(file_place.mask(by_party, own_place).fillna(OTHER), OFFENCE_GROUPS)
    form = file_form.mask(by_party, own_form).fillna("unknown").mask(group.isin(WITHOUT_FORM), "unknown")
    person = ready.stands.persons.drop_duplicates(KEY)[[*KEY, "sex", "citizenship", "birth_date", "birth_year"]]
    own = events[[*KEY, "date"]].merge(person, on=KEY, how="left").set_axis(events.index)
    of_person = events["subject"] == "person"
    return events.assign(
        offence_group_reported=group,
        form_reported=form,
        sex_reported=own["sex"].fillna("unknown").where(of_person),
        citizenship_group_reported=citizenship_group(own["citizenship"]).where(of_person),
        age_group_reported=age_group(own["date"], own["birth_date"], own["birth_year"]).where(of_person),
    )


def offences_at(units: pd.DataFrame, charges: Charges, stage: str) -> pd.Series:
    """Principal offence of each unit (case_id, or case_id and person_id) at a stage, as a group."""
    return unrank(principal(charges, units, stage), OFFENCE_GROUPS)


def _harmonised_offence(events: pd.DataFrame, charges: Charges) -> pd.Series:
    """Principal offence of the case, or of the person in it, at the stage of the event.

    Of the register of prisoners only the rows that hold the event: a stay as a detainee has an article of its own.
    """
    out = pd.Series(None, index=events.index, dtype="str")
    admission = events["event"].where(events["event"].isin(["detained", "imprisoned"]), "")
    for (subject, stage, kind), rows in events.groupby(["subject", "stage", admission], sort=False):
        keys = ["case_id"] if subject == "case" else ["case_id", "person_id"]
        there = charges
        if kind:
            there = charges.where((charges.rows["stage"] != "corrections") | charges.rows["record_key"].isin(rows["record_key"]))
        units = rows[keys].drop_duplicates()
        found = units.assign(group=offences_at(units, there, str(stage)))
        out.loc[rows.index] = rows[keys].merge(found, on=keys, how="left")["group"].to_numpy()
    return out


def _form(events: pd.DataFrame, ready: Prepared) -> pd.Series:
    """The form: by the offence where police or prosecution hold the event, else the one that is stated for the case."""
    own = events["institution"].isin(contract.stating_form()).groupby([events[c] for c in UNIT], dropna=False, sort=False).transform("any")
    by_offence = form_of(events["offence_group"], find(events["case_id"], ready.known.of_trafficking))
    return find(events["case_id"], ready.known.of_case).fillna("unknown").mask(own, by_offence)


def offence_days(stands: Standing) -> pd.Series:
    """The earliest day of the offence of each case, by case_id."""
    return stands.events[stands.events["event"] == "offence"].groupby("case_id")["day"].min()


def people(ready: Prepared) -> pd.DataFrame:
    """person_id, sex, citizenship, citizenship_group, birth_date, birth_year: best supported."""
    known = ready.known.people
    return known.assign(citizenship=find(known["person_id"], majority(ready.stands.persons, "citizenship")).astype("str"))


def _harmonised(events: pd.DataFrame, ready: Prepared) -> pd.DataFrame:
    """Offence, form and person as they count."""
    events = events.assign(offence_group=_harmonised_offence(events, ready.known.charges))
    person = events[["person_id"]].merge(people(ready), on="person_id", how="left").set_axis(events.index)
    of_person = events["person_id"].notna()
    offence_day = find(events["case_id"], offence_days(ready.stands)).astype("datetime64[s]")
    return events.assign(
        form=_form(events, ready),
        sex=person["sex"],
        citizenship=person["citizenship"],
        citizenship_group=person["citizenship_group"],
        citizenship_region=region_on(person["citizenship"], events["day"]).where(of_person),
        age_group=age_group(events["day"], person["birth_date"], person["birth_year"]).where(of_person),
        age=full_years(events["day"], person["birth_date"]),
        age_at_offence=full_years(offence_day, person["birth_date"]),
    )


def events(inputs: CountInputs, ready: Prepared) -> pd.DataFrame:
    """The rows of `fact_event` (columns of `star.tables.FACT_EVENT`)."""
    every = pd.concat([_of_files(inputs, ready.stands), _of_persons(inputs, ready.stands)], ignore_index=True)
    every = every.astype(
        dict.fromkeys([*UNIT[:2], "institution", "record_key", "case_key", "case_id", "person_id", "role", "method", "date_problem"], "str")
    )
    every["stage"] = every["institution"].map(contract.stage_of())
    counts = (every["subject"] == "case") | every["person_id"].notna()
    every["day"] = every["day"].where(counts)  # an unknown person counts as reported only
    out = _harmonised(_as_reported(every, ready), ready)
    # Of other events the outcome is a number, or whatever a clerk wrote in its place.
    coded = out["event"].isin(["judged", "judged_before", "final", "released"])
    number = out["outcome"].mask(coded)
    return out.assign(
        event_id=range(1, len(out) + 1),
        file_key=out["case_key"],
        date_reported=out["date"],
        order_day=reckoned(out["day"], out["method"]),
        indictment_number=number.where(number.str.contains(r"\d", na=False)),
        outcome=out["outcome"].where(coded),
    )
