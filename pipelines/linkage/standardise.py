"""The input of linkage: frames with one row for each record, made from all delivered states of the record ("feature frames").

Belongs here: choosing values from the states of a record, deciding which part of a name is the given name, case files and their dates,
references. Does not belong here: parsing delivered text (`pipelines.harmonisation`), comparison, weights. In this module, "file" means case
file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from pipelines.crosswalk import SUCCESSOR_COLUMNS, replace_old_record_keys
from pipelines.linkage.record_states import (
    RECORD_KEY,
    find_first_row_of_each_number,
    find_first_values,
    find_rows_of_records,
    index_record_states,
    list_deliveries_by_arrival,
    look_up_value_of_delivery,
    map_values_to_numbers,
    number_distinct_rows,
    rank_record_states,
    sort_by_content,
    take_values,
)
from schemas.canonical import FOREIGN, OFFENCE_GROUPS, conform

SIDES = {"suspect": "offender", "defendant": "offender", "prisoner": "offender", "victim": "victim", "witness": "witness"}
# Before any name is counted, each token is assumed to be a given name or a surname with equal probability. This assumption counts like so
# many occurrences of the token.
PRIOR_OCCURRENCES = 4
FILE_EVENTS = ("reported", "offence", "sent", "received", "separated", "dismissed", "indicted", "terminated")
# The columns by which two rows of a delivery are recognised as rows of the same record. There are none for events and references, since all
# events and references of a record count.
SAME_RECORD_COLUMNS: dict[str, list[str]] = {
    "case_records": ["institution", "delivery", "record_key"],
    "person_records": ["institution", "delivery", "record_key"],
    "charges": ["institution", "delivery", "case_key"],
    "events": [],
    "references": [],
}
# The columns of each table that linkage reads.
_STATE = ["institution", "delivery", "status"]
_NAMES = ["name_tokens", "given_skeleton", "surname_skeleton", "parent_skeleton"]
_PERSON = [*_NAMES, "personal_number", "number_valid", "birth_date", "birth_year", "sex", "citizenship", "municipality", "birthplace"]
_CASE = ["number", "seat", "municipality", "state", "source", "merged_into", "former_number", "form", "law", "article", "offence_group"]
COLUMNS_READ: dict[str, list[str]] = {
    "case_records": [*_STATE, "record_key", *_CASE],
    "person_records": [*_STATE, "record_key", "case_key", "place", "role", "kind", *_PERSON, "register_id", "sentence_months"],
    "charges": [*_STATE, "case_key", "offence_group", "form"],
    "events": [*_STATE, "record_key", "entity", "event", "date"],
    "references": [*_STATE, "case_key", "kind", "number", "seat"],
}
INPUT_COLUMNS: dict[str, list[str]] = {**COLUMNS_READ, "successors": list(SUCCESSOR_COLUMNS)}
STATE_KEY = ["institution", "delivery", "record_key"]
PERSON_EVENTS = ("supported", "arrested", "indicted", "separated", "judged", "final", "detained", "imprisoned", "released")


@dataclass(frozen=True)
class LinkageRecords:
    """The input of linkage. A record is identified by its row number in `files` or `persons`.

    - `files`: one row for each case record, including implied ones (see `_make_case_file_features`). Besides columns of the canonical
      table, it has group (the most serious offence group), current (whether the state is accepted), the first day of each of `FILE_EVENTS`,
      and supported (the first day on which a person of the file was supported).
    - `persons`: one row for each person record. It has file (the row of the case file in `files`; -1 if there is none), side (offender,
      victim or witness), the compared fields, register_id, sentence_months, period (of the first delivery of the record), the first day of
      each of `PERSON_EVENTS`, admitted (the day of admission as detainee or convict), stay_detained and stay_imprisoned (see
      `find_stay_starts`).
    - `references`: the distinct case numbers that files cite, with the columns file, kind, number, seat and current
    - `own`: every number that a file ever had, with the columns file and number
    - `merges`: for each file that was merged into another file of its institution, the number of the other file; for each file that got a
      new number, its former number. Columns: file, number.
    - `counts`: the number of files of each institution, and of person records (`persons`), on which prior odds depend; None if they are
      those of these frames
    - `memo`: a cache of results that are computed from these frames only
    """

    files: pd.DataFrame
    persons: pd.DataFrame
    references: pd.DataFrame
    own: pd.DataFrame
    merges: pd.DataFrame
    counts: Mapping[str, int] | None = None
    memo: dict[Hashable, Any] = field(default_factory=dict, repr=False, compare=False)

    def compute_once(self, key: Hashable, compute: Callable[[], Any]) -> Any:
        """Return the result of `compute`, which is computed once for each `key`."""
        if key not in self.memo:
            self.memo[key] = compute()
        return self.memo[key]


def build_linkage_records(canonical_tables: Mapping[str, pd.DataFrame]) -> LinkageRecords:
    """Make the input of linkage from the canonical tables of `schemas.canonical`. Absent tables and columns count as empty.

    Records are ordered by their earliest delivery (period, then version), institution and key. The order of the input does not matter.
    """
    tables = read_linkage_columns(canonical_tables)
    deliveries = list_deliveries_by_arrival(tables.values())
    tables = {name: rank_record_states(frame, deliveries, SAME_RECORD_COLUMNS[name]) for name, frame in tables.items()}
    events = tables["events"].assign(end=look_up_value_of_delivery(tables["events"], deliveries, "end"))
    files = _make_case_file_features(tables)
    periods = deliveries.drop_duplicates("arrival").set_index("arrival")["period"]
    states = tables["person_records"]
    not_natural = states["kind"].isin(["legal", "unknown"])
    persons = _make_person_features(states[~not_natural], files, periods)
    of_others = pd.MultiIndex.from_frame(events[STATE_KEY]).isin(pd.MultiIndex.from_frame(states.loc[not_natural, STATE_KEY]))
    of_persons = events[~of_others] if not_natural.any() else events
    persons = persons.join(_find_event_dates(of_persons, persons, PERSON_EVENTS, "person"))
    persons["admitted"] = persons["detained"].fillna(persons["imprisoned"])
    persons = persons.join(find_stay_starts(persons))
    files = files.join(_find_event_dates(events, files, FILE_EVENTS, "case"))
    files["supported"] = persons[persons["file"] >= 0].groupby("file")["supported"].min().reindex(files.index)
    references = _add_case_file_rows(tables["references"], files, "case_key", ["kind", "number", "seat", "current", "precedence"])
    references = references.dropna(subset=["number"])
    references = references.iloc[np.lexsort((references["precedence"], ~references["current"]))].drop(columns="precedence")
    references = _take_first_per_combination(references, ["file", "kind", "number", "seat"])
    cases = _add_case_file_rows(tables["case_records"], files, "record_key", ["number", "merged_into", "former_number"])
    numbers_of_files = _take_first_per_combination(cases[["file", "number"]].dropna(), ["file", "number"])
    joined = [cases[["file", name]].set_axis(["file", "number"], axis=1) for name in ("merged_into", "former_number")]
    merges = _take_first_per_combination(pd.concat(joined, ignore_index=True).dropna(), ["file", "number"])
    return LinkageRecords(files, persons, sort_by_content(references), sort_by_content(numbers_of_files), sort_by_content(merges))


def read_linkage_columns(canonical_tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return the canonical tables with only the columns that linkage reads, since tables are large. Columns have their canonical types.

    Records that got a new key have the new key in all states, as the table `successors` says. Calling the function on its own result
    changes nothing.
    """
    tables = {
        name: canonical_tables.get(name, pd.DataFrame()).reindex(columns=columns).astype(_find_column_types(name)).reset_index(drop=True)
        for name, columns in COLUMNS_READ.items()
    }
    return replace_old_record_keys(tables, canonical_tables.get("successors", pd.DataFrame()))


@cache
def _find_column_types(table_name: str) -> pd.Series:
    return conform(table_name, pd.DataFrame()).dtypes[COLUMNS_READ[table_name]]


def _take_first_per_combination(frame: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Return the first row of every distinct combination of values in `columns`."""
    number, size = number_distinct_rows(frame[columns])
    return frame.iloc[find_first_row_of_each_number(number, size, np.arange(len(frame)))]


def _add_case_file_rows(frame: pd.DataFrame, files: pd.DataFrame, key_column: str, columns: list[str]) -> pd.DataFrame:
    """Return `columns` of those rows of `frame` that belong to a case file. The row of the case file in `files` is added as the column
    `file`.

    A row belongs to the case file of the same institution whose record key is in the column `key_column`.
    """
    file = find_rows_of_records(files, frame, key_column)
    located = frame[columns][file >= 0].reset_index(drop=True)
    located.insert(0, "file", file[file >= 0])
    return located


def _make_case_file_features(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Make the frame `files` (see `LinkageRecords`) without dates: one row for each case record and each implied case record.

    An implied case record was not delivered itself, but persons or charges refer to it, for example because the row of the case is
    unreadable.
    """
    shared = ["institution", "record_key", "arrival", "current", "precedence"]
    cases = tables["case_records"]
    parts_of_files = [
        tables[name][["institution", "case_key", *shared[2:]]].set_axis(shared, axis=1) for name in ("person_records", "charges")
    ]
    # States of the case record itself take precedence over states of its persons and charges.
    offsets = len(cases), len(cases) + len(parts_of_files[0])
    parts_of_files = [frame.assign(precedence=frame["precedence"] + offset) for frame, offset in zip(parts_of_files, offsets, strict=True)]
    all_states = pd.concat([cases[shared], *parts_of_files], ignore_index=True)
    latest = index_record_states(all_states)
    files = latest.keys.assign(
        current=latest.take_first_values(all_states["current"]), **{name: latest.take_first_values(cases[name]) for name in _CASE}
    )
    files = files.rename(columns={"offence_group": "group"})
    group, form = _find_principal_offence_of_case_files(tables["charges"], files)
    files = files.assign(group=group.fillna(files["group"]), form=files["form"].fillna(form))
    return files[[*RECORD_KEY, *(name for name in _CASE if name not in ("offence_group", "former_number")), "current", "group"]]


def _find_principal_offence_of_case_files(charges: pd.DataFrame, files: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Find the most serious offence group among the charges of each file, and the form of exploitation of that charge."""
    rank = {name: n for n, name in enumerate(OFFENCE_GROUPS)}
    seriousness = map_values_to_numbers(charges["offence_group"], rank, len(rank))
    order = np.lexsort((charges["precedence"].to_numpy(), seriousness, charges["rank"].to_numpy()))
    file = find_rows_of_records(files, charges, "case_key")[order]
    charges_of_files = charges[["offence_group", "form"]].iloc[order[file >= 0]]
    group, form = (find_first_values(charges_of_files[name], file[file >= 0], len(files)) for name in charges_of_files.columns)
    return group, form


def _make_person_features(states: pd.DataFrame, files: pd.DataFrame, periods: pd.Series) -> pd.DataFrame:
    """Make the frame `persons` (see `LinkageRecords`) without dates of events: one row for each person record.

    periods: the period of each delivery, indexed by the column `arrival` of the delivery.
    """
    citizenship = states["citizenship"].where(states["citizenship"] != FOREIGN)  # no country to compare
    states = states.assign(number_valid=states["number_valid"].where(states["personal_number"].notna()), citizenship=citizenship)
    names = ["name_tokens", "given_skeleton", "surname_skeleton"]
    fields = ["case_key", "role", "parent_skeleton", "personal_number", "number_valid", "birth_date", "birth_year", "sex", "citizenship"]
    fields += ["municipality", "birthplace", "register_id", "sentence_months"]
    latest = index_record_states(states)
    first = latest.keys.assign(**{name: latest.take_first_values(states[name]) for name in names + fields})
    first["file"] = find_rows_of_records(files, first, "case_key")
    first["period"] = periods.reindex(latest.arrival).astype("str").array
    first = add_compared_fields(first)
    ordered = ["institution", "record_key", "case_key", "file", "role", "side", "given", "surname", "parent", "number", "valid"]
    ordered += ["birth_date", "birth_year", "sex", "citizenship", "municipality", "birthplace", "register_id", "sentence_months", "period"]
    return first[ordered]


def add_compared_fields(persons: pd.DataFrame) -> pd.DataFrame:
    """Return person records with the columns that linkage compares: side, given, surname, parent, number, valid (whether the check digit of
    the number is right) and birth_year.
    """
    role, roles = pd.factorize(persons["role"])
    out = persons.assign(side=take_values(pd.Series([SIDES.get(str(name)) for name in roles], dtype="str"), role).array)
    out = out.join(resolve_name_order(out))
    out["valid"] = (out["number_valid"].fillna(False) & out["personal_number"].notna()).astype(bool)
    out["birth_year"] = out["birth_year"].astype("float64").fillna(out["birth_date"].dt.year.astype("float64"))
    return out.rename(columns={"parent_skeleton": "parent", "personal_number": "number"})


def resolve_name_order(persons: pd.DataFrame) -> pd.DataFrame:
    """Return the given name and the surname of each record. They are swapped if they were probably delivered in the wrong order.

    For each token, it is counted how often it is a given name in records that have a given name and a surname. Two names are swapped if
    their tokens are mostly used in the other way; so rare names stay as delivered. If a record has its whole name in one field, the token
    that is most often a given name is taken as given name, and the other tokens as surname.

    persons: person records with the columns name_tokens, given_skeleton and surname_skeleton. Columns of the result: given, surname (tokens
    separated by a space).
    """
    given, surname = persons["given_skeleton"].fillna(""), persons["surname_skeleton"].fillna("")
    two = (given != "") & (surname != "")
    share = _compute_share_as_given_name(given[two], surname[two])
    swapped = two & (_compute_mean_share_as_given_name(given, share) < 0.35) & (_compute_mean_share_as_given_name(surname, share) > 0.65)
    out = pd.DataFrame({"given": given.where(~swapped, surname), "surname": surname.where(~swapped, given)})
    code, texts = pd.factorize(persons.loc[~two, "name_tokens"].fillna(""))
    split = pd.DataFrame([_split_name(text, share) for text in texts], columns=["given", "surname"], dtype="str")
    for name in ("given", "surname"):
        out.loc[~two, name] = split[name].array.take(code)
    return out.astype("str").replace("", pd.NA)


def _compute_share_as_given_name(given: pd.Series, surname: pd.Series) -> dict[str, float]:
    """Return, for each token, in which share of its occurrences it is a given name. Shares of rare tokens are moved towards one half.

    given, surname: the names of the records that have both.
    """
    as_given, as_surname = _count_tokens(given), _count_tokens(surname)
    return {
        token: (as_given[token] + PRIOR_OCCURRENCES / 2) / (as_given[token] + as_surname[token] + PRIOR_OCCURRENCES)
        for token in as_given | as_surname
    }


def _count_tokens(names: pd.Series) -> Counter[str]:
    """Count the occurrences of each token in `names`."""
    counts: Counter[str] = Counter()
    for text, n in names.value_counts().items():
        for token in str(text).split():
            counts[token] += n
    return counts


def _compute_mean_share_as_given_name(names: pd.Series, share_as_given_name: dict[str, float]) -> pd.Series:
    """Return, for each name, the mean share of its tokens in `share_as_given_name`; 0.5 for unknown tokens."""
    code, texts = pd.factorize(names)
    shares = [[share_as_given_name.get(token, 0.5) for token in text.split()] or [0.5] for text in texts]
    return pd.Series(np.array([sum(found) / len(found) for found in shares], dtype="float64")[code], index=names.index)


def _split_name(text: str, share_as_given_name: dict[str, float]) -> tuple[str, str]:
    """Split a name that was delivered in one field into given name and surname. A name of one token is a surname."""
    tokens = text.split()
    if len(tokens) < 2:
        return ("", text)
    full = [t for t in tokens if len(t) > 1] or tokens
    # An initial is mostly a shortened given name.
    given = next((t for t in tokens if len(t) == 1 and len(full) == 1), max(full, key=lambda t: (share_as_given_name.get(t, 0.5), t)))
    rest = list(tokens)
    rest.remove(given)
    return (given, " ".join(rest))


def _find_event_dates(events: pd.DataFrame, records: pd.DataFrame, event_names: tuple[str, ...], entity: str) -> pd.DataFrame:
    """Return the day of each event of each record, in one column for each of `event_names`, with the index of `records`.

    If several states of a record have the event, those with the best record status count (accepted first), and of these the earliest day.
    """
    number = map_values_to_numbers(events["event"], {name: n for n, name in enumerate(event_names)}, -1)
    chosen = events["entity"].eq(entity).to_numpy() & (number >= 0)
    chosen_events = events.loc[chosen, ["institution", "record_key", "date", "end", "rank"]]
    day, row = remove_impossible_days(chosen_events), find_rows_of_records(records, chosen_events)
    has_day_and_row = day.notna().to_numpy() & (row >= 0)
    cell = row[has_day_and_row] * len(event_names) + number[chosen][has_day_and_row]
    rank, seconds = chosen_events["rank"].to_numpy()[has_day_and_row], day.to_numpy("datetime64[s]").astype("int64")[has_day_and_row]
    best, earliest = (np.full(len(records) * len(event_names), np.iinfo("int64").max) for _ in range(2))
    np.minimum.at(best, cell, rank)
    applies = rank == best[cell]
    np.minimum.at(earliest, cell[applies], seconds[applies])
    days = earliest.astype("datetime64[s]")
    days[earliest == np.iinfo("int64").max] = np.datetime64("NaT")
    return pd.DataFrame(dict(zip(event_names, days.reshape(len(records), len(event_names)).T, strict=True)), index=records.index)


def remove_impossible_days(events: pd.DataFrame) -> pd.Series:
    """Return the date of each event, corrected or removed if it is impossible because it is after the end of the delivered period.

    Day and month of an impossible date are swapped if that makes it possible; otherwise the date becomes null. events: a frame with the
    columns date and end (the last day of the period; if it is null, the date is not checked).
    """
    days, last = events["date"], events["end"]
    late = days[days > last]
    exchanged = pd.to_datetime({"year": late.dt.year, "month": late.dt.day, "day": late.dt.month}, errors="coerce")
    return days.mask(days > last, exchanged.where(exchanged <= last[late.index]).astype(days.dtype))


def find_stay_starts(persons: pd.DataFrame) -> pd.DataFrame:
    """Return when the stay began to which each row of the correctional service's register belongs, with the index of `persons`.

    Several rows of the register can be one stay, since a transfer to another facility, or from detention to a sentence, begins a new row.
    Rows of one person are one stay if each begins on the day on which the previous row ends. Columns of the result: stay_detained and
    stay_imprisoned (the first day of the stay as detainee, and as convict).

    persons: a frame with the columns register_id (the person), admitted, released, detained and imprisoned.
    """
    rows = persons.dropna(subset=["register_id", "admitted"]).sort_values(["register_id", "admitted"], kind="stable")
    before = rows[["register_id", "released"]].shift()
    begins = (rows["register_id"] != before["register_id"]) | (rows["admitted"] != before["released"])
    first = rows.groupby(begins.cumsum())[["detained", "imprisoned"]].transform("min")
    return first.reindex(persons.index).rename(columns={"detained": "stay_detained", "imprisoned": "stay_imprisoned"})
