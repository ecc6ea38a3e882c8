"""Recount: compare every published figure of a release with the warehouse from which it was counted.

Belongs here: reading published cells by name, and recounting them directly from the tables `statistics`, `counted` and `bridge`. Does not
belong here: any code used to create a release, so that an error there is not repeated here. Of the policy only its categories are used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import pandas as pd
import pyarrow as pa
import yaml

Row = Mapping[Hashable, Any]
_REST = "rest"
_DIMENSIONS = ("offence_group", "form", "sex", "age_group", "citizenship_group")


@dataclass(frozen=True)
class Categories:
    """The policy's categories. mapping: dimension → value in the warehouse → category; offences: indicator → its offence categories."""

    mapping: Mapping[str, Mapping[str, str]]
    offences: Mapping[str, tuple[str, ...]]


class Known:
    """The warehouse on the day of a release: its tables `statistics`, `counted` and `bridge`."""

    def __init__(self, statistics: pd.DataFrame, counted: pd.DataFrame, bridge: pd.DataFrame) -> None:
        yearly = statistics[statistics["period"].str.len() == 4].dropna(subset=["as_reported", "harmonised"])
        names = yearly[["indicator", "period", *_DIMENSIONS]].itertuples(index=False, name=None)
        values = yearly[["as_reported", "harmonised"]].astype("int64").to_dict("records")
        self._figures = dict(zip(names, values, strict=True))
        units = counted[counted["counts_in_year"].astype("bool") & (counted["offence_group"] == "trafficking")]
        day = pd.to_datetime(units["day"])
        self._quarters = Counter(zip(units["indicator"], day.dt.year.astype("str"), "Q" + day.dt.quarter.astype("str"), strict=True))
        self.bridge = bridge

    def figure(self, indicator: str, year: str, measure: str, **values: str) -> int:
        """One figure of `statistics`; unnamed dimensions are `total`, an absent row is 0."""
        name = (indicator, year, *(values.get(dimension, "total") for dimension in _DIMENSIONS))
        return int(self._figures[name][measure]) if name in self._figures else 0

    def quarter(self, indicator: str, year: str, quarter: str) -> int:
        """Units of trafficking that count in the year, by the quarter of their event."""
        return self._quarters[(indicator, year, quarter)]


def wrong(name: str, releases: Mapping[str, Mapping[str, bytes]]) -> list[str]:
    """Figures first published by release `name` that do not match its warehouse. releases: its files and those before, by name and path."""

    def table(release: str, path: str) -> pd.DataFrame:
        return pd.read_parquet(pa.BufferReader(releases[release][f"{path}.parquet"]))

    known = {
        day: Known(*(table(day, f"confidential/{part}") for part in ("statistics", "counted", "bridge"))) for day in releases if day <= name
    }
    policy = yaml.safe_load(releases[name]["public/policy.yaml"])
    groups = policy["categories"]
    categories = Categories(
        {dimension: {value: category for category, values in group.items() for value in values} for dimension, group in groups.items()},
        {code: tuple(said.get("offences", groups["offence_group"])) for code, said in policy["indicators"].items()},
    )
    return differences(name, table(name, "public/cube"), table(name, "public/bridge"), known, categories)


def differences(release: str, cube: pd.DataFrame, bridge: pd.DataFrame, known: Mapping[str, Known], categories: Categories) -> list[str]:
    """Figures first published by a release that do not match its warehouse, one line each. cube, bridge: see docs/reference/releases.md.

    known: by release, at least those whose records the figures count.
    """
    new = cube[(cube["edition"] == release) & cube["value"].notna()]
    found = []
    for row in new.to_dict("records"):
        counted = sum(_cell(row, known[day], year, categories) for year, day in _years(row, cube).items())
        if counted != row["value"]:
            found.append(
                f"{row['indicator']} {row['measure']} {row['table']} {row['of']} {row['cell']}: {int(row['value'])}, counted {counted}"
            )
    lines = bridge[(bridge["edition"] == release) & bridge["n"].notna()]
    for row in lines.to_dict("records"):
        table = known[row["known"]].bridge
        mine = table[(table["indicator"] == row["indicator"]) & (table["period"] == row["period"])]
        counted = int(mine.loc[mine["cause"].isin(row["cause"].split("+")), "n"].sum())
        if counted != row["n"]:
            found.append(f"bridge {row['indicator']} {row['period']} {row['cause']}: {int(row['n'])}, counted {counted}")
    return found


def _years(row: Row, cube: pd.DataFrame) -> dict[str, str]:
    """Year → release whose records a row counts; the years of a window as their breakdowns count them, else as trafficking does."""
    if row["period_type"] != "window":
        return {row["of"]: row["known"]}
    first, last = row["of"].split("/")
    mine = cube[(cube["indicator"] == row["indicator"]) & (cube["measure"] == "harmonised")]
    out = {}
    for year in map(str, range(int(first), int(last) + 1)):
        of_year = mine[mine["of"] == year]
        broken_down = of_year[~of_year["table"].isin(["total", "offence_group"])]
        used = broken_down if len(broken_down) else of_year[of_year["table"] == "offence_group"]
        if len(used):
            out[year] = str(used["known"].iloc[0])
    return out


def _cell(row: Row, known: Known, year: str, categories: Categories) -> int:
    """One published cell of one year, counted from the warehouse."""
    indicator, measure, table = row["indicator"], row["measure"], row["table"]
    if table == "total":
        return known.figure(indicator, year, measure)
    if table == "quarter":
        return sum(known.quarter(indicator, year, quarter) for quarter in row["cell"].split("+"))
    if table == "offence_group":
        return sum(_offence(row, known, year, part, categories) for part in row["cell"].split("+"))
    names = ("sex", "age_group") if table == "sex_age_group" else (table,)
    parts = [_values(categories.mapping[name], cell) for name, cell in zip(names, row["cell"].split("|"), strict=True)]
    cells = (dict(zip(names, values, strict=True)) for values in product(*parts))
    return sum(known.figure(indicator, year, measure, offence_group="trafficking", **values) for values in cells)


def _offence(row: Row, known: Known, year: str, category: str, categories: Categories) -> int:
    """One offence category; the last of an indicator contains the remainder."""
    indicator, measure = row["indicator"], row["measure"]
    listed = categories.offences[indicator] if measure == "harmonised" else ("trafficking", _REST)

    def count(name: str) -> int:
        values = _values(categories.mapping["offence_group"], name)
        return sum(known.figure(indicator, year, measure, offence_group=value) for value in values)

    if category != listed[-1]:
        return count(category)
    return known.figure(indicator, year, measure) - sum(count(other) for other in listed[:-1])


def _values(categories: Mapping[str, str], cell: str) -> list[str]:
    """The warehouse values of a cell of merged categories."""
    return [value for value, category in categories.items() if category in cell.split("+")]
