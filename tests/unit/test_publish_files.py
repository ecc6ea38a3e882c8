"""Three files, swapped in whole: the warehouse, the analysts' copy, the stewards' names."""

from __future__ import annotations

import stat
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from count_world import World

from harmonia.errors import HarmoniaError
from warehouse import publish as module
from warehouse import tables
from warehouse.count import compute_published_tables
from warehouse.publish import publish_stores
from warehouse.reading import find_folder_of_current_publication, open_publication
from warehouse.stores import (
    Stores,
    arrange_stores,
    compute_pseudonyms_of_record_keys,
    make_persons_table_of_identity_store,
    read_pseudonym_key,
)


@pytest.fixture(scope="module")
def published() -> Stores:
    world = World(("2013-Q1",)).case("police", "2013-PR-00001", "c", reported=None, group="other")
    world.person("police", "2013-PR-00001/1", "p", file="2013-PR-00001", full_name="Invented Name", personal_number="1234567892")
    inputs = world.inputs()
    return arrange_stores(
        compute_published_tables(inputs), make_persons_table_of_identity_store(inputs.canonical, inputs.cases, inputs.persons), b"k" * 32
    )


def held(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def read(path: Path, query: str) -> list[tuple]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(query).fetchall()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_warehouse_holds_every_table_with_comments_and_typed_columns(published: Stores, tmp_path: Path) -> None:
    rows = publish_stores(published, tmp_path)
    assert rows["lineage"] == 2
    held = "select table_name from duckdb_tables() union all select view_name from duckdb_views() where not internal"
    names = {name for (name,) in read(tmp_path / "warehouse.duckdb", held)}
    assert names == set(tables.WAREHOUSE.tables)
    comments = dict(read(tmp_path / "warehouse.duckdb", "select column_name, comment from duckdb_columns() where table_name = 'bridge'"))
    assert comments["cause"]
    kinds = dict(read(tmp_path / "warehouse.duckdb", "select column_name, data_type from duckdb_columns() where table_name = 'statistics'"))
    assert (kinds["period"], kinds["harmonised"], kinds["incomplete"]) == ("VARCHAR", "BIGINT", "BOOLEAN")
    assert read(tmp_path / "warehouse.duckdb", "select n from bridge where indicator = 'cases_registered' and period = '2013'") == [(1,)]


def test_analysts_see_the_same_pseudonym_for_the_same_record_and_no_key(published: Stores, tmp_path: Path) -> None:
    publish_stores(published, tmp_path)
    key = "2013-PR-00001"
    in_lineage = read(tmp_path / "analysts.duckdb", "select record_key from lineage where entity = 'case'")
    in_bridge = read(tmp_path / "analysts.duckdb", "select distinct record_key from bridge_records where indicator = 'cases_registered'")
    assert in_lineage == in_bridge
    assert key not in str(in_lineage)
    assert key.encode() not in (tmp_path / "analysts.duckdb").read_bytes()
    publish_stores(published, tmp_path)
    assert read(tmp_path / "analysts.duckdb", "select record_key from lineage where entity = 'case'") == in_lineage
    assert read(tmp_path / "warehouse.duckdb", "select record_key from lineage where entity = 'case'") == [(key,)]


def test_names_and_numbers_are_in_the_stewards_file_alone(published: Stores, tmp_path: Path) -> None:
    publish_stores(published, tmp_path)
    assert read(tmp_path / "identity.duckdb", "select person_id, case_id, full_name, personal_number from persons") == [
        ("p", "c", "Invented Name", "1234567892")
    ]
    for name in ("warehouse.duckdb", "analysts.duckdb"):
        held = (tmp_path / name).read_bytes()
        assert b"Invented" not in held
        assert b"1234567892" not in held


def test_what_is_confidential_can_be_read_by_its_owner_alone(published: Stores, tmp_path: Path) -> None:
    publish_stores(published, tmp_path)
    assert {n: mode(tmp_path / n) for n in ("warehouse.duckdb", "identity.duckdb", "published/1/identity.duckdb")} == {
        "warehouse.duckdb": 0o600,
        "identity.duckdb": 0o600,
        "published/1/identity.duckdb": 0o600,
    }
    assert not mode(tmp_path / "analysts.duckdb") & 0o007
    read_pseudonym_key(tmp_path)
    assert mode(tmp_path / "pseudonym.key") == 0o600


def test_what_fails_on_the_way_leaves_everything_as_it_was(published: Stores, tmp_path: Path, monkeypatch) -> None:
    publish_stores(published, tmp_path)
    before = held(tmp_path)

    def refused() -> None:
        raise HarmoniaError("the other database refuses")

    with pytest.raises(HarmoniaError, match="refuses"):
        publish_stores(published, tmp_path, refused)
    assert held(tmp_path) == before

    def full(connection: duckdb.DuckDBPyConnection, table: object, frame: pd.DataFrame) -> None:
        raise duckdb.IOException("No space left on device")

    monkeypatch.setattr(module, "_load_rows", full)
    with pytest.raises(HarmoniaError, match=r"\.duckdb.*could not be built"):
        publish_stores(published, tmp_path)
    assert held(tmp_path) == before


def test_what_a_killed_run_left_goes(published: Stores, tmp_path: Path) -> None:
    left = tmp_path / "published" / ".1.tmp"
    left.mkdir(parents=True)
    (left / "warehouse.duckdb").write_text("half")
    publish_stores(published, tmp_path)
    assert sorted(path.name for path in (tmp_path / "published").iterdir()) == ["1", "current"]


def test_the_pointer_names_three_files_of_one_publishing_and_the_plain_names_are_the_same_files(published: Stores, tmp_path: Path) -> None:
    assert find_folder_of_current_publication(tmp_path) == tmp_path
    for number in (1, 2, 3):
        publish_stores(published, tmp_path)
        assert find_folder_of_current_publication(tmp_path).name == str(number)
        for name in ("warehouse", "analysts", "identity"):
            assert (tmp_path / f"{name}.duckdb").samefile(find_folder_of_current_publication(tmp_path) / f"{name}.duckdb")
    assert sorted(path.name for path in (tmp_path / "published").iterdir()) == ["2", "3", "current"]


def test_a_file_system_without_hard_links_gets_copies(published: Stores, tmp_path: Path, monkeypatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(module.os, "link", refused)
    publish_stores(published, tmp_path)
    assert mode(tmp_path / "identity.duckdb") == 0o600
    assert read(tmp_path / "warehouse.duckdb", "select count(*) from lineage") == [(2,)]


def test_a_reader_by_the_pointer_sees_one_publishing_over_all_files(published: Stores, tmp_path: Path) -> None:
    publish_stores(published, tmp_path)
    query = "SELECT l.entity, p.full_name FROM lineage l JOIN identity.persons p USING (institution, record_key)"
    with open_publication(tmp_path, "warehouse", "identity") as old:
        publish_stores({**published, "identity": {**published["identity"], "persons": published["identity"]["persons"].iloc[:0]}}, tmp_path)
        assert old.execute(query).fetchall() == [("person", "Invented Name")]
        with open_publication(tmp_path, "warehouse", "identity") as new:
            assert new.execute(query).fetchall() == []


def test_a_reader_gets_a_clear_error_where_nothing_is_or_another_version_published(published: Stores, tmp_path: Path) -> None:
    with pytest.raises(HarmoniaError, match="nothing is published there"), open_publication(tmp_path):
        pass
    publish_stores(published, tmp_path)
    with duckdb.connect(str(find_folder_of_current_publication(tmp_path) / "warehouse.duckdb")) as connection:
        connection.execute("ALTER TABLE coverage DROP COLUMN state")
    with pytest.raises(HarmoniaError, match=r"another version of Harmonia: it lacks coverage\.state"), open_publication(tmp_path):
        pass


def test_the_crosswalk_holds_every_key_behind_a_pseudonym(published: Stores, tmp_path: Path) -> None:
    publish_stores(published, tmp_path)
    assert read(tmp_path / "identity.duckdb", "select institution, record_key from crosswalk order by all") == [
        ("police", "2013-PR-00001"),
        ("police", "2013-PR-00001/1"),
    ]
    seen = {key for (key,) in read(tmp_path / "analysts.duckdb", "select record_key from lineage")}
    assert seen == {key for (key,) in read(tmp_path / "identity.duckdb", "select pseudonym from crosswalk")}


def test_a_reader_of_the_old_file_is_not_disturbed(published: Stores, tmp_path: Path) -> None:
    publish_stores(published, tmp_path)
    with duckdb.connect(str(tmp_path / "warehouse.duckdb"), read_only=True) as connection:
        publish_stores(published, tmp_path)
        assert connection.execute("select count(*) from lineage").fetchone() == (2,)


def test_a_damaged_key_of_the_pseudonyms_is_reported(tmp_path: Path) -> None:
    (tmp_path / "pseudonym.key").write_bytes(b"short")
    with pytest.raises(HarmoniaError, match=r"pseudonym\.key: has 5 bytes"):
        read_pseudonym_key(tmp_path)


def test_the_key_may_lie_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARMONIA_PSEUDONYM_KEY", str(tmp_path / "elsewhere"))
    with pytest.raises(HarmoniaError, match=r"elsewhere: .*HARMONIA_PSEUDONYM_KEY is missing"):
        read_pseudonym_key(tmp_path)
    (tmp_path / "elsewhere").write_bytes(b"e" * 32)
    assert read_pseudonym_key(tmp_path) == b"e" * 32
    assert not (tmp_path / "pseudonym.key").exists()


def test_pseudonyms_differ_by_institution_and_by_key_and_keep_nulls() -> None:
    keys = pd.Series(["1", "1", None])
    made = compute_pseudonyms_of_record_keys(pd.Series(["courts", "police", "police"]), keys, b"k" * 32)
    assert made[0] != made[1]
    assert pd.isna(made[2])
    assert made[0] != compute_pseudonyms_of_record_keys(pd.Series(["courts"]), pd.Series(["1"]), b"x" * 32)[0]
