"""Signing in and out, invitations, the accounts, the audit log.

Does not belong here: how passwords, sessions and tokens work (Django), how attempts are limited (django-axes).
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth import authenticate, login, logout
from django.contrib.auth.forms import SetPasswordForm
from django.contrib.auth.tokens import default_token_generator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.encoding import force_str
from django.utils.http import url_has_allowed_host_and_scheme, urlsafe_base64_decode
from django.views.decorators.debug import sensitive_post_parameters

from harmonia.audit import entries
from harmonia.errors import HarmoniaError
from portal.accounts import invitations
from portal.accounts.forms import InviteForm, OwnForm, SignInForm
from portal.accounts.models import Account, Session
from portal.home import keep_language, message
from portal.permissions import Role
from portal.services import note, registry
from schemas.findings import LANGUAGES
from sources import contract

_MODEL = "django.contrib.auth.backends.ModelBackend"
_LINES = 200  # of the audit log on a page


@sensitive_post_parameters("password")
def sign_in(request: HttpRequest) -> HttpResponse:
    """The first page: e-mail address and password; with `--demo` also one button for each role."""
    form = SignInForm(request.POST or None)
    wrong = False
    if request.method == "POST" and form.is_valid():
        account = authenticate(request, username=form.cleaned_data["email"].lower(), password=form.cleaned_data["password"])
        if account is not None:
            login(request, account)
            return redirect(_next(request))
        if getattr(request, "axes_locked_out", False):
            return locked_out(request, {})
        wrong = True
    content = {"form": form, "wrong": wrong or bool(form.errors), "demo": _demo_accounts() if settings.DEMO else [], "next": _next(request)}
    return render(request, "accounts/sign_in.html", content, status=401 if wrong else 200)


def _demo_accounts() -> list[dict[str, Any]]:
    by_role: dict[Role, list[Account]] = {role: [] for role in Role}
    place = {name: n for n, name in enumerate(contract.institutions())}
    for account in sorted(Account.objects.filter(demo=True, is_active=True), key=lambda one: (place.get(one.institution, 0), one.pk)):
        for role in account.roles:
            by_role[role].append(account)
    return [{"role": role, "accounts": accounts} for role, accounts in by_role.items()]


def demo(request: HttpRequest) -> HttpResponse:
    """Sign in as a demo account; only while the portal runs with `--demo`."""
    if not settings.DEMO:
        raise Http404
    account = get_object_or_404(Account, email=request.POST.get("email", ""), demo=True, is_active=True)
    login(request, account, backend=_MODEL)
    return redirect("start")


def _next(request: HttpRequest) -> str:
    there = request.POST.get("next") or request.GET.get("next") or "/"
    return there if url_has_allowed_host_and_scheme(there, allowed_hosts=None) and there.startswith("/") else "/"


def locked_out(request: HttpRequest, credentials: dict[str, Any], *_: Any) -> HttpResponse:
    """Too many attempts: django-axes calls this."""
    return message(request, "locked_out", 429)


def language(request: HttpRequest) -> HttpResponse:
    """Choose a language; an account keeps it."""
    chosen = request.POST.get("language", "")
    if chosen not in LANGUAGES:
        raise Http404
    if request.user.is_authenticated:
        Account.objects.filter(pk=request.user.pk).update(language=chosen)
    there = request.POST.get("next", "/")
    response = redirect(there if url_has_allowed_host_and_scheme(there, allowed_hosts=None) else "/")
    keep_language(response, chosen)
    return response


@sensitive_post_parameters()
def invitation(request: HttpRequest, uidb64: str, token: str) -> HttpResponse:
    """The owner of an invited account sets its password, once."""
    try:
        account = Account.objects.get(pk=force_str(urlsafe_base64_decode(uidb64)), is_active=True)
    except (Account.DoesNotExist, ValueError, OverflowError):
        account = None
    if account is None or not default_token_generator.check_token(account, token):
        return message(request, "invitation_over", 410)
    form = SetPasswordForm(account, request.POST or None)
    if request.method == "POST" and form.is_valid():
        form.save()
        login(request, account, backend=_MODEL)
        return redirect("start")
    return render(request, "accounts/invitation.html", {"form": form, "invited": account})


def sign_out(request: HttpRequest) -> HttpResponse:
    """End this session."""
    logout(request)
    return redirect("sign_in")


def sign_out_everywhere(request: HttpRequest) -> HttpResponse:
    """End all sessions of the account, this one too."""
    account = request.user
    logout(request)
    Session.objects.filter(account=account).delete()
    return redirect("sign_in")


def own_account(request: HttpRequest) -> HttpResponse:
    """Language, notices, sessions of the account itself."""
    form = OwnForm(request.POST or None, instance=request.user)
    saved = request.method == "POST" and form.is_valid()
    if saved:
        form.save()
        return redirect("own_account")
    content = {"form": form, "sessions": Session.objects.filter(account=request.user).count()}
    return render(request, "accounts/own.html", content)


def listed(request: HttpRequest) -> HttpResponse:
    """All accounts."""
    found = Account.objects.order_by("-is_active", "institution", "name")
    return render(request, "accounts/list.html", {"accounts": found})


def invite(request: HttpRequest) -> HttpResponse:
    """Invite somebody: the page shows the link once, to be handed over."""
    form = InviteForm(request.POST or None, initial={"language": "sq"})
    problem = link = None
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            link = invitations.invited(given["email"], given["name"], given["roles"], given["institution"], given["language"])
        except HarmoniaError as error:
            problem = str(error)
        else:
            note(request, "invite an account", given["email"].lower())
            link = link if settings.ORIGIN else request.build_absolute_uri(link)
    return render(request, "accounts/invite.html", {"form": form, "roles": list(Role), "link": link, "problem": problem})


def account(request: HttpRequest, number: int) -> HttpResponse:
    """Change the roles of an account, disable it, make a new link. Disabling ends all of its sessions."""
    found = get_object_or_404(Account, pk=number)
    link = problem = None
    if request.method == "POST":
        action = request.POST.get("action")
        if action in ("disable", "enable"):
            if found.pk == request.user.pk:
                problem = "self"
            else:
                found.is_active = action == "enable" and (settings.DEMO or not found.demo)
                found.save(update_fields=["is_active"])
                Session.objects.filter(account=found).delete()
                note(request, f"{action} an account", found.email)
        elif action == "roles":
            problem = _roles(request, found)
        elif action == "system_user":
            problem = _system_user(request, found)
        elif action == "link" and found.is_active and not found.demo:
            link = invitations.link(found)
            link = link if settings.ORIGIN else request.build_absolute_uri(link)
            note(request, "make a link for an account", found.email)
    content = {"found": found, "roles": list(Role), "institutions": contract.institutions(), "link": link, "problem": problem}
    return render(request, "accounts/account.html", content)


def _system_user(request: HttpRequest, found: Account) -> str | None:
    """Whom the account is on the command line; one account a system user."""
    given = request.POST.get("system_user", "").strip()[:64]
    if given and Account.objects.filter(system_user=given).exclude(pk=found.pk).exists():
        return "system_user"
    found.system_user = given or None
    found.save(update_fields=["system_user"])
    note(request, f"set the system user {given}" if given else "remove the system user", found.email)
    return None


def _roles(request: HttpRequest, found: Account) -> str | None:
    granted = [role for role in request.POST.getlist("roles") if role in set(Role)]
    found.granted, found.institution = sorted(granted), request.POST.get("institution", "")
    try:
        found.clean()
    except ValueError:
        found.refresh_from_db()
        return "institution"
    if found.pk == request.user.pk and Role.ADMINISTRATOR not in found.roles:
        found.refresh_from_db()
        return "self"
    found.save(update_fields=["granted", "institution"])
    note(request, f"grant {', '.join(found.granted) or 'no role'}", found.email)
    return None


def audit_log(request: HttpRequest) -> HttpResponse:
    """The newest entries of the audit log."""
    number = request.GET.get("account", "")
    one = Account.objects.filter(pk=int(number)).first() if number.isdecimal() else None
    found = entries(registry(), None, who=one.email if one else None).iloc[::-1].head(_LINES)
    return render(request, "accounts/audit.html", {"lines": found.to_dict("records"), "one": one})
