"""The templates of the portal, and the names that all templates can use. Jinja2 escapes all values and fails for an unknown name."""

from __future__ import annotations

from typing import Any

import jinja2
from django.conf import settings
from django.forms.renderers import Jinja2 as FormRenderer
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import get_language

from portal import words
from portal.permissions import is_allowed
from schemas.findings import LANGUAGES
from sources import contract

_LANGUAGE_BY_DJANGO_CODE = {code: language for language, code in words.DJANGO.items()}


MENU = (
    ("institution", True),
    *(
        (name, False)
        for name in ("coordinator", "countersigning", "releases", "register", "steward", "samples", "engineer", "accounts", "audit")
    ),
)
"""The routes in the navigation, in order, each with whether its page belongs to the account's own institution. The text of a route is
`menu.<route>`."""


class Renderer(FormRenderer):
    """Django's own templates of form fields, in Jinja2."""


def environment(**options: Any) -> jinja2.Environment:
    """Return the environment of Jinja, in which an unknown name, attribute or key is an error."""
    # Django sets autoescape.
    jinja = jinja2.Environment(**{**options, "undefined": jinja2.StrictUndefined, "trim_blocks": True, "lstrip_blocks": True})  # noqa: S701
    jinja.globals.update(static=static, url=_url, languages=LANGUAGES, demo_open=settings.DEMO)
    jinja.filters.update(
        day=words.format_day,
        moment=words.format_moment,
        quarter=words.format_period,
        iso_day=words.format_iso_day,
        thousands=lambda n: f"{n:,}".replace(",", "\u2009"),
        size=_format_size,
    )
    return jinja


def _url(name: str, **arguments: Any) -> str:
    return reverse(name, kwargs=arguments)


def _format_size(number: int) -> str:
    for unit in ("B", "KiB", "MiB"):
        if number < 1024:
            return f"{number:.0f}\u2009{unit}"
        number /= 1024  # type: ignore[assignment]
    return f"{number:.1f}\u2009GiB"


def language_of(request: HttpRequest) -> str:
    """Return the language of a request: sq, sr or en."""
    return _LANGUAGE_BY_DJANGO_CODE.get(get_language() or "", "sq")


def add_notice(request: HttpRequest, kind: str, text: str) -> None:
    """Show a line on the next page. `kind` is good, warning or error. `text` contains no delivered value."""
    request.session["notices"] = [*request.session.get("notices", []), {"kind": kind, "text": text}]


def take_notices(request: HttpRequest) -> list[dict[str, str]]:
    """Return the lines to show, and remove them from the session."""
    return request.session.pop("notices", []) if hasattr(request, "session") and "notices" in request.session else []


def context(request: HttpRequest) -> dict[str, Any]:
    """Return the names that all templates can use. Among them are `w` (texts), `language`, `account` (None if nobody is signed in), `may`
    (whether the account may open a route), and `publisher` (the label of an institution)."""
    language = language_of(request)
    user = getattr(request, "user", None)  # None if a request is refused before the account was looked up
    account = user if user is not None and user.is_authenticated else None

    def may(name: str, institution: str | None = None) -> bool:
        from portal.routes import ROUTES

        route = next(one for one in ROUTES if one.name == name)
        return account is not None and is_allowed(route, account.roles, account.institution, institution)

    def publisher(institution: str) -> str:
        return contract.load(institution).publisher[language]

    return {
        "menu": MENU,
        "w": words.portal_texts(language),
        "language": language,
        "account": account,
        "may": may,
        "publisher": publisher,
        "here": getattr(request, "shown_at", request.path),
        "notices": take_notices(request),
    }
