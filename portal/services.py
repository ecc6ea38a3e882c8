"""The stores that the pages work on: inbox, home, registry. One open registry a process; its transactions are short.

Does not belong here: what is done with them.
"""

from __future__ import annotations

from functools import cache

from django.conf import settings
from django.http import HttpRequest

from harmonia.audit import record_access
from harmonia.registry import Registry, open_registry
from pipelines.resources.workplace import Workplace


def workplace() -> Workplace:
    """The places that this portal serves."""
    place: Workplace = settings.WORKPLACE
    return place


@cache
def registry() -> Registry:
    """The registry, opened once. Raises `HarmoniaError` where it cannot be."""
    return open_registry(workplace().registry)


def note(request: HttpRequest, action: str, subject: str, reason: str | None = None) -> None:
    """Record in the audit log what the account of this request did, before it sees anything. `subject` never names a person.

    Raises `HarmoniaError` if it cannot be recorded: then nothing may be shown.
    """
    record_access(registry(), request.user.get_username(), action, subject, reason)
