"""Notices by e-mail that something waits, never what. Django sends them; without `HARMONIA_PORTAL_SMTP` nobody is told."""

from __future__ import annotations

import threading

from django.conf import settings
from django.core.mail import EmailMessage, get_connection

from portal.accounts.models import Account
from portal.permissions import INSTITUTIONAL, Role
from portal.words import words


def open_for_mail() -> bool:
    """Whether a mail server is set."""
    return not str(settings.EMAIL_BACKEND).endswith("dummy.EmailBackend")


def waiting(role: Role, institution: str = "") -> None:
    """Tell every account of a role (of an institution) that something waits. In the background: a slow server holds nobody."""
    if not open_for_mail():
        return
    accounts = Account.objects.filter(is_active=True, notices=True, demo=False)
    wanted = [one for one in accounts if role in one.roles and (role not in INSTITUTIONAL or one.institution == institution)]
    letters = [_letter(one) for one in wanted]
    threading.Thread(target=_send, args=(letters,), daemon=True).start()


def _letter(account: Account) -> EmailMessage:
    told = words(account.language)["notice_mail"]
    where = f"\n\n{settings.ORIGIN}/" if settings.ORIGIN else ""
    return EmailMessage(told["subject"], f"{told['text']}{where}\n", settings.DEFAULT_FROM_EMAIL, [account.email])


def _send(letters: list[EmailMessage]) -> None:
    try:
        get_connection(fail_silently=True).send_messages(letters)
    except OSError:  # a notice that is lost costs nothing: the page shows what waits
        return
