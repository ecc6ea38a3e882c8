"""Sign-on behind a proxy: a token that the provider signed for this portal signs its account in, and nothing else does."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client, override_settings
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from portal_world import World

ISSUER, CLIENT = "https://sign-on.example.org", "harmonia-portal"
EMAIL = "signed.on@example.org"
Header = Callable[..., dict[str, str]]


@pytest.fixture(scope="module")
def key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": "one"})


@pytest.fixture
def bearer(world: World, key: RSAKey, tmp_path: Path) -> Iterator[Header]:
    """The header with a token of the provider; claims and key can be changed."""
    from portal.accounts.models import Account

    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
    Account.objects.filter(email__in=[EMAIL, "second@example.org"]).delete()
    for email in (EMAIL, "second@example.org"):
        Account.objects.create_user(email, name="Signed On", granted=["analyst"], language="en")

    def header(signer: Any = None, algorithm: str = "RS256", **claims: Any) -> dict[str, str]:
        given = {"iss": ISSUER, "aud": CLIENT, "exp": int(time.time()) + 300, "email": EMAIL, "email_verified": True, **claims}
        token = jwt.encode(
            {"alg": algorithm, "kid": "one"}, {k: v for k, v in given.items() if v is not None}, signer or key, algorithms=[algorithm]
        )
        return {"Authorization": f"Bearer {token}"}

    backends = ["axes.backends.AxesStandaloneBackend", "portal.accounts.sign_on.SignOnBackend"]
    with override_settings(SIGN_ON_ISSUER=ISSUER, SIGN_ON_CLIENT=CLIENT, SIGN_ON_KEYS=str(keys), AUTHENTICATION_BACKENDS=backends):
        yield header
    Account.objects.filter(email__in=[EMAIL, "second@example.org"]).delete()


def test_a_token_of_the_provider_signs_its_account_in_with_an_entry_in_the_audit_log(world: World, bearer: Header) -> None:
    client = Client()
    assert EMAIL in client.get("/account", headers=bearer(email=EMAIL.upper())).content.decode()
    assert world.audit()[-1][:2] == (EMAIL, "sign in")
    before = len(world.audit())
    client.get("/account", headers=bearer())
    assert len(world.audit()) == before, "once a session"
    client.get("/account", headers=bearer(email="second@example.org"))
    assert world.audit()[-1][:2] == ("second@example.org", "sign in"), "another user of the same browser is another account"


def test_a_token_is_verified_once_a_request(world: World, bearer: Header, monkeypatch: pytest.MonkeyPatch) -> None:
    from portal.accounts import sign_on

    client, verified = Client(), []
    monkeypatch.setattr(
        sign_on, "read_email_from_header", lambda header, real=sign_on.read_email_from_header: verified.append(header) or real(header)
    )
    for n in (1, 2):
        assert client.get("/account", headers=bearer()).status_code == 200
        assert len(verified) == n


def test_the_address_itself_signs_nobody_in(world: World, bearer: Header) -> None:
    """What `SignOn` hands to Django comes from no header."""
    bearer()
    for name in ("harmonia.signed_on", "harmonia_signed_on", "HARMONIA.SIGNED_ON"):
        assert Client().get("/account", headers={name: EMAIL}).status_code == 302


def _by_the_public_key(key: RSAKey) -> str:
    """A token whose "secret" is what everybody knows; made by hand, since the library refuses to make it."""
    claims = {"iss": ISSUER, "aud": CLIENT, "exp": int(time.time()) + 300, "email": EMAIL, "email_verified": True}
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in ({"alg": "HS256", "kid": "one"}, claims)]
    signature = hmac.digest(key.as_pem(private=False), b".".join(parts), "sha256")
    return b".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()


def test_no_other_token_signs_anybody_in(world: World, bearer: Header, key: RSAKey) -> None:
    forged = {
        "signed by another": bearer(RSAKey.generate_key(2048, {"kid": "one"})),
        "signed by another kind of key": bearer(ECKey.generate_key("P-256", {"kid": "one"}), "ES256"),
        "the public key as a secret": {"Authorization": f"Bearer {_by_the_public_key(key)}"},
        "expired": bearer(exp=int(time.time()) - 3_600),
        "without an end": bearer(exp=None),
        "not yet valid": bearer(nbf=int(time.time()) + 3_600),
        "for another client": bearer(aud="another"),
        "of another issuer": bearer(iss="https://evil.example"),
        "an address that nobody verified": bearer(email_verified=False),
        "without an address": bearer(email=None),
        "without an account": bearer(email="nobody@example.org"),
        "of the demonstration": bearer(email="nobody@demo.invalid"),
        "unsigned": {"Authorization": "Bearer eyJhbGciOiJub25lIn0.eyJlbWFpbCI6ImEifQ."},
        "nonsense": {"Authorization": "Bearer ..."},
        "a password": {"Authorization": "Basic YTpi"},
    }
    for what, headers in forged.items():
        page = Client().get("/account", headers=headers)
        assert page.status_code == 302 and page.url.startswith("/sign-in"), what


def test_a_disabled_account_stays_out(world: World, bearer: Header) -> None:
    from portal.accounts.models import Account

    client = Client()
    assert client.get("/account", headers=bearer()).status_code == 200
    Account.objects.filter(email=EMAIL).update(is_active=False)
    assert client.get("/account", headers=bearer()).status_code == 302


def test_without_the_setting_no_token_counts(world: World, bearer: Header) -> None:
    with override_settings(SIGN_ON_ISSUER=""):
        assert Client().get("/account", headers=bearer()).status_code == 302


def test_keys_that_cannot_be_read_are_one_line(world: World, bearer: Header) -> None:
    with override_settings(SIGN_ON_KEYS="/nowhere/keys.json"):
        page = Client(raise_request_exception=False).get("/account", headers=bearer())
    assert page.status_code == 503 and "HARMONIA_PORTAL_OIDC_KEYS" in page.content.decode()
