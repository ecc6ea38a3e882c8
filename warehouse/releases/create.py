"""Create a release: count the exact figures, protect them, run the disclosure-risk test, and write the files.

Belongs here: the order of these steps, and checks. Does not belong here: any rule of protection (`warehouse/disclosure`), any attack.
The day is a parameter, not the current date: the same inputs give the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from harmonia.errors import HarmoniaError
from pipelines.resources.workplace import Workplace
from warehouse.count import meanings_of_bridge_causes
from warehouse.disclosure import policy
from warehouse.disclosure.programme import Programme, TableKey, list_years_of_window
from warehouse.disclosure.protect import (
    PublishedTables,
    ReleaseInputs,
    find_release_counted_by_breakdowns_of_year,
    find_tables_first_published_with,
    find_tables_withheld_for_overlap,
    make_tables_of_release,
)
from warehouse.disclosure.published_tables import PublishedTable
from warehouse.releases import cube, folder, recount
from warehouse.releases.bridge import make_rows_of_published_bridge
from warehouse.releases.diff import list_public_revisions, read_snapshot_of_release
from warehouse.releases.exact import Counts, convert_counts_to_frame, convert_frame_to_counts, count_exact_figures
from warehouse.releases.labels import make_table_of_indicator_definitions, make_table_of_labels
from warehouse.releases.reasons import ReleaseSnapshot
from warehouse.releases.risk_check import ReleasesToCheck, refuse_new_disclosures, table_title
from warehouse.releases.source import VICTIM_PATHWAY, ReleaseSource

MissingDeliveries = dict[tuple[str, str, str], str]
"""The missing deliveries of a year, as text, by (release, indicator, year)."""


@dataclass(frozen=True)
class NewRelease:
    """A new release in memory.

    files: the content of each file, by path. withheld: a line of text for each table that is not published because it overlaps a table that
    was published earlier, such as a window.
    """

    name: str
    files: dict[str, bytes]
    withheld: list[str]


@dataclass(frozen=True)
class EarlierReleases:
    """The content of earlier releases.

    tables: the published tables of each release, oldest first. exact: the exact figures of each release. missing: the missing deliveries.
    bridge: the published bridge of the last release. files: the files of each release. previous: name and manifest hash of the last
    release.
    """

    tables: list[PublishedTables]
    exact: dict[str, Counts]
    missing: MissingDeliveries
    bridge: pd.DataFrame
    files: dict[str, dict[str, bytes]]
    previous: dict[str, str] | None


def create_and_check_release(workplace: Workplace, source: ReleaseSource, as_of: date) -> tuple[Path, NewRelease, bool]:
    """Create the release of a day from `source`. Returns its folder, its content, and whether it was written now.

    Raises `HarmoniaError` if the policy is not signed, if the day is before the end of the last delivered quarter or before an existing
    release, if an existing release was modified, if a release of that day exists with other content, or if the disclosure-risk test fails.
    """
    signed = policy.load_policy(workplace.home.root)
    workplace.home.create()
    release = build_release_files(signed, source, workplace.home.releases, as_of)
    target = workplace.home.releases / release.name
    if target.exists():
        if folder.read_verified_files(target) != release.files:
            raise HarmoniaError(
                f"release {release.name} already exists with other figures, and a release is never overwritten: "
                f"choose a later day; `harmonia release diff {release.name} DAY` then shows what changed"
            )
        return target, release, False
    folder.write_release(target, release.files)
    return target, release, True


def build_release_files(signed: policy.Policy, source: ReleaseSource, releases: Path, as_of: date) -> NewRelease:
    """Build the files of a release in memory. Earlier releases are read, and nothing is written."""
    name, programme = as_of.isoformat(), signed.programme
    _refuse_invalid_release_day(name, source, folder.verify_release_chain(releases))
    earlier = _read_earlier_releases(programme, releases, name)
    counts = count_exact_figures(programme, source.tables)
    missing = _find_missing_deliveries_of_figures(name, source.tables["statistics"])
    inputs = ReleaseInputs(
        programme=programme,
        release=name,
        as_of=as_of,
        exact={**earlier.exact, name: counts},
        history=earlier.tables,
        incomplete={(indicator, year) for _, indicator, year in missing},
    )
    tables = make_tables_of_release(inputs)
    bridge = make_rows_of_published_bridge(programme, tables, inputs.exact, earlier.bridge, name)
    refuse_new_disclosures(ReleasesToCheck(inputs, tables, bridge))
    rows = cube.convert_tables_to_cube(
        tables,
        earlier.missing | missing,
        _find_revised_cells(tables, earlier.tables),
        _find_release_counted_in_each_window_year(inputs, tables),
    )
    frames = _make_public_tables(source, rows, bridge, _list_revisions(inputs, tables, earlier, source))
    public = _make_public_files(signed, source, earlier, frames, name)
    confidential = _make_confidential_files(programme, source, counts)
    files = {f"{folder.PUBLIC}/{path}": content for path, content in public.items()}
    files |= {f"{folder.CONFIDENTIAL}/{path}": content for path, content in confidential.items()}
    mismatches = recount.find_mismatches_of_release(name, {**earlier.files, name: files})
    if mismatches:
        raise HarmoniaError(f"release {name} is refused, since its figures do not match the warehouse: {'; '.join(mismatches[:5])}")
    withheld = find_tables_withheld_for_overlap(inputs, tables).items()
    lines = [f"{table_title(key)} shares a year with {table_title(other)}, published before" for key, other in withheld]
    return NewRelease(name, files, lines)


def _refuse_invalid_release_day(name: str, source: ReleaseSource, existing: Sequence[str]) -> None:
    later = [release for release in existing if release > name]
    if later:
        raise HarmoniaError(f"release {later[-1]} is later than {name}: releases must be created in the order of their days")
    last_quarter = max((period for period in source.tables["coverage"]["period"] if "-Q" in period), default="")
    if last_quarter and name < f"{last_quarter[:4]}-{int(last_quarter[-1]) * 3:02d}-31":
        raise HarmoniaError(f"{name} is before the end of {last_quarter}, for which the warehouse has a delivery: choose a later day")


def _read_earlier_releases(programme: Programme, releases: Path, name: str) -> EarlierReleases:
    names = [release for release in folder.release_names(releases) if release < name]
    files = {release: folder.read_verified_files(releases / release) for release in names}

    def frame(release: str, part: str, table: str) -> pd.DataFrame:
        return folder.from_parquet(files[release][f"{part}/{table}.parquet"])

    missing: MissingDeliveries = {}
    for release in names:
        missing |= _find_missing_deliveries_of_figures(release, frame(release, folder.CONFIDENTIAL, "statistics"))
    last = names[-1] if names else None
    return EarlierReleases(
        tables=[cube.convert_cube_to_tables(frame(release, folder.PUBLIC, "cube")) for release in names],
        exact={release: convert_frame_to_counts(programme, frame(release, folder.CONFIDENTIAL, "exact")) for release in names},
        missing=missing,
        bridge=frame(last, folder.PUBLIC, "bridge") if last else pd.DataFrame(columns=cube.BRIDGE_SCHEMA.names),
        files=files,
        previous={"release": last, "sha256": folder.sha256(files[last][f"{folder.PUBLIC}/{folder.MANIFEST}"])} if last else None,
    )


def _find_missing_deliveries_of_figures(release: str, statistics: pd.DataFrame) -> MissingDeliveries:
    yearly = statistics[(statistics["period"].str.len() == 4) & statistics["missing"].notna()]
    rows = yearly[["indicator", "period", "missing"]].drop_duplicates()
    return {(release, str(indicator), str(year)): str(missing) for indicator, year, missing in rows.itertuples(index=False, name=None)}


def _find_revised_cells(tables: Mapping[TableKey, PublishedTable], history: list[PublishedTables]) -> set[tuple[TableKey, str]]:
    """Return the figures that an earlier release published differently, each as (table, cell)."""

    def content(table: PublishedTable, cell: str) -> tuple[int | None, str, int | None]:
        value = table.value(cell)
        return value, "" if value is not None else table.status, table.limit

    return {
        (key, cell)
        for key, table in tables.items()
        for cell in dict(table.cells) or ("",)
        if any(key in earlier and content(table, cell) != content(earlier[key], cell) for earlier in history)
    }


def _find_release_counted_in_each_window_year(inputs: ReleaseInputs, tables: PublishedTables) -> dict[TableKey, dict[str, str]]:
    """Return, for each published window and each of its years, the release whose records are counted in that year."""
    first_tables = {key: find_tables_first_published_with(inputs, key, tables) for key in tables if "/" in key.period}
    return {
        key: {
            year: find_release_counted_by_breakdowns_of_year(inputs, key.indicator, year, first)
            for year in list_years_of_window(key.period)
        }
        for key, first in first_tables.items()
    }


def _list_revisions(inputs: ReleaseInputs, tables: PublishedTables, earlier: EarlierReleases, source: ReleaseSource) -> pd.DataFrame:
    """List the figures that this release publishes differently from the last release, with the reasons."""
    snapshots = {release: read_snapshot_of_release(files) for release, files in earlier.files.items()}
    versions = {**source.versions, "model": source.linkage["model"]}
    snapshots[inputs.release] = ReleaseSnapshot(source.tables["counted"], _select_accepted_records(source), source.judgements, versions)
    frames = {release: convert_counts_to_frame(inputs.programme, dict(counts)) for release, counts in inputs.exact.items()}
    return list_public_revisions(inputs.programme, tables, inputs.previous_tables, snapshots, frames)


def _make_public_tables(
    source: ReleaseSource, rows: pd.DataFrame, bridge: pd.DataFrame, revised: pd.DataFrame
) -> dict[str, tuple[pd.DataFrame, pa.Schema | None]]:
    """Return the public tables by name, each as a frame and its Arrow schema. Only tables that later releases read have a schema."""
    return {
        "cube": (rows, cube.CUBE_SCHEMA),
        "bridge": (bridge, cube.BRIDGE_SCHEMA),
        "coverage": (source.tables["coverage"].sort_values(["institution", "period"]), None),
        "definitions": (make_table_of_indicator_definitions(), None),
        "labels": (make_table_of_labels(), None),
        "causes": (
            pd.DataFrame([(c, *t.values()) for c, t in meanings_of_bridge_causes().items()], columns=["cause", "sq", "sr", "en"]),
            None,
        ),
        "revisions": (revised, None),
    }


def _make_public_files(
    signed: policy.Policy,
    source: ReleaseSource,
    earlier: EarlierReleases,
    frames: dict[str, tuple[pd.DataFrame, pa.Schema | None]],
    name: str,
) -> dict[str, bytes]:
    files = {}
    for table, (frame, schema) in frames.items():
        files[f"{table}.parquet"] = folder.as_parquet(frame.reset_index(drop=True), schema)
        files[f"{table}.csv"] = folder.as_csv(frame)
    files["policy.yaml"] = signed.content
    manifest: dict[str, Any] = {
        "format": folder.FORMAT,
        "release": name,
        "previous": earlier.previous,
        "policy": {"sha256": signed.sha256, "signed_by": signed.signed_by, "signed_on": signed.signed_on},
        "linkage": source.linkage,
        "versions": source.versions,
        "figures": int(frames["cube"][0]["value"].notna().sum()),
        "files": folder.make_manifest_entries_of_files(files),
    }
    return {**files, folder.MANIFEST: folder.as_json(manifest)}


def _make_confidential_files(programme: Programme, source: ReleaseSource, counts: Counts) -> dict[str, bytes]:
    """Return the source data of the release, for later releases, for `diff` and for full transmissions."""
    frames = {
        "exact": convert_counts_to_frame(programme, counts),
        "statistics": source.tables["statistics"],
        "counted": source.tables["counted"],
        "bridge": source.tables["bridge"],
        "bridge_records": source.tables["bridge_records"],
        "records": _select_accepted_records(source),
        "yardstick": source.tables["yardstick"],
        "deliveries": source.deliveries,
        "judgements": source.judgements,
        **{view: source.tables[view] for view in VICTIM_PATHWAY},
    }
    files = {f"{table}.parquet": folder.as_parquet(_sort_rows(frame)) for table, frame in frames.items()}
    return {**files, folder.MANIFEST: folder.as_json({"files": folder.make_manifest_entries_of_files(files), "versions": source.versions})}


def _select_accepted_records(source: ReleaseSource) -> pd.DataFrame:
    """Return the accepted records with their case and person ids, and with the delivery from which each record comes."""
    lineage = source.tables["lineage"]
    return lineage[lineage["status"] == "accepted"][["institution", "entity", "record_key", "case_id", "person_id", "delivery"]]


def _sort_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Sort the rows, so that their order does not depend on the order of the input."""
    return frame.sort_values(list(frame.columns), kind="stable").reset_index(drop=True)
