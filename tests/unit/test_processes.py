"""Work that several processes share is done as one process does it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harmonia.errors import HarmoniaError
from pipelines.resources import processes


@pytest.mark.parametrize("rows", [1, 10**9], ids=["in this process", "in several"])
def test_every_piece_is_done_and_a_failure_is_raised(tmp_path: Path, rows: int) -> None:
    tasks = [tmp_path / str(n) for n in range(5)]
    processes.run_in_processes(Path.mkdir, tasks, rows)
    assert all(task.is_dir() for task in tasks)
    with pytest.raises(FileNotFoundError):
        processes.run_in_processes(Path.rmdir, [*tasks, tmp_path / "none"], rows)


def test_a_process_that_is_killed_is_said_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})  # never in this process
    with pytest.raises(HarmoniaError, match="killed from outside, most often for want of memory"):
        processes.run_in_processes(os._exit, [9, 9], 10**9)
