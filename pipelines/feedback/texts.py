"""The words of the feedback, by language. Belongs here: loading `texts.yaml` and making delivered text fit to be shown.

Does not belong here: the words of a rule (`schemas/rules`).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from schemas.declared import declared
from schemas.findings import LANGUAGES

LONGEST = 400  # characters of one delivered value that are shown; findings.json holds it whole
_INVISIBLE = (*range(0x80, 0xA0), 0x61C, *range(0x200B, 0x2010), *range(0x2028, 0x202F), *range(0x2060, 0x2070), 0xFEFF)
_NO_TEXT = (*range(0xD800, 0xE000), 0xFFFE, 0xFFFF)  # no file of text may hold them
_SHOWN: dict[int, str] = {
    **{code: chr(0x2400 + code) for code in range(0x20)},  # pictures of control characters
    **{code: f"[U+{code:04X}]" for code in (*_INVISIBLE, *_NO_TEXT)},  # also those that turn the direction of writing
    0x7F: "\u2421",
    0xA0: "\u2423",
    ord("\n"): "\u21b5\n",
    ord("\t"): "\u21e5",
}


@cache
def texts(language: str) -> dict[str, Any]:
    """The words in `language`. Raises `ValueError` for a language that is not there, naming those that are."""
    if language not in LANGUAGES:
        raise ValueError(f"feedback in {language!r} is not possible; set `language` in the contract to one of {', '.join(LANGUAGES)}")
    found: dict[str, Any] = declared(Path(__file__).parent / "texts.yaml")[language]
    return found


def visible(text: str) -> str:
    """Delivered text with invisible characters made visible, cut after `LONGEST` characters (how many are left out is said)."""
    cut = text if len(text) <= LONGEST else f"{text[:LONGEST]} … (+{len(text) - LONGEST})"
    return cut.translate(_SHOWN)
