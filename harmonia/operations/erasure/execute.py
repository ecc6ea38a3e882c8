"""Execute an erasure order.

First comes a dry run on a copy; then, if no figure changes, the redaction; then a run, which rewrites all stores.
Belongs here: the order of these steps, and the conditions that stop them. Does not belong here: the steps (`dry_run`, `redaction`).
"""

from __future__ import annotations

from dataclasses import dataclass

from harmonia.errors import HarmoniaError
from harmonia.lock import lock_home_for_run
from harmonia.operations.erasure import databases, redaction, search
from harmonia.operations.erasure.dry_run import ErasurePlan, Run, try_erasure_on_copy
from harmonia.operations.erasure.orders import check_executor, get_order
from harmonia.registry import open_registry, seal
from pipelines.resources.workplace import Workplace
from warehouse.publish import remove_previous_publications


@dataclass(frozen=True)
class ExecutedErasure:
    """The result of an erasure.

    `searched` is the number of files of the home that were searched for the person after the erasure. `remaining` names the files and
    tables that still contain the person.
    """

    number: int
    plan: ErasurePlan
    deleted_pages: tuple[str, ...]
    searched: int
    remaining: tuple[str, ...]


def execute_order(workplace: Workplace, number: int, by: str, run_pipeline: Run, *, moving: bool = False) -> ExecutedErasure:
    """Execute the erasure order with this number.

    `by` is the user who executes it. `run_pipeline` is the function that runs all stages. If `moving` is true, the order is executed even
    if figures change.

    Raises `HarmoniaError` if the same user placed the order, if no file names the person, if figures would change, or if the registry was
    changed during the dry run.
    """
    workplace.prepare_folders()
    registry = open_registry(workplace.registry)
    try:
        order = get_order(registry, number)
        executor = check_executor(order, by)
        plan = try_erasure_on_copy(workplace, order.person_id, run_pipeline)
        if plan.changed_tables and not moving:
            raise HarmoniaError(
                f"figures would change in {', '.join(plan.changed_tables)}: nothing was removed; use --moving to execute anyway"
            )
        with lock_home_for_run(workplace.home):
            with registry.read() as session:
                if seal.read_newest_seal(session) != plan.seal:
                    raise HarmoniaError("the ledger changed during the dry run: nothing was removed; execute the order again")
            deleted_pages = redaction.delete_copies(workplace.home, plan.person)
            erasure = redaction.record_redactions(registry, workplace.home, number, executor, plan.redacted, plan.constraints)
    finally:
        registry.close()
    run_pipeline(workplace)
    with lock_home_for_run(workplace.home):
        remove_previous_publications(workplace.home.root)
    searched = len(search.list_files_of_home(workplace.home.root))
    remaining = [
        *search.find_files_naming_person(workplace.home.root, plan.person),
        *databases.find_tables_naming_person(workplace, plan.person),
    ]
    return ExecutedErasure(erasure, plan, tuple(deleted_pages), searched, tuple(remaining))
