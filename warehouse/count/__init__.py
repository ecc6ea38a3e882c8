"""Count: compute the tables of the warehouse from the accepted records and the ids of their cases and persons.

Belongs here: the list of all models, and the tables that are computed by a function, not in SQL. Does not belong here: counting rules
(`warehouse/models` and the other modules of this package), writing published files and databases (`warehouse/publish`).
The same inputs always give the same tables.
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
from schemas.findings import are_findings_on_several_cells, parse_affected_lines
from schemas.yaml_declarations import read_yaml
from warehouse import tables, yardsticks
from warehouse.count import dimensions
from warehouse.count.coverage import compute_coverage_of_periods
from warehouse.count.date_habits import DateEntryHabits, estimate_date_entry_habits
from warehouse.count.dates import impute_dates
from warehouse.count.inputs import CountInputs, create_tables_of_counting_inputs
from warehouse.count.neutral_names import choose_neutral_names
from warehouse.count.quality import compute_quality_table
from warehouse.count.table_models import TableModel, TableModelDatabase, make_table_model_from_query, open_database, read_sql_models
from warehouse.indicators import LANGUAGES
from warehouse.indicators.catalogue import MEASURES, catalogue
from warehouse.star.figures import make_sql_of_indicator_figures

__all__ = [
    "CountInputs",
    "compute_published_tables",
    "determine_event_days",
    "iterate_dated_events",
    "learn_date_entry_habits",
    "meanings_of_bridge_causes",
    "open_database_of_counting_models",
]

_DATED_EVENT_COLUMNS = """place, institution, event, date, date_precision, first_period, first_same_period, left_censored, covered, begins,
merged, number_year, record_group, file_group, person_group, case_group"""
_YARDSTICK_INPUTS = ("statistics", "own_figure", "coverage")  # with which figures that institutions published are compared
_EVENTS_PER_BATCH = 200_000


@cache
def meanings_of_bridge_causes() -> dict[str, dict[str, str]]:
    """Return the meaning of each cause of the bridge: cause → language → text."""
    meanings: dict[str, dict[str, str]] = read_yaml(Path(__file__).parent / "causes.yaml")
    return meanings


@contextmanager
def open_database_of_counting_models(
    inputs: CountInputs, spill_folder: Path | None = None, memory_limit: str | None = None
) -> Iterator[TableModelDatabase]:
    """Open a database with all table models that count `inputs`. It uses at most `memory_limit` (such as "1GiB") of memory, and writes what
    does not fit to the folder `spill_folder`.

    If the SQL of an indicator file fails, requesting the figures of that indicator raises `HarmoniaError`.
    """
    with open_database(spill_folder, memory_limit) as connection:
        create_tables_of_counting_inputs(connection, inputs)
        yield TableModelDatabase(
            connection, {**read_sql_models(), **{model.name: model for model in _list_table_models_computed_by_functions(inputs)}}
        )


def compute_published_tables(inputs: CountInputs) -> dict[str, pd.DataFrame]:
    """Compute every published table and return them by name.

    Raises `HarmoniaError` if a bridge does not add up, or the SQL of an indicator fails.
    """
    with open_database_of_counting_models(inputs) as models:
        require_complete_bridges(models)
        return {table.name: models.read_published_frame(table) for table in tables.list_declared_tables_except_views(tables.WAREHOUSE)}


def require_complete_bridges(models: TableModelDatabase) -> None:
    """Raise `HarmoniaError` if the bridge of a figure does not lead from as_reported to harmonised. This would be a bug in the program."""
    models.run("statistics", "bridge")
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


def _list_table_models_computed_by_functions(inputs: CountInputs) -> list[TableModel]:
    """List the table models whose tables are computed by a Python function, and those whose SQL is generated."""

    def model_of_function(name: str, make: Callable[..., pd.DataFrame], *reads: str) -> TableModel:
        return TableModel(name, frozenset(reads), function=lambda models: [make(*(models.read_frame(one) for one in reads))])

    lines = yardsticks.read_landed_yardstick_files([]) if inputs.yardsticks is None else inputs.yardsticks
    return [
        *(model_of_function(name, make) for name, make in dimensions.STATIC.items()),
        model_of_function("dim_period", partial(dimensions.build_period_dimension, inputs.deliveries)),
        model_of_function("coverage", partial(compute_coverage_of_periods, inputs.deliveries, inputs.signatures)),
        model_of_function("indicators", _make_indicator_table),
        model_of_function("bridge_causes", _make_table_of_bridge_causes),
        TableModel("event_day", frozenset({"dated_event"}), function=_compute_event_days),
        TableModel("finding_line", frozenset({"delivered_findings"}), function=_compute_finding_lines),
        model_of_function("neutral_name", choose_neutral_names, "delivered_name"),
        model_of_function("dim_time", partial(dimensions.build_time_dimension, deliveries=inputs.deliveries), "fact_day"),
        model_of_function("dim_offence", dimensions.build_offence_dimension, "named_article"),
        model_of_function("quality", compute_quality_table, "scored_delivery", "quality_score", "whole_fault"),
        model_of_function("yardstick", partial(yardsticks.build_yardstick_table, lines), *_YARDSTICK_INPUTS),
        model_of_function("yardstick_problem", partial(yardsticks.find_yardstick_lines_with_problems, lines), *_YARDSTICK_INPUTS),
        _make_table_model_of_fact_days(),
        *_make_table_models_of_further_statistics(),
    ]


def _make_table_model_of_fact_days() -> TableModel:
    """Make the model of the table `fact_day`, which has one row for every day that occurs in a fact table. Its only column is `day`."""
    dated = [
        (table.name, column.name)
        for table in tables.list_declared_tables_except_views(tables.WAREHOUSE)
        for column in table.columns
        if table.name.startswith("fact_") and isinstance(column.type, Date)
    ]
    every = " UNION ".join(f'SELECT "{column}" AS day FROM {name}' for name, column in dated)
    return make_table_model_from_query("fact_day", f"SELECT day FROM ({every}) WHERE day IS NOT NULL ORDER BY day")


def _make_table_models_of_further_statistics() -> list[TableModel]:
    """Make a table model for each indicator that is defined by SQL alone, and the model of `further_statistics`, which unites all their
    figures."""
    single = [
        make_table_model_from_query(f"figures_of_{one.code}", make_sql_of_indicator_figures(one))
        for one in catalogue().values()
        if one.sql and not one.is_counted_by_models
    ]
    columns = "SELECT * EXCLUDE (quarantined) FROM statistics WHERE false"  # also where no indicator is defined by SQL
    union = " UNION ALL BY NAME ".join([columns, *(f"FROM {model.name}" for model in single)])
    return [*single, make_table_model_from_query("further_statistics", f"FROM ({union}) ORDER BY ALL")]


def _compute_event_days(models: TableModelDatabase) -> Iterator[pd.DataFrame]:
    """Compute the table `event_day` in batches. All events of a case are in the same batch. Columns: see `determine_event_days`."""
    habits = learn_date_entry_habits(models)
    for events in iterate_dated_events(models):
        yield determine_event_days(events, habits)


def determine_event_days(events: pd.DataFrame, habits: DateEntryHabits) -> pd.DataFrame:
    """Determine the day on which each event counts.

    events: rows of `dated_event`; if an event of a case is among them, all events of that case are. Columns out: place (the number of the
    event); day, method and date_problem, which `impute_dates` explains.
    """
    return impute_dates(events, habits)[["place", "day", "method", "date_problem"]]


def learn_date_entry_habits(models: TableModelDatabase) -> DateEntryHabits:
    """Learn from the table `dated_event` how institutions enter dates. The result does not depend on which records belong to one case or
    person."""
    return estimate_date_entry_habits(iterate_dated_events(models))


def iterate_dated_events(models: TableModelDatabase, where: str = "true") -> Iterator[pd.DataFrame]:
    """Yield the events of `dated_event` that meet the SQL condition `where`, in batches. All events of a case are in the same batch."""
    batches = models.count_rows("dated_event") // _EVENTS_PER_BATCH + 1
    for batch in range(batches):
        events = models.read_frame("dated_event", _DATED_EVENT_COLUMNS, f"case_group % {batches} = {batch} AND {where}")
        yield events.sort_values("place", ignore_index=True)


def _compute_finding_lines(models: TableModelDatabase) -> Iterator[pd.DataFrame]:
    """Compute the table `finding_line`. It lists the lines of a file that each finding covers, for findings that are warnings or worse and
    cover several lines.

    Columns: n (the number of the finding), line (the number of the line).
    """
    findings = models.read_frame(
        "delivered_findings", "n, rule, line, record_key, detail", "severity <> 'info' AND line IS NULL AND record_key IS NULL"
    )
    many = findings[are_findings_on_several_cells(findings)]
    yield many[["n"]].assign(line=many["detail"].map(parse_affected_lines)).explode("line").astype("Int64")


def _make_indicator_table() -> pd.DataFrame:
    """Compute the table `indicators`: one row per indicator, with its texts, counting rule and SQL."""
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


def _make_table_of_bridge_causes() -> pd.DataFrame:
    """Compute the table `bridge_causes`: the meaning of each cause of the bridge in each language."""
    meanings = [{"cause": cause, **{f"text_{n}": text[n] for n in LANGUAGES}} for cause, text in meanings_of_bridge_causes().items()]
    return tables.conform_frame(tables.BRIDGE_CAUSES, pd.DataFrame(meanings))
