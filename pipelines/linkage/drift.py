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
from pipelines.linkage.model import LinkageModel
from pipelines.linkage.person_pairs import ComparedPersonPairs
from pipelines.linkage.record_states import find_first_row_of_each_number, number_distinct_rows
from pipelines.linkage.standardise import LinkageRecords, build_linkage_records
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


def count_comparison_levels_of_linked_records(
    canonical_tables: Mapping[str, pd.DataFrame], person_clusters: pd.DataFrame, model: LinkageModel
) -> pd.DataFrame:
    """Count the linked records that reach each comparison level. Columns: institution, period, field, level, n.

    canonical_tables: the tables of `schemas.canonical`. person_clusters: the columns institution, record_key and cluster of the linked
    records. A record is compared with the records of other institutions in its cluster. For each field that is known on both sides it
    counts once, divided over the levels reached. The period is that of its first delivery.
    """
    records = build_linkage_records(canonical_tables)
    keys, linked = (
        pd.MultiIndex.from_frame(frame[["institution", "record_key"]].astype("str")) for frame in (records.persons, person_clusters)
    )
    cluster = pd.Series(person_clusters["cluster"].to_numpy(), index=linked).reindex(keys)
    code = pd.factorize(cluster)[0]
    return count_comparison_levels(
        records.persons, find_linked_pairs_between_institutions(records, ComparedPersonPairs(records, model), code), model
    )


def find_linked_pairs_between_institutions(
    records: LinkageRecords, person_pairs: ComparedPersonPairs, person_cluster: np.ndarray
) -> pd.DataFrame:
    """Find the pairs of records in one cluster that two different institutions delivered. A number below zero in `person_cluster` means no
    cluster.

    Columns: rows a, b, and the level of each field.
    """
    records_by_cluster = RowIndexByOwner(person_cluster, int(person_cluster.max(initial=-1)) + 1)
    institution = pd.factorize(records.persons["institution"])[0]
    several = np.flatnonzero((records_by_cluster.sizes > 1) & (records_by_cluster.sizes <= MAX_CLUSTER_SIZE))
    _, left, right = records_by_cluster.combine_rows(several, several)
    chosen = (left < right) & (institution[left] != institution[right])
    left, right = left[chosen], right[chosen]
    return pd.concat([pd.DataFrame({"a": left, "b": right}), person_pairs.find_comparison_levels(left, right)], axis=1)


def count_comparison_levels(persons: pd.DataFrame, person_pairs: pd.DataFrame, model: LinkageModel) -> pd.DataFrame:
    """Count the records that reach each level, as `count_comparison_levels_of_linked_records` does.

    persons: institution, period. person_pairs: from `find_linked_pairs_between_institutions`.
    """
    cell, cells = number_distinct_rows(persons[["institution", "period"]])
    cell_names = (
        persons[["institution", "period"]].iloc[find_first_row_of_each_number(cell, cells, np.arange(len(cell)))].reset_index(drop=True)
    )
    row = np.concatenate([person_pairs["a"].to_numpy("int64"), person_pairs["b"].to_numpy("int64")])
    parts = [pd.DataFrame({"institution": [], "period": [], "field": [], "level": []}, dtype="str").assign(n=0.0)]
    for field in model.fields:
        level, size = np.tile(person_pairs[field.name].to_numpy("int64"), 2), len(field.levels)
        known = level != MISSING_LEVEL
        share = 1.0 / np.maximum(np.bincount(row[known], minlength=len(persons)), 1)
        n = np.bincount(cell[row[known]] * size + level[known], weights=share[row[known]], minlength=cells * size)
        counted = np.flatnonzero(n)
        names = np.array([spec.name for spec in field.levels], dtype=object)
        cells_of_counts = cell_names.iloc[counted // size].reset_index(drop=True).set_axis(["institution", "period"], axis=1)
        parts.append(cells_of_counts.assign(field=field.name, level=names[counted % size], n=n[counted]))
    return pd.concat(parts, ignore_index=True)


def compute_expected_shares(level_counts: Iterable[pd.DataFrame], model: LinkageModel) -> dict[str, dict[str, tuple[float, ...]]]:
    """Return the `expected` shares of a model file: the share of each level, by institution and field.

    level_counts: several results of `count_comparison_levels_of_linked_records`.
    """
    counts = pd.concat(list(level_counts), ignore_index=True)
    out: dict[str, dict[str, tuple[float, ...]]] = {}
    for field in model.fields:
        of_field = counts[counts["field"] == field.name]
        table = of_field.pivot_table(index="institution", columns="level", values="n", aggfunc="sum", fill_value=0.0)
        table = table.reindex(columns=[level.name for level in field.levels], fill_value=0.0)
        for institution, tally in zip(table.index, table.to_numpy("float64"), strict=True):
            shares = (tally + 1.0 / len(tally)) / (tally.sum() + 1.0)
            out.setdefault(str(institution), {})[field.name] = tuple(round(float(share), 6) for share in shares)
    return {name: out[name] for name in sorted(out)}


def measure_drift(level_counts: pd.DataFrame, model: LinkageModel) -> pd.DataFrame:
    """Compare the share of each level with the share that the model expects.

    Columns: `DRIFT_COLUMNS`, one row for each institution, period, field and level, with the number `n` of records and whether the
    difference raises an alarm. Institutions and fields without expected shares are left out. level_counts: from
    `count_comparison_levels_of_linked_records`.
    """
    expected_rows = [
        (institution, field.name, level.name, share)
        for institution, fields in model.expected.items()
        for field in model.fields
        for level, share in zip(field.levels, fields.get(field.name, ()), strict=False)
    ]
    expected = pd.DataFrame(expected_rows, columns=["institution", "field", "level", "expected"])
    n = level_counts.groupby(_CELL_KEY, as_index=False)["n"].sum()
    rows = n.merge(expected, on=["institution", "field"])
    reached = level_counts.rename(columns={"n": "reached"})
    rows = rows.merge(reached, how="left", on=[*_CELL_KEY, "level"])
    rows["share"] = (rows["reached"].fillna(0.0) / rows["n"]).astype("float64")
    rows["alarm"] = _do_shares_raise_alarm(rows["share"].to_numpy(), rows["expected"].to_numpy("float64"), rows["n"].to_numpy("float64"))
    rows["n"] = rows["n"].round().astype("int64")
    return pd.DataFrame(rows, columns=list(DRIFT_COLUMNS)).reset_index(drop=True)


def _do_shares_raise_alarm(share: np.ndarray, expected_share: np.ndarray, record_count: np.ndarray) -> np.ndarray:
    """Return whether `expected_share` is outside the Wilson interval around `share`, and differs from it by at least `LEAST_SHIFT`."""
    size, z2 = np.maximum(record_count, 1.0) * RECORD_WORTH, DEVIATIONS**2
    centre = (share + z2 / (2 * size)) / (1 + z2 / size)
    half = DEVIATIONS / (1 + z2 / size) * np.sqrt(share * (1 - share) / size + z2 / (4 * size**2))
    outside = np.abs(expected_share - centre) > half
    return np.asarray(outside & (np.abs(share - expected_share) >= MIN_SHIFT) & (record_count >= MIN_RECORDS), dtype=bool)
