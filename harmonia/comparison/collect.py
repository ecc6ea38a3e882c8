"""Collect all evidence between institutions.

Belongs here: combining the kinds of evidence. Does not belong here: collecting one kind of evidence (`people`, `references`, `flows`).
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from harmonia.comparison import flows, people, references
from harmonia.comparison.evidence import EVIDENCE, LinkedRecords


def collect_evidence(
    canonical: Mapping[str, pd.DataFrame], case_ids: pd.DataFrame, person_ids: pd.DataFrame, deliveries: pd.DataFrame
) -> pd.DataFrame:
    """Collect all evidence on records that differ from records of other institutions. Columns out: `EVIDENCE`.

    For a record that differs from one institution, the evidence also has rows of the institutions that agree with it. What may be
    reported is not decided here. canonical: the tables of `schemas.canonical`, by name. case_ids, person_ids: the id of each record, with
    the columns institution, record_key and `case_id` or `person_id`. deliveries: the deliveries, with institution, period and state.
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
