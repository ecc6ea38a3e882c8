"""Landing: every file is stored as received, and every delivery gets a receipt."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pandas as pd
from sqlalchemy import select

from harmonia.errors import HarmoniaError
from harmonia.feedback.deliveries import received_files
from harmonia.feedback.write import write_receipt
from harmonia.registry import Registry, open_registry, published_seal
from harmonia.registry.ledger import begin_run
from harmonia.registry.tables import File, Run
from pipelines.assets.versions import content
from pipelines.checks.deliveries import register_deliveries
from pipelines.describing import WRITER, redact_stage_errors, say, table
from pipelines.landing import LandedDelivery, land, landed
from pipelines.resources.lake import Version, VersionedOutput
from pipelines.resources.workplace import Workplace
from schemas import findings
from sources import contract


def _frame(deliveries: list[LandedDelivery], new: list[LandedDelivery]) -> pd.DataFrame:
    """institution, delivery, files, new: whether this run received it, or received other bytes for it."""
    fresh = {(one.institution, str(one.name)) for one in new}
    rows = [(one.institution, str(one.name), len(one.files), (one.institution, str(one.name)) in fresh) for one in deliveries]
    types = {"institution": "str", "delivery": "str", "files": "int64", "new": "bool"}
    return pd.DataFrame(rows, columns=list(types)).astype(types)


def _receipts(workplace: Workplace, new: list[LandedDelivery]) -> None:
    """A receipt for every delivery at once, whether or not anybody will be able to read it."""
    for one in new:
        write_receipt(
            workplace.home.root,
            one.institution,
            str(one.name),
            received_files([one]),
            contract.load(one.institution).language,
            datetime.now(UTC).date(),
        )


def _is_of(workplace: Workplace, registry: Registry) -> None:
    """Whether this is the registry that the home was published with: another would begin with new ids. Raises `HarmoniaError`."""
    with registry.read() as session:
        known = session.scalar(select(File.sha256).limit(1)) or session.scalar(select(Run.id).where(Run.outcome == "published").limit(1))
    if workplace.home.published and known is None:
        raise HarmoniaError(
            f"registry {registry.place} knows none of the files landed in {workplace.home.root}, which was published with another: name "
            "that one with --registry-url (or HARMONIA_REGISTRY_URL); if it is lost, restore a backup into an empty home"
        )
    published_seal.require(workplace.home, registry)


@dg.asset(
    group_name="land",
    kinds={"file", "sqlite"},
    pool=WRITER,
    description="Files as received, stored by content hash, and a receipt for each delivery.",
)
def landing(context: dg.AssetExecutionContext, workplace: dg.ResourceParam[Workplace]) -> dg.Output[Any]:
    """`deliveries`: all landed deliveries. `findings`: problems of the inbox itself. `run`: its number in the registry."""
    with redact_stage_errors(workplace, "landing", context):
        registry = open_registry(workplace.registry)
        try:
            _is_of(workplace, registry)
            run = begin_run(registry)
            report = land(workplace.inbox, workplace.home, registry)
            deliveries = _frame(landed(registry, workplace.home), report.new)
            _receipts(workplace, report.new)
        finally:
            registry.close()
        found = findings.frame(report.findings)
        register_deliveries(context, deliveries[deliveries["new"]])
    by_institution = deliveries.groupby("institution").agg(deliveries=("delivery", "size"), new=("new", "sum"), files=("files", "sum"))
    say(
        context,
        None,
        {
            "deliveries": report.deliveries,
            "new deliveries": len(report.new),
            "new files": report.new_files,
            "new bytes": report.new_bytes,
            "left alone (still being written)": report.skipped,
            "findings": len(found),
            "by institution": table(by_institution.reset_index()),
        },
    )
    made = {"deliveries": deliveries, "findings": found, "run": pd.DataFrame({"run": [run]})}
    version = content(deliveries.drop(columns="new"), found)
    return dg.Output(VersionedOutput(made, Version(version, None)), data_version=dg.DataVersion(version))
