"""The texts of the portal by language.

Belongs here: loading the `words.yaml` of the portal and of its parts, dates and periods in words. Does not belong here: the texts of a rule
(`schemas/rules`) or of the feedback (`harmonia/feedback/texts.yaml`), which pages reuse.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from django.utils import timezone, translation
from django.utils.dates import MONTHS

from schemas.findings import LANGUAGES
from schemas.yaml_declarations import read_yaml
from sources.periods import cadence_of

DJANGO = {"sq": "sq", "sr": "sr-latn", "en": "en"}
"""The code that Django uses for each language. Django's own messages, such as that a password is too short, are in these languages too."""
_PERIOD_WORDS = {"quarterly": ("tremujori", "tromesečje", "quarter"), "half_yearly": ("gjashtëmujori", "polugodište", "half")}


@cache
def portal_texts(language: str) -> Mapping[str, Any]:
    """Return the texts of the portal in one language. The texts in `<part>/words.yaml` are under the name of that part."""
    folder = Path(__file__).parent
    parts = {path.parent.name: read_yaml(path) for path in sorted(folder.glob("*/words.yaml"))}
    selected: Mapping[str, Any] = _select_language({**read_yaml(folder / "words.yaml"), **parts}, language)
    return selected


def _select_language(node: Any, language: str) -> Any:
    """Return nested texts in one language. `node` has a list with the text in every language in place of each text."""
    if isinstance(node, Mapping):
        return {key: _select_language(inner, language) for key, inner in node.items()}
    return node[LANGUAGES.index(language)]


def format_day(value: date | datetime | None, language: str) -> str:
    """Return a day as the language writes it; a dash for None."""
    if value is None:
        return "–"
    local = timezone.localtime(value) if isinstance(value, datetime) else value
    return f"{local:%d.%m.%Y}" + ("." if language == "sr" else "")


def format_iso_day(text: str | None, language: str) -> str:
    """Return a day such as 2026-12-31 as the language writes it; a dash for None."""
    return format_day(date.fromisoformat(text) if text else None, language)


def format_moment(value: datetime | None, language: str) -> str:
    """Return a day and the local time; a dash for None."""
    return "–" if value is None else f"{format_day(value, language)} {timezone.localtime(value):%H:%M}"


def format_period(period: str, language: str) -> str:
    """Return a period such as `2013-Q2` in words: a month, quarter, half-year or year."""
    year, cadence = period[:4], cadence_of(period)
    if cadence == "yearly":
        return {"sq": f"viti {year}", "sr": f"{year}. godina", "en": year}[language]
    if cadence == "monthly":
        with translation.override(DJANGO[language]):
            month = str(MONTHS[int(period[5:])])
        return {"sq": f"{month.lower()} {year}", "sr": f"{month.lower()} {year}. godine", "en": f"{month} {year}"}[language]
    n = int(period[6:]) - 1
    if language == "sq":
        return f"{_PERIOD_WORDS[cadence][0]} i {('parë', 'dytë', 'tretë', 'katërt')[n]} i vitit {year}"
    if language == "sr":
        return f"{('prvo', 'drugo', 'treće', 'četvrto')[n]} {_PERIOD_WORDS[cadence][1]} {year}. godine"
    return f"{('first', 'second', 'third', 'fourth')[n]} {_PERIOD_WORDS[cadence][2]} of {year}"
