"""What must hold, and what should: Dagster's asset checks, with the counts behind each.

Belongs here: which checks there are. `institutions` (rows add up, one state stands), `deliveries` (no rule broken beyond its tolerance;
partitioned by delivery, reported by the run, never waited for), `whole` (nothing is lost
between the stages, the bridge adds up, what was published is what was counted), `model` (the linkage model still fits). A blocking check
stops the run before anything is published; the others warn. Does not belong here: problems of single rows. Those are findings
(`schemas/rules`).
"""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from pipelines.checks import institutions as of_institutions
from pipelines.checks import model, quality, whole


def all_checks(institutions: Sequence[str]) -> list[dg.AssetChecksDefinition]:
    """Every check, in the order of a record's way."""
    return [
        *whole.before(),
        *(check for name in institutions for check in of_institutions.checks(name)),
        model.model_still_fits,
        *whole.after(),
        *quality.checks(institutions),
    ]
