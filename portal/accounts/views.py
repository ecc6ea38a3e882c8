"""The pages to sign in and out, to manage invitations and accounts, and to read the audit log.

Does not belong here: how passwords, sessions and tokens work (Django), how attempts to sign in are limited (django-axes).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.contrib.auth import authenticate, login, logout
from django.contrib.auth.forms import SetPasswordForm
from django.contrib.auth.password_validation import password_validators_help_texts
from django.contrib.auth.tokens import default_token_generator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import translation
from django.utils.encoding import force_str
from django.utils.http import url_has_allowed_host_and_scheme, urlsafe_base64_decode
from django.views.decorators.debug import sensitive_post_parameters

from harmonia.audit import list_audit_entries
from portal.accounts import invitations
from portal.accounts.forms import InviteForm, OwnForm, SignInForm
from portal.accounts.models import Account, Session
from portal.home import message, set_language_cookie
from portal.permissions import Role
from portal.services import record_action, registry
from portal.templating import language_of
from portal.words import DJANGO, portal_texts
from schemas.findings import LANGUAGES
from sources import contract

_MODEL = "django.contrib.auth.backends.ModelBackend"
_CHOSEN_LANGUAGE = "chosen_language"  # key in the session of a user who is not signed in
_MAX_LINES = 200  # entries of the audit log that a page shows


@sensitive_post_parameters("password")
def sign_in(request: HttpRequest) -> HttpResponse:
    """Show the form to sign in, or sign in. With `--demo` the page also has a button for each role."""
    form = SignInForm(request.POST or None)
    wrong = False
    if request.method == "POST" and form.is_valid():
        account = authenticate(request, username=form.cleaned_data["email"].lower(), password=form.cleaned_data["password"])
        if account is not None:
            _begin_session(request, account)
            return redirect(_find_next_address(request))
        if getattr(request, "axes_locked_out", False):
            return locked_out(request, {})
        wrong = True
    content = {
        "form": form,
        "wrong": wrong or bool(form.errors),
        "demo": _list_demo_accounts() if settings.DEMO else [],
        "next": _find_next_address(request),
    }
    return render(request, "accounts/sign_in.html", content, status=401 if wrong else 200)


def _begin_session(request: HttpRequest, account: Account, backend: str | None = None) -> None:
    """Sign in. A language that was chosen on the pages before signing in is stored in the account."""
    chosen = request.session.get(_CHOSEN_LANGUAGE)
    login(request, account, backend=backend)
    if request.session.pop(_CHOSEN_LANGUAGE, chosen) in LANGUAGES:
        account.language = chosen
        account.save(update_fields=["language"])


def _list_demo_accounts() -> list[dict[str, Any]]:
    """Return each role with its demo accounts, for the buttons of the page to sign in."""
    by_role: dict[Role, list[Account]] = {role: [] for role in Role}
    place = {name: n for n, name in enumerate(contract.institutions())}
    for account in sorted(Account.objects.filter(demo=True, is_active=True), key=lambda one: (place.get(one.institution, 0), one.pk)):
        for role in account.roles:
            by_role[role].append(account)
    return [{"role": role, "accounts": accounts} for role, accounts in by_role.items()]


def demo(request: HttpRequest) -> HttpResponse:
    """Sign in with a demo account. This is only possible while the portal runs with `--demo`."""
    if not settings.DEMO:
        raise Http404
    account = get_object_or_404(Account, email=request.POST.get("email", ""), demo=True, is_active=True)
    _begin_session(request, account, _MODEL)
    return redirect("start")


def _find_next_address(request: HttpRequest) -> str:
    """Return the address to which the user goes after signing in. It is always an address of the portal."""
    address = request.POST.get("next") or request.GET.get("next") or "/"
    return address if url_has_allowed_host_and_scheme(address, allowed_hosts=None) and address.startswith("/") else "/"


def locked_out(request: HttpRequest, credentials: dict[str, Any], *_: Any) -> HttpResponse:
    """Show that there were too many attempts. Called by django-axes."""
    return message(request, "locked_out", 429)


def choose_language(request: HttpRequest) -> HttpResponse:
    """Choose a language, and store it in the account. If nobody is signed in, it is stored in the account that signs in next."""
    chosen = request.POST.get("language", "")
    if chosen not in LANGUAGES:
        raise Http404
    if request.user.is_authenticated:
        Account.objects.filter(pk=request.user.pk).update(language=chosen)
    else:
        request.session[_CHOSEN_LANGUAGE] = chosen
    address = request.POST.get("next", "/")
    response = redirect(address if url_has_allowed_host_and_scheme(address, allowed_hosts=None) else "/")
    set_language_cookie(response, chosen)
    return response


@sensitive_post_parameters()
def invitation(request: HttpRequest, uidb64: str, token: str) -> HttpResponse:
    """Let the owner of an invited account set its password, once. The page is in the language of the account, unless the owner chose
    another one."""
    try:
        account = Account.objects.get(pk=force_str(urlsafe_base64_decode(uidb64)), is_active=True)
    except (Account.DoesNotExist, ValueError, OverflowError):
        account = None
    if account is None or not default_token_generator.check_token(account, token):
        return message(request, "invitation_over", 410)
    with translation.override(DJANGO[request.session.get(_CHOSEN_LANGUAGE, account.language)]):
        form = SetPasswordForm(account, request.POST or None)
        if request.method == "POST" and form.is_valid():
            form.save()
            _begin_session(request, account, _MODEL)
            return redirect("start")
        content = {
            "form": form,
            "invited": account,
            "rules": password_validators_help_texts(),
            "problems": _describe_password_problems(request, form),
        }
        return render(request, "accounts/invitation.html", content)


def _describe_password_problems(request: HttpRequest, form: Any) -> list[str]:
    """Return why the passwords were refused. Django gives some reasons in English only; this function translates its codes with the
    portal's own texts."""
    problem_texts = portal_texts(language_of(request))["password_problems"]
    problems = [problem for field in form.errors.as_data().values() for problem in field]
    return [problem_texts.get(problem.code, problem_texts["required"]).format(**(problem.params or {})) for problem in problems]


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
    """Show the account's own language, notices and sessions, or change them."""
    form = OwnForm(request.POST or None, instance=request.user)
    saved = request.method == "POST" and form.is_valid()
    if saved:
        form.save()
        return redirect("own_account")
    content = {"form": form, "sessions": Session.objects.filter(account=request.user).count()}
    return render(request, "accounts/own.html", content)


def list_accounts(request: HttpRequest) -> HttpResponse:
    """Show all accounts."""
    accounts = Account.objects.order_by("-is_active", "institution", "name")
    return render(request, "accounts/list.html", {"accounts": accounts})


def invite(request: HttpRequest) -> HttpResponse:
    """Invite somebody. The page shows the link only once; the administrator passes it on."""
    form = InviteForm(request.POST or None, initial={"language": "sq"})
    problem = link = None
    if request.method == "POST" and form.is_valid():
        fields = form.cleaned_data
        try:
            link = invitations.invite_account(fields["email"], fields["name"], fields["roles"], fields["institution"], fields["language"])
        except invitations.InvitationError as error:
            problem = error.problem
        else:
            record_action(request, "invite an account", fields["email"].lower())
            link = link if settings.ORIGIN else request.build_absolute_uri(link)
    return render(request, "accounts/invite.html", {"form": form, "roles": list(Role), "link": link, "problem": problem})


def account(request: HttpRequest, number: int) -> HttpResponse:
    """Change the roles of an account, disable or enable it, or make a new invitation link. Disabling an account ends all its sessions."""
    chosen = get_object_or_404(Account, pk=number)
    link = problem = None
    if request.method == "POST":
        action = request.POST.get("action")
        if action in ("disable", "enable"):
            if chosen.pk == request.user.pk:
                problem = "self"
            else:
                chosen.is_active = action == "enable" and (settings.DEMO or not chosen.demo)
                chosen.save(update_fields=["is_active"])
                Session.objects.filter(account=chosen).delete()
                record_action(request, f"{action} an account", chosen.email)
        elif action == "roles":
            problem = _change_roles(request, chosen)
        elif action == "system_user":
            problem = _change_system_user(request, chosen)
        elif action == "link" and chosen.is_active and not chosen.demo:
            link = invitations.make_invitation_link(chosen)
            link = link if settings.ORIGIN else request.build_absolute_uri(link)
            record_action(request, "make a link for an account", chosen.email)
    content = {"found": chosen, "roles": list(Role), "institutions": contract.institutions(), "link": link, "problem": problem}
    return render(request, "accounts/account.html", content)


def _change_system_user(request: HttpRequest, account: Account) -> str | None:
    """Set the account's user name on the command line, which no other account may have. Returns None, or the key of the text that says
    what is wrong."""
    system_user = request.POST.get("system_user", "").strip()[:64]
    if system_user and Account.objects.filter(system_user=system_user).exclude(pk=account.pk).exists():
        return "system_user"
    account.system_user = system_user or None
    account.save(update_fields=["system_user"])
    record_action(request, f"set the system user {system_user}" if system_user else "remove the system user", account.email)
    return None


def _change_roles(request: HttpRequest, account: Account) -> str | None:
    """Set the roles and the institution of an account. Returns None, or the key of the text that says what is wrong."""
    granted = [role for role in request.POST.getlist("roles") if role in set(Role)]
    account.granted, account.institution = sorted(granted), request.POST.get("institution", "")
    try:
        account.clean()
    except ValueError:
        account.refresh_from_db()
        return "institution"
    if account.pk == request.user.pk and Role.ADMINISTRATOR not in account.roles:
        account.refresh_from_db()
        return "self"
    account.save(update_fields=["granted", "institution"])
    record_action(request, f"grant {', '.join(account.granted) or 'no role'}", account.email)
    return None


def audit_log(request: HttpRequest) -> HttpResponse:
    """Show the newest entries of the audit log."""
    number = request.GET.get("account", "")
    account = Account.objects.filter(pk=int(number)).first() if number.isdecimal() else None
    log = list_audit_entries(registry(), None, who=account.email if account else None).iloc[::-1].head(_MAX_LINES)
    action_texts = portal_texts(language_of(request))["audit_actions"]
    lines = [{**line, "what": _describe_action(line["what"], action_texts)} for line in log.to_dict("records")]
    return render(request, "accounts/audit.html", {"lines": lines, "one": account})


def _describe_action(action: str, action_texts: Mapping[str, str]) -> str:
    """Return the text of an action in the audit log. If an action has an object, such as `grant clerk`, only its verb has a text."""
    if action in action_texts:
        return action_texts[action]
    verb = next((key for key in action_texts if key.endswith(" …") and action.startswith(key[:-1])), None)
    return f"{action_texts[verb]} {action.removeprefix(verb[:-1])}" if verb else action
