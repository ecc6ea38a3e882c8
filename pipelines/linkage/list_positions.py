"""Person records whose key is a list position: decides which persons in successive deliveries of a list are the same person.

Belongs here: keys of listed persons, and canonical tables with these keys in place of record keys. Does not belong here: which state of a
record is accepted (`pipelines.record_status`), linkage of persons of different case files (`persons`).

Some institutions identify the persons of a case file only by their position in its list of persons. If a person is added to the list or
removed from it, other persons get another position in the next delivery. So all persons whom the deliveries of a list contain are compared
with each other. Two assumptions help: nobody is in a list twice, and the same position in two deliveries is mostly the same person.

A listed person has two keys:

- `person_key` is used everywhere in linkage. It is the record key of the accepted state of the person, or of the latest state if none is
  accepted. If another person has the same position, the delivery is appended (`2014-PR-00412/2@2014-Q4`). It can change when the list
  changes.
- `first_key` is used by the identity register, since it never changes. It is the record key of the first state of the person. If another
  person had the position earlier, the delivery is appended.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from pipelines.linkage import cluster
from pipelines.linkage.compare import MISSING_LEVEL
from pipelines.linkage.hashing import hash_rows
from pipelines.linkage.model import LinkageModel
from pipelines.linkage.persons import compute_prior_odds_within_case, lack_identifying_values
from pipelines.linkage.record_states import list_deliveries_by_arrival, look_up_value_of_delivery, number_distinct_rows
from pipelines.linkage.score import TokenFrequencies, compute_likelihoods, compute_token_frequencies, encode_persons
from pipelines.linkage.standardise import STATE_KEY, add_compared_fields
from pipelines.resources.integer_arrays import RowIndexByOwner, find_distinct_numbers

LISTED_COLUMNS = [*STATE_KEY, "status", "person_key", "first_key"]
# Prior odds (log2) that the same position in two deliveries of a list is the same person: in a real register it was in 92 of 100 cases.
SAME_POSITION_ODDS = 3.5
# In lists with more entries than this, only entries with the same position are compared.
MAX_LIST_LENGTH = 150
_CONTENT_COLUMNS = [
    *("role", "name_tokens", "given_skeleton", "surname_skeleton", "parent_skeleton", "personal_number", "birth_date", "birth_year"),
    *("sex", "citizenship", "municipality", "birthplace"),
]


def find_keys_of_listed_persons(person_states: pd.DataFrame, model: LinkageModel) -> pd.DataFrame:
    """Return the keys of listed persons, for all states of the lists in which the person at a position changed. Columns: `LISTED_COLUMNS`.

    person_states: the table `person_records` from `standardise.read_linkage_columns`. Only natural persons with a value in the column
    `place` are considered. These are the persons in a list, and the persons of a renumbered file of whom only the old key or only the new
    key is known (`pipelines.crosswalk`).
    """
    states = person_states[
        person_states["place"].notna() & person_states["case_key"].notna() & ~person_states["kind"].isin(["legal", "unknown"])
    ]
    states = (
        states.assign(accepted=states["status"] == "accepted")
        .sort_values("accepted", kind="stable")
        .drop_duplicates(STATE_KEY, keep="last")
    )
    states = states.assign(file=number_distinct_rows(states[["institution", "case_key"]])[0], content=hash_rows(states[_CONTENT_COLUMNS]))
    states = states[_are_states_in_changed_lists(states)].reset_index(drop=True)
    if states.empty:
        return pd.DataFrame(columns=LISTED_COLUMNS, dtype="str")
    # A list entry is a position with a certain content. The same entry can be in several deliveries.
    entry_of_state, _ = number_distinct_rows(states[["file", "record_key", "content"]])
    list_entries = states.iloc[np.unique(entry_of_state, return_index=True)[1]].reset_index(drop=True)
    person = _decide_which_list_entries_are_one_person(list_entries, entry_of_state, states, model)[entry_of_state]
    return _build_keys_of_listed_persons(states, person)


def replace_record_keys_by_person_keys(
    canonical_tables: Mapping[str, pd.DataFrame], listed_person_keys: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    """Return canonical tables in which the states of listed persons, and their events, have the person key in place of the record key.

    listed_person_keys: the result of `find_keys_of_listed_persons`.
    """
    out = dict(canonical_tables)
    if listed_person_keys.empty:
        return out
    keys = listed_person_keys[listed_person_keys["person_key"] != listed_person_keys["record_key"]].set_index(STATE_KEY)["person_key"]
    for name, frame in canonical_tables.items():
        if name not in ("person_records", "events"):
            continue
        new = keys.reindex(pd.MultiIndex.from_frame(frame[STATE_KEY])).set_axis(frame.index)
        of_person = frame["entity"] == "person" if name == "events" else True
        out[name] = frame.assign(record_key=frame["record_key"].mask(new.notna() & of_person, new).astype(frame["record_key"].dtype))
    return out


def replace_record_keys_by_first_keys(persons: pd.DataFrame, listed_person_keys: pd.DataFrame) -> pd.DataFrame:
    """Return `persons` with the first key of each listed person in the column `record_key`, in place of its person key.

    First keys never change; the identity register knows listed persons by them. persons: a frame with the columns institution and
    record_key. listed_person_keys: the result of `find_keys_of_listed_persons`.
    """
    names = listed_person_keys.drop_duplicates(["institution", "person_key"]).set_index(["institution", "person_key"])["first_key"]
    known = persons["record_key"]
    stays = names.reindex(pd.MultiIndex.from_frame(persons[["institution", "record_key"]])).set_axis(known.index).fillna(known)
    return persons.assign(record_key=stays.astype(known.dtype))


def _are_states_in_changed_lists(person_states: pd.DataFrame) -> np.ndarray:
    """Return for each state whether it is in a list that changed, or is of a person of a renumbered file whose old or new key is not known.

    A list changed if it was delivered several times, and a position has different contents or two positions have the same content.
    """
    distinct_states = person_states[["file", "record_key", "content"]].drop_duplicates()
    repeated = person_states.groupby("file")["delivery"].nunique() > 1
    counts = distinct_states.groupby("file").agg(
        states=("content", "size"), places=("record_key", "nunique"), contents=("content", "nunique")
    )
    changed = repeated & ((counts["states"] > counts["places"]) | (counts["states"] > counts["contents"]))
    unmatched = (person_states["place"] == person_states["record_key"]).to_numpy(dtype=bool)
    return person_states["file"].map(changed).to_numpy(dtype=bool) | unmatched


def _decide_which_list_entries_are_one_person(
    list_entries: pd.DataFrame, entry_of_state: np.ndarray, person_states: pd.DataFrame, model: LinkageModel
) -> np.ndarray:
    """Decide which list entries are one person, and number the persons. Return the number of the person of each entry.

    list_entries: the distinct combinations of case file, position and content. entry_of_state: the row in `list_entries` of each of
    `person_states`.
    """
    frame = add_compared_fields(list_entries.reset_index(drop=True)).assign(file=list_entries["file"].to_numpy())
    size = len(list_entries)
    left, right = _pair_entries_of_same_person_list(list_entries)
    in_one_list = _encode_pairs_of_entries_delivered_together(person_states, entry_of_state, size)
    same_place = list_entries["record_key"].to_numpy()[left] == list_entries["record_key"].to_numpy()[right]
    anonymous = lack_identifying_values(frame)
    veto = np.isin(left * size + right, in_one_list) | (~same_place & (anonymous[left] | anonymous[right]))
    likelihoods = compute_likelihoods(frame, left, right, model, _make_uniform_name_frequencies(frame, model))
    odds = np.where(same_place, SAME_POSITION_ODDS, compute_prior_odds_within_case(frame, left, right, model.persons))
    parts = np.where(likelihoods.levels.to_numpy() == MISSING_LEVEL, np.nan, likelihoods.bits.to_numpy("float64"))
    pairs = cluster.WeightedPairs(left, right, likelihoods.weight + odds, parts, odds, np.ones(len(left), dtype=bool), veto)
    return cluster.form_clusters_by_agglomeration(size, pairs, cluster.JoiningRules(model.persons["best_share"]))


def _pair_entries_of_same_person_list(list_entries: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return all pairs of entries of the same list; in a long list only the pairs of entries with the same position."""
    file = list_entries["file"].to_numpy()
    rows = RowIndexByOwner(file, int(file.max()) + 1)
    long = rows.sizes[file] > MAX_LIST_LENGTH
    group = np.where(long, file.max() + 1 + number_distinct_rows(list_entries[["record_key"]])[0], file)
    rows = RowIndexByOwner(group, int(group.max()) + 1)
    several = np.flatnonzero(rows.sizes > 1)
    _, left, right = rows.combine_rows(several, several)
    return left[left < right], right[left < right]


def _encode_pairs_of_entries_delivered_together(person_states: pd.DataFrame, entry_of_state: np.ndarray, entry_count: int) -> np.ndarray:
    """Return a number for each pair of entries of a list that are in the same delivery. Such entries are two persons."""
    lists, many = number_distinct_rows(person_states[["file", "delivery"]])
    rows = RowIndexByOwner(lists, many)
    several = np.flatnonzero((rows.sizes > 1) & (rows.sizes <= MAX_LIST_LENGTH))
    _, a, b = rows.combine_rows(several, several)
    a, b = entry_of_state[a], entry_of_state[b]
    return find_distinct_numbers((a * entry_count + b)[a < b])


def _make_uniform_name_frequencies(persons: pd.DataFrame, model: LinkageModel) -> TokenFrequencies:
    """Return token frequencies in which every name is as frequent as the model expects, since the names in lists are too few to count."""
    usual = compute_token_frequencies(encode_persons(persons.iloc[:0], model), model).usual
    return TokenFrequencies({field: {} for field in usual}, usual, usual)


def _build_keys_of_listed_persons(person_states: pd.DataFrame, person_of_state: np.ndarray) -> pd.DataFrame:
    """Return the keys of listed persons (with the columns `LISTED_COLUMNS`), for lists in which a key of a person differs from its record
    key.

    person_of_state: the number of the person of each of `person_states`.
    """
    arrival = look_up_value_of_delivery(person_states, list_deliveries_by_arrival([person_states]), "arrival").to_numpy()
    ordered = person_states.assign(person=person_of_state, arrival=arrival).sort_values(["arrival", "record_key"], kind="stable")
    first = _choose_person_keys(ordered)
    latest = ordered.assign(accepted=ordered["status"] == "accepted").sort_values(["accepted", "arrival"], ascending=False, kind="stable")
    keys = person_states[[*STATE_KEY, "status"]].assign(
        person_key=_choose_person_keys(latest).reindex(person_of_state).array, first_key=first.reindex(person_of_state).array
    )
    moved = (keys["person_key"] != keys["record_key"]) | (keys["first_key"] != keys["record_key"])
    return keys[moved.groupby(person_states["file"]).transform("any")].astype("str").reset_index(drop=True)


def _choose_person_keys(ordered_states: pd.DataFrame) -> pd.Series:
    """Return a key for each person, indexed by the number of the person: the record key in the person's first row of `ordered_states`.

    The delivery is appended to the key if an earlier row of `ordered_states` has the same record key.
    """
    first_rows = ordered_states.drop_duplicates("person")
    bare = first_rows.index.isin(ordered_states.drop_duplicates(["institution", "record_key"]).index)
    return first_rows["record_key"].where(bare, first_rows["record_key"] + "@" + first_rows["delivery"]).set_axis(first_rows["person"])
