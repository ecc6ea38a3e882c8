"""Check whether the linkage model still fits the records that institutions deliver. The check only warns; it never stops a run.

Belongs here: the check on the asset `links`. Does not belong here: measuring how far the records have drifted from the model
(`pipelines.linkage.drift`).
"""

from __future__ import annotations

import dagster as dg

from pipelines.asset_helpers import asset_check, make_metadata_table, redact_stage_errors
from pipelines.linkage import LinkageResult, load_linkage_model
from pipelines.linkage.drift import measure_drift
from pipelines.resources.workplace import Workplace


@asset_check(
    asset="links",
    description="Agreement of fields between institutions is as it was when the linkage model was trained.",
)
def model_still_fits(links: LinkageResult, workplace: dg.ResourceParam[Workplace]) -> dg.AssetCheckResult:
    """Check for each institution, quarter and field whether records agree as often as they did when the model was trained.

    An alarm means that the delivery is wrong (for example shifted dates or another script), or that the population has changed. Look at the
    records first, then train the model again.
    """
    with redact_stage_errors(workplace, "comparing with the linkage model"):
        model = load_linkage_model()
        drift = measure_drift(links.reached, model)
    alarms = drift[drift["alarm"]].drop(columns="alarm").round({"share": 3, "expected": 3})
    cells = drift[["institution", "period", "field"]].drop_duplicates()
    return dg.AssetCheckResult(
        passed=alarms.empty,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "model": model.version,
            "compared": len(cells),
            "levels that drifted": len(alarms),
            "which": make_metadata_table(alarms),
            "watched": ", ".join(model.expected) or "nothing: the model holds no expected shares; train one with `harmonia link train`",
        },
    )
