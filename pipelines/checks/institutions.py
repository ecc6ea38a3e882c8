"""Checks on the records of one institution. `build_institution_checks` makes them for each institution."""

import dagster as dg
import pandas as pd

from pipelines.asset_helpers import asset_check
from pipelines.record_status import ROW_OUTCOMES
from pipelines.resources.lake import Tables
from schemas.canonical import STATUSES


def find_unbalanced_files(accounting: pd.DataFrame) -> pd.DataFrame:
    """Return the files in which the number of rows read differs from the sum of the numbers of rows by record status.

    See `docs/reference/counting-rules.md`, "Record status".
    """
    return accounting[accounting["read"] != accounting[list(ROW_OUTCOMES)].sum(axis=1)]


def count_records_with_several_accepted_states(lineage: pd.DataFrame) -> int:
    """Return the number of records with more than one accepted state."""
    accepted = lineage[lineage["status"] == "accepted"]
    return int(accepted.duplicated(["entity", "record_key"]).sum())


def build_institution_checks(institution: str) -> list[dg.AssetChecksDefinition]:
    """Return the checks on the asset `<institution>/current`, which has the record status of all rows."""
    stage = dg.AssetKey([institution, "current"])

    @asset_check(asset=stage, blocking=True, description="Every row read is accounted for.")
    def rows_add_up(current: Tables) -> dg.AssetCheckResult:
        accounting = current["accounting"]
        unbalanced = find_unbalanced_files(accounting)
        sums = {name: int(accounting[name].sum()) for name in ("read", *ROW_OUTCOMES)}
        return dg.AssetCheckResult(
            passed=unbalanced.empty, metadata={"files": len(accounting), "files that do not add up": len(unbalanced), **sums}
        )

    @asset_check(asset=stage, blocking=True, description="Each record has one current state.")
    def one_current_state(current: Tables) -> dg.AssetCheckResult:
        lineage = current["lineage"]
        ambiguous = count_records_with_several_accepted_states(lineage)
        statuses = {name: int((lineage["status"] == name).sum()) for name in STATUSES}
        return dg.AssetCheckResult(passed=ambiguous == 0, metadata={"records with several current states": ambiguous, **statuses})

    return [rows_add_up, one_current_state]
