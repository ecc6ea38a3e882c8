"""Invitations: an account that has no password yet, and a link by which its owner sets one. The link contains a token of Django; it works
once, and for three days."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from harmonia.errors import HarmoniaError
from portal.accounts.models import Account
from portal.permissions import Role


class InvitationError(HarmoniaError):
    """Raised if an invitation is refused. `problem` is the key, in `account_problems`, of the text that pages show."""

    def __init__(self, problem: str, line: str) -> None:
        super().__init__(line)
        self.problem = problem


def invite_account(email: str, name: str, roles: Iterable[str], institution: str = "", language: str = "", system_user: str = "") -> str:
    """Create an account and return the link by which its owner sets a password. `system_user` is the account's user name on the command
    line.

    Raises `InvitationError` for an invalid address, role or institution. Also raises it if the address or the system user has an account
    already.
    """
    from sources import contract

    try:
        validate_email(email)
        granted = sorted({Role(role).value for role in roles})
    except (ValidationError, ValueError):
        role_names = ", ".join(Role)
        raise InvitationError("invalid", f"the e-mail address or a role is invalid: the roles are {role_names}") from None
    if not granted:
        raise InvitationError("no_role", "name at least one role with --role")
    if Account.objects.filter(email=email.strip().lower()).exists():
        raise InvitationError("exists", "an account with this e-mail address exists: change its roles instead")
    if system_user and Account.objects.filter(system_user=system_user).exists():
        raise InvitationError("system_user", f"the system user {system_user} has another account: change that one instead")
    account_language = language or (contract.load(institution).language if institution in contract.institutions() else "sq")
    try:
        fields: dict[str, Any] = {
            "name": name,
            "granted": granted,
            "institution": institution,
            "language": account_language,
            "system_user": system_user or None,
        }
        account = Account.objects.create_user(email, **fields)
    except ValueError as error:
        raise InvitationError("institution", f"{error}: use one of {', '.join(contract.institutions())}") from None
    return make_invitation_link(account)


def make_invitation_link(account: Account) -> str:
    """Return the link by which the owner of an account sets a password. Earlier links stay valid until a password is set."""
    arguments = {"uidb64": urlsafe_base64_encode(force_bytes(account.pk)), "token": default_token_generator.make_token(account)}
    return settings.ORIGIN + reverse("invitation", kwargs=arguments)
