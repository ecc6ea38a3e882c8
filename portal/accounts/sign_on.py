"""Sign-on behind a proxy: the ID token of an OpenID provider, signed by it, which the proxy passes on as `Authorization: Bearer …`.

Belongs here: checking the token. Does not belong here: OpenID Connect itself, which the proxy speaks (Apache with mod_auth_openidc,
oauth2-proxy); sessions (Django). No header is believed: a token that the provider did not sign for this portal signs nobody in.
"""

from __future__ import annotations

import json
import time
import urllib.request
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.contrib.auth.backends import RemoteUserBackend
from django.contrib.auth.middleware import RemoteUserMiddleware
from django.http import HttpRequest
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from harmonia.errors import HarmoniaError

_ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]
_LEEWAY = 60  # seconds that clocks may differ
_KEPT = 600  # seconds that keys from an address are kept


def email_of(header: str) -> str:
    """The e-mail address in a token of the provider for this portal that has not expired; empty for any other header."""
    kind, _, token = header.partition(" ")
    if not settings.SIGN_ON_ISSUER or kind.lower() != "bearer":
        return ""
    required = jwt.JWTClaimsRegistry(
        leeway=_LEEWAY,
        iss={"essential": True, "value": settings.SIGN_ON_ISSUER},
        aud={"essential": True, "value": settings.SIGN_ON_CLIENT},
        exp={"essential": True},
        email={"essential": True},
    )
    try:
        claims = jwt.decode(token.strip(), _keys(settings.SIGN_ON_KEYS, int(time.time()) // _KEPT), algorithms=_ALGORITHMS).claims
        required.validate(claims)
    except (JoseError, ValueError, TypeError):
        return ""
    return "" if claims.get("email_verified") is False else str(claims["email"]).strip().lower()


@lru_cache(maxsize=2)
def _keys(place: str, _turn: int) -> KeySet:
    """The provider's public keys: of a file, or of an https address (`jwks_uri`), asked again after `_KEPT` seconds."""
    try:
        if place.startswith("https://"):
            with urllib.request.urlopen(place, timeout=10) as answer:  # noqa: S310 - https alone
                return KeySet.import_key_set(json.load(answer))
        return KeySet.import_key_set(json.loads(Path(place).read_text("utf-8")))
    except (OSError, ValueError) as error:
        raise HarmoniaError(
            f"the keys of the sign-on cannot be read ({type(error).__name__}): check HARMONIA_PORTAL_OIDC_KEYS, {place}"
        ) from None


class SignOnBackend(RemoteUserBackend):
    """Accounts by the e-mail address of a token that `SignOn` verified; no account is created."""

    create_unknown_user = False


class SignOn(RemoteUserMiddleware):
    """Middleware: sign in, or change, to the account of the token. Without a valid token the session alone counts."""

    header = "harmonia.signed_on"  # of this middleware alone: what a client sends begins with HTTP_
    force_logout_if_no_header = False

    def process_request(self, request: HttpRequest) -> None:
        """As Django does for a header that it may believe."""
        email = email_of(request.META.get("HTTP_AUTHORIZATION", ""))
        if email:
            request.META[self.header] = email
            super().process_request(request)
