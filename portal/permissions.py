"""Who may open what: roles, scopes, how a route is declared, and how the declaration is enforced.

Does not belong here: the table of routes (`routes`), accounts (`accounts`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from functools import wraps
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods


class Role(StrEnum):
    """The roles of accounts. An account may have several."""

    CLERK = "clerk"
    HEAD = "head"
    STEWARD = "steward"
    COORDINATOR = "coordinator"
    ANALYST = "analyst"
    ENGINEER = "engineer"
    ADMINISTRATOR = "administrator"


INSTITUTIONAL = frozenset({Role.CLERK, Role.HEAD})
"""Roles that apply only to the account's own institution."""


class Scope(StrEnum):
    """Whose data a route shows."""

    PUBLIC = "public"  # anybody, signed in or not
    COUNTRY = "country"  # nothing that belongs to one institution
    INSTITUTION = "institution"  # data of the institution named in the path


@dataclass(frozen=True)
class Route:
    """A page or an action. It has a name, a path below the root, a view, the roles that may open it, its scope and its HTTP methods.

    Raises `ValueError` for a declaration that contradicts itself.
    """

    name: str
    path: str
    view: Callable[..., HttpResponse]
    roles: frozenset[Role]
    scope: Scope
    methods: tuple[str, ...] = ("GET",)

    def __post_init__(self) -> None:
        if (self.scope is Scope.INSTITUTION) != ("<institution:institution>" in self.path):
            raise ValueError(
                f"route {self.name}: <institution:institution> must be in its path if its scope is `institution`, and only then"
            )
        if (self.scope is Scope.PUBLIC) == bool(self.roles):
            raise ValueError(f"route {self.name}: a public route has no roles, any other has at least one")
        if self.scope is Scope.COUNTRY and self.roles <= INSTITUTIONAL and self.roles:
            raise ValueError(f"route {self.name}: pages of clerks and heads alone belong to an institution")


def is_allowed(route: Route, roles: Collection[Role], own_institution: str, institution: str | None) -> bool:
    """Return whether an account with these roles may open the route for `institution`. `own_institution` is the institution of the
    account."""
    if route.scope is Scope.PUBLIC:
        return True
    granted = route.roles.intersection(roles)
    if route.scope is Scope.INSTITUTION and institution != own_institution:
        granted -= INSTITUTIONAL
    return bool(granted)


def make_guarded_url(route: Route) -> URLPattern:
    """Return the URL pattern of a route whose view checks the permissions first."""

    @wraps(route.view)
    def guarded(request: HttpRequest, **arguments: Any) -> HttpResponse:
        if route.scope is not Scope.PUBLIC and not request.user.is_authenticated:
            return _redirect_to_sign_in(request)
        account = request.user
        if route.scope is not Scope.PUBLIC and not is_allowed(route, account.roles, account.institution, arguments.get("institution")):
            raise PermissionDenied
        return route.view(request, **arguments)

    view = require_http_methods(list(route.methods))(guarded)
    view.route = route
    return path(route.path, view, name=route.name)


def _redirect_to_sign_in(request: HttpRequest) -> HttpResponse:
    """Redirect to the form to sign in, which then leads back to the requested page."""
    query = f"?{urlencode({'next': request.get_full_path()})}" if request.method == "GET" else ""
    if request.headers.get("HX-Request"):  # otherwise htmx would show the form to sign in inside another page
        return HttpResponse(status=401, headers={"HX-Redirect": f"/sign-in{query}"})
    return redirect(f"/sign-in{query}")


class DeclaredRoutesOnly:
    """Middleware that refuses any view that is not declared as a route, for every user."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on."""
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Callable[..., Any], _arguments: Any, _keywords: Any) -> None:
        """Raise `PermissionDenied` for a view without a route."""
        if not isinstance(getattr(view, "route", None), Route):
            raise PermissionDenied
