"""All evidence between institutions. Belongs here: combining the kinds. Does not belong here: any one of them."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from harmonia.comparison import flows, people, references
from harmonia.comparison.evidence import EVIDENCE, LinkedRecords


def collect_evidence(
    canonical: Mapping[str, pd.DataFrame], cases: pd.DataFrame, persons: pd.DataFrame, deliveries: pd.DataFrame
) -> pd.DataFrame:
    """All evidence (`EVIDENCE`) between institutions on differing records, with agreeing senders; agreements are not applied.

    canonical: tables of `schemas.canonical`; cases, persons: record to `case_id`, `person_id`; deliveries: institution, period, state.
    """
    linked = LinkedRecords(canonical, cases, persons, deliveries)
    parts = [people.evidence(linked), references.evidence(linked), flows.evidence(linked)]
    out = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    text = [column for column in EVIDENCE if column not in ("same", "group")]
    return out.astype({**dict.fromkeys(text, "str"), "group": "Int64"})
