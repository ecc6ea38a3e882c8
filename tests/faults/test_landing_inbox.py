"""Whatever lies in an inbox ends in a finding, never in a traceback, and holds back no sound delivery beside it."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from landing_world import World

import pipelines.landing
from harmonia.errors import HarmoniaError
from harmonia.lock import lock_home_for_run, lock_landing_store
from pipelines.assets import delivery_batches
from pipelines.landing.store import LandingStore
from schemas.findings import build_findings, rules


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.put("courts/2013-Q2/smil.xml", "sound")
    return world


@pytest.fixture(autouse=True)
def sound_delivery_is_landed(world: World) -> Any:
    yield
    assert world.landed_files()[("courts", "2013-Q2")] == {"smil.xml": b"sound"}


def test_misplaced_files_and_folders_are_reported(world: World) -> None:
    world.put("stray.csv")
    world.put(".DS_Store")
    world.put("Police/2013-Q2/rastet.csv")
    world.put("police/stray.csv")
    world.put("police/2013Q2/rastet.csv")
    world.put("police/2013-Q2/Thumbs.db")
    (world.inbox / "police/2013-Q3").mkdir()
    world.put("police/2013-Q4/.DS_Store")
    report = world.land()
    assert {(f["rule"], f["institution"], f["delivery"], f["file"], f["detail"]) for f in report.findings} == {
        ("inbox-stray-file", None, None, "stray.csv", None),
        ("delivery-system-file", None, None, ".DS_Store", None),
        ("inbox-unknown-institution", None, None, "Police", "did you mean police?"),
        ("inbox-stray-file", "police", None, "stray.csv", None),
        ("delivery-name-no-period", "police", None, "2013Q2", None),
        ("delivery-system-file", "police", "2013-Q2", "Thumbs.db", None),
        ("delivery-empty", "police", "2013-Q2", None, None),
        ("delivery-empty", "police", "2013-Q3", None, None),
        ("delivery-system-file", "police", "2013-Q4", ".DS_Store", None),
        ("delivery-empty", "police", "2013-Q4", None, None),
    }
    assert len(world.landed_files()) == 1


def test_every_rule_of_landing_has_its_texts(world: World) -> None:
    world.put("stray.csv")
    assert build_findings(world.land().findings)["severity"].tolist() == ["error"]
    source = "".join(p.read_text("utf-8") for p in Path(pipelines.landing.__file__).parent.glob("*.py"))
    declared = {code for code in rules() if code.startswith(("inbox-", "delivery-"))} - {"delivery-missing-quarter"}  # found over time
    declared -= set(delivery_batches.REFUSAL_RULES.values())  # of landed deliveries
    assert {code for code in declared if f'"{code}"' not in source} == set()


def test_folders_inside_a_delivery(world: World) -> None:
    world.put("police/2013-Q2/rastet.csv/inner.csv", "kept")
    world.put("police/2013-Q2/personat.csv", "p")
    world.put("police/2013-Q2/old/deeper/x.csv", "kept too")
    assert world.list_findings() == [
        ("delivery-nested-folder", "police", "2013-Q2", "old"),
        ("delivery-folder-for-file", "police", "2013-Q2", "rastet.csv"),
    ]
    assert world.landed_files()[("police", "2013-Q2")] == {"personat.csv": b"p"}
    assert {b"kept", b"kept too"} <= set(world.stored().values())
    deep = "/".join(["d"] * 40)
    world.put(f"police/2013-Q3/{deep}/x.csv")
    assert ("delivery-nested-folder", "police", "2013-Q3", "/".join(["d"] * 17)) in world.list_findings()


def test_no_link_is_followed(world: World, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/rastet.csv").write_text("secret")
    world.put("police/2013-Q2/personat.csv", "p")
    (world.inbox / "police/2013-Q2/rastet.csv").symlink_to(tmp_path / "secret/rastet.csv")
    (world.inbox / "police/2013-Q2/smil.xml").symlink_to("../../courts/2013-Q2/smil.xml")
    (world.inbox / "police/2013-Q2/loop").symlink_to(".")
    (world.inbox / "police/2013-Q3").symlink_to(tmp_path / "secret")
    (world.inbox / "prosecution").symlink_to(tmp_path / "secret")
    (world.inbox / "police/2013-Q4").symlink_to("nowhere")
    assert {(rule, file) for rule, _, _, file in world.list_findings()} == {
        ("delivery-special-file", name) for name in ("rastet.csv", "smil.xml", "loop", "2013-Q3", "prosecution", "2013-Q4")
    }
    assert b"secret" not in world.stored().values()
    assert world.landed_files()[("police", "2013-Q2")] == {"personat.csv": b"p"}


def test_pipes_and_sockets_do_not_hang_a_landing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.put("police/2013-Q2/rastet.csv", "a")
    os.mkfifo(world.inbox / "police/2013-Q2/personat.csv")
    monkeypatch.chdir(world.inbox / "police/2013-Q2")  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind("s")
        assert world.list_findings() == [
            ("delivery-special-file", "police", "2013-Q2", "personat.csv"),
            ("delivery-special-file", "police", "2013-Q2", "s"),
        ]


def test_a_file_that_cannot_be_opened_is_reported_and_the_landed_state_remains(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.put("police/2013-Q2/rastet.csv", "old")
    world.land()
    world.put("police/2013-Q2/rastet.csv", "new")
    world.put("police/2013-Q3/rastet.csv", "other")
    real = os.open

    def closed(path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
        if path in ("rastet.csv", "2013-Q3"):
            raise PermissionError(13, "Permission denied")
        return real(path, flags, *args, **kwargs)

    monkeypatch.setattr(os, "open", closed)
    assert world.list_findings() == [
        ("delivery-file-unreadable", "police", "2013-Q2", "rastet.csv"),
        ("delivery-file-unreadable", "police", "2013-Q3", "2013-Q3"),
    ]
    assert world.landed_files()[("police", "2013-Q2")] == {"rastet.csv": b"old"}
    monkeypatch.undo()
    assert world.list_findings() == [("delivery-changed-in-place", "police", "2013-Q2", None)]
    assert world.landed_files()[("police", "2013-Q3")] == {"rastet.csv": b"other"}


def test_a_folder_that_cannot_be_opened_is_not_gone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.put("police/2013-Q2/rastet.csv", "a")
    world.land()
    real = os.open
    monkeypatch.setattr(os, "open", lambda path, *a, **k: real("/nowhere", *a) if path == "police" else real(path, *a, **k))
    assert world.list_findings() == [("delivery-file-unreadable", "police", None, "police")]
    assert world.landed_files()[("police", "2013-Q2")] == {"rastet.csv": b"a"}


def test_a_file_that_changes_while_it_is_read_is_left_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    path = world.put("police/2013-Q2/rastet.csv", "begun")
    world.put("police/2013-Q2/personat.csv", "whole")
    real = LandingStore.stage_file

    def growing(self: LandingStore, source: int, known: Any) -> Any:
        staged = real(self, source, known)
        if os.fstat(source).st_ino == path.stat().st_ino:
            with path.open("a") as file:
                file.write(", and on")
        return staged

    monkeypatch.setattr(LandingStore, "stage_file", growing)
    report = world.land()
    assert [(f["rule"], f["file"]) for f in report.findings] == [("delivery-file-changing", "rastet.csv")]
    assert report.skipped == 1
    assert b"begun" not in world.stored().values()
    assert world.landed_files()[("police", "2013-Q2")] == {"personat.csv": b"whole"}
    assert [d.incomplete for d in report.new if d.institution == "police"] == [True]
    monkeypatch.undo()
    report = world.land()
    assert report.findings == []  # the file was awaited: nothing was exchanged
    assert [d.incomplete for d in report.new] == [False]
    assert set(world.landed_files()[("police", "2013-Q2")]) == {"rastet.csv", "personat.csv"}


def test_a_file_that_is_being_copied_is_left_alone(world: World) -> None:
    path = world.put("police/2013-Q2/rastet.csv", "begun")
    stop = threading.Event()

    def copy() -> None:
        with path.open("a") as file:
            while not stop.is_set():
                file.write("more")
                file.flush()
                time.sleep(0.01)

    copier = threading.Thread(target=copy)
    copier.start()
    try:
        actual = world.list_findings(settle=0.2)
    finally:
        stop.set()
        copier.join()
    assert actual == [("delivery-file-changing", "police", "2013-Q2", "rastet.csv")]
    assert world.list_findings() == []


def test_a_full_disk_leaves_nothing_half(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.land()
    before = (world.stored(), world.ledger())
    world.put("police/2013-Q2/rastet.csv", "a" * 3_000_000)
    world.put("police/2013-Q3/rastet.csv", "b" * 100)
    real, written = os.fdopen, []

    class Full:
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self.file = real(*args, **kwargs)

        def __enter__(self) -> Full:
            return self

        def __exit__(self, *_: object) -> None:
            self.file.close()

        def write(self, chunk: memoryview) -> int:
            if len(written) > 1:
                raise OSError(28, "No space left on device")
            written.append(self.file.write(chunk[:1000]))
            return written[-1]

        def fileno(self) -> int:
            return self.file.fileno()

    monkeypatch.setattr("pipelines.landing.store.os.fdopen", Full)
    with pytest.raises(HarmoniaError, match="the disk is full; make room, then run again"):
        world.land()
    assert (world.stored(), world.ledger()) == before
    monkeypatch.undo()
    assert world.list_findings() == []
    assert len(world.landed_files()) == 3


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to mount a small file system")
def test_a_really_full_disk(world: World, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", small], capture_output=True).returncode:
        pytest.skip("may not mount here")
    try:
        other = World(small)
        other.inbox = world.inbox
        world.land()
        other.land()
        before = (other.stored(), other.ledger())
        world.put("police/2013-Q2/rastet.csv", os.urandom(500_000))
        with pytest.raises(HarmoniaError, match="the disk is full"):
            other.land()
        assert (other.stored(), other.ledger()) == before
        other.registry.close()
    finally:
        subprocess.run(["umount", "-l", small], check=True)


def test_two_processes_land_the_same_inbox_one_after_the_other(world: World) -> None:
    for n in range(20):
        world.put(f"police/20{n + 10:02}-Q1/rastet.csv", str(n))
    world.registry.close()
    children = []
    for _ in range(2):
        child = os.fork()
        if child == 0:
            os._exit(len(world.land().new))
        children.append(child)
    new = sorted(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)
    assert new == [0, 21]
    assert len(world.landed_files()) == 21


def test_a_second_run_is_refused_in_one_line(world: World) -> None:
    world.land()
    with (
        lock_home_for_run(world.home),
        pytest.raises(HarmoniaError, match=r"in use by process \d+ since .*: wait until it has ended"),
        lock_home_for_run(world.home),
    ):
        pass
    with (
        lock_landing_store(world.home),
        pytest.raises(HarmoniaError, match=f"in use by process {os.getpid()}"),
        lock_landing_store(world.home, wait=0.1),
    ):
        pass
    with lock_home_for_run(world.home):
        pass  # free again


def test_a_kill_at_any_moment_leaves_what_the_next_landing_completes(world: World, tmp_path: Path) -> None:
    for n in range(15):
        world.put(f"police/20{n + 10:02}-Q1/rastet.csv", f"{n}" * 5000)
    for n in range(6):
        other = World(tmp_path / f"kill{n}")
        other.registry.close()
        other.inbox = world.inbox
        child = os.fork()
        if child == 0:
            try:
                with lock_home_for_run(other.home):
                    other.land()
            finally:
                os._exit(0)
        time.sleep(n * 0.02)
        os.kill(child, 9)
        os.waitpid(child, 0)
        with lock_home_for_run(other.home):  # the kernel gave it back
            other.land()
        assert len(other.landed_files()) == 16
        assert not [name for name in other.stored() if name.startswith(".incoming")]
        other.registry.close()
    world.land()
