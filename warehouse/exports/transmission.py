"""Exact figures for exports: the confidential part of a release, for one recipient, with the coordinator's approval.

Belongs here: exact figures and victims for a transmission, sending and logging it. Does not belong here: the approval
(`transmission_approval`), the formats. All other modules of this package read only `warehouse.releases.reading`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pandas as pd

from pipelines.audit import note
from pipelines.registry import open_registry
from pipelines.resources.workplace import Workplace
from schemas.declared import declared
from warehouse.exports.questionnaires import CONFIDENTIAL, FREE
from warehouse.exports.transmission_approval import Approval, Transmission
from warehouse.releases.confidential import open_confidential
from warehouse.releases.reading import Release, category, gap_text, status_text

_VICTIMS = "victims_identified"


def figures(releases: Path, release: Release, lang: str) -> Callable[[str, str], pd.DataFrame]:
    """The exact figures of a release for `questionnaires.answers`, for the years that it publishes.

    Marked confidential if the release does not publish the exact figure. Raises `HarmoniaError` if the release was modified.
    """
    exact = _table(releases, release, "exact")
    grand = _table(releases, release, "statistics").drop_duplicates(["indicator", "period"]).set_index(["indicator", "period"])
    exact = exact[(exact["measure"] == "harmonised") & exact["of"].isin(release.years())]
    shown = release.cube[release.cube["status"] == "shown"]
    said = ["indicator", "table", "of", "cell", "value"]
    public = set(shown.loc[shown["measure"] == "harmonised", said].itertuples(index=False, name=None))

    def found(indicator: str, table: str) -> pd.DataFrame:
        rows = exact[(exact["indicator"] == indicator) & (exact["table"] == table)]
        free = [(indicator, table, *row) in public for row in rows[said[2:]].itertuples(index=False, name=None)]
        periods = rows["of"] + ("-" + rows["cell"] if table == "quarter" else "")
        missing = grand["missing"].reindex(pd.MultiIndex.from_arrays([rows["indicator"], periods]))
        unknown = rows["value"].isna().map({True: status_text("no_delivery", lang), False: ""})
        gaps = ("" if pd.isna(gap) else gap_text(gap, lang) for gap in missing)
        notes = [" ".join(filter(None, both)) for both in zip(unknown, gaps, strict=True)]
        return pd.DataFrame(
            {
                "period": periods,
                "category": [category(table, cell, lang) for cell in rows["cell"]],
                "figure": rows["value"].astype("Int64"),
                "note": notes,
                "confidentiality": [FREE if yes else CONFIDENTIAL for yes in free],
            }
        )

    return found


@cache
def _fields() -> dict[str, dict[str, dict[str, str] | str]]:
    raw: dict[str, dict[str, dict[str, str] | str]] = declared(Path(__file__).with_name("htcds.yaml"))
    return raw


def victims(releases: Path, release: Release) -> pd.DataFrame:
    """Victims as rows in the field names and values of HTCDS (the open standard used by IC-TIP); no id, no name, no day.

    For the years that the release publishes. A field that no source delivers is an empty column.
    """
    counted = _table(releases, release, "counted")
    rows = counted[(counted["indicator"] == _VICTIMS) & counted["counts_in_year"].astype("bool")]
    rows = rows.assign(year=pd.to_datetime(rows["day"]).dt.year.astype("str"))
    rows = rows[rows["year"].isin(release.years())]
    out = pd.DataFrame(index=rows.index)
    for field, spec in _fields().items():
        source = spec.get("from")
        codes = spec.get("codes", {})
        if source is None:
            out[field] = spec.get("value")
        else:
            out[field] = rows[str(source)].map(codes) if isinstance(codes, dict) and codes else rows[str(source)]
    return out.sort_values(list(out.columns), kind="stable").reset_index(drop=True)


def _table(releases: Path, release: Release, name: str) -> pd.DataFrame:
    return open_confidential(releases, release.name).table(name)


def log(workplace: Workplace, sent: Transmission, by: Approval) -> None:
    """Log a transmission in the registry before it is written. Raises `HarmoniaError` if that fails."""
    registry = open_registry(workplace.registry)
    try:
        note(registry, "transmission", f"{sent.export} of {sent.release} in full to {sent.recipient}, approved by {by.name} on {by.day}")
    finally:
        registry.close()
