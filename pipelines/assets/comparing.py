"""Comparison between institutions: evidence gathered once a quarter, shown as far as agreements allow, the rest for stewards."""

from typing import Any

import dagster as dg
import pandas as pd

from pipelines.assets.versions import content
from pipelines.comparison import rounds
from pipelines.comparison.agreements import matrix
from pipelines.comparison.duplicates import other_persons, registered_twice
from pipelines.comparison.gathering import gather
from pipelines.comparison.permitted import PLACE, as_findings, permitted, restricted
from pipelines.describing import redact_stage_errors, say, table
from pipelines.registry import open_registry
from pipelines.resources import coded
from pipelines.resources.lake import Tables, Version, Versioned
from pipelines.resources.workplace import Workplace


@dg.asset(
    group_name="link",
    kinds={"pandas", "sqlite"},
    description="Evidence of one institution's records on another's, shown only where an agreement allows it.",
)
def comparison(
    context: dg.AssetExecutionContext,
    canonical: Tables,
    identities: Tables,
    record_status: Tables,
    workplace: dg.ResourceParam[Workplace],
) -> dg.Output[Any]:
    """`findings`: `schemas.findings.COLUMNS`. `withheld`: the newest evidence on each institution that no agreement allows to show."""
    with redact_stage_errors(workplace, "comparing between institutions"):
        agreements, deliveries = matrix(), record_status["deliveries"]
        quarters, again = rounds.current(deliveries, _early(record_status)), registered_twice(canonical)
        registry = open_registry(workplace.registry)
        try:
            made = rounds.store(registry, quarters, lambda: gather(canonical, identities["cases"], identities["persons"], deliveries))
            evidence = rounds.stored(registry, agreements.cells["receiver"].unique(), quarters)
        finally:
            registry.close()
        by_round = evidence[agreements.allows(evidence)].groupby("period")
        parts = [permitted(found.drop(columns="period"), agreements).assign(period=period) for period, found in by_round]
        rows = (
            pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["institution", "record_key", "field", "rule", "period"])
        )
        lineage = record_status.some("lineage", [*PLACE, "status"])
        replaced = other_persons(identities["listed"], deliveries)
        found = pd.concat([again, replaced, as_findings(rows, deliveries, lineage)], ignore_index=True)
        newest = evidence["receiver"].map(quarters.set_index("institution")["period"]) == evidence["period"]
        apart = restricted(evidence[newest], agreements)
    counts = found.groupby(["institution", "rule"]).size().rename("findings").reset_index()
    say(
        context,
        len(found),
        {"rounds made": made, "cells that agreements allow": len(agreements.cells), "withheld": len(apart), "by rule": table(counts)},
    )
    version = content(found)
    return dg.Output(Versioned({"findings": found, "withheld": apart}, Version(version, len(found))), data_version=dg.DataVersion(version))


def _early(record_status: Tables) -> pd.DataFrame:
    """Deliveries that came before their quarter's end: institution, delivery."""
    found = coded.below([record_status.coded("findings", ["institution", "delivery", "rule"])])
    return found.loc[found["rule"] == "delivery-before-quarter-end", ["institution", "delivery"]].astype("str")
