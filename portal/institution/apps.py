"""The Django application for the pages of institutions."""

from __future__ import annotations

from django.apps import AppConfig


class Institution(AppConfig):
    """The application that has the tables of uploads and submissions."""

    name = "portal.institution"
    label = "institution"
