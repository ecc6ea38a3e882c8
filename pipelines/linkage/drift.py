"""Model drift: the comparison levels that records reach, by institution and period of delivery, compared with those of the training data.

Belongs here: shares of comparison levels among linked records, their difference from the `expected` shares of the model, the alarm. Does
not belong here: training (`training`), presentation (`pipelines.checks.linkage_model`).

A delivery with shifted birth dates, or with names in another script, is linked worse but does not fail. In pairs with records of other
institutions, its records then reach other comparison levels than earlier records did.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from pipelines.linkage.compare import MISSING_LEVEL
from pipelines.linkage.model import Model
from pipelines.linkage.person_pairs import PersonPairs
from pipelines.linkage.record_states import assign_row_numbers, find_first_rows
from pipelines.linkage.standardise import Records, build_features
from pipelines.resources.integer_arrays import RowIndexByOwner

DRIFT_COLUMNS = ("institution", "period", "field", "level", "share", "expected", "n", "alarm")
_CELL_KEY = ["institution", "period", "field"]
# Larger clusters are left out: they are an error of another kind, and their pairs would dominate.
MAX_CLUSTER_SIZE = 60
# With fewer records there is no alarm; else the alarm needs both so many standard deviations and a shift of the share. Errors are
# clustered (the records of a person share a wrong date), so a record counts half.
MIN_RECORDS = 20
DEVIATIONS = 4.0
MIN_SHIFT = 0.10
RECORD_WORTH = 0.5


def count_levels_reached(canonical: Mapping[str, pd.DataFrame], persons: pd.DataFrame, model: Model) -> pd.DataFrame:
    """Count the linked records that reach each comparison level. Columns: institution, period, field, level, n.

    canonical: the tables of `schemas.canonical`. persons: the columns institution, record_key and cluster of the linked records. A record
    is compared with the
    records of other institutions in its cluster. For each field that is known on both sides it counts once, divided over the levels
    reached. The period is that of its first delivery.
    """
    records = build_features(canonical)
    keys, linked = (pd.MultiIndex.from_frame(frame[["institution", "record_key"]].astype("str")) for frame in (records.persons, persons))
    cluster = pd.Series(persons["cluster"].to_numpy(), index=linked).reindex(keys)
    code = pd.factorize(cluster)[0]
    return count_levels_of_pairs(records.persons, find_linked_pairs(records, PersonPairs(records, model), code), model)


def find_linked_pairs(records: Records, people: PersonPairs, cluster: np.ndarray) -> pd.DataFrame:
    """Find the pairs of records in one cluster that two different institutions delivered. A number below zero in `cluster` means no
    cluster.

    Columns: rows a, b, and the level of each field.
    """
    records_by_cluster = RowIndexByOwner(cluster, int(cluster.max(initial=-1)) + 1)
    institution = pd.factorize(records.persons["institution"])[0]
    several = np.flatnonzero((records_by_cluster.sizes > 1) & (records_by_cluster.sizes <= MAX_CLUSTER_SIZE))
    _, left, right = records_by_cluster.combine_rows(several, several)
    chosen = (left < right) & (institution[left] != institution[right])
    left, right = left[chosen], right[chosen]
    return pd.concat([pd.DataFrame({"a": left, "b": right}), people.find_comparison_levels(left, right)], axis=1)


def count_levels_of_pairs(persons: pd.DataFrame, pairs: pd.DataFrame, model: Model) -> pd.DataFrame:
    """Count the records that reach each level, as `count_levels_reached` does.

    persons: institution, period. pairs: from `find_linked_pairs`.
    """
    cell, cells = assign_row_numbers(persons[["institution", "period"]])
    cell_names = persons[["institution", "period"]].iloc[find_first_rows(cell, cells, np.arange(len(cell)))].reset_index(drop=True)
    row = np.concatenate([pairs["a"].to_numpy("int64"), pairs["b"].to_numpy("int64")])
    parts = [pd.DataFrame({"institution": [], "period": [], "field": [], "level": []}, dtype="str").assign(n=0.0)]
    for field in model.fields:
        level, size = np.tile(pairs[field.name].to_numpy("int64"), 2), len(field.levels)
        known = level != MISSING_LEVEL
        share = 1.0 / np.maximum(np.bincount(row[known], minlength=len(persons)), 1)
        n = np.bincount(cell[row[known]] * size + level[known], weights=share[row[known]], minlength=cells * size)
        counted = np.flatnonzero(n)
        names = np.array([spec.name for spec in field.levels], dtype=object)
        cells_of_counts = cell_names.iloc[counted // size].reset_index(drop=True).set_axis(["institution", "period"], axis=1)
        parts.append(cells_of_counts.assign(field=field.name, level=names[counted % size], n=n[counted]))
    return pd.concat(parts, ignore_index=True)


def compute_expected_shares(counted: Iterable[pd.DataFrame], model: Model) -> dict[str, dict[str, tuple[float, ...]]]:
    """Return the `expected` shares of a model file: the share of each level, by institution and field.

    counted: several results of `count_levels_reached`.
    """
    counts = pd.concat(list(counted), ignore_index=True)
    out: dict[str, dict[str, tuple[float, ...]]] = {}
    for field in model.fields:
        of_field = counts[counts["field"] == field.name]
        table = of_field.pivot_table(index="institution", columns="level", values="n", aggfunc="sum", fill_value=0.0)
        table = table.reindex(columns=[level.name for level in field.levels], fill_value=0.0)
        for institution, tally in zip(table.index, table.to_numpy("float64"), strict=True):
            shares = (tally + 1.0 / len(tally)) / (tally.sum() + 1.0)
            out.setdefault(str(institution), {})[field.name] = tuple(round(float(share), 6) for share in shares)
    return {name: out[name] for name in sorted(out)}


def measure_drift(counted: pd.DataFrame, model: Model) -> pd.DataFrame:
    """Compare the share of each level with the share that the model expects.

    Columns: `DRIFT_COLUMNS`, one row for each institution, period, field and level, with the number `n` of records and whether the
    difference raises an alarm. counted: from `count_levels_reached`. Institutions and fields without expected shares are left out.
    """
    expected_rows = [
        (institution, field.name, level.name, share)
        for institution, fields in model.expected.items()
        for field in model.fields
        for level, share in zip(field.levels, fields.get(field.name, ()), strict=False)
    ]
    expected = pd.DataFrame(expected_rows, columns=["institution", "field", "level", "expected"])
    n = counted.groupby(_CELL_KEY, as_index=False)["n"].sum()
    rows = n.merge(expected, on=["institution", "field"])
    reached = counted.rename(columns={"n": "reached"})
    rows = rows.merge(reached, how="left", on=[*_CELL_KEY, "level"])
    rows["share"] = (rows["reached"].fillna(0.0) / rows["n"]).astype("float64")
    rows["alarm"] = _raises_alarm(rows["share"].to_numpy(), rows["expected"].to_numpy("float64"), rows["n"].to_numpy("float64"))
    rows["n"] = rows["n"].round().astype("int64")
    return pd.DataFrame(rows, columns=list(DRIFT_COLUMNS)).reset_index(drop=True)


def _raises_alarm(share: np.ndarray, expected: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Return whether `expected` is outside the Wilson interval around `share`, and differs from it by at least `LEAST_SHIFT`."""
    size, z2 = np.maximum(n, 1.0) * RECORD_WORTH, DEVIATIONS**2
    centre = (share + z2 / (2 * size)) / (1 + z2 / size)
    half = DEVIATIONS / (1 + z2 / size) * np.sqrt(share * (1 - share) / size + z2 / (4 * size**2))
    outside = np.abs(expected - centre) > half
    return np.asarray(outside & (np.abs(share - expected) >= MIN_SHIFT) & (n >= MIN_RECORDS), dtype=bool)
