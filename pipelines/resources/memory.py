"""Return freed memory to the system.

Belongs here: how this is done. Does not belong here: when; a caller does it after freeing something large, and before starting processes or
waiting.
"""

from __future__ import annotations

import ctypes
from contextlib import suppress

import pyarrow as pa


def release_free_memory() -> None:
    """Return free memory to the system. Otherwise the process keeps the memory of its largest step."""
    pa.default_memory_pool().release_unused()
    with suppress(OSError, AttributeError):  # not glibc
        ctypes.CDLL("libc.so.6").malloc_trim(0)
