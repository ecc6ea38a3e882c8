"""The Django application of institutions' work."""

from __future__ import annotations

from django.apps import AppConfig


class Institution(AppConfig):
    """Uploads and submissions."""

    name = "portal.institution"
    label = "institution"
