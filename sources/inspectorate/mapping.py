"""Map the inspectorate's list of cases to the canonical schema: each row is a case and its only suspect."""

from __future__ import annotations

import pandas as pd

from pipelines.harmonisation import builders
from pipelines.harmonisation.offences import OffenceColumns, classify_offences

INSTITUTION = "inspectorate"
OFFENCES = (OffenceColumns("lendet", article="Vepra e dyshuar", days=("Data e pranimit",)),)


def to_canonical(tables: dict[str, pd.DataFrame]) -> dict[str, list[pd.DataFrame]]:
    """Convert the delivered rows to rows of the canonical tables. Returns a list of frames for each canonical table.

    tables: the delivered table `lendet`, with parsed values and the record status of each row.
    """
    rows = tables["lendet"]
    sent = (rows["Statusi"] == "sent") | rows["Data e dërgimit:given"]
    records = builders.build_key_columns(INSTITUTION, rows).assign(
        number=builders.normalise_own_case_numbers(rows["Nr. i lëndës"], "inspectorate"),
        state=rows["Statusi"],
        period=rows["_period"],
        **classify_offences(rows, OFFENCES[0]).drop(columns=["paragraph", "problem"]),
    )
    people = builders.build_person_records(INSTITUTION, rows, role="suspect", full="Emri dhe mbiemri", number="Nr. personal")
    return {
        "case_records": [records],
        "person_records": [people.assign(rank=rows["Grada"])],
        "events": [
            builders.build_events(INSTITUTION, rows, "reported", "Data e pranimit", entity="case", present=rows["_key"].notna()),
            builders.build_events(INSTITUTION, rows, "sent", "Data e dërgimit", entity="case", present=sent),
        ],
        "references": [builders.build_references(INSTITUTION, rows, "Nr. i prokurorisë", kind="prosecution")],
    }
