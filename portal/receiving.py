"""What the web server takes of a request before a page sees it: a large body only from somebody who is signed in.

The server reads a whole body before it calls a page; without this anybody could fill the disk. Does not belong here: what a signed-in
account may send (`portal.settings.UPLOAD_BYTES`, `portal.institution.uploads`).
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy

from django.conf import settings
from django.db import DatabaseError, InterfaceError, close_old_connections
from django.http import parse_cookie
from django.utils import timezone
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser

from harmonia.errors import HarmoniaError

_OF_STRANGERS = 64 << 10  # bytes of a body: the form of the sign-in needs less


class _Parser(HTTPRequestParser):
    """Refuses (413) a large body of somebody who is not signed in, once the head of the request was read."""

    adj: Adjustments

    def parse_header(self, header_plus: bytes) -> None:
        """Lower the limit of the body after the head was parsed."""
        super().parse_header(header_plus)
        if (self.chunked or self.content_length > _OF_STRANGERS) and not _is_signed_in(self.headers):
            self.adj = copy(self.adj)
            self.adj.max_request_body_size = _OF_STRANGERS


class Channel(HTTPChannel):
    """A connection whose requests are received so."""

    parser_class = _Parser


def _is_signed_in(headers: Mapping[str, str]) -> bool:
    """Whether the session or the token of a request is an account's. True where that cannot be known now: the page says what is away."""
    from portal.accounts.models import Session
    from portal.accounts.sign_on import email_of

    key = parse_cookie(headers.get("COOKIE", "")).get(settings.SESSION_COOKIE_NAME)
    try:
        known = Session.objects.filter(session_key=key, expire_date__gt=timezone.now(), account__is_active=True)
        return bool(email_of(headers.get("AUTHORIZATION", ""))) or (key is not None and known.exists())
    except (DatabaseError, InterfaceError, HarmoniaError):
        return True
    finally:
        close_old_connections()
