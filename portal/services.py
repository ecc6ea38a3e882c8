"""The stores that the pages use: inbox, home and registry. A process opens the registry only once, and keeps its transactions short.

Does not belong here: what is done with the stores.
"""

from __future__ import annotations

from functools import cache

from django.conf import settings
from django.http import HttpRequest

from harmonia.audit import record_access
from harmonia.registry import Registry, open_registry
from pipelines.resources.workplace import Workplace


def workplace() -> Workplace:
    """Return the inbox and home that this portal serves."""
    current_workplace: Workplace = settings.WORKPLACE
    return current_workplace


@cache
def registry() -> Registry:
    """Open the registry once and return it. Raises `HarmoniaError` if it cannot be opened."""
    return open_registry(workplace().registry)


def record_action(request: HttpRequest, action: str, subject: str, reason: str | None = None) -> None:
    """Record in the audit log what the account of this request does, before the page shows anything. `subject` never names a person.

    Raises `HarmoniaError` if the action cannot be recorded; then nothing may be shown.
    """
    record_access(registry(), request.user.get_username(), action, subject, reason)
