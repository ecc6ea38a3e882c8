"""Memory that is free, given back to the system.

Belongs here: how. Does not belong here: when; whoever has let go of something large and goes on to start processes, or to rest, does it.
"""

from __future__ import annotations

import ctypes
from contextlib import suppress

import pyarrow as pa


def release_memory() -> None:
    """Have the system take back memory that is free: else what the heaviest step took stays with the process."""
    pa.default_memory_pool().release_unused()
    with suppress(OSError, AttributeError):  # not glibc
        ctypes.CDLL("libc.so.6").malloc_trim(0)
