"""What a process started by `portal.jobs` does with its result. It knows nothing of Django, so that it starts quickly."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harmonia.errors import HarmoniaError
from harmonia.swap import write_whole


def run(work: Callable[..., dict[str, Any]]) -> None:
    """Do `work(folder, arguments…)` of the command line with low priority; write its result, or the line of a `HarmoniaError`."""
    os.umask(0o077)
    os.nice(5)
    folder = Path(sys.argv[1])
    try:
        state, result = "done", work(folder, *sys.argv[2:])
    except HarmoniaError as error:
        state, result = "failed", {"problem": str(error)}
    write_whole(folder / f"{state}.json", json.dumps(result, ensure_ascii=False).encode("utf-8", "backslashreplace"), 0o600)
