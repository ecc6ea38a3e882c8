"""Records every sign-in, sign-out and refused sign-in in the registry's audit log. If a sign-in cannot be recorded, it fails."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver

from harmonia.audit import record_access
from portal.accounts.models import Account
from portal.services import registry

SIGNED_IN, SIGNED_OUT, REFUSED = "sign in", "sign out", "sign-in refused"


@receiver(user_logged_in)
def _record_sign_in(sender: Any, user: Account, **_: Any) -> None:
    record_access(registry(), user.get_username(), SIGNED_IN, "portal", "demo" if user.demo else None)


@receiver(user_logged_out)
def _record_sign_out(sender: Any, user: Account | None, **_: Any) -> None:
    if user is not None:
        record_access(registry(), user.get_username(), SIGNED_OUT, "portal")


@receiver(user_login_failed)
def _record_refusal(sender: Any, credentials: dict[str, Any], **_: Any) -> None:
    """Record a refused sign-in. An unknown e-mail address is not recorded."""
    known = Account.objects.filter(email=str(credentials.get("username", "")).strip().lower()).first()
    record_access(registry(), known.email if known else "unknown", REFUSED, "portal")  # what was typed may be a password
