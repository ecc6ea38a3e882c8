"""The forms for accounts. Django checks the input; the labels are in the portal's texts (`words.yaml`)."""

from __future__ import annotations

from typing import Any

from django import forms

from portal.accounts.models import Account
from portal.permissions import Role
from schemas.findings import LANGUAGES
from sources import contract


class SignInForm(forms.Form):
    """The form to sign in, with e-mail address and password."""

    email = forms.EmailField(widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True}))
    password = forms.CharField(strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}))


class InviteForm(forms.Form):
    """The form to invite somebody, which creates an account."""

    email = forms.EmailField()
    name = forms.CharField(max_length=120)
    roles = forms.MultipleChoiceField(choices=[(role.value, role.value) for role in Role])
    institution = forms.ChoiceField(required=False)
    language = forms.ChoiceField(choices=[(one, one) for one in LANGUAGES])

    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self.fields["institution"].choices = [("", "–"), *((name, name) for name in contract.institutions())]


class OwnForm(forms.ModelForm):
    """The fields of an account that its owner may change."""

    class Meta:
        """The table and fields of the form."""

        model = Account
        fields = ("language", "notices")
