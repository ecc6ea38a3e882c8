"""What an attacker tries: forms of other sites, planted sessions, forged headers, old tokens, HTML and formulas in every field, guessing
who has an account. What needs a running server is in `test_portal_under_load`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher
from portal_world import World
from test_portal_routes import ENDS_THE_SESSION, Objects, address

PASSWORD = "correct horse battery staple"
HTML = "<img src=x onerror=alert(1)>"
FORMULA = '=HYPERLINK("http://evil.example","x")'


class Counting(Argon2PasswordHasher):
    """Argon2 that counts how often a password is hashed: what signing in costs, without a clock."""

    hashed = 0

    def encode(self, password: str, salt: str) -> str:
        Counting.hashed += 1
        return str(super().encode(password, salt))

    def verify(self, password: str, encoded: str) -> bool:
        Counting.hashed += 1
        return bool(super().verify(password, encoded))


@pytest.fixture
def account(world: World) -> Iterator[Any]:
    from axes.utils import reset

    from portal.accounts.models import Account

    Account.objects.filter(email="attacked@example.org").delete()
    made = Account.objects.create_user(
        "attacked@example.org", PASSWORD, name="Attacked", granted=["clerk"], institution="courts", language="en"
    )
    yield made
    reset()
    made.delete()


def test_every_action_refuses_the_form_of_another_site(world: World) -> None:
    from django.test import Client

    from portal.permissions import Scope
    from portal.routes import ROUTES

    tried = 0
    for route in (one for one in ROUTES if "POST" in one.methods):
        role = next(iter(sorted(route.roles)), None)
        institution = "courts" if role in ("clerk", "head") else ""
        client = Client(enforce_csrf_checks=True)
        if role is not None:
            client.force_login(world.account(role, institution))
        given = Objects(world, "courts").fresh() if route.scope is Scope.INSTITUTION else {}
        there = address(route, "courts", given)
        assert client.post(there).status_code == 403, route.name
        client.get("/sign-in")
        token = client.cookies["harmonia_csrf"].value if "harmonia_csrf" in client.cookies else "x" * 32
        forged = client.post(there, {"csrfmiddlewaretoken": token}, headers={"Origin": "https://evil.example"})
        assert forged.status_code == 403, f"{route.name} with a token from elsewhere"
        tried += 1
        if role is not None and route.name not in ENDS_THE_SESSION:
            assert client.get("/account").status_code == 200, "still signed in"
    assert tried > 20
    Objects(world, "courts").remove()


def test_no_action_is_a_link(world: World) -> None:
    from portal.routes import ROUTES

    client = world.client("administrator")
    before = len(world.audit())
    for route in (one for one in ROUTES if one.methods == ("POST",)):
        assert client.get(address(route, "courts", {})).status_code in (403, 405), route.name
    assert len(world.audit()) == before


@pytest.mark.parametrize("way", ["password", "invitation", "demo"])
def test_a_planted_session_is_worth_nothing(world: World, account: Any, way: str) -> None:
    from django.test import Client

    from portal.accounts import invitations

    attacker = Client()
    planted = attacker.session
    planted["mine"] = True
    planted.save()
    attacker.cookies["harmonia_session"] = planted.session_key
    victim = Client()
    victim.cookies["harmonia_session"] = planted.session_key
    if way == "password":
        victim.post("/sign-in", {"email": account.email, "password": PASSWORD})
    elif way == "invitation":
        victim.post(invitations.make_invitation_link(account), {"new_password1": PASSWORD * 2, "new_password2": PASSWORD * 2})
    else:
        victim.post("/demo", {"email": "engineer@demo.invalid"})
    assert victim.get("/account").status_code == 200
    assert victim.cookies["harmonia_session"].value != planted.session_key
    assert attacker.get("/account").status_code == 302, "the attacker's session is not signed in"


def test_cookies_are_out_of_reach_of_scripts_and_other_sites(world: World, account: Any) -> None:
    from django.test import Client

    client = Client()
    client.post("/sign-in", {"email": account.email, "password": PASSWORD})
    client.get("/account")
    for name in ("harmonia_session", "harmonia_csrf"):
        assert client.cookies[name]["httponly"] and client.cookies[name]["samesite"] == "Strict", name


@pytest.mark.parametrize(
    "header",
    ["X-Forwarded-User", "Remote-User", "X-Remote-User", "X-Forwarded-Email", "OIDC-Claim-Email", "X-Forwarded-Preferred-Username"],
)
def test_a_forged_header_signs_nobody_in(world: World, account: Any, header: str) -> None:
    from django.test import Client

    assert Client().get("/account", headers={header: account.email}).status_code == 302


def test_a_forged_host_leads_nowhere(world: World) -> None:
    from django.test import Client

    page = Client().get("/sign-in", headers={"Host": "evil.example"})
    assert page.status_code == 400 and b"evil.example" not in page.content
    given = {"email": "host@example.org", "name": "Host", "roles": ["analyst"], "language": "en"}
    made = world.client("administrator").post("/accounts/invite", given, headers={"X-Forwarded-Host": "evil.example"})
    assert b"evil.example" not in made.content and b"/invitations/" in made.content
    from portal.accounts.models import Account

    Account.objects.filter(email="host@example.org").delete()


def test_a_page_to_go_on_to_is_never_another_site(world: World, account: Any) -> None:
    from django.test import Client

    for there in ("https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "\\\\evil.example"):
        given = {"email": account.email, "password": PASSWORD, "next": there}
        assert Client().post("/sign-in", given).url == "/", there
        assert Client().post("/language", {"language": "en", "next": there}).url == "/", there


def test_an_invitation_that_is_expired_replayed_or_of_somebody_else_is_refused(world: World, account: Any) -> None:
    from django.test import Client, override_settings

    from portal.accounts import invitations

    new = {"new_password1": PASSWORD * 2, "new_password2": PASSWORD * 2}
    link = invitations.make_invitation_link(account)
    with override_settings(PASSWORD_RESET_TIMEOUT=-1):
        assert Client().get(link).status_code == 410
        assert Client().post(link, new).status_code == 410, "expired"
    head, number, token = link.rsplit("/", 2)
    other = invitations.make_invitation_link(world.account("administrator")).rsplit("/", 2)[1]
    assert Client().post(f"{head}/{other}/{token}", new).status_code == 410, "of another account"
    account.is_active = False
    account.save()
    assert Client().post(link, new).status_code == 410, "of a disabled account"
    account.is_active = True
    account.save()
    assert Client().post(link, new).status_code == 302
    assert Client().post(link, new).status_code == 410, "replayed"
    assert number != other


def test_who_has_an_account_cannot_be_guessed_by_what_a_refusal_costs_or_says(world: World, account: Any) -> None:
    """Each refused sign-in hashes a password exactly once and shows the same page, whether or not there is such an account."""
    from django.test import Client, override_settings

    from portal.accounts.models import Account

    Account.objects.filter(email__in=["invited@example.org", "disabled@example.org"]).delete()
    Account.objects.create_user("invited@example.org", None, name="Invited", granted=["analyst"])
    Account.objects.create_user("disabled@example.org", PASSWORD, name="Disabled", granted=["analyst"], is_active=False)
    cost, pages = {}, set()
    addresses = (account.email, "nobody@example.org", "invited@example.org", "disabled@example.org", "engineer@demo.invalid")
    with override_settings(PASSWORD_HASHERS=["test_portal_attacks.Counting"]):
        for n, email in enumerate(addresses):
            Counting.hashed = 0
            client = Client(REMOTE_ADDR=f"10.1.0.{n}")
            page = client.post("/sign-in", {"email": email, "password": PASSWORD if "disabled" in email else "a wrong password"})
            cost[email] = Counting.hashed
            text = re.sub(r'(csrfmiddlewaretoken" value=")[^"]*|value="[^"]*@[^"]*"', "", page.content.decode())
            pages.add((page.status_code, text))
    assert set(cost.values()) == {1}, cost
    assert len(pages) == 1
    Account.objects.filter(email__in=["invited@example.org", "disabled@example.org"]).delete()


def test_another_address_in_a_header_does_not_evade_the_limit(world: World, account: Any) -> None:
    from django.test import Client

    client = Client(REMOTE_ADDR="10.2.0.1")
    statuses = [
        client.post("/sign-in", {"email": account.email, "password": "wrong"}, headers={"X-Forwarded-For": f"9.9.9.{n}"}).status_code
        for n in range(11)
    ]
    assert statuses[-1] == 429


FIELDS = {
    ("clerk", "police"): [
        ("/police/deliveries/2013-Q3/answer", {"verdict": "accepted", "reason": None, "all": "1", "kind": "to_do", "query": None}),
        ("/police/deliveries/2013-Q3/answer", {"verdict": None, "finding": None, "reason": "x"}),
        ("/police/new", {"period": None}),
        ("/account", {"language": None}),
        ("/language", {"language": None, "next": None}),
    ],
    ("head", "police"): [("/police/quarters/2013-Q1/sign", {"seen": None, "delivery": None})],
    ("coordinator", ""): [
        ("/coordinator/answers/decide", {"answer": None, "decision": None, "until": None, "why": None}),
        ("/coordinator/remind", {"institution": None}),
        ("/coordinator/releases/preview", {"day": None}),
        ("/coordinator/reports/sent", dict.fromkeys(("audience", "institution", "period", "to")) | {"day": "2014-01-01"}),
    ],
    ("steward", ""): [
        ("/steward/search", {"number": None, "name": None, "entity": "person", "of": "", "reason": None}),
        ("/steward/samples", {"size": None, "seed": None}),
    ],
    ("administrator", ""): [
        ("/accounts/invite", {"email": "field@example.org", "name": None, "roles": "analyst", "institution": "", "language": "en"}),
        ("/accounts/invite", {"email": None, "name": "x", "roles": None, "institution": None, "language": None}),
    ],
}
PAGES = {
    ("clerk", "police"): ["/police", "/police/deliveries/2013-Q1", "/police/deliveries/2013-Q1/findings?kind=all", "/account"],
    ("coordinator", ""): ["/coordinator", "/coordinator/answers", "/coordinator/releases", "/coordinator/reports"],
    ("steward", ""): ["/steward", "/steward/samples", "/steward/search"],
    ("administrator", ""): ["/accounts", "/audit"],
}


@pytest.mark.parametrize("payload", [HTML + FORMULA + "{{ 7 * 191 }}'; --", FORMULA, "\x00" + "ë" * 9_000])
def test_hostile_text_in_every_field_is_text_everywhere(world: World, payload: str) -> None:
    from portal.accounts.models import Account

    asked = ("kind", "unit", "severity", "rule", "text", "page", "period", "institution", "account", "next", "of")
    filters = dict.fromkeys(asked, payload)
    for (role, institution), forms in FIELDS.items():
        client = world.client(role, institution)
        for path, fields in forms:
            page = client.post(path, {name: payload if value is None else value for name, value in fields.items()}, follow=True)
            assert page.status_code < 500, (path, page.status_code)
            assert HTML.encode() not in page.content and b"1337" not in page.content, path
    for (role, institution), paths in PAGES.items():
        client = world.client(role, institution)
        for path in paths:
            for query in ({}, filters):
                page = client.get(path, query)
                assert page.status_code < 500, (path, page.status_code)
                assert HTML.encode() not in page.content and b"1337" not in page.content, path
    Account.objects.filter(email="field@example.org").delete()
