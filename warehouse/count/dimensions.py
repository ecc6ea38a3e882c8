"""Build the rows of the dimension tables (`dim_…`) from code lists and from the days and articles that occur in the fact tables.

Does not belong here: the code lists (`schemas/codes`), labels (`labels.yaml`), when a country joined and left the European Union
(`eu_members.csv`, from the treaties of accession and the withdrawal agreement).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path

import pandas as pd

from schemas import domain, domain_folder
from schemas.canonical import OFFENCE_GROUPS
from schemas.findings import LANGUAGES
from schemas.topic import topic
from schemas.yaml_declarations import read_yaml
from sources import contract
from warehouse.count.coverage import QUARTERS, list_years_and_quarters_with_deliveries
from warehouse.count.periods import find_first_day_of_periods, find_last_day_of_periods, find_quarter_of_each_day, find_year_of_each_day

FOLDER = Path(__file__).parent
LABELS = ["label_sq", "label_sr", "label_en"]
AGE_BANDS = {
    "band": (0, 14, 16, 18, 21, 25, 35, 45, 55, 65),
    "band_ctdc": (0, 9, 18, 21, 24, 27, 30, 39, 48),
}


@cache
def _read_code_list(name: str) -> pd.DataFrame:
    """Read the code list `name` of `schemas/codes`; empty cells become null."""
    return pd.read_csv(domain_folder.find_path_in_domain(f"codes/{name}.csv"), dtype="str", keep_default_na=False, na_values=[""])


@cache
def _read_declared_labels() -> Mapping[str, Mapping[str, Sequence[str]]]:
    labels: dict[str, dict[str, list[str]]] = read_yaml(FOLDER / "labels.yaml")
    return labels


def _list_codes_with_labels(kind: str, column: str) -> pd.DataFrame:
    """Return the codes of a `kind` of labels as the column `column`, with their label in each language (`LABELS`)."""
    rows = [(code, *names) for code, names in _read_declared_labels()[kind].items()]
    return pd.DataFrame(rows, columns=[column, *LABELS])


def build_time_dimension(fact_days: pd.DataFrame, deliveries: pd.DataFrame) -> pd.DataFrame:
    """Build the dimension table `dim_time`.

    The table contains all days up to the end of the last published quarter. It begins 12 years before the first published quarter, or on
    the first day in a fact table if that is later. It also contains every other day that occurs in a fact table, and the first day of the
    quarter of each of these days. fact_days: the days in fact tables, in the column day.
    """
    in_facts = fact_days["day"].drop_duplicates()
    periods = list_years_and_quarters_with_deliveries(deliveries)
    quarters = pd.Series([p for p in periods if len(p) > 4], dtype="str")
    first, last = find_first_day_of_periods(quarters).min() - pd.DateOffset(years=12), find_last_day_of_periods(quarters).max()
    span = pd.Series(pd.date_range(max(first, in_facts.min()), last) if len(quarters) and len(in_facts) else [], dtype="datetime64[s]")
    quarterly = find_first_day_of_periods(find_quarter_of_each_day(in_facts.dropna()))  # what analysts see instead of a day
    every = (
        pd.concat([in_facts.astype("datetime64[s]"), quarterly.astype("datetime64[s]"), span])
        .drop_duplicates()
        .sort_values(ignore_index=True)
    )
    out = pd.DataFrame(
        {
            "day": every,
            "year": find_year_of_each_day(every),
            "quarter": find_quarter_of_each_day(every),
            "month": every.dt.strftime("%Y-%m"),
        }
    )
    return out.assign(weekday=every.dt.day_of_week + 1, law=_find_criminal_code_in_force(every))


def _find_criminal_code_in_force(days: pd.Series) -> pd.Series:
    """Return the short name of the criminal code that was in force on each day. It is null for days before the first criminal code."""
    out = pd.Series(None, index=days.index, dtype="str")
    codes = build_law_dimension()
    criminal = codes[codes["law"].str.startswith(domain.country().criminal_codes)]
    for code, begins, ends in zip(criminal["law"], criminal["valid_from"], criminal["valid_to"], strict=True):
        out = out.mask(((days >= begins) | pd.isna(begins)) & ~(days > ends), str(code))
    return out


def build_period_dimension(deliveries: pd.DataFrame) -> pd.DataFrame:
    """Build the dimension table `dim_period`. It contains the published years and all four quarters of each, even if they are not
    published."""
    published = list_years_and_quarters_with_deliveries(deliveries)
    years = [p for p in published if len(p) == 4]
    every = pd.Series([*years, *(f"{year}-{quarter}" for year in years for quarter in QUARTERS)], dtype="str")
    is_year = every.str.len() == 4
    return pd.DataFrame(
        {
            "period": every,
            "kind": pd.Series("quarter", index=every.index, dtype="str").mask(is_year, "year"),
            "year": every.str[:4],
            "first_day": find_first_day_of_periods(every),
            "last_day": find_last_day_of_periods(every),
            "published": every.isin(published),
        }
    )


def build_law_dimension() -> pd.DataFrame:
    """Build the dimension table `dim_law`."""
    rows = _read_code_list("laws").rename(columns={"code": "law"})
    return rows.assign(**{c: pd.to_datetime(rows[c]).astype("datetime64[s]") for c in ("valid_from", "valid_to")})


def build_offence_dimension(charged: pd.DataFrame) -> pd.DataFrame:
    """Build the dimension table `dim_offence`: every article of the code list, and every other article that was charged.

    charged: the articles that occur in the fact tables, with the columns offence, law, article.
    """
    listed = (
        _read_code_list("offences").dropna(subset=["articles"]).assign(offence=lambda f: f["articles"].str.split("|")).explode("offence")
    )
    split = listed["offence"].str.split(":", expand=True)
    listed = listed.assign(law=split[0], article=split[1])[["offence", "law", "article", "group", *LABELS]]
    both = pd.concat([listed, charged.dropna(subset=["offence"])[["offence", "law", "article"]]], ignore_index=True)
    both = both.drop_duplicates("offence").sort_values("offence", ignore_index=True)
    return both.rename(columns={"group": "offence_group"}).assign(offence_group=lambda f: f["offence_group"].fillna("other"))


def build_offence_group_dimension() -> pd.DataFrame:
    """Build the dimension table `dim_offence_group`."""
    groups = pd.concat(
        [_read_code_list("offences").rename(columns={"code": "offence_group"}), _list_codes_with_labels("offence_groups", "offence_group")]
    )
    out = groups[groups["offence_group"].isin(OFFENCE_GROUPS)].set_index("offence_group").reindex(list(OFFENCE_GROUPS)).reset_index()
    return out.assign(position=range(1, len(out) + 1), minor=[topic().offence_groups[group].minor for group in out["offence_group"]])


def build_institution_dimension() -> pd.DataFrame:
    """Build the dimension table `dim_institution`."""
    names = [(name, *(contract.load(name).publisher[language] for language in LANGUAGES)) for name in contract.institutions()]
    out = pd.DataFrame(names, columns=["institution", *LABELS])
    return out.assign(position=range(1, len(out) + 1), stage=out["institution"].map(contract.stage_by_institution()))


def build_country_dimension() -> pd.DataFrame:
    """Build the dimension table `dim_country`."""
    members = pd.read_csv(FOLDER / "eu_members.csv", dtype="str")
    out = _read_code_list("countries").rename(columns={"code": "country"}).merge(members, on="country", how="left")
    dates = {c: pd.to_datetime(out[c]).astype("datetime64[s]") for c in ("eu_from", "eu_to")}
    return out.assign(domestic=out["country"] == domain.country().domestic, **dates)


def build_age_dimension() -> pd.DataFrame:
    """Build the dimension table `dim_age`."""
    years = pd.Series(range(domain.country().oldest + 1))
    bands = {name: _find_age_band_of_each_age(years, starts) for name, starts in AGE_BANDS.items()}
    group = pd.Series("adult", index=years.index, dtype="str").mask(years < domain.country().adult, "child")
    return pd.DataFrame({"age": years, "age_group": group, **bands})


def _find_age_band_of_each_age(years: pd.Series, starts: tuple[int, ...]) -> pd.Series:
    """Return the age band of each age, e.g. `14-15`. starts: the lowest age of each band."""
    names = [f"{a}-{b - 1}" for a, b in pairwise(starts)] + [f"{starts[-1]}+"]
    return pd.cut(years, [*starts, domain.country().oldest + 1], right=False, labels=names).astype("str")


def build_dimension_of_exploitation_forms() -> pd.DataFrame:
    """Build the dimension table `dim_form`."""
    listed = _read_code_list("forms").rename(columns={"code": "form"})
    return listed.assign(position=range(1, len(listed) + 1))


STATIC: Mapping[str, Callable[[], pd.DataFrame]] = {
    "dim_institution": build_institution_dimension,
    "dim_offence_group": build_offence_group_dimension,
    "dim_law": build_law_dimension,
    "dim_form": build_dimension_of_exploitation_forms,
    "dim_sex": lambda: _read_code_list("sexes").rename(columns={"code": "sex"}),
    "dim_age": build_age_dimension,
    "dim_country": build_country_dimension,
    "dim_municipality": lambda: _read_code_list("municipalities").rename(columns={"code": "municipality"}),
    "dim_seat": lambda: _read_code_list("seats").rename(columns={"code": "seat"}),
    "dim_event": lambda: _list_codes_with_labels("events", "event"),
}
"""The functions that build the dimension tables that are the same in every run, by the name of the table."""
