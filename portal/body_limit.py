"""Limits the size of the request bodies that the web server reads: only somebody who is signed in may send a large one.

The server reads a body completely before it calls a page; without this limit anybody could fill the disk. Does not belong here: how much a
signed-in account may send (`portal.settings.UPLOAD_BYTES`, `portal.institution.uploads`).
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

_MAX_BODY_SIGNED_OUT = 64 << 10  # bytes of a body: the form of the sign-in needs less


class _Parser(HTTPRequestParser):
    """Parses requests. It refuses (413) a large body if nobody is signed in, as soon as the headers of the request were read."""

    adj: Adjustments

    def parse_header(self, header_plus: bytes) -> None:
        """Parse the headers, then lower the limit of the body if nobody is signed in."""
        super().parse_header(header_plus)
        if (self.chunked or self.content_length > _MAX_BODY_SIGNED_OUT) and not _is_signed_in(self.headers):
            self.adj = copy(self.adj)
            self.adj.max_request_body_size = _MAX_BODY_SIGNED_OUT


class Channel(HTTPChannel):
    """A connection whose requests `_Parser` reads."""

    parser_class = _Parser


def _is_signed_in(headers: Mapping[str, str]) -> bool:
    """Return whether the session or the token of a request belongs to an account. If the database cannot be reached, the result is true:
    the page then reports the problem."""
    from portal.accounts.models import Session
    from portal.accounts.sign_on import read_email_from_header

    key = parse_cookie(headers.get("COOKIE", "")).get(settings.SESSION_COOKIE_NAME)
    try:
        known = Session.objects.filter(session_key=key, expire_date__gt=timezone.now(), account__is_active=True)
        return bool(read_email_from_header(headers.get("AUTHORIZATION", ""))) or (key is not None and known.exists())
    except (DatabaseError, InterfaceError, HarmoniaError):
        return True
    finally:
        close_old_connections()
