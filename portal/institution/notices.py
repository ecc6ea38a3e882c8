"""Notices by e-mail that something waits for a user, without saying what. Django sends them; without `HARMONIA_PORTAL_SMTP` none is
sent."""

from __future__ import annotations

import threading

from django.conf import settings
from django.core.mail import EmailMessage, get_connection

from portal.accounts.models import Account
from portal.permissions import INSTITUTIONAL, Role
from portal.words import portal_texts


def has_mail_server() -> bool:
    """Return whether a mail server is configured."""
    return not str(settings.EMAIL_BACKEND).endswith("dummy.EmailBackend")


def send_notices(role: Role, institution: str = "") -> None:
    """Tell every account of a role by e-mail that something waits. If the role belongs to an institution, only accounts of this
    institution are told. Mails are sent in a thread, so that a slow server delays no page."""
    if not has_mail_server():
        return
    accounts = Account.objects.filter(is_active=True, notices=True, demo=False)
    recipients = [one for one in accounts if role in one.roles and (role not in INSTITUTIONAL or one.institution == institution)]
    mails = [_make_notice_mail(one) for one in recipients]
    threading.Thread(target=_send_mails, args=(mails,), daemon=True).start()


def _make_notice_mail(account: Account) -> EmailMessage:
    page_texts = portal_texts(account.language)["notice_mail"]
    link = f"\n\n{settings.ORIGIN}/" if settings.ORIGIN else ""
    return EmailMessage(page_texts["subject"], f"{page_texts['text']}{link}\n", settings.DEFAULT_FROM_EMAIL, [account.email])


def _send_mails(mails: list[EmailMessage]) -> None:
    try:
        get_connection(fail_silently=True).send_messages(mails)
    except OSError:  # a lost notice does no harm, since the page shows what waits
        return
