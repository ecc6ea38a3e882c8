"""The system user that runs a command.

Does not belong here: names that users give (`--by`), the audit log (`harmonia.audit`).
"""

from __future__ import annotations

import os
import pwd
from pathlib import Path

_LOGGED_IN = Path("/proc/self/loginuid")
_NOBODY = (1 << 32) - 1


def this_user() -> str:
    """The user of this process, from the system and not from an environment variable; under `sudo` also the login user."""
    try:
        logged_in = int(_LOGGED_IN.read_text("ascii"))
    except (OSError, ValueError):
        logged_in = _NOBODY
    here = os.getuid()
    return _name(here) if logged_in in (here, _NOBODY) else f"{_name(logged_in)} as {_name(here)}"


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:  # e.g. in a container
        return f"user {user}"
