"""What all pages share: the start page, one-line messages about refusals and failures, the choice of language, and headers that forbid
caching.

Does not belong here: a page that belongs to one role.
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
from pipelines.failures import is_disk_full, write_log
from portal.permissions import INSTITUTIONAL, Role
from portal.words import DJANGO

_Handler = Callable[[HttpRequest], HttpResponse]
_FIRST_PAGES = {
    Role.STEWARD: "steward",
    Role.COORDINATOR: "coordinator",
    Role.ENGINEER: "engineer",
    Role.ADMINISTRATOR: "accounts",
}


def start(request: HttpRequest) -> HttpResponse:
    """Redirect to the first page of the account's role."""
    from portal.routes import ROUTES

    route_names = {route.name for route in ROUTES}
    roles = request.user.roles
    if roles & INSTITUTIONAL and "institution" in route_names:
        return redirect("institution", institution=request.user.institution)
    names = (name for role, name in _FIRST_PAGES.items() if role in roles and name in route_names)
    return redirect(next(names, "own_account"))


def message(request: HttpRequest, key: str, status: int, line: str = "") -> HttpResponse:
    """Show a page with one line in the language that `LanguageMiddleware` chose.

    The line is the text `messages.<key>` or, if given, `line`.
    """
    with translation.override(getattr(request, "chosen_language", translation.get_language())):
        return render(request, "message.html", {"key": key, "line": line}, status=status)


def refused(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Show that the page belongs to another role or institution (403)."""
    return message(request, "refused", 403)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Show that there is no such page (404). Objects of other institutions give the same answer."""
    return message(request, "not_found", 404)


def stale(request: HttpRequest, reason: str = "", exception: Exception | None = None) -> HttpResponse:
    """Show that the form is no longer valid (CSRF), that the request is damaged, or that the database cannot be reached."""
    cause: BaseException | None = exception
    while cause is not None:
        if isinstance(cause, OperationalError | InterfaceError):
            return _explain_failure(request, cause)
        cause = cause.__cause__ or cause.__context__
    return message(request, "stale", 400 if exception else 403)


def failed(request: HttpRequest) -> HttpResponse:
    """Show that the request failed (500). It may also have failed outside a page, for example because the table of sessions cannot be
    read."""
    return _explain_failure(request, sys.exception())


def _explain_failure(request: HttpRequest, error: BaseException | None) -> HttpResponse:
    """Show an error as one line. If a user or an engineer can resolve the error, the line says so; an unexpected error is written to a file
    in `HOME/logs`."""
    if error is not None and is_disk_full(error):
        return message(request, "disk_full", 507)
    if isinstance(error, DatabaseError | InterfaceError):
        _forget_account(request)
        return message(request, "away", 503)
    if isinstance(error, HarmoniaError):
        return message(request, "away" if isinstance(error, TransientError) else "problem", 503, str(error))
    if error is not None:
        write_log(error, settings.WORKPLACE.logs, "portal")
    return message(request, "failed", 500)


def _forget_account(request: HttpRequest) -> None:
    """Treat the request as that of a user who is not signed in, so that a page can be shown without reading the tables of accounts and
    sessions."""
    request.user, request.session = AnonymousUser(), {}


class OneLineProblemMiddleware:
    """Middleware that shows a problem as one line on a page if a user can resolve it. Any other problem is written to a log, without
    delivered values."""

    def __init__(self, get_response: _Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Show a page that explains the error. Errors for which Django has its own pages are left to Django."""
        from django.core.exceptions import PermissionDenied, SuspiciousOperation
        from django.http import Http404

        if isinstance(error, PermissionDenied | Http404 | SuspiciousOperation):
            return None
        return _explain_failure(request, error)


class LanguageMiddleware:
    """Middleware that chooses the language of the answer: the language of the account, otherwise that of the cookie, otherwise that of the
    browser.

    The cookie contains the language of the account. Therefore a page is in this language even if it has to say that accounts cannot be
    read.
    """

    def __init__(self, get_response: _Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Choose the language and answer in it."""
        kept, own, away = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME), None, False
        try:
            own = request.user.language if request.user.is_authenticated else None
        except (DatabaseError, InterfaceError):
            away = True
            _forget_account(request)
        chosen = DJANGO.get(own or kept or "") or translation.get_language_from_request(request)
        request.chosen_language = chosen
        with translation.override(chosen):
            response = message(request, "away", 503) if away else self.get_response(request)
        if own not in (None, kept) and settings.LANGUAGE_COOKIE_NAME not in response.cookies:
            set_language_cookie(response, str(own))
        return response


def set_language_cookie(response: HttpResponse, language: str) -> None:
    """Set the cookie that stores the language."""
    same_site = {"httponly": True, "samesite": "Strict", "secure": settings.SESSION_COOKIE_SECURE}
    response.set_cookie(settings.LANGUAGE_COOKIE_NAME, language, max_age=31_536_000, **same_site)


class NoStoreMiddleware:
    """Middleware that forbids browsers and proxies to store a page."""

    def __init__(self, get_response: _Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer the request, and forbid storing the answer."""
        response = self.get_response(request)
        response.headers["Cache-Control"] = "no-store"
        return response
