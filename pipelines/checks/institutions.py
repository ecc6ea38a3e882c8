"""Checks on one institution's records, made by one factory for all of them."""

import dagster as dg
import pandas as pd

from pipelines.assets.by_delivery import findings_and_rows
from pipelines.current import ACCOUNTS, Current
from pipelines.resources.portions import Portions
from schemas.canonical import STATUSES

QUARANTINE_TOLERANCE = 0.02  # share of the data rows; above it, something is wrong with a whole file rather than with rows
UNKNOWN_TOLERANCE = 0.05  # findings of unknown codes per row; above it, a code list has changed
_UNKNOWN = ("cell-code-unknown", "cell-article-unknown", "cell-words-unknown", "cell-country-unknown", "cell-place-unknown")


def rows_that_do_not_add_up(accounting: pd.DataFrame) -> pd.DataFrame:
    """Files whose rows read are not the sum of what became of them (`STATISTICS.md`, "What stands")."""
    return accounting[accounting["read"] != accounting[list(ACCOUNTS)].sum(axis=1)]


def keys_that_stand_twice(lineage: pd.DataFrame) -> int:
    """Number of records with more than one accepted state."""
    accepted = lineage[lineage["status"] == "accepted"]
    return int(accepted.duplicated(["entity", "record_key"]).sum())


def quarantined_share(accounting: pd.DataFrame) -> float | None:
    """Quarantined rows over all rows that are data; None where there are none ("not applicable" is not "passed")."""
    data = int((accounting["read"] - accounting["structural"]).sum())
    return float(accounting["quarantined"].sum() / data) if data else None


def unknown_share(findings: pd.DataFrame, rows: int) -> float | None:
    """Findings of unknown codes, articles, words, countries and places over the rows; None where there are no rows."""
    return float(findings["rule"].isin(_UNKNOWN).sum() / rows) if rows else None


def _within(share: float | None, tolerance: float, what: str) -> dg.AssetCheckResult:
    if share is None:
        return dg.AssetCheckResult(passed=True, description="Not applicable: there are no rows.", metadata={"tolerance": tolerance})
    return dg.AssetCheckResult(
        passed=share <= tolerance,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{share:.2%} {what}; tolerated are {tolerance:.0%}.",
        metadata={"share": share, "tolerance": tolerance},
    )


def checks(institution: str) -> list[dg.AssetChecksDefinition]:
    """The checks on `<institution>/validated` and `<institution>/current`."""
    stage = dg.AssetKey([institution, "current"])
    judged = dg.AssetKey([institution, "validated"])

    @dg.asset_check(asset=stage, blocking=True, description="Every row read is accounted for.")
    def rows_add_up(current: Current) -> dg.AssetCheckResult:
        wrong = rows_that_do_not_add_up(current.accounting)
        sums = {name: int(current.accounting[name].sum()) for name in ("read", *ACCOUNTS)}
        return dg.AssetCheckResult(
            passed=wrong.empty, metadata={"files": len(current.accounting), "files that do not add up": len(wrong), **sums}
        )

    @dg.asset_check(asset=stage, blocking=True, description="One state of a record stands.")
    def one_state_stands(current: Current) -> dg.AssetCheckResult:
        twice = keys_that_stand_twice(current.lineage)
        statuses = {name: int((current.lineage["status"] == name).sum()) for name in STATUSES}
        return dg.AssetCheckResult(passed=twice == 0, metadata={"records that stand twice": twice, **statuses})

    @dg.asset_check(asset=stage, description="Few rows are quarantined.")
    def few_rows_quarantined(current: Current) -> dg.AssetCheckResult:
        return _within(quarantined_share(current.accounting), QUARANTINE_TOLERANCE, "of the data rows are quarantined")

    @dg.asset_check(asset=judged, description="Codes are those of the code lists.")
    def codes_are_known(validated: Portions) -> dg.AssetCheckResult:
        share = unknown_share(*findings_and_rows(validated))
        return _within(share, UNKNOWN_TOLERANCE, "of the rows hold a code, article or place that no list knows")

    return [rows_add_up, one_state_stands, few_rows_quarantined, codes_are_known]
