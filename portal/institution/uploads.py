"""Receives, checks and submits uploads.

Belongs here: the steps of an upload, each of which may be interrupted at any moment. Does not belong here: what a check finds
(`harmonia.trial`), renaming the folder into the inbox (`pipelines.landing.upload_folders`).

An upload is a folder and a row of the table `Upload`. To submit it, first a name is reserved, with a row of `Submission` that is not
placed. Then the folder is renamed into the inbox, and then the row is marked as placed. `finish_interrupted_submissions` completes what a
killed process left unfinished.
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

from harmonia.errors import convert_storage_errors
from harmonia.registry.ledger import read_deliveries
from pipelines.landing import upload_folders
from pipelines.landing.file_names import classify_file_name, needs_escaping
from portal.accounts.models import Account
from portal.institution.checking import FINDINGS
from portal.institution.models import Submission, Upload
from portal.jobs import find_or_start_job
from portal.services import registry, workplace

_MAX_FILES = 50
_MIN_FREE_BYTES = 64 << 20  # bytes that stay free on the disk
_MAX_TRIES = 20  # attempts to reserve a name, since others may take it meanwhile
_MAX_UPLOAD_AGE = timedelta(days=2)  # after which an upload that nobody submitted is removed


class UploadRefusedError(Exception):
    """Raised if an upload is refused. `problem` is the key of the text that says why, and `about` fills the placeholder in this text."""

    def __init__(self, problem: str, about: str = "") -> None:
        super().__init__(problem)
        self.problem, self.about = problem, about


@dataclass(frozen=True)
class Check:
    """The check of an upload. `state` is running, failed or done. `result` is what the check returned. `findings` is the path of the file
    with its findings."""

    state: str
    result: dict[str, Any]
    findings: Path


def find_folder_of_check(token: str) -> Path:
    """Return the folder with the results of the check of an upload."""
    made: Path = settings.FOLDER / "uploads" / token
    return made


def receive_files(account: Account, institution: str, period: str, files: Sequence[UploadedFile]) -> Upload:
    """Store uploaded files and start their check. Raises `UploadRefusedError`, or `HarmoniaError` if the disk is full."""
    names = [Path((file.name or "").replace("\\", "/")).name for file in files]
    if not files:
        raise UploadRefusedError("nothing")
    if len(files) > _MAX_FILES:
        raise UploadRefusedError("too_many", str(_MAX_FILES))
    for name in names:
        if not name or needs_escaping(name) or name.startswith(".") or classify_file_name(name) == "system":
            raise UploadRefusedError("bad_name")
    if len({name.lower() for name in names}) < len(names):
        raise UploadRefusedError("same_name")
    size = sum(file.size or 0 for file in files)
    if size > settings.UPLOAD_BYTES:
        raise UploadRefusedError("too_large", str(settings.UPLOAD_BYTES >> 20))
    current_workplace = workplace()
    if shutil.disk_usage(current_workplace.inbox).free < size + _MIN_FREE_BYTES:
        raise UploadRefusedError("disk_full")
    token = secrets.token_hex(16)
    incoming_folder = upload_folders.create_upload(current_workplace.inbox, token)
    try:
        for name, file in zip(names, files, strict=True):
            target = incoming_folder / name
            with convert_storage_errors(target), target.open("xb") as out:
                for chunk in file.chunks(1 << 20):
                    out.write(chunk)
        upload = Upload.objects.create(token=token, institution=institution, period=period, account=account)
    except BaseException:
        upload_folders.discard_upload(current_workplace.inbox, token)
        raise
    check_upload(upload)
    return upload


def check_upload(upload: Upload) -> Check:
    """Return the check of an upload. The check is started if it never was, or if the portal ended before the check was done."""
    current_workplace, folder = workplace(), find_folder_of_check(upload.token)
    delivery = upload_folders.find_next_delivery_name(current_workplace.inbox, registry(), upload.institution, upload.period)
    paths = [str(upload_folders.get_upload_folder(current_workplace.inbox, upload.token)), str(current_workplace.home.root)]
    check_job = find_or_start_job(folder, "portal.institution.checking", [*paths, upload.institution, delivery])
    return Check(check_job.state, check_job.result, folder / FINDINGS)


def submit_upload(upload: Upload, account: Account) -> Submission:
    """Move an upload into the inbox as the next delivery of its period, and return the receipt. A second call returns the same receipt.

    Raises `UploadRefusedError` if the files are gone, `HarmoniaError` if the inbox cannot be written.
    """
    for _ in range(_MAX_TRIES):
        submission = Submission.objects.filter(token=upload.token).first() or _reserve_delivery_name(upload, account)
        if _move_to_inbox(submission):
            return submission
        Submission.objects.filter(pk=submission.pk, placed=False).delete()  # another delivery with this name came into the inbox
    raise UploadRefusedError("gone")


def _reserve_delivery_name(upload: Upload, account: Account) -> Submission:
    """Store a submission with the next free name of a delivery."""
    try:
        total_hash, files = upload_folders.hash_upload(upload_folders.get_upload_folder(workplace().inbox, upload.token))
    except FileNotFoundError:
        raise UploadRefusedError("gone") from None
    fields = {"institution": upload.institution, "period": upload.period, "account": account, "hash": total_hash, "files": files}
    for _ in range(_MAX_TRIES):  # another submission may take the name meanwhile
        name = upload_folders.find_next_delivery_name(workplace().inbox, registry(), upload.institution, upload.period)
        reserved = Submission.objects.filter(institution=upload.institution, period=upload.period, placed=False).count()
        version = int(name.partition("_v")[2] or 1) + reserved
        delivery = upload.period if version == 1 else f"{upload.period}_v{version}"
        try:
            with transaction.atomic():
                return Submission.objects.create(token=upload.token, delivery=delivery, **fields)
        except IntegrityError:
            existing = Submission.objects.filter(token=upload.token).first()
            if existing is not None:
                return existing
    raise UploadRefusedError("gone")


def _move_to_inbox(submission: Submission) -> bool:
    """Move a submission into the inbox. Returns false if its files no longer exist, or if another delivery has its name."""
    if submission.placed:
        return True
    if not upload_folders.place_upload(workplace().inbox, submission.token, submission.institution, submission.delivery):
        return False
    with transaction.atomic():  # so that even after a kill no upload exists beside its receipt
        Submission.objects.filter(pk=submission.pk).update(placed=True)
        Upload.objects.filter(token=submission.token).delete()
    submission.placed = True
    shutil.rmtree(find_folder_of_check(submission.token), ignore_errors=True)
    return True


def finish_interrupted_submissions() -> None:
    """Complete submissions that were interrupted. Remove old uploads that nobody submitted, and files that belong to no upload."""
    for submission in Submission.objects.filter(placed=False):
        if not _move_to_inbox(submission):
            Submission.objects.filter(pk=submission.pk, placed=False).delete()
    for old in Upload.objects.filter(at__lt=timezone.now() - _MAX_UPLOAD_AGE):
        remove_upload(old)
    tokens = set(Upload.objects.values_list("token", flat=True))
    hour_ago = timezone.now().timestamp() - 3600
    for parent in (workplace().inbox / upload_folders.UPLOAD_FOLDER, settings.FOLDER / "uploads", Path(settings.FILE_UPLOAD_TEMP_DIR)):
        for path in parent.glob("*") if parent.is_dir() else ():
            if path.name not in tokens and _time_of_last_change(path) < hour_ago:
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def _time_of_last_change(path: Path) -> float:
    """Return when a file was last changed. If it no longer exists, return infinity: another upload may end, and its files disappear, while
    files are listed."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return math.inf


def remove_upload(upload: Upload) -> None:
    """Remove an upload and its check."""
    token = upload.token
    upload_folders.discard_upload(workplace().inbox, token)
    shutil.rmtree(find_folder_of_check(token), ignore_errors=True)
    upload.delete()


def find_identical_delivery(upload: Upload) -> str | None:
    """Return the name of the institution's delivery that has the same files. The result is None if there is none, or if the upload no
    longer exists."""
    try:
        total_hash = upload_folders.hash_upload(upload_folders.get_upload_folder(workplace().inbox, upload.token))[0]
    except FileNotFoundError:
        return None
    with registry().read() as session:
        identical = [
            one.name for one in read_deliveries(session) if one.institution == upload.institution and one.receipts[-1].hash == total_hash
        ]
    return identical[-1] if identical else None
