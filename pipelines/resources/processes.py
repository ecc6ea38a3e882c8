"""A pool of processes for independent tasks.

Belongs here: whether a pool is worth its cost, starting and ending it. Does not belong here: the tasks. A task reads and writes the lake
itself, so that no frame is sent between processes and the order of completion does not matter.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterable, Sized
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection, get_context, parent_process
from typing import TypeVar

from harmonia.errors import HarmoniaError
from pipelines.resources.memory import release_free_memory

T = TypeVar("T")

_MIN_ROWS = 60_000  # with fewer rows, starting processes costs more than it saves


def run_in_processes(function: Callable[[T], None], tasks: Iterable[T], rows: int) -> None:
    """Run `function` on every task.

    function: a module-level function. tasks: must be picklable; they may be generated while the first ones are running. rows: approximate
    number of rows of all tasks together. Raises the error of the first task that fails, and `HarmoniaError` if a process is killed.
    """
    processes = len(os.sched_getaffinity(0))
    if isinstance(tasks, Sized):
        processes = min(processes, len(tasks))
    if processes < 2 or rows < _MIN_ROWS:
        for task in tasks:
            function(task)
        return
    release_free_memory()  # for the processes to use
    context = get_context("forkserver")  # a fork of this process would inherit its threads' locks
    context.set_forkserver_preload([function.__module__])
    try:
        with ProcessPoolExecutor(processes, mp_context=context, initializer=_exit_when_parent_ends) as pool:
            for _ in pool.map(function, tasks):
                pass
    except BrokenProcessPool:
        raise HarmoniaError(
            "a process that shared the work was killed from outside, most often for want of memory (`journalctl -k` names it): give the "
            "machine more memory or swap, then run again"
        ) from None


def _exit_when_parent_ends() -> None:
    """Ignore interrupts, which the run handles, and exit at once if the run is killed, before the next run begins."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=lambda: (connection.wait([parent.sentinel]), os._exit(1)), daemon=True).start()
