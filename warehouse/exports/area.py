"""The territory in exports: its code, and the footnote on status. A setting, not a decision of Harmonia."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

from pipelines.errors import HarmoniaError
from schemas.declared import declared

CODE_VARIABLE, NOTE_VARIABLE = "HARMONIA_AREA_CODE", "HARMONIA_STATUS_NOTE"


@cache
def config() -> dict[str, Any]:
    """`sdmx.yaml`: the names of dimensions, attributes and codes, territories and the footnote."""
    found: dict[str, Any] = declared(Path(__file__).with_name("sdmx.yaml"))
    return found


def code() -> str:
    """`XK` unless `HARMONIA_AREA_CODE` is `XKX`. Raises `HarmoniaError` for another code."""
    wanted = os.environ.get(CODE_VARIABLE, "XK")
    if wanted not in config()["areas"]:
        raise HarmoniaError(f"{CODE_VARIABLE}={wanted}: the territory's code is one of {', '.join(config()['areas'])}")
    return wanted


def note(lang: str) -> str:
    """The footnote on status; empty if `HARMONIA_STATUS_NOTE` is `no`."""
    return "" if os.environ.get(NOTE_VARIABLE, "yes") == "no" else str(config()["status_note"][lang])


def name(lang: str) -> str:
    """The territory's name, with the footnote mark if there is a footnote."""
    found = str(config()["areas"][code()][lang])
    return found if note(lang) else found.rstrip("*")
