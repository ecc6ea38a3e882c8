"""The steps of reconciliation: pairs of neighbouring institutions that should both know the same cases or persons.

Belongs here: which institutions are compared, and how many days late a record may be. Does not belong here: the comparison itself
(`reconciliation` and `person_reconciliation` in `warehouse/models/figures`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from schemas import domain
from sources import contract

MAX_PENDING_DAYS = 31
"""If an institution sent a case this many days before the end of the last delivery, or later, the case may not have reached the next
institution yet: its record there is pending, not missing."""


@dataclass(frozen=True)
class ReconciliationStep:
    """A step from one institution to the next: what the institution `upstream` sends must be recorded by the institution `downstream`.

    tolerance_days: if the day of sending and the day of recording are further apart than this, the institutions disagree; None means that
    only the order of the two days is checked. The number is declared in `schemas/domain`; it follows from no law. per_person: whether
    persons are compared as well as cases.
    """

    name: str
    upstream: str
    downstream: str
    tolerance_days: int | None = None
    per_person: bool = False

    @property
    def stages(self) -> tuple[str, str]:
        """Return the stage of the institution `upstream` and that of the institution `downstream`."""
        return contract.stage_by_institution()[self.upstream], contract.stage_by_institution()[self.downstream]


@cache
def list_person_comparisons_between_institutions() -> tuple[contract.PersonReconciliationStep, ...]:
    """Return the comparisons of persons between institutions (`shared_persons`) that the contracts declare."""
    return tuple(one for name in contract.institutions() for one in contract.load(name).shared_persons)


@cache
def list_reconciliation_steps() -> tuple[ReconciliationStep, ...]:
    """Return a step for every pair of institutions of which the first hands its cases to the second. The domain declares in `hands_to` to
    which stage a stage hands its cases."""
    return tuple(
        ReconciliationStep(f"{up}_{down}", up, down, tolerance_days=to.days, per_person=to.persons)
        for stage, to in ((stage, spec.hands_to) for stage, spec in domain.stages().items())
        if to
        for up in contract.institutions_at_stages(stage)
        for down in contract.institutions_at_stages(to.stage)
    )
