"""Work over what somebody delivered, in a process that can be ended: so many seconds, so much memory, and no more.

Belongs here: the processes, their bounds, why one was ended. Does not belong here: the work, and what is told of a delivery for which it
was ended (`pipelines.assets.refusing`). A process does one piece after the other, so that few are started; one that dies is replaced.
"""

from __future__ import annotations

import atexit
import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import connection, get_context, parent_process
from multiprocessing.connection import Connection
from typing import Any, Generic, Literal, TypeVar

from pipelines import points
from pipelines.errors import HarmoniaError
from pipelines.failures import describe, disk_full

T = TypeVar("T")
R = TypeVar("R")
Reason = Literal["seconds", "memory", "ended", "failed"]

SECONDS, MEMORY = "HARMONIA_DELIVERY_SECONDS", "HARMONIA_DELIVERY_MEMORY"
_GRACE = 1.0  # seconds within which a process that was told to go has gone
_PRELOADED = ["__main__", "pipelines.assets.portioning", "pipelines.landing.database"]


@dataclass(frozen=True)
class Bounds:
    """What one delivery may cost in a stage: seconds of the processor, MiB of memory. On the clock `patience` times as many seconds may
    pass: discs and servers are waited for, and others use the processor."""

    seconds: int = 90
    memory: int = 1536
    patience: float = 2

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ) -> Bounds:
        """As `HARMONIA_DELIVERY_SECONDS` and `HARMONIA_DELIVERY_MEMORY` (MiB) say. Raises `HarmoniaError` where one is no whole number."""
        found = {name: environment.get(name) or str(default) for name, default in ((SECONDS, cls.seconds), (MEMORY, cls.memory))}
        for name, value in found.items():
            if not value.isascii() or not value.isdigit() or int(value) < 1:
                raise HarmoniaError(f"{name} is {value!r}: give a whole number of {'seconds' if name == SECONDS else 'MiB'}, 1 or more")
        return cls(int(found[SECONDS]), int(found[MEMORY]))

    def told(self, reason: Reason) -> str:
        """A bound as a finding shows it."""
        return {"seconds": f"> {self.seconds} s", "memory": f"> {self.memory} MiB"}.get(reason, "")


class ExceededError(Exception):
    """The work was ended: it took too long or too much, the process was ended from outside, or the work failed. Holds no value of a
    delivery. `detail`: what a finding may show of it."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail


@dataclass
class Done(Generic[T]):
    """What became of a piece: the result of the work, or why it was ended."""

    piece: T
    result: Any = None
    ended: ExceededError | None = None


class _Worker:
    """A process that waits for work. Kept until it dies or `rest` is called."""

    def __init__(self) -> None:
        context = get_context("forkserver")  # a fork of this process would inherit its threads' locks
        context.set_forkserver_preload(_PRELOADED)
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        self._bounds, self._until, self._started = Bounds(), 0.0, False

    @property
    def left(self) -> float:
        """Seconds of the clock that its piece has left."""
        return max(0.0, self._until - time.monotonic())

    def begin(self, work: Callable[[T], R], piece: T, bounds: Bounds) -> None:
        """Hand it a piece, as soon as it has started."""
        if not self._started:
            self._started = bool(self.pipe.recv())
        self._bounds, self._until = bounds, time.monotonic() + bounds.patience * bounds.seconds
        self.pipe.send((work, piece, bounds))

    def answer(self) -> Any:
        """What its work returned, once its pipe can be read or its time is over. Raises `ExceededError` and `HarmoniaError`."""
        kind: Any = "seconds"
        value: Any = None
        try:
            if self.pipe.poll():
                kind, value = self.pipe.recv()
        except (EOFError, OSError):
            self._process.join(_GRACE)
            kind = "seconds" if self._process.exitcode == -signal.SIGXCPU else "ended"
        if kind == "done":
            return value
        if kind == "error":
            raise value
        if kind != "failed":
            self.close()
        raise ExceededError(kind, value or self._bounds.told(kind))

    def close(self) -> None:
        """End the process and whatever it started."""
        pid = self._process.pid
        for kill in (lambda: os.killpg(pid or 0, signal.SIGKILL) if pid else None, self._process.kill):
            with suppress(ProcessLookupError, PermissionError):
                kill()
        self._process.join(_GRACE)
        self.pipe.close()

    @property
    def alive(self) -> bool:
        """Whether it can be handed a piece."""
        return not self.pipe.closed and self._process.is_alive()


_workers: list[_Worker] = []


def _hire(number: int) -> list[_Worker]:
    _workers[:] = [one for one in _workers if one.alive]
    while len(_workers) < number:
        _workers.append(_Worker())
    return _workers[:number]


def rest() -> None:
    """End all processes that wait for work: what they hold is for others to use."""
    for one in _workers:
        one.close()
    _workers.clear()


atexit.register(rest)


def alone(work: Callable[[T], R], piece: T, bounds: Bounds) -> R:
    """The result of `work` on one piece. Raises `ExceededError`, and `HarmoniaError` where the work does."""
    done = next(iter(each(work, [piece], bounds)))
    if done.ended:
        raise done.ended
    result: R = done.result
    return result


def each(work: Callable[[T], R], pieces: Iterable[T], bounds: Bounds, processes: int = 1) -> Iterator[Done[T]]:
    """`work` on every piece, each within `bounds`, by so many processes at a time; in the order in which they end.

    `work` is a function of a module; pieces and results can be pickled. Raises `HarmoniaError` where the work does; work that is going on
    is ended then.
    """
    waiting, busy = list(pieces)[::-1], dict[_Worker, T]()
    try:
        while waiting or busy:
            for worker in _hire(processes):
                if waiting and worker not in busy:
                    piece = waiting.pop()
                    busy[worker] = piece
                    with suppress(EOFError, OSError):  # it died while it waited: said by its answer
                        worker.begin(work, piece, bounds)
            ready = connection.wait([one.pipe for one in busy], min(one.left for one in busy))
            for worker in [one for one in busy if one.pipe in ready or not one.left]:
                piece = busy.pop(worker)
                try:
                    yield Done(piece, worker.answer())
                except ExceededError as ended:
                    yield Done(piece, ended=ended)
    finally:
        for worker in busy:
            worker.close()


def _serve(pipe: Connection) -> None:
    """Do what comes through the pipe, in a group of processes of its own, until the pipe is closed."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is the run's to answer
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):
        open("/proc/self/oom_score_adj", "w").write("500")  # noqa: PTH123, SIM115 - whoever makes room takes this process, not the run
    parent = parent_process()
    if parent is not None and parent.pid is not None:
        points.dying = parent.pid
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    pipe.send(True)
    while True:
        try:
            work, piece, bounds = pipe.recv()
        except EOFError:
            return
        with suppress(OSError):
            pipe.send(_answer(work, piece, bounds))


def _end_with(sentinel: int) -> None:
    connection.wait([sentinel])
    os.killpg(0, signal.SIGKILL)


def _answer(work: Callable[[Any], Any], piece: Any, bounds: Bounds) -> tuple[str, Any]:
    before = resource.getrlimit(resource.RLIMIT_DATA)
    try:
        _bound(bounds)
        return "done", work(piece)
    except HarmoniaError as error:
        return "error", error
    except ExceededError as error:
        return error.reason, error.detail
    except MemoryError:
        return "memory", None
    except BaseException as error:  # noqa: BLE001 - libraries in Rust panic with a BaseException
        return ("error", HarmoniaError(describe(error))) if disk_full(error) else ("failed", type(error).__name__)
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def _bound(bounds: Bounds) -> None:
    """Bound what the process may take from now on. A library that gets no memory may end the process; the system ends it for time."""
    with open("/proc/self/statm") as file:  # noqa: PTH123
        held = int(file.read().split()[5]) * resource.getpagesize()
    most = resource.getrlimit(resource.RLIMIT_DATA)[1]
    wanted = held + (bounds.memory << 20)
    resource.setrlimit(resource.RLIMIT_DATA, (wanted if most == resource.RLIM_INFINITY else min(wanted, most), most))
    used = resource.getrusage(resource.RUSAGE_SELF)
    spent = used.ru_utime + used.ru_stime
    resource.setrlimit(resource.RLIMIT_CPU, (int(spent) + bounds.seconds + 1, resource.getrlimit(resource.RLIMIT_CPU)[1]))
