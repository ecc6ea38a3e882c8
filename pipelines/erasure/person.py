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

from pipelines.erasure.birth_dates import substitute_birth_date
from pipelines.errors import HarmoniaError
from pipelines.registry import open_registry
from pipelines.registry.identity import resolve
from pipelines.resources import lake
from pipelines.resources.workplace import Workplace

_SHORTEST, _DIGITS = 3, 8  # minimum letters of a name and digits of a number for a search
_DISTANCE = 60  # maximum characters between two names of one person in a text
RECORD = ["institution", "record_key"]
STATE = ["institution", "delivery", "record_key"]


@dataclass
class Person:
    """records: (institution, record key). elsewhere: (institution, delivery, key) of list positions that belong to the person in that
    delivery; others: of list positions that belong to another person.
    numbers: digits; names: all names of a row, folded; both without those shared with other persons.

    shared: how many numbers and names are shared and therefore not searched. born: substitute date of birth. contents: number of each
    row content
    """

    id: str
    records: frozenset[tuple[str, str]]
    born: Callable[[date], date]
    numbers: frozenset[str] = frozenset()
    names: frozenset[tuple[str, ...]] = frozenset()
    shared: int = 0
    elsewhere: frozenset[tuple[str, str, str]] = frozenset()
    others: frozenset[tuple[str, str, str]] = frozenset()
    contents: dict[int, int] = field(default_factory=dict)

    def keys(self, institution: str, delivery: str | None = None) -> set[str]:
        """The person's record keys at one institution, or in one `delivery`, since a list position may belong to another person in each."""
        own = {key for name, key in self.records if name == institution}
        if delivery is None:
            return own
        there, not_there = (
            {key for name, one, key in states if (name, one) == (institution, delivery)} for states in (self.elsewhere, self.others)
        )
        return (own | there) - not_there

    def is_in(self, row: str) -> bool:
        """Whether the text of a row contains a number of the person, or all names of one of the person's rows."""
        folded = row.casefold()
        return self.numbered(row) or any(all(re.search(_word(name), folded) for name in names) for names in self.names)

    def numbered(self, text: str) -> bool:
        """Whether a text contains a number of the person."""
        return any(number in text for number in self.numbers)

    def is_near(self, text: str) -> bool:
        """Whether a long text contains a number of the person, or the person's names close to each other."""
        folded = text.casefold()
        if self.numbered(text):
            return True
        for names in self.names:
            if not all(name in folded for name in names):
                continue
            first, *others = names
            for hit in re.finditer(_word(first), folded):
                around = folded[max(0, hit.start() - _DISTANCE) : hit.end() + _DISTANCE]
                if all(re.search(_word(name), around) for name in others):
                    return True
        return False


def _word(name: str) -> str:
    return rf"(?<![^\W_]){re.escape(name)}(?![^\W_])"


def find(workplace: Workplace, person_id: str) -> Person:
    """The person with an id, from the outputs of the last run. Raises `HarmoniaError` if there is none."""
    registry = open_registry(workplace.registry)
    try:
        current_id = resolve(registry, pd.Series([person_id])).iloc[0]
    finally:
        registry.close()
    ids = lake.read(workplace.home.lake / "identities")
    known, listed = ids["persons"], ids["listed"]
    own = known.loc[known["person_id"] == current_id, RECORD]
    if own.empty:
        raise HarmoniaError(f"no record belongs to person {person_id}: take the id from `harmonia explain` or the identity store")
    everybody = lake.read(workplace.home.lake / "canonical")["person_records"]
    in_lists, theirs = pd.MultiIndex.from_frame(listed[STATE]), (listed["person_id"] == current_id).to_numpy(dtype=bool)
    state = pd.MultiIndex.from_frame(everybody[STATE])
    mine = pd.MultiIndex.from_frame(everybody[RECORD]).isin(pd.MultiIndex.from_frame(own))
    mine = (mine & ~state.isin(in_lists[~theirs])) | state.isin(in_lists[theirs])
    names, others = _names(everybody[mine]), _names(everybody[~mine])
    numbers = {n for n in everybody.loc[mine, "personal_number"].dropna() if len(n) >= _DIGITS}
    others_numbers = set(everybody.loc[~mine, "personal_number"].dropna())
    counted = _days(workplace, str(current_id))
    return Person(
        str(current_id),
        frozenset(own.astype("str").itertuples(index=False, name=None)),
        lambda born: substitute_birth_date(born, counted),
        frozenset(numbers - others_numbers),
        frozenset(names - others),
        len(names & others) + len(numbers & others_numbers),
        frozenset(in_lists[theirs]),
        frozenset(in_lists[~theirs]),
    )


def _names(rows: pd.DataFrame) -> set[tuple[str, ...]]:
    """The names of each row, as delivered and as skeletons, without initials."""
    out = set()
    for text in pd.concat([rows["full_name"], rows["name_tokens"]]).dropna().unique():
        parts = tuple(sorted(part for part in re.findall(r"[^\W\d_]+", str(text).casefold()) if len(part) >= _SHORTEST))
        if len(parts) > 1:
            out.add(parts)
    return out


def _days(workplace: Workplace, person: str) -> set[date]:
    """Days on which the person's age is counted: all events of the person's cases, harmonised and as reported."""
    with duckdb.connect(str(workplace.home.warehouse), read_only=True) as warehouse:
        rows = warehouse.execute(
            "SELECT DISTINCT unnest([day, date_reported]) FROM fact_event "
            "WHERE case_id IN (SELECT case_id FROM fact_event WHERE person_id = $1)",
            [person],
        ).fetchall()
    return {day for (day,) in rows if day is not None}
