"""Input of a release: the published warehouse of a home, its linkage, stewards' judgements.

Does not belong here: building a release (`warehouse.releases`).
"""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pandas as pd

from harmonia.errors import HarmoniaError
from harmonia.home import Home
from harmonia.registry import Registry
from harmonia.review.estimating import estimate
from harmonia.review.judgements import combine_judgements
from harmonia.review.judgements import read_judgements as judgements
from harmonia.review.published import last_published_run, open_home_registry
from harmonia.review.sampling import count_labels, find_sample
from pipelines.resources.workplace import Workplace
from warehouse.releases.source import VICTIM_PATHWAY, ReleaseSource, part_versions

_READ = ("statistics", "counted", "bridge", "bridge_records", "bridge_causes", "coverage", "lineage", "yardstick", *VICTIM_PATHWAY)
_FEW = 5


def read(workplace: Workplace) -> ReleaseSource:
    """Read a home. Raises `HarmoniaError` if no run has published in it."""
    if not workplace.home.warehouse.is_file():
        raise HarmoniaError(f"home {workplace.home.root} has no warehouse to release: run `harmonia run --inbox DIR --home DIR` first")
    registry = open_home_registry(workplace)
    try:
        found = last_published_run(workplace.home, registry)
        items = json.loads(str(found.table("links", "_items")["plain"].iloc[0]))["statistics"]
        effective_judgements = combine_judgements(judgements(registry))
        return ReleaseSource(
            tables=_tables(workplace.home),
            deliveries=found.table("record_status", "deliveries"),
            judgements=effective_judgements,
            linkage={
                "model": items.get("model", ""),
                "shares": _shares(found.table("links", "cases"), found.table("links", "persons"), effective_judgements),
                "estimated_error": _error(registry),
            },
            versions=part_versions(),
        )
    finally:
        registry.close()


def _tables(home: Home) -> dict[str, pd.DataFrame]:
    try:
        with duckdb.connect(str(home.warehouse), read_only=True) as connection:
            return {name: connection.execute(f'FROM "{name}"').df() for name in _READ}
    except duckdb.Error as error:
        raise HarmoniaError(
            f"{home.warehouse}: cannot be read ({type(error).__name__}): run `harmonia run --home {home.root}` again"
        ) from None


def _shares(cases: pd.DataFrame, persons: pd.DataFrame, judgements: pd.DataFrame) -> list[dict[str, Any]]:
    """Share of case and person records that are linked to another record, by machine and by people.

    By people: linked through a judgement `same`. Numbers of records below 5 are suppressed (null).
    """
    out = []
    for entity, records in (("case", cases), ("person", persons)):
        together = records[records.groupby("cluster")["cluster"].transform("size") > 1][["institution", "record_key"]].astype("str")
        same = judgements[(judgements["entity"] == entity) & (judgements["verdict"] == "same")]
        sides = [same[[f"institution_{s}", f"key_{s}"]].set_axis(["institution", "record_key"], axis=1).astype("str") for s in "ab"]
        people = len(together.merge(pd.concat(sides).drop_duplicates())) if len(same) else 0
        share = None if 0 < people < _FEW else people
        machine = None if share is None else round((len(together) - people) / max(len(records), 1), 4)
        by_people = None if share is None else round(people / max(len(records), 1), 4)
        out.append({"entity": entity, "linked": round(len(together) / max(len(records), 1), 4), "machine": machine, "people": by_people})
    return out


def _error(registry: Registry) -> list[dict[str, Any]]:
    """Precision and recall of linkage with 95 % intervals, from the latest blind sample with judgements; empty without one."""
    try:
        figures = estimate(count_labels(registry, find_sample(registry, None)))
    except HarmoniaError:
        return []
    known = figures[figures["labelled"] > 0]
    estimates = known[["entity", "measure", "estimate", "low", "high"]].dropna().round(4)
    return [{str(name): value for name, value in row.items()} for row in estimates.to_dict("records")]
