"""The completeness of a file, a delivery, a period, and a quarter or year. The state of a delivery is derived from its files, that of a
period from its versions, and that of a quarter or year from its periods.

Belongs here: the names of the states, and this derivation, which all outputs use; the names of the states of a signature. Does not belong
here: the state of a file as it was read (`sources/readers`, `pipelines/validation/completeness`), which figures a state affects
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
"""Whether the head of an institution signed a quarter: signed as it was delivered; not signed; signed, but delivered again since then."""


def delivery_state(file_states: Iterable[str], *, received_completely: bool = True) -> str:
    """Derive the state of a delivery from the states of its files.

    Files that the contract does not name have states that are not in `STATES`; they are ignored. received_completely: False if some file
    was still being written, or could not be opened, when the delivery was landed.
    """
    required_file_states = [state for state in file_states if state in STATES]
    if COMPLETE not in required_file_states and PARTIAL not in required_file_states:
        return UNREADABLE
    return COMPLETE if received_completely and set(required_file_states) == {COMPLETE} else PARTIAL


def period_state(version_states: Iterable[str]) -> str:
    """Derive the state of a delivered period from the states of its versions, in order. The last complete version and all versions after it
    count. An unreadable version replaces nothing. After a partial version, the period is partial until a complete version arrives."""
    state = MISSING
    for version in version_states:
        if version in (COMPLETE, PARTIAL) or state == MISSING:
            state = version
    return state


def calendar_state(period_states: Iterable[str]) -> str:
    """Derive the state of a quarter or year from the states of the delivered periods that have at least one day in it."""
    distinct = set(period_states)
    if len(distinct) == 1:
        return distinct.pop()
    return UNREADABLE if distinct == {UNREADABLE, MISSING} else PARTIAL
