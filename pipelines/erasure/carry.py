"""Carrying an order out: tried on a copy first, done where no figure moves, and run once so that all else is written anew.

Belongs here: the order of steps, and what makes them stop. Does not belong here: what a step does (`trial`, `entering`).
"""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.erasure import databases, entering, search
from pipelines.erasure.orders import another, given
from pipelines.erasure.trial import Plan, Run, try_out
from pipelines.errors import HarmoniaError
from pipelines.lock import run_lock
from pipelines.registry import open_registry, seal
from pipelines.resources.workplace import Workplace


@dataclass(frozen=True)
class Carried:
    """An erasure: its number, what was planned, pages that went, files of the home and tables in which the person is still found."""

    number: int
    plan: Plan
    pages: tuple[str, ...]
    left: tuple[str, ...]


def carry_out(workplace: Workplace, number: int, by: str, run: Run, *, moving: bool = False) -> Carried:
    """Carry out order `number`. run: takes a home through all stages; moving: also where figures move.

    Raises `HarmoniaError` where `by` gave the order, nothing names the person, figures would move, or the ledger was written to meanwhile.
    """
    workplace.ready()
    registry = open_registry(workplace.registry)
    try:
        order = given(registry, number)
        who = another(order, by)
        plan = try_out(workplace, order.person_id, run)
        if plan.moved and not moving:
            raise HarmoniaError(f"figures would move in {', '.join(plan.moved)}: nothing was removed; --moving does it all the same")
        with run_lock(workplace.home):
            with registry.read() as session:
                if seal.head(session) != plan.seal:
                    raise HarmoniaError("the ledger was written to while this was tried: nothing was removed; carry it out again")
            pages = entering.clean(workplace.home, plan.person)
            done = entering.enter(registry, workplace.home, number, who, plan.emptied, plan.ties)
    finally:
        registry.close()
    run(workplace)
    with run_lock(workplace.home):
        entering.let_go(workplace.home)
    left = [*search.left(workplace.home.root, plan.person), *databases.left(workplace, plan.person)]
    return Carried(done, plan, tuple(pages), tuple(left))
