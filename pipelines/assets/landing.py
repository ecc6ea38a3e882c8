"""Landing: store every file as received, and write a receipt for every delivery."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pandas as pd
from sqlalchemy import select

from harmonia.errors import HarmoniaError
from harmonia.feedback.deliveries import list_received_files
from harmonia.feedback.write import write_receipt
from harmonia.registry import Registry, open_registry, published_seal
from harmonia.registry.ledger import begin_run
from harmonia.registry.tables import File, Run
from pipelines.asset_helpers import WRITER_POOL, add_counts_to_asset_metadata, make_metadata_table, redact_stage_errors
from pipelines.assets.versions import hash_frames
from pipelines.checks.delivery_tolerances import register_deliveries_as_partitions
from pipelines.landing import LandedDelivery, land_deliveries, list_landed_deliveries
from pipelines.resources.lake import DataVersion, VersionedOutput
from pipelines.resources.workplace import Workplace
from schemas import findings
from sources import contract


def _make_deliveries_frame(deliveries: list[LandedDelivery], new_deliveries: list[LandedDelivery]) -> pd.DataFrame:
    """Return all landed deliveries as a frame.

    Columns: institution, delivery, files (their number), new (whether the delivery was received or changed in this run).
    """
    new_keys = {(delivery.institution, str(delivery.name)) for delivery in new_deliveries}
    rows = [
        (delivery.institution, str(delivery.name), len(delivery.files), (delivery.institution, str(delivery.name)) in new_keys)
        for delivery in deliveries
    ]
    types = {"institution": "str", "delivery": "str", "files": "int64", "new": "bool"}
    return pd.DataFrame(rows, columns=list(types)).astype(types)


def _write_receipts(workplace: Workplace, new_deliveries: list[LandedDelivery]) -> None:
    """Write the page with the receipt for every new delivery, before any delivery is read."""
    for delivery in new_deliveries:
        write_receipt(
            workplace.home.root,
            delivery.institution,
            str(delivery.name),
            list_received_files([delivery]),
            contract.load(delivery.institution).language,
            datetime.now(UTC).date(),
        )


def _require_matching_registry(workplace: Workplace, registry: Registry) -> None:
    """Raise `HarmoniaError` if the home was published with another registry, since the given one would assign new ids."""
    with registry.read() as session:
        registry_is_used = session.scalar(select(File.sha256).limit(1)) or session.scalar(
            select(Run.id).where(Run.outcome == "published").limit(1)
        )
    if workplace.home.has_published_run and registry_is_used is None:
        raise HarmoniaError(
            f"registry {registry.shown_url} knows none of the files landed in {workplace.home.root}, which was published with another: "
            "name that one with --registry-url (or HARMONIA_REGISTRY_URL); if it is lost, restore a backup into an empty home"
        )
    published_seal.require_current_registry(workplace.home, registry)


@dg.asset(
    group_name="land",
    kinds={"file", "sqlite"},
    pool=WRITER_POOL,
    description="Files as received, stored by content hash, and a receipt for each delivery.",
)
def landing(context: dg.AssetExecutionContext, workplace: dg.ResourceParam[Workplace]) -> dg.Output[Any]:
    """Land the deliveries that are in the inbox.

    The output has the tables `deliveries` (all landed deliveries), `findings` (problems of the inbox itself) and `run` (the number of this
    run in the registry).
    """
    with redact_stage_errors(workplace, "landing", context):
        registry = open_registry(workplace.registry)
        try:
            _require_matching_registry(workplace, registry)
            run = begin_run(registry)
            report = land_deliveries(workplace.inbox, workplace.home, registry)
            deliveries = _make_deliveries_frame(list_landed_deliveries(registry, workplace.home), report.new)
            _write_receipts(workplace, report.new)
        finally:
            registry.close()
        found = findings.build_findings(report.findings)
        register_deliveries_as_partitions(context, deliveries[deliveries["new"]])
    by_institution = deliveries.groupby("institution").agg(deliveries=("delivery", "size"), new=("new", "sum"), files=("files", "sum"))
    add_counts_to_asset_metadata(
        context,
        None,
        {
            "deliveries": report.deliveries,
            "new deliveries": len(report.new),
            "new files": report.new_files,
            "new bytes": report.new_bytes,
            "left alone (still being written)": report.skipped,
            "findings": len(found),
            "by institution": make_metadata_table(by_institution.reset_index()),
        },
    )
    output = {"deliveries": deliveries, "findings": found, "run": pd.DataFrame({"run": [run]})}
    version = hash_frames(deliveries.drop(columns="new"), found)
    return dg.Output(VersionedOutput(output, DataVersion(version, None)), data_version=dg.DataVersion(version))
