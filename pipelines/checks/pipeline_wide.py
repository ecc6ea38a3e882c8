"""Checks on the pipeline as a whole: landed files are unchanged, no record is lost between stages, and the figures add up."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import dagster as dg
import duckdb
import pandas as pd
from sqlalchemy import select

from harmonia.home import Home
from harmonia.registry import open_registry, seal
from harmonia.registry.ledger import read_removed_hashes
from harmonia.registry.tables import File
from pipelines.asset_helpers import asset_check, make_metadata_table
from pipelines.landing.store import LandingStore
from pipelines.resources.lake import Tables
from pipelines.resources.workplace import Workplace
from sources.completeness_states import COMPLETE, STATES
from warehouse.tables import CONTRACT

_STATE_KEY = ["institution", "delivery", "record_key"]
_ENTITIES = {"case": "case_records", "person": "person_records"}


def find_hashes_of_damaged_files(hashes: Iterable[str], landing: Path) -> list[str]:
    """Return the hashes of the files that are missing from the landing store, or whose content does not have the hash in their name."""
    store = LandingStore(landing)
    out = []
    for sha256 in hashes:
        path = store.get_path(sha256)
        try:
            with path.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() == sha256:
                    continue
        except FileNotFoundError:
            pass
        out.append(sha256)
    return out


@asset_check(asset="landing", blocking=True, description="Every landed file still matches its content hash.")
def bytes_are_as_received(workplace: dg.ResourceParam[Workplace]) -> dg.AssetCheckResult:
    """Check that every file of the landing store is there and has its hash. Files that an erasure removed are not expected."""
    registry = open_registry(workplace.registry)
    try:
        with registry.read() as session:
            hashes = sorted(set(session.scalars(select(File.sha256))) - read_removed_hashes(session))
    finally:
        registry.close()
    damaged = find_hashes_of_damaged_files(hashes, workplace.home.landing)
    return dg.AssetCheckResult(
        passed=not damaged, metadata={"files": len(hashes), "damaged or absent": len(damaged), "which": damaged[:20]}
    )


@asset_check(asset="landing", blocking=True, description="The registry is unchanged since it was written.")
def ledger_is_as_entered(workplace: dg.ResourceParam[Workplace]) -> dg.AssetCheckResult:
    """Compute every seal of the registry again, and compare it with the stored seal (`harmonia.registry.seal`)."""
    registry = open_registry(workplace.registry)
    try:
        with registry.read() as session:
            problems, (seals, _) = seal.find_integrity_problems(session), seal.read_newest_seal(session)
    finally:
        registry.close()
    return dg.AssetCheckResult(passed=not problems, metadata={"seals": seals, "broken": len(problems), "which": problems[:20]})


def count_lost_records(canonical: Tables, lineage: pd.DataFrame) -> pd.DataFrame:
    """Return the institutions and entities for which the numbers of accepted records and of harmonised records differ.

    Columns: institution, entity, accepted (number in the lineage), harmonised (number in the canonical tables).
    """
    accepted = lineage[lineage["status"] == "accepted"].groupby(["institution", "entity"]).size().rename("accepted")
    parts = []
    for entity, name in _ENTITIES.items():
        frame = canonical.select_columns(name, ["institution", "status"])
        counts = frame[frame["status"] == "accepted"].groupby("institution").size().rename("harmonised").reset_index()
        parts.append(counts.assign(entity=entity).set_index(["institution", "entity"])["harmonised"])
    compared = pd.concat([accepted, pd.concat(parts)], axis=1).fillna(0).astype("int64").reset_index()
    return compared[compared["accepted"] != compared["harmonised"]]


def count_records_without_ids(lineage: pd.DataFrame, person_kinds: pd.DataFrame) -> int:
    """Count the records of the published lineage that have no case id, and the records of natural persons that have no person id.

    Quarantined records are not counted. `person_kinds` has the columns institution, delivery, record_key, and kind (natural, legal or
    unknown).
    """
    in_force = lineage[lineage["status"] != "quarantined"]
    not_natural_persons = pd.MultiIndex.from_frame(person_kinds.loc[person_kinds["kind"].isin(["legal", "unknown"]), _STATE_KEY])
    no_person = (
        (in_force["entity"] == "person")
        & in_force["person_id"].isna()
        & ~pd.MultiIndex.from_frame(in_force[_STATE_KEY]).isin(not_natural_persons)
    )
    return int((in_force["case_id"].isna() | no_person).sum())


def find_bridges_that_do_not_add_up(statistics: pd.DataFrame, bridge: pd.DataFrame) -> pd.DataFrame:
    """Return the indicators and periods in which the figure as reported plus the causes in the bridge is not the harmonised figure.

    Columns: indicator, period, as_reported, steps (sum of the bridge), harmonised.
    """
    dimensions = ["offence_group", "form", "sex", "age_group", "citizenship_group"]
    totals = statistics.loc[(statistics[dimensions] == "total").all(axis=1), ["indicator", "period", "as_reported", "harmonised"]]
    steps = bridge.groupby(["indicator", "period"])["n"].sum().rename("steps").reset_index()
    compared = totals.dropna(subset=["as_reported", "harmonised"]).merge(steps, on=["indicator", "period"], how="left")
    compared["steps"] = compared["steps"].fillna(0)
    return compared[compared["as_reported"] + compared["steps"] != compared["harmonised"]]


@asset_check(
    asset="statistics",
    blocking=True,
    additional_ins={"canonical": dg.AssetIn("canonical")},
    description="Every accepted record has a canonical record.",
)
def nothing_is_lost(statistics: Tables, canonical: Tables) -> dg.AssetCheckResult:
    """Compare the number of accepted records with the number of harmonised records, for each institution and entity."""
    lineage = statistics.select_columns("lineage", ["institution", "entity", "status"])
    lost = count_lost_records(canonical, lineage)
    accepted = int((lineage["status"] == "accepted").sum())
    return dg.AssetCheckResult(passed=lost.empty, metadata={"accepted records": accepted, "differ": make_metadata_table(lost)})


@asset_check(
    asset="statistics",
    blocking=True,
    additional_ins={"canonical": dg.AssetIn("canonical")},
    description="Every record belongs to a case, every record of a natural person to a person.",
)
def every_record_has_its_case(statistics: Tables, canonical: Tables) -> dg.AssetCheckResult:
    """Check that the lineage, as it will be published, has a case id for every record, and a person id for every natural person."""
    lineage = statistics.select_columns("lineage", [*_STATE_KEY, "entity", "status", "case_id", "person_id"])
    missing = count_records_without_ids(lineage, canonical.select_columns("person_records", [*_STATE_KEY, "kind"]))
    return dg.AssetCheckResult(passed=missing == 0, metadata={"records": len(lineage), "without case or person": missing})


@asset_check(asset="statistics", blocking=True, description="As reported + bridge = harmonised, for every indicator and period.")
def bridge_adds_up(statistics: Tables) -> dg.AssetCheckResult:
    """Check the bridge of every figure that is a total over all dimensions."""
    differing = find_bridges_that_do_not_add_up(statistics["statistics"], statistics["bridge"])
    by_cause = statistics["bridge"].groupby("cause")["n"].agg(["count", "sum"]).reset_index()
    return dg.AssetCheckResult(
        passed=differing.empty,
        metadata={
            "do not add up": len(differing),
            "which": make_metadata_table(differing),
            "steps by cause": make_metadata_table(by_cause),
        },
    )


@asset_check(asset="statistics", description="Every institution delivered every published quarter completely.")
def deliveries_are_complete(statistics: Tables) -> dg.AssetCheckResult:
    """List the deliveries that are not complete. A figure that needs such a delivery is marked as incomplete wherever it is shown."""
    coverage = statistics["coverage"]
    quarters = coverage[coverage["period"].str.contains("-Q")]
    gaps = quarters[quarters["state"] != COMPLETE]
    return dg.AssetCheckResult(
        passed=gaps.empty,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={**{state: int((quarters["state"] == state).sum()) for state in STATES}, "not complete": make_metadata_table(gaps)},
    )


def count_published_rows(home: Home) -> dict[str, int]:
    """Count the rows of the published tables that readers may rely on (`CONTRACT`)."""
    with duckdb.connect(str(home.warehouse), read_only=True) as connection:
        return {name: connection.sql(f'SELECT count(*) FROM "{name}"').fetchall()[0][0] for name in CONTRACT}


@asset_check(
    asset="warehouse", additional_ins={"statistics": dg.AssetIn("statistics")}, description="The published tables are the counted ones."
)
def published_as_counted(warehouse: Tables, statistics: Tables, workplace: dg.ResourceParam[Workplace]) -> dg.AssetCheckResult:
    """Open the published file as a reader does, and compare the numbers of rows of its tables with those that were computed."""
    published = count_published_rows(workplace.home)
    counted = statistics.count_rows()
    different_counts = {name: n for name, n in published.items() if name in counted and n != counted[name]}
    return dg.AssetCheckResult(passed=not different_counts, metadata={**published, "tables that differ": len(different_counts)})


def list_landing_checks() -> list[dg.AssetChecksDefinition]:
    """Return the checks of landing, which run before any delivery is read."""
    return [bytes_are_as_received, ledger_is_as_entered]


def list_output_checks() -> list[dg.AssetChecksDefinition]:
    """Return the checks of the figures and of the published tables."""
    return [
        nothing_is_lost,
        every_record_has_its_case,
        bridge_adds_up,
        deliveries_are_complete,
        published_as_counted,
    ]
