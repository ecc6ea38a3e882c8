"""Pulls that are killed: no delivery is lost, doubled or in the inbox in part, and the next pull goes on."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import kill_points
import pytest
from pull_world import PullWorld, Sshd, sshd, until

POINTS = ["pull-file-begun:2", "pull-fetched", "pull-moved", "pull-entered"]
MOMENTS = 200
FILES = ("rastet.csv", "personat.csv")
MIB = 1 << 20


@pytest.fixture(scope="module")
def server() -> Iterator[Sshd]:
    with sshd() as one:
        yield one


@pytest.fixture
def world(tmp_path: Path, server: Sshd) -> PullWorld:
    one = PullWorld(tmp_path)
    one.declare("police", **server.source(one.there))
    return one


def start(world: PullWorld, environment: Mapping[str, str] = os.environ) -> subprocess.Popen[bytes]:
    """Start a pull from the command line."""
    program = Path(sys.executable).with_name("harmonia")
    words = [program, "pull", "--inbox", world.inbox, "--home", world.home.root]
    limits = {"HARMONIA_PULL_SECONDS": "60"}
    return subprocess.Popen(words, env={**environment, **limits}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def offer(world: PullWorld, delivery: str, mark: str, size: int = 6 * MIB) -> bytes:
    """A delivery of two files of several chunks; their content."""
    content = (mark.encode() + b"\n") * (size // (len(mark) + 1))
    (world.there / delivery).mkdir(exist_ok=True)
    for name in FILES:
        (world.there / delivery / name).write_bytes(content)
    return content


def check(world: PullWorld, expected: dict[str, list[bytes]]) -> None:
    """Every folder of the inbox is whole; the versions of a delivery are the first of those that were offered, in order."""
    for period, contents in expected.items():
        there = {path.name: path for path in (world.inbox / "police").glob(f"{period}*")}
        names = [period, *(f"{period}_v{n}" for n in range(2, len(contents) + 1))][: len(there)]
        assert sorted(there) == sorted(names)
        for name, content in zip(names, contents, strict=False):
            assert {path.name: path.read_bytes() for path in there[name].iterdir()} == dict.fromkeys(FILES, content), name


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
def test_a_pull_that_dies_at_a_point_is_done_by_the_next(world: PullWorld, point: str) -> None:
    expected = {"2013-Q1": [offer(world, "2013-Q1", "one")], "2013-Q2": [offer(world, "2013-Q2", "two")]}
    assert start(world, kill_points.environment(point)).wait() == -signal.SIGKILL
    check(world, expected)
    world.pull()
    check(world, expected)
    assert world.deliveries() == ["police/2013-Q1", "police/2013-Q2"]
    assert not list((world.inbox / ".pull").iterdir())
    before = world.inbox_files()
    assert {one.result for one in world.pull()} == {"unchanged"}
    assert world.inbox_files() == before


@pytest.mark.long
def test_pulls_killed_at_200_moments_lose_and_double_nothing(world: PullWorld) -> None:
    chance = random.Random(18)
    expected: dict[str, list[bytes]] = {}
    begin = time.monotonic()
    assert start(world).wait() == 0
    lasting = time.monotonic() - begin + 1  # of a pull that is let through
    killed = 0
    for number in range(MOMENTS):
        period = f"{2000 + number // 8}-Q{number // 2 % 4 + 1}"  # every second time another content of the same delivery
        expected.setdefault(period, []).append(offer(world, period, f"number {number}", 2 * MIB))
        child = start(world)
        time.sleep(chance.uniform(0, lasting))
        child.kill()
        killed += child.wait() == -signal.SIGKILL
        check(world, expected)
        until(lambda: {one.result for one in world.pull()} == {"unchanged"})  # "waiting" while a process of the killed pull ends
        check(world, expected)
        assert len(world.deliveries()) == number + 1
    assert killed > MOMENTS / 2
    world.land()
    assert len(world.landed_files()) == MOMENTS
