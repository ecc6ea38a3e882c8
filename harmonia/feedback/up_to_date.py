"""Whether a report on disk is up to date, so that a run writes only those that changed.

Belongs here: the key of a report's inputs, and the note beside the report that lists the files written. Does not belong here: writing it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from pipelines.resources import code

_WORDS = ("harmonia/feedback", "schemas/rules", "warehouse/indicators", "sources/*/contract.yaml")
"""Everything that determines the texts: code, templates and texts of the feedback, rules, indicators, contracts."""
NOTE = ".made"


def input_key(*parts: object) -> str:
    """Hash the inputs of a report to a key: frames by content, anything else by `repr`."""
    digest = hashlib.sha256(code.digest_code(_WORDS).encode())
    for part in parts:
        digest.update(_hash_sorted(_hash_rows(part)) if isinstance(part, pd.DataFrame) else repr(part).encode())
        digest.update(b"\0")
    return digest.hexdigest()


def content_hashes(*frames: pd.DataFrame) -> dict[tuple[str, str], str]:
    """Hash the rows of each delivery in `frames` (each with institution and delivery)."""
    digests: dict[tuple[str, str], hashlib._Hash] = {}
    for n, frame in enumerate(frames):
        hashed = _hash_rows(frame)
        places = cast("dict[Any, np.ndarray]", frame.groupby(["institution", "delivery"]).indices)
        for place, rows in places.items():
            digests.setdefault(place, hashlib.sha256()).update(b"%d\0" % n + _hash_sorted(hashed[rows]))
    return {place: digest.hexdigest() for place, digest in digests.items()}


def _hash_sorted(hashed: np.ndarray) -> bytes:
    """Hash the sorted row hashes, so that the order in which a run found the rows does not matter."""
    return np.sort(hashed).tobytes()


def _hash_rows(frame: pd.DataFrame) -> np.ndarray:
    """A 64-bit hash per row. An integer hashes alike whether or not its column has missing values."""
    numbers = frame.select_dtypes("number").columns
    mixed = [name for name, dtype in frame.dtypes.items() if str(dtype) == "object"]
    plain = frame.astype({**dict.fromkeys(numbers, "float64"), **dict.fromkeys(mixed, "str")})
    return pd.util.hash_pandas_object(plain, index=False).to_numpy() if len(plain.columns) else np.empty(len(frame), "uint64")


def up_to_date_files(folder: Path, key: str) -> list[Path]:
    """The files of the report if it was written under `key` and is unchanged; else an empty list.

    A file with unchanged size and modification time counts as unchanged; otherwise its content is hashed.
    """
    try:
        note = json.loads((folder / NOTE).read_text("utf-8"))
        if note["key"] != key:
            return []
        as_written = [_is_as_written(folder / name, *stat) for name, stat in note["files"].items()]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [folder / name for name in note["files"]] if all(as_written) else []


def _is_as_written(path: Path, digest: str, size: int, written: int) -> bool:
    now = path.stat()
    if now.st_size != size:
        return False
    return now.st_mtime_ns == written or hashlib.sha256(path.read_bytes()).hexdigest() == digest


def report_note(key: str, written: Mapping[Path, bytes]) -> str:
    """The note stored beside a report (its files and their hashes), as `up_to_date_files` reads it."""
    files = {}
    for path, content in written.items():
        now = path.stat()
        files[path.name] = (hashlib.sha256(content).hexdigest(), now.st_size, now.st_mtime_ns)
    return json.dumps({"key": key, "files": files}) + "\n"
