"""Map the two tables of the centres for social work to the canonical schema. A row of `persona` is a case file and its victim."""

from __future__ import annotations

import pandas as pd

from pipelines.harmonisation import builders
from pipelines.harmonisation.offences import OffenceColumns

INSTITUTION = "social_work"
OFFENCES: tuple[OffenceColumns, ...] = ()  # its records state the offence as a code


def to_canonical(tables: dict[str, pd.DataFrame]) -> dict[str, list[pd.DataFrame]]:
    """Convert the delivered rows to rows of the canonical tables. Returns a list of frames for each canonical table. The name of a shelter
    is left out.

    tables: the delivered tables `persona` and `sherbimet`, with parsed values and the record status of each row.
    """
    files, rows = tables["persona"], tables["sherbimet"]
    records = builders.build_key_columns(INSTITUTION, files).assign(
        number=builders.normalise_own_case_numbers(files["Nr_QPS"], "social_work"),
        form=files["Forma"],
        words_group=files["Vepra"],
        offence_group=files["Vepra"].fillna("other"),
        period=files["_period"],
    )
    people = builders.build_person_records(
        INSTITUTION,
        files,
        role="victim",
        given="Emri",
        surname="Mbiemri",
        parent="Emri_i_prindit",
        number="Nr_personal",
        born="Datelindja",
        sex="Gjinia",
        citizenship="Shtetesia",
        residence="Komuna",
        year_of_impossible_day=False,
    )
    people["victim_status"] = files["Statusi"]
    known = files["_key"].notna()
    stays = (rows["Lloji"] == "shelter") | (rows["Lloji"].isna() & rows["Strehimorja"].notna())
    services, sheltered = rows[~stays], rows[stays]
    return {
        "case_records": [records],
        "person_records": [people],
        "events": [
            builders.build_events(INSTITUTION, files, "supported", "Data_e_hapjes", entity="person", present=known),
            builders.build_events(INSTITUTION, files, "referred", "Data_e_referimit", entity="person", present=known),
            builders.build_events(
                INSTITUTION, files[files["Statusi"].notna()], files["Statusi"].dropna(), "Data_e_statusit", entity="person"
            ),
            _convert_entries_to_events(services, "assisted", "Prej", present=services["_key"].notna(), outcome=services["Lloji"]),
            _convert_entries_to_events(sheltered, "sheltered", "Prej", present=sheltered["_key"].notna()),
            _convert_entries_to_events(sheltered, "left_shelter", "Deri"),
        ],
        "references": [
            builders.build_references(INSTITUTION, files, "Nr_policise", kind="police"),
            builders.build_references(INSTITUTION, files, "Nr_PP", kind="prosecution"),
            builders.build_references(INSTITUTION, files, "Nr_ZMNV", kind="victim_protection"),
        ],
    }


def _convert_entries_to_events(
    rows: pd.DataFrame, event: str, column: str, present: pd.Series | None = None, outcome: pd.Series | None = None
) -> pd.DataFrame:
    """Convert services or stays to events. The number of an entry identifies it within its case file."""
    number = rows["Nr_rendor"].astype("str")
    return builders.build_events(INSTITUTION, rows, event, column, entity="person", present=present, outcome=outcome, entry=number)
