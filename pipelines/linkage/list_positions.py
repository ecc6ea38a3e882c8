"""Records whose key is a position in the list of a case: decide which states of a list are of the same person.

Belongs here: keys of listed persons, and canonical tables with these keys in place of record keys. Does not belong here: which state is
current (`pipelines.record_status`), linkage of persons between files (`persons`).

If a person is added to a list or removed from it, other persons move to another position; so a position can be that of another person in a
later delivery. All states of a list are compared with each other: nobody is in one list twice, and a repeated position is mostly that of
the same person.

A listed person has two keys. `person_key`, which is used everywhere, is the key of the accepted state (else of the latest state), with the
delivery appended if the position is also that of another person (`2014-PR-00412/2@2014-Q4`). It changes with the list. `first_key` is the
key of the first state, with the delivery appended if another person had the position before. It never changes, and the identity register
uses it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from pipelines.linkage import cluster
from pipelines.linkage.compare import MISSING_LEVEL
from pipelines.linkage.hashing import hash_rows
from pipelines.linkage.model import Model
from pipelines.linkage.persons import compute_prior_within_case, lack_identifying_values
from pipelines.linkage.record_states import assign_row_numbers, look_up_delivery, read_deliveries
from pipelines.linkage.score import TokenFrequencies, compute_likelihoods, compute_token_frequencies, encode_persons
from pipelines.linkage.standardise import STATE_KEY, add_compared_fields
from pipelines.resources.integer_arrays import RowIndexByOwner, find_distinct_numbers

LISTED_COLUMNS = [*STATE_KEY, "status", "person_key", "first_key"]
# Log2 prior odds that a repeated position is the same person's: 92 of 100 in a real register.
SAME_POSITION_ODDS = 3.5
# In longer lists than this only states of one position are compared.
MAX_LIST_LENGTH = 150
_CONTENT_COLUMNS = [
    *("role", "name_tokens", "given_skeleton", "surname_skeleton", "parent_skeleton", "personal_number", "birth_date", "birth_year"),
    *("sex", "citizenship", "municipality", "birthplace"),
]


def find_listed_persons(people: pd.DataFrame, model: Model) -> pd.DataFrame:
    """Return the person keys of every state of the lists in which the person at a position changed (`LISTED_COLUMNS`).

    people: person states from `standardise.read_columns`. Only natural persons with a `place` are considered: those in a list, and persons
    of a renumbered file whom the crosswalk lacks (`pipelines.crosswalk`).
    """
    states = people[people["place"].notna() & people["case_key"].notna() & ~people["kind"].isin(["legal", "unknown"])]
    states = (
        states.assign(accepted=states["status"] == "accepted")
        .sort_values("accepted", kind="stable")
        .drop_duplicates(STATE_KEY, keep="last")
    )
    states = states.assign(file=assign_row_numbers(states[["institution", "case_key"]])[0], content=hash_rows(states[_CONTENT_COLUMNS]))
    states = states[_are_states_in_changed_lists(states)].reset_index(drop=True)
    if states.empty:
        return pd.DataFrame(columns=LISTED_COLUMNS, dtype="str")
    # Members: the distinct contents of a position, over one or several deliveries.
    member, _ = assign_row_numbers(states[["file", "record_key", "content"]])
    members = states.iloc[np.unique(member, return_index=True)[1]].reset_index(drop=True)
    person = _assign_person_numbers(members, member, states, model)[member]
    return _build_listed_keys(states, person)


def apply_person_keys(tables: Mapping[str, pd.DataFrame], listed: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return canonical tables in which each state of a person, and each of its events, has the key of the person.

    listed: from `find_listed_persons`.
    """
    out = dict(tables)
    if listed.empty:
        return out
    keys = listed[listed["person_key"] != listed["record_key"]].set_index(STATE_KEY)["person_key"]
    for name, frame in tables.items():
        if name not in ("person_records", "events"):
            continue
        new = keys.reindex(pd.MultiIndex.from_frame(frame[STATE_KEY])).set_axis(frame.index)
        of_person = frame["entity"] == "person" if name == "events" else True
        out[name] = frame.assign(record_key=frame["record_key"].mask(new.notna() & of_person, new).astype(frame["record_key"].dtype))
    return out


def apply_first_keys(persons: pd.DataFrame, listed: pd.DataFrame) -> pd.DataFrame:
    """Return `persons` (institution, record_key, …) with the keys that never change, by which the identity register knows listed persons.

    listed: from `find_listed_persons`.
    """
    names = listed.drop_duplicates(["institution", "person_key"]).set_index(["institution", "person_key"])["first_key"]
    known = persons["record_key"]
    stays = names.reindex(pd.MultiIndex.from_frame(persons[["institution", "record_key"]])).set_axis(known.index).fillna(known)
    return persons.assign(record_key=stays.astype(known.dtype))


def _are_states_in_changed_lists(states: pd.DataFrame) -> np.ndarray:
    """Return for each state whether it is in a changed list, or is of a person whom a crosswalk lacks.

    A list is changed if the content of a position differs between deliveries, or two positions have the same content.
    """
    distinct_states = states[["file", "record_key", "content"]].drop_duplicates()
    repeated = states.groupby("file")["delivery"].nunique() > 1
    counts = distinct_states.groupby("file").agg(
        states=("content", "size"), places=("record_key", "nunique"), contents=("content", "nunique")
    )
    changed = repeated & ((counts["states"] > counts["places"]) | (counts["states"] > counts["contents"]))
    unmatched = (states["place"] == states["record_key"]).to_numpy(dtype=bool)
    return states["file"].map(changed).to_numpy(dtype=bool) | unmatched


def _assign_person_numbers(members: pd.DataFrame, member: np.ndarray, states: pd.DataFrame, model: Model) -> np.ndarray:
    """Decide which members of a list are one person, and number the persons. member: number of the member for each row of `states`."""
    frame = add_compared_fields(members.reset_index(drop=True)).assign(file=members["file"].to_numpy())
    size = len(members)
    left, right = _form_pairs_of_list_members(members)
    in_one_list = _encode_pairs_in_one_delivered_list(states, member, size)
    same_place = members["record_key"].to_numpy()[left] == members["record_key"].to_numpy()[right]
    anonymous = lack_identifying_values(frame)
    veto = np.isin(left * size + right, in_one_list) | (~same_place & (anonymous[left] | anonymous[right]))
    likelihoods = compute_likelihoods(frame, left, right, model, _make_uniform_frequencies(frame, model))
    odds = np.where(same_place, SAME_POSITION_ODDS, compute_prior_within_case(frame, left, right, model.persons))
    parts = np.where(likelihoods.levels.to_numpy() == MISSING_LEVEL, np.nan, likelihoods.bits.to_numpy("float64"))
    pairs = cluster.WeightedPairs(left, right, likelihoods.weight + odds, parts, odds, np.ones(len(left), dtype=bool), veto)
    return cluster.form_clusters_by_agglomeration(size, pairs, cluster.JoiningRules(model.persons["best_share"]))


def _form_pairs_of_list_members(members: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs of members of one list; in a long list only the pairs with the same position."""
    file = members["file"].to_numpy()
    rows = RowIndexByOwner(file, int(file.max()) + 1)
    long = rows.sizes[file] > MAX_LIST_LENGTH
    group = np.where(long, file.max() + 1 + assign_row_numbers(members[["record_key"]])[0], file)
    rows = RowIndexByOwner(group, int(group.max()) + 1)
    several = np.flatnonzero(rows.sizes > 1)
    _, left, right = rows.combine_rows(several, several)
    return left[left < right], right[left < right]


def _encode_pairs_in_one_delivered_list(states: pd.DataFrame, member: np.ndarray, size: int) -> np.ndarray:
    """Return a code for each pair of members that one delivery lists together. Such members are two persons."""
    lists, many = assign_row_numbers(states[["file", "delivery"]])
    rows = RowIndexByOwner(lists, many)
    several = np.flatnonzero((rows.sizes > 1) & (rows.sizes <= MAX_LIST_LENGTH))
    _, a, b = rows.combine_rows(several, several)
    a, b = member[a], member[b]
    return find_distinct_numbers((a * size + b)[a < b])


def _make_uniform_frequencies(frame: pd.DataFrame, model: Model) -> TokenFrequencies:
    """Return token frequencies in which every name is as frequent as the model expects. A list is too short to count names."""
    usual = compute_token_frequencies(encode_persons(frame.iloc[:0], model), model).usual
    return TokenFrequencies({field: {} for field in usual}, usual, usual)


def _build_listed_keys(states: pd.DataFrame, person: np.ndarray) -> pd.DataFrame:
    """Return `LISTED_COLUMNS` for the lists in which a person key differs from a record key.

    person: number of the person of each of `states`.
    """
    arrival = look_up_delivery(states, read_deliveries([states]), "arrival").to_numpy()
    ordered = states.assign(person=person, arrival=arrival).sort_values(["arrival", "record_key"], kind="stable")
    first = _choose_person_keys(ordered)
    latest = ordered.assign(accepted=ordered["status"] == "accepted").sort_values(["accepted", "arrival"], ascending=False, kind="stable")
    keys = states[[*STATE_KEY, "status"]].assign(
        person_key=_choose_person_keys(latest).reindex(person).array, first_key=first.reindex(person).array
    )
    moved = (keys["person_key"] != keys["record_key"]) | (keys["first_key"] != keys["record_key"])
    return keys[moved.groupby(states["file"]).transform("any")].astype("str").reset_index(drop=True)


def _choose_person_keys(ordered: pd.DataFrame) -> pd.Series:
    """Return a key for each person, in the order of their numbers: the key in the person's first row of `ordered`.

    The delivery is appended unless that row is also the first of its position.
    """
    first_rows = ordered.drop_duplicates("person")
    bare = first_rows.index.isin(ordered.drop_duplicates(["institution", "record_key"]).index)
    return first_rows["record_key"].where(bare, first_rows["record_key"] + "@" + first_rows["delivery"]).set_axis(first_rows["person"])
