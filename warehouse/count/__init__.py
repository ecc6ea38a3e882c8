"""Counting: accepted records with their case and person ids in, the contract tables out.

Belongs here: the order of the steps. Does not belong here: any rule (the modules beside this one), files and databases
(`warehouse/publish`).
Pure: the same inputs give the same tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pandas as pd

from schemas.declared import declared
from warehouse import tables
from warehouse.count import made
from warehouse.count.bridge import bridge, bridge_records
from warehouse.count.coverage import coverage, gaps, published, quarantined_rows
from warehouse.count.cube import by_period, statistics
from warehouse.count.date_habits import Habits
from warehouse.count.dates import impute_dates
from warehouse.count.inputs import CountInputs, Standing, standing
from warehouse.count.lineage import with_ids
from warehouse.count.neutral_names import neutral
from warehouse.count.offences import charged, put_right
from warehouse.count.reconcile import detailed, reconcile
from warehouse.count.reported import describe_reported
from warehouse.count.rows import indicator_rows, moves
from warehouse.count.units import Known, count_units, known
from warehouse.indicators import LANGUAGES, indicators
from warehouse.indicators.catalogue import MEASURES, catalogue

__all__ = ["CountInputs", "Prepared", "count", "counted", "prepare", "summed"]

_JUDGED_BY = [
    "delivery",
    "status",
    "date_precision",
    "unreadable",
    "present",
    "first_same",
    "blind",
    "covered",
    "begins",
    "joined",
    "numbered",
]
"""Columns of events that the days were judged by, and nothing after that."""


@cache
def causes() -> dict[str, dict[str, str]]:
    """What each cause of the bridge means, by language."""
    found: dict[str, dict[str, str]] = declared(Path(__file__).parent / "causes.yaml")
    return found


def _described() -> dict[str, pd.DataFrame]:
    """The tables that say what indicators and causes mean."""
    meanings = [
        {
            "indicator": i.code,
            "position": i.order,
            "stands_in": None if i.not_available else "statistics" if i.counted else "further_statistics",
            "institutions": ",".join(i.institutions),
            "dimensions": ",".join(i.dimensions),
            "standards": "; ".join(i.standards),
            **{name: getattr(i, name) for name in ("version", "unit", "kind", "reference", "source", "rule")},
            **{f"{kind}_{n}": getattr(i, kind).get(n) for kind in ("title", "definition", "not_available") for n in LANGUAGES},
            **{f"sql_{measure}": i.sql.get(measure) for measure in MEASURES},
        }
        for i in catalogue().values()
    ]
    said = [{"cause": cause, **{f"text_{n}": text[n] for n in LANGUAGES}} for cause, text in causes().items()]
    return {"indicators": pd.DataFrame(meanings), "bridge_causes": pd.DataFrame(said)}


def _counted(units: pd.DataFrame) -> pd.DataFrame:
    """Units that count, for the table `counted`."""
    live = units[units["excluded"].isna()]
    return live.assign(estimated=live["method"] != "delivered")


@dataclass(frozen=True)
class Prepared:
    """What counting, star and scorecard read: records that stand with the days on which they count, what describes cases and persons, and
    the rows of each indicator (`rows.indicator_rows`)."""

    stands: Standing
    known: Known
    rows: Mapping[str, pd.DataFrame]


def prepare(inputs: CountInputs) -> Prepared:
    """Records with ids, days and offences put right."""
    stands = standing(inputs)
    habits = None if inputs.habits is None else Habits(inputs.habits)
    stands = replace(stands, events=impute_dates(stands.events, habits).drop(columns=_JUDGED_BY))
    rows = {code: indicator_rows(indicator, stands) for code, indicator in indicators().items()}
    return Prepared(stands, known(stands, put_right(charged(stands))), rows)


def counted(inputs: CountInputs, ready: Prepared) -> dict[str, pd.DataFrame]:
    """What counting makes of every case by itself, so that it can be made of some cases at a time.

    ready  of `prepare(inputs)`
    Out: `counted`, and the tables of `made` but for `CHARGED`, with exactly the columns declared.
    """
    every, stands, charges = dict(indicators()), ready.stands, ready.known.charges
    units = count_units(ready.rows, every, stands, ready.known)
    reported = pd.concat([describe_reported(i, ready.rows[code], stands, charges) for code, i in every.items()], ignore_index=True)
    out = {
        tables.COUNTED: _counted(units),
        made.SUMS: by_period(reported, units),
        made.MOVES: moves(ready.rows),
        made.RECONCILED: reconcile(stands, charges),
        made.BRIDGED: bridge_records(ready.rows, units, stands),
    }
    return {table.name: tables.conform(table, frame) for table, frame in out.items()}


def summed(inputs: CountInputs, of_cases: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """What is counted over all cases. of_cases: `SUMS` (also added up over cases), `RECONCILED` and `BRIDGED` of `counted`, of all cases.

    Out: the other tables of `count`. Raises `HarmoniaError` where a bridge does not add up (a mistake of this program).
    """
    every, deliveries = dict(indicators()), inputs.deliveries
    gap = gaps(every, deliveries)
    figures = statistics(of_cases[made.SUMS.name], every, deliveries, gap, quarantined_rows(every, deliveries, inputs.quarantined))
    records = of_cases[made.BRIDGED.name]
    records = records[records["period"].isin(published(deliveries))]
    lineage = with_ids(inputs.lineage, inputs.canonical, inputs.cases, inputs.persons, inputs.listed)
    named = neutral({"lineage": lineage, "findings": inputs.findings})
    out = {
        "statistics": figures,
        "reconciliation": detailed(of_cases[made.RECONCILED.name], deliveries),
        "bridge_records": records,
        "bridge": bridge(records, figures),
        "coverage": coverage(deliveries),
        **named,
        **_described(),
    }
    return {name: tables.conform(tables.WAREHOUSE.tables[name], frame) for name, frame in out.items()}


def count(inputs: CountInputs) -> dict[str, pd.DataFrame]:
    """Count all indicators: the six contract tables and those that explain them, by name. Raises `HarmoniaError` as `summed` does."""
    found = counted(inputs, prepare(inputs))
    return {"counted": found["counted"]} | summed(inputs, found)
