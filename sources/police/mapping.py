"""Map the police's two tables to the canonical schema."""

from __future__ import annotations

import pandas as pd

from pipelines.harmonisation import builders, case_numbers, offence_words
from pipelines.harmonisation.offences import OffenceColumns, classify_offences

INSTITUTION = "police"
OFFENCES = (OffenceColumns("rastet", article="Neni", words="Vepra_penale", days=("Data_e_vepres", "Data_raportimit")),)


def to_canonical(tables: dict[str, pd.DataFrame]) -> dict[str, list[pd.DataFrame]]:
    """Convert the delivered rows to rows of the canonical tables. Returns a list of frames for each canonical table.

    tables: the delivered tables `rastet` (cases) and `personat` (persons), with parsed values and the record status of each row.
    """
    cases, persons = tables["rastet"], tables["personat"]
    number = builders.normalise_own_case_numbers(cases["Nr_rastit"], "police")
    region = number.str.extract(r"^\d{4}-([A-Z]{2})-", expand=False)
    records = builders.build_key_columns(INSTITUTION, cases).assign(
        number=number,
        seat=builders.find_code("seats", region),
        municipality=builders.find_code("municipalities", cases["Komuna"]),
        state=cases["Statusi"],
        merged_into=case_numbers.normalise_case_numbers(cases["Statusi:argument"], "police"),
        form=offence_words.find_exploitation_forms(cases["Forma_shfrytezimit"]),
        offence_date=cases["Data_e_vepres"],
        period=cases["_period"],
        **classify_offences(cases, OFFENCES[0]).drop(columns=["paragraph", "problem"]),
    )
    suspects = persons["Roli"] == "suspect"
    people = builders.build_person_records(
        INSTITUTION,
        persons,
        role=persons["Roli"],
        given="Emri",
        surname="Mbiemri",
        parent="Emri_prindit",
        number="Nr_personal",
        born="Data_lindjes",
        sex="Gjinia",
        citizenship="Shtetesia",
        residence="Komuna_banimit",
        birthplace="Vendlindja",
    )
    events = [
        builders.build_events(INSTITUTION, cases, "reported", "Data_raportimit", entity="case", present=cases["_key"].notna()),
        builders.build_events(INSTITUTION, cases, "offence", "Data_e_vepres", entity="case"),
        builders.build_events(INSTITUTION, cases, "sent", "Data_dergimit_PSH", entity="case", present=_is_sent_to_prosecution(cases)),
        builders.build_events(INSTITUTION, persons[suspects], "arrested", "Data_arrestimit", entity="person"),
    ]
    return {
        "case_records": [records],
        "person_records": [people],
        "events": events,
        "references": [builders.build_references(INSTITUTION, cases, "Nr_PP", kind="prosecution")],
    }


def _is_sent_to_prosecution(cases: pd.DataFrame) -> pd.Series:
    """Return which cases were sent to the prosecution: their status says so, or a date of sending is given."""
    return (cases["Statusi"] == "sent") | cases["Data_dergimit_PSH:given"]
