"""Texts of the country and the topic (`texts.yaml` of the domain).

Belongs here: reading the file, and comparing it with the built-in one, whose keys every domain has. Does not belong here: texts that are
the same in every domain (they are beside the modules that show them).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from schemas import domain_folder
from schemas.declared import DeclarationError, declared, shown
from schemas.findings import LANGUAGES

_OWN_KEYS = ("labels.offence_group", "labels.form", "reports.stages", "exports.areas")
"""Mappings whose keys are the codes of the domain."""


@cache
def texts(part: str) -> Mapping[str, Any]:
    """Return the texts of one part: labels, reports, explorer, feedback or exports. Raises `DeclarationError` if the file is invalid."""
    path = domain_folder.place("texts.yaml")
    found: dict[str, Any] = declared(path) or {}
    if domain_folder.folder() is not None and (problem := _describe_difference(declared(domain_folder.built_in("texts.yaml")), found, "")):
        raise DeclarationError(f"{shown(path)}: {problem}")
    of_part: Mapping[str, Any] = found[part]
    return of_part


def merged(own: Mapping[str, Any], domain: Mapping[str, Any]) -> dict[str, Any]:
    """Return the texts of every domain (`own`) together with those of this domain. If both have a mapping under a key, its entries are
    merged."""
    return {
        **domain,
        **own,
        **{key: merged(own[key], domain[key]) for key in own if key in domain and isinstance(own[key], Mapping)},
    }


def _describe_difference(pattern: Any, found: Any, key: str) -> str | None:
    """Return, in words, how `found` deviates from the keys and languages of `pattern`; None if it does not."""
    if isinstance(pattern, list) or (isinstance(pattern, Mapping) and set(pattern) == set(LANGUAGES)):
        kind = list if isinstance(pattern, list) else dict
        right = isinstance(found, kind) and len(found) == len(LANGUAGES) and (kind is list or set(found) == set(LANGUAGES))
        return None if right else f"{key} must have a text in each of {', '.join(LANGUAGES)}"
    if not isinstance(pattern, Mapping):
        return None if isinstance(found, str) else f"{key} must be a text"
    if not isinstance(found, Mapping):
        return f"{key or 'the file'} lacks {', '.join(pattern)}: add them"
    if key in _OWN_KEYS:
        entries = [(next(iter(pattern.values())), found[name], f"{key}.{name}") for name in found]
    else:
        for name in pattern:
            if name not in found:
                return f"{f'{key}.' if key else ''}{name} is missing: add it"
        for name in found:
            if name not in pattern:
                return f"{f'{key}.' if key else ''}{name} is not a known key: correct its spelling, or remove it"
        entries = [(pattern[name], found[name], f"{key}.{name}" if key else str(name)) for name in pattern]
    return next((problem for entry in entries if (problem := _describe_difference(*entry))), None)
