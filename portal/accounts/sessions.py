"""Sessions in the database, as Django stores them, with the account of each session. Django's documentation describes this way to extend
its sessions."""

from __future__ import annotations

from typing import Any

from django.contrib.sessions.backends.db import SessionStore as DatabaseStore


class SessionStore(DatabaseStore):
    """Sessions with the account that they belong to."""

    @classmethod
    def get_model_class(cls) -> type[Any]:
        """Return the table of the sessions."""
        from portal.accounts.models import Session

        return Session

    def create_model_instance(self, data: dict[str, Any]) -> Any:
        """Return a row of the table of sessions, with the account of the session."""
        row = super().create_model_instance(data)
        number = data.get("_auth_user_id")
        row.account_id = int(number) if number else None
        return row
