"""Map the register of detainees and prisoners to the canonical schema: each row is one stay in one facility."""

from __future__ import annotations

import pandas as pd

from pipelines.harmonisation import builders, sentences
from pipelines.harmonisation.offences import OffenceColumns, classify_offences
from sources import contract

INSTITUTION = "corrections"
OFFENCES = (OffenceColumns("te_burgosurit", article="Vepra"),)


def to_canonical(tables: dict[str, pd.DataFrame]) -> dict[str, list[pd.DataFrame]]:
    """Return the rows of the canonical tables, by table. tables: `te_burgosurit`, typed, with record status."""
    rows = tables["te_burgosurit"]
    records = builders.build_key_columns(INSTITUTION, rows).assign(
        seat=builders.code_of("seats", rows["Gjykata"]),
        state=None,
        period=rows["_period"],
    )
    people = builders.persons(
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
    ).assign(sentence_months=sentences.sentence_months(rows["Dënimi"]).round().astype("Int64"))
    charges = builders.build_key_columns(INSTITUTION, rows).assign(**classify_offences(rows, OFFENCES[0]).drop(columns="problem"))
    known = rows[rows["Statusi"].notna()]
    return {
        "case_records": [records],
        "person_records": [people],
        "charges": [charges],
        "events": [
            builders.events(INSTITUTION, known, known["Statusi"], "Data e pranimit", entity="person", present=known["_key"].notna()),
            builders.events(INSTITUTION, rows, "released", "Data e lirimit", entity="person", outcome=_release_reasons(rows)),
        ],
        "references": [builders.references(INSTITUTION, rows, "Nr. i aktgjykimit", kind="court")],
    }


def _release_reasons(rows: pd.DataFrame) -> pd.Series:
    """Return the code of the contract for the reason of each release; `other` if the wording is unknown.

    `transfer` means that the prisoner was moved to another facility.
    """
    delivered = rows["Arsyeja e lirimit"]
    prefixes = contract.load(INSTITUTION).tables["te_burgosurit"].column("Arsyeja e lirimit").prefixes
    reason = delivered.mask(delivered.notna(), "other")
    for prefix, meaning in prefixes.items():
        reason = reason.mask(delivered.str.casefold().str.startswith(prefix.casefold(), na=False), meaning)
    return reason
