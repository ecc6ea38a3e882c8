"""Storing a delivery's report, for the eyes of the running user only.

Belongs here: names, permissions and atomic writing of the files below `feedback/<institution>/<delivery>/`.
Does not belong here: their content.
"""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import pandas as pd

from pipelines.errors import HarmoniaError, storage
from pipelines.feedback import page, report
from pipelines.points import Point, reached

_PRIVATE_FILE, _PRIVATE_FOLDER = 0o600, 0o700  # the report quotes personal data


def write_feedback(
    home: Path,
    institution: str,
    delivery: str,
    files: pd.DataFrame,
    findings: pd.DataFrame,
    language: str,
    received: date | None = None,
) -> list[Path]:
    """Write receipt.json, findings.json, findings.html (in `language`) and findings.<other>.html of one delivery; returns their paths.

    files     file, state, read, accepted, superseded, withdrawn, quarantined, structural (physical rows); size and sha256 where
              known; may be empty
    findings  `schemas.findings.COLUMNS` and `state` (`pipelines.feedback.life`), of this delivery only
    received  the day of the receipt: the only day in the report, so that the same delivery gives the same bytes

    A file that is already there with the same content is left alone. Raises `HarmoniaError` where the system refuses to write or a
    name is no folder name, `ValueError` for a language that is not there.
    """
    said = report.make(institution, delivery, files, findings, language, received)
    texts = {"receipt.json": report.receipt(said), "findings.json": report.to_json(said), **page.pages(said)}
    folder = _folder(home / "feedback", institution, delivery)
    for stale in set(folder.glob("findings.*.html")) - {folder / name for name in texts}:
        stale.unlink()
    return [_write(folder / name, text) for name, text in texts.items()]


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
    return folder


def _write(path: Path, text: str) -> Path:
    content = text.encode("utf-8", "backslashreplace")
    with storage(path):
        if path.is_file() and path.read_bytes() == content:
            path.chmod(_PRIVATE_FILE)
            return path
        unfinished = path.with_name(f".{path.name}.tmp")
        unfinished.unlink(missing_ok=True)
        try:
            with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE_FILE), "wb") as file:
                file.write(content)
            reached(Point.FEEDBACK_WRITTEN)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
    return path
