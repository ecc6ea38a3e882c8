"""A pool of processes for tasks that do not depend on each other.

Belongs here: deciding whether a pool is worth its cost, starting and ending it. Does not belong here: the tasks. A task reads from the lake
and writes to the lake, so that no frame is sent between processes. The order in which tasks are completed does not matter.
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
    """Run `function` on every task, in several processes if there are many rows.

    `function` must be defined at the top level of a module, and it must be possible to pickle the tasks. Tasks may be generated while the
    first ones are running. `rows` is the approximate number of rows of all tasks together. Raises the error of the first task that fails,
    and `HarmoniaError` if a process is killed.
    """
    processes = len(os.sched_getaffinity(0))
    if isinstance(tasks, Sized):
        processes = min(processes, len(tasks))
    if processes < 2 or rows < _MIN_ROWS:
        for task in tasks:
            function(task)
        return
    release_free_memory()  # so that the processes can use it
    context = get_context("forkserver")  # a forked process would inherit locks that threads hold
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
    """Make this process ignore interrupts, which the run handles, and exit as soon as the run ends.

    Otherwise it could still be working when the next run begins.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=lambda: (connection.wait([parent.sentinel]), os._exit(1)), daemon=True).start()
