"""What each row says of itself: its own offence, form, sex, age and citizenship, as the institution's own records stand.

Belongs here: the dimensions of `as_reported`. Does not belong here: which rows there are (`rows`), anything that looks at another
institution.

Rule (STATISTICS.md): "As reported reads the institution's own rows as they stand: its own date, article, sex and birth date."
"""

from __future__ import annotations

import pandas as pd

from schemas.canonical import OFFENCE_GROUPS
from warehouse.count.inputs import FILE, KEY, Standing, unrank
from warehouse.count.offences import OTHER, WITHOUT_FORM, Charges
from warehouse.count.persons import age_group, citizenship_group
from warehouse.indicators import Indicator


def own_offence(rows: pd.DataFrame, charges: Charges, keys: list[str]) -> tuple[pd.Series, pd.Series]:
    """Most serious own offence (rank) of each row among the charges found by `keys`, and the form that stands with it."""
    own = charges.own(*keys).reindex(pd.MultiIndex.from_frame(rows[keys])).set_axis(rows.index)
    return own["reported"], own["form"].astype("str")


def describe_reported(indicator: Indicator, rows: pd.DataFrame, standing: Standing, charges: Charges) -> pd.DataFrame:
    """Add offence_group, form, sex, age_group and citizenship_group to each row that counts as reported (with `own_date`).

    Offence: prosecution persons under the most serious of the party's charges, files and police or inspectorate records under the most
    serious of the file, courts under the charges of the judgment, corrections under the register row's article. Form: as that charge (or
    the police's record) states it, none for prostitution and other; inspectorate, courts and corrections state none.
    """
    rows = rows[rows["own_date"].notna()]
    by_party = indicator.unit == "person" and indicator.harmonised.stage != "registration"
    keys = KEY if by_party else FILE
    place, form = own_offence(rows, charges, keys)
    group = unrank(place.fillna(OTHER), OFFENCE_GROUPS)
    out = rows.assign(offence_group=group, form=form.fillna("unknown").mask(group.isin(WITHOUT_FORM), "unknown"))
    if indicator.unit == "case":
        return out.assign(sex=None, age_group=None, citizenship_group=None)
    person = standing.persons.drop_duplicates(KEY)[[*KEY, "sex", "citizenship", "birth_date", "birth_year"]]
    out = out.merge(person, on=KEY, how="left")
    return out.assign(
        sex=out["sex"].fillna("unknown"),
        age_group=age_group(out["own_date"], out["birth_date"], out["birth_year"]),
        citizenship_group=citizenship_group(out["citizenship"]),
    ).drop(columns=["citizenship", "birth_date", "birth_year"])
