"""Describe records as text, field by field, for a steward to compare.

Belongs here: the values of case and person records that are shown, with or without those that identify a person. Does not belong here:
match weights, layout.
"""

from __future__ import annotations

import duckdb
import pandas as pd

from harmonia.errors import HarmoniaError
from harmonia.home import Home
from harmonia.review.published import RECORD, PublishedRun
from schemas.canonical import remove_confidential_events

CASE_FIELDS = ("number", "seat", "municipality", "state", "source", "merged_into", "offence_group", "article", "form", "cites", "days")
PERSON_FIELDS = ("case", "role", "sex", "citizenship", "municipality", "sentence_months", "offence_group", "seat", "days")
NAME_FIELDS = {"case": ("persons",), "person": ("name", "parent", "personal_number", "born")}
_RANK = {"accepted": 0, "superseded": 1, "withdrawn": 2}
_MAX_NAMES = 20


def list_shown_fields(entity: str, show_names: bool) -> tuple[str, ...]:
    """Return the fields that are shown of a record of `entity` (`case` or `person`).

    If `show_names` is true, they begin with the fields that identify a person.
    """
    fields = CASE_FIELDS if entity == "case" else PERSON_FIELDS
    return (*NAME_FIELDS[entity], *fields) if show_names else fields


def describe_records(published_run: PublishedRun, entity: str, show_names: bool) -> pd.DataFrame:
    """Describe all records of `entity` (`case` or `person`). All values are text; unknown values are empty.

    The result is indexed by institution and record key, and has the columns `list_shown_fields`. A record is described in its accepted
    state or, if it has none, in its latest state. Fields that identify a person (`show_names`) are read from the identity store, which
    contains accepted records only.
    """
    canonical = published_run.read_canonical_tables()
    cases, persons = (_select_shown_states(canonical[name]) for name in ("case_records", "person_records"))
    days = _list_event_dates(remove_confidential_events(canonical["events"]), entity)
    if entity == "case":
        out = cases.set_index(RECORD)
        out["cites"] = _list_cited_numbers(canonical["references"])
    else:
        files = cases[[*RECORD, "seat", "offence_group"]].rename(columns={"record_key": "case_key"})
        out = persons.merge(files, on=["institution", "case_key"], how="left").rename(columns={"case_key": "case"}).set_index(RECORD)
    out["days"] = days
    if show_names:
        found_names = _read_person_names(published_run.home, entity, persons)
        out = out.drop(columns=list(found_names.columns), errors="ignore").join(found_names)
    out = out.reindex(columns=list(list_shown_fields(entity, show_names)))
    return out.astype("str").fillna("")


def _select_shown_states(states: pd.DataFrame) -> pd.DataFrame:
    """Select one state of each record. This is the accepted state or, if there is none, the latest one."""
    rank = states["status"].map(_RANK).fillna(len(_RANK))
    ordered = states.assign(rank=rank).sort_values(["rank", "period", "delivery"], ascending=[True, False, False], kind="stable")
    return ordered.drop_duplicates(RECORD).dropna(subset=RECORD)


def _list_event_dates(events: pd.DataFrame, entity: str) -> pd.Series:
    """List the dated events of each record of `entity` in one text, e.g. `reported 2013-02-01; sent 2013-03-04`."""
    dated = events[(events["entity"] == entity) & (events["status"] == "accepted")].dropna(subset=["date"])
    dated = dated.sort_values("date", kind="stable").drop_duplicates([*RECORD, "event", "date"])
    text = dated["event"] + " " + dated["date"].dt.strftime("%Y-%m-%d")
    return text.groupby([dated[c] for c in RECORD]).agg("; ".join).astype("str")


def _list_cited_numbers(references: pd.DataFrame) -> pd.Series:
    cited = references.dropna(subset=["number", "case_key"]).drop_duplicates(["institution", "case_key", "number"])
    numbers = cited.groupby(["institution", "case_key"])["number"].agg("; ".join).astype("str")
    return numbers.rename_axis(RECORD)


def _read_person_names(home: Home, entity: str, persons: pd.DataFrame) -> pd.DataFrame:
    """Read the fields that identify persons (`NAME_FIELDS` of `entity`) from the identity store.

    The result is indexed by institution and record key. `persons` are the person records, with institution, record_key and case_key.
    Raises `HarmoniaError` if the identity store cannot be read.
    """
    try:
        with duckdb.connect(str(home.identity_store), read_only=True) as connection:
            people = connection.table("persons").df()
    except (duckdb.Error, OSError) as error:
        raise HarmoniaError(
            f"{home.identity_store}: the identity store cannot be read ({type(error).__name__}); "
            f"run `harmonia run --home {home.root}` again, "
            "or omit --names"
        ) from error
    split = people["surname"].str.cat(people["given_name"], sep=", ")
    people["name"] = people["full_name"].fillna(split)
    if entity == "case":
        people = people.drop(columns="case_key", errors="ignore").merge(persons[[*RECORD, "case_key"]], on=RECORD)
        return _list_names_in_case_files(people)
    born = people["birth_date"].astype("str").str[:10]
    people["born"] = born.where(people["birth_date"].notna(), people["birth_year"].astype("Int64").astype("str"))
    people = people.rename(columns={"parent_name": "parent"}).drop_duplicates(RECORD)
    return people.set_index(RECORD)[list(NAME_FIELDS["person"])]


def _list_names_in_case_files(people: pd.DataFrame) -> pd.DataFrame:
    """List the names of the persons in each case file, at most `_MAX_NAMES` of them, in one text.

    The result is indexed by institution and record key of the case file.
    """
    people = people.dropna(subset=["name"])
    people = people[people.groupby(["institution", "case_key"]).cumcount() < _MAX_NAMES]
    names = people.groupby(["institution", "case_key"])["name"].agg("; ".join).astype("str").rename("persons")
    return names.rename_axis(RECORD).to_frame()
