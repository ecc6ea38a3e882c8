"""What a whole run publishes: no record key, name or number where analysts read."""

from __future__ import annotations

from collections import Counter

import duckdb
from pipeline_world import Ran

from warehouse.indicators.catalogue import catalogue
from warehouse.reading import open_publication
from warehouse.star.figures import make_sql_of_indicator_figures
from warehouse.stores import ANALYSTS, IDENTITY, STORES, WAREHOUSE


def hits(connection: duckdb.DuckDBPyConnection, store: str, words: str) -> list[str]:
    """`table.column` of `store` in which a text holds one of the words that the query gives."""
    out = []
    for table in STORES[store].sorted_tables:
        for column in table.columns:
            asked = (
                f'SELECT count(*) FROM {store}.{table.name} t JOIN ({words}) w(word) ON contains(CAST(t."{column.name}" AS VARCHAR), word)'
            )
            if connection.execute(asked).fetchall() != [(0,)]:
                out.append(f"{table.name}.{column.name}")
    return out


def test_no_record_key_is_left_where_analysts_read(ran: Ran) -> None:
    """Keys that are plain numbers are left out: such a number can stand anywhere."""
    keys = "SELECT DISTINCT record_key FROM identity.crosswalk WHERE length(record_key) > 5 AND NOT regexp_full_match(record_key, '[0-9]+')"
    with open_publication(ran.place.home.root, WAREHOUSE, ANALYSTS, IDENTITY) as connection:
        assert hits(connection, ANALYSTS, keys) == []
        assert {"lineage.record_key", "findings.record_key"} <= set(hits(connection, WAREHOUSE, keys))


def test_the_sql_of_every_indicator_gives_analysts_the_same_figures(ran: Ran) -> None:
    """Over coarse days and pseudonyms: an indicator counts by quarter, and which of several events counts is in their places."""
    home = ran.place.home.root
    asked = [make_sql_of_indicator_figures(one) for one in catalogue().values() if one.sql]
    with open_publication(home, WAREHOUSE) as exact, open_publication(home, ANALYSTS) as coarse:
        for sql in asked:
            assert Counter(coarse.execute(sql).fetchall()) == Counter(exact.execute(sql).fetchall())


def test_no_name_and_no_number_is_left_in_the_warehouse(ran: Ran) -> None:
    people = " UNION ".join(
        f"SELECT {column} FROM identity.persons WHERE length({column}) > 6" for column in ("full_name", "personal_number")
    )
    with open_publication(ran.place.home.root, WAREHOUSE, IDENTITY) as connection:
        assert hits(connection, IDENTITY, people)
        assert hits(connection, WAREHOUSE, people) == []
