"""Map the register of detainees and prisoners to the canonical schema: each row is one stay in one facility."""

from __future__ import annotations

import pandas as pd

from pipelines.harmonisation import builders, sentences
from pipelines.harmonisation.offences import OffenceColumns, classify_offences
from sources import contract

INSTITUTION = "corrections"
OFFENCES = (OffenceColumns("te_burgosurit", article="Vepra"),)


def to_canonical(tables: dict[str, pd.DataFrame]) -> dict[str, list[pd.DataFrame]]:
    """Convert the delivered rows to rows of the canonical tables. Returns a list of frames for each canonical table.

    tables: the delivered table `te_burgosurit`, with parsed values and the record status of each row.
    """
    rows = tables["te_burgosurit"]
    records = builders.build_key_columns(INSTITUTION, rows).assign(
        seat=builders.find_code("seats", rows["Gjykata"]),
        state=None,
        period=rows["_period"],
    )
    people = builders.build_person_records(
        INSTITUTION,
        rows,
        role="prisoner",
        given="Emri",
        surname="Mbiemri",
        parent="Emri i babait",
        number="Nr. personal",
        born="Data e lindjes",
        sex="Gjinia",
        citizenship="Shtetësia",
        register="ID",
    ).assign(sentence_months=sentences.parse_prison_sentences_in_months(rows["Dënimi"]).round().astype("Int64"))
    charges = builders.build_key_columns(INSTITUTION, rows).assign(**classify_offences(rows, OFFENCES[0]).drop(columns="problem"))
    known = rows[rows["Statusi"].notna()]
    return {
        "case_records": [records],
        "person_records": [people],
        "charges": [charges],
        "events": [
            builders.build_events(INSTITUTION, known, known["Statusi"], "Data e pranimit", entity="person", present=known["_key"].notna()),
            builders.build_events(INSTITUTION, rows, "released", "Data e lirimit", entity="person", outcome=_find_release_reasons(rows)),
        ],
        "references": [builders.build_references(INSTITUTION, rows, "Nr. i aktgjykimit", kind="court")],
    }


def _find_release_reasons(rows: pd.DataFrame) -> pd.Series:
    """Return the reason why each prisoner was released, as a code of the contract. The code is `other` if the contract does not know the
    delivered words.

    `transfer` means that the prisoner was moved to another facility.
    """
    delivered = rows["Arsyeja e lirimit"]
    prefixes = contract.load(INSTITUTION).tables["te_burgosurit"].column("Arsyeja e lirimit").prefixes
    reason = delivered.mask(delivered.notna(), "other")
    for prefix, meaning in prefixes.items():
        reason = reason.mask(delivered.str.casefold().str.startswith(prefix.casefold(), na=False), meaning)
    return reason
