"""Processes with limited time and memory, for work on deliveries that could contain anything.

Belongs here: the processes, their limits, and the reason why a process ended. Does not belong here: the work itself, and the finding on a
delivery that exceeded a limit (`pipelines.assets.delivery_batches`). A process does one task after another. If it dies, another process
replaces it.
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
from pipelines.failures import describe_error, is_disk_full

T = TypeVar("T")
R = TypeVar("R")
Reason = Literal["seconds", "memory", "size", "ended", "failed"]

_JOIN_TIMEOUT = 30.0  # seconds to wait for a process to end
_REASON_BY_EXIT_CODE: Mapping[int, Reason] = {-signal.SIGXCPU: "seconds", -signal.SIGABRT: "memory"}  # C++ libraries abort without memory
_PRELOADED = ["__main__", "pipelines.assets.delivery_batches"]


@dataclass(frozen=True)
class Bounds:
    """The limits for one delivery in a stage: seconds of CPU time, MiB of memory, number of rows, number of findings.

    Wall-clock time is limited to `patience` times the CPU time, since a task also waits for disks, servers and other processes.
    """

    seconds: int = 60
    memory: int = 1536
    rows: int = 500_000
    findings: int = 200_000
    patience: float = 10

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Bounds:
        """Read the limits from `HARMONIA_DELIVERY_SECONDS`, `…_MEMORY` (MiB), `…_ROWS` and `…_FINDINGS`.

        Raises `HarmoniaError` if one of them is not a whole number.
        """
        limits = {}
        for name in ("seconds", "memory", "rows", "findings"):
            variable = f"HARMONIA_DELIVERY_{name.upper()}"
            value = environment.get(variable) or str(getattr(cls, name))
            if not value.isascii() or not value.isdigit() or int(value) < 1:
                raise HarmoniaError(f"{variable} is {value!r}: give a whole number{' of MiB' if name == 'memory' else ''}, 1 or more")
            limits[name] = int(value)
        return cls(**limits)

    def format_limit(self, reason: Reason) -> str:
        """Return the limit that was exceeded for this reason, as a finding shows it; empty if the reason is not time or memory."""
        return {"seconds": f"> {self.seconds} s", "memory": f"> {self.memory} MiB"}.get(reason, "")


class LimitExceededError(Exception):
    """Raised if a task exceeded its limits or failed. It contains no value of a delivery.

    `reason` says what happened: the task took too much time (`seconds`) or memory (`memory`), its delivery has too many rows or findings
    (`size`), its process was killed from outside (`ended`), or it failed (`failed`). `detail` is a text for a finding. `permanent` says
    that another attempt on the same machine would end in the same way.
    """

    def __init__(self, reason: Reason, detail: str, permanent: bool = False) -> None:
        super().__init__(reason, detail, permanent)
        self.reason, self.detail, self.permanent = reason, detail, permanent


@dataclass
class TaskResult(Generic[T]):
    """A task with its result. If the task was ended before it had a result, `ended` gives the reason."""

    task: T
    result: Any = None
    ended: LimitExceededError | None = None


class _Worker:
    """A process that does one task after another, until it dies or `stop_processes` is called."""

    def __init__(self) -> None:
        context = get_context("forkserver")  # a forked process would inherit locks that threads hold
        context.set_forkserver_preload(_PRELOADED)
        self.pipe, child_end = context.Pipe()
        self._process = context.Process(target=_run_tasks_from_pipe, args=(child_end,), daemon=True)
        self._process.start()
        child_end.close()
        self._bounds, self._deadline, self._started = Bounds(), 0.0, False

    @property
    def seconds_left(self) -> float:
        """The seconds of wall-clock time that remain for the current task of this process."""
        return max(0.0, self._deadline - time.monotonic())

    def submit_task(self, function: Callable[[T], R], task: T, bounds: Bounds) -> None:
        """Wait until the process has started, then send it a task.

        Raises `HarmoniaError` if the process does not start, and `OSError` if it has died.
        """
        if not self._started:
            try:
                self._started = bool(self.pipe.recv())
            except (EOFError, OSError):
                self.close()
                raise HarmoniaError(
                    "a process that works on deliveries ended before it began: see that memory and processes are left (`ulimit -u`, "
                    "`journalctl -k`), then run again"
                ) from None
        self._bounds, self._deadline = bounds, time.monotonic() + bounds.patience * bounds.seconds
        self.pipe.send((function, task, bounds))

    def receive_result(self) -> Any:
        """Return the result of the task. Call this only when a result is waiting in the pipe, or when the time of the task is over.

        Raises `LimitExceededError`; also raises `HarmoniaError` if the task raised it.
        """
        kind: Any = "seconds"
        value: Any = None
        permanent = False  # if the wall-clock time is over, another attempt may be faster
        try:
            if self.pipe.poll():
                kind, value = self.pipe.recv()
        except (EOFError, OSError):
            self._process.join(_JOIN_TIMEOUT)
            kind = _REASON_BY_EXIT_CODE.get(self._process.exitcode or 0, "ended")
            permanent = kind == "seconds"
        if kind == "done":
            return value
        if kind == "error":
            raise value
        if kind not in ("failed", "size"):
            self.close()
        raise LimitExceededError(kind, value or self._bounds.format_limit(kind), permanent or kind in ("memory", "size"))

    def close(self) -> None:
        """Kill the process and its children."""
        pid = self._process.pid
        for kill in (lambda: os.killpg(pid or 0, signal.SIGKILL) if pid else None, self._process.kill):
            with suppress(ProcessLookupError, PermissionError):
                kill()
        self._process.join(_JOIN_TIMEOUT)
        self.pipe.close()

    @property
    def is_alive(self) -> bool:
        """Whether the process is alive and can take a task."""
        return not self.pipe.closed and self._process.is_alive()


_workers: list[_Worker] = []


def _start_workers(number: int) -> list[_Worker]:
    """Start processes until there are `number` of them, and return them."""
    _workers[:] = [worker for worker in _workers if worker.is_alive]
    while len(_workers) < number:
        _workers.append(_Worker())
    return _workers[:number]


def start_first_process() -> None:
    """Start the first process early, so that it is ready when it is needed."""
    _start_workers(1)


def stop_processes() -> None:
    """End all waiting processes, to free their memory."""
    for worker in _workers:
        worker.close()
    _workers.clear()


atexit.register(stop_processes)
os.register_at_fork(after_in_child=_workers.clear)  # the processes belong to the parent process


def run_bounded_task(function: Callable[[T], R], task: T, bounds: Bounds) -> R:
    """Run `function` on one task within the limits `bounds`, and return the result.

    Raises `LimitExceededError`; also raises `HarmoniaError` if `function` raises it.
    """
    outcome = next(iter(run_bounded_tasks(function, [task], bounds)))
    if outcome.ended:
        raise outcome.ended
    result: R = outcome.result
    return result


def run_bounded_tasks(function: Callable[[T], R], tasks: Iterable[T], bounds: Bounds, processes: int = 1) -> Iterator[TaskResult[T]]:
    """Run `function` on every task within the limits `bounds`, `processes` tasks at a time. Yield each result as soon as it is there.

    `function` must be defined at the top level of a module, and it must be possible to pickle tasks and results. If `function` raises
    `HarmoniaError`, this function raises it too and ends the running tasks.
    """
    waiting, running = list(tasks)[::-1], dict[_Worker, T]()
    try:
        while waiting or running:
            for worker in _start_workers(processes):
                if waiting and worker not in running:
                    try:
                        worker.submit_task(function, waiting[-1], bounds)
                    except OSError:  # it died while it was waiting; another process replaces it
                        worker.close()
                        continue
                    running[worker] = waiting.pop()
            if not running:
                continue
            ready = connection.wait([worker.pipe for worker in running], min(worker.seconds_left for worker in running))
            for worker in [worker for worker in running if worker.pipe in ready or not worker.seconds_left]:
                task = running.pop(worker)
                try:
                    yield TaskResult(task, worker.receive_result())
                except LimitExceededError as ended:
                    yield TaskResult(task, ended=ended)
    finally:
        for worker in running:
            worker.close()


def _run_tasks_from_pipe(pipe: Connection) -> None:
    """Do the tasks that arrive in the pipe, until it is closed. This is what a worker process runs."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the run handles interrupts
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what a library writes before it aborts may quote a delivered value
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):
        open("/proc/self/oom_score_adj", "w").write("500")  # noqa: PTH123, SIM115 - if memory is short, this process ends, not the run
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_exit_when_parent_ends, args=(parent.sentinel,), daemon=True).start()
    pipe.send(True)
    while True:
        try:
            function, task, bounds = pipe.recv()
        except EOFError:
            return
        with suppress(OSError):
            pipe.send(_run_task(function, task, bounds))


def _exit_when_parent_ends(sentinel: int) -> None:
    """Wait until the parent process ends, then kill this process and its children."""
    connection.wait([sentinel])
    os.killpg(0, signal.SIGKILL)


def _run_task(function: Callable[[Any], Any], task: Any, bounds: Bounds) -> tuple[str, Any]:
    """Do one task within its limits. Return what happened (`done`, `error` or a reason), and the result, error or detail."""
    before = resource.getrlimit(resource.RLIMIT_DATA)
    try:
        _limit_memory_and_cpu(bounds)
        return "done", function(task)
    except HarmoniaError as error:
        return "error", error
    except LimitExceededError as error:
        return error.reason, error.detail
    except MemoryError:
        return "memory", None
    except BaseException as error:  # noqa: BLE001 - libraries in Rust panic with a BaseException
        return ("error", HarmoniaError(describe_error(error))) if is_disk_full(error) else ("failed", type(error).__name__)
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def _limit_memory_and_cpu(bounds: Bounds) -> None:
    """Limit the memory and CPU time that this process can use from now on.

    If a library gets no more memory, it may abort the process. When the CPU time is used up, the operating system ends the process.
    """
    with open("/proc/self/statm") as file:  # noqa: PTH123
        used_bytes = int(file.read().split()[5]) * resource.getpagesize()
    hard_limit = resource.getrlimit(resource.RLIMIT_DATA)[1]
    limit = used_bytes + (bounds.memory << 20)
    resource.setrlimit(resource.RLIMIT_DATA, (limit if hard_limit == resource.RLIM_INFINITY else min(limit, hard_limit), hard_limit))
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu_seconds = used.ru_utime + used.ru_stime
    resource.setrlimit(resource.RLIMIT_CPU, (int(cpu_seconds) + bounds.seconds + 1, resource.getrlimit(resource.RLIMIT_CPU)[1]))
