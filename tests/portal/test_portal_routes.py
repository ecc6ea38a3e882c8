"""Every route, every role, one's own and another institution's object: generated from the table of routes."""

from __future__ import annotations

from types import ModuleType

import pytest
from portal_world import World

INSTITUTIONAL = {"clerk", "head"}


def _paths(route: object, institution: str) -> str:
    from django.urls import reverse

    samples = {"institution": institution, "number": 1, "uidb64": "x", "token": "y", "delivery": "2013-Q1", "period": "2013-Q1"}
    names = {part.split(":")[-1].rstrip(">") for part in route.path.split("<")[1:] for part in [part.split(">")[0]]}  # type: ignore[attr-defined]
    return reverse(route.name, kwargs={name: samples.get(name, "0" * 16) for name in names})  # type: ignore[attr-defined]


def test_no_role_is_let_through_that_the_table_does_not_name(world: World) -> None:
    from django.test import Client

    from portal.permissions import Role, Scope
    from portal.routes import ROUTES
    from sources import contract

    own, other = contract.institutions()[0], contract.institutions()[3]
    tried, wrong = 0, []
    for route in ROUTES:
        if route.name in ("sign_out", "sign_out_everywhere"):
            continue
        for method in route.methods:
            for role in (None, *Role):
                client = Client()
                if role is not None:
                    client.force_login(world.account(role, own if role in INSTITUTIONAL else ""))
                for institution in (own, other) if route.scope is Scope.INSTITUTION else (own,):
                    status = getattr(client, method.lower())(_paths(route, institution))
                    tried += 1
                    at_sign_in = status.status_code == 302 and status.url.startswith("/sign-in")
                    let_in = status.status_code != 403 and not at_sign_in
                    may = route.scope is Scope.PUBLIC or (
                        role in route.roles and not (route.scope is Scope.INSTITUTION and role in INSTITUTIONAL and institution == other)
                    )
                    if route.scope is not Scope.PUBLIC and let_in != may:
                        wrong.append((route.name, method, role, institution, status.status_code))
                    if status.status_code >= 500:
                        wrong.append((route.name, method, role, institution, status.status_code))
    assert wrong == []
    assert tried > 100


def test_a_view_without_a_declaration_is_refused_to_everybody(world: World) -> None:
    from django.http import HttpResponse
    from django.test import override_settings
    from django.urls import path

    from portal import routes

    undeclared = path("undeclared", lambda request: HttpResponse("let through"))
    urls = ModuleType("urls")
    vars(urls).update(urlpatterns=[undeclared, *routes.urlpatterns], handler403="portal.home.refused")
    with override_settings(ROOT_URLCONF=urls):
        assert world.client("administrator").get("/undeclared").status_code == 403


def test_every_pattern_is_of_a_declared_route(world: World) -> None:
    from django.urls import get_resolver

    from portal.permissions import Route
    from portal.routes import ROUTES

    found = [pattern.callback.route for pattern in get_resolver().url_patterns]
    assert all(isinstance(route, Route) for route in found)
    assert found == list(ROUTES)
    assert len({route.name for route in ROUTES}) == len(ROUTES)


@pytest.mark.parametrize(
    "declaration",
    [
        {"roles": ["clerk"], "scope": "institution", "path": "no-institution"},
        {"roles": [], "scope": "country", "path": "nobody"},
        {"roles": ["clerk"], "scope": "country", "path": "of-nobody"},
        {"roles": ["clerk"], "scope": "public", "path": "public"},
    ],
)
def test_a_declaration_that_contradicts_itself_is_refused(world: World, declaration: dict[str, object]) -> None:
    from portal.permissions import Role, Route, Scope

    roles = frozenset(Role(str(one)) for one in declaration["roles"])  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="route"):
        Route("x", str(declaration["path"]), lambda request: None, roles, Scope(str(declaration["scope"])))


def test_pages_are_not_stored_and_allow_no_foreign_content(world: World) -> None:
    page = world.client("administrator").get("/accounts")
    assert page.headers["Cache-Control"] == "no-store"
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
    assert b"<script>" not in page.content and b"style=" not in page.content
