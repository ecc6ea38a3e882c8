"""The Django application of the accounts."""

from __future__ import annotations

from django.apps import AppConfig


class Accounts(AppConfig):
    """Accounts, sessions, and the audit of every sign-in."""

    name = "portal.accounts"
    label = "accounts"

    def ready(self) -> None:
        """Connect the audit."""
        from portal.accounts import sign_in_log  # noqa: F401 - connects its receivers
