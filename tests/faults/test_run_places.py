"""A run whose place gives way beneath it: it ends in one clear line or goes on, readers see old or new, the next run publishes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres_world import running
from run_world import Run, World, content, prepare

pytestmark = pytest.mark.slow
STAGES = ("", "landing", "canonical", "statistics", "warehouse")  # from where on the disk is full; "": from the start
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return prepare(tmp_path_factory.mktemp("places"))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 200 MiB in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200m", "tmpfs", folder], check=False).returncode:
        pytest.skip("needs the right to mount a small file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def remount(disk: Path, option: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{option}", disk], check=True)


def fill(disk: Path) -> Path:
    """Take all the room that is left."""
    ballast, size = disk / "ballast", 1 << 28
    with ballast.open("wb") as file:
        while size >= 1 << 12:
            try:
                os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, size)
            except OSError:
                size //= 2
    return ballast


def one_line(said: str) -> str:
    assert said.startswith("harmonia: ")
    assert "\n" not in said
    return said


def test_a_disk_that_is_full_from_each_stage_on(world: World, disk: Path) -> None:
    home, states = world.home(disk / "home"), {world.old, world.new}
    for stage in STAGES:
        run = Run(world.inbox, home) if stage else None
        if run:
            run.got_to(stage)
        ballast = fill(disk)
        code, said = (run or Run(world.inbox, home)).ended()
        assert code == 1, stage
        assert any(words in one_line(said) for words in ("disk is full", "no space is left", "make room", "free disk space")), (
            f"{stage}: {said}"
        )
        assert content(home) in states, stage
        ballast.unlink()
    assert Run(world.inbox, home).ended() == (0, "")
    assert content(home) == world.new


def test_a_home_that_may_only_be_read(world: World, disk: Path) -> None:
    home = world.home(disk / "home")
    remount(disk, "ro")
    code, said = Run(world.inbox, home).ended()
    assert (code, "read-only" in one_line(said)) == (1, True)
    assert content(home) == world.old
    remount(disk, "rw")
    assert Run(world.inbox, home).ended() == (0, "")
    assert content(home) == world.new


def test_a_home_that_may_only_be_read_from_the_middle_of_a_run_on(world: World, disk: Path) -> None:
    home = world.home(disk / "home")
    run = Run(world.inbox, home)
    run.got_to("canonical")
    for path in (home / "lake", home / "published"):  # a file system with open files cannot be turned: these two become others
        subprocess.run(["mount", "--bind", path, path], check=True)
        subprocess.run(["mount", "-o", "remount,bind,ro", path], check=True)
    try:
        code, said = run.ended()
    finally:
        for path in (home / "lake", home / "published"):
            subprocess.run(["umount", "--lazy", path], check=True)
    assert code == 1
    one_line(said)
    assert content(home) == world.old
    assert Run(world.inbox, home).ended() == (0, "")
    assert content(home) == world.new


def test_two_runs_at_once(world: World, tmp_path: Path) -> None:
    home = world.home(tmp_path / "home")
    ended = [run.ended() for run in [Run(world.inbox, home), Run(world.inbox, home)]]
    refused = [said for code, said in ended if code]
    assert len(refused) < 2
    assert all("is in use by process" in one_line(said) for said in refused)
    assert content(home) == world.new


def test_a_server_that_goes_away_in_the_middle_of_a_run(world: World, tmp_path: Path) -> None:
    with running(18) as server:
        url = server.new_database("harmonia")
        places = ("--registry-url", url.replace("postgresql://", "postgresql+psycopg://"), "--warehouse-url", url)
        home = tmp_path / "home"
        for stage in ("canonical", "statistics"):
            run = Run(world.inbox, home, *places)
            run.got_to(stage)
            server.control("stop", "-m", "immediate")
            code, said = run.ended()
            assert code == 1, stage
            assert "does not answer" in one_line(said) or "stopped or restarted" in said, said
            assert not (home / "warehouse.duckdb").exists()
            server.control("start")
        run = Run(world.inbox, home, *places)
        for stage in ("landing", "canonical", "identities", "statistics"):
            run.got_to(stage)
            server.control("restart", "-m", "immediate")
        code, said = run.ended()  # between two transactions a restart is not noticed
        assert code == 0 or one_line(said)
        assert Run(world.inbox, home, *places).ended() == (0, "")
        assert content(home) == world.new


@pytest.mark.skipif(not FAKETIME.exists(), reason=f"needs libfaketime: {FAKETIME}")
def test_a_clock_that_jumps_in_the_middle_of_a_run(world: World, tmp_path: Path) -> None:
    home, clock = world.home(tmp_path / "home"), tmp_path / "clock"

    def set_clock(offset: str) -> None:
        """In one step, since the run reads the file all the time."""
        (tmp_path / "next").write_text(offset)
        (tmp_path / "next").rename(clock)

    set_clock("+0")
    faked = {"LD_PRELOAD": str(FAKETIME), "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1"}
    run = Run(world.inbox, home, **faked, FAKETIME_DONT_FAKE_MONOTONIC="1", NO_FAKE_STAT="1")
    run.got_to("landing")
    set_clock("-30y")
    run.got_to("canonical")
    set_clock("+30y")
    assert run.ended() == (0, "")
    assert content(home) == world.new
