"""Find cases that one register has under two numbers, and list positions that were given to another person.

Belongs here: comparing the files of one institution with each other. Does not belong here: evidence from records of other institutions
(`flows`).

Two files are taken as one case if they have a common person and the same event. Persons are the same if they have the same personal
number, or the same name and birth date. The event is the same if the offence has the same day, or the files have two common persons, or
both cite the same number of another institution. The finding is reported on the file that was opened later.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from harmonia.comparison.evidence import drop_rows_with_frequent_values, find_contract_columns
from pipelines.harmonisation.personal_numbers import FULL_PATTERN
from pipelines.resources.encoded_texts import are_texts_in, number_equal_rows
from pipelines.resources.lake import read_columns
from schemas import findings
from sources import contract as contracts

_KEYS = ("institution", "record_key", "status")
_MAX_DAYS_BETWEEN = 200  # days between the openings of two files of one case
_SEVERAL_PERSONS = 2  # common persons that make two files one case, whatever their dates


def find_duplicate_registrations(canonical: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Find cases that were registered twice. Returns findings (`schemas.findings.COLUMNS`) of the rule `cross-case-again`.

    There is one finding for every delivery that contains the later of the two files, until one of the files is merged or cancelled.
    """
    versions = read_columns(canonical, "case_records", (*_KEYS, "delivery", "state", "merged_into"))
    case_versions = versions[
        versions["institution"].isin(contracts.institutions_with_one_file_per_case()) & (versions["status"] != "quarantined")
    ]
    delivered = case_versions[["institution", "delivery", "record_key"]].drop_duplicates()
    duplicates = (
        _find_duplicate_case_files(canonical)
        .drop_duplicates(["institution", "record_key"])
        .merge(delivered, on=["institution", "record_key"])
    )
    settled = case_versions[case_versions["state"].isin(["merged", "cancelled"]) | case_versions["merged_into"].notna()]
    settled_since = settled.groupby(["institution", "record_key"])["delivery"].min()
    for key in ("record_key", "earlier_key"):
        since = settled_since.reindex(pd.MultiIndex.from_frame(duplicates[["institution", key]])).set_axis(duplicates.index)
        duplicates = duplicates[since.isna() | (duplicates["delivery"] < since.fillna(""))]
    return findings.complete_columns(
        duplicates.assign(
            rule="cross-case-again", field=duplicates["institution"].map(find_contract_columns("number")), detail=duplicates["earlier_key"]
        )
    )


def find_reassigned_list_positions(persons_by_position: pd.DataFrame, deliveries: pd.DataFrame) -> pd.DataFrame:
    """Find list positions that were given to another person. Returns findings of the rule `cross-place-other-person`.

    There is one finding for every delivery in which a position has another person than in the last earlier delivery with that position.
    persons_by_position: the person at each list position, from `pipelines.linkage.list_positions`. deliveries: the deliveries, with the
    columns institution, delivery, period and version.
    """
    delivered_persons = persons_by_position[persons_by_position["status"].isin(["accepted", "superseded"])].merge(
        deliveries, on=["institution", "delivery"]
    )
    delivered_persons = delivered_persons.sort_values(["period", "version"], kind="stable")
    previous = delivered_persons.groupby(["institution", "record_key"])[["person_key", "delivery"]].shift()
    changed = delivered_persons[previous["person_key"].notna() & (previous["person_key"] != delivered_persons["person_key"])]
    columns = {
        name: next((table.place for table in contracts.load(name).tables.values() if table.place), None)
        for name in delivered_persons["institution"].unique()
    }
    previous_delivery = previous["delivery"].reindex(changed.index)
    return findings.complete_columns(
        changed[["institution", "delivery", "record_key"]].assign(
            rule="cross-place-other-person", field=changed["institution"].map(columns), detail=previous_delivery
        )
    )


def _find_duplicate_case_files(canonical: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Find pairs of files of one register that belong to one case.

    Columns out: institution, record_key (key of the file opened later), earlier_key (key of the file opened earlier).
    """
    identity_columns = ("personal_number", "birth_date", "birth_precision", "name_tokens")
    shared = _find_case_files_with_common_person(
        _list_person_identifiers(read_columns(canonical, "person_records", (*_KEYS, "case_key", *identity_columns)))
    )
    dates = _find_dates_of_case_files(read_columns(canonical, "events", (*_KEYS, "case_key", "entity", "event", "date")))
    shared = shared.merge(dates, on=["institution", "case_key"]).merge(
        dates.add_suffix("_earlier").rename(columns={"institution_earlier": "institution"}), on=["institution", "case_key_earlier"]
    )
    is_later = (shared["opened"] > shared["opened_earlier"]) | (
        (shared["opened"] == shared["opened_earlier"]) & (shared["case_key"] > shared["case_key_earlier"])
    )
    close = (shared["opened"] - shared["opened_earlier"]).dt.days <= _MAX_DAYS_BETWEEN
    same_event = (
        (shared["offence"] == shared["offence_earlier"])
        | (shared["persons"] >= _SEVERAL_PERSONS)
        | _find_pairs_citing_same_number(canonical, shared)
    )
    out = shared[is_later & close & same_event].sort_values(["persons", "case_key_earlier"], ascending=[False, True])
    return out.rename(columns={"case_key": "record_key", "case_key_earlier": "earlier_key"})[["institution", "record_key", "earlier_key"]]


def _find_case_files_with_common_person(person_identifiers: pd.DataFrame) -> pd.DataFrame:
    """Find pairs of files of one register that have a common person. person_identifiers: from `_list_person_identifiers`.

    Columns out: institution, case_key, case_key_earlier, persons (number of common persons, counted by name). Each pair occurs twice, in
    both orders.
    """
    person_identifiers = person_identifiers.dropna(subset=["case_key"]).reset_index(drop=True)
    codes = {name: pd.factorize(person_identifiers[name])[0] for name in person_identifiers}
    rows = {
        "file": number_equal_rows(codes["institution"], codes["case_key"]),
        "identifier": number_equal_rows(codes["institution"], codes["identifier"]),
    }
    members = drop_rows_with_frequent_values(pd.DataFrame({**rows, "name": codes["name"]}), ["identifier"])
    pairs = members.merge(members[["file", "identifier"]], on="identifier", suffixes=("", "_earlier"))
    pairs = pairs.loc[pairs["file"] != pairs["file_earlier"], ["file", "file_earlier", "name"]].drop_duplicates()
    shared = (pairs["name"] >= 0).groupby([pairs["file"], pairs["file_earlier"]]).sum().rename("persons").reset_index()
    files = person_identifiers.loc[~pd.Series(rows["file"]).duplicated(), ["institution", "case_key"]].reset_index(
        drop=True
    )  # in the order of the codes
    earlier = files["case_key"].array.take(shared["file_earlier"].to_numpy())
    return (
        files.iloc[shared["file"]]
        .assign(case_key_earlier=earlier, persons=shared["persons"].array)
        .sort_values(["institution", "case_key", "case_key_earlier"], ignore_index=True)
    )


def _list_person_identifiers(records: pd.DataFrame) -> pd.DataFrame:
    """List the values that identify the persons in each file. Columns out: institution, case_key, identifier, name (as in the file).

    A person has up to two identifiers: the personal number, and the name together with the birth date.
    """
    person_records = records[
        records["institution"].isin(contracts.institutions_with_one_file_per_case()) & (records["status"] != "quarantined")
    ]
    number = person_records["personal_number"].where(person_records["personal_number"].str.fullmatch(FULL_PATTERN, na=False))
    day, dates = pd.factorize(person_records["birth_date"])
    texts = pd.array([*pd.DatetimeIndex(dates).strftime("%Y-%m-%d"), None], dtype="str")
    born = pd.Series(texts.take(day), index=person_records.index).where(person_records["birth_precision"] == "day")
    base = person_records[["institution", "case_key"]].assign(name=person_records["name_tokens"])
    identifiers = [base.assign(identifier=number), base.assign(identifier=person_records["name_tokens"] + " " + born)]
    return (
        pd.concat(identifiers, ignore_index=True).dropna(subset=["identifier"]).drop_duplicates(["institution", "case_key", "identifier"])
    )


def _find_dates_of_case_files(events: pd.DataFrame) -> pd.DataFrame:
    """Return the day on which each file was opened, and the day of its offence. Columns out: institution, case_key, opened, offence."""
    file_events = events[
        events["institution"].isin(contracts.institutions_with_one_file_per_case())
        & (events["status"] != "quarantined")
        & (events["entity"] == "case")
    ]
    keys = ["institution", "case_key"]
    opened = file_events[file_events["event"].isin(["reported", "received"])].groupby(keys)["date"].min().rename("opened")
    offence = file_events[file_events["event"] == "offence"].groupby(keys)["date"].min().rename("offence")
    return pd.concat([opened, offence], axis=1).reset_index().astype({"opened": "datetime64[s]", "offence": "datetime64[s]"})


def _find_pairs_citing_same_number(canonical: Mapping[str, pd.DataFrame], case_file_pairs: pd.DataFrame) -> pd.Series:
    """Return for each pair of files whether both cite the same number of another institution."""
    citations = read_columns(canonical, "references", (*_KEYS, "case_key", "number"))
    relevant = are_texts_in(
        citations["case_key"], pd.concat([case_file_pairs["case_key"], case_file_pairs["case_key_earlier"]]).drop_duplicates()
    )
    citations = (
        citations.loc[relevant & (citations["status"] != "quarantined"), ["institution", "case_key", "number"]].dropna().drop_duplicates()
    )
    citations = drop_rows_with_frequent_values(citations, ["institution", "number"])
    citing_pairs = citations.merge(citations, on=["institution", "number"], suffixes=("", "_earlier"))
    keys = ["institution", "case_key", "case_key_earlier"]
    same = pd.MultiIndex.from_frame(case_file_pairs[keys]).isin(pd.MultiIndex.from_frame(citing_pairs[keys]))
    return pd.Series(same, index=case_file_pairs.index)
