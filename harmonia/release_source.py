"""Collect what a release is made from: tables of the published warehouse, how its records were linked, judgements of stewards.

Does not belong here: making a release (`warehouse.releases`).
"""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pandas as pd

from harmonia.errors import HarmoniaError
from harmonia.home import Home
from harmonia.registry import Registry
from harmonia.review.estimating import estimate_accuracy
from harmonia.review.judgements import combine_judgements, read_judgements
from harmonia.review.published import find_last_published_run, open_home_registry
from harmonia.review.sampling import count_labels, find_sample_number
from pipelines.resources.workplace import Workplace
from warehouse.releases.source import VICTIM_PATHWAY, ReleaseSource, collect_versions_of_parts

_TABLES = ("statistics", "counted", "bridge", "bridge_records", "bridge_causes", "coverage", "lineage", "yardstick", *VICTIM_PATHWAY)
_MIN_PUBLISHED = 5  # records; smaller numbers are suppressed


def collect_release_source(workplace: Workplace) -> ReleaseSource:
    """Collect what a release is made from, out of a home. Raises `HarmoniaError` if no run has published in it."""
    if not workplace.home.warehouse.is_file():
        raise HarmoniaError(f"home {workplace.home.root} has no warehouse to release: run `harmonia run --inbox DIR --home DIR` first")
    registry = open_home_registry(workplace)
    try:
        published_run = find_last_published_run(workplace.home, registry)
        items = json.loads(str(published_run.read_lake_table("links", "_items")["plain"].iloc[0]))["statistics"]
        verdicts = combine_judgements(read_judgements(registry))
        return ReleaseSource(
            tables=_read_warehouse_tables(workplace.home),
            deliveries=published_run.read_lake_table("record_status", "deliveries"),
            judgements=verdicts,
            linkage={
                "model": items.get("model", ""),
                "shares": _compute_linked_shares(
                    published_run.read_lake_table("links", "cases"), published_run.read_lake_table("links", "persons"), verdicts
                ),
                "estimated_error": _estimate_linkage_error(registry),
            },
            versions=collect_versions_of_parts(),
        )
    finally:
        registry.close()


def _read_warehouse_tables(home: Home) -> dict[str, pd.DataFrame]:
    try:
        with duckdb.connect(str(home.warehouse), read_only=True) as connection:
            return {name: connection.execute(f'FROM "{name}"').df() for name in _TABLES}
    except duckdb.Error as error:
        raise HarmoniaError(
            f"{home.warehouse}: cannot be read ({type(error).__name__}): run `harmonia run --home {home.root}` again"
        ) from None


def _compute_linked_shares(cases: pd.DataFrame, persons: pd.DataFrame, judgements: pd.DataFrame) -> list[dict[str, Any]]:
    """Compute which share of case and person records is linked to another record: in all, by machine, and by people.

    A record is linked by people if a steward judged it to be the same as another. cases, persons: the cluster of each record, with
    institution, record_key and cluster. judgements: the current verdicts. Returns entity, linked, machine and people (shares; machine and
    people are null if they would reveal fewer than 5 records).
    """
    out = []
    for entity, records in (("case", cases), ("person", persons)):
        together = records[records.groupby("cluster")["cluster"].transform("size") > 1][["institution", "record_key"]].astype("str")
        same = judgements[(judgements["entity"] == entity) & (judgements["verdict"] == "same")]
        sides = [same[[f"institution_{s}", f"key_{s}"]].set_axis(["institution", "record_key"], axis=1).astype("str") for s in "ab"]
        people = len(together.merge(pd.concat(sides).drop_duplicates())) if len(same) else 0
        share = None if 0 < people < _MIN_PUBLISHED else people
        machine = None if share is None else round((len(together) - people) / max(len(records), 1), 4)
        by_people = None if share is None else round(people / max(len(records), 1), 4)
        out.append({"entity": entity, "linked": round(len(together) / max(len(records), 1), 4), "machine": machine, "people": by_people})
    return out


def _estimate_linkage_error(registry: Registry) -> list[dict[str, Any]]:
    """Estimate precision and recall of linkage, with 95 % intervals, from the latest blind sample.

    The list is empty if there is no sample, or if none of its pairs was judged.
    """
    try:
        figures = estimate_accuracy(count_labels(registry, find_sample_number(registry, None)))
    except HarmoniaError:
        return []
    labelled = figures[figures["labelled"] > 0]
    estimates = labelled[["entity", "measure", "estimate", "low", "high"]].dropna().round(4)
    return [{str(name): value for name, value in row.items()} for row in estimates.to_dict("records")]
