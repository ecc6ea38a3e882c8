"""Storing a delivery's report, for the eyes of the running user only.

Belongs here: names, permissions and atomic writing of the files below `feedback/<institution>/<delivery>/`.
Does not belong here: their content.
"""

from __future__ import annotations

import hashlib
import shutil
import stat
from datetime import date
from pathlib import Path

import pandas as pd

from pipelines.errors import HarmoniaError, storage
from pipelines.feedback import page, report, up_to_date, workbook
from pipelines.feedback.receipt import receipt
from pipelines.swap import write_whole
from warehouse.stores import secret

_PRIVATE_FILE, _PRIVATE_FOLDER = 0o600, 0o700  # the report quotes personal data
NOT_TAKEN = "not-taken"  # in place of a delivery, for what lies where none is
_ANSWERED = "findings.answered-"  # a workbook that was filled in where it lay


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
    """Write the report of one delivery: receipt, findings (page, JSON, workbook) and the letter to the head, pages in every language.

    files     file, state, read, accepted, superseded, withdrawn, quarantined, structural (physical rows); size and sha256 where
              known; may be empty
    findings  `pipelines.feedback.life.LIVED` and `answer`, of this delivery only; `schemas.findings.COLUMNS` suffice
    received  the day of the receipt: deadlines follow from it, so that the same delivery gives the same bytes
    today     where it is past the day on which the report is to be deleted, only the receipt is left of it
    more      `figures`, `foremost`, `trend` as in `report.Report`

    Returns the paths. A report that still is what these make it is left alone; a workbook that somebody filled in here is kept
    beside the new one. Raises `HarmoniaError` where the system refuses to write or a name is no folder name, `ValueError` for a language
    that is not there.
    """
    key = key_for(home, institution, delivery, language, received, today, up_to_date.key_of(files, findings, *more.values()))
    there = left_alone(home, institution, delivery, key)
    return there or write_anew(home, institution, delivery, files, findings, language, received, today, key, **more)


def write_anew(
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
    """Write the report whatever is there, under `key` (`key_for`); the rest as in `write_feedback`."""
    folder = _folder(home / "feedback", institution, delivery)
    said = report.make(institution, delivery, files, findings, language, received, **more)
    over = _over(institution, received, today)
    content: dict[str, str | bytes] = dict(receipt(institution, delivery, files, language, received, said.state, said.counts))
    if not over:
        content |= {"findings.json": report.to_json(said), **page.pages(said), page.WORKBOOK: workbook.write(said, secret(home))}
    for old in {*folder.glob("findings.*"), *folder.glob("letter.*"), *folder.glob("receipt.*")} - {folder / name for name in content}:
        if over or not old.name.startswith(_ANSWERED):
            old.unlink()
    written = {folder / name: _encoded(text) for name, text in content.items()}
    for path, its in written.items():
        _write(path, its)
    _write(folder / up_to_date.NOTE, up_to_date.note(key, written))
    return list(written)


def key_for(home: Path, institution: str, delivery: str, language: str, received: date | None, today: date | None, content: str) -> str:
    """The key of a report: it changes when anything would be said otherwise. content: hash of files, findings and what goes with them."""
    over = _over(institution, received, today)
    return up_to_date.key_of(institution, delivery, language, received, over, secret(home).hex(), content)


def left_alone(home: Path, institution: str, delivery: str, key: str) -> list[Path]:
    """The files of a report that is there as it was written under `key`, closed to others like their folder; none where it is to be
    written."""
    there = up_to_date.is_up_to_date(_folder(home / "feedback", institution, delivery), key)
    for path in there:
        _close(path)
    return there


def _over(institution: str, received: date | None, today: date | None) -> bool:
    """Whether the day is past on which a report is to be deleted."""
    last = report.delete_on(institution, received)
    return bool(today and last and today > last)


def write_receipt(home: Path, institution: str, delivery: str, files: pd.DataFrame, language: str, received: date | None) -> list[Path]:
    """Write the receipt alone, as soon as a delivery was received; returns the paths. Errors as in `write_feedback`."""
    folder = _folder(home / "feedback", institution, delivery)
    return [_write(folder / name, text) for name, text in receipt(institution, delivery, files, language, received).items()]


def discard(home: Path, institution: str, delivery: str) -> None:
    """Remove a report that there is no reason for any more."""
    folder = home / "feedback" / institution / delivery
    with storage(folder):
        if folder.is_dir():
            shutil.rmtree(folder)


def _folder(feedback: Path, institution: str, delivery: str) -> Path:
    for name in (institution, delivery):
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            raise HarmoniaError(f"feedback for {institution!r} {delivery!r}: this is no folder name; rename the folder in the inbox")
    folder = feedback
    for name in ("", institution, delivery):
        folder = folder / name
        with storage(folder):
            folder.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
            if folder.stat().st_mode & 0o077:
                folder.chmod(_PRIVATE_FOLDER)
    with storage(folder):
        for left in folder.glob(".*.tmp"):  # of a run that was killed
            left.unlink()
    return folder


def _encoded(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8", "backslashreplace")


def _close(path: Path) -> None:
    if stat.S_IMODE(path.stat().st_mode) != _PRIVATE_FILE:
        path.chmod(_PRIVATE_FILE)


def _write(path: Path, text: str | bytes) -> Path:
    content = _encoded(text)
    with storage(path):
        if path.is_file():
            there = path.read_bytes()
            if there == content:
                _close(path)
                return path
            if path.name == page.WORKBOOK and not workbook.untouched(there):
                path.rename(path.with_name(f"{_ANSWERED}{hashlib.sha256(there).hexdigest()[:8]}{path.suffix}"))
    write_whole(path, content, _PRIVATE_FILE)
    return path
