"""`--demo`: one ready sign-in for each role, over a simulated home alone.

A home is simulated if its inbox lies in a set that `harmonia simulate` wrote (the mark goes with just that truth), and every delivery
that was ever landed is in that inbox.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings

from harmonia.errors import HarmoniaError
from harmonia.registry.ledger import deliveries
from portal.accounts.models import Account
from portal.permissions import INSTITUTIONAL, Role
from portal.services import registry
from sources import contract
from sources.simulator.answers import is_set

_NAMES = {
    Role.CLERK: "Clerk",
    Role.HEAD: "Head",
    Role.STEWARD: "Steward",
    Role.COORDINATOR: "Coordinator",
    Role.ANALYST: "Analyst",
    Role.ENGINEER: "Engineer",
    Role.ADMINISTRATOR: "Administrator",
}


def create() -> None:
    """Create the demo accounts, or let them sign in again. Raises `HarmoniaError` where the home is not simulated."""
    _check()
    for role, institution in places():
        email = f"{role}.{institution}@demo.invalid" if institution else f"{role}@demo.invalid"
        name = f"Demo {_NAMES[role]}"
        if not Account.objects.filter(email=email).exists():
            language = contract.load(institution).language if institution else "en"
            fields: dict[str, Any] = {"name": name, "granted": [role.value], "institution": institution, "language": language, "demo": True}
            Account.objects.create_user(email, **fields)
    second = "second.steward@demo.invalid"  # four eyes are two accounts
    if not Account.objects.filter(email=second).exists():
        Account.objects.create_user(second, name="Demo Second Steward", granted=[Role.STEWARD.value], language="en", demo=True)
    Account.objects.filter(demo=True).update(is_active=True)


def disable() -> None:
    """Without `--demo` no demo account can sign in, and none stays signed in."""
    from portal.accounts.models import Session

    Session.objects.filter(account__demo=True).delete()
    Account.objects.filter(demo=True).update(is_active=False)


def places() -> list[tuple[Role, str]]:
    """Each role, for each institution where it belongs to one."""
    return [(role, name) for role in Role for name in (contract.institutions() if role in INSTITUTIONAL else ("",))]


def _check() -> None:
    workplace = settings.WORKPLACE
    if workplace.inbox.name != "inbox" or not is_set(workplace.inbox.parent):
        raise HarmoniaError(f"--demo needs simulated deliveries, and {workplace.inbox} is not what `harmonia simulate` wrote: omit --demo")
    with registry().read() as session:
        landed = {(one.institution, one.name) for one in deliveries(session)}
    here = {(path.parent.name, path.name) for path in workplace.inbox.glob("*/*")}
    if foreign := sorted(landed - here):
        institution, name = foreign[0]
        raise HarmoniaError(
            f"--demo needs a home of simulated deliveries alone, and {workplace.home.root} has {institution} {name} from elsewhere: "
            "start the portal without --demo"
        )
