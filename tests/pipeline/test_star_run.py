"""The star of a whole run: the same in DuckDB and PostgreSQL; the strategy's tables in one query each."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import duckdb
import pandas as pd
import psycopg
import pytest
from pipeline_world import Ran
from postgres_world import running

from pipelines.progress import SilentListener
from pipelines.resources.workplace import Workplace
from pipelines.run import run_everything
from warehouse import postgres, tables
from warehouse.document import DOCS
from warehouse.indicators.catalogue import catalogue
from warehouse.star.figures import CELL, make_sql_of_indicator_figures
from warehouse.stores import arrange_stores

COOKBOOK = (DOCS / "how-to" / "cookbook.md").read_text("utf-8")
QUERIES = dict(re.findall(r"^## (\d+) .*?$.*?^```sql\n(.*?)^```", COOKBOOK, re.DOTALL | re.MULTILINE))


def rows(found: list[tuple[object, ...]]) -> Counter[tuple[object, ...]]:
    return Counter(tuple(float(v) if not isinstance(v, str | bool) and hasattr(v, "__float__") else v for v in row) for row in found)


@pytest.mark.slow
def test_both_databases_answer_alike(ran: Ran, tmp_path: Path) -> None:
    published = ran.outcome.values["statistics"]
    persons = tables.conform_frame(tables.PERSONS, pd.DataFrame())
    with running(15) as server, duckdb.connect(str(ran.place.home.warehouse), read_only=True) as embedded:
        url = server.new_database("star")
        with postgres.prepare_publication(url, arrange_stores(published, persons, b"k" * 32)) as commit:
            commit()
        with psycopg.connect(url, options="-c search_path=warehouse") as connection:
            asked = [make_sql_of_indicator_figures(one) for one in catalogue().values() if one.sql]
            asked += QUERIES.values()
            asked += [f"SELECT * FROM {view.name}" for view in tables.list_declared_views(tables.WAREHOUSE)]
            for sql in asked:
                assert rows(connection.execute(sql.encode()).fetchall()) == rows(embedded.execute(sql).fetchall()), sql


@pytest.fixture(scope="module")
def sample(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = Workplace.from_paths(shared / "deliveries" / "sample-2012" / "inbox", tmp_path_factory.mktemp("sample") / "home")
    run_everything(place, SilentListener())
    return place.home.warehouse


@pytest.mark.slow
def test_the_strategys_tables_are_one_query_each(sample: Path, shared: Path) -> None:
    true = pd.read_csv(shared / "deliveries" / "sample-2012" / "truth" / "statistics.csv", dtype={"period": "str"})
    whole = true[(true[CELL[3:]] == "total").all(axis=1)].set_index(["indicator", "period", "offence_group"])["harmonised"]
    with duckdb.connect(str(sample), read_only=True) as connection:
        prosecution = connection.execute(QUERIES["1"]).df().set_index("offence_group")
        police = connection.execute(QUERIES["2"]).df()
    for year in ("2012", "2013"):
        expected = whole["cases_received_prosecution", year]
        assert prosecution.loc[expected.index, year].to_dict() == expected.to_dict()
    for row in police.itertuples():
        assert row.harmonised == whole[row.indicator, row.period, "total"]
        assert row.of_which_trafficking == whole[row.indicator, row.period, "trafficking"]
