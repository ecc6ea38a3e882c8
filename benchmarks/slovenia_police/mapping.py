"""From the register's two tables to the canonical vocabulary. Nobody in it has a name, a number or a day of birth."""

from __future__ import annotations

import pandas as pd

from pipelines.harmonisation import builders
from pipelines.harmonisation.offences import OffenceColumns, classify_offences

INSTITUTION = "police"
OFFENCES = (OffenceColumns("events", article="offence", days=("month",)),)
LEGAL = "PRAVNA OSEBA"
LAST_AGE = 70  # of the class without an upper end
OTHER_SINCE = 2003  # until then the code N means suspect, from then on somebody else


def to_canonical(tables: dict[str, pd.DataFrame]) -> dict[str, list[pd.DataFrame]]:
    """`events`, `persons` (typed, with status) to rows of the canonical tables."""
    cases, persons = tables["events"], tables["persons"]
    records = builders.build_key_columns(INSTITUTION, cases).assign(
        number=cases["number"],
        municipality=builders.find_code("municipalities", cases["administrative_unit"]),
        state=cases["document"],
        offence_date=cases["month"],
        period=cases["_period"],
        **classify_offences(cases, OFFENCES[0]).drop(columns=["paragraph", "problem"]),
    )
    without = {"nameless": pd.Series(None, index=persons.index, dtype="str"), "nameless:given": pd.Series(False, index=persons.index)}
    year = persons["_period"].str[:4].astype(int)
    role = persons["role"].mask(persons["role:text"].str.strip().eq("N") & (year >= OTHER_SINCE), "witness")
    people = builders.build_person_records(
        INSTITUTION,
        persons.assign(**without),
        role=role,
        number="nameless",
        sex="sex",
        citizenship="citizenship",
    )
    age = persons["age_class"].str.extract(r"^(\d+) (?:DO +(\d+)|IN)", expand=True).astype("Float64")
    born = (year - ((age[0] + age[1].fillna(LAST_AGE)) // 2)).astype("Int64")
    people = people.assign(birth_year=born, birth_precision=pd.Series("year", index=born.index, dtype="str").where(born.notna()))
    people["kind"] = people["kind"].mask(born.notna(), "natural").mask(persons["age_class"] == LEGAL, "legal")
    events = [
        builders.build_events(INSTITUTION, cases, "reported", "month", entity="case", present=cases["_key"].notna()),
        builders.build_events(INSTITUTION, cases, "offence", "month", entity="case"),
    ]
    return {"case_records": [records], "person_records": [people], "events": events}
