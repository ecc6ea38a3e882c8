"""From the two tables of Valmira's police to the canonical schema."""

from __future__ import annotations

import pandas as pd

from pipelines.harmonisation import builders
from pipelines.harmonisation.offences import OffenceColumns, classify_offences

INSTITUTION = "landespolizei"
OFFENCES = (OffenceColumns("anzeigen", article="Artikel", words="Delikt", days=("Tattag", "Eingang")),)


def to_canonical(tables: dict[str, pd.DataFrame]) -> dict[str, list[pd.DataFrame]]:
    """`anzeigen`, `beteiligte` (typed, with status) to rows of the canonical tables."""
    cases, persons = tables["anzeigen"], tables["beteiligte"]
    records = builders.build_key_columns(INSTITUTION, cases).assign(
        number=builders.normalise_own_case_numbers(cases["Anzeige_Nr"], INSTITUTION),
        municipality=builders.find_code("municipalities", cases["Gemeinde"]),
        state=cases["Stand"],
        offence_date=cases["Tattag"],
        period=cases["_period"],
        **classify_offences(cases, OFFENCES[0]).drop(columns=["paragraph", "problem"]),
    )
    people = builders.build_person_records(
        INSTITUTION,
        persons,
        role=persons["Rolle"],
        given="Vorname",
        surname="Name",
        born="Geburtsdatum",
        sex="Geschlecht",
        citizenship="Staat",
    )
    sent = (cases["Stand"] == "sent") | cases["Abgabe:given"]
    return {
        "case_records": [records],
        "person_records": [people],
        "events": [
            builders.build_events(INSTITUTION, cases, "reported", "Eingang", entity="case", present=cases["_key"].notna()),
            builders.build_events(INSTITUTION, cases, "offence", "Tattag", entity="case"),
            builders.build_events(INSTITUTION, cases, "sent", "Abgabe", entity="case", present=sent),
        ],
        "references": [builders.build_references(INSTITUTION, cases, "Az_StA", kind="ministere_public")],
    }
