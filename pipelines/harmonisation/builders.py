"""Functions with which the mappings of institutions build canonical tables.

Each function takes typed rows of a delivered table, which have the columns `_delivery`, `_status`, `_period`, `_record` and `_case`, and
returns rows of a canonical table. `schemas.canonical.conform` adds the missing columns later. Does not belong here: what only one mapping
needs.
"""

from __future__ import annotations

import pandas as pd

from pipelines.harmonisation import case_numbers, code_lists, names, personal_numbers
from schemas import domain
from schemas.canonical import AGE_CLASSES
from sources import contract

IDENTIFYING = ("parent_skeleton", "personal_number", "birth_date", "birth_year", "birthplace", "municipality", "citizenship", "register_id")
"""Columns any of which can identify a person whose name is missing (docs/reference/deliveries.md, "Unknown persons")."""


def build_key_columns(institution: str, frame: pd.DataFrame, *, key: str = "_record") -> pd.DataFrame:
    """Return the first columns of canonical rows, with the index of `frame`. `key` names the column with the record key."""
    return pd.DataFrame(
        {
            "institution": pd.Series(institution, index=frame.index, dtype="str"),
            "delivery": frame["_delivery"],
            "status": frame["_status"],
            "record_key": frame[key],
            "case_key": frame["_case"],
        }
    )


def find_code(list_name: str, text: pd.Series) -> pd.Series:
    """Return, for each text, its code in the list `list_name` of `schemas/codes`; null if the list does not have the text."""
    return code_lists.find_codes(list_name, text)["code"].astype("str")


def build_person_records(
    institution: str,
    frame: pd.DataFrame,
    *,
    role: pd.Series | str,
    given: str | None = None,
    surname: str | None = None,
    full: str | None = None,
    parent: str | None = None,
    number: str | None = None,
    born: str | None = None,
    sex: str | None = None,
    citizenship: str | None = None,
    residence: str | None = None,
    birthplace: str | None = None,
    register: str | None = None,
    year_of_impossible_day: bool = True,
) -> pd.DataFrame:
    """Return rows of the canonical table `person_records`. Most parameters are names of delivered columns; `role` is a role or one for each
    row.

    The list position, the kind of person and the age class come from the columns that the contract names. `year_of_impossible_day` says
    whether the year of a birth date that does not exist (31.02.1995) is used.
    """
    nothing = pd.Series(None, index=frame.index, dtype="str")
    raw = pd.DataFrame(
        {
            "given_name": frame[given] if given else nothing,
            "surname": frame[surname] if surname else nothing,
            "full_name": frame[full] if full else nothing,
            "parent_name": frame[parent] if parent else nothing,
        }
    )
    if not full:
        raw["full_name"] = raw["given_name"].fillna("").str.cat(raw["surname"].fillna(""), sep=" ").str.strip()
        raw["full_name"] = raw["full_name"].where(raw["full_name"] != "", None)
    parsed = names.parse_names(raw if full else raw.assign(full_name=nothing))
    identity = personal_numbers.parse_personal_numbers(frame[number] if number else nothing)
    out = pd.concat([build_key_columns(institution, frame), raw, parsed], axis=1)
    out["role"] = role
    out["personal_number"] = identity["number"]
    out["number_valid"] = identity["valid"]
    if born:
        out = out.assign(**read_birth_date(frame, born, year_of_impossible_day))
    if sex:
        out["sex"] = frame[sex].where(frame[sex].isin(["male", "female"]), None)
    if citizenship:
        out["citizenship"] = find_code("countries", frame[citizenship])
    if residence:
        out["municipality"] = find_code("municipalities", frame[residence])
    if birthplace:
        out["birthplace"] = names.make_name_skeletons(frame[birthplace])
    if place := _find_declared_column(institution, frame, "place"):
        out["place"] = frame[place].astype("str")
    if register:
        out["register_id"] = frame[register]
    known = out[[name for name in IDENTIFYING if name in out]].notna().any(axis=1)
    out["kind"] = names.classify_person_kinds(
        out, known | _are_person_data_redacted(frame, [given, surname, full, parent, number, birthplace])
    )
    if kind := _find_declared_column(institution, frame, "person_kind"):
        out["kind"] = frame[kind].where(frame[kind].notna(), out["kind"])
    if age := _find_declared_column(institution, frame, "age_class"):
        out["age_class"] = frame[age].where(frame[age].isin(AGE_CLASSES), None)
    out["period"] = frame["_period"]
    return out


def _find_declared_column(institution: str, frame: pd.DataFrame, role: str) -> str | None:
    """Return the column of `frame` that the contract names for `role` (`place`, `person_kind` or `age_class`); None if it names none."""
    column_names = [getattr(table, role) for table in contract.load(institution).tables.values()]
    return next((column for column in column_names if column and column in frame), None)


def _are_person_data_redacted(frame: pd.DataFrame, columns: list[str | None]) -> pd.Series:
    """Return for each row whether data of its person were erased: then a cell is empty now that was filled when it was delivered."""
    cells = [frame[f"{column}:given"] & frame[column].isna() for column in columns if column]
    return pd.concat(cells, axis=1).any(axis=1) if cells else pd.Series(False, index=frame.index)


def are_birth_dates_possible(date: pd.Series, year: pd.Series, period_end: pd.Series) -> pd.Series:
    """Return for each birth date whether it is neither after the delivered period nor too long before it (`oldest` in `country.yaml`).

    `year` is known even where only the year of the date is. An unknown date is possible.
    """
    last_year = period_end.dt.year
    return ~((year > last_year) | (date > period_end) | (year < last_year - domain.country().oldest)).fillna(False).astype(bool)


def read_birth_date(frame: pd.DataFrame, column: str, year_of_impossible_day: bool = True) -> dict[str, pd.Series]:
    """Return the columns `birth_date`, `birth_year`, `birth_precision` and `birth_stated` for the delivered column `column`.

    If the day is 1 January, or does not exist, only the year is used. An impossible year counts as missing. `birth_stated` is the day as it
    was delivered, even if it is 1 January.
    """
    date, year, precision = frame[column], frame[f"{column}:year"], frame[f"{column}:precision"]
    if not year_of_impossible_day:
        year = year.mask(frame[f"{column}:unreadable"])
    possible = are_birth_dates_possible(date, year, frame["_period_end"])
    year_only = precision.isin(["year", "month"]) | ((date.dt.month == 1) & (date.dt.day == 1)) | (date.isna() & year.notna())
    day = precision.eq("day").fillna(False) & ~year_only
    return {
        "birth_date": date.where(day & possible),
        "birth_stated": date.where(precision.eq("day").fillna(False) & possible),
        "birth_year": year.where(possible & (day | year_only)),
        "birth_precision": pd.Series(None, index=frame.index, dtype="str")
        .mask(day & possible, "day")
        .mask(year_only.fillna(False) & possible & year.notna(), "year"),
    }


def build_events(
    institution: str,
    frame: pd.DataFrame,
    event: pd.Series | str,
    column: str,
    *,
    entity: str,
    present: pd.Series | None = None,
    outcome: pd.Series | None = None,
    entry: pd.Series | None = None,
) -> pd.DataFrame:
    """Return rows of the canonical table `events`: one for each row of `frame` whose date is filled, or for which `present` is true.

    `present` says whether the event took place. If a record can have this event several times, `entry` has an identifier for each time.
    """
    delivered = frame[f"{column}:given"]
    took_place = delivered if present is None else present.fillna(False).astype(bool)
    out = build_key_columns(institution, frame)
    out["entity"] = entity
    out["event"] = event
    out["date"] = frame[column]
    out["date_precision"] = frame[f"{column}:precision"]
    out["unreadable"] = frame[f"{column}:unreadable"]
    out["present"] = took_place
    out["outcome"] = outcome if outcome is not None else pd.Series(None, index=frame.index, dtype="str")
    out["entry"] = entry if entry is not None else pd.Series(None, index=frame.index, dtype="str")
    out["period"] = frame["_period"]
    return out[delivered | took_place]


def build_references(institution: str, frame: pd.DataFrame, column: str, *, kind: str | None = None) -> pd.DataFrame:
    """Return rows of the canonical table `references`: one for each case number that is found in `column`.

    `kind` is the kind of number for which the institution's form asks. It is used for numbers whose text does not show their kind.
    """
    parsed = case_numbers.parse_case_numbers(frame[column])
    rows = build_key_columns(institution, frame).loc[parsed["row"]].reset_index(drop=True)
    rows["number"] = parsed["number"].to_numpy()
    rows["kind"] = parsed["kind"].to_numpy()
    if kind:
        rows["kind"] = rows["kind"].where(rows["kind"] != "other", kind)
    return rows


def find_former_case_number(institution: str, frame: pd.DataFrame, column: str, kind: str) -> pd.Series:
    """Return, in normal form, the case number of the kind `kind` that a case had before; null if there is none.

    The number is read from the note in `column`, with the pattern `former` of the contract.
    """
    pattern = next(c.former for t in contract.load(institution).tables.values() for c in t.columns if c.name == column and c.former)
    return case_numbers.normalise_case_numbers(frame[column].str.extract(pattern, expand=False).astype("str"), kind)


def normalise_own_case_numbers(text: pd.Series, kind: str) -> pd.Series:
    """Return an institution's own case numbers in normal form. A number that cannot be read is returned as it is written."""
    normal = case_numbers.normalise_case_numbers(text, kind)
    return normal.where(normal.notna(), text).astype("str")
