"""The `lineage` table: every record that a delivery held, with the case and person it was found to belong to."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from warehouse.count.inputs import KEY, natural

STATE = ["institution", "delivery", "record_key"]

PREFIXED = ("police", "courts")
"""Institutions whose person key is the case key, a slash and a running number (STATISTICS.md, `lineage`)."""


def _known_parents(canonical: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """case_key of every person record in every state; the accepted one first. Columns out: institution, record_key, case_key."""
    people = canonical["person_records"]
    ordered = people.assign(other=people["status"] != "accepted").sort_values("other", kind="stable")
    return ordered.drop_duplicates(KEY)[[*KEY, "case_key"]]


def _case_keys(lineage: pd.DataFrame, canonical: Mapping[str, pd.DataFrame]) -> pd.Series:
    """The file of each record: a case's own key, a person's by its record, else ("a quarantined row whose key can be read") by its key."""
    found = lineage.merge(_known_parents(canonical), on=KEY, how="left").set_axis(lineage.index)["case_key"]
    file = found.mask(lineage["entity"] == "case", lineage["record_key"])
    lost = lineage[file.isna()]
    by_key = lost["record_key"].str.replace(r"/[^/]*$", "", regex=True).where(lost["institution"].isin(PREFIXED), lost["record_key"])
    return file.fillna(by_key)


def with_ids(
    lineage: pd.DataFrame,
    canonical: Mapping[str, pd.DataFrame],
    cases: pd.DataFrame,
    persons: pd.DataFrame,
    listed: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Add `case_id` and `person_id` (null for cases, and for a state of a record that is of no natural person) to `lineage`.

    listed: `STATE`, person_id of states whose key names another person in another delivery.
    """
    case_of = cases.drop_duplicates(KEY, keep="last").set_index(KEY)["case_id"]
    person_of = persons.drop_duplicates(KEY, keep="last").set_index(KEY)["person_id"]
    files = pd.DataFrame({"institution": lineage["institution"], "record_key": _case_keys(lineage, canonical)})
    case_id = case_of.reindex(pd.MultiIndex.from_frame(files)).to_numpy()
    person_id = pd.Series(person_of.reindex(pd.MultiIndex.from_frame(lineage[KEY])).to_numpy(), index=lineage.index)
    if listed is not None and len(listed):
        stood = listed.set_index(STATE)["person_id"].reindex(pd.MultiIndex.from_frame(lineage[STATE]))
        in_list = pd.MultiIndex.from_frame(lineage[KEY]).isin(pd.MultiIndex.from_frame(listed[KEY]))
        person_id = person_id.mask(in_list, pd.Series(stood.to_numpy(), index=lineage.index))  # who stood in a row that nobody can read?
    people = canonical["person_records"]
    nobody = pd.MultiIndex.from_frame(people.loc[~natural(people), STATE])
    a_person = (lineage["entity"] == "person") & ~pd.MultiIndex.from_frame(lineage[STATE]).isin(nobody)
    return lineage.assign(case_id=case_id, person_id=person_id.where(a_person))
