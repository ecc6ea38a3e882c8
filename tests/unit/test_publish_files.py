"""Three files, swapped in whole: the warehouse, the analysts' copy, the stewards' names."""

from __future__ import annotations

import stat
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from count_world import World

from pipelines.errors import HarmoniaError
from warehouse import publish as module
from warehouse import tables
from warehouse.count import count
from warehouse.publish import people, pseudonyms, publish, secret

Published = tuple[dict[str, pd.DataFrame], pd.DataFrame]


@pytest.fixture(scope="module")
def published() -> Published:
    world = World(("2013-Q1",)).case("police", "2013-PR-00001", "c", reported=None, group="other")
    world.person("police", "2013-PR-00001/1", "p", file="2013-PR-00001", full_name="Invented Name", personal_number="1234567892")
    inputs = world.inputs()
    return count(inputs), people(inputs.canonical, inputs.cases, inputs.persons)


def read(path: Path, query: str) -> list[tuple]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(query).fetchall()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_warehouse_holds_every_table_with_comments_and_typed_columns(published: Published, tmp_path: Path) -> None:
    rows = publish(*published, tmp_path)
    assert rows["lineage"] == 2
    names = {name for (name,) in read(tmp_path / "warehouse.duckdb", "select table_name from duckdb_tables()")}
    assert names == set(tables.WAREHOUSE.tables)
    comments = dict(read(tmp_path / "warehouse.duckdb", "select column_name, comment from duckdb_columns() where table_name = 'bridge'"))
    assert comments["cause"]
    kinds = dict(read(tmp_path / "warehouse.duckdb", "select column_name, data_type from duckdb_columns() where table_name = 'statistics'"))
    assert (kinds["period"], kinds["harmonised"], kinds["incomplete"]) == ("VARCHAR", "BIGINT", "BOOLEAN")
    assert read(tmp_path / "warehouse.duckdb", "select n from bridge where indicator = 'cases_registered' and period = '2013'") == [(1,)]


def test_analysts_see_the_same_pseudonym_for_the_same_record_and_no_key(published: Published, tmp_path: Path) -> None:
    publish(*published, tmp_path)
    key = "2013-PR-00001"
    in_lineage = read(tmp_path / "analysts.duckdb", "select record_key from lineage where entity = 'case'")
    in_bridge = read(tmp_path / "analysts.duckdb", "select distinct record_key from bridge_records where indicator = 'cases_registered'")
    assert in_lineage == in_bridge
    assert key not in str(in_lineage)
    assert key.encode() not in (tmp_path / "analysts.duckdb").read_bytes()
    publish(*published, tmp_path)
    assert read(tmp_path / "analysts.duckdb", "select record_key from lineage where entity = 'case'") == in_lineage
    assert read(tmp_path / "warehouse.duckdb", "select record_key from lineage where entity = 'case'") == [(key,)]


def test_names_and_numbers_are_in_the_stewards_file_alone(published: Published, tmp_path: Path) -> None:
    publish(*published, tmp_path)
    assert read(tmp_path / "identity.duckdb", "select person_id, case_id, full_name, personal_number from persons") == [
        ("p", "c", "Invented Name", "1234567892")
    ]
    for name in ("warehouse.duckdb", "analysts.duckdb"):
        held = (tmp_path / name).read_bytes()
        assert b"Invented" not in held
        assert b"1234567892" not in held


def test_what_is_confidential_can_be_read_by_its_owner_alone(published: Published, tmp_path: Path) -> None:
    publish(*published, tmp_path)
    assert {n: mode(tmp_path / n) for n in ("warehouse.duckdb", "identity.duckdb", "pseudonym.key")} == {
        "warehouse.duckdb": 0o600,
        "identity.duckdb": 0o600,
        "pseudonym.key": 0o600,
    }
    assert not mode(tmp_path / "analysts.duckdb") & 0o007


def test_what_fails_on_the_way_leaves_everything_as_it_was(published: Published, tmp_path: Path, monkeypatch) -> None:
    publish(*published, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    tables_, names = published

    def full(connection: duckdb.DuckDBPyConnection, table: object, frame: pd.DataFrame) -> None:
        raise duckdb.IOException("No space left on device")

    monkeypatch.setattr(module, "_load", full)
    with pytest.raises(HarmoniaError, match=r"identity\.duckdb.*could not be built"):
        publish({**tables_, "lineage": tables_["lineage"].iloc[:0]}, names, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_reader_of_the_old_file_is_not_disturbed(published: Published, tmp_path: Path) -> None:
    publish(*published, tmp_path)
    with duckdb.connect(str(tmp_path / "warehouse.duckdb"), read_only=True) as connection:
        publish(*published, tmp_path)
        assert connection.execute("select count(*) from lineage").fetchone() == (2,)


def test_a_damaged_key_of_the_pseudonyms_is_told(tmp_path: Path) -> None:
    (tmp_path / "pseudonym.key").write_bytes(b"short")
    with pytest.raises(HarmoniaError, match=r"pseudonym\.key: holds 5 bytes"):
        secret(tmp_path)


def test_pseudonyms_differ_by_institution_and_by_key_and_keep_nulls() -> None:
    keys = pd.Series(["1", "1", None])
    made = pseudonyms(pd.Series(["courts", "police", "police"]), keys, b"k" * 32)
    assert made[0] != made[1]
    assert pd.isna(made[2])
    assert made[0] != pseudonyms(pd.Series(["courts"]), pd.Series(["1"]), b"x" * 32)[0]
