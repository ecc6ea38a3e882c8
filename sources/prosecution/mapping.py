"""Map the prosecution's four tables to the canonical schema."""

from __future__ import annotations

import pandas as pd

from pipelines.harmonisation import builders, case_numbers
from pipelines.harmonisation.offences import OffenceColumns, classify_offences

INSTITUTION = "prosecution"
OFFENCES = (OffenceColumns("akuza", article="neni", law="ligji", paragraph="paragrafi", principal="kryesore"),)


def to_canonical(tables: dict[str, pd.DataFrame]) -> dict[str, list[pd.DataFrame]]:
    """Convert the delivered rows to rows of the canonical tables. Returns a list of frames for each canonical table.

    tables: the delivered tables `lenda`, `pala`, `akuza` and `vendimi`, with parsed values and the record status of each row.
    """
    files, parties, charges = tables["lenda"], tables["pala"], tables["akuza"]
    joined = files["statusi"] == "merged"
    records = builders.build_key_columns(INSTITUTION, files).assign(
        number=builders.normalise_own_case_numbers(files["nr_lendes"], "prosecution"),
        seat=builders.find_code("seats", files["prokuroria"]),
        state=files["statusi"],
        source=files["burimi"],
        merged_into=case_numbers.normalise_case_numbers(files["nr_burimit"].where(joined), "prosecution"),
        period=files["_period"],
    )
    people = builders.build_person_records(
        INSTITUTION,
        parties,
        role=parties["roli"],
        full="emri_mbiemri",
        parent="emri_babait",
        number="nr_personal",
        born="datelindja",
        sex="gjinia",
        citizenship="shtetesia",
        residence="komuna",
    )
    party_charges = builders.build_key_columns(INSTITUTION, charges).assign(
        form=charges["forma"],
        principal=(charges["kryesore"] == "true").where(charges["kryesore"].notna()),
        **classify_offences(charges, OFFENCES[0]).drop(columns="problem"),
    )
    return {
        "case_records": [records],
        "person_records": [people],
        "charges": [party_charges],
        "events": [
            builders.build_events(INSTITUTION, files, "received", "data_pranimit", entity="case", present=files["_key"].notna()),
            *_convert_decisions_to_events(tables["vendimi"]),
        ],
        "references": [builders.build_references(INSTITUTION, files[~joined], "nr_burimit")],
    }


def _convert_decisions_to_events(decisions: pd.DataFrame) -> list[pd.DataFrame]:
    """Convert decisions to events. The event of a decision belongs to the person if the decision names a party, otherwise to the case. The
    outcome of an indictment is the number of the indictment."""
    known = decisions["lloji"].notna()
    named = decisions["pala_id"].notna()
    of_person = decisions[known & named]
    of_person = of_person.assign(_record=of_person["pala_id"].astype("str"))
    out = []
    for rows, entity in ((decisions[known & ~named], "case"), (of_person, "person")):
        happened = pd.Series(True, index=rows.index)
        out.append(
            builders.build_events(INSTITUTION, rows, rows["lloji"], "data", entity=entity, present=happened, outcome=rows["nr_aktakuzes"])
        )
    return out
