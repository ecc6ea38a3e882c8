"""From the inbox to bytes that stay: every file as it was received, a receipt for every delivery."""

import dagster as dg
import pandas as pd

from pipelines.assets.describing import careful, say, table
from pipelines.landing import LandedDelivery, land, landed
from pipelines.registry import open_registry
from pipelines.registry.ledger import begin_run
from pipelines.resources.workplace import Workplace
from schemas import findings


def _frame(deliveries: list[LandedDelivery], new: list[LandedDelivery]) -> pd.DataFrame:
    """institution, delivery, files, new: whether this run received it, or received other bytes for it."""
    fresh = {(one.institution, str(one.name)) for one in new}
    rows = [(one.institution, str(one.name), len(one.files), (one.institution, str(one.name)) in fresh) for one in deliveries]
    return pd.DataFrame(rows, columns=["institution", "delivery", "files", "new"]).astype({"institution": "str", "delivery": "str"})


@dg.asset(
    group_name="landing", kinds={"file", "sqlite"}, description="Every file as received, by content hash; a receipt for every delivery."
)
def landing(context: dg.AssetExecutionContext, workplace: dg.ResourceParam[Workplace]) -> dict[str, pd.DataFrame]:
    """`deliveries`: those that stand landed. `findings`: what is wrong in the inbox itself. `run`: its number in the ledger."""
    with careful(workplace, "landing"):
        registry = open_registry(workplace.registry)
        try:
            run = begin_run(registry)
            report = land(workplace.inbox, workplace.home, registry)
            deliveries = _frame(landed(registry, workplace.home), report.new)
        finally:
            registry.close()
        found = findings.frame(report.findings)
    by_institution = deliveries.groupby("institution").agg(deliveries=("delivery", "size"), new=("new", "sum"), files=("files", "sum"))
    say(
        context,
        None,
        {
            "deliveries": report.deliveries,
            "new deliveries": len(report.new),
            "new files": report.new_files,
            "new bytes": report.new_bytes,
            "left alone (still being written)": report.left_alone,
            "findings": len(found),
            "by institution": table(by_institution.reset_index()),
        },
    )
    return {"deliveries": deliveries, "findings": found, "run": pd.DataFrame({"run": [run]})}
