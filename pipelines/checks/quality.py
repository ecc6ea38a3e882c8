"""Each institution's newest quarter against its own tolerance: a check a dimension, from the table `quality`.

Belongs here: telling Dagster. Does not belong here: the counting (`warehouse/count/quality`). A warning, never a stop: one institution's
bad quarter holds up nobody.
"""

from collections.abc import Sequence

import dagster as dg
import pandas as pd

from pipelines.assets.describing import check, table
from pipelines.resources.lake import Tables
from schemas.findings import DIMENSIONS

_SHOWN = ["period", "score", "tolerance", "state", "before", "trend", "records", "faulty", "whole"]


def judged(quality: pd.DataFrame, institution: str, dimension: str) -> tuple[str, pd.DataFrame]:
    """State of the newest quarter that the institution delivered (`not_applicable` where there is none), and its quarters."""
    own = quality[(quality["institution"] == institution) & (quality["dimension"] == dimension) & quality["unit"].isna()]
    own = own.sort_values("period")
    delivered = own[(own["records"] > 0) | (own["whole"] > 0)]
    return ("not_applicable" if delivered.empty else str(delivered["state"].iloc[-1])), own[_SHOWN]


def _check(institution: str, dimension: str) -> dg.AssetChecksDefinition:
    @check(
        asset="statistics",
        name=f"{institution}_{dimension}",
        description=f"{dimension.capitalize()} of {institution}'s newest quarter is within its own tolerance.",
    )
    def within_own_tolerance(statistics: Tables) -> dg.AssetCheckResult:
        state, quarters = judged(statistics["quality"], institution, dimension)
        said = {"within": None, "beyond": "Beyond its own tolerance.", "not_applicable": "Not applicable: nothing to judge. Not passed."}
        return dg.AssetCheckResult(
            passed=state == "within",
            severity=dg.AssetCheckSeverity.WARN,
            description=said[state],
            metadata={"state": state, "quarters": table(quarters)},
        )

    return within_own_tolerance


def checks(institutions: Sequence[str]) -> list[dg.AssetChecksDefinition]:
    """A check for each institution and dimension that rules judge on records."""
    return [_check(name, dimension) for name in institutions for dimension in DIMENSIONS if dimension != "timeliness"]
