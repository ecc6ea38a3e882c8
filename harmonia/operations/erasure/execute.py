"""Execute an erasure order: a dry run on a copy; redaction, if no figure changes; a run that rewrites everything else.

Belongs here: the order of these steps, and the conditions that stop them. Does not belong here: the steps (`dry_run`, `redaction`).
"""

from __future__ import annotations

from dataclasses import dataclass

from harmonia.errors import HarmoniaError
from harmonia.lock import run_lock
from harmonia.operations.erasure import databases, redaction, search
from harmonia.operations.erasure.dry_run import Plan, Run, dry_run
from harmonia.operations.erasure.orders import check_executor, get_order
from harmonia.registry import open_registry, seal
from pipelines.resources.workplace import Workplace
from warehouse.publish import remove_previous


@dataclass(frozen=True)
class ExecutedErasure:
    """The result of an erasure.

    searched: number of files of the home in which the person was looked for after it. remaining: files and tables in which the person is
    still found.
    """

    number: int
    plan: Plan
    deleted_pages: tuple[str, ...]
    searched: int
    remaining: tuple[str, ...]


def execute(workplace: Workplace, number: int, by: str, run: Run, *, moving: bool = False) -> ExecutedErasure:
    """Execute the order with this number. by: the user who does so. run: function that runs all stages. moving: also if figures change.

    Raises `HarmoniaError` if the same user placed the order, no file names the person, figures would change, or the registry was changed
    during the dry run.
    """
    workplace.prepare()
    registry = open_registry(workplace.registry)
    try:
        order = get_order(registry, number)
        executor = check_executor(order, by)
        plan = dry_run(workplace, order.person_id, run)
        if plan.changed_tables and not moving:
            raise HarmoniaError(
                f"figures would change in {', '.join(plan.changed_tables)}: nothing was removed; use --moving to execute anyway"
            )
        with run_lock(workplace.home):
            with registry.read() as session:
                if seal.newest_seal(session) != plan.seal:
                    raise HarmoniaError("the ledger changed during the dry run: nothing was removed; execute the order again")
            deleted_pages = redaction.delete_copies(workplace.home, plan.person)
            erasure = redaction.record_redactions(registry, workplace.home, number, executor, plan.redacted, plan.constraints)
    finally:
        registry.close()
    run(workplace)
    with run_lock(workplace.home):
        remove_previous(workplace.home.root)
    searched = len(search.list_files(workplace.home.root))
    remaining = [*search.find_files(workplace.home.root, plan.person), *databases.find_tables(workplace, plan.person)]
    return ExecutedErasure(erasure, plan, tuple(deleted_pages), searched, tuple(remaining))
