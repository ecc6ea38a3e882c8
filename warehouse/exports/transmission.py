"""Provide exact figures for full exports. They come from the confidential part of a release and go to one recipient, with the coordinator's
approval.

Belongs here: exact figures and victims for a transmission, sending and logging it. Does not belong here: the approval
(`transmission_approval`), the formats. All other modules of this package read only `warehouse.releases.reading`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pandas as pd

from harmonia.audit import record_own_access
from harmonia.registry import open_registry
from pipelines.resources.workplace import Workplace
from schemas import domain_folder
from schemas.topic import topic
from schemas.yaml_declarations import read_yaml
from warehouse.exports.questionnaires import CONFIDENTIAL, FREE
from warehouse.exports.transmission_approval import Approval, Transmission
from warehouse.releases.confidential import open_confidential_part
from warehouse.releases.reading import Release, make_label_of_cell, make_text_of_figure_status, make_text_of_missing_deliveries


def make_reader_of_exact_figures(releases: Path, release: Release, lang: str) -> Callable[[str, str], pd.DataFrame]:
    """Return the function from which `questionnaires.answer_questionnaire` gets the exact figures of a release, for the years that it
    publishes.

    A figure is marked confidential if the release does not publish it exactly. Raises `HarmoniaError` if the release was modified.
    """
    exact = _read_confidential_table(releases, release, "exact")
    by_period = (
        _read_confidential_table(releases, release, "statistics")
        .drop_duplicates(["indicator", "period"])
        .set_index(["indicator", "period"])
    )
    exact = exact[(exact["measure"] == "harmonised") & exact["of"].isin(release.years())]
    published = release.cube[release.cube["status"] == "shown"]
    columns = ["indicator", "table", "of", "cell", "value"]
    public = set(published.loc[published["measure"] == "harmonised", columns].itertuples(index=False, name=None))

    def figures(indicator: str, table: str) -> pd.DataFrame:
        rows = exact[(exact["indicator"] == indicator) & (exact["table"] == table)]
        is_public = [(indicator, table, *row) in public for row in rows[columns[2:]].itertuples(index=False, name=None)]
        periods = rows["of"] + ("-" + rows["cell"] if table == "quarter" else "")
        missing = by_period["missing"].reindex(pd.MultiIndex.from_arrays([rows["indicator"], periods]))
        no_delivery = rows["value"].isna().map({True: make_text_of_figure_status("no_delivery", lang), False: ""})
        gaps = ("" if pd.isna(deliveries) else make_text_of_missing_deliveries(deliveries, lang) for deliveries in missing)
        notes = [" ".join(filter(None, both)) for both in zip(no_delivery, gaps, strict=True)]
        return pd.DataFrame(
            {
                "period": periods,
                "category": [make_label_of_cell(table, cell, lang) for cell in rows["cell"]],
                "figure": rows["value"].astype("Int64"),
                "note": notes,
                "confidentiality": [FREE if is_free else CONFIDENTIAL for is_free in is_public],
            }
        )

    return figures


@cache
def _read_htcds_fields() -> dict[str, dict[str, dict[str, str] | str]]:
    raw: dict[str, dict[str, dict[str, str] | str]] = read_yaml(domain_folder.find_path_in_domain("htcds.yaml"))
    return raw


def make_htcds_victim_rows(releases: Path, release: Release) -> pd.DataFrame:
    """Return the victims in the fields and values of HTCDS (the open standard used by IC-TIP), without ids, names and days.

    The result contains only the victims of the years that the release publishes. A field that no institution delivers is an empty column.
    """
    counted = _read_confidential_table(releases, release, "counted")
    rows = counted[(counted["indicator"] == topic().report.broken_down) & counted["counts_in_year"].astype("bool")]
    rows = rows.assign(year=pd.to_datetime(rows["day"]).dt.year.astype("str"))
    rows = rows[rows["year"].isin(release.years())]
    victims = pd.DataFrame(index=rows.index)
    for field, spec in _read_htcds_fields().items():
        source = spec.get("from")
        codes = spec.get("codes", {})
        if source is None:
            victims[field] = spec.get("value")
        else:
            victims[field] = rows[str(source)].map(codes) if isinstance(codes, dict) and codes else rows[str(source)]
    return victims.sort_values(list(victims.columns), kind="stable").reset_index(drop=True)


def _read_confidential_table(releases: Path, release: Release, name: str) -> pd.DataFrame:
    return open_confidential_part(releases, release.name).table(name)


def log_transmission(workplace: Workplace, transmission: Transmission, approval: Approval) -> None:
    """Log a transmission in the registry before it is written. Raises `HarmoniaError` if that fails."""
    text = (
        f"{transmission.export} of {transmission.release} in full to {transmission.recipient}, "
        f"approved by {approval.name} on {approval.day}"
    )
    registry = open_registry(workplace.registry)
    try:
        record_own_access(registry, "transmission", text)
    finally:
        registry.close()
