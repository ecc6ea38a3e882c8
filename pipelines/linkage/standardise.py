"""Feature frames of linkage: one row per record, out of every state that a delivery held.

Belongs here: which state of a record speaks, one given name and one surname per record, files and their dates, references.
Does not belong here: parsing of delivered text (`pipelines.harmonise`), comparison, weights.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from schemas.canonical import INSTITUTIONS, OFFENCE_GROUPS, TABLES, conform

STATUS_RANK = {"accepted": 0, "superseded": 1, "withdrawn": 2, "quarantined": 3}
SIDES = {"suspect": "offender", "defendant": "offender", "prisoner": "offender", "victim": "victim", "witness": "witness"}
# A name must be seen so often in two-field sources before its usual place outvotes the field in which it stands.
MIN_SEEN = 4
FILE_EVENTS = ("reported", "offence", "sent", "received", "separated", "dismissed", "indicted", "terminated")
# By what two rows of one delivery are about the same; of events and references all count, in whatever order.
TOLD_APART: dict[str, list[str]] = {
    "case_records": ["institution", "delivery", "record_key"],
    "person_records": ["institution", "delivery", "record_key"],
    "charges": ["institution", "delivery", "case_key"],
    "events": [],
    "references": [],
}
PERSON_EVENTS = ("arrested", "indicted", "separated", "judged", "final", "detained", "imprisoned", "released")


@dataclass(frozen=True)
class Records:
    """What linkage works on; every frame has a RangeIndex that serves as the record's number.

    `files`: a row a case record, also one that only its persons name: `institution, record_key, number, seat, municipality,
    source, merged_into, form, group, law, state, standing`, and a date column per `FILE_EVENTS`.
    `persons`: a row a person record: `institution, record_key, case_key, file` (row of `files`), `side`, `register_id`, the
    compared fields, `sentence_months`, a date column per `PERSON_EVENTS`, `admitted` (as detainee or convict), and `stays`.
    `references`: `file, kind, number, seat, standing`, distinct. `own`: `file, number`, every number that a file ever had.
    `merges`: `file, number`: the case of the same institution that took this one. `counts`: files of each institution and `persons` that
    priors go by, where that is not what is here. `memo`: what was worked out of these frames and is
    asked for again; nothing else may be kept there.
    """

    files: pd.DataFrame
    persons: pd.DataFrame
    references: pd.DataFrame
    own: pd.DataFrame
    merges: pd.DataFrame
    counts: Mapping[str, int] | None = None
    memo: dict[Hashable, Any] = field(default_factory=dict, repr=False, compare=False)


def standardise(canonical: dict[str, pd.DataFrame]) -> Records:
    """Feature frames from the canonical tables of `schemas.canonical`; absent tables and columns count as empty.

    Rows are ordered by earliest delivery (quarter, then version), institution and key, whatever the order of the input.
    """
    tables = {name: _ranked(_table(canonical, name), key) for name, key in TOLD_APART.items()}
    files = _files(tables)
    persons = _persons(tables["person_records"], files)
    persons = persons.join(_dates(tables["events"], persons, PERSON_EVENTS, "person"))
    persons["admitted"] = persons["detained"].fillna(persons["imprisoned"])
    persons = persons.join(stays(persons))
    files = files.join(_dates(tables["events"], files, FILE_EVENTS, "case"))
    references = _located(tables["references"], files, "case_key")[["file", "kind", "number", "seat", "standing"]]
    references = references.dropna(subset=["number"]).sort_values("standing", ascending=False, kind="stable")
    references = references.drop_duplicates(["file", "kind", "number", "seat"])
    cases = _located(tables["case_records"], files, "record_key")
    own = cases[["file", "number"]].dropna().drop_duplicates()
    merges = cases[["file", "merged_into"]].dropna().drop_duplicates().rename(columns={"merged_into": "number"})
    return Records(files, persons, _sorted(references), _sorted(own), _sorted(merges))


def _sorted(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.sort_values(list(frame.columns), kind="stable").reset_index(drop=True)


def _table(canonical: dict[str, pd.DataFrame], name: str) -> pd.DataFrame:
    frame = canonical.get(name, pd.DataFrame())
    known = [c.name for c in TABLES[name] if c.name in frame.columns]
    return conform(name, frame[known])


def _ranked(frame: pd.DataFrame, apart: list[str]) -> pd.DataFrame:
    """Order states so that the first one of a record is the one that speaks: accepted, then the latest; add `quarter`, `version`,
    `rank`, `standing`. apart: rows of one delivery that agree in these are put in the order of their content."""
    names = pd.Series(frame["delivery"].unique(), dtype="str")
    parts = names.str.extract(r"^(?P<quarter>.*?)(?:_v(?P<version>\d+))?$").set_axis(names)
    frame = frame.assign(
        quarter=frame["delivery"].map(parts["quarter"]).fillna("").astype("str"),
        version=frame["delivery"].map(parts["version"]).fillna("1").astype("int64"),
        rank=frame["status"].map(STATUS_RANK).fillna(len(STATUS_RANK)).astype("int64"),
        standing=frame["status"].eq("accepted"),
    )
    alike = frame.duplicated(apart, keep=False) if apart else pd.Series(False, index=frame.index)
    if alike.any():  # the order of the input must not matter where one delivery names a record twice
        payload = [c for c in frame.columns if c not in ("rank", "quarter", "version")]
        frame = pd.concat([frame[~alike], frame[alike].sort_values(payload, kind="stable")])
    return frame.sort_values(["rank", "quarter", "version"], ascending=[True, False, False], kind="stable").reset_index(drop=True)


def _first_states(frame: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    """One row per `key`: the speaking state's values, gaps filled from the record's other states; ordered by earliest delivery."""
    if frame.empty:
        return frame.assign(first_quarter="", first_version=0).iloc[:0]
    groups = frame.groupby(key, sort=False, dropna=False)
    first = groups.first().reset_index()
    earliest = frame.sort_values(["quarter", "version"], kind="stable").drop_duplicates(key)
    first = first.merge(earliest[[*key, "quarter", "version"]], on=key, suffixes=("", "_first"))
    order = {name: n for n, name in enumerate(INSTITUTIONS)}
    first["order"] = first["institution"].map(order).fillna(len(order))
    by = ["quarter_first", "version_first", "order", *key]
    return first.sort_values(by, kind="stable").reset_index(drop=True)


def _files(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Case records, and the cases that only their persons or charges name (an unreadable case line leaves its persons behind)."""
    cases = tables["case_records"]
    orphans = [tables[name].dropna(subset=["case_key"]) for name in ("person_records", "charges")]
    orphans = [frame.assign(record_key=frame["case_key"]) for frame in orphans]
    shared = ["institution", "delivery", "status", "record_key", "case_key", "quarter", "version", "rank", "standing"]
    every = pd.concat([cases, *[frame[shared] for frame in orphans]], ignore_index=True)
    every = every.dropna(subset=["institution", "record_key"])
    # A state of the case record itself speaks before whatever its persons say.
    first = _first_states(every, ["institution", "record_key"])
    kept = ["institution", "record_key", "number", "seat", "municipality", "state", "source", "merged_into", "form", "law", "article"]
    files = first[[*kept, "standing", "offence_group"]].rename(columns={"offence_group": "group"})
    charged = _principal_group(tables["charges"])
    files = files.merge(charged, how="left", left_on=["institution", "record_key"], right_on=["institution", "case_key"])
    files["group"] = files["charged_group"].fillna(files["group"])
    files["form"] = files["form"].fillna(files["charged_form"])
    return files.drop(columns=["case_key", "charged_group", "charged_form"]).reset_index(drop=True)


def _principal_group(charges: pd.DataFrame) -> pd.DataFrame:
    """Most serious offence group and its form per case of `charges`: `institution, case_key, charged_group, charged_form`."""
    rank = {name: n for n, name in enumerate(OFFENCE_GROUPS)}
    own = charges.dropna(subset=["case_key"]).assign(seriousness=charges["offence_group"].map(rank))
    own = own.sort_values(["rank", "seriousness"], kind="stable", na_position="last")
    first = own.groupby(["institution", "case_key"], sort=False, dropna=False)[["offence_group", "form"]].first().reset_index()
    return first.rename(columns={"offence_group": "charged_group", "form": "charged_form"})


def _located(frame: pd.DataFrame, files: pd.DataFrame, key: str) -> pd.DataFrame:
    """Add `file`, the row of `files` that `institution` and `key` name; rows without one fall away."""
    position = files[["institution", "record_key"]].reset_index(names="file").rename(columns={"record_key": "_key"})
    found = frame.merge(position, left_on=["institution", key], right_on=["institution", "_key"])
    return found.drop(columns="_key")


def _persons(states: pd.DataFrame, files: pd.DataFrame) -> pd.DataFrame:
    states = states.dropna(subset=["institution", "record_key"])
    has_number = states["personal_number"].notna()
    states = states.assign(
        number_valid=states["number_valid"].where(has_number),
        birth_precision=states["birth_precision"].where(states["birth_year"].notna() | states["birth_date"].notna()),
    )
    first = _first_states(states, ["institution", "record_key"])
    first = first.merge(
        files[["institution", "record_key"]].reset_index(names="file").rename(columns={"record_key": "case_key"}),
        how="left",
        on=["institution", "case_key"],
    )
    first["file"] = first["file"].fillna(-1).astype("int64")
    first["side"] = first["role"].map(SIDES)
    first = first.drop(columns="surname").join(place_names(first))
    first["number"] = first["personal_number"]
    first["valid"] = first["number_valid"].fillna(False).astype(bool)
    first["birth_year"] = first["birth_year"].astype("float64").fillna(first["birth_date"].dt.year.astype("float64"))
    kept = ["institution", "record_key", "case_key", "file", "role", "side", "given", "surname", "parent_skeleton", "number", "valid"]
    kept += ["birth_date", "birth_year", "sex", "citizenship", "municipality", "birthplace", "register_id", "sentence_months"]
    return first[kept].rename(columns={"parent_skeleton": "parent"})


def place_names(frame: pd.DataFrame) -> pd.DataFrame:
    """Given name and surname of each record, put right where the order is doubtful.

    In: `name_tokens`, `given_skeleton`, `surname_skeleton`. Out, on the same index: `given`, `surname` (several tokens with a
    space between). How often a token stands as given name and how often as surname in the sources with two fields tells which
    it is; a token seen too seldom leaves the order as delivered, and for one field the first token by that share is the given name.
    """
    given, surname = frame["given_skeleton"].fillna(""), frame["surname_skeleton"].fillna("")
    share = _given_share(given, surname)
    two = (given != "") & (surname != "")
    one = ~two
    swapped = two & (_mean_share(given, share) < 0.35) & (_mean_share(surname, share) > 0.65)
    out = pd.DataFrame({"given": given.where(~swapped, surname), "surname": surname.where(~swapped, given)})
    tokens = frame.loc[one, "name_tokens"].fillna("")
    split = {text: _split_tokens(text, share) for text in tokens.unique()}
    out.loc[one, "given"] = tokens.map(lambda text: split[text][0])
    out.loc[one, "surname"] = tokens.map(lambda text: split[text][1])
    return out.astype("str").replace("", pd.NA)


def _given_share(given: pd.Series, surname: pd.Series) -> dict[str, float]:
    """Share of a token's occurrences as given name, pulled to one half where it was seen seldom."""
    both = (given != "") & (surname != "")
    as_given = given[both].str.split().explode().value_counts()
    as_surname = surname[both].str.split().explode().value_counts()
    counts = pd.concat([as_given, as_surname], axis=1, keys=["given", "surname"]).fillna(0.0)
    share = (counts["given"] + MIN_SEEN / 2) / (counts.sum(axis=1) + MIN_SEEN)
    return dict(zip(share.index.astype(str), share.astype(float), strict=True))


def _mean_share(names: pd.Series, share: dict[str, float]) -> pd.Series:
    table = {text: float(np.mean([share.get(t, 0.5) for t in text.split()])) if text else 0.5 for text in names.unique()}
    return names.map(table).astype("float64")


def _split_tokens(text: str, share: dict[str, float]) -> tuple[str, str]:
    tokens = text.split()
    if len(tokens) < 2:
        return ("", text)
    full = [t for t in tokens if len(t) > 1] or tokens
    # An initial is a shortened given name far more often than anything else.
    given = next((t for t in tokens if len(t) == 1 and len(full) == 1), max(full, key=lambda t: (share.get(t, 0.5), t)))
    rest = list(tokens)
    rest.remove(given)
    return (given, " ".join(rest))


def _dates(events: pd.DataFrame, rows: pd.DataFrame, names: tuple[str, ...], entity: str) -> pd.DataFrame:
    """Earliest day per record and event among the states that speak first; a column per event, on the index of `rows`."""
    own = events[events["entity"].eq(entity) & events["event"].isin(names)]
    own = own.assign(date=possible_days(own)).dropna(subset=["date", "record_key"])
    best = own.groupby(["institution", "record_key", "event"])["rank"].transform("min")
    days = own[own["rank"].eq(best)].groupby(["institution", "record_key", "event"])["date"].min()
    keys = pd.MultiIndex.from_frame(rows[["institution", "record_key"]])
    columns = {}
    for name in names:
        found = days[days.index.get_level_values("event") == name].droplevel("event")
        columns[name] = pd.Series(found.reindex(keys).to_numpy(), index=rows.index, dtype="datetime64[s]")
    return pd.DataFrame(columns)


def possible_days(events: pd.DataFrame) -> pd.Series:
    """`date` of each event, without days that cannot be: after the end of the quarter in whose delivery they stand.

    Such a day is read with day and month exchanged where that makes it possible, else it is null. In: `date`, `quarter`
    (`2013-Q2`; anything else is not checked).
    """
    days = events["date"]
    parts = events["quarter"].str.extract(r"^(?P<year>\d{4})-Q(?P<quarter>[1-4])$").astype("float64")
    last = pd.to_datetime({"year": parts["year"], "month": parts["quarter"] * 3, "day": 1}) + pd.offsets.MonthEnd(0)
    late = days > last
    exchanged = pd.to_datetime({"year": days.dt.year, "month": days.dt.day, "day": days.dt.month}, errors="coerce")
    return days.mask(late, exchanged.where(exchanged <= last).astype(days.dtype))


def stays(persons: pd.DataFrame) -> pd.DataFrame:
    """Start of the stay that each register row belongs to: `stay_detained`, `stay_imprisoned`, on the index of `persons`.

    In: `register_id, admitted, released, detained, imprisoned`. Rows of one number in the register of which each begins on the
    day on which the one before ends are one stay: a person moved to another facility, or from detention into a sentence.
    """
    rows = persons.dropna(subset=["register_id", "admitted"]).sort_values(["register_id", "admitted"], kind="stable")
    before = rows[["register_id", "released"]].shift()
    begins = (rows["register_id"] != before["register_id"]) | (rows["admitted"] != before["released"])
    first = rows.groupby(begins.cumsum())[["detained", "imprisoned"]].transform("min")
    return first.reindex(persons.index).rename(columns={"detained": "stay_detained", "imprisoned": "stay_imprisoned"})
