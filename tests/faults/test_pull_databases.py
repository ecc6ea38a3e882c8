"""Databases pulled from real servers: one snapshot, every value as text, in the form that the reader takes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest
import sqlalchemy as sa
from postgres_world import Server, running
from pull_world import PullWorld, mariadb, secret, silent_server
from reader_world import PERSONAT, PSH, RASTET, cells, police, psh, read

from pipelines.pull.database import SERVERS, Database, DatabaseTable, TableSource
from pipelines.pull.pulling import PullLimits
from sources import contract

TODAY = date(2013, 7, 20)  # the second quarter of 2013 has ended, and was due
PULLED = [("prosecution", "2013-Q2", "pulled", "2013-Q2")]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running(18) as one:
        yield one


@pytest.fixture
def database(server: Server, request: pytest.FixtureRequest) -> str:
    """A database with the prosecution's tables; its URL."""
    name = f"psh_{abs(hash(request.node.name))}"
    url = server.new_database(name)
    with psycopg.connect(url) as db:
        db.execute("CREATE SCHEMA psh")
        for table, (columns, rows) in PSH.items():
            typed = columns.replace("data_pranimit TEXT", "data_pranimit DATE").replace("kryesore INTEGER", "kryesore SMALLINT")
            db.execute(f"CREATE TABLE psh.{table} ({typed})")
            for row in reversed(rows):
                db.execute(f"INSERT INTO psh.{table} VALUES ({','.join(['%s'] * len(row))})", row)
    return url


@pytest.fixture
def world(tmp_path: Path) -> PullWorld:
    return PullWorld(tmp_path)


def declare(world: PullWorld, server: Server, url: str, **more: Any) -> None:
    name = sa.make_url(url).database
    login = {"kind": "postgresql", "host": str(server.folder), "database": name, "user": "postgres", "schema": "psh", "pause": 0}
    world.declare("prosecution", **{**login, **more})


def test_postgresql_gives_what_the_file_gives(world: PullWorld, server: Server, database: str, tmp_path: Path) -> None:
    declare(world, server, database)
    assert world.results(today=date(2013, 7, 2), dry_run=True) == [("prosecution", None, "unchanged", None)]  # not due yet
    assert world.results(today=TODAY, dry_run=True) == [("prosecution", "2013-Q2", "new", None)]
    assert world.results(today=TODAY) == PULLED
    (tmp_path / "file").mkdir()
    psh(tmp_path / "file" / "psh.sqlite")
    one, other = read("prosecution", tmp_path / "file"), read("prosecution", world.inbox / "prosecution" / "2013-Q2")
    assert other.findings == []
    for table in PSH:
        assert sorted(map(str, cells(one.tables[table]))) == sorted(map(str, cells(other.tables[table])))
    assert world.results(today=TODAY) == [("prosecution", None, "unchanged", None)]  # taken; the next day of `days` is none


def test_a_snapshot_of_the_same_rows_is_nothing_new_and_of_others_a_version(world: PullWorld, server: Server, database: str) -> None:
    declare(world, server, database)
    assert world.results(today=TODAY) == PULLED
    with psycopg.connect(database, autocommit=True) as db:
        db.execute("UPDATE psh.lenda SET statusi = statusi")  # another order on the disk
    _again(world)
    assert world.results(today=TODAY) == [("prosecution", "2013-Q2", "unchanged", "2013-Q2")]
    with psycopg.connect(database, autocommit=True) as db:
        db.execute("UPDATE psh.lenda SET statusi = 'PEZ'")
    _again(world)
    assert world.results(today=TODAY) == [("prosecution", "2013-Q2", "pulled", "2013-Q2_v2")]


def _again(world: PullWorld) -> None:
    """As if the last snapshot had been taken before the day on which one is due."""
    with world.registry.engine.begin() as db:
        db.execute(sa.text("UPDATE pull SET at = '2013-01-01 00:00:00.000000'"))


def test_unchanged_tables_are_not_read_again_where_they_say_so(world: PullWorld, server: Server, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as db:
        for table in PSH:
            db.execute(f"ALTER TABLE psh.{table} ADD COLUMN ndryshuar timestamptz DEFAULT '2013-06-30'")
    declare(world, server, database, tables={table: {"changed": "ndryshuar"} for table in PSH})
    assert world.results(today=TODAY) == PULLED
    _again(world)
    assert world.results(today=TODAY) == [("prosecution", "2013-Q2", "unchanged", "2013-Q2")]
    with psycopg.connect(database, autocommit=True) as db:
        db.execute("UPDATE psh.lenda SET statusi = 'PEZ', ndryshuar = '2013-07-19'")
    _again(world)
    assert world.results(today=TODAY) == [("prosecution", "2013-Q2", "pulled", "2013-Q2_v2")]


def test_the_snapshot_is_one_while_the_database_changes(world: PullWorld, server: Server, database: str) -> None:
    """A writer adds a case with its person in one transaction, again and again: no person comes without its case."""
    stop = threading.Event()

    def write() -> None:
        with psycopg.connect(database) as db:
            for number in range(10_000, 100_000):
                if stop.is_set():
                    return
                db.execute(
                    "INSERT INTO psh.pala (pala_id, lenda_id, roli, emri_mbiemri) VALUES (%s, %s, 'D', 'Agim Gashi')", [number, number]
                )
                db.execute(
                    "INSERT INTO psh.lenda (lenda_id, nr_lendes, burimi, prokuroria, statusi) VALUES (%s, 'x', 'PK', 'y', 'HET')", [number]
                )
                db.commit()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        declare(world, server, database)
        assert world.results(today=TODAY) == PULLED
    finally:
        stop.set()
        writer.join()
    found = read("prosecution", world.inbox / "prosecution" / "2013-Q2")
    cases, persons = set(found.tables["lenda"]["lenda_id"]), found.tables["pala"]["lenda_id"]
    mine = {number for number in persons if number and len(number) == 5}
    assert mine
    assert mine <= cases


def test_a_table_that_lost_a_column_stops_the_pull_and_keeps_what_came(world: PullWorld, server: Server, database: str) -> None:
    declare(world, server, database)
    assert world.results(today=TODAY) == PULLED
    before = world.inbox_files()
    _again(world)
    with psycopg.connect(database, autocommit=True) as db:
        db.execute("ALTER TABLE psh.lenda DROP COLUMN statusi")
    (one,) = world.pull(today=TODAY)
    assert (one.result, one.rule, one.detail) == ("failed", "pull-column-missing", "lenda: statusi")
    assert world.inbox_files() == before
    assert ("pull-column-missing", "prosecution", None, None) in world.list_findings()
    with psycopg.connect(database, autocommit=True) as db:
        db.execute("DROP TABLE psh.vendimi")
        db.execute("ALTER TABLE psh.lenda ADD COLUMN statusi TEXT")
    assert [(one.rule, one.detail) for one in world.pull(today=TODAY)] == [("pull-table-missing", "vendimi")]


def test_tables_without_a_row_are_suspicious(world: PullWorld, server: Server, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as db:
        for table in PSH:
            db.execute(f"DELETE FROM psh.{table}")
    declare(world, server, database)
    assert world.results(today=TODAY) == [("prosecution", "2013-Q2", "waiting", "pull-folder-empty")]


@pytest.mark.slow
def test_a_view_that_never_ends_is_stopped(world: PullWorld, server: Server, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as db:
        db.execute("ALTER TABLE psh.vendimi RENAME TO v")
        db.execute("CREATE VIEW psh.vendimi AS SELECT v.* FROM psh.v, (SELECT pg_sleep(60)) AS wait")
    declare(world, server, database)
    assert world.results(today=TODAY, limits=PullLimits(seconds=3)) == [("prosecution", None, "failed", "pull-deadline")]


def test_rows_without_end_stop_at_the_bound(world: PullWorld, server: Server, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as db:
        db.execute(
            "INSERT INTO psh.lenda SELECT n, repeat('x', 1000), NULL, 'PK', NULL, 'y', 'HET', NULL FROM generate_series(100, 3000) n"
        )
    declare(world, server, database, largest=1)
    assert world.results(today=TODAY) == [("prosecution", "2013-Q2", "failed", "pull-too-large")]
    assert world.inbox_files() == {}


@pytest.mark.parametrize(
    ("more", "rule"),
    [
        ({"user": "nobody_there"}, "pull-refused"),
        ({"database": "nowhere"}, "pull-refused"),
        ({"host": "127.0.0.1", "port": 1}, "pull-unreachable"),
    ],
)
def test_a_login_or_server_that_is_not_there(
    world: PullWorld, server: Server, database: str, more: dict[str, Any], rule: str, tmp_path: Path
) -> None:
    declare(world, server, database, password=secret(tmp_path, "password", "hunter2"), **more)
    assert world.results(today=TODAY) == [("prosecution", None, "failed", rule)]
    assert "hunter2" not in repr(world.ledger())


@pytest.mark.slow
def test_a_database_that_accepts_and_never_answers(world: PullWorld, tmp_path: Path) -> None:
    password = secret(tmp_path, "password", "hunter2")
    with silent_server() as port:
        for kind in ("postgresql", "mariadb", "sqlserver", "oracle"):
            world.declare("prosecution", kind=kind, host="127.0.0.1", port=port, database="psh", user="x", password=password)
            assert world.results(today=TODAY, limits=PullLimits(seconds=3)) == [("prosecution", None, "failed", "pull-deadline")]


@pytest.fixture(scope="module")
def maria() -> Iterator[str]:
    with mariadb() as path:
        yield path


def _police(path: str, name: str, engine: str = "InnoDB", more: str = "") -> None:
    """The police tables in MariaDB, with dates as dates."""
    with pymysql.connect(unix_socket=path, user="root", autocommit=True) as db, db.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        cursor.execute(f"USE {name}")
        for table, lines in (("rastet", RASTET), ("personat", PERSONAT)):
            header = lines[0].split(";")
            dates = {c.name for c in contract.load("police").tables[table].columns if c.type == "date" and not c.year_only}
            columns = ", ".join(f"`{c}` {'DATE' if c in dates else 'VARCHAR(200)'}" for c in header)
            cursor.execute(f"CREATE TABLE {table} ({columns}) ENGINE={engine}")
            for line in lines[1:]:
                values = [
                    "-".join(reversed(v.split("."))) if c in dates and v else v or None
                    for c, v in zip(header, line.split(";"), strict=True)
                ]
                cursor.execute(f"INSERT INTO {table} VALUES ({','.join(['%s'] * len(header))})", values)
        if more:
            cursor.execute(more)


@pytest.mark.slow
def test_mariadb_gives_what_the_files_give(world: PullWorld, maria: str, tmp_path: Path) -> None:
    _police(maria, "one")
    world.declare("police", kind="mariadb", host=maria, database="one", user="root")
    assert world.results(today=TODAY) == [("police", "2013-Q2", "pulled", "2013-Q2")]
    (tmp_path / "file").mkdir()
    one, other = police(tmp_path / "file"), read("police", world.inbox / "police" / "2013-Q2")
    assert other.findings == []
    for table in ("rastet", "personat"):
        assert sorted(map(str, cells(one.tables[table]))) == sorted(map(str, cells(other.tables[table])))


@pytest.mark.slow
def test_a_letter_that_the_code_page_lacks_is_kept(world: PullWorld, maria: str) -> None:
    _police(maria, "cyrillic", more="UPDATE personat SET Mbiemri = 'Ђорђевић' WHERE Nr_rendor = 2")
    world.declare("police", kind="mariadb", host=maria, database="cyrillic", user="root")
    assert world.results(today=TODAY) == [("police", "2013-Q2", "pulled", "2013-Q2")]
    found = read("police", world.inbox / "police" / "2013-Q2")
    assert "Ђорђевић" in set(found.tables["personat"]["Mbiemri"])


@pytest.mark.slow
def test_tables_that_know_no_snapshot_are_refused(world: PullWorld, maria: str) -> None:
    _police(maria, "myisam", engine="MyISAM")
    world.declare("police", kind="mariadb", host=maria, database="myisam", user="root")
    (one,) = world.pull(today=TODAY)
    assert (one.result, one.rule, one.detail) == ("failed", "pull-snapshot", "personat: not InnoDB")
    world.declare("police", kind="mariadb", host=maria, database="one", user="nobody_there")
    assert world.results(today=TODAY) == [("police", None, "failed", "pull-refused")]


@pytest.mark.slow
def test_rows_are_limited_to_the_days_of_the_period(world: PullWorld, maria: str) -> None:
    _police(maria, "days", more="UPDATE rastet SET Data_raportimit = '2013-06-30' WHERE Nr_rastit = '2013-PR-00001'")
    tables = {"rastet": {"day": "Data_raportimit"}}
    world.declare("police", kind="mariadb", host=maria, database="days", user="root", tables=tables)
    assert world.results(today=TODAY) == [("police", "2013-Q2", "pulled", "2013-Q2")]
    found = read("police", world.inbox / "police" / "2013-Q2")
    assert list(found.tables["rastet"]["Nr_rastit"]) == ["2013-PR-00001"]


@pytest.mark.parametrize("kind", ["postgresql", "mariadb", "sqlserver", "oracle"])
def test_every_driver_loads_and_its_statements_compile(kind: str) -> None:
    """What can be known of SQL Server and Oracle without a server."""
    source = Database(
        kind=kind, user="x", database="psh", host="localhost", schema="psh", tables={"lenda": TableSource(day="data_pranimit")}
    )
    engine = source._create_engine({"password": "y"})
    assert engine.driver in SERVERS["mysql" if kind == "mariadb" else kind].driver
    spec = contract.load("prosecution").tables["lenda"]
    columns = {column.name: sa.column(column.name, sa.Date() if column.type == "date" else sa.String()) for column in spec.columns}
    table = DatabaseTable(spec, sa.table("lenda", *columns.values(), schema="psh"), columns)
    statement = str(source.build_select_statement(table, (date(2013, 4, 1), date(2013, 6, 30))).compile(dialect=engine.dialect))
    assert statement.index("FROM") < statement.index("data_pranimit >=") < statement.index("ORDER BY")
