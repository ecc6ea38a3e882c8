"""The person to erase: record keys, values to search for, substitute date of birth.

Belongs here: collecting them from the outputs of the last run. Does not belong here: removal.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

import duckdb
import pandas as pd

from harmonia.errors import HarmoniaError
from harmonia.operations.erasure.birth_dates import substitute_birth_date
from harmonia.registry import open_registry
from harmonia.registry.identity import resolve_ids
from pipelines.resources import lake
from pipelines.resources.workplace import Workplace

_MIN_LETTERS, _MIN_DIGITS = 3, 8  # minimum letters of a name and digits of a number for a search
_MAX_DISTANCE = 60  # maximum characters between two names of one person in a text
RECORD = ["institution", "record_key"]
STATE = ["institution", "delivery", "record_key"]


@dataclass
class PersonToErase:
    """The person to erase.

    records           the person's records, each with institution and record key
    own_positions     list positions that belong to the person in one delivery only, each with institution, delivery and record key
    other_positions   list positions that belong to another person in a delivery, in the same form
    numbers           the person's personal numbers, as digits
    names             the folded names of each record of the person
    shared            how many numbers and names were left out of `numbers` and `names`, because other persons have them too
    substitute_birth  function that returns the date that is stored in place of a date of birth
    contents          maps the hash of a row's content (`_content`) to the number that is stored in its place
    """

    id: str
    records: frozenset[tuple[str, str]]
    substitute_birth: Callable[[date], date]
    numbers: frozenset[str] = frozenset()
    names: frozenset[tuple[str, ...]] = frozenset()
    shared: int = 0
    own_positions: frozenset[tuple[str, str, str]] = frozenset()
    other_positions: frozenset[tuple[str, str, str]] = frozenset()
    contents: dict[int, int] = field(default_factory=dict)

    def find_record_keys(self, institution: str, delivery: str | None = None) -> set[str]:
        """Return the person's record keys at one institution.

        If `delivery` is given, return the keys in this delivery, since a list position may belong to different persons in different
        deliveries.
        """
        own_keys = {key for name, key in self.records if name == institution}
        if delivery is None:
            return own_keys
        added, removed = (
            {key for name, delivered, key in states if (name, delivered) == (institution, delivery)}
            for states in (self.own_positions, self.other_positions)
        )
        return (own_keys | added) - removed

    def occurs_in_row(self, row: str) -> bool:
        """Return whether the text of a row contains one of the person's numbers, or all names of one of the person's records."""
        folded = row.casefold()
        return self.number_occurs_in(row) or any(
            all(re.search(_build_name_pattern(name), folded) for name in names) for names in self.names
        )

    def number_occurs_in(self, text: str) -> bool:
        """Return whether a text contains one of the person's numbers."""
        return any(number in text for number in self.numbers)

    def occurs_in_text(self, text: str) -> bool:
        """Return whether a long text contains one of the person's numbers, or all names of one of the person's records, near each other."""
        folded = text.casefold()
        if self.number_occurs_in(text):
            return True
        for names in self.names:
            if not all(name in folded for name in names):
                continue
            first_name, *other_names = names
            for match in re.finditer(_build_name_pattern(first_name), folded):
                surroundings = folded[max(0, match.start() - _MAX_DISTANCE) : match.end() + _MAX_DISTANCE]
                if all(re.search(_build_name_pattern(name), surroundings) for name in other_names):
                    return True
        return False


def _build_name_pattern(name: str) -> str:
    return rf"(?<![^\W_]){re.escape(name)}(?![^\W_])"


def find_person(workplace: Workplace, person_id: str) -> PersonToErase:
    """Find the person with this id in the outputs of the last run. Raises `HarmoniaError` if there is no such person."""
    registry = open_registry(workplace.registry)
    try:
        current_id = resolve_ids(registry, pd.Series([person_id])).iloc[0]
    finally:
        registry.close()
    ids = lake.read_tables(workplace.home.lake / "identities")
    persons, listed = ids["persons"], ids["listed"]
    own_records = persons.loc[persons["person_id"] == current_id, RECORD]
    if own_records.empty:
        raise HarmoniaError(f"no record belongs to person {person_id}: take the id from `harmonia explain` or the identity store")
    records = lake.read_tables(workplace.home.lake / "canonical")["person_records"]
    list_states, is_own_position = pd.MultiIndex.from_frame(listed[STATE]), (listed["person_id"] == current_id).to_numpy(dtype=bool)
    states = pd.MultiIndex.from_frame(records[STATE])
    is_own = pd.MultiIndex.from_frame(records[RECORD]).isin(pd.MultiIndex.from_frame(own_records))
    is_own = (is_own & ~states.isin(list_states[~is_own_position])) | states.isin(list_states[is_own_position])
    names, other_names = _collect_names(records[is_own]), _collect_names(records[~is_own])
    numbers = {n for n in records.loc[is_own, "personal_number"].dropna() if len(n) >= _MIN_DIGITS}
    other_numbers = set(records.loc[~is_own, "personal_number"].dropna())
    age_dates = _find_age_dates(workplace, str(current_id))
    return PersonToErase(
        str(current_id),
        frozenset(own_records.astype("str").itertuples(index=False, name=None)),
        lambda birth_date: substitute_birth_date(birth_date, age_dates),
        frozenset(numbers - other_numbers),
        frozenset(names - other_names),
        len(names & other_names) + len(numbers & other_numbers),
        frozenset(list_states[is_own_position]),
        frozenset(list_states[~is_own_position]),
    )


def _collect_names(rows: pd.DataFrame) -> set[tuple[str, ...]]:
    """Return the names in each row, both as delivered and as skeletons. Initials and other short names are left out."""
    out = set()
    for text in pd.concat([rows["full_name"], rows["name_tokens"]]).dropna().unique():
        parts = tuple(sorted(part for part in re.findall(r"[^\W\d_]+", str(text).casefold()) if len(part) >= _MIN_LETTERS))
        if len(parts) > 1:
            out.add(parts)
    return out


def _find_age_dates(workplace: Workplace, person: str) -> set[date]:
    """Return the days on which figures use the person's age: the days of all events of the person's cases, harmonised and as reported."""
    with duckdb.connect(str(workplace.home.warehouse), read_only=True) as warehouse:
        rows = warehouse.execute(
            "SELECT DISTINCT unnest([day, date_reported]) FROM fact_event "
            "WHERE case_id IN (SELECT case_id FROM fact_event WHERE person_id = $1)",
            [person],
        ).fetchall()
    return {day for (day,) in rows if day is not None}
