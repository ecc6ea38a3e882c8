"""Uploads: received, checked, submitted.

Belongs here: the way of an upload, safe against a kill at any moment. Does not belong here: what a check finds (`harmonia.trial`), the
rename into the inbox (`pipelines.landing.incoming`).

An upload is an `Upload` row and a folder. A submission first promises a name (`Submission`, not placed), then renames, then is placed;
`settle` completes what a kill left between.
"""

from __future__ import annotations

import math
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError, transaction
from django.utils import timezone

from harmonia.errors import storage
from harmonia.registry.ledger import deliveries
from pipelines.landing import incoming
from pipelines.landing.names import is_odd, kind_of
from portal.accounts.models import Account
from portal.institution.checking import FINDINGS
from portal.institution.models import Submission, Upload
from portal.jobs import job
from portal.services import registry, workplace

_MOST_FILES = 50
_ROOM = 64 << 20  # bytes that stay free on the disk
_TRIES = 20  # names that others may take meanwhile
_KEPT = timedelta(days=2)  # an upload that nobody submitted


class UploadRefusedError(Exception):
    """An upload that is not taken; `problem` is a key of the texts, `about` its placeholder."""

    def __init__(self, problem: str, about: str = "") -> None:
        super().__init__(problem)
        self.problem, self.about = problem, about


@dataclass(frozen=True)
class Check:
    """The check of an upload. state: running, failed or done; result: what it wrote; findings: the path of its findings."""

    state: str
    result: dict[str, Any]
    findings: Path


def folder(token: str) -> Path:
    """What the check of an upload wrote."""
    made: Path = settings.FOLDER / "uploads" / token
    return made


def receive(account: Account, institution: str, period: str, files: Sequence[UploadedFile]) -> Upload:
    """Store uploaded files and begin their check. Raises `UploadRefusedError`; `HarmoniaError` where the disk is full."""
    names = [Path((one.name or "").replace("\\", "/")).name for one in files]
    if not files:
        raise UploadRefusedError("nothing")
    if len(files) > _MOST_FILES:
        raise UploadRefusedError("too_many", str(_MOST_FILES))
    for name in names:
        if not name or is_odd(name) or name.startswith(".") or kind_of(name) == "system":
            raise UploadRefusedError("bad_name")
    if len({name.lower() for name in names}) < len(names):
        raise UploadRefusedError("same_name")
    size = sum(one.size or 0 for one in files)
    if size > settings.UPLOAD_BYTES:
        raise UploadRefusedError("too_large", str(settings.UPLOAD_BYTES >> 20))
    place = workplace()
    if shutil.disk_usage(place.inbox).free < size + _ROOM:
        raise UploadRefusedError("disk_full")
    token = secrets.token_hex(16)
    where = incoming.create(place.inbox, token)
    try:
        for name, one in zip(names, files, strict=True):
            target = where / name
            with storage(target), target.open("xb") as out:
                for chunk in one.chunks(1 << 20):
                    out.write(chunk)
        upload = Upload.objects.create(token=token, institution=institution, period=period, account=account)
    except BaseException:
        incoming.discard(place.inbox, token)
        raise
    check(upload)
    return upload


def check(upload: Upload) -> Check:
    """The check of an upload; it is begun where it did not begin, or ended with the portal."""
    place, results = workplace(), folder(upload.token)
    delivery = incoming.next_name(place.inbox, registry(), upload.institution, upload.period)
    paths = [str(incoming.folder(place.inbox, upload.token)), str(place.home.root)]
    found = job(results, "portal.institution.checking", [*paths, upload.institution, delivery])
    return Check(found.state, found.result, results / FINDINGS)


def submit(upload: Upload, account: Account) -> Submission:
    """Put an upload into the inbox as the next delivery of its quarter; the receipt. A second call returns the same receipt.

    Raises `UploadRefusedError` where its files are gone; `HarmoniaError` where the inbox cannot be written.
    """
    for _ in range(_TRIES):
        known = Submission.objects.filter(token=upload.token).first() or _promise(upload, account)
        if _place(known):
            return known
        Submission.objects.filter(pk=known.pk, placed=False).delete()  # a delivery came into the inbox otherwise and has the name
    raise UploadRefusedError("gone")


def _promise(upload: Upload, account: Account) -> Submission:
    try:
        whole, files = incoming.receipt_hash(incoming.folder(workplace().inbox, upload.token))
    except FileNotFoundError:
        raise UploadRefusedError("gone") from None
    given = {"institution": upload.institution, "period": upload.period, "account": account, "hash": whole, "files": files}
    for _ in range(_TRIES):  # another submission may take the name meanwhile
        name = incoming.next_name(workplace().inbox, registry(), upload.institution, upload.period)
        taken = Submission.objects.filter(institution=upload.institution, period=upload.period, placed=False).count()
        version = int(name.partition("_v")[2] or 1) + taken
        delivery = upload.period if version == 1 else f"{upload.period}_v{version}"
        try:
            with transaction.atomic():
                return Submission.objects.create(token=upload.token, delivery=delivery, **given)
        except IntegrityError:
            there = Submission.objects.filter(token=upload.token).first()
            if there is not None:
                return there
    raise UploadRefusedError("gone")


def _place(submission: Submission) -> bool:
    """Whether the submission is in the inbox now. False: its files are gone, or another delivery has its name."""
    if submission.placed:
        return True
    if not incoming.place(workplace().inbox, submission.token, submission.institution, submission.delivery):
        return False
    with transaction.atomic():  # a kill leaves no upload beside its receipt
        Submission.objects.filter(pk=submission.pk).update(placed=True)
        Upload.objects.filter(token=submission.token).delete()
    submission.placed = True
    shutil.rmtree(folder(submission.token), ignore_errors=True)
    return True


def settle() -> None:
    """Complete submissions that a kill interrupted; remove uploads that nobody submitted, and files that no upload names."""
    for one in Submission.objects.filter(placed=False):
        if not _place(one):
            Submission.objects.filter(pk=one.pk, placed=False).delete()
    for old in Upload.objects.filter(at__lt=timezone.now() - _KEPT):
        discard(old)
    known = set(Upload.objects.values_list("token", flat=True))
    hour_ago = timezone.now().timestamp() - 3600
    for parent in (workplace().inbox / incoming.INCOMING, settings.FOLDER / "uploads", Path(settings.FILE_UPLOAD_TEMP_DIR)):
        for path in parent.glob("*") if parent.is_dir() else ():
            if path.name not in known and _changed(path) < hour_ago:
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def _changed(path: Path) -> float:
    """When a file was last changed; never where it is gone: those of uploads that end go while others are listed."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return math.inf


def discard(upload: Upload) -> None:
    """Remove an upload and its check."""
    token = upload.token
    incoming.discard(workplace().inbox, token)
    shutil.rmtree(folder(token), ignore_errors=True)
    upload.delete()


def same_as(upload: Upload) -> str | None:
    """The delivery of the institution that has the same files already; None if there is none, or the upload is gone meanwhile."""
    try:
        whole = incoming.receipt_hash(incoming.folder(workplace().inbox, upload.token))[0]
    except FileNotFoundError:
        return None
    with registry().read() as session:
        found = [one.name for one in deliveries(session) if one.institution == upload.institution and one.receipts[-1].hash == whole]
    return found[-1] if found else None
