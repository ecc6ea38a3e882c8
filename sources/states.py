"""Whether a file, a delivery, a period, or a quarter or year is complete. Each state is derived from those of the level below.

Belongs here: the names of the states and this derivation, which all outputs use; the signature of a quarter. Does not belong here: the
state of a file as read (`sources/readers`, `pipelines/validation/completeness`), which figures a state affects
(`warehouse/count/coverage`).

complete    everything that the contract requires could be read
partial     something was read, and something that the contract requires was not
unreadable  it was delivered, but no record could be read
missing     nothing was delivered
"""

from __future__ import annotations

from collections.abc import Iterable

COMPLETE, PARTIAL, UNREADABLE, MISSING = STATES = ("complete", "partial", "unreadable", "missing")

SIGNED, UNSIGNED, REOPENED = "signed", "unsigned", "reopened"
"""What the head of an institution said of a quarter: signed as delivered; not signed; signed, and delivered again since."""


def of_delivery(files: Iterable[str], *, received_whole: bool = True) -> str:
    """Return the state of a delivery, derived from the states of its files. Files that the contract does not name have other states than
    `STATES` and are ignored.

    `received_whole`: False if a file was still being written, or could not be opened, when the delivery was landed.
    """
    ours = [state for state in files if state in STATES]
    if COMPLETE not in ours and PARTIAL not in ours:
        return UNREADABLE
    return COMPLETE if received_whole and set(ours) == {COMPLETE} else PARTIAL


def of_period(versions: Iterable[str]) -> str:
    """Return the state of a delivered period, derived from the states of its versions in order: the last complete version and all later
    ones count.

    An unreadable version replaces nothing. A partial version leaves the period partial until a complete one arrives.
    """
    state = MISSING
    for version in versions:
        if version in (COMPLETE, PARTIAL) or state == MISSING:
            state = version
    return state


def of_calendar(periods: Iterable[str]) -> str:
    """Return the state of a quarter or year, derived from the states of the delivered periods that have a day in it."""
    found = set(periods)
    if len(found) == 1:
        return found.pop()
    return UNREADABLE if found == {UNREADABLE, MISSING} else PARTIAL
