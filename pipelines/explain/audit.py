"""Who looked at names. Belongs here: the line in the registry. Does not belong here: anything that is shown."""

from __future__ import annotations

import getpass

from pipelines.registry.connection import Registry
from pipelines.registry.ledger import now
from pipelines.registry.tables import Audit


def note(registry: Registry, action: str, subject: str) -> str:
    """Write down that the user of this process looked at the personal data behind `subject` (an id, a pair of keys, a figure).

    Returns the user. Raises `HarmoniaError` where the registry cannot be written: then nothing must be shown.
    """
    try:
        who = getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in a container
        who = "unknown user"
    with registry.write() as session:
        session.add(Audit(at=now(), who=who, action=action, subject=subject))
    return who
