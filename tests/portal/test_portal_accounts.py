"""Accounts: signing in and out, invitations, ended sessions, the audit, what an attacker tries."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from portal_world import World

from harmonia.errors import HarmoniaError

PASSWORD = "correct horse battery staple"


@pytest.fixture
def clerk(world: World) -> object:
    from portal.accounts.models import Account

    account, _ = Account.objects.get_or_create(
        email="clerk@example.org", defaults={"name": "A Clerk", "granted": ["clerk"], "institution": "courts", "language": "en"}
    )
    account.is_active = True
    account.set_password(PASSWORD)
    account.save()
    return account


def _sign_in(client: object, password: str = PASSWORD, email: str = "clerk@example.org") -> object:
    return client.post("/sign-in", {"email": email, "password": password})  # type: ignore[attr-defined]


def test_a_sign_in_is_audited_and_gets_a_new_session(world: World, clerk: object) -> None:
    from django.test import Client

    client = Client()
    client.get("/sign-in")
    session = client.session
    session["x"] = 1
    session.save()
    before = client.session.session_key
    assert _sign_in(client).status_code == 302
    assert client.session.session_key != before, "a session that an attacker planted is not kept"
    assert world.audit()[-1][:2] == ("clerk@example.org", "sign in")
    client.post("/sign-out")
    assert world.audit()[-1][:2] == ("clerk@example.org", "sign out")
    assert client.get("/account").status_code == 302


def test_a_wrong_password_is_audited_without_what_was_typed(world: World, clerk: object) -> None:
    from django.test import Client

    for email, who in (("clerk@example.org", "clerk@example.org"), ("my.secret.password@example.org", "unknown")):
        assert _sign_in(Client(REMOTE_ADDR="10.0.0.1"), "wrong", email).status_code == 401
        assert world.audit()[-1][:2] == (who, "sign-in refused")


def test_ten_wrong_passwords_lock_the_address_for_this_account(world: World, clerk: object) -> None:
    from axes.utils import reset
    from django.test import Client

    client = Client(REMOTE_ADDR="10.0.0.2")
    statuses = [_sign_in(client, "wrong").status_code for _ in range(11)]
    assert statuses[0] == 401 and statuses[-1] == 429
    assert _sign_in(client).status_code == 429, "also with the right one, for a while"
    assert _sign_in(Client(REMOTE_ADDR="10.0.0.3")).status_code == 302, "from elsewhere the clerk works on"
    reset()


def test_the_form_of_another_site_is_refused(world: World, clerk: object) -> None:
    from django.test import Client

    client = Client(enforce_csrf_checks=True)
    client.force_login(clerk)
    for path in ("/sign-out", "/account", "/language"):
        assert client.post(path, {"language": "sr"}).status_code == 403
    assert client.get("/account").status_code == 200, "still signed in"


def test_sign_out_everywhere_ends_all_sessions_of_the_account_and_no_other(world: World, clerk: object) -> None:
    from django.test import Client

    one, two, other = Client(), Client(), world.client("engineer")
    _sign_in(one)
    _sign_in(two)
    one.post("/sign-out-everywhere")
    assert [client.get("/account").status_code for client in (one, two, other)] == [302, 302, 200]


def test_an_account_disabled_while_signed_in_is_out_at_once(world: World, clerk: object) -> None:
    from django.test import Client

    client = Client()
    _sign_in(client)
    administrator = world.client("administrator")
    assert administrator.post(f"/accounts/{clerk.pk}", {"action": "disable"}).status_code == 200  # type: ignore[attr-defined]
    assert client.get("/account").status_code == 302
    assert _sign_in(client).status_code == 401
    assert world.audit()[-2][:3] == ("administrator@demo.invalid", "disable an account", "clerk@example.org")


def test_an_invitation_works_once(world: World) -> None:
    from django.test import Client

    from portal.accounts.models import Account

    Account.objects.filter(email="new@example.org").delete()
    given = {"email": "new@example.org", "name": "New", "roles": ["head"], "institution": "police", "language": "sr"}
    page = world.client("administrator").post("/accounts/invite", given)
    link = re.search(r"/invitations/[^<\s]+", page.content.decode())
    assert link, "the page shows the link"
    guest = Client()
    assert "Dobro došli" in guest.get(link[0], headers={"Accept-Language": "sr-Latn"}).content.decode()
    weak = guest.post(link[0], {"new_password1": "short", "new_password2": "short"})
    assert weak.status_code == 200 and not guest.session.get("_auth_user_id")
    assert guest.post(link[0], {"new_password1": PASSWORD, "new_password2": PASSWORD}).status_code == 302
    assert guest.get("/account").status_code == 200
    again = Client().post(link[0], {"new_password1": PASSWORD * 2, "new_password2": PASSWORD * 2})
    assert again.status_code == 410, "replayed"
    assert Client().get(link[0][:-3] + "abc").status_code == 410, "forged"


def test_an_invitation_is_in_the_language_of_its_account_without_markup(world: World) -> None:
    from django.test import Client

    from portal.accounts.invitations import invite_account
    from portal.accounts.models import Account

    welcome = {"sq": "Mirë se vini", "sr": "Dobro došli", "en": "Welcome"}
    for language, greeting in welcome.items():
        Account.objects.filter(email="reader@example.org").delete()
        link = invite_account("reader@example.org", "Reader", ["analyst"], language=language)
        browser = {"Accept-Language": "en" if language != "en" else "sq"}
        for page in (
            Client().get(link, headers=browser),
            Client().post(link, {"new_password1": "short", "new_password2": "short"}, headers=browser),
        ):
            text = page.content.decode()
            assert greeting in text and "&lt;" not in text and '<ul class="hint"><li>' in text
            assert "must contain at least 12" in text if language == "en" else "must" not in text, "the rules too"
        assert {"sq": "duhen të paktën 12 shenja", "sr": "najmanje 12 znakova", "en": "needs at least 12 characters"}[language] in text
    guest = Client()
    guest.post("/language", {"language": "sr"})
    assert "Dobro došli" in guest.get(link).content.decode(), "a language that its owner chose is kept"
    guest.post(link, {"new_password1": PASSWORD, "new_password2": PASSWORD})
    assert Account.objects.get(email="reader@example.org").language == "sr"


def test_the_language_chosen_on_the_page_of_the_sign_in_is_kept(world: World, clerk: object) -> None:
    from django.test import Client

    client = Client()
    client.post("/language", {"language": "sr"})
    assert _sign_in(client).status_code == 302
    assert "Vaš nalog" in client.get("/account").content.decode()
    client.post("/sign-out")
    _sign_in(client)
    assert "Vaš nalog" in client.get("/account").content.decode(), "nobody chose another"
    client.post("/language", {"language": "en"})


def test_passwords_are_kept_by_argon2_and_tables_are_private(world: World, clerk: object) -> None:
    from portal.accounts.models import Account

    assert Account.objects.get(email="clerk@example.org").password.startswith("argon2$argon2id$")
    folder = world.place.home.root / "portal"
    assert folder.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.rglob("*"))


def test_demo_is_refused_over_deliveries_that_are_not_simulated(world: World, tmp_path: Path) -> None:
    from django.test import override_settings

    from pipelines.resources.workplace import Workplace
    from portal.accounts import demonstration

    (tmp_path / "inbox").mkdir()
    with (
        override_settings(WORKPLACE=Workplace.from_paths(tmp_path / "inbox", tmp_path / "home")),
        pytest.raises(HarmoniaError, match="simulated"),
    ):
        demonstration.enable_demo_accounts()
    fresh = world.place.inbox / "police" / "2013-Q3"
    fresh.rename(tmp_path / "2013-Q3")
    try:
        with pytest.raises(HarmoniaError, match="police 2013-Q3 from elsewhere"):
            demonstration.enable_demo_accounts()
    finally:
        (tmp_path / "2013-Q3").rename(fresh)


def test_without_demo_no_demo_account_signs_in(world: World) -> None:
    from django.test import Client, override_settings

    from portal.accounts import demonstration

    client = world.client("engineer")
    demonstration.disable_demo_accounts()
    try:
        assert client.get("/account").status_code == 302
        assert Client().post("/demo", {"email": "engineer@demo.invalid"}).status_code == 404
        with override_settings(DEMO=False):
            assert Client().post("/demo", {"email": "engineer@demo.invalid"}).status_code == 404
    finally:
        demonstration.enable_demo_accounts()


def test_refusals_and_the_audit_log_are_in_the_language_of_the_account(world: World) -> None:
    from portal.services import registry

    client = world.client("administrator", language="sr")
    given = {"email": "someone@example.org", "name": "Someone", "roles": ["clerk"], "institution": "", "language": "sr"}
    assert "Službeniku i rukovodiocu potrebna je institucija." in client.post("/accounts/invite", given).content.decode()
    taken = {**given, "email": "engineer@demo.invalid", "roles": ["analyst"]}
    assert "već ima nalog" in client.post("/accounts/invite", taken).content.decode()
    from harmonia.audit import record_access

    for action, reason in (
        ("grant clerk, head", None),
        ("read findings", "findings of the own institution"),
        ("of a later version", "why"),
    ):
        record_access(registry(), "someone", action, "subject", reason)
    page = client.get("/audit").content.decode()
    assert all(f">{text}<" in page for text in ("dodeljene uloge clerk, head", "pročitani nalazi", "nalazi sopstvene institucije"))
    assert all(f">{text}<" in page for text in ("of a later version", "why")), "what has no text stays as it is"


def test_html_in_a_name_is_text(world: World) -> None:
    from portal.accounts.models import Account

    Account.objects.filter(email="html@example.org").delete()
    given = {"email": "html@example.org", "name": "<img src=x onerror=alert(1)>", "roles": ["analyst"], "language": "en"}
    administrator = world.client("administrator")
    administrator.post("/accounts/invite", given)
    page = administrator.get("/accounts").content.decode()
    assert "<img" not in page and "&lt;img" in page


def test_the_command_line_is_the_account_of_the_system_user(world: World) -> None:
    """As the portal keeps it, not as a test writes it; two accounts never share a system user."""
    import os
    import pwd

    from harmonia.user import find_acting_account, find_current_user
    from portal.accounts.models import Account

    user, home = pwd.getpwuid(os.getuid()).pw_name, world.place.home.root
    Account.objects.filter(demo=False).delete()
    assert find_acting_account(home) == find_current_user(), "nobody but the demonstration's accounts"
    one, two = (Account.objects.create_user(f"{n}@example.org", name=n, granted=["steward"]) for n in ("one", "two"))
    administrator = world.client("administrator")
    administrator.post(f"/accounts/{one.pk}", {"action": "system_user", "system_user": user})
    assert find_acting_account(home) == "one@example.org"
    page = administrator.post(f"/accounts/{two.pk}", {"action": "system_user", "system_user": user})
    assert "This system user has another account." in page.content.decode()
    administrator.post(f"/accounts/{one.pk}", {"action": "disable"})
    with pytest.raises(HarmoniaError, match="has no account"):
        find_acting_account(home)
    Account.objects.filter(demo=False).delete()
