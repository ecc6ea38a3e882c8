"""Dagster checks of the outputs of assets. Each check shows the counts behind its result.

Belongs here: the list of checks. Does not belong here: problems of single rows, which are findings (`schemas/rules`). A blocking check
stops the run before it publishes; the other checks only warn.

- `institutions`: the numbers of rows add up, and each record has one accepted state
- `delivery_tolerances`: no rule exceeds its tolerance (one result for each delivery, reported by the run)
- `pipeline_wide`: no record is lost between stages, the bridge adds up, and the published tables are the computed ones
- `linkage_model`: the linkage model still fits the records
- `quality`: the quality scores of the newest quarter are within the tolerances
"""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from pipelines.checks import institutions as institution_checks
from pipelines.checks import linkage_model, pipeline_wide, quality


def list_checks(institutions: Sequence[str]) -> list[dg.AssetChecksDefinition]:
    """Return every check, in the order of the stages."""
    return [
        *pipeline_wide.list_landing_checks(),
        *(check for name in institutions for check in institution_checks.build_institution_checks(name)),
        linkage_model.model_still_fits,
        *pipeline_wide.list_output_checks(),
        *quality.build_quality_checks(institutions),
    ]
