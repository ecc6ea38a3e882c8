"""Write the result of a process that `portal.jobs` started. This module does not import Django, so that the process starts quickly."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harmonia.atomic_files import write_small_file
from harmonia.errors import HarmoniaError


def run_job(function: Callable[..., dict[str, Any]]) -> None:
    """Call `function(folder, arguments…)` with the arguments of the command line, with low priority. The result is written to `done.json`.
    If the function raises a `HarmoniaError`, the message is written to `failed.json`."""
    os.umask(0o077)
    os.nice(5)
    folder = Path(sys.argv[1])
    try:
        state, result = "done", function(folder, *sys.argv[2:])
    except HarmoniaError as error:
        state, result = "failed", {"problem": str(error)}
    write_small_file(folder / f"{state}.json", json.dumps(result, ensure_ascii=False).encode("utf-8", "backslashreplace"), 0o600)
