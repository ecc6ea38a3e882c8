"""Send alerts: as a line in the log, and by webhook or e-mail if the environment configures them.

Belongs here: sending through these channels. Does not belong here: when to alert. The text of an alert names runs, jobs and counts, never
a delivered value.
"""

from __future__ import annotations

import http.client
import json
import logging
import os
import smtplib
import urllib.request
from email.message import EmailMessage

WEBHOOK, MAIL_TO, MAIL_SERVER = "HARMONIA_ALERT_WEBHOOK", "HARMONIA_ALERT_MAIL", "HARMONIA_SMTP"
_SECONDS = 10
_LOG = logging.getLogger("harmonia.alerts")


def send_alert(text: str) -> list[str]:
    """Send `text` through every configured channel, and return the channels that were used.

    If a channel fails, the failure is logged and no error is raised.
    """
    _LOG.error(text)
    used = ["log"]
    channels = {"webhook": (WEBHOOK, _post_to_webhook), "mail": (MAIL_TO, _send_mail)}
    for name, (variable, send) in channels.items():
        to = os.environ.get(variable)
        if not to:
            continue
        try:
            send(to, text)
            used.append(name)
        except (OSError, ValueError, smtplib.SMTPException, http.client.HTTPException) as error:
            _LOG.error("%s could not be used (%s)", variable, type(error).__name__)
    return used


def _post_to_webhook(url: str, text: str) -> None:
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"{WEBHOOK} is not an http URL")
    body = json.dumps({"text": text}).encode()
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})  # noqa: S310 - checked above
    with urllib.request.urlopen(request, timeout=_SECONDS):  # noqa: S310
        pass


def _send_mail(to: str, text: str) -> None:
    host, _, port = os.environ.get(MAIL_SERVER, "localhost:25").partition(":")
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = f"harmonia@{host}", to, text.split(".")[0]
    message.set_content(text)
    with smtplib.SMTP(host, int(port or 25), timeout=_SECONDS) as server:
        server.send_message(message)
