"""Counting: accepted records with their case and person ids in, the tables of the warehouse out.

Belongs here: the list of tables, and those not computed in SQL. Does not belong here: any rule (`warehouse/models`, and the other modules
of this package), published files and databases (`warehouse/publish`).
The same inputs give the same tables.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path

import pandas as pd
from sqlalchemy import Date

from harmonia.errors import HarmoniaError
from schemas.declared import declared
from schemas.findings import affected_lines, covers_several_cells
from warehouse import tables, yardsticks
from warehouse.count import dimensions
from warehouse.count.coverage import period_coverage
from warehouse.count.date_habits import DateHabits, observe_habits
from warehouse.count.dates import impute_dates
from warehouse.count.inputs import CountInputs, register_inputs
from warehouse.count.models import Models, TableModel, model_of_sql, open_database, sql_models
from warehouse.count.neutral_names import neutral_names
from warehouse.count.quality import quality_rows
from warehouse.indicators import LANGUAGES
from warehouse.indicators.catalogue import MEASURES, catalogue
from warehouse.star.figures import figure_statement

__all__ = ["CountInputs", "all_published_tables", "cause_meanings", "counting_models", "date_habits", "dated_events", "event_days"]

_DATED = """place, institution, event, date, date_precision, first_period, first_same_period, left_censored, covered, begins, merged,
number_year, record_group, file_group, person_group, case_group"""
_COMPARED = ("statistics", "own_figure", "coverage")  # with what institutions published
_AT_A_TIME = 300_000  # events


@cache
def cause_meanings() -> dict[str, dict[str, str]]:
    """Return what each cause of the bridge means, by language."""
    found: dict[str, dict[str, str]] = declared(Path(__file__).parent / "causes.yaml")
    return found


@contextmanager
def counting_models(inputs: CountInputs, spill: Path | None = None, memory: str | None = None) -> Iterator[Models]:
    """Models over `inputs`. They use at most `memory` ("1GiB") and spill the rest to the folder `spill`.

    Raises `HarmoniaError` for an indicator file whose SQL fails, when its figures are requested.
    """
    with open_database(spill, memory) as connection:
        register_inputs(connection, inputs)
        yield Models(connection, {**sql_models(), **{model.name: model for model in _function_models(inputs)}})


def all_published_tables(inputs: CountInputs) -> dict[str, pd.DataFrame]:
    """Compute every published table, by name. Raises `HarmoniaError` if a bridge does not add up, or an indicator's SQL fails."""
    with counting_models(inputs) as models:
        require_bridges(models)
        return {table.name: models.published(table) for table in tables.stored_tables(tables.WAREHOUSE)}


def require_bridges(models: Models) -> None:
    """Raise `HarmoniaError` naming the figure if as_reported + Σ n is not harmonised, which is a bug in this program."""
    models.need("statistics", "bridge")
    wrong = models.connection.execute(
        """SELECT indicator, period FROM statistics AS total LEFT JOIN (
             SELECT indicator, period, sum(n) AS steps FROM bridge GROUP BY ALL
           ) AS steps USING (indicator, period)
           WHERE offence_group = 'total' AND form = 'total' AND sex = 'total' AND age_group = 'total' AND citizenship_group = 'total'
             AND as_reported + coalesce(steps, 0) <> harmonised ORDER BY ALL"""
    ).fetchall()
    if wrong:
        raise HarmoniaError(
            f"the bridge of {wrong[0][0]} {wrong[0][1]} does not add up ({len(wrong)} figures): this is a bug in Harmonia, "
            "nothing was published; report it with the deliveries that caused it"
        )


def _function_models(inputs: CountInputs) -> list[TableModel]:
    """List the models that are computed by a function, not in SQL."""

    def of_frames(name: str, make: Callable[..., pd.DataFrame], *reads: str) -> TableModel:
        return TableModel(name, frozenset(reads), function=lambda models: [make(*(models.frame(one) for one in reads))])

    lines = yardsticks.read_files([]) if inputs.yardsticks is None else inputs.yardsticks
    return [
        *(of_frames(name, make) for name, make in dimensions.STATIC.items()),
        of_frames("dim_period", partial(dimensions.period_dimension, inputs.deliveries)),
        of_frames("coverage", partial(period_coverage, inputs.deliveries, inputs.signatures)),
        of_frames("indicators", _indicator_table),
        of_frames("bridge_causes", _cause_table),
        TableModel("event_day", frozenset({"dated_event"}), function=_impute_event_days),
        TableModel("finding_line", frozenset({"delivered_findings"}), function=_finding_lines),
        of_frames("neutral_name", neutral_names, "delivered_name"),
        of_frames("dim_time", partial(dimensions.time_dimension, deliveries=inputs.deliveries), "fact_day"),
        of_frames("dim_offence", dimensions.offence_dimension, "named_article"),
        of_frames("quality", quality_rows, "standing_delivery", "quality_score", "whole_fault"),
        of_frames("yardstick", partial(yardsticks.published_table, lines), *_COMPARED),
        of_frames("yardstick_problem", partial(yardsticks.problems, lines), *_COMPARED),
        _fact_days(),
        *_further_statistics(),
    ]


def _fact_days() -> TableModel:
    """Every day that occurs in a fact."""
    dated = [
        (table.name, column.name)
        for table in tables.stored_tables(tables.WAREHOUSE)
        for column in table.columns
        if table.name.startswith("fact_") and isinstance(column.type, Date)
    ]
    every = " UNION ".join(f'SELECT "{column}" AS day FROM {name}' for name, column in dated)
    return model_of_sql("fact_day", f"SELECT day FROM ({every}) WHERE day IS NOT NULL ORDER BY day")


def _further_statistics() -> list[TableModel]:
    """The figures of the indicators defined by SQL, and their union."""
    single = [model_of_sql(f"figures_of_{one.code}", figure_statement(one)) for one in catalogue().values() if one.sql and not one.counted]
    columns = "SELECT * EXCLUDE (quarantined) FROM statistics WHERE false"  # also where no indicator is defined by SQL
    union = " UNION ALL BY NAME ".join([columns, *(f"FROM {model.name}" for model in single)])
    return [*single, model_of_sql("further_statistics", f"FROM ({union}) ORDER BY ALL")]


def _impute_event_days(models: Models) -> Iterator[pd.DataFrame]:
    """place, day, method, date_problem of the events of `dated_event`, in batches of complete cases."""
    habits = date_habits(models)
    for events in dated_events(models):
        yield event_days(events, habits)


def event_days(events: pd.DataFrame, habits: DateHabits) -> pd.DataFrame:
    """place, day, method, date_problem of `events` (of `dated_event`, complete cases)."""
    return impute_dates(events, habits)[["place", "day", "method", "date_problem"]]


def date_habits(models: Models) -> DateHabits:
    """Learn how the sources enter dates; the result does not depend on which records are of one case or person."""
    return observe_habits(dated_events(models))


def dated_events(models: Models, where: str = "true") -> Iterator[pd.DataFrame]:
    """The events of `dated_event` for which `where` (SQL) holds, in batches of complete cases."""
    number = models.rows("dated_event") // _AT_A_TIME + 1
    for part in range(number):
        found = models.frame("dated_event", _DATED, f"case_group % {number} = {part} AND {where}")
        yield found.sort_values("place", ignore_index=True)


def _finding_lines(models: Models) -> Iterator[pd.DataFrame]:
    """n, line: every line of a finding that is a warning or worse and covers several lines."""
    found = models.frame(
        "delivered_findings", "n, rule, line, record_key, detail", "severity <> 'info' AND line IS NULL AND record_key IS NULL"
    )
    many = found[covers_several_cells(found)]
    yield many[["n"]].assign(line=many["detail"].map(affected_lines)).explode("line").astype("Int64")


def _indicator_table() -> pd.DataFrame:
    """Return the table of indicators with their definitions."""
    meanings = [
        {
            "indicator": i.code,
            "position": i.order,
            "published_in": i.published_in,
            "institutions": ",".join(i.institutions),
            "dimensions": ",".join(i.dimensions),
            "standards": "; ".join(i.standards),
            **{name: getattr(i, name) for name in ("version", "unit", "kind", "reference", "source", "rule")},
            **{f"{kind}_{n}": getattr(i, kind).get(n) for kind in ("title", "definition", "not_available") for n in LANGUAGES},
            "counting": json.dumps(i.counting) if i.counting else None,
            **{f"sql_{measure}": i.sql.get(measure) for measure in MEASURES},
        }
        for i in catalogue().values()
    ]
    return tables.conform_frame(tables.INDICATORS, pd.DataFrame(meanings))


def _cause_table() -> pd.DataFrame:
    """The meaning of each cause of the bridge."""
    meanings = [{"cause": cause, **{f"text_{n}": text[n] for n in LANGUAGES}} for cause, text in cause_meanings().items()]
    return tables.conform_frame(tables.BRIDGE_CAUSES, pd.DataFrame(meanings))
