"""Work that takes seconds is done in a separate process, which writes its result to a file. A page starts the process, waits for it and
shows the result.

Belongs here: starting a process only once, noticing that it runs, and reading its result, even after the portal was killed. Does not belong
here: the work itself.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from harmonia.errors import convert_storage_errors

_MAX_STARTS = 2
_MAX_PROCESSES = 2
_started: list[subprocess.Popen[bytes]] = []  # by this portal; processes of an earlier portal end by themselves
_starting = threading.Lock()


@dataclass(frozen=True)
class Job:
    """A background process. `state` is running, failed or done. `result` is what the process wrote."""

    state: str
    result: dict[str, Any]


def find_or_start_job(folder: Path, module: str, arguments: Sequence[str]) -> Job:
    """Return the job `python -m module FOLDER arguments…`, which writes `done.json` or `failed.json`.

    The process is started by the first call. If it ended without a result, it is started once more.
    """
    with convert_storage_errors(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for state in ("done", "failed"):
        with suppress(FileNotFoundError):
            return Job(state, json.loads((folder / f"{state}.json").read_text("utf-8")))
    with _starting:
        if _is_running(folder, module) or _are_all_slots_used():
            return Job("running", {})  # the page asks again
        begun = folder / "begun"
        with convert_storage_errors(begun), begun.open("a") as file:
            if file.tell() >= _MAX_STARTS:
                return Job("failed", {"problem": ""})
            file.write("x")
        _start_process(folder, module, arguments)
    return Job("running", {})


def _are_all_slots_used() -> bool:
    """Return whether the largest permitted number of processes is running."""
    _started[:] = [process for process in _started if process.poll() is None]
    return len(_started) >= _MAX_PROCESSES


def _is_running(folder: Path, module: str) -> bool:
    """Return whether the process of a job is running. Its number is in the folder of the job."""
    try:
        number = int((folder / "process").read_text("ascii"))
        return module.encode() in Path(f"/proc/{number}/cmdline").read_bytes()
    except (OSError, ValueError):
        return False


def _start_process(folder: Path, module: str, arguments: Sequence[str]) -> None:
    environment = {**os.environ, **settings.WORKPLACE.make_environment_variables()}
    silent = subprocess.DEVNULL  # nothing is kept, since an error message may quote a delivered value
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", module, str(folder), *arguments],
        stdin=silent,
        stdout=silent,
        stderr=silent,
        cwd=settings.BASE.parent,
        env=environment,
        start_new_session=True,
    )
    _started.append(process)
    with convert_storage_errors(folder):
        (folder / "process").write_text(str(process.pid), "ascii")
