"""After a restore of a backup older than an erasure: its order is entered again from a later backup, for whoever holds the records now."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from harmonia.cli.main import app
from harmonia.errors import HarmoniaError
from harmonia.operations.backup.create import backup
from harmonia.operations.backup.restore import restore
from harmonia.operations.erasure import orders
from harmonia.operations.erasure.repeat import repeat_erasure_orders
from harmonia.registry import Registry, open_registry
from harmonia.registry.identity import assign_ids
from harmonia.registry.ledger import now
from harmonia.registry.tables import Erasure
from pipelines.resources.workplace import Workplace

RECORDS = [("police", "a", 1), ("courts", "b", 1), ("police", "c", 2), ("corrections", "d", 1)]


def link(registry: Registry, rows: list[tuple[str, str, int]]) -> list[str]:
    return list(assign_ids(registry, "person", pd.DataFrame(rows, columns=["institution", "record_key", "cluster"]))["entity_id"])


@pytest.fixture
def lost(tmp_path: Path) -> Workplace:
    """A home restored from `older`, a backup made before a person was erased in it; `later` was made after that."""
    place = Workplace.from_paths(tmp_path, tmp_path / "home")
    place.home.create()
    registry = open_registry(place.registry)
    link(registry, RECORDS[:3])
    backup(place, tmp_path / "older")
    person = link(registry, RECORDS)[0]
    number = orders.place_order(registry, person, "A. Officer", "decision 12/2014")
    orders.place_order(registry, person, "A. Officer", "not carried out")
    with registry.write() as session:
        session.add(Erasure(at=now(), order_id=number, carried_out_by="B. Engineer"))
    registry.close()
    backup(place, tmp_path / "later")
    shutil.rmtree(place.home.root)
    restore(tmp_path / "older", place)
    return place


def harmonia(place: Workplace, *words: object) -> tuple[int, str]:
    said = CliRunner().invoke(app, [*map(str, words)], env=place.make_environment_variables())
    return said.exit_code, said.output


def test_the_order_is_entered_again_once_and_tells_records_that_are_not_there_yet(lost: Workplace, tmp_path: Path) -> None:
    code, said = harmonia(lost, "erase", "repeat", tmp_path / "later")
    assert (code, "order 1 of the backup: 2 of 3 records are known here; order 1 (P0000001)" in said) == (1, True)
    registry = open_registry(lost.registry)
    link(registry, RECORDS)  # as a run does
    (again,) = repeat_erasure_orders(registry, tmp_path / "later")
    assert (again.known_records, again.records, again.new_orders) == (3, 3, {})
    listed = orders.list_orders(registry)
    assert listed[["person", "ordered by", "ground", "executed"]].to_numpy().tolist() == [
        ["P0000001", "A. Officer", "decision 12/2014 (order 1 of a later backup)", 0]
    ]
    registry.close()
    assert harmonia(lost, "erase", "repeat", tmp_path / "later")[0] == 0


def test_where_the_records_are_of_two_persons_here_each_gets_an_order(lost: Workplace, tmp_path: Path) -> None:
    registry = open_registry(lost.registry)
    ids = link(registry, [("police", "a", 1), ("courts", "b", 2), ("police", "c", 3), ("corrections", "d", 2)])
    (done,) = repeat_erasure_orders(registry, tmp_path / "later")
    registry.close()
    assert sorted(done.new_orders.values()) == sorted({ids[0], ids[1]})


def test_who_gave_the_order_does_not_carry_it_out(lost: Workplace, tmp_path: Path) -> None:
    registry = open_registry(lost.registry)
    repeat_erasure_orders(registry, tmp_path / "later")
    with pytest.raises(HarmoniaError, match="a different user"):
        orders.check_executor(orders.get_order(registry, 1), "a. officer")
    registry.close()


def test_a_home_that_knows_the_order_gets_none(lost: Workplace, tmp_path: Path) -> None:
    place = Workplace.from_paths(tmp_path, tmp_path / "another")
    restore(tmp_path / "later", place)
    registry = open_registry(place.registry)
    assert [one.new_orders for one in repeat_erasure_orders(registry, tmp_path / "later")] == [{}]
    registry.close()


def test_a_backup_is_only_read_and_a_damaged_one_refused(lost: Workplace, tmp_path: Path) -> None:
    kept = tmp_path / "later" / "registry.sqlite"
    before = kept.read_bytes()
    registry = open_registry(lost.registry)
    repeat_erasure_orders(registry, tmp_path / "later")
    assert (kept.read_bytes(), kept.with_name("registry.sqlite-wal").exists()) == (before, False)
    kept.write_bytes(before + b"x")
    with pytest.raises(HarmoniaError, match="was changed"):
        repeat_erasure_orders(registry, tmp_path / "later")
    with pytest.raises(HarmoniaError, match="not a backup"):
        repeat_erasure_orders(registry, tmp_path)
    registry.close()
