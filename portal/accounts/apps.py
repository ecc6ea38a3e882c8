"""The Django application of the accounts."""

from __future__ import annotations

from django.apps import AppConfig


class Accounts(AppConfig):
    """The application that has the tables of accounts and sessions, and records every sign-in."""

    name = "portal.accounts"
    label = "accounts"

    def ready(self) -> None:
        """Connect the functions that record every sign-in in the audit log."""
        from portal.accounts import sign_in_log  # noqa: F401 - connects its receivers
