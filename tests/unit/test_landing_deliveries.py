"""Landing keeps every file byte for byte, once, with a receipt for every delivery; twice changes nothing."""

from __future__ import annotations

import hashlib
import random
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from landing_world import World
from sqlalchemy import select

from harmonia.errors import HarmoniaError
from harmonia.home import Home
from harmonia.registry.tables import Audit
from pipelines.landing import ingest, land_deliveries, list_landed_deliveries


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_every_file_is_kept_byte_for_byte_under_its_hash(world: World) -> None:
    content = bytes(range(256)) * 9000  # more than one chunk
    world.put("police/2013-Q2/rastet.csv", content)
    report = world.land()
    path = list_landed_deliveries(world.registry, world.home)[0].files[0].path
    assert path.name == hashlib.sha256(content).hexdigest()
    assert path.parent.name == path.name[:2]
    assert path.read_bytes() == content
    assert stat.S_IMODE(path.stat().st_mode) == 0o400
    assert (report.deliveries, report.files, report.new_files, report.new_bytes) == (1, 1, 1, len(content))
    assert report.findings == []


def test_twice_changes_nothing(world: World) -> None:
    world.put("police/2013-Q2/rastet.csv", "a")
    world.put("police/2013-Q2/.DS_Store", "mac")
    world.put("courts/2013-Q2/sub/smil.xml", "b")
    world.put("nobody/2013-Q2/x", "c")
    first = world.land()
    before = (world.stored(), world.ledger(), world.landed_files())
    second = world.land()
    assert (world.stored(), world.ledger(), world.landed_files()) == before
    assert second.findings == first.findings
    assert (second.new, second.new_files, second.new_bytes) == ([], 0, 0)


@pytest.mark.parametrize("spoil", [lambda path: path.write_bytes(b"cut"), Path.unlink])
def test_altered_or_lost_bytes_are_taken_again_and_that_is_reported_and_audited(world: World, spoil: Callable[[Path], object]) -> None:
    world.put("police/2013-Q2/rastet.csv", "as received")
    world.put("police/2013-Q2/personat.csv", "another")
    world.land()
    (path,) = [file.path for one in list_landed_deliveries(world.registry, world.home) for file in one.files if file.name == "rastet.csv"]
    path.chmod(0o600)
    spoil(path)
    assert world.list_findings() == [("landing-bytes-replaced", None, None, "police/2013-Q2/rastet.csv")]
    assert path.read_bytes() == b"as received"
    with world.registry.read() as session:
        (line,) = session.scalars(select(Audit)).all()
    assert (line.action, line.subject) == (ingest.REPLACED, f"police 2013-Q2: {path.name}")
    assert world.list_findings() == []


def test_the_same_bytes_are_stored_once_and_v2_is_a_delivery_of_its_own(world: World) -> None:
    world.put("courts/2013-Q2/smil.xml", "same")
    world.put("courts/2013-Q2_v2/smil.xml", "same")
    report = world.land()
    assert [str(d.name) for d in list_landed_deliveries(world.registry, world.home)] == ["2013-Q2", "2013-Q2_v2"]
    assert (report.files, report.new_files, len(world.stored())) == (2, 1, 1)
    assert [finding["rule"] for finding in report.findings] == ["delivery-same-bytes"]
    keys = {d.receipt for d in list_landed_deliveries(world.registry, world.home)}
    assert len(keys) == 2  # a receipt is institution, delivery and content


def test_any_order_of_arrival_gives_the_same_list(tmp_path: Path, shared: Path) -> None:
    source = shared / "deliveries" / "sample-2012" / "inbox"
    whole = World(tmp_path / "whole")
    shutil.copytree(source, whole.inbox, dirs_exist_ok=True)
    whole.land()
    batches = World(tmp_path / "batches")
    folders = sorted(source.glob("*/*"))
    random.Random(5).shuffle(folders)
    for n, folder in enumerate(folders):
        shutil.copytree(folder, batches.inbox / folder.parent.name / folder.name)
        if n % 12 == 0:
            batches.land()
    report = batches.land()
    assert [finding["rule"] for finding in report.findings] == ["delivery-same-bytes"]
    assert batches.landed_files() == whole.landed_files()
    order = [(d.institution, str(d.name), d.receipt) for d in list_landed_deliveries(whole.registry, whole.home)]
    assert [(d.institution, str(d.name), d.receipt) for d in list_landed_deliveries(batches.registry, batches.home)] == order
    assert order == sorted(order, key=lambda row: row[0])
    names = [name for institution, name, _ in order if institution == "courts"]
    assert names == sorted(names)


def test_versions_are_ordered_as_numbers(world: World) -> None:
    for version in ("2013-Q2_v10", "2013-Q2_v9", "2013-Q2", "2013-Q1_v2"):
        world.put(f"courts/{version}/smil.xml", version)
    world.land()
    assert [str(d.name) for d in list_landed_deliveries(world.registry, world.home)] == [
        "2013-Q1_v2",
        "2013-Q2",
        "2013-Q2_v9",
        "2013-Q2_v10",
    ]


def test_content_exchanged_in_place_keeps_both_and_the_newest_counts(world: World) -> None:
    world.put("courts/2013-Q2/smil.xml", "old")
    first = world.land().new[0].receipt
    world.put("courts/2013-Q2/smil.xml", "new")
    report = world.land()
    assert [f["rule"] for f in report.findings] == ["delivery-changed-in-place"]
    assert report.findings[0]["detail"] == "changed: smil.xml"
    assert world.landed_files() == {("courts", "2013-Q2"): {"smil.xml": b"new"}}
    assert sorted(world.stored().values()) == [b"new", b"old"]
    assert report.new[0].receipt != first
    assert world.land().findings == report.findings  # it remains, so that another run changes nothing
    world.put("courts/2013-Q2/smil.xml", "old")
    assert world.land().new[0].receipt == first
    assert world.landed_files() == {("courts", "2013-Q2"): {"smil.xml": b"old"}}


def test_a_delivery_that_was_removed_from_the_inbox_remains_landed(world: World) -> None:
    world.put("courts/2013-Q2/smil.xml", "a")
    world.put("courts/2013-Q3/smil.xml", "b")
    world.land()
    shutil.rmtree(world.inbox / "courts" / "2013-Q2")
    assert world.list_findings() == [("delivery-gone", "courts", "2013-Q2", None)]
    assert len(world.landed_files()) == 2
    before = world.ledger()
    world.land()
    assert world.ledger() == before
    world.put("courts/2013-Q2/smil.xml", "a")
    assert world.list_findings() == []


def test_files_that_went_from_a_folder_stand(world: World) -> None:
    world.put("police/2013-Q2/rastet.csv", "a")
    world.put("police/2013-Q2/personat.csv", "b")
    world.land()
    before = world.landed_files()
    (world.inbox / "police/2013-Q2/personat.csv").unlink()
    assert world.list_findings() == [("delivery-file-gone", "police", "2013-Q2", "personat.csv")]
    assert world.landed_files() == before
    (world.inbox / "police/2013-Q2/rastet.csv").unlink()
    assert ("delivery-file-gone", "police", "2013-Q2", "rastet.csv") in world.list_findings()
    assert world.landed_files() == before


def test_a_renamed_file_replaces_the_old_name(world: World) -> None:
    world.put("courts/2013-Q2/smil(1).xml", "a")
    world.land()
    (world.inbox / "courts/2013-Q2/smil(1).xml").rename(world.inbox / "courts/2013-Q2/smil.xml")
    report = world.land()
    assert report.findings[0]["detail"] == "added: smil.xml; removed: smil(1).xml"
    assert world.landed_files() == {("courts", "2013-Q2"): {"smil.xml": b"a"}}


def test_leftovers_are_landed_and_may_go_without_a_word(world: World) -> None:
    names = ["personat.csv.part", "psh.sqlite-journal", "psh.sqlite-wal", "~$raporti.xlsx", "a.tmp"]
    world.put("police/2013-Q2/rastet.csv", "a")
    for name in names:
        world.put(f"police/2013-Q2/{name}", name)
    assert world.list_findings() == []
    assert set(world.landed_files()[("police", "2013-Q2")]) == {"rastet.csv", *names}
    for name in names:
        (world.inbox / "police/2013-Q2" / name).unlink()
    assert world.list_findings() == []
    assert set(world.landed_files()[("police", "2013-Q2")]) == {"rastet.csv"}


def test_a_missing_version_and_a_repeated_quarter_are_reported(world: World) -> None:
    world.put("courts/2013-Q2_v3/smil.xml", "a")
    world.put("courts/2013-Q3/smil.xml", "a")
    world.put("police/2013-Q2/rastet.csv", "a")
    report = world.land()
    assert [(f["rule"], f["institution"], f["delivery"], f["detail"]) for f in report.findings] == [
        ("delivery-version-gap", "courts", "2013-Q2_v3", "2013-Q2, 2013-Q2_v2"),
        ("delivery-repeats-quarter", "courts", "2013-Q3", "2013-Q2_v3"),
    ]


def test_a_quarter_that_has_not_ended_is_reported(world: World) -> None:
    world.put("courts/2098-Q4/smil.xml", "a")
    assert world.list_findings() == [("delivery-before-quarter-end", "courts", "2098-Q4", None)]


def test_missing_or_cut_bytes_in_the_store_stop_with_the_way_out_and_heal_from_the_inbox(world: World) -> None:
    world.put("courts/2013-Q2/smil.xml", "abcdef")
    world.land()
    path = list_landed_deliveries(world.registry, world.home)[0].files[0].path
    path.chmod(0o600)
    path.write_bytes(b"abc")
    with pytest.raises(HarmoniaError, match=r"courts 2013-Q2 smil.xml: .*restore"):
        list_landed_deliveries(world.registry, world.home)
    world.land()
    assert world.landed_files() == {("courts", "2013-Q2"): {"smil.xml": b"abcdef"}}
    path.unlink()
    world.land()
    assert world.landed_files() == {("courts", "2013-Q2"): {"smil.xml": b"abcdef"}}


@pytest.mark.parametrize("withdrawn", [True, False])
def test_bytes_that_a_killed_run_moved_but_did_not_enter_stay_only_where_they_come_again(
    world: World, withdrawn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put("police/2013-Q1/rastet.csv", "entered")
    world.land()
    world.put("police/2013-Q2/rastet.csv", "moved, not entered")
    with monkeypatch.context() as killed, pytest.raises(KeyboardInterrupt):
        killed.setattr(ingest, "record_landing", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        world.land()
    assert b"moved, not entered" in world.stored().values()
    if withdrawn:
        shutil.rmtree(world.inbox / "police/2013-Q2")
    world.land()
    there = [b"entered"] if withdrawn else [b"entered", b"moved, not entered"]
    assert sorted(world.stored().values()) == there
    assert sorted(content for files in world.landed_files().values() for content in files.values()) == there


def test_an_inbox_that_is_none_is_one_clear_line(world: World, tmp_path: Path) -> None:
    with pytest.raises(HarmoniaError, match="does not exist: create the folder"):
        land_deliveries(tmp_path / "absent", world.home, world.registry)
    (tmp_path / "file").write_text("x")
    with pytest.raises(HarmoniaError, match="cannot be opened"):
        land_deliveries(tmp_path / "file", world.home, world.registry)
    with pytest.raises(HarmoniaError, match="is inside the inbox"):
        land_deliveries(tmp_path, world.home, world.registry)


def test_folders_with_personal_data_are_private(tmp_path: Path) -> None:
    home = Home(tmp_path / "home").create()
    for folder in (home.landing, home.lake, home.feedback):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (tmp_path / "file").write_text("x")
    with pytest.raises(HarmoniaError, match="is a file"):
        Home(tmp_path / "file").create()
    with pytest.raises(HarmoniaError, match="part of the path is a file"):
        Home(tmp_path / "file" / "below").create()
