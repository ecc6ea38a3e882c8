"""The portal's own tables for the work of an institution: uploads, and submissions with their receipts.

Does not belong here: answers, signatures and the ledger of deliveries, which are in the registry.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models


class Upload(models.Model):
    """Files that an account uploaded and has not submitted yet. They are in `INBOX/.incoming/<token>/`."""

    token = models.CharField(max_length=32, primary_key=True)
    institution = models.CharField(max_length=60)
    period = models.CharField(max_length=10)
    account = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    at = models.DateTimeField(auto_now_add=True)


class Submission(models.Model):
    """A submitted delivery and its receipt. At first the row only reserves the name of the delivery, and `placed` is false. It becomes true
    when the folder is renamed into the inbox."""

    number = models.BigAutoField(primary_key=True)
    token = models.CharField(max_length=32, unique=True)
    institution = models.CharField(max_length=60)
    period = models.CharField(max_length=10)
    delivery = models.CharField(max_length=20)
    account = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    at = models.DateTimeField(auto_now_add=True)
    hash = models.CharField(max_length=64)  # of all files together, as in the ledger
    files = models.JSONField()
    placed = models.BooleanField(default=False)

    class Meta:
        """A delivery has one submission."""

        constraints = [models.UniqueConstraint(fields=["institution", "delivery"], name="one_submission_a_delivery")]  # noqa: RUF012
