"""Sign-on behind a proxy that passes on the ID token of an OpenID provider in the header `Authorization: Bearer …`.

Belongs here: checking the token. Does not belong here: OpenID Connect itself, which the proxy does (Apache with mod_auth_openidc,
oauth2-proxy); sessions (Django). Only a token that the provider signed for this portal can sign somebody in; every other header is ignored.
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
_KEYS_KEPT = 600  # seconds that keys from an address are kept


def read_email_from_header(header: str) -> str:
    """Return the e-mail address in a header. The header must contain a valid, unexpired token of the provider for this portal; for any
    other header the result is empty."""
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
        claims = jwt.decode(
            token.strip(), _read_provider_keys(settings.SIGN_ON_KEYS, int(time.time()) // _KEYS_KEPT), algorithms=_ALGORITHMS
        ).claims
        required.validate(claims)
    except (JoseError, ValueError, TypeError):
        return ""
    return "" if claims.get("email_verified") is False else str(claims["email"]).strip().lower()


@lru_cache(maxsize=2)
def _read_provider_keys(location: str, _turn: int) -> KeySet:
    """Read the provider's public keys from a file or an https address (`jwks_uri`). They are read again after `_KEYS_KEPT` seconds."""
    try:
        if location.startswith("https://"):
            with urllib.request.urlopen(location, timeout=10) as response:  # noqa: S310 - https alone
                return KeySet.import_key_set(json.load(response))
        return KeySet.import_key_set(json.loads(Path(location).read_text("utf-8")))
    except (OSError, ValueError) as error:
        raise HarmoniaError(
            f"the keys of the sign-on cannot be read ({type(error).__name__}): check HARMONIA_PORTAL_OIDC_KEYS, {location}"
        ) from None


class SignOnBackend(RemoteUserBackend):
    """Finds the account with the e-mail address of a token that `SignOn` verified. It creates no account."""

    create_unknown_user = False


class SignOn(RemoteUserMiddleware):
    """Middleware that signs in the account to which the token belongs. Without a valid token, only the session says who is signed in."""

    header = "harmonia.signed_on"  # only this middleware can set it: a header from a client begins with HTTP_
    force_logout_if_no_header = False

    def process_request(self, request: HttpRequest) -> None:
        """Pass on the e-mail address of a valid token as Django's middleware expects it."""
        email = read_email_from_header(request.META.get("HTTP_AUTHORIZATION", ""))
        if email:
            request.META[self.header] = email
            super().process_request(request)
