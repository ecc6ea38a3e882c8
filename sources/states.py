"""How complete a file, a delivery, a quarter, a year is: four states, and how each follows from those below it.

Belongs here: this derivation, once; every output takes its state from here. Does not belong here: what reading found of a file
(`sources/readers`, `pipelines/validate/completeness`), which figures a state concerns (`warehouse/count/coverage`).

complete    everything that the contract requires could be read
partial     something was read, and something that the contract requires was not
unreadable  it came, and no record of it could be read
missing     nothing came
"""

from __future__ import annotations

from collections.abc import Iterable

COMPLETE, PARTIAL, UNREADABLE, MISSING = STATES = ("complete", "partial", "unreadable", "missing")


def of_delivery(files: Iterable[str], *, received_whole: bool = True) -> str:
    """State of a delivery, from those of its files; states that are none of `STATES` are of files that nobody asked for.

    `received_whole`: False where a file was still being written or could not be opened when the delivery was landed.
    """
    ours = [state for state in files if state in STATES]
    if COMPLETE not in ours and PARTIAL not in ours:
        return UNREADABLE
    return COMPLETE if received_whole and set(ours) == {COMPLETE} else PARTIAL


def of_quarter(versions: Iterable[str]) -> str:
    """State of a quarter, from those of its versions in order: what counts is the last complete version and whatever came after it.

    An unreadable version replaces nothing. One read in part leaves the quarter partial until a complete one comes.
    """
    state = MISSING
    for version in versions:
        if version in (COMPLETE, PARTIAL) or state == MISSING:
            state = version
    return state


def of_year(quarters: Iterable[str]) -> str:
    """State of a year, from those of its four quarters."""
    found = set(quarters)
    if len(found) == 1:
        return found.pop()
    return UNREADABLE if found == {UNREADABLE, MISSING} else PARTIAL
