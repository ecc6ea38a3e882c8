"""A page as PDF, printed by an installed Chromium. Belongs here: finding and calling it. Does not belong here: the page."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from harmonia.atomic_files import write_small_file
from harmonia.errors import HarmoniaError

VARIABLE = "HARMONIA_BROWSER"
_PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "chrome")
_TIMEOUT = 120


def find_browser() -> str | None:
    """Return the program that `HARMONIA_BROWSER` names, else a Chromium on the path; None if there is no browser."""
    return os.environ.get(VARIABLE) or next((found for name in _PROGRAMS if (found := shutil.which(name))), None)


def print_pdf(page: Path, target: Path, mode: int = 0o644) -> None:
    """Print `page` to `target` atomically with `mode`. Raises `HarmoniaError` where there is no browser or it fails."""
    program = find_browser()
    if program is None:
        raise HarmoniaError(f"{target}: Chromium was not found; install it, or set {VARIABLE} to its path; the page is {page}")
    with tempfile.TemporaryDirectory() as profile:  # private: the page may be confidential
        printed_file = Path(profile) / "printed.pdf"
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        options = [
            "--headless",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ]
        output = [f"--user-data-dir={profile}", "--no-pdf-header-footer", f"--print-to-pdf={printed_file}", page.absolute().as_uri()]
        try:
            process = subprocess.run([program, *options, *sandbox, *output], capture_output=True, timeout=_TIMEOUT, check=False)  # noqa: S603 the operator's browser
        except (OSError, subprocess.TimeoutExpired) as error:
            raise HarmoniaError(f"{target}: {program} could not print it ({type(error).__name__}); the page is {page}") from None
        if process.returncode or not printed_file.is_file():
            raise HarmoniaError(f"{target}: {program} could not print it (exit {process.returncode}); the page is {page}")
        write_small_file(target, printed_file.read_bytes(), mode)
