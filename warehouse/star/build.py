"""The star as frames, and everything that is published.

Belongs here: the order of the steps. Does not belong here: any of them, databases.
"""

from __future__ import annotations

import pandas as pd
from sqlalchemy import Date

from warehouse import tables
from warehouse.count import CountInputs, Prepared, count, prepare
from warehouse.count.quality import quality
from warehouse.indicators.catalogue import catalogue
from warehouse.star import dimensions as dims
from warehouse.star import journeys, records
from warehouse.star.events import events as of_events
from warehouse.star.figures import CELL, figures, over


def star(inputs: CountInputs, ready: Prepared, counts: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Every table of the star by its name, with exactly its columns: dimensions, facts and `further_statistics`.

    ready  of `warehouse.count.prepare(inputs)`; counts: of `warehouse.count.count`
    Raises `HarmoniaError` for an indicator file whose SQL does not run.
    """
    out = _facts(inputs, ready, counts["counted"])
    further = [one for one in catalogue().values() if one.sql and not one.counted]
    with over({**out, "coverage": counts["coverage"]}) as connection:
        found = figures(connection, further).sort_values(CELL, ignore_index=True)  # the database gives rows in any order
    return out | {"further_statistics": tables.conform(tables.WAREHOUSE.tables["further_statistics"], found)}


def everything(inputs: CountInputs) -> dict[str, pd.DataFrame]:
    """Every published table by its name: counted, the star, and the scorecard. Raises `HarmoniaError`."""
    ready = prepare(inputs)
    counts = count(inputs, ready)
    scored = tables.conform(tables.QUALITY, quality(inputs, ready.rows))
    return counts | star(inputs, ready, counts) | {"quality": scored}


def _facts(inputs: CountInputs, ready: Prepared, counted: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Every `dim_` and `fact_` table."""
    events = of_events(inputs, ready)
    files = records.case_records(ready, events)
    charged = records.charges(ready)
    persons = journeys.persons(ready, counted)
    cases = journeys.cases(ready, counted, events, files, persons)
    named = pd.concat(
        [charged[["offence", "law", "article"]], files.assign(offence=files["offence_reported"])[["offence", "law", "article"]]]
    )
    out = {
        "fact_case_record": files,
        "fact_person_record": records.person_records(ready.stands),
        "fact_charge": charged,
        "fact_event": events,
        "fact_sentence": records.sentences(inputs, ready, events),
        "fact_stay": records.stays(ready, events),
        "fact_reference": records.references(ready),
        "fact_case": cases,
        "fact_person": persons,
    }
    out = {name: tables.conform(tables.WAREHOUSE.tables[name], frame) for name, frame in out.items()}
    days = [out[name][c.name] for name in out for c in tables.WAREHOUSE.tables[name].columns if isinstance(c.type, Date)]
    made = dims.dimensions(days, named, inputs.deliveries)
    made["fact_case_snapshot"] = journeys.snapshots(cases, made["dim_period"])
    return out | {name: tables.conform(tables.WAREHOUSE.tables[name], frame) for name, frame in made.items()}
