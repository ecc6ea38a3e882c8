"""Asset checks in Dagster, with the counts behind each.

Belongs here: the list of checks. `institutions`: row accounting, one current state per record. `deliveries`: no rule exceeds its tolerance
(partitioned by delivery, reported by the run). `whole`: nothing is lost between stages, the bridge adds up, the published tables are the
counted ones. `model`: the linkage model still fits. A blocking check stops the run before publishing; the others warn. Does not belong
here: problems of single rows, which are findings (`schemas/rules`).
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
