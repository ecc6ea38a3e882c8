"""What all pages share: the start page, refusals and failures in one line, language, no caches.

Does not belong here: a page of one role.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import DatabaseError, InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation

from harmonia.errors import HarmoniaError, TransientError
from pipelines.failures import disk_full, write_log
from portal.permissions import INSTITUTIONAL, Role
from portal.words import DJANGO

_Next = Callable[[HttpRequest], HttpResponse]
_FIRST_PAGES = {
    Role.STEWARD: "steward",
    Role.COORDINATOR: "coordinator",
    Role.ENGINEER: "engineer",
    Role.ADMINISTRATOR: "accounts",
}


def start(request: HttpRequest) -> HttpResponse:
    """To the first page of the account's role."""
    from portal.routes import ROUTES

    known = {route.name for route in ROUTES}
    roles = request.user.roles
    if roles & INSTITUTIONAL and "institution" in known:
        return redirect("institution", institution=request.user.institution)
    names = (name for role, name in _FIRST_PAGES.items() if role in roles and name in known)
    return redirect(next(names, "own_account"))


def message(request: HttpRequest, key: str, status: int, line: str = "") -> HttpResponse:
    """A page with one line: `messages.<key>` of the texts, or `line`. Also outside `Language`, in the language that it chose."""
    with translation.override(getattr(request, "chosen_language", translation.get_language())):
        return render(request, "message.html", {"key": key, "line": line}, status=status)


def refused(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """403: another role's page, or another institution's."""
    return message(request, "refused", 403)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """404, also for an object of another institution."""
    return message(request, "not_found", 404)


def stale(request: HttpRequest, reason: str = "", exception: Exception | None = None) -> HttpResponse:
    """The form is no longer valid (CSRF), or the request is damaged, or the session could not be stored and the database is the cause."""
    cause: BaseException | None = exception
    while cause is not None:
        if isinstance(cause, OperationalError | InterfaceError):
            return _told(request, cause)
        cause = cause.__cause__ or cause.__context__
    return message(request, "stale", 400 if exception else 403)


def failed(request: HttpRequest) -> HttpResponse:
    """500, and what ended a request outside its page, as when the tables of the sessions are away."""
    return _told(request, sys.exception())


def _told(request: HttpRequest, error: BaseException | None) -> HttpResponse:
    """One line for what a user or an engineer can resolve; a file in `HOME/logs` for what nobody expected."""
    if error is not None and disk_full(error):
        return message(request, "disk_full", 507)
    if isinstance(error, DatabaseError | InterfaceError):
        _signed_out(request)
        return message(request, "away", 503)
    if isinstance(error, HarmoniaError):
        return message(request, "away" if isinstance(error, TransientError) else "problem", 503, str(error))
    if error is not None:
        write_log(error, settings.WORKPLACE.logs, "portal")
    return message(request, "failed", 500)


def _signed_out(request: HttpRequest) -> None:
    """Whoever asks is unknown: the page is rendered without the tables of accounts and sessions."""
    request.user, request.session = AnonymousUser(), {}


class OneLine:
    """Middleware: a problem that a user can resolve is one line on a page; any other is recorded without values."""

    def __init__(self, get_response: _Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Tell it on a page."""
        from django.core.exceptions import PermissionDenied, SuspiciousOperation
        from django.http import Http404

        if isinstance(error, PermissionDenied | Http404 | SuspiciousOperation):
            return None
        return _told(request, error)


class Language:
    """Middleware: the account's language, else that of the cookie, else that of the browser.

    The cookie follows the account, so that also the page that says that the accounts are away is in its language.
    """

    def __init__(self, get_response: _Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer in that language."""
        kept, own, away = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME), None, False
        try:
            own = request.user.language if request.user.is_authenticated else None
        except (DatabaseError, InterfaceError):
            away = True
            _signed_out(request)
        chosen = DJANGO.get(own or kept or "") or translation.get_language_from_request(request)
        request.chosen_language = chosen
        with translation.override(chosen):
            response = message(request, "away", 503) if away else self.get_response(request)
        if own not in (None, kept) and settings.LANGUAGE_COOKIE_NAME not in response.cookies:
            keep_language(response, str(own))
        return response


def keep_language(response: HttpResponse, language: str) -> None:
    """Set the cookie of the language."""
    same_site = {"httponly": True, "samesite": "Strict", "secure": settings.SESSION_COOKIE_SECURE}
    response.set_cookie(settings.LANGUAGE_COOKIE_NAME, language, max_age=31_536_000, **same_site)


class NotStored:
    """Middleware: no page is kept by a browser or a proxy."""

    def __init__(self, get_response: _Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Forbid storing."""
        response = self.get_response(request)
        response.headers["Cache-Control"] = "no-store"
        return response
