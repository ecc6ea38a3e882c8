"""Cases that a register has under two numbers, as shown by its own records.

Belongs here: comparing the files of one institution with each other. Does not belong here: evidence from another's records (`flows`).

Two files are one case where they have the same person and the same event: a person with the same personal number, or the same name and
birth date; and the same day of the offence, or two such persons, or the same number of another institution. Reported on the later file.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from pipelines.comparison.evidence import fields, uncrowded
from pipelines.resources.coded import among, numbered
from pipelines.resources.lake import some
from schemas import findings
from sources import contract as contracts

_KEYS = ("institution", "record_key", "status")
_NEAR = 200  # days between the openings of two files of one case
_SEVERAL = 2


def registered_twice(canonical: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Findings (`schemas.findings.COLUMNS`) of `cross-case-again`: for every delivery with the later of the two, until one is merged."""
    every = some(canonical, "case_records", (*_KEYS, "delivery", "state", "merged_into"))
    own = every[every["institution"].isin(contracts.one_file_a_case()) & (every["status"] != "quarantined")]
    delivered = own[["institution", "delivery", "record_key"]].drop_duplicates()
    found = _pairs(canonical).drop_duplicates(["institution", "record_key"]).merge(delivered, on=["institution", "record_key"])
    merged = own[(own["state"] == "merged") | own["merged_into"].notna()].groupby(["institution", "record_key"])["delivery"].min()
    for key in ("record_key", "first"):
        since = merged.reindex(pd.MultiIndex.from_frame(found[["institution", key]])).set_axis(found.index)
        found = found[since.isna() | (found["delivery"] < since.fillna(""))]
    return findings.complete(found.assign(rule="cross-case-again", field=found["institution"].map(fields("number")), detail=found["first"]))


def other_persons(listed: pd.DataFrame, deliveries: pd.DataFrame) -> pd.DataFrame:
    """Findings of `cross-place-other-person`: for every delivery with another person at a position than the delivery before.

    listed: from `pipelines.linkage.places`; deliveries: institution, delivery, period, version.
    """
    own = listed[listed["status"].isin(["accepted", "superseded"])].merge(deliveries, on=["institution", "delivery"])
    own = own.sort_values(["period", "version"], kind="stable")
    before = own.groupby(["institution", "record_key"])[["person_key", "delivery"]].shift()
    found = own[before["person_key"].notna() & (before["person_key"] != own["person_key"])]
    place = {name: next((t.place for t in contracts.load(name).tables.values() if t.place), None) for name in own["institution"].unique()}
    detail = before["delivery"].reindex(found.index)
    return findings.complete(
        found[["institution", "delivery", "record_key"]].assign(
            rule="cross-place-other-person", field=found["institution"].map(place), detail=detail
        )
    )


def _pairs(canonical: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Files of one register with the same person and event: institution, record_key (opened later), first."""
    named = ("personal_number", "birth_date", "birth_precision", "name_tokens")
    shared = _shared(_person_keys(some(canonical, "person_records", (*_KEYS, "case_key", *named))))
    days = _days(some(canonical, "events", (*_KEYS, "case_key", "entity", "event", "date")))
    shared = shared.merge(days, on=["institution", "case_key"]).merge(
        days.add_suffix("_first").rename(columns={"institution_first": "institution"}), on=["institution", "case_key_first"]
    )
    later = (shared["opened"] > shared["opened_first"]) | (
        (shared["opened"] == shared["opened_first"]) & (shared["case_key"] > shared["case_key_first"])
    )
    near = (shared["opened"] - shared["opened_first"]).dt.days <= _NEAR
    one_event = (shared["offence"] == shared["offence_first"]) | (shared["persons"] >= _SEVERAL) | _cite_alike(canonical, shared)
    out = shared[later & near & one_event].sort_values(["persons", "case_key_first"], ascending=[False, True])
    return out.rename(columns={"case_key": "record_key", "case_key_first": "first"})[["institution", "record_key", "first"]]


def _shared(people: pd.DataFrame) -> pd.DataFrame:
    """Pairs of files of a register with a common person, in both orders: institution, case_key, case_key_first, persons (number of distinct
    names). people: from `_person_keys`."""
    people = people.dropna(subset=["case_key"]).reset_index(drop=True)
    codes = {name: pd.factorize(people[name])[0] for name in people}
    rows = {"file": numbered(codes["institution"], codes["case_key"]), "sign": numbered(codes["institution"], codes["sign"])}
    one = uncrowded(pd.DataFrame({**rows, "who": codes["who"]}), ["sign"])
    both = one.merge(one[["file", "sign"]], on="sign", suffixes=("", "_first"))
    both = both.loc[both["file"] != both["file_first"], ["file", "file_first", "who"]].drop_duplicates()
    shared = (both["who"] >= 0).groupby([both["file"], both["file_first"]]).sum().rename("persons").reset_index()
    files = people.loc[~pd.Series(rows["file"]).duplicated(), ["institution", "case_key"]].reset_index(
        drop=True
    )  # in the order of the codes
    first = files["case_key"].array.take(shared["file_first"].to_numpy())
    return (
        files.iloc[shared["file"]]
        .assign(case_key_first=first, persons=shared["persons"].array)
        .sort_values(["institution", "case_key", "case_key_first"], ignore_index=True)
    )


def _person_keys(records: pd.DataFrame) -> pd.DataFrame:
    """The identifiers of persons by file: institution, case_key, sign (number, or name and birth date), who (name in the file)."""
    own = records[records["institution"].isin(contracts.one_file_a_case()) & (records["status"] != "quarantined")]
    number = own["personal_number"].where(own["personal_number"].str.fullmatch(r"\d{10}", na=False))
    day, days = pd.factorize(own["birth_date"])
    written = pd.array([*pd.DatetimeIndex(days).strftime("%Y-%m-%d"), None], dtype="str")
    born = pd.Series(written.take(day), index=own.index).where(own["birth_precision"] == "day")
    base = own[["institution", "case_key"]].assign(who=own["name_tokens"])
    signs = [base.assign(sign=number), base.assign(sign=own["name_tokens"] + " " + born)]
    return pd.concat(signs, ignore_index=True).dropna(subset=["sign"]).drop_duplicates(["institution", "case_key", "sign"])


def _days(events: pd.DataFrame) -> pd.DataFrame:
    """The days of opening and of the offence by file: institution, case_key, opened, offence."""
    own = events[
        events["institution"].isin(contracts.one_file_a_case()) & (events["status"] != "quarantined") & (events["entity"] == "case")
    ]
    keys = ["institution", "case_key"]
    opened = own[own["event"].isin(["reported", "received"])].groupby(keys)["date"].min().rename("opened")
    offence = own[own["event"] == "offence"].groupby(keys)["date"].min().rename("offence")
    return pd.concat([opened, offence], axis=1).reset_index().astype({"opened": "datetime64[s]", "offence": "datetime64[s]"})


def _cite_alike(canonical: Mapping[str, pd.DataFrame], pairs: pd.DataFrame) -> pd.Series:
    """Whether both files cite the same number of another institution."""
    cited = some(canonical, "references", (*_KEYS, "case_key", "number"))
    asked = among(cited["case_key"], pd.concat([pairs["case_key"], pairs["case_key_first"]]).drop_duplicates())
    cited = cited.loc[asked & (cited["status"] != "quarantined"), ["institution", "case_key", "number"]].dropna().drop_duplicates()
    cited = uncrowded(cited, ["institution", "number"])
    both = cited.merge(cited, on=["institution", "number"], suffixes=("", "_first"))
    keys = ["institution", "case_key", "case_key_first"]
    alike = pd.MultiIndex.from_frame(pairs[keys]).isin(pd.MultiIndex.from_frame(both[keys]))
    return pd.Series(alike, index=pairs.index)
