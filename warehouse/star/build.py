"""The star as frames, and everything that is published.

Belongs here: the order of the steps. Does not belong here: any of them, databases.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from sqlalchemy import Date

from warehouse import tables
from warehouse.count import MOVES, SUMS, CountInputs, Prepared, counted, prepare, summed
from warehouse.count.quality import quality
from warehouse.indicators.catalogue import catalogue
from warehouse.loading import Rows
from warehouse.star import dimensions as dims
from warehouse.star import journeys, records
from warehouse.star.events import events as of_events
from warehouse.star.figures import CELL, figures, over

ARTICLE = ["offence", "law", "article"]
DAYS, OFFENCES = "_days", "_offences"
"""What dimensions need of the facts: the days and the articles that stand in them."""


def of_cases(inputs: CountInputs) -> dict[str, pd.DataFrame]:
    """What is made of every case by itself, by name: `warehouse.count.counted`, facts, `DAYS` (day), `OFFENCES` (offence, law, article).

    `inputs` may hold some cases alone, where all that belongs to one case or person stands together (`warehouse.star.apart`).
    """
    ready = prepare(inputs)
    found = counted(inputs, ready)
    return found | _facts(inputs, ready, found["counted"])


def of_all(inputs: CountInputs, made: Mapping[str, pd.DataFrame], facts: Mapping[str, Rows]) -> dict[str, pd.DataFrame]:
    """What is made over all cases: figures, dimensions, further figures, scorecard.

    made   `SUMS`, `MOVES`, `DAYS`, `OFFENCES` and `bridge_records` of `of_cases`, of all cases; facts: the facts of all cases
    Raises `HarmoniaError` where a bridge does not add up, and for an indicator file whose SQL does not run.
    """
    sums = summed(inputs, made[SUMS], made["bridge_records"])
    dimensions = dims.dimensions(made[DAYS]["day"], made[OFFENCES], inputs.deliveries)
    out = {name: tables.conform(tables.WAREHOUSE.tables[name], frame) for name, frame in dimensions.items()}
    further = [one for one in catalogue().values() if one.sql and not one.counted]
    with over({**facts, **out, "coverage": sums["coverage"]}) as connection:
        found = figures(connection, further).sort_values(CELL, ignore_index=True)  # the database gives rows in any order
    out["further_statistics"] = tables.conform(tables.WAREHOUSE.tables["further_statistics"], found)
    return sums | out | {"quality": tables.conform(tables.QUALITY, quality(inputs, made[MOVES]))}


def everything(inputs: CountInputs) -> dict[str, pd.DataFrame]:
    """Every published table by its name: counted, the star, and the scorecard. Raises `HarmoniaError`."""
    made = of_cases(inputs)
    published = {name: frame for name, frame in made.items() if not name.startswith("_")}
    return published | of_all(inputs, made, published)


def _facts(inputs: CountInputs, ready: Prepared, counted_: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Every `fact_` table, `DAYS` and `OFFENCES`."""
    events = of_events(inputs, ready)
    files = records.case_records(ready, events)
    charged = records.charges(ready)
    persons = journeys.persons(ready, counted_)
    cases = journeys.cases(ready, counted_, events, files, persons)
    named = [charged[ARTICLE], files.assign(offence=files["offence_reported"])[ARTICLE]]
    out = {
        "fact_case_record": files,
        "fact_person_record": records.person_records(ready.stands),
        "fact_charge": charged,
        "fact_event": events,
        "fact_sentence": records.sentences(inputs, ready, events),
        "fact_stay": records.stays(ready, events),
        "fact_reference": records.references(ready, inputs.numbers),
        "fact_case": cases,
        "fact_person": persons,
        "fact_case_snapshot": journeys.snapshots(cases, dims.period(inputs.deliveries)),
    }
    out = {name: tables.conform(tables.WAREHOUSE.tables[name], frame) for name, frame in out.items()}
    days = [out[name][c.name] for name in out for c in tables.WAREHOUSE.tables[name].columns if isinstance(c.type, Date)]
    seen = pd.concat([one.dropna().drop_duplicates() for one in days], ignore_index=True).drop_duplicates()
    return out | {DAYS: seen.rename("day").to_frame(), OFFENCES: pd.concat(named, ignore_index=True).drop_duplicates()}
