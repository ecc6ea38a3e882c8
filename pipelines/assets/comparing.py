"""What only another institution's record shows: gathered once a quarter, told as far as agreements allow, the rest for stewards."""

import dagster as dg
import pandas as pd

from pipelines.assets.describing import careful, say, table
from pipelines.comparison import rounds
from pipelines.comparison.again import registered_twice
from pipelines.comparison.agreements import matrix
from pipelines.comparison.evidence import gather
from pipelines.comparison.telling import as_findings, told, withheld
from pipelines.registry import open_registry
from pipelines.resources.lake import Tables
from pipelines.resources.workplace import Workplace


@dg.asset(
    group_name="linking",
    kinds={"pandas", "sqlite"},
    description="What institutions' records say about each other's, told only where an agreement allows it.",
)
def comparison(
    context: dg.AssetExecutionContext,
    canonical: Tables,
    identities: Tables,
    standing: Tables,
    workplace: dg.ResourceParam[Workplace],
) -> dict[str, pd.DataFrame]:
    """`findings`: `schemas.findings.COLUMNS`. `withheld`: the newest evidence of each institution that no agreement lets be told."""
    with careful(workplace, "comparing between institutions"):
        agreements, deliveries = matrix(), standing["deliveries"]
        early = standing["findings"].loc[standing["findings"]["rule"] == "delivery-before-quarter-end", ["institution", "delivery"]]
        quarters = rounds.current(deliveries, early)
        registry = open_registry(workplace.registry)
        try:
            made = rounds.keep(registry, quarters, lambda: gather(canonical, identities["cases"], identities["persons"], deliveries))
            evidence = rounds.held(registry, agreements.cells["receiver"].unique(), quarters)
        finally:
            registry.close()
        by_round = evidence.groupby("period")
        parts = [told(found.drop(columns="period"), agreements).assign(period=period) for period, found in by_round]
        rows = (
            pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["institution", "record_key", "field", "rule", "period"])
        )
        found = pd.concat([registered_twice(canonical), as_findings(rows, deliveries, standing["lineage"])], ignore_index=True)
        newest = evidence.merge(quarters.rename(columns={"institution": "receiver"}), on=["receiver", "period"])
        apart = withheld(newest, agreements)
    counts = found.groupby(["institution", "rule"]).size().rename("findings").reset_index()
    say(
        context,
        len(found),
        {"rounds made": made, "cells that agreements allow": len(agreements.cells), "withheld": len(apart), "by rule": table(counts)},
    )
    return {"findings": found, "withheld": apart}
