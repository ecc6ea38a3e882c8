"""The tables of accounts and sessions.

Does not belong here: data on persons whom the deliveries name; storing passwords and sessions, which Django does.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models

from portal.permissions import INSTITUTIONAL, Role
from schemas.findings import LANGUAGES


class AccountManager(BaseUserManager):
    """Creates accounts; needed by Django."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> Account:
        """Create an account and return it. Without a password nobody can sign in until its owner sets one."""
        account: Account = self.model(email=self.normalize_email(email).lower(), **fields)
        account.set_password(password)
        account.clean()
        account.save(using=self._db)
        return account

    def get_by_natural_key(self, username: str | None) -> Account:
        """Return the account of an e-mail address, regardless of upper and lower case."""
        return self.get(email=(username or "").strip().lower())


class Account(AbstractBaseUser):
    """A person who may sign in. An account is never deleted, since the audit log and signatures name it; `is_active` disables it."""

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=120)
    institution = models.CharField(max_length=60, blank=True)  # for a clerk or head
    granted = models.JSONField(default=list)  # names of roles
    language = models.CharField(max_length=2, choices=[(one, one) for one in LANGUAGES], default="sq")
    notices = models.BooleanField(default=True)  # whether to send e-mails when something waits
    system_user = models.CharField(max_length=64, unique=True, null=True, blank=True)  # the account's user name on the command line
    is_active = models.BooleanField(default=True)
    demo = models.BooleanField(default=False)  # may sign in without a password while the portal runs with --demo
    created = models.DateTimeField(auto_now_add=True)

    objects = AccountManager()
    USERNAME_FIELD = EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Raise `ValueError` for an unknown role, or a clerk or head without an institution that has a contract."""
        from sources import contract

        roles = self.roles
        if roles & INSTITUTIONAL and self.institution not in contract.institutions():
            raise ValueError("a clerk or head needs an institution")
        if not roles & INSTITUTIONAL:
            self.institution = ""

    @property
    def roles(self) -> frozenset[Role]:
        """The roles granted. Raises `ValueError` for an unknown one."""
        return frozenset(Role(one) for one in self.granted)


class Session(AbstractBaseSession):
    """A session, stored with its account so that all sessions of one account can be ended."""

    account = models.ForeignKey(Account, null=True, on_delete=models.CASCADE, related_name="sessions")

    @classmethod
    def get_session_store_class(cls) -> type[Any]:
        """Return the store that fills `account`."""
        from portal.accounts.sessions import SessionStore

        return SessionStore
