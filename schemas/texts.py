"""Texts that depend on the country and the topic, from the file `texts.yaml` of the domain.

Belongs here: reading the file, and checking that it has the same keys as the file of the built-in domain. Does not belong here: texts that
are the same in every domain; they are beside the modules that show them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from schemas import domain_folder
from schemas.findings import LANGUAGES
from schemas.yaml_declarations import DeclarationError, display_path, read_yaml

_OWN_KEYS = ("labels.offence_group", "labels.form", "reports.stages", "exports.areas")
"""The mappings in `texts.yaml` whose keys are codes of the domain, so that they may differ from those of the built-in domain."""


@cache
def texts(part: str) -> Mapping[str, Any]:
    """Return the texts for one part of the system. `part` is `labels`, `reports`, `explorer`, `feedback` or `exports`.

    Raises `DeclarationError` if `texts.yaml` is invalid.
    """
    path = domain_folder.find_path_in_domain("texts.yaml")
    texts_of_domain: dict[str, Any] = read_yaml(path) or {}
    if domain_folder.folder() is not None and (
        problem := _describe_difference(read_yaml(domain_folder.find_path_in_built_in_domain("texts.yaml")), texts_of_domain, "")
    ):
        raise DeclarationError(f"{display_path(path)}: {problem}")
    of_part: Mapping[str, Any] = texts_of_domain[part]
    return of_part


def merge_texts(common: Mapping[str, Any], of_domain: Mapping[str, Any]) -> dict[str, Any]:
    """Return the texts that are common to all domains, together with the texts of this domain.

    If both have a mapping under a key, the two mappings are merged in the same way. If both have a text under a key, the common text is
    used.
    """
    return {
        **of_domain,
        **common,
        **{key: merge_texts(common[key], of_domain[key]) for key in common if key in of_domain and isinstance(common[key], Mapping)},
    }


def _describe_difference(pattern: Any, content: Any, key: str) -> str | None:
    """Describe in words the first difference between `content` and `pattern` in their keys and languages. Return None if there is none.

    `key` is the path of keys that leads to both.
    """
    if isinstance(pattern, list) or (isinstance(pattern, Mapping) and set(pattern) == set(LANGUAGES)):
        kind = list if isinstance(pattern, list) else dict
        right = isinstance(content, kind) and len(content) == len(LANGUAGES) and (kind is list or set(content) == set(LANGUAGES))
        return None if right else f"{key} must have a text in each of {', '.join(LANGUAGES)}"
    if not isinstance(pattern, Mapping):
        return None if isinstance(content, str) else f"{key} must be a text"
    if not isinstance(content, Mapping):
        return f"{key or 'the file'} lacks {', '.join(pattern)}: add them"
    if key in _OWN_KEYS:
        entries = [(next(iter(pattern.values())), content[name], f"{key}.{name}") for name in content]
    else:
        for name in pattern:
            if name not in content:
                return f"{f'{key}.' if key else ''}{name} is missing: add it"
        for name in content:
            if name not in pattern:
                return f"{f'{key}.' if key else ''}{name} is not a known key: correct its spelling, or remove it"
        entries = [(pattern[name], content[name], f"{key}.{name}" if key else str(name)) for name in pattern]
    return next((problem for entry in entries if (problem := _describe_difference(*entry))), None)
