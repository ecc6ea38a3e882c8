"""Kill points of a run: named moments at which tests kill the process.

Belongs here: the names, and the kill. Modules that write call `reached`; without `HARMONIA_DIE_AT` it does nothing. Does not belong here:
what a kill leaves and who cleans it up (`tests/faults/crash`, docs/reference/backup.md).
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from enum import StrEnum

VARIABLE = "HARMONIA_DIE_AT"


class Point(StrEnum):
    """A kill point, in the order of a run."""

    REGISTRY_MIGRATED = "registry-migrated"  # in the transaction
    BYTES_ASIDE = "bytes-aside"
    BYTES_IN_PLACE = "bytes-in-place"  # no receipt names them yet
    RECEIPTS_ENTERED = "receipts-entered"  # in the transaction
    RECEIPTS_KEPT = "receipts-kept"
    LAKE_WRITTEN = "lake-written"  # beside the old folder
    LAKE_ABSENT = "lake-absent"  # the old folder is away, the new one not there yet
    IDENTITIES_ENTERED = "identities-entered"  # in the transaction
    FILE_BUILT = "file-built"  # a finished DuckDB file beside the old one
    BEFORE_SWAP = "before-swap"
    AFTER_SWAP = "after-swap"
    SERVER_LOADED = "server-loaded"  # PostgreSQL: in the transaction
    SERVER_RENAMED = "server-renamed"  # PostgreSQL: in the transaction
    SERVER_COMMITTED = "server-committed"
    STATES_ENTERED = "states-entered"  # in the transaction
    RUN_CLOSED = "run-closed"
    PAGE_WRITTEN = "page-written"  # of feedback, scorecard, report, export; beside the old one
    JUDGEMENTS_ENTERED = "judgements-entered"  # review, in the transaction
    RELEASE_WRITTEN = "release-written"  # complete, under its temporary name
    BACKUP_COPIED = "backup-copied"  # complete, under its temporary name
    RESTORE_COPIED = "restore-copied"
    ERASURE_ENTERED = "erasure-entered"  # the bytes are still in the store


times: Counter[Point] = Counter()  # how often each was reached in this process
dying = 0  # the process to kill: this one, or for a worker the run that started it


def reached(point: Point) -> None:
    """Kill the process (SIGKILL) if `HARMONIA_DIE_AT` names this point (`name`: the next time it is reached; `name:3`: the third time)."""
    times[point] += 1
    wanted, _, nth = os.environ.get(VARIABLE, "").partition(":")
    if wanted == point and nth in ("", str(times[point])):
        os.kill(dying or os.getpid(), signal.SIGKILL)
