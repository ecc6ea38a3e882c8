"""Check for each institution whether the quality of its newest quarter is within the tolerance, as the table `quality` says.

The check only warns; it never stops a run. Belongs here: the check. Does not belong here: the scores (`warehouse/count/quality`).
"""

from collections.abc import Sequence

import dagster as dg
import pandas as pd

from pipelines.asset_helpers import asset_check, make_metadata_table
from pipelines.resources.lake import Tables
from schemas.findings import DIMENSIONS

_SHOWN_COLUMNS = ["period", "score", "tolerance", "state", "before", "trend", "records", "faulty", "whole"]


def get_newest_quality_state(quality: pd.DataFrame, institution: str, dimension: str) -> tuple[str, pd.DataFrame]:
    """Return the state of an institution in a dimension of quality, in the newest quarter that the institution delivered.

    Also return the rows of all its quarters. The state is `not_applicable` if the institution delivered no quarter with records.
    """
    scores = quality[(quality["institution"] == institution) & (quality["dimension"] == dimension) & quality["unit"].isna()]
    scores = scores.sort_values("period")
    delivered = scores[(scores["records"] > 0) | (scores["whole"] > 0)]
    return ("not_applicable" if delivered.empty else str(delivered["state"].iloc[-1])), scores[_SHOWN_COLUMNS]


def _make_quality_check(institution: str) -> dg.AssetChecksDefinition:
    """Return the check for one institution. It fails if a dimension is beyond its tolerance, and if a dimension cannot be judged."""

    @asset_check(
        asset="statistics",
        name=f"{institution}_quality_within_tolerance",
        description=f"Every quality dimension of {institution}'s newest quarter is within its tolerance.",
    )
    def within_own_tolerance(statistics: Tables) -> dg.AssetCheckResult:
        quality = statistics["quality"]
        states = {name: get_newest_quality_state(quality, institution, name) for name in DIMENSIONS if name != "timeliness"}
        exceeding = [name for name, (state, _) in states.items() if state == "beyond"]
        not_applicable = [name for name, (state, _) in states.items() if state == "not_applicable"]
        sentences = [f"Beyond its own tolerance: {', '.join(exceeding)}."] if exceeding else []
        sentences += [f"Not applicable, and not passed: {', '.join(not_applicable)}: nothing to judge."] if not_applicable else []
        return dg.AssetCheckResult(
            passed=not exceeding and not not_applicable,
            severity=dg.AssetCheckSeverity.WARN,
            description=" ".join(sentences) or None,
            metadata={
                **{name: state for name, (state, _) in states.items()},
                **{f"{name} by quarter": make_metadata_table(q) for name, (_, q) in states.items()},
            },
        )

    return within_own_tolerance


def build_quality_checks(institutions: Sequence[str]) -> list[dg.AssetChecksDefinition]:
    """Return one check for each institution, over all dimensions of quality except timeliness."""
    return [_make_quality_check(name) for name in institutions]
