"""Create a release: exact figures, protection, the disclosure-risk test, the files.

Belongs here: the order of the steps, and checks. Does not belong here: any rule of protection (`warehouse/disclosure`), any attack.
The day is a parameter, not the current date: the same inputs give the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from pipelines.errors import HarmoniaError
from pipelines.resources.workplace import Workplace
from warehouse.count import causes
from warehouse.disclosure import policy
from warehouse.disclosure.programme import Programme, TableKey, years_in
from warehouse.disclosure.protect import (
    PublishedTables,
    ReleaseInputs,
    protect,
    tables_published_with,
    withheld_for_overlap,
    year_source_release,
)
from warehouse.disclosure.published_tables import PublishedTable
from warehouse.releases import cube, folder, recount
from warehouse.releases.bridge import bridge_rows
from warehouse.releases.diff import revisions, snapshot
from warehouse.releases.exact import Counts, exact, from_frame, to_frame
from warehouse.releases.labels import definition_table, label_table
from warehouse.releases.reasons import Snapshot
from warehouse.releases.risk_check import PublishedReleases, refuse_disclosures, table_title
from warehouse.releases.source import Source


@dataclass(frozen=True)
class Made:
    """A release in memory: its files by path, and a line for each table suppressed because of an earlier window."""

    name: str
    files: dict[str, bytes]
    overlapping: list[str]


@dataclass(frozen=True)
class Earlier:
    """The content of earlier releases: published tables, exact figures, gaps, and the last one's name and manifest hash."""

    names: list[str]
    prints: list[PublishedTables]
    exact: dict[str, Counts]
    gaps: dict[tuple[str, str, str], str]
    bridge: pd.DataFrame
    files: dict[str, dict[str, bytes]]
    previous: dict[str, str] | None


def create(workplace: Workplace, source: Source, as_of: date) -> tuple[Path, Made, bool]:
    """Create the release of a day from `source`. Returns its folder, its content, and whether it was written now.

    Raises `HarmoniaError`: no signed policy, no warehouse, a day before the end of the delivered period or before an earlier release, a
    modified release, an existing release with other bytes, a failed disclosure-risk test.
    """
    signed = policy.load(workplace.home.root)
    workplace.home.create()
    made = build(signed, source, workplace.home.releases, as_of)
    target = workplace.home.releases / made.name
    if target.exists():
        if folder.stored(target) != made.files:
            raise HarmoniaError(
                f"release {made.name} already exists with other figures, and a release is never overwritten: "
                f"choose a later day; `harmonia release diff {made.name} DAY` then shows what changed"
            )
        return target, made, False
    folder.write(target, made.files)
    return target, made, True


def build(signed: policy.Policy, source: Source, releases: Path, as_of: date) -> Made:
    """The files of a release. Reads earlier releases, writes nothing."""
    name = as_of.isoformat()
    _check_day(name, source, folder.chain(releases))
    earlier = _earlier(signed.programme, releases, name)
    counts = exact(signed.programme, source.tables)
    gaps = _gaps(name, source.tables["statistics"])
    given = ReleaseInputs(
        programme=signed.programme,
        release=name,
        as_of=as_of,
        exact={**earlier.exact, name: counts},
        history=earlier.prints,
        incomplete={(indicator, year) for _, indicator, year in gaps},
    )
    prints = protect(given)
    bridge = bridge_rows(signed.programme, prints, given.exact, earlier.bridge, name)
    refuse_disclosures(PublishedReleases(given, prints, bridge))
    rows = cube.cube_rows(prints, {**earlier.gaps, **gaps}, _revised(prints, earlier.prints), _counted(given, prints))
    tables = _public_tables(source, rows, bridge)
    tables["revisions"] = (_revisions(given, prints, earlier, source), None)
    public = _public(signed, source, earlier, tables, name)
    confidential = _confidential(signed, source, counts)
    files = {f"{folder.PUBLIC}/{n}": content for n, content in public.items()}
    files |= {f"{folder.CONFIDENTIAL}/{n}": content for n, content in confidential.items()}
    wrong = recount.wrong(name, {**earlier.files, name: files})
    if wrong:
        raise HarmoniaError(f"release {name} is refused, since its figures do not match the warehouse: {'; '.join(wrong[:5])}")
    beside = [
        f"{table_title(key)} shares a year with {table_title(other)}, published before"
        for key, other in withheld_for_overlap(given, prints).items()
    ]
    return Made(name, files, beside)


def _check_day(name: str, source: Source, before: list[str]) -> None:
    later = [b for b in before if b > name]
    if later:
        raise HarmoniaError(f"release {later[-1]} is later than {name}: releases must be created in the order of their days")
    quarters = source.tables["coverage"]["period"]
    last = max((p for p in quarters if "-Q" in p), default="")
    if last and name < f"{last[:4]}-{int(last[-1]) * 3:02d}-31"[:10]:
        raise HarmoniaError(f"{name} is before the end of {last}, for which the warehouse has a delivery: choose a later day")


def _earlier(programme: Programme, releases: Path, name: str) -> Earlier:
    names = [n for n in folder.names(releases) if n < name]
    found = {n: folder.stored(releases / n) for n in names}

    def table(n: str, part: str, what: str) -> pd.DataFrame:
        return folder.from_parquet(found[n][f"{part}/{what}.parquet"])

    gaps: dict[tuple[str, str, str], str] = {}
    for n in names:
        gaps |= _gaps(n, table(n, folder.CONFIDENTIAL, "statistics"))
    last = names[-1] if names else None
    return Earlier(
        names=names,
        prints=[cube.prints_of(table(n, folder.PUBLIC, "cube")) for n in names],
        exact={n: from_frame(programme, table(n, folder.CONFIDENTIAL, "exact")) for n in names},
        gaps=gaps,
        bridge=table(last, folder.PUBLIC, "bridge") if last else pd.DataFrame(columns=cube.BRIDGE.names),
        files=found,
        previous={"release": last, "sha256": folder.sha256(found[last][f"{folder.PUBLIC}/{folder.MANIFEST}"])} if last else None,
    )


def _gaps(name: str, statistics: pd.DataFrame) -> dict[tuple[str, str, str], str]:
    """(release, indicator, year) → missing deliveries of the year."""
    yearly = statistics[(statistics["period"].str.len() == 4) & statistics["missing"].notna()]
    said = yearly[["indicator", "period", "missing"]].drop_duplicates()
    return {(name, str(indicator), str(year)): str(missing) for indicator, year, missing in said.itertuples(index=False, name=None)}


def _revised(prints: Mapping[TableKey, PublishedTable], history: list[PublishedTables]) -> set[tuple[TableKey, str]]:
    """The figures (table, cell) that an earlier release published differently."""

    def said(one: PublishedTable, cell: str) -> tuple[int | None, str, int | None]:
        value = one.value(cell)
        return value, "" if value is not None else one.status, one.limit

    return {
        (key, cell)
        for key, made in prints.items()
        for cell in dict(made.cells) or ("",)
        if any(key in old and said(made, cell) != said(old[key], cell) for old in history)
    }


def _counted(given: ReleaseInputs, prints: PublishedTables) -> dict[TableKey, dict[str, str]]:
    """For each window, by year: the release whose records it counts, as known in the release that published it."""
    then = {key: tables_published_with(given, key, prints) for key in prints if "/" in key.period}
    return {key: {year: year_source_release(given, key.indicator, year, out) for year in years_in(key.period)} for key, out in then.items()}


def _revisions(given: ReleaseInputs, prints: PublishedTables, earlier: Earlier, source: Source) -> pd.DataFrame:
    """Figures that this release publishes differently than the last one, with the reasons."""
    snapshots = {n: snapshot(files) for n, files in earlier.files.items()}
    versions = {**source.versions, "model": source.linkage["model"]}
    snapshots[given.release] = Snapshot(source.tables["counted"], _records(source), source.judgements, versions)
    frames = {n: to_frame(given.programme, dict(counts)) for n, counts in given.exact.items()}
    return revisions(given.programme, prints, given.previous, snapshots, frames)


def _public_tables(source: Source, rows: pd.DataFrame, bridge: pd.DataFrame) -> dict[str, tuple[pd.DataFrame, pa.Schema | None]]:
    """The public tables, with the schema of those that other releases read."""
    return {
        "cube": (rows, cube.SCHEMA),
        "bridge": (bridge, cube.BRIDGE),
        "coverage": (source.tables["coverage"].sort_values(["institution", "period"]), None),
        "definitions": (definition_table(), None),
        "labels": (label_table(), None),
        "causes": (pd.DataFrame([(c, *t.values()) for c, t in causes().items()], columns=["cause", "sq", "sr", "en"]), None),
    }


def _public(
    signed: policy.Policy,
    source: Source,
    earlier: Earlier,
    tables: dict[str, tuple[pd.DataFrame, pa.Schema | None]],
    name: str,
) -> dict[str, bytes]:
    files = {}
    for what, (frame, schema) in tables.items():
        files[f"{what}.parquet"] = folder.as_parquet(frame.reset_index(drop=True), schema)
        files[f"{what}.csv"] = folder.as_csv(frame)
    files["policy.yaml"] = signed.content
    manifest: dict[str, Any] = {
        "format": folder.FORMAT,
        "release": name,
        "previous": earlier.previous,
        "policy": {"sha256": signed.sha256, "signed_by": signed.signed_by, "signed_on": signed.signed_on},
        "linkage": source.linkage,
        "versions": source.versions,
        "figures": int(tables["cube"][0]["value"].notna().sum()),
        "files": folder.listed(files),
    }
    return {**files, folder.MANIFEST: folder.as_json(manifest)}


def _confidential(signed: policy.Policy, source: Source, counts: Counts) -> dict[str, bytes]:
    """The source data of the release: for later releases, for `diff`, and for full transmissions."""
    tables = {
        "exact": to_frame(signed.programme, counts),
        "statistics": source.tables["statistics"],
        "counted": source.tables["counted"],
        "bridge": source.tables["bridge"],
        "bridge_records": source.tables["bridge_records"],
        "records": _records(source),
        "deliveries": source.deliveries,
        "judgements": source.judgements,
    }
    files = {f"{what}.parquet": folder.as_parquet(_ordered(frame)) for what, frame in tables.items()}
    return {**files, folder.MANIFEST: folder.as_json({"files": folder.listed(files), "versions": source.versions})}


def _records(source: Source) -> pd.DataFrame:
    """The accepted records with their ids and the delivery of their state."""
    live = source.tables["lineage"]
    return live[live["status"] == "accepted"][["institution", "entity", "record_key", "case_id", "person_id", "delivery"]]


def _ordered(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows sorted independently of their input order."""
    return frame.sort_values(list(frame.columns), kind="stable").reset_index(drop=True)
