"""Every page and action of the portal, with its path, roles and scope. The URLs and the tests of access are made from this table."""

from __future__ import annotations

from typing import Any

from django.urls import register_converter
from django.urls.converters import StringConverter

from portal import home
from portal.accounts import views as accounts
from portal.coordinator import views as coordinator
from portal.engineer import views as engineer
from portal.institution import views as institution
from portal.permissions import Role, Route, Scope, make_guarded_url
from portal.steward import views as steward
from sources import contract

EVERYBODY = frozenset(Role)
ADMINISTRATOR = frozenset({Role.ADMINISTRATOR})
STEWARD = frozenset({Role.STEWARD})
SUPPLIER = frozenset({Role.CLERK, Role.HEAD})
COORDINATOR, ENGINEER = frozenset({Role.COORDINATOR}), frozenset({Role.ENGINEER})
CLERK, HEAD = frozenset({Role.CLERK}), frozenset({Role.HEAD})
PAGE, ACTION, FORM = ("GET",), ("POST",), ("GET", "POST")


class InstitutionConverter(StringConverter):
    """The short name of an institution that has a contract. Any other name gives "not found"."""

    regex = "[a-z][a-z0-9_]*"

    def to_python(self, value: str) -> str:
        """Return the institution. Raises `ValueError` for an unknown one."""
        if value not in contract.institutions():
            raise ValueError(value)
        return value

    def to_url(self, value: Any) -> str:
        """Return the name unchanged."""
        return str(value)


register_converter(InstitutionConverter, "institution")

ROUTES: tuple[Route, ...] = (
    Route("start", "", home.start, EVERYBODY, Scope.COUNTRY),
    Route("sign_in", "sign-in", accounts.sign_in, frozenset(), Scope.PUBLIC, FORM),
    Route("demo", "demo", accounts.demo, frozenset(), Scope.PUBLIC, ACTION),
    Route("language", "language", accounts.choose_language, frozenset(), Scope.PUBLIC, ACTION),
    Route("invitation", "invitations/<uidb64>/<token>", accounts.invitation, frozenset(), Scope.PUBLIC, FORM),
    Route("sign_out", "sign-out", accounts.sign_out, EVERYBODY, Scope.COUNTRY, ACTION),
    Route("sign_out_everywhere", "sign-out-everywhere", accounts.sign_out_everywhere, EVERYBODY, Scope.COUNTRY, ACTION),
    Route("own_account", "account", accounts.own_account, EVERYBODY, Scope.COUNTRY, FORM),
    Route("accounts", "accounts", accounts.list_accounts, ADMINISTRATOR, Scope.COUNTRY, PAGE),
    Route("invite", "accounts/invite", accounts.invite, ADMINISTRATOR, Scope.COUNTRY, FORM),
    Route("account", "accounts/<int:number>", accounts.account, ADMINISTRATOR, Scope.COUNTRY, FORM),
    Route("audit", "audit", accounts.audit_log, ADMINISTRATOR, Scope.COUNTRY, PAGE),
    Route("steward", "steward", steward.queue, STEWARD, Scope.COUNTRY, PAGE),
    Route("steward_pair", "steward/pairs/<path:pair>", steward.pair, STEWARD, Scope.COUNTRY, PAGE),
    Route("steward_consequence", "steward/consequences/<path:pair>", steward.consequence, STEWARD, Scope.COUNTRY, PAGE),
    Route("steward_decide", "steward/decisions/<path:pair>", steward.decide, STEWARD, Scope.COUNTRY, ACTION),
    Route("steward_names", "steward/names/<path:pair>", steward.reveal_names, STEWARD, Scope.COUNTRY, ACTION),
    Route("steward_undo", "steward/undo", steward.undo, STEWARD, Scope.COUNTRY, ACTION),
    Route("steward_search", "steward/search", steward.search, STEWARD, Scope.COUNTRY, FORM),
    Route("samples", "steward/samples", steward.samples, STEWARD, Scope.COUNTRY, FORM),
    Route("sample", "steward/samples/<int:number>", steward.sample, STEWARD, Scope.COUNTRY, PAGE),
    Route("sample_pair", "steward/samples/<int:number>/<str:pair>", steward.sample_pair, STEWARD, Scope.COUNTRY, PAGE),
    *(
        Route(name, path, view, COORDINATOR, Scope.COUNTRY, methods)
        for name, path, view, methods in (
            ("coordinator", "coordinator", coordinator.overview, PAGE),
            ("remind", "coordinator/remind", coordinator.remind_institution, ACTION),
            ("countersigning", "coordinator/answers", coordinator.countersigning, PAGE),
            ("decide", "coordinator/answers/decide", coordinator.decide_on_answers, ACTION),
            ("releases", "coordinator/releases", coordinator.releases, PAGE),
            ("sign_policy", "coordinator/releases/policy", coordinator.sign_policy, ACTION),
            ("preview", "coordinator/releases/preview", coordinator.preview_release, ACTION),
            ("release", "coordinator/releases/<str:day>", coordinator.release, PAGE),
            ("create_release", "coordinator/releases/<str:day>/create", coordinator.create_release, ACTION),
            ("download_release", "coordinator/releases/<str:day>/download", coordinator.download_release, PAGE),
            ("creation", "coordinator/releases/<str:day>/creation/<str:state>", coordinator.show_creation_of_release, PAGE),
            ("register", "coordinator/reports", coordinator.register, PAGE),
            ("mark_sent", "coordinator/reports/sent", coordinator.mark_sent, ACTION),
        )
    ),
    Route("engineer", "engineer", engineer.overview, ENGINEER, Scope.COUNTRY, PAGE),
    Route("dagster", "engineer/dagster", engineer.dagster, ENGINEER, Scope.COUNTRY, PAGE),
    *(
        Route(name, f"<institution:institution>/{path}".rstrip("/"), view, roles, Scope.INSTITUTION, methods)
        for name, path, view, roles, methods in (
            ("institution", "", institution.institution, SUPPLIER, PAGE),
            ("new", "new", institution.new_upload, CLERK, FORM),
            ("upload", "uploads/<str:token>", institution.upload, CLERK, PAGE),
            ("submit", "uploads/<str:token>/submit", institution.submit, CLERK, ACTION),
            ("discard", "uploads/<str:token>/discard", institution.discard, CLERK, ACTION),
            ("receipt", "receipts/<int:number>", institution.receipt, SUPPLIER, PAGE),
            ("delivery", "deliveries/<str:delivery>", institution.delivery, SUPPLIER, PAGE),
            ("findings", "deliveries/<str:delivery>/findings", institution.finding_list, SUPPLIER, FORM),
            ("answer", "deliveries/<str:delivery>/answer", institution.answer, CLERK, ACTION),
            ("workbook", "deliveries/<str:delivery>/workbook", institution.download_workbook, SUPPLIER, ACTION),
            ("answered_workbook", "deliveries/<str:delivery>/answered", institution.import_answered_workbook, CLERK, ACTION),
            ("sign", "quarters/<str:period>/sign", institution.sign, HEAD, ACTION),
        )
    ),
)

urlpatterns = [make_guarded_url(route) for route in ROUTES]
handler400 = "portal.home.stale"
handler403 = "portal.home.refused"
handler404 = "portal.home.not_found"
handler500 = "portal.home.failed"
