"""Who the person is, by all of the person's accepted records: sex, citizenship, birth date; and the age on a day.

Belongs here: the vote over records, age groups. Does not belong here: which records are one person (`pipelines/linkage`).

Rule (STATISTICS.md): "Sex, birth date, citizenship of a person are the best supported over all of the person's accepted
records, not those of the record at hand. Where only the year of birth is known: `child` if the difference of years is under 18,
`adult` if over 18, else `unknown`."
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from sources import contract
from warehouse.count.inputs import find

ADULT = 18
OLDEST = 110
DOMESTIC = "XKX"
RESPONSIBLE = 14
"""Age of criminal responsibility (Criminal Code of 2012, article 17; of 2019, article 17): an accused person is hardly younger."""
ACCUSED = ("suspect", "defendant", "prisoner")
BARE_YEAR, UNLIKELY = 0.2, 0.5
"""How much less a year alone, and a year that makes an accused person too young, weighs in the vote for the year of birth (a day: 1)."""


def _votes(persons: pd.DataFrame, column: str) -> pd.DataFrame:
    """One vote per person, source and value; a register row per move between facilities is one source, not several.

    Columns out: person_id, the column, place (order of the institution, for ties).
    """
    source = persons["case_key"].mask(persons["register_id"].notna(), persons["register_id"])
    voters = persons.assign(source=source, place=persons["institution"].map(contract.place_of()))
    said = voters.dropna(subset=[column])
    return said.drop_duplicates(["person_id", "institution", "source", column])[["person_id", column, "place"]]


def majority(persons: pd.DataFrame, column: str) -> pd.Series:
    """The value of `column` that most sources of each person give, by person_id; a tie goes to the earlier institution, then by name."""
    tally = (
        _votes(persons, column).groupby(["person_id", column], sort=False).agg(n=("place", "size"), place=("place", "min")).reset_index()
    )
    best = tally.sort_values(["n", "place", column], ascending=[False, True, True]).drop_duplicates("person_id")
    return best.set_index("person_id")[column]


def _usable(persons: pd.DataFrame, first_event: pd.Series) -> pd.DataFrame:
    """Records whose year of birth is possible: not after the person's first event, and at most `OLDEST` years before it.

    Added: `young`, someone accused who would have been under the age of criminal responsibility.
    """
    able = persons.assign(limit=first_event.reindex(persons["person_id"]).to_numpy()).dropna(subset=["birth_year"])
    age = able["limit"] - able["birth_year"].astype("float64")
    able = able.assign(young=(age < RESPONSIBLE) & able["role"].isin(ACCUSED))
    return able[able["limit"].isna() | ((age >= 0) & (age <= OLDEST))]


def _years(usable: pd.DataFrame) -> pd.Series:
    """The best supported year of birth by person_id: a vote per source, a bare year less than a day, an unlikely one least."""
    votes = _votes(usable, "birth_year").assign(bare=usable["birth_date"].isna(), young=usable["young"])
    votes["weight"] = 1.0 - BARE_YEAR * votes["bare"] - UNLIKELY * votes["young"]
    tally = votes.groupby(["person_id", "birth_year"]).agg(weight=("weight", "sum"), place=("place", "min")).reset_index()
    best = tally.sort_values(["weight", "place", "birth_year"], ascending=[False, True, True]).drop_duplicates("person_id")
    return best.set_index("person_id")["birth_year"]


def _days(usable: pd.DataFrame, year: pd.Series) -> pd.Series:
    """The best supported day of birth within the person's `year`, by person_id: equal dates, then that day and month in other years."""
    votes = _votes(usable, "birth_date").assign(month_day=lambda f: f["birth_date"].dt.strftime("%m-%d"))
    votes["alike"] = votes.groupby(["person_id", "month_day"])["place"].transform("size")
    votes = votes[votes["birth_date"].dt.year.astype("Int64") == find(votes["person_id"], year).astype("Int64")]
    tally = (
        votes.groupby(["person_id", "birth_date"]).agg(n=("place", "size"), alike=("alike", "max"), place=("place", "min")).reset_index()
    )
    best = tally.sort_values(["n", "alike", "place", "birth_date"], ascending=[False, False, True, True]).drop_duplicates("person_id")
    return best.set_index("person_id")["birth_date"]


def best_supported(persons: pd.DataFrame, first_event: pd.Series) -> pd.DataFrame:
    """One row per person: person_id, sex, citizenship_group, birth_date, birth_year.

    persons      accepted person records with person_id
    first_event  year of each person's first event by person_id; may lack persons
    The year is voted first, then a day within it: a person whose sources agree on the year only keeps the year.
    """
    out = pd.DataFrame({"person_id": persons["person_id"].dropna().unique()})
    usable = _usable(persons, first_event)
    year = _years(usable)
    out["sex"] = find(out["person_id"], majority(persons, "sex")).fillna("unknown")
    out["citizenship_group"] = citizenship_group(find(out["person_id"], majority(persons, "citizenship")))
    out["birth_date"] = find(out["person_id"], _days(usable, year)).astype("datetime64[s]")
    out["birth_year"] = find(out["person_id"], year).astype("Int64")
    return out


def citizenship_group(codes: pd.Series) -> pd.Series:
    """`domestic` for XKX, `unknown` for null, else `foreign`."""
    return pd.Series("foreign", index=codes.index, dtype="str").mask(codes == DOMESTIC, "domestic").mask(codes.isna(), "unknown")


def _full_years(day: pd.Series, birth_date: pd.Series) -> pd.Series:
    """Full years from the one to the other, below zero where that is the later; NaN where either is not known."""
    numbers = [(d.dt.year * 10_000 + d.dt.month * 100 + d.dt.day).astype("float64") for d in (day, birth_date)]
    return (numbers[0] - numbers[1]) // 10_000


def full_years(day: pd.Series, birth_date: pd.Series) -> pd.Series:
    """Full years of age on `day`; null where the day of birth is not known or later."""
    age = _full_years(day, birth_date)
    return age.where(age.between(0, OLDEST)).astype("Int64")


def age_group(day: pd.Series, birth_date: pd.Series, birth_year: pd.Series) -> pd.Series:
    """Age group on `day`: `child` under 18, `adult`, `unknown`; by years alone where only the year of birth is known."""
    age, years = _full_years(day, birth_date), day.dt.year - birth_year.astype("Float64").to_numpy("float64", na_value=np.nan)
    exact = birth_date.notna()
    child = (exact & (age < ADULT)) | (~exact & (years < ADULT))
    adult = (exact & (age >= ADULT)) | (~exact & (years > ADULT))
    return pd.Series(np.select([child, adult], ["child", "adult"], "unknown"), index=day.index, dtype="str")
