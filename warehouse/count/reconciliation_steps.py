"""Between which institutions the same cases (or persons) should be known. What is compared: `models/figures/reconciliation.sql`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from schemas import canonical
from sources import contract

ON_THE_WAY_DAYS = 31
"""How long before the end of the last delivery an upstream event may be for its downstream side to be under way still."""


@dataclass(frozen=True)
class Step:
    """A step between two institutions: what upstream says and what downstream must hold.

    `tolerance_days`: further apart than this the days disagree (declared, no rule of law); None: only the order is looked at.
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


_WAY: tuple[tuple[canonical.Stage, canonical.Stage, int | None], ...] = (
    ("registration", "prosecution", 31),
    ("prosecution", "courts", 92),
    ("courts", "corrections", None),  # per person
)


@cache
def steps() -> tuple[Step, ...]:
    """Every step from an institution to one of the next stage."""
    return tuple(
        Step(f"{up}_{down}", up, down, tolerance_days=days, per_person=days is None)
        for before, after, days in _WAY
        for up in contract.at(before)
        for down in contract.at(after)
    )
