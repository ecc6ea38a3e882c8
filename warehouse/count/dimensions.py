"""Dimensions: from the code lists, and from the days and articles in the facts.

Belongs here: the rows of every `dim_` table. Does not belong here: the code lists themselves (`schemas/codes`, `labels.yaml`,
`eu_members.csv`: dates of accession and exit from the treaties of accession and the withdrawal agreement).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path

import pandas as pd

from schemas import domain, domain_folder
from schemas.canonical import OFFENCE_GROUPS
from schemas.declared import declared
from schemas.findings import LANGUAGES
from schemas.topic import topic
from sources import contract
from warehouse.count.coverage import QUARTERS, published
from warehouse.count.periods import period_end, period_start, quarter_of, year_of

FOLDER = Path(__file__).parent
LABELS = ["label_sq", "label_sr", "label_en"]
BANDS = {
    "band": (0, 14, 16, 18, 21, 25, 35, 45, 55, 65),
    "band_ctdc": (0, 9, 18, 21, 24, 27, 30, 39, 48),
}


@cache
def _code_list(name: str) -> pd.DataFrame:
    """Read a code list of `schemas/codes`; empty cells become null."""
    return pd.read_csv(domain_folder.place(f"codes/{name}.csv"), dtype="str", keep_default_na=False, na_values=[""])


@cache
def _declared_labels() -> Mapping[str, Mapping[str, Sequence[str]]]:
    found: dict[str, dict[str, list[str]]] = declared(FOLDER / "labels.yaml")
    return found


def _add_labels(kind: str, column: str) -> pd.DataFrame:
    rows = [(code, *names) for code, names in _declared_labels()[kind].items()]
    return pd.DataFrame(rows, columns=[column, *LABELS])


def time_dimension(fact_days: pd.DataFrame, deliveries: pd.DataFrame) -> pd.DataFrame:
    """`dim_time`: every day of the delivered years, of the range of facts, delivered outliers, and the first days of their quarters."""
    held = fact_days["day"].drop_duplicates()
    periods = published(deliveries)
    quarters = pd.Series([p for p in periods if len(p) > 4], dtype="str")
    first, last = period_start(quarters).min() - pd.DateOffset(years=12), period_end(quarters).max()
    span = pd.Series(pd.date_range(max(first, held.min()), last) if len(quarters) and len(held) else [], dtype="datetime64[s]")
    quarterly = period_start(quarter_of(held.dropna()))  # what analysts see instead of a day
    every = (
        pd.concat([held.astype("datetime64[s]"), quarterly.astype("datetime64[s]"), span]).drop_duplicates().sort_values(ignore_index=True)
    )
    out = pd.DataFrame({"day": every, "year": year_of(every), "quarter": quarter_of(every), "month": every.dt.strftime("%Y-%m")})
    return out.assign(weekday=every.dt.day_of_week + 1, law=_law_on(every))


def _law_on(days: pd.Series) -> pd.Series:
    """Return the criminal code in force on each day."""
    out = pd.Series(None, index=days.index, dtype="str")
    codes = law_dimension()
    criminal = codes[codes["law"].str.startswith(domain.country().criminal_codes)]
    for code, begins, ends in zip(criminal["law"], criminal["valid_from"], criminal["valid_to"], strict=True):
        out = out.mask(((days >= begins) | pd.isna(begins)) & ~(days > ends), str(code))
    return out


def period_dimension(deliveries: pd.DataFrame) -> pd.DataFrame:
    """`dim_period`: the published years and all four quarters of each."""
    known = published(deliveries)
    years = [p for p in known if len(p) == 4]
    every = pd.Series([*years, *(f"{year}-{quarter}" for year in years for quarter in QUARTERS)], dtype="str")
    whole = every.str.len() == 4
    return pd.DataFrame(
        {
            "period": every,
            "kind": pd.Series("quarter", index=every.index, dtype="str").mask(whole, "year"),
            "year": every.str[:4],
            "first_day": period_start(every),
            "last_day": period_end(every),
            "published": every.isin(known),
        }
    )


def law_dimension() -> pd.DataFrame:
    """Build the dimension table `dim_law`."""
    rows = _code_list("laws").rename(columns={"code": "law"})
    return rows.assign(**{c: pd.to_datetime(rows[c]).astype("datetime64[s]") for c in ("valid_from", "valid_to")})


def offence_dimension(charged: pd.DataFrame) -> pd.DataFrame:
    """`dim_offence`: every listed article, and every one charged.

    charged  offence, law, article of the facts
    """
    listed = _code_list("offences").dropna(subset=["articles"]).assign(offence=lambda f: f["articles"].str.split("|")).explode("offence")
    split = listed["offence"].str.split(":", expand=True)
    listed = listed.assign(law=split[0], article=split[1])[["offence", "law", "article", "group", *LABELS]]
    both = pd.concat([listed, charged.dropna(subset=["offence"])[["offence", "law", "article"]]], ignore_index=True)
    both = both.drop_duplicates("offence").sort_values("offence", ignore_index=True)
    return both.rename(columns={"group": "offence_group"}).assign(offence_group=lambda f: f["offence_group"].fillna("other"))


def offence_group_dimension() -> pd.DataFrame:
    """Build the dimension table `dim_offence_group`."""
    known = pd.concat([_code_list("offences").rename(columns={"code": "offence_group"}), _add_labels("offence_groups", "offence_group")])
    out = known[known["offence_group"].isin(OFFENCE_GROUPS)].set_index("offence_group").reindex(list(OFFENCE_GROUPS)).reset_index()
    return out.assign(position=range(1, len(out) + 1), minor=[topic().offence_groups[group].minor for group in out["offence_group"]])


def institution_dimension() -> pd.DataFrame:
    """Build the dimension table `dim_institution`."""
    names = [(name, *(contract.load(name).publisher[language] for language in LANGUAGES)) for name in contract.institutions()]
    out = pd.DataFrame(names, columns=["institution", *LABELS])
    return out.assign(position=range(1, len(out) + 1), stage=out["institution"].map(contract.stage_of()))


def country_dimension() -> pd.DataFrame:
    """Build the dimension table `dim_country`."""
    members = pd.read_csv(FOLDER / "eu_members.csv", dtype="str")
    out = _code_list("countries").rename(columns={"code": "country"}).merge(members, on="country", how="left")
    dates = {c: pd.to_datetime(out[c]).astype("datetime64[s]") for c in ("eu_from", "eu_to")}
    return out.assign(domestic=out["country"] == domain.country().domestic, **dates)


def age_dimension() -> pd.DataFrame:
    """Build the dimension table `dim_age`."""
    years = pd.Series(range(domain.country().oldest + 1))
    bands = {name: _age_band(years, starts) for name, starts in BANDS.items()}
    group = pd.Series("adult", index=years.index, dtype="str").mask(years < domain.country().adult, "child")
    return pd.DataFrame({"age": years, "age_group": group, **bands})


def _age_band(years: pd.Series, starts: tuple[int, ...]) -> pd.Series:
    names = [f"{a}-{b - 1}" for a, b in pairwise(starts)] + [f"{starts[-1]}+"]
    return pd.cut(years, [*starts, domain.country().oldest + 1], right=False, labels=names).astype("str")


def form_dimension() -> pd.DataFrame:
    """Build the dimension table `dim_form`."""
    listed = _code_list("forms").rename(columns={"code": "form"})
    return listed.assign(position=range(1, len(listed) + 1))


STATIC: Mapping[str, Callable[[], pd.DataFrame]] = {
    "dim_institution": institution_dimension,
    "dim_offence_group": offence_group_dimension,
    "dim_law": law_dimension,
    "dim_form": form_dimension,
    "dim_sex": lambda: _code_list("sexes").rename(columns={"code": "sex"}),
    "dim_age": age_dimension,
    "dim_country": country_dimension,
    "dim_municipality": lambda: _code_list("municipalities").rename(columns={"code": "municipality"}),
    "dim_seat": lambda: _code_list("seats").rename(columns={"code": "seat"}),
    "dim_event": lambda: _add_labels("events", "event"),
}
"""The `dim_` tables that do not depend on a run."""
