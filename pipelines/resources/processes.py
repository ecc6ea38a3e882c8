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
from pipelines.resources.memory import release_memory

T = TypeVar("T")

_WORTH = 60_000  # rows below which starting processes costs more than they save


def each(work: Callable[[T], None], pieces: Iterable[T], rows: int) -> None:
    """Do `work` on every piece; `rows`: about how many they hold together. Raises what the first piece that fails raises, and
    `HarmoniaError` where a process is killed.

    `work` is a function of a module, and a piece can be pickled. Pieces may still be made while the first are worked on.
    """
    processes = len(os.sched_getaffinity(0))
    if isinstance(pieces, Sized):
        processes = min(processes, len(pieces))
    if processes < 2 or rows < _WORTH:
        for piece in pieces:
            work(piece)
        return
    release_memory()  # what is free here is theirs to use
    context = get_context("forkserver")  # a fork of this process would inherit its threads' locks
    context.set_forkserver_preload([work.__module__])
    try:
        with ProcessPoolExecutor(processes, mp_context=context, initializer=_end_with_the_run) as pool:
            for _ in pool.map(work, pieces):
                pass
    except BrokenProcessPool:
        raise HarmoniaError(
            "a process that shared the work was killed from outside, most often for want of memory (`journalctl -k` names it): give the "
            "machine more memory or swap, then run again"
        ) from None


def _end_with_the_run() -> None:
    """An interrupt is the run's to answer; and whoever is left behind by a killed run ends at once, before the next one begins."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=lambda: (connection.wait([parent.sentinel]), os._exit(1)), daemon=True).start()
