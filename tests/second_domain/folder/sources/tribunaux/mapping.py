"""From the two files of Valmira's courts to the canonical schema; a defendant's row has the charge, the judgment and the sentence."""

from __future__ import annotations

import pandas as pd

from pipelines.harmonisation import builders
from pipelines.harmonisation.offences import OffenceColumns, classify_offences

INSTITUTION = "tribunaux"
OFFENCES = (OffenceColumns("prevenus", article="article", law="loi"),)


def to_canonical(tables: dict[str, pd.DataFrame]) -> dict[str, list[pd.DataFrame]]:
    """`affaires`, `prevenus` (typed, with status) to rows of the canonical tables."""
    files, people = tables["affaires"], tables["prevenus"]
    records = builders.build_key_columns(INSTITUTION, files).assign(
        number=builders.normalise_own_case_numbers(files["affaire"], INSTITUTION),
        seat=builders.find_code("seats", files["siege"]),
        period=files["_period"],
    )
    persons = builders.build_person_records(
        INSTITUTION, people, role="defendant", given="prenom", surname="nom", born="naissance", sex="sexe", citizenship="pays"
    ).assign(sentence_months=people["mois"])
    charges = builders.build_key_columns(INSTITUTION, people).assign(
        principal=pd.Series(True, index=people.index), **classify_offences(people, OFFENCES[0]).drop(columns="problem")
    )
    judged = people["issue"].notna()
    imprisoned = people[people["mois"].notna()]
    return {
        "case_records": [records],
        "person_records": [persons],
        "charges": [charges],
        "events": [
            builders.build_events(INSTITUTION, files, "received", "recu", entity="case", present=files["_key"].notna()),
            builders.build_events(INSTITUTION, people, "judged", "jugement", entity="person", present=judged, outcome=people["issue"]),
            builders.build_events(INSTITUTION, people, "final", "definitif", entity="person", outcome=people["issue"]),
        ],
        "sentences": [builders.build_key_columns(INSTITUTION, imprisoned).assign(kind="imprisonment", months=imprisoned["mois"])],
        "references": [builders.build_references(INSTITUTION, files, "renvoi", kind="ministere_public")],
    }
