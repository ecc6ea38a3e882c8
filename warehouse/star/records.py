"""Facts a record of an institution: files, persons in files, charges, sentences, stays, references.

Belongs here: what stands (accepted), described as delivered and, where it counts, put right. Does not belong here: events (`events`),
what spans institutions (`journeys`).
"""

from __future__ import annotations

import pandas as pd

from schemas.canonical import OFFENCE_GROUPS
from sources import contract
from warehouse.count import Prepared
from warehouse.count.inputs import FILE, KEY, CountInputs, Standing, find, unrank
from warehouse.count.offences import OTHER, WITHOUT_FORM
from warehouse.count.reported import own_offence
from warehouse.star.dimensions import offence_key
from warehouse.star.events import offences_at

OPENS = {"registration": "reported", "prosecution": "received", "courts": "received"}
ENDS = {"registration": ("sent",), "prosecution": ("dismissed", "indicted", "terminated"), "courts": ("judged", "judged_before")}
"""Events that open a file and that end its work at a stage; a court's file ends with the first judgment of its last defendant."""


def _first_and_last(events: pd.DataFrame, column: str) -> pd.DataFrame:
    """opened and resolved of each file by `column` (day or date_reported), on the index institution, file_key."""
    of_file, of_person = events[events["subject"] == "case"], events[events["subject"] == "person"]
    keys = ["institution", "file_key"]
    happened = pd.MultiIndex.from_arrays([of_file["institution"].map(contract.stage_of()), of_file["event"]])
    opening = of_file[happened.isin(list(OPENS.items()))]
    ending = of_file[happened.isin([(stage, event) for stage, events_ in ENDS.items() for event in events_])]
    last = ending[~ending["institution"].isin(contract.at("courts"))].groupby(keys)[column].max()
    judged = of_person[of_person["institution"].isin(contract.at("courts")) & of_person["event"].isin(ENDS["courts"])]
    by_defendant = judged.groupby([*keys, "record_key"])[column].min()
    defendants = of_person[of_person["institution"].isin(contract.at("courts"))].groupby(keys)["record_key"].nunique()
    done = by_defendant.groupby(level=keys).agg(["max", "count"])
    whole = done.loc[done["count"] == defendants.reindex(done.index), "max"]
    return pd.DataFrame({"opened": opening.groupby(keys)[column].min(), "resolved": pd.concat([last, whole])})


def case_records(ready: Prepared, events: pd.DataFrame) -> pd.DataFrame:
    """`fact_case_record`."""
    files = ready.stands.cases
    place, form = own_offence(files, ready.known.charges, FILE)
    group = unrank(place.fillna(OTHER), OFFENCE_GROUPS)
    at = pd.MultiIndex.from_frame(files[FILE])
    right, said = (_first_and_last(events, column).reindex(at).set_index(files.index) for column in ("day", "date_reported"))
    return files.assign(
        file_key=files["case_key"],
        sender=files["source"],
        merged=(files["state"] == "merged") | files["merged_into"].notna(),
        offence_reported=offence_key(files["law"], files["article"]),
        offence_group_reported=group,
        form_reported=form.fillna("unknown").mask(group.isin(WITHOUT_FORM), "unknown"),
        opened=right["opened"],
        resolved=right["resolved"],
        opened_reported=said["opened"],
        resolved_reported=said["resolved"],
    )


def person_records(stands: Standing) -> pd.DataFrame:
    """`fact_person_record`."""
    people = stands.persons
    return people.assign(
        file_key=people["case_key"],
        sex_reported=people["sex"].fillna("unknown"),
        citizenship_reported=people["citizenship"],
        residence=people["municipality"],
    )


def charges(ready: Prepared) -> pd.DataFrame:
    """`fact_charge`: charges of persons, and the offence under which police and inspectorate hold a file."""
    stands = ready.stands
    registered = stands.cases[stands.cases["institution"].isin(contract.at("registration"))]
    both = pd.concat([registered, stands.charges], ignore_index=True)
    placed = ready.known.charges.rows.reset_index(drop=True)  # the same records in the same order (offences.charged)
    return both.assign(
        file_key=both["case_key"],
        offence=offence_key(both["law"], both["article"]),
        form_reported=both["form"],
        offence_group_reported=unrank(placed["reported"].fillna(OTHER), OFFENCE_GROUPS),
        offence_group=unrank(placed["place"], OFFENCE_GROUPS),
    )


def _day(events: pd.DataFrame, event: str) -> pd.Series:
    """The last day of a person's event of each record, on the index institution, record_key."""
    own = events[(events["subject"] == "person") & (events["event"] == event) & (events["scope"] == "own")]
    return own.groupby(KEY)["day"].max()


def sentences(inputs: CountInputs, ready: Prepared, events: pd.DataFrame) -> pd.DataFrame:
    """`fact_sentence`: of judgments that stand, convictions alone pass one."""
    table = inputs.canonical["sentences"]
    out = table[table["status"] == "accepted"].drop(columns="status")
    person = ready.stands.persons.drop_duplicates(KEY)[[*KEY, "case_id", "person_id"]]
    out = out.merge(person, on=KEY, how="inner")
    at = pd.MultiIndex.from_frame(out[KEY])
    days = {name: _day(events, event).reindex(at).to_numpy() for name, event in (("judged", "judged"), ("final", "final"))}
    group = offences_at(out[["case_id", "person_id"]], ready.known.charges, "courts")
    return out.assign(file_key=out["case_key"], offence_group=group, **days)


def stays(ready: Prepared, events: pd.DataFrame) -> pd.DataFrame:
    """`fact_stay`: register rows, joined into chains: a row that ends by transfer goes on in the person's next row."""
    rows = ready.stands.persons[ready.stands.persons["institution"].isin(contract.at("corrections"))]
    at = pd.MultiIndex.from_frame(rows[KEY])
    kinds = events[(events["subject"] == "person") & events["event"].isin(["detained", "imprisoned"])].drop_duplicates(KEY)
    ends = events[(events["subject"] == "person") & (events["event"] == "released")].drop_duplicates(KEY, keep="last")
    began, ended = kinds.set_index(KEY).reindex(at), ends.set_index(KEY).reindex(at)
    out = rows.assign(
        file_key=rows["case_key"],
        kind=began["event"].to_numpy(),
        admitted=began["day"].to_numpy(),
        released=ended["day"].to_numpy(),
        ended_by=ended["outcome"].to_numpy(),
        months=rows["sentence_months"],
    ).sort_values(["person_id", "case_id", "admitted", "record_key"], kind="stable", ignore_index=True)
    before = out.groupby(["person_id", "case_id"], sort=False)["ended_by"].shift()
    first = before.ne("transfer").fillna(True)
    return out.assign(first_of_chain=first, chain=first.cumsum())


def references(ready: Prepared, numbers: pd.DataFrame | None) -> pd.DataFrame:
    """`fact_reference`: each number that a file cites, and whether a file of that institution bears it.

    numbers: institution and number of all files, where `ready` does not hold them all.
    """
    cited = ready.stands.references
    cited = cited[cited["status"] == "accepted"].drop_duplicates(["institution", "record_key", "case_key", "kind", "number"])
    files = ready.stands.cases.drop_duplicates(FILE)
    known = pd.concat([files, ready.stands.persons])[[*FILE, "case_id"]].drop_duplicates(FILE)  # a file may be known by its persons alone
    own = known.set_index(FILE)["case_id"]
    bearers = files.dropna(subset=["number"])[["institution", "number", "case_id"]].drop_duplicates()
    out = cited.assign(case_id=own.reindex(pd.MultiIndex.from_frame(cited[FILE])).to_numpy(), whose=cited["kind"].map(contract.bearers()))
    keyed = pd.MultiIndex.from_frame(out[["whose", "number"]])
    found = keyed.isin(pd.MultiIndex.from_frame(bearers[["institution", "number"]] if numbers is None else numbers))
    same = pd.MultiIndex.from_frame(out[["whose", "number", "case_id"]]).isin(pd.MultiIndex.from_frame(bearers))
    return out.assign(file_key=out["case_key"], cited=out["kind"], found=found, same_case=same)


def municipalities(stands: Standing) -> pd.Series:
    """The municipality of each case, by case_id: as the first file in the order of the institutions says that names one."""
    named = stands.cases.dropna(subset=["municipality"]).sort_values(["case_id", "institution", "record_key"])
    return named.drop_duplicates("case_id").set_index("case_id")["municipality"]


def seats(stands: Standing) -> pd.Series:
    """The seat that deals with each case, by case_id: of the file furthest on its way."""
    known = stands.cases.dropna(subset=["seat"])
    known = known[~known["institution"].isin(contract.at("corrections"))].assign(place=lambda f: f["institution"].map(contract.place_of()))
    return known.sort_values(["case_id", "place", "record_key"]).drop_duplicates("case_id", keep="last").set_index("case_id")["seat"]


def last_day(events: pd.DataFrame, subject: str, name: str, how: str) -> pd.Series:
    """The first (`min`) or last (`max`) day of an event of each case, by case_id."""
    rows = events[(events["subject"] == subject) & (events["event"] == name)]
    return rows.groupby("case_id")["day"].agg(how)


def on(keys: pd.Series, values: pd.Series) -> pd.Series:
    """`find` for days: the type stays also where there are none."""
    return find(keys, values).astype("datetime64[s]")
