"""Who types a command, by the system's word.

Belongs here: asking the system. Does not belong here: what somebody says of themselves (`--by`), what is noted of it (`pipelines.audit`).
"""

from __future__ import annotations

import os
import pwd
from pathlib import Path

_LOGGED_IN = Path("/proc/self/loginuid")
_NOBODY = (1 << 32) - 1


def this_user() -> str:
    """Who runs this process by the system's word, not by a variable that anybody may set; behind `sudo` and its like also who logged in."""
    try:
        logged_in = int(_LOGGED_IN.read_text("ascii"))
    except (OSError, ValueError):
        logged_in = _NOBODY
    here = os.getuid()
    return _name(here) if logged_in in (here, _NOBODY) else f"{_name(logged_in)} as {_name(here)}"


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:  # as in a container
        return f"user {user}"
