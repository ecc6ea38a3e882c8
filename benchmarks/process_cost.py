"""Processor time and memory of a process and its children, from /proc; a run shares reading and validating among several.

Belongs here: measuring a tree of processes, for the benchmarks that run `harmonia`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def family(pid: int) -> Iterator[int]:
    """The process and all below it that live."""
    yield pid
    try:
        children = [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]
    except OSError:
        return
    for child in children:
        yield from family(child)


def processor(pid: int) -> float:
    """Seconds of the family, those that have ended and were waited for included."""
    total = 0
    for one in family(pid):
        try:
            after_name = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(map(int, after_name[11:15]))  # own and children's, in user and system mode
    return total / _TICKS


def resident(pid: int) -> int:
    """MiB that the family holds now; what processes share counts for each."""
    total = 0
    for one in family(pid):
        try:
            said = Path(f"/proc/{one}/statm").read_text().split()
        except OSError:
            continue
        total += int(said[1]) * os.sysconf("SC_PAGE_SIZE")
    return total // 2**20
