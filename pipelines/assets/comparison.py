"""Comparison between institutions: what the records of one institution show about missing or wrong records of another.

This evidence is collected once a quarter. What agreements allow is reported to the institution; all other evidence is kept for stewards.
"""

from typing import Any

import dagster as dg
import pandas as pd

from harmonia.comparison import snapshots
from harmonia.comparison.agreements import load_agreements
from harmonia.comparison.collect import collect_evidence
from harmonia.comparison.duplicates import find_duplicate_registrations, find_reassigned_list_positions
from harmonia.comparison.permitted import LOCATION, make_comparison_findings, select_permitted_evidence, select_restricted_evidence
from harmonia.registry import open_registry
from pipelines.asset_helpers import add_counts_to_asset_metadata, make_metadata_table, redact_stage_errors
from pipelines.assets.versions import hash_frames
from pipelines.resources import encoded_texts
from pipelines.resources.lake import DataVersion, Tables, VersionedOutput
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
    """Compare the records of institutions.

    The output has two tables. `findings` has the findings on records (columns: `schemas.findings.COLUMNS`). `withheld` has the newest
    evidence that no agreement allows the institution to see.
    """
    with redact_stage_errors(workplace, "comparing between institutions"):
        agreements, deliveries = load_agreements(), record_status["deliveries"]
        quarters, duplicates = (
            snapshots.find_newest_ended_quarters(deliveries, _find_early_deliveries(record_status)),
            find_duplicate_registrations(canonical),
        )
        registry = open_registry(workplace.registry)
        try:
            saved = snapshots.save_missing_evidence_snapshots(
                registry, quarters, lambda: collect_evidence(canonical, identities["cases"], identities["persons"], deliveries)
            )
            evidence = snapshots.load_evidence_snapshots(registry, agreements.cells["receiver"].unique(), quarters)
        finally:
            registry.close()
        by_quarter = evidence[agreements.are_allowed(evidence)].groupby("period")
        permitted_rows = [
            select_permitted_evidence(findings.drop(columns="period"), agreements).assign(period=period) for period, findings in by_quarter
        ]
        rows = (
            pd.concat(permitted_rows, ignore_index=True)
            if permitted_rows
            else pd.DataFrame(columns=["institution", "record_key", "field", "rule", "period"])
        )
        lineage = record_status.select_columns("lineage", [*LOCATION, "status"])
        persons_changed = find_reassigned_list_positions(identities["listed"], deliveries)
        findings = pd.concat([duplicates, persons_changed, make_comparison_findings(rows, deliveries, lineage)], ignore_index=True)
        newest = evidence["receiver"].map(quarters.set_index("institution")["period"]) == evidence["period"]
        withheld = select_restricted_evidence(evidence[newest], agreements)
    counts = findings.groupby(["institution", "rule"]).size().rename("findings").reset_index()
    add_counts_to_asset_metadata(
        context,
        len(findings),
        {
            "snapshots saved": saved,
            "cells that agreements allow": len(agreements.cells),
            "withheld": len(withheld),
            "by rule": make_metadata_table(counts),
        },
    )
    version = hash_frames(findings)
    return dg.Output(
        VersionedOutput({"findings": findings, "withheld": withheld}, DataVersion(version, len(findings))),
        data_version=dg.DataVersion(version),
    )


def _find_early_deliveries(record_status: Tables) -> pd.DataFrame:
    """Find the deliveries that were received before their quarter had ended. Columns of the result: institution, delivery."""
    findings = encoded_texts.concatenate_encoded_tables(
        [record_status.read_encoded_columns("findings", ["institution", "delivery", "rule"])]
    )
    return findings.loc[findings["rule"] == "delivery-before-quarter-end", ["institution", "delivery"]].astype("str")
