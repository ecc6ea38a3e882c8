"""From the file of Valmira's prosecution to the canonical schema."""

from __future__ import annotations

import pandas as pd

from pipelines.harmonisation import builders
from pipelines.harmonisation.offences import OffenceColumns, classify_offences

INSTITUTION = "ministere_public"
OFFENCES = (OffenceColumns("infractions", article="article", law="loi", principal="principale"),)


def to_canonical(tables: dict[str, pd.DataFrame]) -> dict[str, list[pd.DataFrame]]:
    """`dossiers`, `parties`, `infractions` (typed, with status) to rows of the canonical tables. A decision is one of the whole file."""
    files, parties, charges = tables["dossiers"], tables["parties"], tables["infractions"]
    records = builders.build_key_columns(INSTITUTION, files).assign(
        number=builders.normalise_own_case_numbers(files["numero"], INSTITUTION), state=files["etat"], period=files["_period"]
    )
    people = builders.build_person_records(
        INSTITUTION,
        parties,
        role=parties["qualite"],
        given="prenom",
        surname="nom",
        born="naissance",
        sex="sexe",
        citizenship="pays",
    )
    of_parties = builders.build_key_columns(INSTITUTION, charges).assign(
        principal=(charges["principale"] == "true").where(charges["principale"].notna()),
        **classify_offences(charges, OFFENCES[0]).drop(columns="problem"),
    )
    decided = files[files["etat"].isin(["indicted", "dismissed"])]
    return {
        "case_records": [records],
        "person_records": [people],
        "charges": [of_parties],
        "events": [
            builders.build_events(INSTITUTION, files, "received", "recu", entity="case", present=files["_key"].notna()),
            builders.build_events(INSTITUTION, decided, decided["etat"], "decision", entity="case", present=decided["_key"].notna()),
        ],
        "references": [builders.build_references(INSTITUTION, files, "origine", kind="landespolizei")],
    }
