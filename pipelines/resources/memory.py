"""Return memory that is no longer used to the operating system.

Belongs here: how this is done. Does not belong here: when. Callers do it after they have freed much memory, and before they start processes
or wait.
"""

from __future__ import annotations

import ctypes
from contextlib import suppress

import pyarrow as pa


def release_free_memory() -> None:
    """Return unused memory to the operating system. Otherwise the process would keep as much memory as its largest step needed."""
    pa.default_memory_pool().release_unused()
    with suppress(OSError, AttributeError):  # the C library is not glibc
        ctypes.CDLL("libc.so.6").malloc_trim(0)
