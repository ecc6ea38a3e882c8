"""Count an indicator again by a changed declaration, from the fact tables of a published warehouse.

Belongs here: the inputs of the counting models, taken from published tables. Does not belong here: comparing figures (`changed_rules`).
"""

from __future__ import annotations

import duckdb
import pandas as pd

from warehouse.count.coverage import list_deliveries_that_figures_lack
from warehouse.count.inputs import convert_declarations_to_tables
from warehouse.count.table_models import TableModelDatabase, read_sql_models
from warehouse.indicators import Indicator
from warehouse.star.figures import CELL

_MODELS = ("deciding_event", "indicator_row", "unit", "statistics")


def recount_indicator(connection: duckdb.DuckDBPyConnection, indicator: Indicator) -> pd.DataFrame:
    """Compute every figure of an indicator as declared in `indicator`. Columns out: `CELL`, as_reported, harmonised.

    connection: a connection to a published warehouse. A database in memory is attached to it while the figures are computed.
    """
    published = str(connection.execute("SELECT current_database()").fetchall()[0][0])
    connection.execute("ATTACH ':memory:' AS again (READ_WRITE); USE again")
    try:
        _create_input_tables_from_published_tables(connection, published, indicator)
        models = TableModelDatabase(connection, {name: read_sql_models()[name] for name in _MODELS})
        return models.read_frame("statistics", ", ".join([*CELL, "as_reported", "harmonised"]))
    finally:
        connection.execute(f'USE "{published}"; DETACH again')


def _create_input_tables_from_published_tables(connection: duckdb.DuckDBPyConnection, published: str, indicator: Indicator) -> None:
    """Create the tables that the models read, from the tables of the database `published`.

    Two things are missing in published fact tables: the counting day of events of unknown persons, and the case file from which a day was
    taken. They are replaced by other values here, since no figure depends on them.
    """
    facts = f'"{published}".main'
    connection.execute(
        f"""CREATE VIEW fact_event AS
          SELECT
            fact.*, stage, file_key AS case_key, day AS own_day, order_day AS own_order_day,
            NULL::VARCHAR AS giver_institution, NULL::VARCHAR AS giver_case_key
          FROM {facts}.fact_event AS fact JOIN {facts}.dim_institution USING (institution);
        CREATE VIEW event AS SELECT event, case_id FROM fact_event WHERE subject = 'case';
        CREATE VIEW not_confirmed AS
          SELECT DISTINCT case_id, person_id FROM fact_event
          WHERE event = 'referred' AND person_id IS NOT NULL
            AND (case_id, person_id) NOT IN (SELECT (case_id, person_id) FROM {facts}.fact_victim);
        CREATE VIEW subject_event AS SELECT subject, event, institution, case_key FROM fact_event;
        CREATE TABLE published_period AS SELECT period FROM {facts}.dim_period WHERE published"""
    )
    covered = connection.execute(f"SELECT institution, period, state, signature FROM {facts}.coverage").df()
    periods = [period for (period,) in connection.execute("SELECT period FROM published_period").fetchall()]
    gap = list_deliveries_that_figures_lack({indicator.code: indicator}, covered.astype("str"), periods)
    tables = {
        **convert_declarations_to_tables([indicator]),
        "gap": gap,
        "quarantined_rows": gap[["indicator", "period"]].assign(quarantined=0),
    }
    for name, frame in tables.items():
        connection.register("declared", frame)
        connection.execute(f"CREATE TABLE {name} AS FROM declared")
        connection.unregister("declared")
