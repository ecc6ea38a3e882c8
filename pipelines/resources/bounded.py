"""Processes with bounds of time and memory, for work on untrusted deliveries.

Belongs here: the processes, their bounds, the reason why one was ended. Does not belong here: the work, and the finding on a delivery that
exceeded a bound (`pipelines.assets.portioning`). A process does one task after another; one that dies is replaced.
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

from harmonia.errors import HarmoniaError
from pipelines.failures import describe, disk_full

T = TypeVar("T")
R = TypeVar("R")
Reason = Literal["seconds", "memory", "size", "ended", "failed"]

_GRACE = 30.0  # seconds within which a process that was told to go has gone, and its end is known
_ENDS: Mapping[int, Reason] = {-signal.SIGXCPU: "seconds", -signal.SIGABRT: "memory"}  # libraries in C++ abort where they get none
_PRELOADED = ["__main__", "pipelines.assets.portioning"]


@dataclass(frozen=True)
class Bounds:
    """What one delivery may cost in a stage: seconds of the processor, MiB of memory; and how many rows and findings it may have. On the
    clock `patience` times as many seconds may pass: discs and servers are waited for, and others use the processor."""

    seconds: int = 60
    memory: int = 1536
    rows: int = 500_000
    findings: int = 200_000
    patience: float = 10

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ) -> Bounds:
        """As `HARMONIA_DELIVERY_SECONDS`, `…_MEMORY` (MiB), `…_ROWS`, `…_FINDINGS` say. Raises `HarmoniaError` where one is no number."""
        found = {}
        for name in ("seconds", "memory", "rows", "findings"):
            variable = f"HARMONIA_DELIVERY_{name.upper()}"
            value = environment.get(variable) or str(getattr(cls, name))
            if not value.isascii() or not value.isdigit() or int(value) < 1:
                raise HarmoniaError(f"{variable} is {value!r}: give a whole number{' of MiB' if name == 'memory' else ''}, 1 or more")
            found[name] = int(value)
        return cls(**found)

    def told(self, reason: Reason) -> str:
        """A bound as a finding shows it."""
        return {"seconds": f"> {self.seconds} s", "memory": f"> {self.memory} MiB"}.get(reason, "")


class ExceededError(Exception):
    """The work was ended: it took too long or too much memory, met a delivery of too many rows or findings (`size`), the process was ended
    from outside, or the work failed. Holds no value of a
    delivery. `detail`: what a finding may show of it; `lasting`: another try on the same machine ends in the same way."""

    def __init__(self, reason: Reason, detail: str, lasting: bool = False) -> None:
        super().__init__(reason, detail, lasting)
        self.reason, self.detail, self.lasting = reason, detail, lasting


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
        """Seconds on the clock that its piece has left."""
        return max(0.0, self._until - time.monotonic())

    def begin(self, work: Callable[[T], R], piece: T, bounds: Bounds) -> None:
        """Hand it a piece, as soon as it has started. Raises `HarmoniaError` where it does not start, `OSError` where it died meanwhile."""
        if not self._started:
            try:
                self._started = bool(self.pipe.recv())
            except (EOFError, OSError):
                self.close()
                raise HarmoniaError(
                    "a process that works on deliveries ended before it began: see that memory and processes are left (`ulimit -u`, "
                    "`journalctl -k`), then run again"
                ) from None
        self._bounds, self._until = bounds, time.monotonic() + bounds.patience * bounds.seconds
        self.pipe.send((work, piece, bounds))

    def answer(self) -> Any:
        """What its work returned, once its pipe can be read or its time is over. Raises `ExceededError` and `HarmoniaError`."""
        kind: Any = "seconds"
        value: Any = None
        lasting = False  # on the clock: another time it may be faster
        try:
            if self.pipe.poll():
                kind, value = self.pipe.recv()
        except (EOFError, OSError):
            self._process.join(_GRACE)
            kind = _ENDS.get(self._process.exitcode or 0, "ended")
            lasting = kind == "seconds"
        if kind == "done":
            return value
        if kind == "error":
            raise value
        if kind not in ("failed", "size"):
            self.close()
        raise ExceededError(kind, value or self._bounds.told(kind), lasting or kind in ("memory", "size"))

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


def begin() -> None:
    """Start the first process, so that it has started when it is needed."""
    _hire(1)


def rest() -> None:
    """End all processes that wait for work: what they hold is for others to use."""
    for one in _workers:
        one.close()
    _workers.clear()


atexit.register(rest)
os.register_at_fork(after_in_child=_workers.clear)  # they are the parent's


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
                    try:
                        worker.begin(work, waiting[-1], bounds)
                    except OSError:  # it died while it waited for work: another takes its place
                        worker.close()
                        continue
                    busy[worker] = waiting.pop()
            if not busy:
                continue
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
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what a library says as it dies may quote a cell
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):
        open("/proc/self/oom_score_adj", "w").write("500")  # noqa: PTH123, SIM115 - whoever makes room takes this process, not the run
    parent = parent_process()
    if parent is not None:
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
