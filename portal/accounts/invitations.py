"""Invitations: an account without a password, and a link that works once, for three days, by Django's tokens."""

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


def invited(email: str, name: str, roles: Iterable[str], institution: str = "", language: str = "", system_user: str = "") -> str:
    """Create an account and return its link. system_user: whom it is on the command line.

    Raises `HarmoniaError` for an invalid address, role or institution, or a known address or system user.
    """
    from sources import contract

    try:
        validate_email(email)
        granted = sorted({Role(role).value for role in roles})
    except (ValidationError, ValueError):
        known = ", ".join(Role)
        raise HarmoniaError(f"the e-mail address or a role is invalid: the roles are {known}") from None
    if not granted:
        raise HarmoniaError("name at least one role with --role")
    if Account.objects.filter(email=email.strip().lower()).exists():
        raise HarmoniaError("an account with this e-mail address exists: change its roles instead")
    if system_user and Account.objects.filter(system_user=system_user).exists():
        raise HarmoniaError(f"the system user {system_user} has another account: change that one instead")
    spoken = language or (contract.load(institution).language if institution in contract.institutions() else "sq")
    try:
        fields: dict[str, Any] = {
            "name": name,
            "granted": granted,
            "institution": institution,
            "language": spoken,
            "system_user": system_user or None,
        }
        account = Account.objects.create_user(email, **fields)
    except ValueError as error:
        raise HarmoniaError(f"{error}: use one of {', '.join(contract.institutions())}") from None
    return link(account)


def link(account: Account) -> str:
    """The link by which the owner of an account sets a password; earlier links stay valid until it is set."""
    arguments = {"uidb64": urlsafe_base64_encode(force_bytes(account.pk)), "token": default_token_generator.make_token(account)}
    return settings.ORIGIN + reverse("invitation", kwargs=arguments)
