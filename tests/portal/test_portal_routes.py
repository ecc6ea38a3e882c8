"""Every route, every role, one's own and another institution's object: generated from the table of routes.

The objects are real: an upload, a receipt, a delivery with findings and a quarter of each institution. Where a request would be let
through that the table does not allow, something would happen or be shown; a made-up object would hide it behind "not found".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest
from portal_world import World
from volume import WHOLE

INSTITUTIONAL = {"clerk", "head"}
ENDS_THE_SESSION = {"sign_out", "sign_out_everywhere"}


@dataclass
class Objects:
    """The real objects of an institution; `fresh` makes those again that an action used up."""

    world: World
    institution: str

    def fresh(self) -> dict[str, object]:
        from portal.institution.models import Submission, Upload

        inbox, account = self.world.place.inbox, self.world.account("clerk", self.institution)
        token = f"routes{self.institution}".ljust(32, "0")
        Upload.objects.get_or_create(token=token, defaults={"institution": self.institution, "period": "2013-Q4", "account": account})
        folder = inbox / ".incoming" / token
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "file.csv").write_bytes(b"x")
        given = {"institution": self.institution, "period": "2013-Q1", "account": account, "hash": "0" * 64, "files": [], "placed": True}
        receipt, _ = Submission.objects.get_or_create(token=token[::-1], defaults={**given, "delivery": "2013-Q1"})
        return {"token": token, "number": receipt.number, "delivery": "2013-Q1", "period": "2013-Q1"}

    def remove(self) -> None:
        from portal.institution.models import Submission, Upload
        from portal.institution.uploads import remove_upload

        for one in Upload.objects.filter(institution=self.institution):
            remove_upload(one)
        Submission.objects.filter(institution=self.institution).delete()
        for folder in (self.world.place.inbox / self.institution).glob("2013-Q4*"):
            (folder / "file.csv").unlink()
            folder.rmdir()


@pytest.fixture
def objects(world: World) -> Iterator[dict[str, Objects]]:
    from sources import contract

    found = {name: Objects(world, name) for name in contract.institutions()}
    yield found
    for one in found.values():
        one.remove()


def named(route: Any) -> set[str]:
    """The parts of a route's path that vary."""
    return set(re.findall(r"<(?:\w+:)?(\w+)>", route.path))


def address(route: Any, institution: str, given: dict[str, object]) -> str:
    from django.urls import reverse

    others: dict[str, object] = {"uidb64": "x", "token": "y", "number": 1, "day": "2014-01-01", "state": "0" * 16}
    values = {**others, **given, "institution": institution}
    return reverse(route.name, kwargs={name: values.get(name, "0" * 16) for name in named(route)})


def kept_out(page: Any) -> bool:
    """Whether a request was refused: as not allowed, as nothing that is there, or to the sign-in."""
    return page.status_code in (403, 404, 410) or (page.status_code == 302 and page.url.startswith("/sign-in"))


def clients(world: World) -> dict[tuple[str, str], Any]:
    """A client for everybody: signed out, each role, clerks and heads of each institution."""
    from django.test import Client

    from portal.permissions import Role
    from sources import contract

    whose = contract.institutions() if WHOLE else (contract.institutions()[0], contract.institutions()[3])
    every: dict[tuple[str, str], Any] = {("", ""): Client()}
    for role in Role:
        for institution in whose if role in INSTITUTIONAL else ("",):
            every[role, institution] = Client()
            every[role, institution].force_login(world.account(role, institution))
    return every


def test_no_role_is_let_through_that_the_table_does_not_name(world: World, objects: dict[str, Objects]) -> None:
    from portal.permissions import Scope
    from portal.routes import ROUTES
    from sources import contract

    everybody, tried, wrong = clients(world), 0, []
    targets = contract.institutions() if WHOLE else (contract.institutions()[0], contract.institutions()[3])
    for route in (one for one in ROUTES if one.scope is not Scope.PUBLIC and one.name not in ENDS_THE_SESSION):
        for method in route.methods:
            for (role, own), client in everybody.items():
                for institution in targets if route.scope is Scope.INSTITUTION else ("",):
                    may = role in route.roles and (route.scope is not Scope.INSTITUTION or own == institution)
                    if may and not WHOLE:
                        continue  # every page that is let through is opened with the slow tests
                    given = objects[institution].fresh() if institution else {}
                    page = getattr(client, method.lower())(address(route, institution, given))
                    tried += 1
                    page.close()
                    allowed = page.status_code != 403 and not (page.status_code == 302 and page.url.startswith("/sign-in"))
                    if allowed != may or page.status_code >= 500:
                        wrong.append((route.name, method, role, own, institution, page.status_code))
    assert wrong == []
    assert tried > (2_000 if WHOLE else 500)


def test_an_object_of_another_institution_is_not_there_under_ones_own_path(world: World, objects: dict[str, Objects]) -> None:
    """Own institution in the path, another one's upload or receipt behind it."""
    from portal.permissions import Scope
    from portal.routes import ROUTES
    from sources import contract

    own, other = contract.institutions()[0], contract.institutions()[3]
    tried, wrong = 0, []
    for route in (one for one in ROUTES if one.scope is Scope.INSTITUTION and named(one) & {"token", "number"}):
        for method in route.methods:
            for role in sorted(INSTITUTIONAL):
                ours, theirs = objects[own].fresh(), objects[other].fresh()
                client = world.client(role, own)
                through = getattr(client, method.lower())(address(route, own, theirs))
                if not kept_out(through):
                    wrong.append((route.name, method, role, through.status_code))
                if role in route.roles:
                    mine = getattr(client, method.lower())(address(route, own, ours))
                    assert not kept_out(mine), f"{route.name}: the same request reaches one's own object"
                tried += 1
    assert wrong == []
    assert tried >= 8
    from portal.institution.models import Submission, Upload

    assert Upload.objects.filter(institution=other).exists() and Submission.objects.filter(institution=other).exists(), "untouched"


def test_several_roles_do_not_add_up_to_another_institution(world: World, objects: dict[str, Objects]) -> None:
    from django.test import Client

    from portal.accounts.models import Account
    from portal.permissions import Role, Scope
    from portal.routes import ROUTES
    from sources import contract

    own, other = contract.institutions()[0], contract.institutions()[3]
    Account.objects.filter(email="all.roles@example.org").delete()
    account = Account.objects.create_user("all.roles@example.org", name="All", granted=[role.value for role in Role], institution=own)
    client = Client()
    client.force_login(account)
    for route in (one for one in ROUTES if one.scope is Scope.INSTITUTION):
        for method in route.methods:
            page = getattr(client, method.lower())(address(route, other, objects[other].fresh()))
            assert page.status_code == 403, route.name
    account.delete()


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
