"""Read declarations (YAML files) and check that they have the declared types.

Belongs here: the loader, and the error that names file, key and remedy in one line. The loader of the library libyaml is used if it is
installed: it is ten times as fast, and every run reads thousands of lines. Does not belong here: what the declarations mean, files of
users.
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


def display_path(path: Path) -> str:
    """Return the path of a file as messages show it: relative to the repository if the file is in it."""
    return str(path.relative_to(_ROOT)) if path.is_relative_to(_ROOT) else str(path)


def read_yaml(path: Path) -> Any:
    """Return the content of a YAML file; None if it is empty. Raises `DeclarationError` if it is not YAML."""
    try:
        return yaml.load(path.read_text("utf-8"), Loader=_LOADER)  # noqa: S506 - both are safe loaders
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        position = f", line {mark.line + 1}" if mark else ""
        raise DeclarationError(
            f"{display_path(path)}{position}: is not YAML ({getattr(error, 'problem', None) or 'unreadable'}): correct it"
        ) from None
    except UnicodeDecodeError:
        raise DeclarationError(f"{display_path(path)}: is not UTF-8: save it as UTF-8") from None


@cache
def _make_type_adapter(shape: Any) -> TypeAdapter[Any]:
    return TypeAdapter(shape)


def convert_declaration(shape: Callable[..., T], raw: Any, path: Path, key: str = "") -> T:
    """Convert what a file declares to an object of the dataclass `shape`.

    raw: what the file `path` declares under `key`. If it does not fit `shape`, `DeclarationError` is raised for the first error.
    """
    try:
        converted: T = _make_type_adapter(shape).validate_python(raw)
        return converted
    except ValidationError as errors:
        first = errors.errors(include_url=False)[0]
    key_path = ".".join(filter(None, [key, *_list_keys_of_location(raw, first["loc"])]))
    missing, unknown = first["type"] == "missing", first["type"] in ("unexpected_keyword_argument", "extra_forbidden")
    if missing:
        problem = "is missing: add it"
    elif unknown:
        problem = "is not a known key: correct its spelling, or remove it"
    else:
        requirement = re.sub(r"^(Input|Value) should ", "it must ", first["msg"])
        problem = f"is {_format_value(first['input'])}: {requirement[:1].lower()}{requirement[1:]}"
    raise DeclarationError(f"{display_path(path)}: {key_path or 'the file'} {problem}")


def read_declaration(shape: Callable[..., T], path: Path) -> T:
    """Read a YAML file and convert its content to an object of the dataclass `shape`.

    Raises `DeclarationError` if the file is not YAML, or if its content does not fit `shape`.
    """
    return convert_declaration(shape, read_yaml(path), path)


def make_value_error(path: Path, key: str, value: Any, remedy: str) -> DeclarationError:
    """Return (and do not raise) an error whose message names the file, the key, its value and the remedy."""
    return DeclarationError(f"{display_path(path)}: {key} is {_format_value(value)}: {remedy}")


def _format_value(value: Any) -> str:
    """Return a value as messages show it: a long value is cut."""
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _list_keys_of_location(raw: Any, location: tuple[int | str, ...]) -> list[str]:
    """Return the keys that lead to the place of an error in `raw`. An entry of a list is named by its key `name`, or else by its number."""
    out = []
    for step in location:
        inner = raw[step] if isinstance(raw, list | tuple) and isinstance(step, int) and step < len(raw) else None
        name = inner.get("name") if isinstance(inner, dict) else None
        out.append(str(name if name is not None else step))
        raw = inner if inner is not None else raw.get(step) if isinstance(raw, dict) else None
    return out
