"""The texts of the feedback in each language (`texts.yaml`), and a function that makes delivered text safe to display.

Does not belong here: the texts of a rule (`schemas/rules`).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from schemas.findings import LANGUAGES
from schemas.texts import texts as domain_texts
from schemas.yaml_declarations import read_yaml

MAX_SHOWN = 400  # characters shown of one delivered value; findings.json has the whole value
_INVISIBLE = (*range(0x80, 0xA0), 0x61C, *range(0x200B, 0x2010), *range(0x2028, 0x202F), *range(0x2060, 0x2070), 0xFEFF)
_NO_TEXT = (*range(0xD800, 0xE000), 0xFFFE, 0xFFFF)  # not allowed in text files
_SHOWN: dict[int, str] = {
    **{code: chr(0x2400 + code) for code in range(0x20)},  # pictures of control characters
    **{code: f"[U+{code:04X}]" for code in (*_INVISIBLE, *_NO_TEXT)},  # includes bidirectional controls
    0x7F: "\u2421",
    0xA0: "\u2423",
    ord("\n"): "\u21b5\n",
    ord("\t"): "\u21e5",
}


@cache
def load_feedback_texts(language: str) -> dict[str, Any]:
    """Load the texts of the feedback in `language`. If the language is unknown, raises `ValueError`, which names the known languages."""
    if language not in LANGUAGES:
        raise ValueError(f"feedback is not available in {language!r}: set `language` in the contract to one of {', '.join(LANGUAGES)}")
    found: dict[str, Any] = read_yaml(Path(__file__).parent / "texts.yaml")[language]
    of_domain = {key: text[LANGUAGES.index(language)] for key, text in domain_texts("feedback").items()}
    return {**found, "letter": {**found["letter"], **of_domain}}


def make_visible(text: str) -> str:
    """Replace the invisible characters of a delivered text by visible ones, and cut the text after `MAX_SHOWN` characters.

    If it is cut, the number of characters that are left out is appended.
    """
    cut = text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]} … (+{len(text) - MAX_SHOWN})"
    return cut.translate(_SHOWN)
