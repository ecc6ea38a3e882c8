"""Model drift: whether the records of an institution and period reach other comparison levels than the training data of the model did.

Belongs here: the share of each comparison level among linked records, its difference from the `expected` share of the model, the alarm.
Does not belong here: training (`training`), presentation (`pipelines.checks.linkage_model`).

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
# Clusters with more records than this are left out: they are an error of another kind, and would have most of the pairs.
MAX_CLUSTER_SIZE = 60
# There is no alarm for fewer than `MIN_RECORDS` records. Otherwise there is an alarm if the share differs from the expected share by
# `DEVIATIONS` standard deviations and by at least `MIN_SHIFT`. Records of one person often have the same error, so a record counts half.
MIN_RECORDS = 20
DEVIATIONS = 4.0
MIN_SHIFT = 0.10
RECORD_WORTH = 0.5


def count_comparison_levels_of_linked_records(
    canonical_tables: Mapping[str, pd.DataFrame], person_clusters: pd.DataFrame, model: LinkageModel
) -> pd.DataFrame:
    """Count the linked records that reach each comparison level. Columns: institution, period, field, level, n.

    Each record is compared with the records of other institutions in its cluster. For each field it counts as one, divided equally among
    the comparisons in which both records have a value. `period` is the period in which the record was first delivered. canonical_tables:
    the tables of `schemas.canonical`. person_clusters: the cluster of each record, with the columns institution, record_key and cluster.
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
    """Find the pairs of person records that are in one cluster and were delivered by two different institutions.

    person_cluster: the number of the cluster of each record; below zero if the record is in no cluster. Columns of the result: a and b (the
    rows of the two records), and for each compared field the level that the pair reaches.
    """
    records_by_cluster = RowIndexByOwner(person_cluster, int(person_cluster.max(initial=-1)) + 1)
    institution = pd.factorize(records.persons["institution"])[0]
    several = np.flatnonzero((records_by_cluster.sizes > 1) & (records_by_cluster.sizes <= MAX_CLUSTER_SIZE))
    _, left, right = records_by_cluster.combine_rows(several, several)
    chosen = (left < right) & (institution[left] != institution[right])
    left, right = left[chosen], right[chosen]
    return pd.concat([pd.DataFrame({"a": left, "b": right}), person_pairs.find_comparison_levels(left, right)], axis=1)


def count_comparison_levels(persons: pd.DataFrame, person_pairs: pd.DataFrame, model: LinkageModel) -> pd.DataFrame:
    """Count the records that reach each comparison level. The result is that of `count_comparison_levels_of_linked_records`.

    persons: all person records, with the columns institution and period. person_pairs: the result of
    `find_linked_pairs_between_institutions`.
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
    """Return the `expected` shares for a model file: for each institution and compared field, the share of records that reach each level.

    level_counts: results of `count_comparison_levels_of_linked_records`, one for each set of training data.
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
    """Compare the share of records that reach each level with the share that the model expects.

    The result has one row for each institution, period, field and level, with the columns `DRIFT_COLUMNS`: `n` is the number of records
    with a value in the field, and `alarm` says whether the difference is large enough for an alarm. Institutions and fields without
    expected shares are left out. level_counts: the result of `count_comparison_levels_of_linked_records`.
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
    """Return whether each share raises an alarm.

    It does if there are at least `MIN_RECORDS` records, `expected_share` is outside the Wilson interval around `share`, and the two differ
    by at least `MIN_SHIFT`.
    """
    size, z2 = np.maximum(record_count, 1.0) * RECORD_WORTH, DEVIATIONS**2
    centre = (share + z2 / (2 * size)) / (1 + z2 / size)
    half = DEVIATIONS / (1 + z2 / size) * np.sqrt(share * (1 - share) / size + z2 / (4 * size**2))
    outside = np.abs(expected_share - centre) > half
    return np.asarray(outside & (np.abs(share - expected_share) >= MIN_SHIFT) & (record_count >= MIN_RECORDS), dtype=bool)
