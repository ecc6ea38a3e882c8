"""The option `--demo`: one account for each role, ready to use. It is refused unless all deliveries in the home are simulated.

A home is simulated if its inbox is in a folder that `harmonia simulate` wrote, and every delivery that was ever landed is in that inbox.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings

from harmonia.errors import HarmoniaError
from harmonia.registry.ledger import read_deliveries
from portal.accounts.models import Account
from portal.permissions import INSTITUTIONAL, Role
from portal.services import registry
from sources import contract
from sources.simulator.answers import is_simulated_set

_NAMES = {
    Role.CLERK: "Clerk",
    Role.HEAD: "Head",
    Role.STEWARD: "Steward",
    Role.COORDINATOR: "Coordinator",
    Role.ANALYST: "Analyst",
    Role.ENGINEER: "Engineer",
    Role.ADMINISTRATOR: "Administrator",
}


def enable_demo_accounts() -> None:
    """Create the demo accounts, or enable them again. Raises `HarmoniaError` if the home is not simulated."""
    _require_simulated_home()
    for role, institution in list_roles_with_institutions():
        email = f"{role}.{institution}@demo.invalid" if institution else f"{role}@demo.invalid"
        name = f"Demo {_NAMES[role]}"
        if not Account.objects.filter(email=email).exists():
            language = contract.load(institution).language if institution else "en"
            fields: dict[str, Any] = {"name": name, "granted": [role.value], "institution": institution, "language": language, "demo": True}
            Account.objects.create_user(email, **fields)
    second = "second.steward@demo.invalid"  # some verdicts need two stewards
    if not Account.objects.filter(email=second).exists():
        Account.objects.create_user(second, name="Demo Second Steward", granted=[Role.STEWARD.value], language="en", demo=True)
    Account.objects.filter(demo=True).update(is_active=True)


def disable_demo_accounts() -> None:
    """Disable all demo accounts and end their sessions."""
    from portal.accounts.models import Session

    Session.objects.filter(account__demo=True).delete()
    Account.objects.filter(demo=True).update(is_active=False)


def list_roles_with_institutions() -> list[tuple[Role, str]]:
    """List each role with each institution to which it can belong. The institution is empty for a role that belongs to none."""
    return [(role, name) for role in Role for name in (contract.institutions() if role in INSTITUTIONAL else ("",))]


def _require_simulated_home() -> None:
    """Raise `HarmoniaError` if the home contains a delivery that was not simulated."""
    workplace = settings.WORKPLACE
    if workplace.inbox.name != "inbox" or not is_simulated_set(workplace.inbox.parent):
        raise HarmoniaError(f"--demo needs simulated deliveries, and {workplace.inbox} is not what `harmonia simulate` wrote: omit --demo")
    with registry().read() as session:
        landed = {(one.institution, one.name) for one in read_deliveries(session)}
    here = {(path.parent.name, path.name) for path in workplace.inbox.glob("*/*")}
    if foreign := sorted(landed - here):
        institution, name = foreign[0]
        raise HarmoniaError(
            f"--demo needs a home of simulated deliveries alone, and {workplace.home.root} has {institution} {name} from elsewhere: "
            "start the portal without --demo"
        )
