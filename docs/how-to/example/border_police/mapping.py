"""From the Border Police's list of cases to the canonical schema: each row is a case and its one suspect."""

from __future__ import annotations

import pandas as pd

from pipelines.harmonisation import builders
from pipelines.harmonisation.offences import OffenceColumns, classify_offences

INSTITUTION = "border_police"
OFFENCES = (OffenceColumns("cases", article="article", words="offence", days=("received_on",)),)


def to_canonical(tables: dict[str, pd.DataFrame]) -> dict[str, list[pd.DataFrame]]:
    """`cases` (typed, with status) to rows of the canonical tables."""
    rows = tables["cases"]
    records = builders.build_key_columns(INSTITUTION, rows).assign(
        number=rows["case_no"],
        state=rows["status"],
        period=rows["_period"],
        **classify_offences(rows, OFFENCES[0]).drop(columns=["paragraph", "problem"]),
    )
    people = builders.build_person_records(
        INSTITUTION,
        rows,
        role="suspect",
        full="name",
        number="personal_no",
        born="born",
        sex="sex",
        citizenship="citizenship",
    )
    sent = (rows["status"] == "sent") | rows["sent_on:given"]
    return {
        "case_records": [records],
        "person_records": [people],
        "events": [
            builders.build_events(INSTITUTION, rows, "reported", "received_on", entity="case", present=rows["_key"].notna()),
            builders.build_events(INSTITUTION, rows, "sent", "sent_on", entity="case", present=sent),
        ],
        "references": [builders.build_references(INSTITUTION, rows, "prosecution_no", kind="prosecution")],
    }
