"""Collect all evidence between institutions. Belongs here: combining the kinds of evidence. Does not belong here: each kind."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from harmonia.comparison import flows, people, references
from harmonia.comparison.evidence import EVIDENCE, LinkedRecords


def collect_evidence(
    canonical: Mapping[str, pd.DataFrame], case_ids: pd.DataFrame, person_ids: pd.DataFrame, deliveries: pd.DataFrame
) -> pd.DataFrame:
    """Collect all evidence on records that differ from those of other institutions. Columns out: `EVIDENCE`.

    The evidence also contains rows of senders whose records agree with the receiver's. What may be reported is not decided here. canonical:
    the tables of `schemas.canonical`. case_ids: the ids of cases, with the columns institution, record_key and case_id. person_ids: the ids
    of persons, with institution, record_key and person_id. deliveries: the deliveries, with institution, period and state.
    """
    linked = LinkedRecords(canonical, case_ids, person_ids, deliveries)
    parts = [
        people.collect_evidence_on_persons(linked),
        references.collect_evidence_on_references(linked),
        flows.collect_evidence_on_missing_records(linked),
    ]
    out = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    text = [column for column in EVIDENCE if column not in ("same", "group")]
    return out.astype({**dict.fromkeys(text, "str"), "group": "Int64"})
