"""Work within bounds: what takes too long or too much is ended, and the next piece is worked on."""

from __future__ import annotations

import os
import signal
import time

import pytest

from harmonia.errors import HarmoniaError
from pipelines.resources import bounded
from pipelines.resources.bounded import Bounds, LimitExceededError

FEW = Bounds(seconds=1, memory=64, patience=1.2)


def work(task: str) -> str:
    if task == "runs":
        while True:
            pass
    if task == "sleeps":
        time.sleep(1000)
    if task == "grows":
        grown = [bytes(1 << 20) for _ in range(1000)]
        return str(len(grown))
    if task == "dies":
        os.kill(os.getpid(), signal.SIGSEGV)
    if task == "breaks":
        raise ValueError("Arben Krasniqi")
    if task == "says":
        raise HarmoniaError("the disk is full")
    return task.upper()


@pytest.mark.parametrize(
    ("task", "reason", "detail"),
    [
        ("runs", "seconds", "> 1 s"),
        ("sleeps", "seconds", "> 1 s"),
        ("grows", "memory", "> 64 MiB"),
        ("dies", "ended", ""),
        ("breaks", "failed", "ValueError"),
    ],
)
def test_what_does_not_end_well_is_ended_and_the_others_are_done(task: str, reason: str, detail: str) -> None:
    done = {one.task: one for one in bounded.run_bounded_tasks(work, ["a", task, "b", "c"], FEW)}
    assert {name: one.result for name, one in done.items()} == {"a": "A", task: None, "b": "B", "c": "C"}
    ended = done[task].ended
    assert ended is not None
    assert (ended.reason, ended.detail) == (reason, detail)
    with pytest.raises(LimitExceededError):
        bounded.run_bounded_task(work, task, FEW)


def test_two_at_a_time() -> None:
    done = list(bounded.run_bounded_tasks(work, ["sleeps", "b", "a"], FEW, processes=2))
    assert [one.task for one in done] == ["b", "a", "sleeps"]


def test_an_error_for_people_is_raised_as_it_is() -> None:
    with pytest.raises(HarmoniaError, match="the disk is full"):
        list(bounded.run_bounded_tasks(work, ["a", "says", "b"], FEW))
    assert bounded.run_bounded_task(work, "a", FEW) == "A"


def test_bounds_are_numbers() -> None:
    assert Bounds.from_environment({}) == Bounds()
    assert Bounds.from_environment({"HARMONIA_DELIVERY_SECONDS": "5", "HARMONIA_DELIVERY_ROWS": "700"}) == Bounds(5, rows=700)
    with pytest.raises(HarmoniaError, match="HARMONIA_DELIVERY_MEMORY is '2G': give a whole number of MiB"):
        Bounds.from_environment({"HARMONIA_DELIVERY_MEMORY": "2G"})
