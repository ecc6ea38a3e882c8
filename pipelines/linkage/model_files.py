"""Layout and checksum of model files. A model file is never overwritten.

Belongs here: reading and writing JSON with a checksum. Does not belong here: the meaning of a model (`model`), estimation of its numbers
(`training`).

The checksum protects against accidents (a truncated file, a manual edit, another version), not against forgery: whoever can write a
model file can also write its checksum.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from harmonia.errors import HarmoniaError, convert_storage_errors

# Increased with every change of layout that older versions would misread.
FORMAT = 2
_FILE_KEYS = ("format", "checksum")
_MAX_ENTRIES_PER_LINE = 4  # a nested mapping with at most so many numbers is written on one line


def compute_content_checksum(content: dict[str, Any]) -> str:
    """Return the SHA-256 of the content of a model file without its entry `checksum`. The order of keys and white space do not matter."""
    plain = {key: value for key, value in content.items() if key != "checksum"}
    return hashlib.sha256(json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def read_model_file(path: Path) -> dict[str, Any]:
    """Return the content of the model file `path`, without its entries `format` and `checksum`.

    Raises `HarmoniaError` if the file is missing, is not JSON, has another format, or was changed. The message names the file and the
    remedy.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise HarmoniaError(f"model file {path} cannot be read ({error.strerror}): name another with --model (or HARMONIA_MODEL)") from None
    except ValueError:
        raise HarmoniaError(f"model file {path} is not JSON, or is cut off: fetch it again, or train one (`harmonia link train`)") from None
    if not isinstance(content, dict) or "checksum" not in content:
        raise HarmoniaError(
            f"model file {path} has no checksum: it is not a model file, or was edited by hand; fetch it again, or train one"
        )
    if content.get("format") != FORMAT:
        raise HarmoniaError(
            f"model file {path} has format {content.get('format')!r}, this version of Harmonia reads format {FORMAT}: "
            "train a new one (`harmonia link train`), or run the version that wrote it"
        )
    checksum = compute_content_checksum(content)
    if checksum != content["checksum"]:
        stated = str(content["checksum"])
        raise HarmoniaError(
            f"model file {path} was changed since it was written (its checksum is {stated[:12]}…, its content gives {checksum[:12]}…): "
            "fetch it again, or train one; a model is never edited, it gets a new version"
        )
    return {key: value for key, value in content.items() if key not in _FILE_KEYS}


def write_model_file(path: Path, content: dict[str, Any]) -> None:
    """Write `content` as a model file with the entries `format` and `checksum`.

    Raises `HarmoniaError` if the file exists or cannot be written.
    """
    sealed = {"format": FORMAT, **{key: value for key, value in content.items() if key not in _FILE_KEYS}}
    if path.exists():
        raise HarmoniaError(f"{path} already exists: a model file is never overwritten, choose another name")
    with convert_storage_errors(path), path.open("x", encoding="utf-8") as file:
        file.write(format_model_content_as_json({**sealed, "checksum": compute_content_checksum(sealed)}))


def format_model_content_as_json(content: dict[str, Any]) -> str:
    """Format `content` as JSON that has each comparison level, kind of evidence and setting on a separate line.

    So two versions of a model can be compared line by line.
    """
    return "{\n" + ",\n".join(_format_model_entries(key, value, 1) for key, value in content.items()) + "\n}\n"


def _format_model_entries(key: str, value: Any, depth: int) -> str:
    pad = " " * depth
    if isinstance(value, list) and value and isinstance(value[0], dict):
        entries = ",\n".join(f"{pad} {_format_model_entry(entry, depth)}" for entry in value)
        return f"{pad}{json.dumps(key)}: [\n{entries}\n{pad}]"
    if isinstance(value, dict) and (
        depth == 1 or len(value) > _MAX_ENTRIES_PER_LINE or any(isinstance(inner, dict | list) for inner in value.values())
    ):
        entries = ",\n".join(_format_model_entries(name, inner, depth + 1) for name, inner in value.items())
        return f"{pad}{json.dumps(key)}: {{\n{entries}\n{pad}}}"
    return f"{pad}{json.dumps(key)}: {json.dumps(value)}"


def _format_model_entry(entry: dict[str, Any], depth: int) -> str:
    levels = entry.get("levels")
    if not levels:
        return json.dumps(entry)
    head = ", ".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in entry.items() if key != "levels")
    pad = " " * (depth + 3)
    return "{" + head + ', "levels": [\n' + ",\n".join(pad + json.dumps(level) for level in levels) + f"\n{pad[:-2]}]}}"
