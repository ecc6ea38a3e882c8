"""The stores in PostgreSQL: whole or not at all, row for row what was given, and the tables that stand stay."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import psycopg
import pyarrow as pa
import pytest
from postgres_world import Server, running
from sqlalchemy import Table
from store_world import KEY, made

from harmonia.errors import HarmoniaError
from pipelines.resources.parquet import open_dataset, write_table
from warehouse import loading, postgres, tables
from warehouse.stores import STORES, Stores, arrange_stores

URL_WITH_PASSWORD = "postgresql://u:secret@127.0.0.1:1/x"
NUMBER = count()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running(18) as one:
        yield one


@pytest.fixture
def url(server: Server) -> str:
    return server.new_database(f"w{next(NUMBER)}")


def publish(url: str, stores: Stores) -> None:
    with postgres.prepare_publication(url, stores) as commit:
        commit()


def read(url: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()


def holds(url: str, stores: Stores) -> bool:
    """Every row of every store, nulls and empty text apart, quotes and line breaks kept."""

    def given(schema: str, table: Table) -> pa.Table:
        return tables.convert_frame_to_arrow(table, tables.conform_frame(table, loading.convert_rows_to_frame(stores[schema][table.name])))

    def ordered(rows: pa.Table) -> pa.Table:
        return rows.sort_by([(name, "ascending") for name in rows.column_names])

    return all(
        ordered(rows).equals(ordered(given(schema, table)))
        for schema in STORES
        for table, rows in postgres.read_tables(url, schema)
        if "view" not in table.info
    )


def test_rows_that_are_not_held_are_copied_some_at_a_time(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "BATCH", 4)  # of fifteen rows a table
    held = made("one")
    for name, frame in held["warehouse"].items():
        write_table(tmp_path / f"{name}.parquet", tables.convert_frame_to_arrow(tables.WAREHOUSE.tables[name], frame))
    swapped = {name: open_dataset([tmp_path / f"{name}.parquet"]) for name in held["warehouse"]}
    publish(url, arrange_stores(swapped, held["identity"]["persons"], KEY))
    assert holds(url, held)


@pytest.mark.slow
def test_stores_are_put_in_place_whole_or_not_at_all(url: str) -> None:
    publish(url, made("one"))
    assert holds(url, made("one"))
    oids = "SELECT oid FROM pg_class WHERE relname = 'lineage' ORDER BY 1"
    before = read(url, oids)
    with postgres.prepare_publication(url, made("two")) as commit:
        assert holds(url, made("one"))
        commit()
    assert holds(url, made("two"))
    with postgres.prepare_publication(url, made("never")):
        pass
    with pytest.raises(RuntimeError), postgres.prepare_publication(url, made("never")):
        raise RuntimeError
    assert holds(url, made("two"))
    assert read(url, oids) == before
    names = read(url, "SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema|public)' ORDER BY 1")
    assert names == [("analysts",), ("audit",), ("identity",), ("warehouse",)]


def test_tables_and_columns_carry_their_comments_for_analysts_too(url: str) -> None:
    publish(url, made())
    asked = "SELECT col_description('{}.coverage'::regclass, 3), obj_description('{}.coverage'::regclass)"
    found = [read(url, asked.format(schema, schema)) for schema in ("warehouse", "analysts")]
    coverage = tables.COVERAGE
    assert found[0] == found[1] == [(coverage.columns["state"].comment, coverage.comment)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "older",
    [
        "ALTER TABLE warehouse.coverage DROP COLUMN state CASCADE",
        "DROP SCHEMA analysts, identity CASCADE; COMMENT ON SCHEMA warehouse IS NULL",
        "DROP SCHEMA warehouse, analysts, identity CASCADE; CREATE SCHEMA warehouse; CREATE TABLE warehouse.lineage (a int)",
        "COMMENT ON SCHEMA warehouse IS 'form 0, access 0'",
        "CREATE SCHEMA warehouse_new; CREATE TABLE warehouse_new.half (a int); COMMENT ON SCHEMA warehouse IS 'form 0, access 0'",
    ],
)
def test_tables_of_another_version_are_rebuilt(url: str, older: str) -> None:
    publish(url, made("one"))
    with psycopg.connect(url) as connection:
        connection.execute(older.encode())
    publish(url, made("two"))
    assert holds(url, made("two"))
    assert read(url, "SELECT nspname FROM pg_namespace WHERE nspname LIKE '%!_new' ESCAPE '!'") == []


@pytest.mark.slow
def test_a_reader_of_tables_that_must_be_rebuilt_is_waited_for_not_blocked(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(url, made("one"))
    with psycopg.connect(url) as connection:
        connection.execute("COMMENT ON SCHEMA warehouse IS 'form 0, access 0'")
    before = read(url, "SELECT count(*) FROM warehouse.statistics")
    monkeypatch.setattr(postgres, "_MAX_WAIT", 1)
    with psycopg.connect(url) as reader:
        reader.execute("SELECT * FROM warehouse.lineage")
        with pytest.raises(HarmoniaError, match="readers lock the tables"):
            publish(url, made("two"))
        assert reader.execute("SELECT count(*) FROM warehouse.statistics").fetchall() == before
    assert holds(url, made("one"))
    publish(url, made("two"))
    assert holds(url, made("two"))


@pytest.mark.slow
def test_another_publisher_is_waited_for_not_for_ever(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(url, made("one"))
    monkeypatch.setattr(postgres, "_MAX_WAIT", 1)
    with postgres.prepare_publication(url, made("two")), pytest.raises(HarmoniaError, match="another run is publishing"):
        publish(url, made("three"))
    assert holds(url, made("one"))


def test_a_server_that_does_not_answer_is_one_line_without_the_password() -> None:
    with pytest.raises(HarmoniaError, match="does not answer") as failed:
        publish(URL_WITH_PASSWORD, made())
    assert "secret" not in str(failed.value)


@pytest.mark.parametrize("url", ["sqlite:///x.db", "nonsense", "postgresql+"])
def test_what_is_no_url_is_said_so(url: str) -> None:
    with pytest.raises(HarmoniaError, match="is invalid"):
        postgres.remove_password_from_url(url)
