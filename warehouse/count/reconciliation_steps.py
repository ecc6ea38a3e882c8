"""Pairs of institutions that should know the same cases (or persons). What is compared: `reconciliation` and `person_reconciliation` in
`models/figures`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from schemas import domain
from sources import contract

ON_THE_WAY_DAYS = 31
"""Maximum time from an upstream event to the end of the last delivery for its downstream record to be still pending."""


@dataclass(frozen=True)
class ReconciliationStep:
    """A step between two institutions: an upstream event and its required downstream record.

    `tolerance_days`: a larger difference between the days is a disagreement (declared, not law); None: only the order is checked.
    """

    name: str
    upstream: str
    downstream: str
    tolerance_days: int | None = None
    per_person: bool = False

    @property
    def stages(self) -> tuple[str, str]:
        """The stages of upstream and downstream."""
        return contract.stage_of()[self.upstream], contract.stage_of()[self.downstream]


@cache
def person_steps() -> tuple[contract.SharedPersons, ...]:
    """Every step on persons that a contract declares."""
    return tuple(one for name in contract.institutions() for one in contract.load(name).shared_persons)


@cache
def reconciliation_steps() -> tuple[ReconciliationStep, ...]:
    """Every step from an institution to one of the next stage."""
    return tuple(
        ReconciliationStep(f"{up}_{down}", up, down, tolerance_days=to.days, per_person=to.persons)
        for stage, to in ((stage, spec.hands_to) for stage, spec in domain.stages().items())
        if to
        for up in contract.at(stage)
        for down in contract.at(to.stage)
    )
