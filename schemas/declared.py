"""Reading what is declared in YAML files of the repository, and holding it against the shape that it must have.

Belongs here: the one loader (libyaml's where it is there: ten times as fast, and every run reads thousands of lines), and the one line that
names file, key and way out. Does not belong here: what the files mean, files of users.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from pipelines.errors import HarmoniaError

T = TypeVar("T")

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_ROOT = Path(__file__).resolve().parents[1]
_LONGEST = 60  # letters of a value that are shown


class DeclarationError(HarmoniaError, ValueError):
    """A declared file says what it cannot: file, key, value and way out, in one line."""


def shown(path: Path) -> str:
    """A file of the repository as it is named there."""
    return str(path.relative_to(_ROOT)) if path.is_relative_to(_ROOT) else str(path)


def declared(path: Path) -> Any:
    """The content of a YAML file; None where it is empty. Raises `DeclarationError` for what is no YAML."""
    try:
        return yaml.load(path.read_text("utf-8"), Loader=_LOADER)  # noqa: S506 - both loaders are safe ones
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        at = f", line {mark.line + 1}" if mark else ""
        raise DeclarationError(f"{shown(path)}{at}: is no YAML ({getattr(error, 'problem', None) or 'unreadable'}): correct it") from None
    except UnicodeDecodeError:
        raise DeclarationError(f"{shown(path)}: is not in UTF-8: save it so") from None


@cache
def _adapter(shape: Any) -> TypeAdapter[Any]:
    return TypeAdapter(shape)


def checked(shape: Callable[..., T], raw: Any, path: Path, key: str = "") -> T:
    """`raw`, declared under `key` of a file, as a `shape` (a dataclass). Raises `DeclarationError` for the first thing that is wrong."""
    try:
        found: T = _adapter(shape).validate_python(raw)
        return found
    except ValidationError as errors:
        first = errors.errors(include_url=False)[0]
    place = ".".join(filter(None, [key, *_place(raw, first["loc"])]))
    missing, further = first["type"] == "missing", first["type"] in ("unexpected_keyword_argument", "extra_forbidden")
    if missing:
        said = "is not there: add it"
    elif further:
        said = "is no key that is known here: correct its spelling, or take it out"
    else:
        what = re.sub(r"^(Input|Value) should ", "it must ", first["msg"])
        said = f"is {_value(first['input'])}: {what[:1].lower()}{what[1:]}"
    raise DeclarationError(f"{shown(path)}: {place or 'the file'} {said}")


def wrong(path: Path, key: str, value: Any, way_out: str) -> DeclarationError:
    """An error that names file, key, value and way out."""
    return DeclarationError(f"{shown(path)}: {key} is {_value(value)}: {way_out}")


def _value(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _place(raw: Any, location: tuple[int | str, ...]) -> list[str]:
    """Keys to the place; an entry of a list that bears a name is called by it."""
    out = []
    for step in location:
        inner = raw[step] if isinstance(raw, list | tuple) and isinstance(step, int) and step < len(raw) else None
        named = inner.get("name") if isinstance(inner, dict) else None
        out.append(str(named if named is not None else step))
        raw = inner if inner is not None else raw.get(step) if isinstance(raw, dict) else None
    return out
