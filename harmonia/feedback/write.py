"""Store the report on a delivery in `feedback/<institution>/<delivery>/`, where only the user who runs Harmonia can read it.

Belongs here: names, permissions and atomic writing of the files of a report. Does not belong here: their content.
"""

from __future__ import annotations

import hashlib
import shutil
import stat
from datetime import date
from pathlib import Path

import pandas as pd

from harmonia.atomic_files import write_small_file
from harmonia.errors import HarmoniaError, convert_storage_errors
from harmonia.feedback import page, report, up_to_date, workbook
from harmonia.feedback.receipt import render_receipt
from warehouse.stores import read_pseudonym_key

_PRIVATE_FILE, _PRIVATE_FOLDER = 0o600, 0o700  # the report quotes personal data
NOT_LANDED = "not-taken"  # folder, in place of a delivery, for what could not be landed
_ANSWERED = "findings.answered-"  # begins the name of a workbook that somebody filled in within this folder


def write_feedback(
    home: Path,
    institution: str,
    delivery: str,
    files: pd.DataFrame,
    findings: pd.DataFrame,
    language: str,
    received: date | None = None,
    today: date | None = None,
    **more: pd.DataFrame,
) -> list[Path]:
    """Write the report on one delivery unless it is up to date; return its files.

    The files are the receipt, the findings (page, JSON, workbook) and the letter to the head of the institution, with pages in every
    language.

    files     file, state, `report.COUNTS` (numbers of rows); size and sha256 if known. The frame may be empty
    findings  `harmonia.feedback.finding_states.COLUMNS_WITH_STATE` and answer, of this delivery only; `schemas.findings.COLUMNS` suffice
    received  day of receipt; deadlines are derived from it, not from today, so that the same delivery gives the same files
    today     if it is past the deletion date of the report, only the receipt is written
    more      `figures`, `foremost`, `trend` as in `report.Report`

    A workbook that somebody filled in within the folder is kept beside the new one. Raises `HarmoniaError` if writing fails or a name
    cannot be that of a folder, `ValueError` for an unknown language.
    """
    key = compute_report_key(
        home, institution, delivery, language, received, today, up_to_date.compute_input_key(files, findings, *more.values())
    )
    stored = find_up_to_date_report_files(home, institution, delivery, key)
    return stored or rewrite_feedback(home, institution, delivery, files, findings, language, received, today, key, **more)


def rewrite_feedback(
    home: Path,
    institution: str,
    delivery: str,
    files: pd.DataFrame,
    findings: pd.DataFrame,
    language: str,
    received: date | None,
    today: date | None,
    key: str,
    **more: pd.DataFrame,
) -> list[Path]:
    """Write the report on one delivery even if it is up to date, and store `key` beside it.

    key: from `compute_report_key`. The other parameters are those of `write_feedback`.
    """
    folder = _create_report_folder(home / "feedback", institution, delivery)
    document = report.make_report(institution, delivery, files, findings, language, received, **more)
    over = _is_deletion_due(institution, received, today)
    content: dict[str, str | bytes] = dict(
        render_receipt(institution, delivery, files, language, received, document.state, document.finding_counts)
    )
    if not over:
        content |= {
            "findings.json": report.convert_to_json(document),
            **page.render_pages(document),
            page.WORKBOOK: workbook.write_workbook(document, read_pseudonym_key(home)),
        }
    for old in {*folder.glob("findings.*"), *folder.glob("letter.*"), *folder.glob("receipt.*")} - {folder / name for name in content}:
        if over or not old.name.startswith(_ANSWERED):
            old.unlink()
    written = {folder / name: _encode_report_text(text) for name, text in content.items()}
    for path, data in written.items():
        _write_private_file(path, data)
    _write_private_file(folder / up_to_date.NOTE, up_to_date.make_report_note(key, written))
    return list(written)


def compute_report_key(
    home: Path, institution: str, delivery: str, language: str, received: date | None, today: date | None, content: str
) -> str:
    """Compute the key of a report: a hash that changes whenever the report would change. content: a hash of all frames of the report."""
    over = _is_deletion_due(institution, received, today)
    return up_to_date.compute_input_key(institution, delivery, language, received, over, read_pseudonym_key(home).hex(), content)


def find_up_to_date_report_files(home: Path, institution: str, delivery: str, key: str) -> list[Path]:
    """Return the files of a report if it is up to date, that is, if it has this key and no file was changed; otherwise an empty list.

    The permissions of the files are restored.
    """
    stored = up_to_date.find_up_to_date_files(_create_report_folder(home / "feedback", institution, delivery), key)
    for path in stored:
        _restrict_permissions(path)
    return stored


def _is_deletion_due(institution: str, received: date | None, today: date | None) -> bool:
    """Return whether the day by which the report must be deleted is past."""
    last = report.compute_deletion_date(institution, received)
    return bool(today and last and today > last)


def write_receipt(home: Path, institution: str, delivery: str, files: pd.DataFrame, language: str, received: date | None) -> list[Path]:
    """Write the receipt of a delivery when it was received, before it is read; return the files of the receipt.

    Raises the same errors as `write_feedback`.
    """
    folder = _create_report_folder(home / "feedback", institution, delivery)
    return [
        _write_private_file(folder / name, text) for name, text in render_receipt(institution, delivery, files, language, received).items()
    ]


def discard_report(home: Path, institution: str, delivery: str) -> None:
    """Remove the folder of a report that is no longer needed."""
    folder = home / "feedback" / institution / delivery
    with convert_storage_errors(folder):
        if folder.is_dir():
            shutil.rmtree(folder)


def _create_report_folder(feedback: Path, institution: str, delivery: str) -> Path:
    for name in (institution, delivery):
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            raise HarmoniaError(f"feedback for {institution!r} {delivery!r}: not a valid folder name; rename the folder in the inbox")
    folder = feedback
    for name in ("", institution, delivery):
        folder = folder / name
        with convert_storage_errors(folder):
            folder.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
            if folder.stat().st_mode & 0o077:
                folder.chmod(_PRIVATE_FOLDER)
    with convert_storage_errors(folder):
        for left in folder.glob(".*.tmp"):  # left by a killed run
            left.unlink()
    return folder


def _encode_report_text(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8", "backslashreplace")


def _restrict_permissions(path: Path) -> None:
    if stat.S_IMODE(path.stat().st_mode) != _PRIVATE_FILE:
        path.chmod(_PRIVATE_FILE)


def _write_private_file(path: Path, text: str | bytes) -> Path:
    content = _encode_report_text(text)
    with convert_storage_errors(path):
        if path.is_file():
            stored = path.read_bytes()
            if stored == content:
                _restrict_permissions(path)
                return path
            if path.name == page.WORKBOOK and not workbook.is_workbook_unchanged(stored):
                path.rename(path.with_name(f"{_ANSWERED}{hashlib.sha256(stored).hexdigest()[:8]}{path.suffix}"))
    write_small_file(path, content, _PRIVATE_FILE)
    return path
