"""Quality of each institution's newest quarter against its tolerance, from the table `quality`.

Belongs here: the check. Does not belong here: the scores (`warehouse/count/quality`). A warning: it blocks
nobody.
"""

from collections.abc import Sequence

import dagster as dg
import pandas as pd

from pipelines.describing import check, table
from pipelines.resources.lake import Tables
from schemas.findings import DIMENSIONS

_SHOWN = ["period", "score", "tolerance", "state", "before", "trend", "records", "faulty", "whole"]


def newest_state(quality: pd.DataFrame, institution: str, dimension: str) -> tuple[str, pd.DataFrame]:
    """State of the newest quarter that the institution delivered (`not_applicable` where there is none), and its quarters."""
    own = quality[(quality["institution"] == institution) & (quality["dimension"] == dimension) & quality["unit"].isna()]
    own = own.sort_values("period")
    delivered = own[(own["records"] > 0) | (own["whole"] > 0)]
    return ("not_applicable" if delivered.empty else str(delivered["state"].iloc[-1])), own[_SHOWN]


def _check(institution: str) -> dg.AssetChecksDefinition:
    @check(
        asset="statistics",
        name=f"{institution}_quality_within_tolerance",
        description=f"Every quality dimension of {institution}'s newest quarter is within its tolerance.",
    )
    def within_own_tolerance(statistics: Tables) -> dg.AssetCheckResult:
        quality = statistics["quality"]
        found = {name: newest_state(quality, institution, name) for name in DIMENSIONS if name != "timeliness"}
        exceeding = [name for name, (state, _) in found.items() if state == "beyond"]
        not_applicable = [name for name, (state, _) in found.items() if state == "not_applicable"]
        sentences = [f"Beyond its own tolerance: {', '.join(exceeding)}."] if exceeding else []
        sentences += [f"Not applicable, and not passed: {', '.join(not_applicable)}: nothing to judge."] if not_applicable else []
        return dg.AssetCheckResult(
            passed=not exceeding and not not_applicable,
            severity=dg.AssetCheckSeverity.WARN,
            description=" ".join(sentences) or None,
            metadata={
                **{name: state for name, (state, _) in found.items()},
                **{f"{name} by quarter": table(q) for name, (_, q) in found.items()},
            },
        )

    return within_own_tolerance


def checks(institutions: Sequence[str]) -> list[dg.AssetChecksDefinition]:
    """A check for each institution, over the dimensions that rules judge on records."""
    return [_check(name) for name in institutions]
