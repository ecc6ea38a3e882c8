"""Compare every published figure of a release with the warehouse from which it was counted.

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

from schemas.topic import topic

Row = Mapping[Hashable, Any]
_REST = "rest"
_DIMENSIONS = ("offence_group", "form", "sex", "age_group", "citizenship_group")


@dataclass(frozen=True)
class PolicyCategories:
    """The categories of the disclosure policy.

    category_of: for each dimension and each value in the warehouse, the category. offences: the offence categories of each indicator.
    """

    category_of: Mapping[str, Mapping[str, str]]
    offences: Mapping[str, tuple[str, ...]]

    def warehouse_values(self, dimension: str, cell: str) -> list[str]:
        """Return the values in the warehouse that belong to a published cell, whose categories may be merged."""
        return [value for value, category in self.category_of[dimension].items() if category in cell.split("+")]


class ReleaseWarehouse:
    """The warehouse on the day of a release: its tables `statistics`, `counted` and `bridge`."""

    def __init__(self, statistics: pd.DataFrame, counted: pd.DataFrame, bridge: pd.DataFrame) -> None:
        yearly = statistics[statistics["period"].str.len() == 4].dropna(subset=["as_reported", "harmonised"])
        names = yearly[["indicator", "period", *_DIMENSIONS]].itertuples(index=False, name=None)
        values = yearly[["as_reported", "harmonised"]].astype("int64").to_dict("records")
        self._figures = dict(zip(names, values, strict=True))
        units = counted[counted["counts_in_year"].astype("bool") & (counted["offence_group"] == topic().leading)]
        day = pd.to_datetime(units["day"])
        self._quarters = Counter(zip(units["indicator"], day.dt.year.astype("str"), "Q" + day.dt.quarter.astype("str"), strict=True))
        self._bridge = bridge

    def figure(self, indicator: str, year: str, measure: str, **values: str) -> int:
        """Return one figure of the table `statistics`. A dimension that is not given has the value `total`. If there is no row, the figure
        is 0."""
        name = (indicator, year, *(values.get(dimension, "total") for dimension in _DIMENSIONS))
        return int(self._figures[name][measure]) if name in self._figures else 0

    def count_quarter(self, indicator: str, year: str, quarter: str) -> int:
        """Count the units of the leading group in a year, by the quarter of their event."""
        return self._quarters[(indicator, year, quarter)]

    def count_records_of_causes(self, indicator: str, year: str, causes: list[str]) -> int:
        """Count the records of these causes in `bridge`."""
        rows = self._bridge[(self._bridge["indicator"] == indicator) & (self._bridge["period"] == year)]
        return int(rows.loc[rows["cause"].isin(causes), "n"].sum())


def find_mismatches_of_release(name: str, releases: Mapping[str, Mapping[str, bytes]]) -> list[str]:
    """Return the figures that the release `name` publishes first and that do not match its warehouse. releases: the files of this release
    and of all earlier ones, by release and path."""

    def table(release: str, path: str) -> pd.DataFrame:
        return pd.read_parquet(pa.BufferReader(releases[release][f"{path}.parquet"]))

    warehouses = {
        day: ReleaseWarehouse(*(table(day, f"confidential/{part}") for part in ("statistics", "counted", "bridge")))
        for day in releases
        if day <= name
    }
    policy = yaml.safe_load(releases[name]["public/policy.yaml"])
    groups = policy["categories"]
    categories = PolicyCategories(
        {dimension: {value: category for category, values in group.items() for value in values} for dimension, group in groups.items()},
        {code: tuple(entry.get("offences", groups["offence_group"])) for code, entry in policy["indicators"].items()},
    )
    return list_mismatched_figures(name, table(name, "public/cube"), table(name, "public/bridge"), warehouses, categories)


def list_mismatched_figures(
    release: str, cube: pd.DataFrame, bridge: pd.DataFrame, warehouses: Mapping[str, ReleaseWarehouse], categories: PolicyCategories
) -> list[str]:
    """Return the figures that a release publishes first and that do not match its warehouse, one line each.

    cube, bridge: the public tables of the release (docs/reference/releases.md). warehouses: the warehouses by release; there must be one
    for each release whose records the figures count.
    """
    lines = []
    new_figures = cube[(cube["edition"] == release) & cube["value"].notna()]
    for row in new_figures.to_dict("records"):
        counted = sum(
            _recount_cell(row, warehouses[day], year, categories) for year, day in _find_release_counted_in_each_year(row, cube).items()
        )
        if counted != row["value"]:
            name = " ".join(str(row[column]) for column in ("indicator", "measure", "table", "of", "cell"))
            lines.append(f"{name}: {int(row['value'])}, counted {counted}")
    new_causes = bridge[(bridge["edition"] == release) & bridge["n"].notna()]
    for row in new_causes.to_dict("records"):
        counted = warehouses[row["known"]].count_records_of_causes(row["indicator"], row["period"], row["cause"].split("+"))
        if counted != row["n"]:
            lines.append(f"bridge {row['indicator']} {row['period']} {row['cause']}: {int(row['n'])}, counted {counted}")
    return lines


def _find_release_counted_in_each_year(row: Row, cube: pd.DataFrame) -> dict[str, str]:
    """Return, for each year of a row, the release whose records the row counts. In a year of a window, these are the records that the
    breakdowns of the year count or, if there are none, those that the table by offence counts."""
    if row["period_type"] != "window":
        return {row["of"]: row["known"]}
    first, last = row["of"].split("/")
    harmonised = cube[(cube["indicator"] == row["indicator"]) & (cube["measure"] == "harmonised")]
    sources = {}
    for year in map(str, range(int(first), int(last) + 1)):
        rows = harmonised[harmonised["of"] == year]
        breakdowns = rows[~rows["table"].isin(["total", "offence_group"])]
        used = breakdowns if len(breakdowns) else rows[rows["table"] == "offence_group"]
        if len(used):
            sources[year] = str(used["known"].iloc[0])
    return sources


def _recount_cell(row: Row, warehouse: ReleaseWarehouse, year: str, categories: PolicyCategories) -> int:
    """Count one published cell of one year in the warehouse."""
    indicator, measure, table = row["indicator"], row["measure"], row["table"]
    if table == "total":
        return warehouse.figure(indicator, year, measure)
    if table == "quarter":
        return sum(warehouse.count_quarter(indicator, year, quarter) for quarter in row["cell"].split("+"))
    if table == "offence_group":
        return sum(_recount_offence(row, warehouse, year, part, categories) for part in row["cell"].split("+"))
    names = ("sex", "age_group") if table == "sex_age_group" else (table,)
    values = [categories.warehouse_values(name, cell) for name, cell in zip(names, row["cell"].split("|"), strict=True)]
    cells = (dict(zip(names, combination, strict=True)) for combination in product(*values))
    return sum(warehouse.figure(indicator, year, measure, offence_group=topic().leading, **cell) for cell in cells)


def _recount_offence(row: Row, warehouse: ReleaseWarehouse, year: str, category: str, categories: PolicyCategories) -> int:
    """Count one offence category in the warehouse. The last category of an indicator contains all offences that are in no other
    category."""
    indicator, measure = row["indicator"], row["measure"]
    offences = categories.offences[indicator] if measure == "harmonised" else (topic().leading, _REST)

    def count(name: str) -> int:
        values = categories.warehouse_values("offence_group", name)
        return sum(warehouse.figure(indicator, year, measure, offence_group=value) for value in values)

    if category != offences[-1]:
        return count(category)
    return warehouse.figure(indicator, year, measure) - sum(count(other) for other in offences[:-1])
