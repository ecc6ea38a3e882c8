"""The star as frames, and everything that is published.

Belongs here: the order of the steps. Does not belong here: any of them, databases.
"""

from __future__ import annotations

from collections.abc import Mapping

import duckdb
import pandas as pd
from sqlalchemy import Date, Table

from warehouse import tables
from warehouse.count import CountInputs, Prepared, counted, prepare, summed
from warehouse.count.cube import KEYS
from warehouse.count.made import BRIDGED, CHARGED, MOVES, RECONCILED, SUMS
from warehouse.count.quality import quality
from warehouse.indicators.catalogue import catalogue
from warehouse.loading import Rows, held, show
from warehouse.star import dimensions as dims
from warehouse.star import journeys, records
from warehouse.star import tables as star
from warehouse.star.events import events as of_events
from warehouse.star.figures import CELL, figures, over

ARTICLE = ["offence", "law", "article"]
OF_CASES = (
    *(tables.COUNTED, SUMS, MOVES, RECONCILED, BRIDGED, CHARGED),
    *(star.FACT_CASE_RECORD, star.FACT_PERSON_RECORD, star.FACT_CHARGE, star.FACT_EVENT, star.FACT_SENTENCE, star.FACT_STAY),
    *(star.FACT_REFERENCE, star.FACT_CASE, star.FACT_PERSON),
)
"""What is made of every case by itself; all else that is published is made of these, over all cases."""
PUBLISHED = [table.name for table in OF_CASES if table.name in tables.WAREHOUSE.tables]
"""Those of them that are published as they are."""


def of_cases(inputs: CountInputs) -> dict[str, pd.DataFrame]:
    """What is made of every case by itself, by name, each with `case_id`: `counted`, facts, and the tables of `warehouse.count.made`.

    `inputs` may hold some cases alone, where all that belongs to one case or person stands together (`warehouse.star.apart`). Of
    deliveries and other cases they say no more than what `warehouse.star.prints` tells of each row.
    """
    ready = prepare(inputs)
    found = counted(inputs, ready)
    return found | _facts(inputs, ready, found["counted"])


def of_all(inputs: CountInputs, made: Mapping[str, Rows]) -> dict[str, pd.DataFrame]:
    """What is made over all cases: figures, what is reconciled and bridged, dimensions, snapshots, further figures, scorecard.

    made   what `of_cases` makes, of all cases
    Raises `HarmoniaError` where a bridge does not add up, and for an indicator file whose SQL does not run.
    """
    added, days, articles = _over_all(made)
    sums = summed(inputs, {SUMS.name: added, **{table.name: _held(made, table) for table in (RECONCILED, BRIDGED)}})
    dimensions = dims.dimensions(days, articles, inputs.deliveries)
    dimensions["fact_case_snapshot"] = journeys.snapshots(_held(made, star.FACT_CASE), dimensions["dim_period"])
    out = {name: tables.conform(tables.WAREHOUSE.tables[name], frame) for name, frame in dimensions.items()}
    further = [one for one in catalogue().values() if one.sql and not one.counted]
    with over({**made, **out, "coverage": sums["coverage"]}) as connection:
        figured = figures(connection, further).sort_values(CELL, ignore_index=True)  # the database gives rows in any order
    out["further_statistics"] = tables.conform(tables.WAREHOUSE.tables["further_statistics"], figured)
    return sums | out | {"quality": tables.conform(tables.QUALITY, quality(inputs, _held(made, MOVES)))}


def everything(inputs: CountInputs) -> dict[str, pd.DataFrame]:
    """Every published table by its name: counted, the star, and the scorecard. Raises `HarmoniaError`."""
    made = of_cases(inputs)
    return {name: made[name] for name in PUBLISHED} | of_all(inputs, made)


def _held(made: Mapping[str, Rows], table: Table) -> pd.DataFrame:
    return tables.conform(table, held(made[table.name]))


def _over_all(made: Mapping[str, Rows]) -> tuple[pd.DataFrame, pd.Series, pd.DataFrame]:
    """`SUMS` without the cases; every day that stands in the facts; every article that is named."""
    with duckdb.connect() as connection:
        for table in OF_CASES:
            show(connection, table.name, made[table.name])
        keys, values = ", ".join(KEYS), ", ".join(f"sum({name})::BIGINT AS {name}" for name in ("as_reported", "harmonised"))
        added = connection.execute(f"SELECT {keys}, {values} FROM {SUMS.name} GROUP BY ALL ORDER BY ALL").df()
        dated = [
            (table.name, c.name) for table in OF_CASES if table.name.startswith("fact_") for c in table.columns if isinstance(c.type, Date)
        ]
        every = " UNION ".join(f'SELECT "{column}"::DATE AS day FROM "{name}"' for name, column in dated)
        days = connection.execute(f"SELECT day FROM ({every}) WHERE day IS NOT NULL ORDER BY day").df()["day"]
        articles = connection.execute(f"SELECT DISTINCT {', '.join(ARTICLE)} FROM {CHARGED.name} ORDER BY ALL").df()
    return added.astype(dict.fromkeys(KEYS, "str")), days, articles.astype("str")


def _facts(inputs: CountInputs, ready: Prepared, counted_: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Every `fact_` table of cases, and `CHARGED`."""
    events = of_events(inputs, ready)
    files = records.case_records(ready, events)
    charged = records.charges(ready)
    persons = journeys.persons(ready, counted_)
    cases = journeys.cases(ready, counted_, events, files, persons)
    named = [charged[["case_id", *ARTICLE]], files.assign(offence=files["offence_reported"])[["case_id", *ARTICLE]]]
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
    }
    out = {name: tables.conform(tables.WAREHOUSE.tables[name], frame) for name, frame in out.items()}
    return out | {CHARGED.name: tables.conform(CHARGED, pd.concat(named, ignore_index=True).drop_duplicates())}
