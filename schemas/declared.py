"""Reads the YAML declarations of the repository and checks them against their types.

Belongs here: the loader (libyaml's if available, which is ten times as fast: every run reads thousands of lines), and the one-line error
that names file, key and remedy. Does not belong here: what the files mean, files of users.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from harmonia.errors import HarmoniaError

T = TypeVar("T")

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_ROOT = Path(__file__).resolve().parents[1]
_LONGEST = 60  # characters of a value that are shown


class DeclarationError(HarmoniaError, ValueError):
    """Raised if a declaration is invalid. The message names file, key, value and remedy in one line."""


def shown(path: Path) -> str:
    """Return the path of a file as messages show it: relative to the repository, if the file is in it."""
    return str(path.relative_to(_ROOT)) if path.is_relative_to(_ROOT) else str(path)


def declared(path: Path) -> Any:
    """Return the content of a YAML file; None if it is empty. Raises `DeclarationError` if it is not YAML."""
    try:
        return yaml.load(path.read_text("utf-8"), Loader=_LOADER)  # noqa: S506 - both are safe loaders
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        at = f", line {mark.line + 1}" if mark else ""
        raise DeclarationError(f"{shown(path)}{at}: is not YAML ({getattr(error, 'problem', None) or 'unreadable'}): correct it") from None
    except UnicodeDecodeError:
        raise DeclarationError(f"{shown(path)}: is not UTF-8: save it as UTF-8") from None


@cache
def _type_adapter(shape: Any) -> TypeAdapter[Any]:
    return TypeAdapter(shape)


def checked(shape: Callable[..., T], raw: Any, path: Path, key: str = "") -> T:
    """Convert `raw`, which a file declares under `key`, to a `shape` (a dataclass). Raises `DeclarationError` for the first error."""
    try:
        found: T = _type_adapter(shape).validate_python(raw)
        return found
    except ValidationError as errors:
        first = errors.errors(include_url=False)[0]
    place = ".".join(filter(None, [key, *_location_keys(raw, first["loc"])]))
    missing, further = first["type"] == "missing", first["type"] in ("unexpected_keyword_argument", "extra_forbidden")
    if missing:
        problem = "is missing: add it"
    elif further:
        problem = "is not a known key: correct its spelling, or remove it"
    else:
        what = re.sub(r"^(Input|Value) should ", "it must ", first["msg"])
        problem = f"is {_format_value(first['input'])}: {what[:1].lower()}{what[1:]}"
    raise DeclarationError(f"{shown(path)}: {place or 'the file'} {problem}")


def read_checked(shape: Callable[..., T], path: Path) -> T:
    """Read a YAML file as a `shape` (a dataclass). Raises `DeclarationError` if the file is not YAML, or not of this shape."""
    return checked(shape, declared(path), path)


def wrong(path: Path, key: str, value: Any, remedy: str) -> DeclarationError:
    """Return an error that names file, key, value and remedy."""
    return DeclarationError(f"{shown(path)}: {key} is {_format_value(value)}: {remedy}")


def _format_value(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _location_keys(raw: Any, location: tuple[int | str, ...]) -> list[str]:
    """Return the keys that lead to a location. A list entry with a name is identified by its name."""
    out = []
    for step in location:
        inner = raw[step] if isinstance(raw, list | tuple) and isinstance(step, int) and step < len(raw) else None
        named = inner.get("name") if isinstance(inner, dict) else None
        out.append(str(named if named is not None else step))
        raw = inner if inner is not None else raw.get(step) if isinstance(raw, dict) else None
    return out
